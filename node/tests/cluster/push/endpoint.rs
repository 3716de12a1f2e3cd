//! A webhook endpoint of the test's own: a small HTTP server that notes what it gets and answers as it is told.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
};

pub(super) use crate::harness::eventually;

use crate::harness::DEADLINE;

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) line: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    /// Only when the test says so.
    held: bool,
    /// The body, as often as it is said.
    body: (Vec<u8>, usize),
}

type Answering = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

/// An endpoint; it takes connections until the test ends.
pub(super) struct Endpoint {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    seen: Mutex<Seen>,
    changed: Condvar,
}

struct Seen {
    answering: Answering,
    received: Vec<Received>,
    connections: usize,
    /// Requests that wait for the test, and the most there were.
    held: usize,
    most_held: usize,
    /// Rises when those that wait are to be answered.
    releases: usize,
    stopped: bool,
}

/// A stream of a client, perhaps with TLS around it.
pub(super) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// Makes a client's stream of its connection.
type Wrapping = Arc<dyn Fn(TcpStream) -> Box<dyn Stream> + Send + Sync>;

impl Endpoint {
    pub(super) fn start(answering: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_wrapped(answering, |stream| Box::new(stream))
    }

    pub(super) fn start_wrapped(
        answering: impl Fn(&Received) -> Reply + Send + Sync + 'static,
        wrapping: impl Fn(TcpStream) -> Box<dyn Stream> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Seen {
            answering: Arc::new(answering),
            received: Vec::new(),
            connections: 0,
            held: 0,
            most_held: 0,
            releases: 0,
            stopped: false,
        };
        let state = Arc::new(State { seen: Mutex::new(seen), changed: Condvar::new() });
        let (accepting, wrapping): (_, Wrapping) = (Arc::clone(&state), Arc::new(wrapping));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.seen().stopped {
                    return;
                }
                let (state, wrapping) = (Arc::clone(&accepting), Arc::clone(&wrapping));
                state.seen().connections += 1;
                thread::spawn(move || state.serve(wrapping(stream.unwrap())));
            }
        });
        Self { address, state }
    }

    /// A URL of it.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers otherwise from now on.
    pub(super) fn answer(&self, answering: impl Fn(&Received) -> Reply + Send + Sync + 'static) {
        self.state.seen().answering = Arc::new(answering);
    }

    /// All requests so far, in the order in which they came.
    pub(super) fn received(&self) -> Vec<Received> {
        self.state.seen().received.clone()
    }

    /// How many connections were made.
    pub(super) fn connections(&self) -> usize {
        self.state.seen().connections
    }

    /// Waits until so many requests have come.
    pub(super) fn await_received(&self, count: usize) -> bool {
        self.state.wait_for(|seen| seen.received.len() >= count)
    }

    /// Waits until so many requests wait to be answered.
    pub(super) fn await_held(&self, count: usize) -> bool {
        self.state.wait_for(|seen| seen.held >= count)
    }

    /// The most requests that ever waited at a time.
    pub(super) fn most_held(&self) -> usize {
        self.state.seen().most_held
    }

    /// Answers those that wait.
    pub(super) fn release(&self) {
        let mut seen = self.state.seen();
        seen.releases += 1;
        seen.held = 0;
        drop(seen);
        self.state.changed.notify_all();
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.state.seen().stopped = true;
        self.state.changed.notify_all();
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address).map_err(|error| error.to_string()));
    }
}

impl State {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    fn wait_for(&self, wanted: impl Fn(&Seen) -> bool) -> bool {
        let waiting = self.changed.wait_timeout_while(self.seen(), DEADLINE, |seen| !wanted(seen));
        !waiting.unwrap().1.timed_out()
    }

    fn serve(&self, stream: Box<dyn Stream>) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream) {
            let reply = self.on_request(request);
            if stream.get_mut().write_all(&reply.head()).is_err() {
                return;
            }
            for _ in 0..reply.body.1 {
                if stream.get_mut().write_all(&reply.body.0).is_err() {
                    return;
                }
            }
            drop(stream.get_mut().flush().map_err(|error| error.to_string()));
        }
    }

    fn on_request(&self, request: Received) -> Reply {
        let mut seen = self.seen();
        let reply = (Arc::clone(&seen.answering))(&request);
        seen.received.push(request);
        if reply.held {
            seen.held += 1;
            seen.most_held = seen.most_held.max(seen.held);
            let release = seen.releases;
            self.changed.notify_all();
            drop(self.changed.wait_while(seen, |seen| seen.releases == release && !seen.stopped).unwrap());
        } else {
            drop(seen);
            self.changed.notify_all();
        }
        reply
    }
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str) -> u64 {
        self.header(name).unwrap().parse().unwrap()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        // What is answered besides the status is shown nowhere.
        let body = if status == 204 { Vec::new() } else { b"an answer in many words".to_vec() };
        Self { status, headers: Vec::new(), held: false, body: (body, 1) }
    }

    /// The same with a header.
    pub(super) fn with_header(self, name: &str, value: &str) -> Self {
        Self { headers: vec![(name.to_owned(), value.to_owned())], ..self }
    }

    /// The same with a body of so many times these bytes.
    pub(super) fn with_body(self, bytes: Vec<u8>, times: usize) -> Self {
        Self { body: (bytes, times), ..self }
    }

    /// The same, but only when the test says so.
    pub(super) fn held(self) -> Self {
        Self { held: true, ..self }
    }

    fn head(&self) -> Vec<u8> {
        let length = self.body.0.len() * self.body.1;
        let mut head = format!("HTTP/1.1 {} Reason\r\n", self.status);
        if self.status != 204 {
            head.extend(["content-length: ", &length.to_string(), "\r\n"]);
        }
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

fn read_request(stream: &mut BufReader<Box<dyn Stream>>) -> Option<Received> {
    let mut line = || {
        let mut line = String::new();
        let length = stream.read_line(&mut line).ok()?;
        (length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    loop {
        let field = line()?;
        let Some((name, value)) = field.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut received = Received { line: first, headers, body: Vec::new() };
    let length = received.header("content-length").map_or(0, |length| length.parse().unwrap());
    received.body = vec![0; length];
    stream.read_exact(&mut received.body).ok()?;
    Some(received)
}
