//! A node that is played by a script: each connection gets its list of replies, each request the next one.

#![expect(clippy::unwrap_used, reason = "a script that cannot be played fails its test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gateway_api::client::Endpoint;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What a connection does after it has read a request.
pub(crate) enum Reply {
    /// Sends these bytes.
    Bytes(Vec<u8>),
    /// Sends these bytes and closes.
    BytesThenClose(Vec<u8>),
    /// Closes.
    Close,
    /// Says nothing, for ever.
    Silence,
}

/// A request as it was read.
pub(crate) struct SeenRequest {
    pub(crate) line: String,
    pub(crate) body: Vec<u8>,
    headers: Vec<(String, String)>,
}

/// The node; listens on a port of its own.
pub(crate) struct ScriptedNode {
    endpoint: Endpoint,
    accepted: Arc<AtomicUsize>,
    requests: mpsc::UnboundedReceiver<SeenRequest>,
    task: JoinHandle<()>,
}

impl Reply {
    /// An answer with a problem.
    pub(crate) fn problem(status: u16, body: &str) -> Self {
        Self::Bytes(answer(status, "application/problem+json", body))
    }
}

impl SeenRequest {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(seen, _)| seen == name).map(|(_, value)| value.as_str())
    }
}

impl ScriptedNode {
    /// Starts a node that takes as many connections as there are lists, one after the other.
    pub(crate) async fn start(connections: Vec<Vec<Reply>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (seen, requests) = mpsc::unbounded_channel();
        let counter = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            for replies in connections {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                play(stream, replies, &seen).await;
            }
            // Whoever connects now waits in the backlog, and is not counted.
            std::future::pending::<()>().await;
        });
        Self { endpoint, accepted, requests, task }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(crate) async fn next_request(&mut self) -> SeenRequest {
        self.requests.recv().await.unwrap()
    }

    /// Stops listening.
    pub(crate) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// An answer of JSON.
pub(crate) fn json_answer(status: u16, body: &str) -> Vec<u8> {
    answer(status, "application/json", body)
}

fn answer(status: u16, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
    format!("{head}{body}").into_bytes()
}

async fn play(mut stream: TcpStream, replies: Vec<Reply>, seen: &mpsc::UnboundedSender<SeenRequest>) {
    for reply in replies {
        let Some(request) = read_request(&mut stream).await else { return };
        let _ = seen.send(request);
        match reply {
            Reply::Bytes(bytes) => stream.write_all(&bytes).await.unwrap(),
            Reply::BytesThenClose(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                return;
            }
            Reply::Close => return,
            Reply::Silence => std::future::pending().await,
        }
    }
    // Stays open until the client goes.
    let _ = stream.read(&mut [0; 1]).await;
}

async fn read_request(stream: &mut TcpStream) -> Option<SeenRequest> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, n)| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(SeenRequest { line, body, headers })
}
