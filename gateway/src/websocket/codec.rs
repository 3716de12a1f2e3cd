//! WebSocket frames to messages and back, over memory: tungstenite decides, whoever owns the socket moves the bytes.

mod memory;

use bytes::Bytes;
use tungstenite::{
    Error, Message, Utf8Bytes,
    protocol::{
        CloseFrame, Role, WebSocketConfig, WebSocketContext,
        frame::{
            FrameHeader,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

use self::memory::Memory;
use crate::limits::{WEBSOCKET_READ_BUFFER_BYTES, WEBSOCKET_WRITE_BUFFER_BYTES_MAX};

/// One WebSocket connection's framing. It answers pings and closes by itself; what is to be sent gathers in
/// [`Codec::outbound_mut`].
#[derive(Debug)]
pub struct Codec {
    context: WebSocketContext,
    memory: Memory,
}

/// What the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole text message.
    Text(Utf8Bytes),
    /// A whole binary message.
    Binary(Bytes),
    /// A sign of life: a pong, or a ping that was answered.
    Alive,
    /// The closing handshake is over: send what is outbound, then close the socket.
    Closed {
        /// Whether the client said that it is done: with code 1000, or without a code.
        normal: bool,
    },
}

/// What the client did against RFC 6455. The close frame is outbound: send it, then close the socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("WebSocket closed with {close_code}: {detail}")]
pub struct CodecError {
    /// The code of the close frame: 1002, 1007 or 1009.
    pub close_code: u16,
    /// What was wrong.
    pub detail: String,
}

impl Codec {
    /// The server's end of a connection that has just been upgraded, for messages of at most so many bytes.
    #[must_use]
    pub fn new(message_bytes_max: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(WEBSOCKET_READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WEBSOCKET_WRITE_BUFFER_BYTES_MAX)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        Self { context: WebSocketContext::new(Role::Server, Some(config)), memory: Memory::default() }
    }

    /// The buffer to which received bytes are appended.
    pub fn inbound_mut(&mut self) -> &mut Vec<u8> {
        self.memory.inbound_mut()
    }

    /// The bytes received that were not looked at yet.
    #[must_use]
    pub(crate) const fn unread_bytes(&self) -> usize {
        self.memory.unread_bytes()
    }

    /// The bytes to send. Take them out when they are sent.
    pub fn outbound_mut(&mut self) -> &mut Vec<u8> {
        self.memory.outbound_mut()
    }

    /// The next thing the client sent; `None` until more bytes are received.
    ///
    /// # Errors
    /// The client broke the protocol: the codec is then of no use but for what is outbound.
    pub fn next_incoming(&mut self) -> Result<Option<Incoming>, CodecError> {
        match self.context.read(&mut self.memory) {
            Ok(Message::Text(text)) => Ok(Some(Incoming::Text(text))),
            Ok(Message::Binary(bytes)) => Ok(Some(Incoming::Binary(bytes))),
            Ok(Message::Ping(_)) => {
                self.flush();
                Ok(Some(Incoming::Alive))
            }
            Ok(Message::Pong(_) | Message::Frame(_)) => Ok(Some(Incoming::Alive)),
            Ok(Message::Close(frame)) => {
                self.flush();
                let normal = frame.is_none_or(|frame| matches!(frame.code, CloseCode::Normal | CloseCode::Status));
                Ok(Some(Incoming::Closed { normal }))
            }
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => Ok(Some(Incoming::Closed { normal: false })),
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(self.fail(&error)),
        }
    }

    /// Whether messages can be sent: neither side has begun to close.
    #[must_use]
    pub fn can_send(&self) -> bool {
        self.context.can_write()
    }

    /// Sends one text message, given in parts; nothing once a side has begun to close.
    pub fn send_text(&mut self, parts: &[&str]) {
        self.send_message(Data::Text, parts);
    }

    /// Sends one binary message, given in parts; nothing once a side has begun to close.
    pub fn send_binary(&mut self, parts: &[&[u8]]) {
        self.send_message(Data::Binary, parts);
    }

    /// Sends a ping without payload.
    pub fn send_ping(&mut self) {
        if self.can_send() {
            // The memory takes every byte, so that nothing can be left over or fail.
            let _ = self.context.write(&mut self.memory, Message::Ping(Bytes::new()));
        }
    }

    /// Begins to close, with a code of RFC 6455 §7.4 and a reason of at most 123 bytes; once.
    pub fn send_close(&mut self, code: u16, reason: &'static str) {
        if self.can_send() {
            let frame = CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from_static(reason) };
            let _ = self.context.close(&mut self.memory, Some(frame));
        }
    }

    /// Writes the frame straight behind what is outbound: tungstenite's own buffer would keep the size of the largest
    /// message for as long as the connection lives.
    fn send_message<P: AsRef<[u8]>>(&mut self, kind: Data, parts: &[P]) {
        if !self.can_send() {
            return;
        }
        let header = FrameHeader { opcode: OpCode::Data(kind), ..FrameHeader::default() };
        let bytes: usize = parts.iter().map(|part| part.as_ref().len()).sum();
        let outbound = self.memory.outbound_mut();
        if header.format(bytes as u64, outbound).is_ok() {
            outbound.reserve(bytes);
            for part in parts {
                outbound.extend_from_slice(part.as_ref());
            }
        }
    }

    /// Moves pongs and close replies to what is outbound; an error is the end of the connection, seen by the next read.
    fn flush(&mut self) {
        let _ = self.context.flush(&mut self.memory);
    }

    fn fail(&mut self, error: &Error) -> CodecError {
        let close_code = match error {
            Error::Utf8(_) => 1007,
            Error::Capacity(_) => 1009,
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Io(_)
            | Error::Tls(_)
            | Error::Protocol(_)
            | Error::WriteBufferFull(_)
            | Error::AttackAttempt
            | Error::Url(_)
            | Error::Http(_)
            | Error::HttpFormat(_) => 1002,
        };
        self.send_close(close_code, "");
        CodecError { close_code, detail: error.to_string() }
    }
}

#[cfg(test)]
mod tests;
