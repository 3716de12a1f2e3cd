//! Carries the frames of a handshake over a stream.

use futures_lite::io::{self, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use shard_core::link::{Frame, FrameDecoder, FrameLimits, Handshake, OutFrame, Peer};

use super::tls::in_words;

/// Goes through with a handshake; what the other side has sent behind it is in the decoder.
///
/// # Errors
/// Why it came to nothing, in words; the other side was told what concerns it.
pub(super) async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    mut handshake: Handshake,
    first: Option<OutFrame>,
) -> Result<(Peer, FrameDecoder), String> {
    let mut decoder = FrameDecoder::new(FrameLimits::HANDSHAKE);
    send(stream, first.as_slice()).await?;
    loop {
        let frame = receive(stream, &mut decoder).await?;
        match handshake.on_frame(&frame) {
            Ok(step) => {
                send(stream, &step.send).await?;
                if let Some(peer) = step.established {
                    decoder.set_limits(FrameLimits::FULL);
                    return Ok((peer, decoder));
                }
            }
            Err(error) => {
                send(stream, error.refusal().as_slice()).await?;
                // What is closed with bytes unread in it may take back what was just said.
                drop(stream.close().await);
                return Err(error.to_string());
            }
        }
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, frames: &[OutFrame]) -> Result<(), String> {
    let mut bytes = Vec::new();
    for frame in frames {
        frame.encode_into(&mut bytes).map_err(|error| error.to_string())?;
    }
    stream.write_all(&bytes).await.map_err(|error| words(&error))?;
    stream.flush().await.map_err(|error| words(&error))
}

async fn receive<S: AsyncRead + Unpin>(stream: &mut S, decoder: &mut FrameDecoder) -> Result<Frame, String> {
    loop {
        if let Some(frame) = decoder.next_frame().map_err(|error| error.to_string())? {
            return Ok(frame);
        }
        match stream.read(decoder.space()).await {
            Ok(0) => return Err("the other side closed the connection before it had said who it is".to_owned()),
            Ok(received) => decoder.advance(received),
            Err(error) => return Err(words(&error)),
        }
    }
}

/// What whoever was connected to does not like about our certificate comes when TLS seems to be there.
fn words(error: &io::Error) -> String {
    in_words(error).unwrap_or_else(|| error.to_string())
}
