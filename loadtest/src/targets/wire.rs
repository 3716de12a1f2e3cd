//! A connection with a buffer each way; both survive a dropped future.

use std::future::{Future as _, poll_fn};
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncReadExt as _, AsyncWrite as _};

use crate::limits::{ANSWER_BYTES_MAX, CONNECT_TIME_MAX, READ_BYTES};
use crate::server::Server;
use crate::targets::TargetError;
use gateway_api::client::{ClientError, ClientStream};

/// One connection's socket and buffers.
#[derive(Debug)]
pub struct Wire {
    stream: ClientStream,
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
        let stream = match tokio::time::timeout(CONNECT_TIME_MAX, server.endpoint().connect()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(ClientError::Connect { source, .. })) => return Err(failed(source)),
            Ok(Err(error)) => return Err(failed(io::Error::other(error))),
            Err(_) => return Err(failed(io::ErrorKind::TimedOut.into())),
        };
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
        poll_fn(|context| self.poll_flush(context)).await?;
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

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TargetError>> {
        loop {
            let rest = self.output.get(self.written..).unwrap_or_default();
            let stream = Pin::new(&mut self.stream);
            let written = if rest.is_empty() {
                stream.poll_flush(context).map_ok(|()| 0)
            } else {
                stream.poll_write(context, rest)
            };
            match written? {
                Poll::Ready(_) if rest.is_empty() => return Poll::Ready(Ok(())),
                Poll::Ready(count) => self.written += count,
                Poll::Pending => ready!(self.poll_fill(context))?,
            }
        }
    }

    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TargetError>> {
        self.reserve()?;
        // It keeps nothing from one poll to the next.
        let reading = pin!(self.stream.read_buf(&mut self.input));
        let count = ready!(reading.poll(context))?;
        Poll::Ready(if count == 0 { Err(TargetError::Closed { reason: None }) } else { Ok(()) })
    }

    fn reserve(&mut self) -> Result<(), TargetError> {
        if self.input.len() >= ANSWER_BYTES_MAX {
            return Err(TargetError::protocol(format!("an answer of more than {ANSWER_BYTES_MAX} bytes")));
        }
        self.input.reserve(READ_BYTES.saturating_sub(self.input.capacity() - self.input.len()).max(1));
        Ok(())
    }
}
