//! Handshakes that come to nothing, by kind.

use std::io;

use futures_rustls::rustls::{self, PeerIncompatible};

/// Why a handshake came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// The client speaks HTTP without TLS.
    Plaintext,
    /// No version in common.
    Version,
    /// No cipher, group, signature or protocol in common.
    Parameters,
    /// What came is no handshake, or breaks its rules.
    Malformed,
    /// The client's certificate is missing or not accepted.
    ClientCertificate,
    /// The client refuses what it was shown.
    ClientAlert,
    /// The connection ended in the middle.
    Closed,
    /// It took too long.
    TooSlow,
}

impl HandshakeFailure {
    /// How many there are.
    pub const COUNT: usize = 8;
    /// All of them, in the order of their counters.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Plaintext,
        Self::Version,
        Self::Parameters,
        Self::Malformed,
        Self::ClientCertificate,
        Self::ClientAlert,
        Self::Closed,
        Self::TooSlow,
    ];

    /// Its name among the metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Version => "version",
            Self::Parameters => "parameters",
            Self::Malformed => "malformed",
            Self::ClientCertificate => "client_certificate",
            Self::ClientAlert => "client_alert",
            Self::Closed => "closed",
            Self::TooSlow => "too_slow",
        }
    }

    /// The kind of an error of a handshake.
    pub(super) fn of(error: &io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        tls.map_or(Self::Closed, Self::of_tls)
    }

    fn of_tls(error: &rustls::Error) -> Self {
        const NO_VERSION: [PeerIncompatible; 3] = [
            PeerIncompatible::SupportedVersionsExtensionRequired,
            PeerIncompatible::Tls12NotOffered,
            PeerIncompatible::Tls12NotOfferedOrEnabled,
        ];
        if let rustls::Error::PeerIncompatible(reason) = error {
            return if NO_VERSION.contains(reason) { Self::Version } else { Self::Parameters };
        }
        if let rustls::Error::NoApplicationProtocol = error {
            return Self::Parameters;
        }
        if let rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented = error {
            return Self::ClientCertificate;
        }
        if let rustls::Error::AlertReceived(_) = error {
            return Self::ClientAlert;
        }
        Self::Malformed
    }
}

#[cfg(test)]
mod tests {
    use futures_rustls::rustls::{AlertDescription, CertificateError, InvalidMessage};

    use super::*;

    #[test]
    fn errors_have_their_kinds() {
        let kind = |error: rustls::Error| HandshakeFailure::of(&io::Error::new(io::ErrorKind::InvalidData, error));
        assert_eq!(kind(PeerIncompatible::SupportedVersionsExtensionRequired.into()), HandshakeFailure::Version);
        assert_eq!(kind(PeerIncompatible::NoCipherSuitesInCommon.into()), HandshakeFailure::Parameters);
        assert_eq!(kind(rustls::Error::NoApplicationProtocol), HandshakeFailure::Parameters);
        assert_eq!(kind(CertificateError::Expired.into()), HandshakeFailure::ClientCertificate);
        assert_eq!(kind(rustls::Error::NoCertificatesPresented), HandshakeFailure::ClientCertificate);
        assert_eq!(kind(rustls::Error::AlertReceived(AlertDescription::UnknownCA)), HandshakeFailure::ClientAlert);
        assert_eq!(kind(InvalidMessage::InvalidContentType.into()), HandshakeFailure::Malformed);
        assert_eq!(HandshakeFailure::of(&io::ErrorKind::UnexpectedEof.into()), HandshakeFailure::Closed);
    }

    #[test]
    fn each_has_a_place_and_a_name_of_its_own() {
        for (place, failure) in HandshakeFailure::ALL.into_iter().enumerate() {
            assert_eq!(failure as usize, place);
            assert!(HandshakeFailure::ALL[..place].iter().all(|other| other.name() != failure.name()));
        }
    }
}
