//! A WebSocket client over a plain socket: it sends what it is told, and reads only when it is told.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::harness::DEADLINE;

/// One connection that has been upgraded, over TCP or something on top of it.
pub(crate) struct RawWebSocket<S = TcpStream>(S);

/// What the node sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(String),
    /// With its code.
    Close(u16),
    /// The bytes end, in order or not.
    End,
}

impl RawWebSocket {
    /// Connects and upgrades; `protocol` is offered as the only subprotocol.
    pub(crate) fn open(address: &str, protocol: Option<&str>) -> Self {
        Self::open_with(address, protocol, "")
    }

    /// The same with these header lines.
    pub(crate) fn open_with(address: &str, protocol: Option<&str>, lines: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self::upgrade(stream, address, protocol, lines)
    }

    /// The same connection, to read from elsewhere.
    pub(crate) fn again(&self) -> Self {
        Self(self.0.try_clone().unwrap())
    }

    /// How the node has ended the connection; `None` if it has not, so far.
    pub(crate) fn close_if_ended(&mut self) -> Option<Frame> {
        self.0.set_nonblocking(true).unwrap();
        let ended = match self.0.peek(&mut [0]) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
            Ok(_) | Err(_) => true,
        };
        self.0.set_nonblocking(false).unwrap();
        ended.then(|| self.next())
    }
}

impl<S: Read + Write> RawWebSocket<S> {
    /// The same over a connection that is there.
    pub(crate) fn upgrade(mut stream: S, address: &str, protocol: Option<&str>, lines: &str) -> Self {
        let offer = protocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
        let upgrade = format!(
            "GET /v1/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{offer}{lines}\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(upgrade.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        if let Some(protocol) = protocol {
            assert!(head.contains(protocol), "{head}");
        }
        Self(stream)
    }

    /// Sends a text message.
    pub(crate) fn send_text(&mut self, text: &str) {
        let mut frame = header(0x1, text.len());
        frame.extend_from_slice(text.as_bytes());
        self.0.write_all(&frame).unwrap();
    }

    /// Sends the beginning of a text message of `length` bytes: `sent` of them. The rest never comes.
    pub(crate) fn send_text_partly(&mut self, length: usize, sent: usize) -> std::io::Result<()> {
        let mut frame = header(0x1, length);
        frame.resize(frame.len() + sent, b' ');
        self.0.write_all(&frame)
    }

    /// Sends these bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Reads what has come until the node has ended the connection.
    pub(crate) fn wait_for_end(&mut self) {
        while self.read_frame().is_some() {}
    }

    /// Ends the connection in good order: sends the close and waits for the node's.
    pub(crate) fn close(mut self, code: u16) {
        let mut frame = header(0x8, 2);
        frame.extend(code.to_be_bytes());
        self.0.write_all(&frame).unwrap();
        while matches!(self.next(), Frame::Text(_)) {}
    }

    /// The next text or close; pings are passed over, not answered.
    pub(crate) fn next(&mut self) -> Frame {
        loop {
            let Some((opcode, payload)) = self.read_frame() else { return Frame::End };
            match opcode {
                0x1 => return Frame::Text(String::from_utf8(payload).unwrap()),
                0x8 => return Frame::Close(u16::from_be_bytes([payload[0], payload[1]])),
                _ => {}
            }
        }
    }

    /// One whole frame, as the node sends it: not masked, not fragmented.
    fn read_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut start = [0; 2];
        self.0.read_exact(&mut start).ok()?;
        let length = match start[1] {
            126 => usize::from(u16::from_be_bytes(self.read_array()?)),
            127 => usize::try_from(u64::from_be_bytes(self.read_array()?)).unwrap(),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).ok()?;
        Some((start[0] & 0xf, payload))
    }

    fn read_array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// The header of a client's last frame, masked with zeros: the payload is sent as it is.
fn header(opcode: u8, length: usize) -> Vec<u8> {
    let mut header = vec![0x80 | opcode];
    if let Ok(length @ ..=125) = u8::try_from(length) {
        header.push(0x80 | length);
    } else if let Ok(length) = u16::try_from(length) {
        header.push(0x80 | 0x7e);
        header.extend(length.to_be_bytes());
    } else {
        header.push(0x80 | 0x7f);
        header.extend(u64::try_from(length).unwrap().to_be_bytes());
    }
    header.extend([0; 4]);
    header
}
