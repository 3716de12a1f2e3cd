//! A broker that keeps its topics in memory and can be told to misbehave. Blocking, one thread for each connection.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the lints take only the tests themselves for tests")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway_api::frame::batch::{join, split};
use loadtest::server::Server;
use serde_json::{Value, json};
use shard_core::format::record::{CONTENT_TYPE_DEFAULT, MessageId, RecordHead};
use shard_core::format::record_batch::{BatchBuilder, Codec, RecordBatch};
use shard_core::model::{LeaderEpoch, Offset, Timestamp};
use tungstenite::handshake::server::{Request, Response};
use tungstenite::{Message, WebSocket};

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The delivery of this number, from 0, never comes.
    DropDelivery(u64),
    /// The delivery of this number comes twice.
    RepeatDelivery(u64),
    RefusePublish,
    /// Every so many publish requests, the connection is closed instead of answering.
    CloseAfter(u64),
}

pub(crate) struct Broker {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// The payloads of each partition.
type Partitions = Vec<Vec<Vec<u8>>>;

/// What is read, and up to where in each partition.
struct Subscription {
    topic: String,
    cursors: Vec<usize>,
}

struct State {
    fault: Fault,
    topics: BTreeMap<String, Partitions>,
    subscriptions: BTreeMap<String, Subscription>,
    published: usize,
    delivered: u64,
    publish_requests: u64,
}

impl Broker {
    pub(crate) fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            fault,
            topics: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            published: 0,
            delivered: 0,
            publish_requests: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), Arc::clone(&shared));
                thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    pub(crate) fn endpoint(&self) -> Server {
        format!("http://{}", self.address).parse().unwrap()
    }

    /// An address at which nobody listens.
    pub(crate) fn endpoint_of_nobody() -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        format!("http://127.0.0.1:{port}").parse().unwrap()
    }

    pub(crate) fn stored(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().topics.values().flatten().flatten().cloned().collect()
    }

    /// How many messages each topic has.
    pub(crate) fn topics(&self) -> BTreeMap<String, usize> {
        let count = |partitions: &Partitions| partitions.iter().map(Vec::len).sum();
        self.state.lock().unwrap().topics.iter().map(|(name, partitions)| (name.clone(), count(partitions))).collect()
    }

    pub(crate) fn subscriptions(&self) -> usize {
        self.state.lock().unwrap().subscriptions.len()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut start = [0; 10];
    while stream.peek(&mut start).is_ok_and(|length| (1..start.len()).contains(&length)) {}
    if &start == b"GET /v1/ws" {
        stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        if let Ok((socket, is_batch)) = accept(stream) {
            serve_websocket(socket, state, is_batch);
        }
    } else {
        serve_http(stream, state);
    }
}

/// The handshake itself waits for its request as long as it takes. Also whether frames are to be of batches.
#[expect(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
fn accept(stream: TcpStream) -> Result<(WebSocket<TcpStream>, bool), ()> {
    let is_batch = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&is_batch);
    let mut handshake = tungstenite::accept_hdr(stream, move |request: &Request, mut response: Response| {
        let protocol = request.headers().get("sec-websocket-protocol").unwrap().clone();
        noted.store(protocol == "pubsub.v1.batch", Ordering::Relaxed);
        response.headers_mut().insert("sec-websocket-protocol", protocol);
        Ok(response)
    });
    loop {
        match handshake {
            Ok(socket) => return Ok((socket, is_batch.load(Ordering::Relaxed))),
            Err(tungstenite::HandshakeError::Interrupted(later)) => handshake = later.handshake(),
            Err(tungstenite::HandshakeError::Failure(_)) => return Err(()),
        }
    }
}

fn serve_http(stream: TcpStream, state: &Mutex<State>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some((method, target, body)) = read_request(&mut reader) {
        if target.split('?').next().is_some_and(|path| path.ends_with("/events")) {
            return serve_events(writer, state, target.split('/').nth(3).unwrap());
        }
        let mut state = state.lock().unwrap();
        if target.ends_with("/publish") && state.must_close() {
            return;
        }
        let (status, answer) = state.answer(&method, &target, &body);
        drop(state);
        let answer = if status == 204 { String::new() } else { answer.to_string() };
        let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {}\r\n", content_type(status));
        let length = if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", answer.len()) };
        if writer.write_all(format!("{head}{length}\r\n{answer}").as_bytes()).is_err() {
            return;
        }
    }
}

