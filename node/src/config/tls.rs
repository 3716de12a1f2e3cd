//! Whether and how the node speaks TLS.

use std::path::PathBuf;

use gateway::tls::{ClientAuth, MinVersion};

/// The section `tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSection {
    /// A PEM file with the node's certificate and those of its issuers; empty for no TLS.
    pub cert_file: PathBuf,
    /// A PEM file with the key of the certificate.
    pub key_file: PathBuf,
    /// A PEM file with the issuers of clients' certificates; empty for none.
    pub client_ca_file: PathBuf,
    /// Whether clients show a certificate.
    pub client_auth: ClientAuth,
    /// The oldest version that is spoken.
    pub min_version: MinVersion,
    /// How often the files are looked at.
    pub reload_interval_ms: u64,
}

impl TlsSection {
    /// Whether the node speaks TLS.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.cert_file.as_os_str().is_empty()
    }

    /// Says which rule the section breaks, if any.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_empty = |path: &PathBuf| path.as_os_str().is_empty();
        if is_empty(&self.cert_file) != is_empty(&self.key_file) {
            return Err("tls.cert_file and tls.key_file belong together: set both or neither".to_owned());
        }
        let asks_clients = self.client_auth != ClientAuth::None;
        if !self.is_on() && (asks_clients || !is_empty(&self.client_ca_file)) {
            return Err(
                "tls.client_auth and tls.client_ca_file need TLS: set tls.cert_file and tls.key_file".to_owned()
            );
        }
        if asks_clients && is_empty(&self.client_ca_file) {
            return Err("tls.client_ca_file: expected the issuers of clients' certificates, found nothing".to_owned());
        }
        if !asks_clients && !is_empty(&self.client_ca_file) {
            return Err(
                "tls.client_ca_file is set and tls.client_auth is `none`, so that clients are not asked for a \
                        certificate: set it to `optional` or `required`"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

impl Default for TlsSection {
    fn default() -> Self {
        Self {
            cert_file: PathBuf::new(),
            key_file: PathBuf::new(),
            client_ca_file: PathBuf::new(),
            client_auth: ClientAuth::None,
            min_version: MinVersion::Tls13,
            reload_interval_ms: 10_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_needs_its_key_and_the_other_way_round() {
        let mut section = TlsSection { cert_file: "a".into(), ..TlsSection::default() };
        assert!(section.check().unwrap_err().contains("both or neither"));
        section.key_file = "b".into();
        assert_eq!(section.check(), Ok(()));
        section.cert_file = PathBuf::new();
        assert!(section.check().unwrap_err().contains("both or neither"));
    }

    #[test]
    fn asking_clients_and_knowing_their_issuers_go_together() {
        let on = TlsSection { cert_file: "a".into(), key_file: "b".into(), ..TlsSection::default() };
        let asks = TlsSection { client_auth: ClientAuth::Required, ..on.clone() };
        assert!(asks.check().unwrap_err().contains("tls.client_ca_file"));
        let knows = TlsSection { client_ca_file: "c".into(), ..on };
        assert!(knows.check().unwrap_err().contains("tls.client_auth"));
        let both = TlsSection { client_auth: ClientAuth::Optional, ..knows };
        assert_eq!(both.check(), Ok(()));
        let without_tls = TlsSection { cert_file: PathBuf::new(), key_file: PathBuf::new(), ..both };
        assert!(without_tls.check().unwrap_err().contains("need TLS"));
    }
}
