//! One connection of the control lane: its handshake, and frames both ways.

use std::io;

use shard::peer::in_words;
use shard_core::link::{
    Expected, Frame, FrameDecoder, FrameError, FrameLimits, Handshake, HandshakeError, OutFrame, Peer, PrefaceError,
    RefusalReason,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
    time::timeout,
};

use crate::limits;

/// Why a connection of the control lane ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("{0}")]
    Io(io::Error),
    #[error("{0}")]
    Tls(String),
    #[error("{0}")]
    Preface(#[from] PrefaceError),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    #[error("the other side closed it")]
    Closed,
    #[error("the other side was silent for too long")]
    Silent,
}

impl ConnectionError {
    /// Whether trying again comes to the same until somebody has changed a setting.
    pub(super) fn is_to_be_mended(&self) -> bool {
        if let Self::Handshake(HandshakeError::Refused(reason) | HandshakeError::RefusedByPeer(reason)) = self {
            return matches!(
                reason,
                RefusalReason::Version
                    | RefusalReason::OtherCluster
                    | RefusalReason::SecretOnOneSide
                    | RefusalReason::WrongSecret
                    | RefusalReason::TlsOnOneSide
            );
        }
        matches!(self, Self::Tls(_) | Self::Preface(_))
    }
}

/// What whoever was connected to does not like about a certificate comes when TLS seems to be there.
impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        match in_words(&error) {
            Some(words) => Self::Tls(words),
            None => Self::Io(error),
        }
    }
}

/// The reading half.
pub(crate) struct FrameReader<R> {
    stream: R,
    decoder: FrameDecoder,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { stream, decoder: FrameDecoder::new(FrameLimits::HANDSHAKE) }
    }

    /// The next frame. Dropping the future loses nothing that was received.
    pub(crate) async fn next(&mut self) -> Result<Frame, ConnectionError> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(frame);
            }
            match self.stream.read(self.decoder.space()).await? {
                0 => return Err(ConnectionError::Closed),
                received => self.decoder.advance(received),
            }
        }
    }
}

/// Goes through the handshake as the side that connected, or that accepted; then frames may be as large as any.
pub(crate) async fn shake_hands<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    reader: &mut FrameReader<R>,
    writer: &mut W,
    expected: Expected,
    connecting: bool,
) -> Result<Peer, ConnectionError> {
    let mut handshake = if connecting {
        let (handshake, hello) = Handshake::connect(expected);
        send(writer, &hello).await?;
        handshake
    } else {
        Handshake::accept(expected)
    };
    loop {
        let frame = reader.next().await?;
        match handshake.on_frame(&frame) {
            Ok(step) => {
                for frame in &step.send {
                    send(writer, frame).await?;
                }
                if let Some(peer) = step.established {
                    reader.decoder.set_limits(FrameLimits::FULL);
                    return Ok(peer);
                }
            }
            Err(error) => {
                if let Some(refusal) = error.refusal() {
                    // It is told why; if it does not hear that, it sees the connection end.
                    drop(send(writer, &refusal).await);
                    drop(writer.shutdown().await);
                }
                return Err(error.into());
            }
        }
    }
}

async fn send<W: AsyncWrite + Unpin>(writer: &mut W, frame: &OutFrame) -> Result<(), ConnectionError> {
    let mut bytes = Vec::with_capacity(frame.len());
    frame.encode_into(&mut bytes)?;
    writer.write_all(&bytes).await?;
    writer.flush().await?;
    Ok(())
}

/// Writes what is given, everything that waits at once, until nobody can give any more.
pub(crate) async fn write_frames<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut frames: mpsc::Receiver<OutFrame>,
) -> Result<(), ConnectionError> {
    let mut bytes = Vec::new();
    while let Some(first) = frames.recv().await {
        bytes.clear();
        first.encode_into(&mut bytes)?;
        while bytes.len() < limits::LINK_WRITE_BYTES
            && let Ok(next) = frames.try_recv()
        {
            next.encode_into(&mut bytes)?;
        }
        let writing = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        let written = timeout(limits::LINK_SILENCE_MAX, writing).await;
        written.map_err(|_| ConnectionError::Silent)??;
    }
    drop(writer.shutdown().await);
    Ok(())
}