/// An event for each message, until the client goes; a chunk may end anywhere.
fn serve_events(mut stream: TcpStream, state: &Mutex<State>, topic: &str) {
    let name = state.lock().unwrap().add_reader(topic);
    stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    let head = "HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut text = "retry: 1000\nid: x\n\n".to_owned();
    let mut sent = stream.write_all(head.as_bytes());
    // Zero bytes are the end; no bytes within the time are not.
    while sent.is_ok() && !stream.peek(&mut [0]).is_ok_and(|length| length == 0) {
        for message in state.lock().unwrap().deliver(&name, 10) {
            text.extend(["event: message\nid: x\ndata: ", &message.to_string(), "\n\n"]);
        }
        let (begin, rest) = text.split_at(text.len() / 2);
        for part in [begin, rest].iter().filter(|part| !part.is_empty()) {
            sent = sent.and_then(|()| stream.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()));
        }
        text.clear();
    }
}

fn content_type(status: u16) -> &'static str {
    if status >= 400 { "application/problem+json" } else { "application/json" }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(String, String, Vec<u8>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let mut words = lines[0].split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let length = lines.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((method, target, body))
}

impl State {
    fn must_close(&mut self) -> bool {
        self.publish_requests += 1;
        matches!(self.fault, Fault::CloseAfter(requests) if self.publish_requests.is_multiple_of(requests))
    }

    fn answer(&mut self, method: &str, target: &str, body: &[u8]) -> (u16, Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path: Vec<&str> = path.trim_start_matches("/v1").split('/').skip(1).collect();
        let json = || serde_json::from_slice::<Value>(body).unwrap();
        match (method, path.as_slice()) {
            ("GET", ["openapi.json"]) => {
                (200, json!({ "openapi": "3.1.0", "info": { "title": "x", "version": "9.8.7" } }))
            }
            ("GET", ["topics", name]) if !self.topics.contains_key(*name) => problem(404, "topic_not_found", name),
            ("GET", ["topics", name]) => (200, self.topic(name)),
            ("PUT", ["topics", name]) => {
                let partitions = vec![Vec::new(); usize::try_from(json()["partitions"].as_u64().unwrap()).unwrap()];
                self.topics.insert((*name).to_owned(), partitions);
                (201, self.topic(name))
            }
            ("POST", ["topics", name, "messages" | "publish"]) if self.fault == Fault::RefusePublish => {
                problem(503, "overloaded", name)
            }
            ("POST", ["topics", name, "messages"]) => {
                let results: Vec<Value> = payloads(&json()).map(|payload| self.store(name, payload)).collect();
                (200, json!({ "results": results }))
            }
            ("POST", ["topics", name, "publish"]) => (200, self.store(name, body.to_vec())),
            ("GET", ["topics", name, "partitions", partition, "messages"]) => (200, self.read(name, partition, query)),
            ("PUT", ["subscriptions", name]) => {
                assert_eq!(json()["start"], "latest");
                let subscription = self.beginning_now(json()["topic"].as_str().unwrap());
                self.subscriptions.insert((*name).to_owned(), subscription);
                (201, shown_subscription(name))
            }
            ("DELETE", ["subscriptions", name]) => {
                self.subscriptions.remove(*name).unwrap();
                (204, Value::Null)
            }
            ("POST", ["subscriptions", name, "pull"]) => {
                let count = usize::try_from(json()["max_messages"].as_u64().unwrap()).unwrap();
                (200, json!({ "messages": self.deliver(name, count) }))
            }
            ("POST", ["subscriptions", _, "ack"]) => {
                (200, json!({ "succeeded": json()["ack_ids"].as_array().unwrap().len(), "failed": [] }))
            }
            _ => problem(404, "not_found", target),
        }
    }

    /// Somebody who reads the topic from now on; the name to deliver to.
    fn add_reader(&mut self, topic: &str) -> String {
        let name = format!("reader-{}", self.subscriptions.len());
        let subscription = self.beginning_now(topic);
        self.subscriptions.insert(name.clone(), subscription);
        name
    }

    fn beginning_now(&self, topic: &str) -> Subscription {
        Subscription { topic: topic.to_owned(), cursors: self.topics[topic].iter().map(Vec::len).collect() }
    }

    fn store(&mut self, topic: &str, payload: Vec<u8>) -> Value {
        let partitions = self.topics.get_mut(topic).unwrap();
        let partition = self.published % partitions.len();
        self.published += 1;
        partitions[partition].push(payload);
        let offset = partitions[partition].len() - 1;
        json!({ "id": "x", "partition": partition, "offset": offset, "duplicate": false, "durability": "memory" })
    }

