//! A stream that writes what lies in several pieces at once, where the stream below takes one piece at a time.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use futures_lite::io::{AsyncRead, AsyncWrite};

use crate::limits;

/// TLS gives its records as pieces of one write. Neither runtime's stream takes more than the first of them: each record would
/// be a call of the system by itself, and of a handshake that fails the alert, which is the last one, would not be written.
#[derive(Debug)]
pub struct Gathering<S>(S);

impl<S> Gathering<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self(stream)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathering<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [piece] = pieces {
            return Pin::new(&mut self.0).poll_write(context, piece);
        }
        let mut gathered = Vec::new();
        for piece in pieces {
            if !gathered.is_empty() && gathered.len() + piece.len() > limits::PEER_WRITE_BYTES {
                break;
            }
            gathered.extend_from_slice(piece);
        }
        Pin::new(&mut self.0).poll_write(context, &gathered)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::{future::block_on, io::AsyncWriteExt as _};

    use super::*;

    fn written(pieces: &[&[u8]]) -> (usize, Vec<u8>) {
        let pieces: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut stream = Gathering::new(Vec::new());
        let count = block_on(stream.write_vectored(&pieces)).unwrap();
        (count, stream.0)
    }

    #[test]
    fn all_pieces_are_written_at_once() {
        assert_eq!(written(&[b"one", b"", b"two"]), (6, b"onetwo".to_vec()));
        assert_eq!(written(&[b"one"]), (3, b"one".to_vec()));
        assert_eq!(written(&[]), (0, Vec::new()));
    }

    #[test]
    fn what_is_too_much_for_one_write_is_left() {
        let piece = vec![7; limits::PEER_WRITE_BYTES / 2 + 1];
        assert_eq!(written(&[&piece, &piece]).0, piece.len());
    }
}
