//! One WebSocket: handshake, masked frames out, frames in; of text, or binary in `pubsub.v1.batch`.
//!
//! Frames are written straight from a prepared request into the output buffer, and answers are read where they lie.

use std::io::Cursor;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use gateway_api::frame::batch;

use crate::limits::ANSWER_BYTES_MAX;
use crate::server::Server;
use crate::targets::http_connection::HttpConnection;
use crate::targets::{TargetError, wire::Wire};

/// What is in the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subprotocol {
    /// JSON.
    Json,
    /// A JSON header, and batches as they are stored behind it.
    Batch,
}

/// One connection.
#[derive(Debug)]
pub struct WebSocketConnection {
    wire: Wire,
    subprotocol: Subprotocol,
    consumed: usize,
    mask: u32,
}

impl WebSocketConnection {
    /// Connects and upgrades.
    ///
    /// # Errors
    ///
    /// When the connection is not made or the server does not upgrade.
    pub async fn connect(server: &Server, subprotocol: Subprotocol) -> Result<Self, TargetError> {
        // The key only proves that the server speaks WebSocket; it is no secret and need not differ.
        let key = STANDARD.encode(b"pubsub-loadtest!");
        let request = format!(
            "GET /v1/ws HTTP/1.1\r\n{}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: {}\r\nSec-WebSocket-Key: {key}\r\n\r\n",
            server.headers(),
            subprotocol.name()
        );
        let mut connection = HttpConnection::connect(server).await?;
        connection.send(request.as_bytes()).await?;
        let answer = connection.receive().await?;
        if answer.status != 101 {
            return Err(TargetError::protocol(format!("the server refused the upgrade: {}", answer.error_code())));
        }
        Ok(Self { wire: connection.into_wire(), subprotocol, consumed: 0, mask: 0x5bd1_e995 })
    }

    /// Sends one message.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    pub async fn send(&mut self, message: &[u8]) -> Result<(), TargetError> {
        self.queue(OpCode::Data(self.subprotocol.kind()), message)?;
        self.wire.flush().await
    }

    /// Sends a frame of JSON alone, in either subprotocol.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    pub async fn send_json(&mut self, json: &str) -> Result<(), TargetError> {
        match self.subprotocol {
            Subprotocol::Json => self.send(json.as_bytes()).await,
            Subprotocol::Batch => self.send(&batch::join(json, &[])).await,
        }
    }

    /// The next message. It may be dropped and called again until it has returned one.
    ///
    /// # Errors
    ///
    /// When the connection is closed or lost, or a frame is none that this tool reads.
    pub async fn receive(&mut self) -> Result<&[u8], TargetError> {
        self.wire.consume(std::mem::take(&mut self.consumed));
        let payload = loop {
            self.wire.flush().await?;
            let Some(frame) = parse(self.wire.input())? else {
                self.wire.fill().await?;
                continue;
            };
            if let Some(payload) = self.accept(&frame)? {
                break payload;
            }
            self.wire.consume(frame.payload.end);
        };
        self.consumed = payload.end;
        Ok(self.wire.piece(payload))
    }

    /// The payload's place if the frame is a message; control frames are dealt with.
    fn accept(&mut self, frame: &Frame) -> Result<Option<Range<usize>>, TargetError> {
        match frame.opcode {
            OpCode::Data(kind) if kind == self.subprotocol.kind() => Ok(Some(frame.payload.clone())),
            OpCode::Control(Control::Ping) => {
                let payload = self.wire.piece(frame.payload.clone()).to_vec();
                self.queue(OpCode::Control(Control::Pong), &payload)?;
                Ok(None)
            }
            OpCode::Control(Control::Pong) => Ok(None),
            OpCode::Control(Control::Close) => {
                Err(TargetError::Closed { reason: close_reason(self.wire.piece(frame.payload.clone())) })
            }
            OpCode::Data(_) | OpCode::Control(Control::Reserved(_)) => {
                Err(TargetError::protocol(format!("a frame of kind {:?}", frame.opcode)))
            }
        }
    }

    fn queue(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), TargetError> {
        // The mask must differ from frame to frame; it protects browsers' proxies, so any cheap sequence does here.
        self.mask = self.mask.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mask = self.mask.to_ne_bytes();
        let header = FrameHeader { opcode, mask: Some(mask), ..FrameHeader::default() };
        let output = self.wire.output();
        let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
        header.format(length, output).map_err(|error| TargetError::protocol(error.to_string()))?;
        append_masked(output, payload, mask);
        Ok(())
    }
}

impl Subprotocol {
    /// Its name in the handshake.
    fn name(self) -> &'static str {
        match self {
            Self::Json => "pubsub.v1.json",
            Self::Batch => "pubsub.v1.batch",
        }
    }

    fn kind(self) -> Data {
        match self {
            Self::Json => Data::Text,
            Self::Batch => Data::Binary,
        }
    }
}

#[derive(Debug)]
struct Frame {
    opcode: OpCode,
    payload: Range<usize>,
}

/// `None` as long as the frame is not complete.
fn parse(input: &[u8]) -> Result<Option<Frame>, TargetError> {
    let mut cursor = Cursor::new(input);
    let parsed = FrameHeader::parse(&mut cursor).map_err(|error| TargetError::protocol(error.to_string()))?;
    let Some((header, length)) = parsed else { return Ok(None) };
    if !header.is_final || header.mask.is_some() {
        return Err(TargetError::protocol("a fragmented or masked frame"));
    }
    let start = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
    let length = usize::try_from(length).ok().filter(|length| *length <= ANSWER_BYTES_MAX);
    let Some(length) = length else {
        return Err(TargetError::protocol(format!("a frame of more than {ANSWER_BYTES_MAX} bytes")));
    };
    let payload = start..start + length;
    Ok((input.len() >= payload.end).then_some(Frame { opcode: header.opcode, payload }))
}

/// Eight bytes at a time, which the compiler turns into vector instructions.
fn append_masked(output: &mut Vec<u8>, payload: &[u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    output.reserve(payload.len());
    let (words, rest) = payload.as_chunks::<8>();
    for word in words {
        output.extend_from_slice(&(u64::from_ne_bytes(*word) ^ wide).to_ne_bytes());
    }
    output.extend(rest.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

fn close_reason(payload: &[u8]) -> Option<String> {
    let (code, text) = payload.split_first_chunk::<2>()?;
    Some(format!("{} {}", u16::from_be_bytes(*code), String::from_utf8_lossy(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_is_complete_with_its_last_byte() {
        let bytes = b"\x81\x02{}rest";
        for cut in 0..4 {
            assert!(parse(&bytes[..cut]).unwrap().is_none());
        }
        let frame = parse(bytes).unwrap().unwrap();
        assert_eq!(&bytes[frame.payload], b"{}");
    }

    #[test]
    fn fragments_and_monsters_are_refused() {
        assert!(parse(b"\x01\x02{}").is_err());
        assert!(parse(b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff").is_err());
    }

    #[test]
    fn a_close_is_told_with_its_code() {
        assert_eq!(close_reason(b"\x03\xf5slow"), Some("1013 slow".to_owned()));
        assert_eq!(close_reason(b""), None);
    }

    proptest! {
        #[test]
        fn masking_agrees_with_the_definition(payload: Vec<u8>, mask: [u8; 4]) {
            let mut output = b"x".to_vec();
            append_masked(&mut output, &payload, mask);
            let naive: Vec<u8> = payload.iter().enumerate().map(|(index, byte)| byte ^ mask[index % 4]).collect();
            prop_assert_eq!(&output[1..], &naive[..]);
        }

        #[test]
        fn arbitrary_frames_do_not_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
