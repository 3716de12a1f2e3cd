//! Sends a chunked body as it is told, and reads the lines of the answer meanwhile.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

use crate::harness::DEADLINE;

/// One request whose body is open.
pub(crate) struct Publisher {
    sender: Sender,
    socket: BufReader<TcpStream>,
    /// Head of the answer.
    pub(crate) head: String,
    /// What has come and was not looked at.
    text: String,
    /// The answer is over, in order.
    pub(crate) ended: bool,
}

/// The sending half, for a thread of its own.
pub(crate) struct Sender(TcpStream);

impl Publisher {
    /// Opens a request to the topic `orders`; `headers` are whole lines.
    pub(crate) fn open(address: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        let head = format!(
            "POST /v1/topics/orders/messages HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-ndjson\r\n\
             Transfer-Encoding: chunked\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut socket = BufReader::new(stream.try_clone().unwrap());
        if headers.contains("100-continue") {
            assert!(read_head(&mut socket).starts_with("HTTP/1.1 100 "));
        }
        let head = read_head(&mut socket);
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        Self { sender: Sender(stream), socket, head, text: String::new(), ended: false }
    }

    /// Sends a chunk.
    pub(crate) fn send(&mut self, text: &str) {
        assert!(self.sender.try_send(text));
    }

    /// Sends bytes that may be no chunk.
    pub(crate) fn send_raw(&mut self, text: &str) {
        self.sender.0.write_all(text.as_bytes()).unwrap();
    }

    /// Ends the body.
    pub(crate) fn finish(&mut self) {
        self.send_raw("0\r\n\r\n");
    }

    pub(crate) fn sender(&self) -> Sender {
        Sender(self.sender.0.try_clone().unwrap())
    }

    /// The next line of the answer; `None` once it has ended, in order or not.
    pub(crate) fn next(&mut self) -> Option<Value> {
        while !self.text.contains('\n') {
            let chunk = if self.ended { None } else { self.chunk() };
            self.text.push_str(&chunk?);
        }
        let line: String = self.text.drain(..=self.text.find('\n').unwrap()).collect();
        Some(serde_json::from_str(&line).unwrap())
    }

    /// Sends another request on the connection; the head of its answer.
    pub(crate) fn get(&mut self, path: &str) -> String {
        self.send_raw(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        read_head(&mut self.socket)
    }

    fn chunk(&mut self) -> Option<String> {
        let mut size = String::new();
        self.socket.read_line(&mut size).ok().filter(|length| *length > 0)?;
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        self.socket.read_exact(&mut chunk).ok()?;
        self.ended = size == 0;
        chunk.truncate(size);
        (size > 0).then(|| String::from_utf8(chunk).unwrap())
    }
}

impl Sender {
    /// Sends a chunk; false if the node takes no more.
    pub(crate) fn try_send(&mut self, text: &str) -> bool {
        self.0.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).is_ok()
    }
}

fn read_head(socket: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(socket.read_line(&mut head).unwrap() > 0, "{head}");
    }
    head
}
