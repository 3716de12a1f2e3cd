//! A snapshot as a file and as it is sent: a header, and the state by postcard.
//!
//! ```text
//!  0  [u8;4]  magic, "PSRM"
//!  4  u16     version, 2              (all numbers little-endian)
//!  6  u16     reserved, 0
//!  8  u64     length of the body
//! 16  u32     CRC-32C of the body
//! 20  u32     CRC-32C of bytes 0..20
//! 24  …       the body: last log id, membership, state
//! ```
//!
//! Version 1, in which nodes had no epochs, is still read.

use serde::{Deserialize, Serialize};

use crate::{
    checksum::crc32c,
    metadata::{ClusterState, RestoreError, StoredState, StoredStateV1},
    type_config::{LogId, Membership, SnapshotMeta},
};

const MAGIC: [u8; 4] = *b"PSRM";
const VERSION: u16 = 2;
const VERSION_WITHOUT_NODE_EPOCHS: u16 = 1;
const HEADER_BYTES: usize = 24;
const HEADER_CHECKED_BYTES: usize = 20;

/// The state after a log entry, and where in the log that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateSnapshot {
    pub(crate) last_log_id: Option<LogId>,
    pub(crate) membership: Membership,
    pub(crate) state: ClusterState,
}

/// Why bytes are not a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum DamagedSnapshot {
    #[error("it has {bytes} bytes, a header has {HEADER_BYTES}")]
    TooShort { bytes: usize },
    #[error("it does not begin like a snapshot")]
    Magic,
    #[error("the header's checksum does not match")]
    HeaderChecksum,
    #[error("its version is {version}, this program knows {VERSION}")]
    Version { version: u16 },
    #[error("the header announces {announced} bytes, {found} follow")]
    Length { announced: u64, found: usize },
    #[error("the body's checksum does not match")]
    BodyChecksum,
    #[error("the body is not a state: {reason}")]
    Body { reason: String },
    #[error("the state contradicts itself: {0}")]
    State(#[from] RestoreError),
    #[error("the state is of version {version}, the snapshot of log entry {index}")]
    Position { version: u64, index: u64 },
}

#[derive(Serialize, Deserialize)]
struct Body<S> {
    last_log_id: Option<LogId>,
    membership: Membership,
    state: S,
}

impl StateSnapshot {
    /// The bytes of the file.
    ///
    /// # Errors
    /// The state has no encoding; none of ours lacks one.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        let body = postcard::to_allocvec(&Body {
            last_log_id: self.last_log_id,
            membership: self.membership.clone(),
            state: StoredState::from(&self.state),
        })?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&u64::try_from(body.len()).unwrap_or(u64::MAX).to_le_bytes());
        bytes.extend_from_slice(&crc32c(&[&body]).to_le_bytes());
        let checksum = crc32c(&[&bytes]);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(&body);
        Ok(bytes)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// Says where the damage is.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DamagedSnapshot> {
        let (version, body) = check_header(bytes)?;
        let body: Body<StoredState> = if version == VERSION_WITHOUT_NODE_EPOCHS {
            let Body { last_log_id, membership, state } = read::<StoredStateV1>(body)?;
            Body { last_log_id, membership, state: state.into() }
        } else {
            read(body)?
        };
        let state = ClusterState::try_from(body.state)?;
        let (version, index) = (state.version(), body.last_log_id.map_or(0, |log_id| log_id.index));
        if version != index {
            return Err(DamagedSnapshot::Position { version, index });
        }
        Ok(Self { last_log_id: body.last_log_id, membership: body.membership, state })
    }

    /// What openraft keeps of it. The same log entry gives the same bytes on every node, so its id names the snapshot.
    pub(crate) fn meta(&self) -> SnapshotMeta {
        let snapshot_id = self.last_log_id.map_or_else(|| "empty".to_owned(), |log_id| log_id.to_string());
        SnapshotMeta { last_log_id: self.last_log_id, last_membership: self.membership.clone(), snapshot_id }
    }
}

fn read<'a, S: Deserialize<'a>>(body: &'a [u8]) -> Result<Body<S>, DamagedSnapshot> {
    match postcard::take_from_bytes(body) {
        Ok((body, [])) => Ok(body),
        Ok((_, rest)) => Err(DamagedSnapshot::Body { reason: format!("{} bytes follow it", rest.len()) }),
        Err(error) => Err(DamagedSnapshot::Body { reason: error.to_string() }),
    }
}

/// Checks all but the content of the body, and gives the version and the body.
fn check_header(bytes: &[u8]) -> Result<(u16, &[u8]), DamagedSnapshot> {
    let too_short = DamagedSnapshot::TooShort { bytes: bytes.len() };
    let (checked, rest) = bytes.split_first_chunk::<HEADER_CHECKED_BYTES>().ok_or_else(|| too_short.clone())?;
    let (header_checksum, body) = rest.split_first_chunk().ok_or(too_short)?;
    let [magic @ .., v0, v1, _, _, l0, l1, l2, l3, l4, l5, l6, l7, c0, c1, c2, c3] = *checked;
    if magic != MAGIC {
        return Err(DamagedSnapshot::Magic);
    }
    if crc32c(&[checked]) != u32::from_le_bytes(*header_checksum) {
        return Err(DamagedSnapshot::HeaderChecksum);
    }
    let version = u16::from_le_bytes([v0, v1]);
    if ![VERSION_WITHOUT_NODE_EPOCHS, VERSION].contains(&version) {
        return Err(DamagedSnapshot::Version { version });
    }
    let announced = u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
    if u64::try_from(body.len()) != Ok(announced) {
        return Err(DamagedSnapshot::Length { announced, found: body.len() });
    }
    if crc32c(&[body]) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(DamagedSnapshot::BodyChecksum);
    }
    Ok((version, body))
}

#[cfg(test)]
mod tests;
