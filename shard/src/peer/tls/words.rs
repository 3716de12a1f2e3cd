//! What went wrong with TLS between two nodes, in the words of whoever has to mend it.

use std::io;

use futures_rustls::rustls::{self, AlertDescription, CertificateError};

/// What an error of a stream between nodes means if it is one of TLS.
#[must_use]
pub fn in_words(error: &io::Error) -> Option<String> {
    let tls = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    if let rustls::Error::InvalidCertificate(reason) = tls {
        return Some(of_certificate(reason));
    }
    if let rustls::Error::AlertReceived(alert) = tls {
        return Some(of_alert(*alert));
    }
    Some(of_others(tls))
}

/// The other node's certificate is not accepted here.
fn of_certificate(reason: &CertificateError) -> String {
    if matches!(reason, CertificateError::UnknownIssuer | CertificateError::BadSignature) {
        return "the other node's certificate is of no issuer in cluster.tls.ca_file".to_owned();
    }
    if matches!(reason, CertificateError::NotValidForNameContext { .. } | CertificateError::NotValidForName) {
        return format!("the other node's certificate has not the host by which it is reached: {reason}");
    }
    format!("the other node's certificate can't be accepted: {reason}")
}

/// The other node says what it does not like.
fn of_alert(alert: AlertDescription) -> String {
    if matches!(alert, AlertDescription::UnknownCA | AlertDescription::DecryptError) {
        return "the other node refuses this node's certificate: it is of no issuer in the other's cluster.tls.ca_file"
            .to_owned();
    }
    if alert == AlertDescription::NoApplicationProtocol {
        return "the other side refuses: it speaks TLS, and is no node or means another lane".to_owned();
    }
    format!("the other node refuses this node's certificate, or how it speaks TLS: {alert:?}")
}

fn of_others(error: &rustls::Error) -> String {
    if matches!(error, rustls::Error::NoCertificatesPresented) {
        return "the other side shows no certificate".to_owned();
    }
    if matches!(error, rustls::Error::InvalidMessage(_)) {
        return "the other side speaks no TLS: every node of a cluster has cluster.tls, or none".to_owned();
    }
    if matches!(error, rustls::Error::NoApplicationProtocol) {
        return "the other side speaks TLS, and is no node or means another lane".to_owned();
    }
    format!("TLS: {error}")
}
