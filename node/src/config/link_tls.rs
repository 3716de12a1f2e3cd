//! The section `cluster.tls`: whether nodes speak TLS with each other.

use std::path::PathBuf;

/// What nodes show each other.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LinkTlsSection {
    /// A PEM file with the node's certificate and those of its issuers; empty for no TLS.
    pub cert_file: PathBuf,
    /// A PEM file with the key of the certificate.
    pub key_file: PathBuf,
    /// A PEM file with the issuers of all nodes' certificates.
    pub ca_file: PathBuf,
}

impl LinkTlsSection {
    /// Whether nodes speak TLS with each other.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.cert_file.as_os_str().is_empty()
    }

    /// Says which rule the section breaks, if any.
    pub(super) fn check(&self) -> Result<(), String> {
        let files = [("cert_file", &self.cert_file), ("key_file", &self.key_file), ("ca_file", &self.ca_file)];
        let missing = files.iter().find(|(_, path)| path.as_os_str().is_empty());
        let set = files.iter().find(|(_, path)| !path.as_os_str().is_empty());
        match (set, missing) {
            (Some((set, _)), Some((missing, _))) => Err(format!(
                "cluster.tls.{set} is set and cluster.tls.{missing} is not: TLS between nodes needs cert_file, key_file and \
                 ca_file, all of them or none"
            )),
            (None, _) | (_, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_belong_together() {
        assert_eq!(LinkTlsSection::default().check(), Ok(()));
        let all = LinkTlsSection { cert_file: "a".into(), key_file: "b".into(), ca_file: "c".into() };
        assert_eq!((all.check(), all.is_on()), (Ok(()), true));
        let without = [
            ("cert_file", LinkTlsSection { cert_file: PathBuf::new(), ..all.clone() }),
            ("key_file", LinkTlsSection { key_file: PathBuf::new(), ..all.clone() }),
            ("ca_file", LinkTlsSection { ca_file: PathBuf::new(), ..all }),
        ];
        for (missing, section) in without {
            let reason = section.check().unwrap_err();
            assert!(reason.contains(&format!("cluster.tls.{missing} is not")), "{reason}");
        }
    }
}
