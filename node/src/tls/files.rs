//! The files of TLS: read whole, within a bound.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use gateway::tls::{ClientAuth, MaterialError, MinVersion, TlsMaterial, TlsSetup};
use ring::digest::{Context, SHA256};

use crate::{config::TlsSection, limits};

/// Where they are, and what is made of them.
#[derive(Clone, Debug)]
pub(super) struct TlsFiles {
    certificates: PathBuf,
    key: PathBuf,
    client_issuers: Option<PathBuf>,
    client_auth: ClientAuth,
    min_version: MinVersion,
}

/// What they hold.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) setup: TlsSetup,
    /// Tells other content apart without keeping a key in memory twice.
    pub(super) fingerprint: [u8; 32],
}

/// Why the files of TLS can't be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum TlsFilesError {
    #[error("{setting}: can't read {}: {error}", path.display())]
    Read { setting: &'static str, path: PathBuf, error: io::Error },
    #[error("{setting}: {} is larger than {limit} bytes", path.display())]
    TooLarge { setting: &'static str, path: PathBuf, limit: u64 },
    #[error("{}: {error}", path.display())]
    Material { path: PathBuf, error: MaterialError },
    #[error("{} has a certificate that has expired", path.display())]
    Expired { path: PathBuf },
    #[error("SIGHUP can't be listened to: {0}")]
    Signal(io::Error),
}

impl TlsFiles {
    pub(super) fn new(section: &TlsSection) -> Self {
        Self {
            certificates: section.cert_file.clone(),
            key: section.key_file.clone(),
            client_issuers: (section.client_auth != ClientAuth::None).then(|| section.client_ca_file.clone()),
            client_auth: section.client_auth,
            min_version: section.min_version,
        }
    }

    /// Reads them, and makes a setup of what they hold.
    pub(super) fn load(&self) -> Result<Loaded, TlsFilesError> {
        let certificates = read("tls.cert_file", &self.certificates)?;
        let key = read("tls.key_file", &self.key)?;
        let issuers = self.client_issuers.as_deref().map(|path| read("tls.client_ca_file", path)).transpose()?;
        let material = TlsMaterial { certificates, key, client_issuers: issuers };
        let setup = material
            .setup(self.client_auth, self.min_version)
            .map_err(|error| TlsFilesError::Material { path: self.certificates.clone(), error })?;
        Ok(Loaded { setup, fingerprint: fingerprint(&material) })
    }
}

fn fingerprint(material: &TlsMaterial) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let issuers = material.client_issuers.as_deref().unwrap_or_default();
    for part in [&material.certificates, &material.key, issuers] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(context.finish().as_ref());
    fingerprint
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, TlsFilesError> {
    let limit = limits::TLS_FILE_BYTES_MAX;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    let length = read.map_err(|error| TlsFilesError::Read { setting, path: path.to_owned(), error })?;
    if length as u64 > limit {
        return Err(TlsFilesError::TooLarge { setting, path: path.to_owned(), limit });
    }
    Ok(bytes)
}