    fn read(&self, topic: &str, partition: &str, query: &str) -> Value {
        let number = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.parse::<usize>().ok());
        let partition: usize = partition.parse().unwrap();
        let (offset, limit) = (number("offset=").unwrap(), number("limit=").unwrap());
        let end = (offset + limit).min(self.topics[topic][partition].len());
        let messages: Vec<Value> = (offset..end).map(|offset| self.message(topic, partition, offset)).collect();
        json!({ "messages": messages, "next_offset": end, "next_cursor": "x" })
    }

    fn deliver(&mut self, subscription: &str, count: usize) -> Vec<Value> {
        let mut messages = Vec::new();
        let topic = self.subscriptions[subscription].topic.clone();
        for partition in 0..self.topics[&topic].len() {
            while messages.len() < count {
                let cursor = &mut self.subscriptions.get_mut(subscription).unwrap().cursors[partition];
                if *cursor >= self.topics[&topic][partition].len() {
                    break;
                }
                let offset = *cursor;
                *cursor += 1;
                let copies = if self.fault == Fault::DropDelivery(self.delivered) {
                    0
                } else {
                    1 + usize::from(self.fault == Fault::RepeatDelivery(self.delivered))
                };
                self.delivered += 1;
                messages.extend(vec![self.message(&topic, partition, offset); copies]);
            }
        }
        messages
    }

    fn message(&self, topic: &str, partition: usize, offset: usize) -> Value {
        let data = STANDARD.encode(&self.topics[topic][partition][offset]);
        json!({ "ack_id": format!("{partition}-{offset}"), "topic": topic, "partition": partition, "offset": offset, "data": data })
    }

    fn topic(&self, name: &str) -> Value {
        let partitions = &self.topics[name];
        let layout = |(partition, messages): (usize, &Vec<Vec<u8>>)| {
            json!({
                "partition": partition, "owner": { "node": 1, "shard": 0 }, "leader_epoch": 1, "replicas": [1], "isr": [1],
                "elr": [], "incarnation": 0, "followers": [],
                "start_offset": 0, "high_watermark": messages.len(), "end_offset": messages.len(), "bytes": 0, "state": "open",
            })
        };
        let layout: Vec<Value> = partitions.iter().enumerate().map(layout).collect();
        json!({
            "name": name, "partitions": partitions.len(), "replication_factor": 1, "retention_ms": 1,
            "compression": "none", "flush": "always", "acks": "quorum", "min_insync": 1, "dedup_window_ms": 0,
            "max_message_bytes": 1_048_576, "layout": layout,
        })
    }
}

