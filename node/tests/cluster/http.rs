//! A plain HTTP client that sends what it is told, right or wrong.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

use crate::harness::DEADLINE;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// One connection; several requests may go over it.
pub(crate) struct Connection {
    stream: TcpStream,
    address: String,
    unread: Vec<u8>,
}

/// One GET on a connection of its own.
pub(crate) fn get(address: &str, path: &str) -> Answer {
    Connection::open(address).request("GET", path, &[], b"")
}

impl Connection {
    pub(crate) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { stream, address: address.to_owned(), unread: Vec::new() }
    }

    /// One that is there already.
    pub(crate) fn over(stream: TcpStream) -> Self {
        let address = stream.peer_addr().unwrap().to_string();
        Self { stream, address, unread: Vec::new() }
    }

    /// Another connection to the same node.
    pub(crate) fn again(&self) -> Self {
        Self::open(&self.address)
    }

    /// Sends a well-framed request and reads its answer.
    pub(crate) fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n", self.address, body.len());
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        self.send(&[head.as_bytes(), body].concat());
        self.answer().expect("the connection ended before the answer")
    }

    /// Sends a request without a body and reads the answer, whatever becomes of the connection.
    pub(crate) fn try_request(&mut self, method: &str, path: &str) -> Option<Answer> {
        // Who was turned away may have the answer already and can't send any more.
        let sent = write!(self.stream, "{method} {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        drop(sent.map_err(|error| error.to_string()));
        self.answer()
    }

    /// Sends a JSON body and reads the answer; `None` if the connection ends first.
    pub(crate) fn try_post(&mut self, path: &str, body: &Value) -> Option<Answer> {
        let (address, body) = (&self.address, body.to_string());
        let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n", body.len());
        self.stream.write_all(&[head, body].concat().into_bytes()).ok()?;
        self.answer()
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Reads one answer; `None` if the connection ends first.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let head_end = self.read_until(|bytes| bytes.windows(4).position(|window| window == b"\r\n\r\n"))? + 4;
        let head = String::from_utf8(self.unread.drain(..head_end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        self.read_until(|bytes| (bytes.len() >= length).then_some(length))?;
        Some(Answer { status, head, body: self.unread.drain(..length).collect() })
    }

    /// Whether the node has closed the connection; waits for it to say anything.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }

    fn read_until(&mut self, found: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
        loop {
            if let Some(position) = found(&self.unread) {
                return Some(position);
            }
            let mut buffer = [0; 16 << 10];
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.unread.extend_from_slice(&buffer[..length]),
            }
        }
    }
}

impl Answer {
    pub(crate) fn body_text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
