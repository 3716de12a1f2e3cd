//! A TCP connection with a buffer each way; both survive a dropped future.

use std::ops::Range;

use tokio::io::{AsyncReadExt as _, Interest};
use tokio::net::TcpStream;

use crate::limits::{ANSWER_BYTES_MAX, CONNECT_TIME_MAX, READ_BYTES};
use crate::server::Server;
use crate::targets::TargetError;

/// One connection's socket and buffers.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
}

impl Wire {
    /// Connects, without delaying small writes.
    ///
    /// # Errors
    ///
    /// When no connection is made within `CONNECT_TIME_MAX`.
    pub async fn connect(server: &Server) -> Result<Self, TargetError> {
        let failed = |source| TargetError::Connect { authority: server.authority(), source };
        let connecting = TcpStream::connect(server.authority());
        let stream = match tokio::time::timeout(CONNECT_TIME_MAX, connecting).await {
            Ok(connected) => connected.map_err(failed)?,
            Err(_) => return Err(failed(std::io::ErrorKind::TimedOut.into())),
        };
        stream.set_nodelay(true).map_err(failed)?;
        Ok(Self { stream, input: Vec::new(), output: Vec::new(), written: 0 })
    }

    /// Where to append what `flush` is to send.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Sends all output. It reads while it can't write, so that two sides that both have much to say don't wait for each
    /// other for ever. It may be dropped and called again.
    ///
    /// # Errors
    ///
    /// When the connection is lost, or `ANSWER_BYTES_MAX` came in meanwhile.
    pub async fn flush(&mut self) -> Result<(), TargetError> {
        while let Some(rest) = self.output.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.try_write(rest) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => self.read_or_wait_to_write().await?,
                Err(error) => return Err(error.into()),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads what is there, at least one byte. It may be dropped and called again.
    ///
    /// # Errors
    ///
    /// When the connection is closed or fails, or more than `ANSWER_BYTES_MAX` are buffered.
    pub async fn fill(&mut self) -> Result<(), TargetError> {
        self.reserve()?;
        if self.stream.read_buf(&mut self.input).await? == 0 {
            return Err(TargetError::Closed { reason: None });
        }
        Ok(())
    }

    /// What has been read and not consumed.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        &self.input
    }

    /// A piece of the input; empty outside it.
    #[must_use]
    pub fn piece(&self, range: Range<usize>) -> &[u8] {
        self.input.get(range).unwrap_or_default()
    }

    /// Drops the first `count` bytes of the input.
    pub fn consume(&mut self, count: usize) {
        // Answers are mostly consumed whole, which moves nothing.
        self.input.drain(..count.min(self.input.len()));
    }

    async fn read_or_wait_to_write(&mut self) -> Result<(), TargetError> {
        let ready = self.stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
        if !ready.is_readable() {
            return Ok(());
        }
        self.reserve()?;
        match self.stream.try_read_buf(&mut self.input) {
            Ok(0) => Err(TargetError::Closed { reason: None }),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn reserve(&mut self) -> Result<(), TargetError> {
        if self.input.len() >= ANSWER_BYTES_MAX {
            return Err(TargetError::protocol(format!("an answer of more than {ANSWER_BYTES_MAX} bytes")));
        }
        self.input.reserve(READ_BYTES.saturating_sub(self.input.capacity() - self.input.len()).max(1));
        Ok(())
    }
}
