//! A client by TLS that can be told what to do and what not.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
};

use futures_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::harness::DEADLINE;

/// One connection; its handshake is behind it.
pub(crate) struct TlsClient {
    pub(crate) stream: StreamOwned<ClientConnection, TcpStream>,
}

/// A connection of a client that has not shaken hands.
pub(super) fn tcp(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// The client's side of a handshake that has not begun.
pub(super) fn session(config: Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap()
}

/// The first flight of a client.
pub(super) fn hello(session: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    session.write_tls(&mut bytes).unwrap();
    bytes
}

/// What the node says before it closes.
pub(super) fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end like any other.
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_ne!(error.kind(), io::ErrorKind::WouldBlock);
    }
    bytes
}

impl TlsClient {
    pub(crate) fn connect(address: &str, config: Arc<ClientConfig>) -> io::Result<Self> {
        Self::continue_with(session(config), tcp(address))
    }

    /// Finishes a handshake, and sees that the node has not refused it behind the client's last word.
    pub(super) fn continue_with(session: ClientConnection, stream: TcpStream) -> io::Result<Self> {
        let mut stream = StreamOwned::new(session, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self { stream })
    }

    /// Sends a request and reads its answer: status and body.
    pub(super) fn request(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        self.try_request(method, path, body).unwrap()
    }

    /// The same where the connection may end instead.
    pub(super) fn try_request(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        self.try_request_with((method, path), "", body)
    }

    /// The same with these header lines.
    pub(crate) fn try_request_with(
        &mut self,
        (method, path): (&str, &str),
        lines: &str,
        body: &[u8],
    ) -> io::Result<(u16, Vec<u8>)> {
        let length = body.len();
        write!(self.stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{lines}\r\n")?;
        self.stream.write_all(body)?;
        self.stream.flush()?;
        self.answer()
    }

    pub(super) fn answer(&mut self) -> io::Result<(u16, Vec<u8>)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }

    /// The node's certificate.
    pub(super) fn node_certificate(&self) -> &[u8] {
        &self.stream.conn.peer_certificates().unwrap()[0]
    }
}
