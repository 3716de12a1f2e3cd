//! Reads an event stream from a plain socket, as a browser would: chunks, lines, events.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

use crate::harness::DEADLINE;

/// One open stream of events.
pub(crate) struct EventReader {
    socket: BufReader<TcpStream>,
    /// Head of the answer.
    pub(crate) head: String,
    chunked: bool,
    /// What has come and was not looked at.
    text: String,
    ended: bool,
    /// The id that the client would come back with.
    pub(crate) last_id: String,
}

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl EventReader {
    /// Opens the stream of a topic; `query` begins with `?` if there is one.
    pub(crate) fn open(address: &str, topic: &str, query: &str) -> Self {
        Self::request(address, &format!("GET /v1/topics/{topic}/events{query} HTTP/1.1\r\nHost: {address}\r\n\r\n"))
    }

    /// Comes back with the last id.
    pub(crate) fn resume(address: &str, topic: &str, last_id: &str) -> Self {
        let path = format!("/v1/topics/{topic}/events?from=earliest");
        let mut reader = Self::request(
            address,
            &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nLast-Event-ID: {last_id}\r\n\r\n"),
        );
        last_id.clone_into(&mut reader.last_id);
        reader
    }

    /// Sends a request as it is, and reads the head of the answer.
    pub(crate) fn request(address: &str, request: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut socket = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(socket.read_line(&mut head).unwrap() > 0, "{head}");
        }
        // A proxy may spell the names of fields in its own way.
        let fields = head.to_ascii_lowercase();
        assert!(
            fields.starts_with("http/1.1 200 ") && fields.contains("content-type: text/event-stream\r\n"),
            "{head}"
        );
        let chunked = fields.contains("transfer-encoding: chunked\r\n");
        Self { socket, head, chunked, text: String::new(), ended: false, last_id: String::new() }
    }

    /// The next event; `None` once the stream has ended, in order or not.
    pub(crate) fn next(&mut self) -> Option<Event> {
        loop {
            let Some(end) = self.text.find("\n\n") else {
                if self.ended {
                    return None;
                }
                self.receive();
                continue;
            };
            let block: String = self.text.drain(..end + 2).collect();
            let (mut name, mut data) = (String::new(), None);
            for line in block.lines() {
                match line.split_once(": ") {
                    Some(("event", value)) => value.clone_into(&mut name),
                    Some(("id", value)) => value.clone_into(&mut self.last_id),
                    Some(("data", value)) => data = Some(serde_json::from_str(value).unwrap()),
                    Some(("retry", value)) => assert_eq!(value, "1000"),
                    None if line.is_empty() || line == ":" => {}
                    other => panic!("{other:?} in {block:?}"),
                }
            }
            if let Some(data) = data {
                return Some(Event { name, data });
            }
        }
    }

    /// The next event, which must be a message: its partition and offset.
    pub(crate) fn place(&mut self) -> (u64, u64) {
        let event = self.next().expect("the stream goes on");
        assert_eq!(event.name, "message", "{event:?}");
        (event.data["partition"].as_u64().unwrap(), event.data["offset"].as_u64().unwrap())
    }

    fn receive(&mut self) {
        if !self.chunked {
            let mut line = String::new();
            self.ended = self.socket.read_line(&mut line).unwrap_or(0) == 0;
            self.text.push_str(&line);
            return;
        }
        let mut size = String::new();
        if self.socket.read_line(&mut size).unwrap_or(0) == 0 {
            self.ended = true;
            return;
        }
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        if self.socket.read_exact(&mut chunk).is_err() || size == 0 {
            self.ended = true;
            return;
        }
        self.text.push_str(std::str::from_utf8(&chunk[..size]).unwrap());
    }
}
