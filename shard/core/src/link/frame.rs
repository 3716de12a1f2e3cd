//! A frame between nodes: a header, a head that says what is meant, and a tail of bytes that are passed on as they are.
//!
//! ```text
//!  0 u32 length of what follows at 8
//!  4 u32 CRC-32C of what follows at 8
//!  8 u8  kind
//!  9 u8  flags, zero
//! 10 u16 zero
//! 12 u64 id: a reply has that of its request
//! 20 u32 milliseconds that the asker still waits; 0 where nobody waits
//! 24 u32 length of the head
//! 28 the head, and behind it the tail
//! ```

use bytes::Bytes;

use crate::{
    format::{
        checksum::crc32c,
        fields::{put, u16_at, u32_at, u64_at},
    },
    limits,
};

/// The size of a frame's header.
pub const HEADER_BYTES: usize = 28;
/// The part of the header that its length and checksum do not cover.
const UNCOVERED_BYTES: usize = 8;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Who a side says it is.
    Hello,
    /// That a side knows the secret.
    Proof,
    /// Why a side will not speak with the other one; it closes behind it.
    Refusal,
    /// Something to be done.
    Request,
    /// What became of it.
    Reply,
    /// Nobody waits for the reply any more.
    Cancel,
    /// Asks for a sign of life.
    Ping,
    /// The sign of life.
    Pong,
    /// No more requests are taken over this connection; those under way are answered.
    Goodbye,
}

/// A frame that came in; its parts are slices of what was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: FrameKind,
    /// Which request it belongs to; 0 where that means nothing.
    pub id: u64,
    /// How long the asker still waits, in milliseconds.
    pub millis_left: u32,
    /// What is meant.
    pub head: Bytes,
    /// Bytes that belong to it and are passed on as they are.
    pub tail: Bytes,
}

/// A frame that goes out; its tail may lie in several pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutFrame {
    /// What it is.
    pub kind: FrameKind,
    /// Which request it belongs to; 0 where that means nothing.
    pub id: u64,
    /// How long the asker still waits, in milliseconds.
    pub millis_left: u32,
    /// What is meant.
    pub head: Bytes,
    /// Bytes that belong to it and are passed on as they are, one piece behind the other.
    pub tail: Vec<Bytes>,
}

/// Why bytes are not a frame that this version can take. The connection can't go on: where the next one begins is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum FrameError {
    #[error("a frame of {bytes} bytes is larger than {bytes_max}")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error("a frame's head of {bytes} bytes is larger than {bytes_max}")]
    HeadTooLarge { bytes: usize, bytes_max: usize },
    #[error("a frame of {bytes} bytes can't hold what its header says")]
    TooSmall { bytes: usize },
    #[error("the frame's checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    Checksum { stored: u32, computed: u32 },
    #[error("frame kind {found} is unknown")]
    Kind { found: u8 },
    #[error("the frame's flags {flags:#04x} and {reserved:#06x} are unknown")]
    Flags { flags: u8, reserved: u16 },
}

/// The header of a frame, before its checksum was verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    /// The frame's bytes, header included.
    pub(super) whole: usize,
    pub(super) head: usize,
}

impl FrameKind {
    const ALL: [Self; 9] = [
        Self::Hello,
        Self::Proof,
        Self::Refusal,
        Self::Request,
        Self::Reply,
        Self::Cancel,
        Self::Ping,
        Self::Pong,
        Self::Goodbye,
    ];

    const fn to_bits(self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::Proof => 2,
            Self::Refusal => 3,
            Self::Request => 4,
            Self::Reply => 5,
            Self::Cancel => 6,
            Self::Ping => 7,
            Self::Pong => 8,
            Self::Goodbye => 9,
        }
    }

    fn from_bits(bits: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.to_bits() == bits)
    }
}

impl OutFrame {
    /// A frame of its kind alone.
    #[must_use]
    pub const fn bare(kind: FrameKind, id: u64) -> Self {
        Self { kind, id, millis_left: 0, head: Bytes::new(), tail: Vec::new() }
    }

    /// A frame of a kind and a head.
    #[must_use]
    pub const fn of_head(kind: FrameKind, head: Bytes) -> Self {
        Self { kind, id: 0, millis_left: 0, head, tail: Vec::new() }
    }

    /// How many bytes it takes on the wire.
    #[must_use]
    pub fn len(&self) -> usize {
        HEADER_BYTES + self.head.len() + self.tail_len()
    }