fn serve_websocket(mut socket: WebSocket<TcpStream>, state: &Mutex<State>, is_batch: bool) {
    let message = |json: String| if is_batch { Message::binary(join(&json, b"")) } else { Message::text(json) };
    let mut subscription: Option<(String, usize)> = None;
    loop {
        let answer = match socket.read() {
            Ok(Message::Text(text)) => {
                assert!(!is_batch);
                answer_frame(&serde_json::from_str(&text).unwrap(), &mut state.lock().unwrap(), &mut subscription)
            }
            Ok(Message::Binary(bytes)) => {
                assert!(is_batch);
                let (header, batch) = split(&bytes).unwrap();
                let mut frame: Value = serde_json::from_str(header).unwrap();
                if !batch.is_empty() {
                    frame["messages"] = decoded(batch);
                }
                answer_frame(&frame, &mut state.lock().unwrap(), &mut subscription)
            }
            Ok(_) => None,
            Err(tungstenite::Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => None,
            Err(_) => return,
        };
        // A client may have hung up meanwhile, as each does at the end of its run.
        if answer.is_some_and(|answer| socket.send(message(answer)).is_err()) {
            return;
        }
        let Some((name, credit)) = &mut subscription else { continue };
        let messages = state.lock().unwrap().deliver(name, *credit);
        if !messages.is_empty() {
            *credit = credit.saturating_sub(messages.len());
            let frames = if is_batch {
                batch_frames(&messages, name, &state.lock().unwrap())
            } else {
                vec![json_frame(&messages, name)]
            };
            // Now and then a ping, which must be answered without disturbing anything.
            let sent = socket.send(Message::Ping(vec![1, 2, 3].into()));
            if frames.into_iter().fold(sent, |sent, frame| sent.and_then(|()| socket.send(frame))).is_err() {
                return;
            }
        }
    }
}

/// As the broker writes it: the kind of frame comes first.
fn json_frame(messages: &[Value], subscription: &str) -> Message {
    let rest = json!({ "subscription": subscription, "messages": messages }).to_string();
    Message::text(format!("{{\"op\":\"messages\",{}", &rest[1..]))
}

/// One frame for each partition, with all of it from its start on: there is more in a batch than is leased.
fn batch_frames(messages: &[Value], subscription: &str, state: &State) -> Vec<Message> {
    let mut leased: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for message in messages {
        let lease = json!({ "offset": message["offset"], "ack_id": message["ack_id"], "delivery_attempt": 1 });
        leased.entry(message["partition"].as_u64().unwrap()).or_default().push(lease);
    }
    let frame = |(partition, leased): (u64, Vec<Value>)| {
        let topic = messages[0]["topic"].as_str().unwrap();
        let mut builder = BatchBuilder::new(0);
        for payload in &state.topics[topic][usize::try_from(partition).unwrap()] {
            let head = RecordHead {
                id: MessageId::Uuid([1; 16]),
                key: None,
                content_type: CONTENT_TYPE_DEFAULT,
                priority: 4,
                ttl_ms: None,
                deliver_at: None,
            };
            let Ok(()) = builder.push(&head, &[], |out| {
                out.extend_from_slice(payload);
                Ok::<_, Infallible>(())
            });
        }
        let batch = builder.finish(Codec::Snappy, None).unwrap();
        let batch = batch.assign(Offset::ZERO, LeaderEpoch::default(), Timestamp::default());
        let rest = json!({ "subscription": subscription, "partition": partition, "leased": leased }).to_string();
        Message::binary(join(&format!("{{\"op\":\"messages\",{}", &rest[1..]), batch.bytes()))
    };
    leased.into_iter().map(frame).collect()
}

/// The messages of a batch as JSON has them.
fn decoded(batch: &[u8]) -> Value {
    let mut messages = Vec::new();
    let batch = RecordBatch::parse(batch.to_vec().into()).unwrap();
    batch.for_each_record(|record| messages.push(json!({ "data": STANDARD.encode(record.payload) }))).unwrap();
    messages.into()
}

fn answer_frame(frame: &Value, state: &mut State, subscription: &mut Option<(String, usize)>) -> Option<String> {
    let reference = &frame["ref"];
    let number = |name: &str| usize::try_from(frame[name].as_u64().unwrap()).unwrap();
    match frame["op"].as_str().unwrap() {
        "publish" if state.fault == Fault::RefusePublish => {
            Some(format!("{{\"op\":\"error\",\"ref\":{reference},\"code\":\"overloaded\",\"detail\":\"\"}}"))
        }
        "publish" => {
            let results: Vec<Value> =
                payloads(frame).map(|payload| state.store(frame["topic"].as_str().unwrap(), payload)).collect();
            Some(format!("{{\"op\":\"published\",\"ref\":{reference},\"results\":{}}}", Value::from(results)))
        }
        "subscribe" => {
            let name = frame["subscription"]
                .as_str()
                .map_or_else(|| state.add_reader(frame["topic"].as_str().unwrap()), str::to_owned);
            *subscription = Some((name, number("credit")));
            Some(format!("{{\"op\":\"subscribed\",\"ref\":{reference}}}"))
        }
        "credit" => {
            subscription.as_mut().unwrap().1 += number("add");
            None
        }
        "ack" => Some(format!("{{\"op\":\"acked\",\"ref\":{reference},\"succeeded\":1,\"failed\":[]}}")),
        other => panic!("frame {other}"),
    }
}

fn payloads(request: &Value) -> impl Iterator<Item = Vec<u8>> {
    request["messages"].as_array().unwrap().iter().map(|message| match message["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => STANDARD.decode(message["data"].as_str().unwrap()).unwrap(),
    })
}

fn shown_subscription(name: &str) -> Value {
    json!({
        "name": name, "topic": "t", "type": "pull", "consumption": "shared", "ordering": "none",
        "delivery": "at_least_once", "ack_deadline_ms": 30_000, "max_delivery_attempts": 0,
        "backoff": { "min_ms": 100, "max_ms": 60_000 }, "start": "latest", "session_timeout_ms": 10_000,
        "backlog": 0, "leased": 0, "redeliveries": 0, "dead_letters": 0, "generation": 0, "consumers": [], "cursors": [],
    })
}

fn problem(status: u16, code: &str, what: &str) -> (u16, Value) {
    let problem = json!({
        "type": "about:blank", "title": code, "status": status, "code": code, "detail": what, "instance": "",
        "retryable": status == 503, "outcome": "not_applied",
    });
    (status, problem)
}
