//! Clients that write bytes and read bytes, on the executor of the broker.

use std::{io, net::SocketAddr};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use gateway_api::{
    Problem,
    frame::{
        ServerFrame,
        batch::{self, BatchServerFrame},
    },
};
use glommio::net::TcpStream;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tungstenite::{
    Error, Message,
    protocol::{Role, WebSocketContext},
};

/// One keep-alive connection.
pub(crate) struct HttpClient {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer to a request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl HttpClient {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), received: Vec::new() }
    }

    /// Sends a request without waiting for its answer. `lines` are header lines, each with its line end.
    pub(crate) async fn send(&mut self, request_line: &str, lines: &str, body: &[u8]) {
        let head = format!("{request_line} HTTP/1.1\r\nhost: a\r\n{lines}content-length: {}\r\n\r\n", body.len());
        self.stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    }

    /// The next answer.
    pub(crate) async fn receive(&mut self) -> Answer {
        loop {
            if let Some(answer) = self.take_answer() {
                return answer;
            }
            let mut buffer = [0; 4096];
            let count = self.stream.read(&mut buffer).await.unwrap();
            assert!(count > 0, "the connection was closed");
            self.received.extend_from_slice(&buffer[..count]);
        }
    }

    pub(crate) async fn request(&mut self, request_line: &str, body: &str) -> Answer {
        self.send(request_line, "", body.as_bytes()).await;
        self.receive().await
    }

    /// Asks for something that must succeed.
    pub(crate) async fn ask<T: DeserializeOwned>(&mut self, request_line: &str, body: Value) -> T {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.request(request_line, &body).await;
        assert!(answer.status < 300, "{request_line}: {answer:?}");
        answer.json()
    }

    fn take_answer(&mut self) -> Option<Answer> {
        let end = self.received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.received[..end].to_vec()).unwrap().to_ascii_lowercase();
        let length = head
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
        if self.received.len() < end + length {
            return None;
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = self.received[end..end + length].to_vec();
        self.received.drain(..end + length);
        Some(Answer { status, head, body })
    }
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn problem(&self) -> Problem {
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        let problem: Problem = self.json();
        assert_eq!(problem.status, self.status);
        assert!(self.head.contains(&format!("pubsub-request-id: {}", problem.instance)), "{self:?}");
        problem
    }
}

/// A WebSocket's client end.
pub(crate) struct WebSocketClient {
    stream: TcpStream,
    context: WebSocketContext,
    memory: Memory,
}

/// What came last over a WebSocket.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Received {
    Frame(ServerFrame),
    Binary(Vec<u8>),
    Closed(u16),
}

/// Bytes in and out for tungstenite.
#[derive(Default)]
struct Memory {
    inbound: Vec<u8>,
    outbound: Vec<u8>,
}

impl io::Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.inbound.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = buffer.len().min(self.inbound.len());
        buffer[..count].copy_from_slice(&self.inbound[..count]);
        self.inbound.drain(..count);
        Ok(count)
    }
}

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outbound.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl WebSocketClient {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, "", "").await
    }

    /// The same with this query and these header lines.
    pub(crate) async fn connect_with(address: SocketAddr, query: &str, lines: &str) -> Self {
        let mut http = HttpClient::connect(address).await;
        let upgrade = format!(
            "GET /v1/ws{query} HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
            sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
        );
        http.stream.write_all(upgrade.as_bytes()).await.unwrap();
        assert_eq!(http.receive().await.status, 101);
        let memory = Memory { inbound: http.received, outbound: Vec::new() };
        Self { stream: http.stream, context: WebSocketContext::new(Role::Client, None), memory }
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    pub(crate) async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.send_message(Message::binary(bytes)).await;
    }

    async fn send_message(&mut self, message: Message) {
        self.context.write(&mut self.memory, message).unwrap();
        self.context.flush(&mut self.memory).unwrap();
        self.flush().await;
    }

    /// The next frame; pings are answered.
    pub(crate) async fn receive(&mut self) -> Received {
        loop {
            match self.context.read(&mut self.memory) {
                Ok(Message::Text(text)) => return Received::Frame(ServerFrame::parse(&text).unwrap()),
                Ok(Message::Binary(bytes)) => return Received::Binary(bytes.into()),
                Ok(Message::Close(frame)) => {
                    self.context.flush(&mut self.memory).ok();
                    self.flush().await;
                    return Received::Closed(frame.map_or(1005, |frame| frame.code.into()));
                }
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut buffer = [0; 4096];
                    let count = self.stream.read(&mut buffer).await.unwrap();
                    assert!(count > 0, "the connection was closed");
                    self.memory.inbound.extend_from_slice(&buffer[..count]);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(crate) async fn frame(&mut self) -> ServerFrame {
        match self.receive().await {
            Received::Frame(frame) => frame,
            other => panic!("{other:?}"),
        }
    }

    /// The next frame of batches: its header and what is behind it.
    pub(crate) async fn batch_frame(&mut self) -> (BatchServerFrame, Vec<u8>) {
        let Received::Binary(frame) = self.receive().await else { panic!("no binary frame") };
        let (header, batches) = batch::split(&frame).unwrap();
        (BatchServerFrame::parse(header).unwrap(), batches.to_vec())
    }

    async fn flush(&mut self) {
        self.stream.write_all(&self.memory.outbound).await.unwrap();
        self.memory.outbound.clear();
    }
}
