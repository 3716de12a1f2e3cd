//! An HTTP server that gives every request the same answer: what the test says.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// It answers until the test's process ends.
pub(crate) struct CannedServer {
    pub(crate) address: SocketAddr,
    answer: Arc<Mutex<(&'static str, String)>>,
}

impl CannedServer {
    /// One that answers with this status line and this body.
    pub(crate) fn start(status: &'static str, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new((status, body.to_owned())));
        let answering = Arc::clone(&answer);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answering = Arc::clone(&answering);
                // A browser connects ahead of its requests.
                thread::spawn(move || reply(stream, &answering));
            }
        });
        Self { address, answer }
    }

    /// Another answer from now on.
    pub(crate) fn say(&self, status: &'static str, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }
}

fn reply(mut stream: TcpStream, answering: &Mutex<(&'static str, String)>) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
        head.extend(byte);
    }
    let (status, body) = answering.lock().unwrap().clone();
    let length = body.len();
    // Whether anybody still listens is its concern.
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
}
