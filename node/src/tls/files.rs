//! Files with certificates and keys: read whole, within a bound, and told apart by what they hold.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use gateway::tls::MaterialError;
use ring::digest::{Context, SHA256};
use shard::peer::PeerMaterialError;

use crate::limits;

/// Files that hold a certificate, and what new connections make of them.
pub(crate) trait CertificateFiles: Clone + Send + 'static {
    /// Where connections find what they begin with. Clones share it.
    type Port: Clone + Send + 'static;
    /// What they begin with.
    type Setup: Send + 'static;
    /// The section of the settings that names the files.
    const SECTION: &'static str;

    /// Reads them, and makes a setup of what they hold.
    fn load(&self) -> Result<Loaded<Self::Setup>, TlsFilesError>;
    /// A port that begins with this setup.
    fn open(setup: Self::Setup) -> Self::Port;
    /// Has connections from now on use another setup.
    fn replace(port: &Self::Port, setup: Self::Setup);
}

/// What files hold.
#[derive(Debug)]
pub(crate) struct Loaded<S> {
    pub(super) setup: S,
    /// When the certificate ends, in seconds since the Unix epoch.
    pub(super) not_after: i64,
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
    #[error("cluster.tls with {}: {error}", path.display())]
    NodeMaterial { path: PathBuf, error: PeerMaterialError },
    #[error("{section}.cert_file has a certificate that has expired")]
    Expired { section: &'static str },
    #[error("SIGHUP can't be listened to: {0}")]
    Signal(io::Error),
}

/// Of all the parts together.
pub(super) fn fingerprint(parts: [&[u8]; 3]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(context.finish().as_ref());
    fingerprint
}

pub(super) fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, TlsFilesError> {
    let limit = limits::TLS_FILE_BYTES_MAX;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    let length = read.map_err(|error| TlsFilesError::Read { setting, path: path.to_owned(), error })?;
    if length as u64 > limit {
        return Err(TlsFilesError::TooLarge { setting, path: path.to_owned(), limit });
    }
    Ok(bytes)
}