    /// Always false: a frame has a header.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Whether the other side would take it.
    ///
    /// # Errors
    /// It is larger than a frame may be.
    pub fn check(&self) -> Result<(), FrameError> {
        let head = self.head.len();
        if head > limits::LINK_HEAD_BYTES_MAX {
            return Err(FrameError::HeadTooLarge { bytes: head, bytes_max: limits::LINK_HEAD_BYTES_MAX });
        }
        if head + self.tail_len() > limits::LINK_FRAME_BYTES_MAX {
            return Err(FrameError::TooLarge { bytes: self.len(), bytes_max: limits::LINK_FRAME_BYTES_MAX });
        }
        Ok(())
    }

    /// The header to send, in front of the head and the pieces of the tail.
    ///
    /// # Errors
    /// It is larger than a frame may be.
    pub fn header(&self) -> Result<[u8; HEADER_BYTES], FrameError> {
        self.check()?;
        let (head, covered) = (self.head.len(), self.len() - UNCOVERED_BYTES);
        let mut header = [0; HEADER_BYTES];
        put(&mut header, 0, &narrow(covered).to_le_bytes());
        put(&mut header, 8, &[self.kind.to_bits()]);
        put(&mut header, 12, &self.id.to_le_bytes());
        put(&mut header, 20, &self.millis_left.to_le_bytes());
        put(&mut header, 24, &narrow(head).to_le_bytes());
        let mut parts = Vec::with_capacity(2 + self.tail.len());
        parts.extend([header.get(UNCOVERED_BYTES..).unwrap_or_default(), &self.head]);
        parts.extend(self.tail.iter().map(AsRef::<[u8]>::as_ref));
        let crc = crc32c(&parts);
        put(&mut header, 4, &crc.to_le_bytes());
        Ok(header)
    }

    /// Appends the whole frame to `out`.
    ///
    /// # Errors
    /// It is larger than a frame may be; `out` is as before.
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let header = self.header()?;
        out.reserve(self.len());
        out.extend_from_slice(&header);
        out.extend_from_slice(&self.head);
        for piece in &self.tail {
            out.extend_from_slice(piece);
        }
        Ok(())
    }

    fn tail_len(&self) -> usize {
        self.tail.iter().map(Bytes::len).sum()
    }
}

impl Frame {
    /// Takes a whole frame apart.
    pub(super) fn parse(mut bytes: Bytes, lengths: Lengths) -> Result<Self, FrameError> {
        let (stored, computed) = (u32_at(&bytes, 4), crc32c(&[bytes.get(UNCOVERED_BYTES..).unwrap_or_default()]));
        if stored != computed {
            return Err(FrameError::Checksum { stored, computed });
        }
        let [kind, flags] = *bytes.get(8..).and_then(<[u8]>::first_chunk).unwrap_or(&[0, 0]);
        let reserved = u16_at(&bytes, 10);
        if flags != 0 || reserved != 0 {
            return Err(FrameError::Flags { flags, reserved });
        }
        let kind = FrameKind::from_bits(kind).ok_or(FrameError::Kind { found: kind })?;
        let (id, millis_left) = (u64_at(&bytes, 12), u32_at(&bytes, 20));
        let tail = bytes.split_off(HEADER_BYTES + lengths.head);
        let head = bytes.split_off(HEADER_BYTES);
        Ok(Self { kind, id, millis_left, head, tail })
    }
}

impl Lengths {
    /// What a header says of the frame's size, if `bytes` hold one; it is held against the limits.
    pub(super) fn read(bytes: &[u8], head_max: usize, body_max: usize) -> Result<Option<Self>, FrameError> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let (covered, head) = (widen(u32_at(header, 0)), widen(u32_at(header, 24)));
        let whole = covered.saturating_add(UNCOVERED_BYTES);
        let body = whole.checked_sub(HEADER_BYTES).ok_or(FrameError::TooSmall { bytes: whole })?;
        if body > body_max {
            return Err(FrameError::TooLarge { bytes: whole, bytes_max: body_max });
        }
        if head > head_max {
            return Err(FrameError::HeadTooLarge { bytes: head, bytes_max: head_max });
        }
        if head > body {
            return Err(FrameError::TooSmall { bytes: whole });
        }
        Ok(Some(Self { whole, head }))
    }
}

fn narrow(length: usize) -> u32 {
    u32::try_from(length).expect("a frame is smaller than 4 GiB")
}

fn widen(length: u32) -> usize {
    usize::try_from(length).expect("usize has at least 32 bits")
}

#[cfg(test)]
mod tests;
