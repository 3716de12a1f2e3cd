//! Takes bytes as they come from a connection and gives whole frames, which are slices of them.

use bytes::{Bytes, BytesMut};

use super::frame::{Frame, FrameError, HEADER_BYTES, Lengths};
use crate::limits;

/// The most that the other side may send in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    head_bytes_max: usize,
    /// Head and tail together.
    body_bytes_max: usize,
}

/// Finds the frames in a stream of bytes. It never holds more than one frame and what was read behind it.
#[derive(Debug)]
pub struct FrameDecoder {
    limits: FrameLimits,
    /// What was received is at the front; behind `filled` is room for what comes.
    buffer: BytesMut,
    filled: usize,
}

impl FrameLimits {
    /// Before both sides have shown who they are.
    pub const HANDSHAKE: Self =
        Self { head_bytes_max: limits::LINK_HANDSHAKE_BYTES_MAX, body_bytes_max: limits::LINK_HANDSHAKE_BYTES_MAX };
    /// From then on.
    pub const FULL: Self =
        Self { head_bytes_max: limits::LINK_HEAD_BYTES_MAX, body_bytes_max: limits::LINK_FRAME_BYTES_MAX };
}

impl FrameDecoder {
    /// Begins at the first frame of a connection.
    #[must_use]
    pub fn new(limits: FrameLimits) -> Self {
        Self { limits, buffer: BytesMut::new(), filled: 0 }
    }

    /// Holds the frames that were not taken yet to other limits.
    pub const fn set_limits(&mut self, limits: FrameLimits) {
        self.limits = limits;
    }

    /// Room for bytes that are to be received, never none; say with `advance` how many came. It is made no larger than what
    /// is known to come needs, within the limits.
    pub fn space(&mut self) -> &mut [u8] {
        let usual = limits::LINK_READ_BYTES.min(self.limits.body_bytes_max + HEADER_BYTES);
        // A header that breaks the limits is refused when the frame is asked for.
        let known = self.lengths().ok().flatten().map_or(0, |lengths| lengths.whole.saturating_sub(self.filled));
        let wanted = if known > 0 { known } else { usual };
        let room = self.buffer.len() - self.filled;
        if room < wanted.min(HEADER_BYTES) || (known > 0 && room < known) {
            self.buffer.resize(self.filled + wanted, 0);
        }
        self.buffer.get_mut(self.filled..).unwrap_or_default()
    }

    /// So many bytes were received into `space`.
    ///
    /// # Panics
    /// If there was no room for them.
    pub fn advance(&mut self, received: usize) {
        assert!(received <= self.buffer.len() - self.filled, "no more can come than there is room for");
        self.filled += received;
    }

    /// Takes bytes that were received elsewhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.truncate(self.filled);
        self.buffer.extend_from_slice(bytes);
        self.filled = self.buffer.len();
    }

    /// The next frame, if all of it has come.
    ///
    /// # Errors
    /// The stream can't be read any further.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(lengths) = self.lengths()? else { return Ok(None) };
        if self.filled < lengths.whole {
            return Ok(None);
        }
        let bytes: Bytes = self.buffer.split_to(lengths.whole).freeze();
        self.filled -= lengths.whole;
        Frame::parse(bytes, lengths).map(Some)
    }

    /// Whether a frame has begun and not ended.
    #[must_use]
    pub const fn is_inside(&self) -> bool {
        self.filled > 0
    }

    fn lengths(&self) -> Result<Option<Lengths>, FrameError> {
        let received = self.buffer.get(..self.filled).unwrap_or_default();
        Lengths::read(received, self.limits.head_bytes_max, self.limits.body_bytes_max)
    }
}
