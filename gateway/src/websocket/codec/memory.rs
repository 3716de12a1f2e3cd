//! What tungstenite takes for its stream: two buffers.

use std::io::{Error, ErrorKind, Read, Result, Write};

/// Received bytes on one side, bytes to send on the other. Writing never blocks; reading does when all is read.
#[derive(Debug, Default)]
pub(super) struct Memory {
    inbound: Vec<u8>,
    /// How much of `inbound` was read.
    start: usize,
    outbound: Vec<u8>,
}

impl Memory {
    pub(super) fn inbound_mut(&mut self) -> &mut Vec<u8> {
        self.inbound.drain(..self.start);
        self.start = 0;
        &mut self.inbound
    }

    pub(super) const fn unread_bytes(&self) -> usize {
        self.inbound.len() - self.start
    }

    pub(super) fn outbound_mut(&mut self) -> &mut Vec<u8> {
        &mut self.outbound
    }
}

impl Read for Memory {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let unread = self.inbound.get(self.start..).unwrap_or_default();
        if unread.is_empty() {
            // An idle connection needs no buffer.
            self.inbound = Vec::new();
            self.start = 0;
            return Err(Error::from(ErrorKind::WouldBlock));
        }
        let count = unread.len().min(into.len());
        let (Some(to), Some(from)) = (into.get_mut(..count), unread.get(..count)) else { return Ok(0) };
        to.copy_from_slice(from);
        self.start += count;
        Ok(count)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.outbound.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
