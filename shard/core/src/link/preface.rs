//! The first bytes of a connection between nodes: what it is for, so that it can be given to the core that serves it.
//!
//! ```text
//!  0 u32 magic "PSLK"
//!  4 u8  version
//!  5 u8  lane: 0 control, 1 shard
//!  6 u16 the shard; 0 for control
//!  8 u32 zero
//! 12 u32 CRC-32C of 0..12
//! ```

use crate::format::{
    checksum::crc32c,
    fields::{put, u16_at, u32_at},
};

/// The first bytes of every connection between nodes, `PSLK`.
const MAGIC: u32 = u32::from_le_bytes(*b"PSLK");
/// The version this code writes, and the only one it reads.
const VERSION: u8 = 1;
/// The size of a preface.
pub const PREFACE_BYTES: usize = 16;

/// The type of the record that TLS begins with.
const TLS_HANDSHAKE: u8 = 0x16;

const LANE_CONTROL: u8 = 0;
const LANE_SHARD: u8 = 1;

/// Whom a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The control thread: metadata and membership.
    Control,
    /// This shard: the partitions of the node.
    Shard(u16),
}

/// What a connecting node says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preface {
    /// Whom the connection is for.
    pub lane: Lane,
}

/// Why bytes are not the beginning of a connection that this version can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum PrefaceError {
    #[error("{available} bytes are there, the preface has {PREFACE_BYTES}")]
    Truncated { available: usize },
    #[error("a connection between nodes starts with PSLK, not with {found:#010x}")]
    Magic { found: u32 },
    #[error("preface version {found} is unknown, this is version {VERSION}")]
    Version { found: u8 },
    #[error("the preface's checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    Checksum { stored: u32, computed: u32 },
    #[error("lane {lane} with number {number} is unknown")]
    Lane { lane: u8, number: u16 },
    #[error("the preface has {found:#010x} where nothing should be")]
    Reserved { found: u32 },
}

impl Preface {
    /// The bytes to send.
    #[must_use]
    pub fn encode(self) -> [u8; PREFACE_BYTES] {
        let (lane, number) = match self.lane {
            Lane::Control => (LANE_CONTROL, 0),
            Lane::Shard(shard) => (LANE_SHARD, shard),
        };
        let mut bytes = [0; PREFACE_BYTES];
        put(&mut bytes, 0, &MAGIC.to_le_bytes());
        put(&mut bytes, 4, &[VERSION, lane]);
        put(&mut bytes, 6, &number.to_le_bytes());
        let crc = checksum(&bytes);
        put(&mut bytes, 12, &crc.to_le_bytes());
        bytes
    }

    /// Reads the preface at the start of `bytes`. An unknown version is told from damage before anything else.
    ///
    /// # Errors
    /// Says what is there instead; any bytes are safe to give.
    pub fn decode(bytes: &[u8]) -> Result<Self, PrefaceError> {
        let preface: &[u8; PREFACE_BYTES] =
            bytes.first_chunk().ok_or(PrefaceError::Truncated { available: bytes.len() })?;
        let found = u32_at(preface, 0);
        if found != MAGIC {
            return Err(PrefaceError::Magic { found });
        }
        let [_, _, _, _, version, lane, ..] = *preface;
        if version != VERSION {
            return Err(PrefaceError::Version { found: version });
        }
        let (stored, computed) = (u32_at(preface, 12), checksum(preface));
        if stored != computed {
            return Err(PrefaceError::Checksum { stored, computed });
        }
        let found = u32_at(preface, 8);
        if found != 0 {
            return Err(PrefaceError::Reserved { found });
        }
        let number = u16_at(preface, 6);
        match (lane, number) {
            (LANE_CONTROL, 0) => Ok(Self { lane: Lane::Control }),
            (LANE_SHARD, shard) => Ok(Self { lane: Lane::Shard(shard) }),
            (lane, number) => Err(PrefaceError::Lane { lane, number }),
        }
    }
}

/// Whether the byte behind a preface is the first one of TLS. That of a Hello frame is not: it is the low byte of the frame's
/// length, which is never that of any Hello.
#[must_use]
pub const fn begins_tls(first: u8) -> bool {
    first == TLS_HANDSHAKE
}

fn checksum(preface: &[u8; PREFACE_BYTES]) -> u32 {
    let [covered @ .., _, _, _, _] = preface;
    crc32c(&[covered])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::golden::assert_golden;

    #[test]
    fn link_preface_v1_is_frozen() {
        let prefaces = [Preface { lane: Lane::Control }, Preface { lane: Lane::Shard(0x0102) }];
        let bytes: Vec<u8> = prefaces.iter().flat_map(|preface| preface.encode()).collect();
        assert_golden("link_preface.v1.hex", &bytes);
        for (preface, bytes) in prefaces.iter().zip(bytes.chunks(PREFACE_BYTES)) {
            assert_eq!(Preface::decode(bytes), Ok(*preface));
        }
    }

    #[test]
    fn every_changed_byte_and_every_shorter_prefix_is_noticed() {
        let bytes = Preface { lane: Lane::Shard(3) }.encode();
        for at in 0..bytes.len() {
            let mut changed = bytes;
            changed[at] ^= 0x10;
            assert!(Preface::decode(&changed).is_err(), "byte {at}");
            assert_eq!(Preface::decode(&bytes[..at]), Err(PrefaceError::Truncated { available: at }));
        }
    }

    fn sealed(mut bytes: [u8; PREFACE_BYTES], at: usize, field: &[u8]) -> [u8; PREFACE_BYTES] {
        put(&mut bytes, at, field);
        let crc = checksum(&bytes);
        put(&mut bytes, 12, &crc.to_le_bytes());
        bytes
    }

    #[test]
    fn an_unknown_version_lane_or_field_is_refused() {
        let control = Preface { lane: Lane::Control }.encode();
        assert_eq!(Preface::decode(&sealed(control, 4, &[2])), Err(PrefaceError::Version { found: 2 }));
        assert_eq!(Preface::decode(&sealed(control, 5, &[2])), Err(PrefaceError::Lane { lane: 2, number: 0 }));
        assert_eq!(Preface::decode(&sealed(control, 6, &[1])), Err(PrefaceError::Lane { lane: 0, number: 1 }));
        assert_eq!(Preface::decode(&sealed(control, 8, &[1])), Err(PrefaceError::Reserved { found: 1 }));
        assert!(matches!(Preface::decode(b"GET / HTTP/1.1\r\n"), Err(PrefaceError::Magic { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Preface::decode(&bytes);
        }
    }
}
