//! Where keys come from.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use futures_rustls::TlsConnector;
use gateway::{
    auth::jwt::{KeySet, KeySetError},
    limits::JWKS_BYTES_MAX,
    push::PushTarget,
};
use tokio::task::spawn_blocking;

use super::fetch::{FetchError, fetch};
use crate::{
    config::JwtSection,
    push::{HTTP1, TrustError, connector},
};

/// A file or an address.
pub(super) enum Source {
    File { path: PathBuf, is_secret: bool },
    Url { target: Box<PushTarget>, tls: TlsConnector },
}

/// A set that was read.
pub(super) struct Keys(pub(super) KeySet);

/// Why keys could not be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum KeySourceError {
    #[error("can't read {}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("jwt.jwks_url: {0}")]
    Fetch(#[from] FetchError),
    #[error("{origin}: {error}")]
    Keys { origin: String, error: KeySetError },
    #[error("{0}")]
    Address(String),
}

impl Source {
    pub(super) fn new(section: &JwtSection) -> Result<Self, super::JwtError> {
        let is_set = |path: &Path| !path.as_os_str().is_empty();
        if is_set(&section.jwks_file) {
            return Ok(Self::File { path: section.jwks_file.clone(), is_secret: false });
        }
        if is_set(&section.hmac_secret_file) {
            return Ok(Self::File { path: section.hmac_secret_file.clone(), is_secret: true });
        }
        let target = Box::new(section.target().map_err(KeySourceError::Address)?);
        let ca_file = is_set(&section.ca_file).then_some(section.ca_file.as_path());
        let tls: Result<_, TrustError> = connector("jwt.ca_file", ca_file, HTTP1);
        Ok(Self::Url { target, tls: tls? })
    }

    /// What is there now, within the bound of a set.
    pub(super) async fn read(&self) -> Result<Vec<u8>, KeySourceError> {
        match self {
            Self::Url { target, tls } => Ok(fetch(target, tls).await?),
            Self::File { path, .. } => {
                let unreadable = |error| KeySourceError::Read { path: path.clone(), error };
                let path = path.clone();
                // A file may be on a filesystem that stands still; the control thread may not.
                let read = spawn_blocking(move || read_file(&path)).await.map_err(io::Error::other);
                read.and_then(|read| read).map_err(unreadable)
            }
        }
    }

    pub(super) fn parse(&self, bytes: &[u8]) -> Result<Keys, KeySourceError> {
        let (origin, keys) = match self {
            Self::File { path, is_secret: true } => (path.display().to_string(), KeySet::secret(bytes.trim_ascii())),
            Self::File { path, is_secret: false } => (path.display().to_string(), KeySet::parse(bytes)),
            Self::Url { .. } => ("jwt.jwks_url".to_owned(), KeySet::parse(bytes)),
        };
        keys.map(Keys).map_err(|error| KeySourceError::Keys { origin, error })
    }
}

/// A file that is longer than a set may be is read a byte too far, so that it is refused as one.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(JWKS_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
