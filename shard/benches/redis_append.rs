//! Appends through the Redis store beside raw pipelined `XADD` of the same batches, in turns, against one server.
//!
//! `cargo bench -p shard --bench redis_append -- always` (or `everysec`, `no`: Redis' appendfsync) prints a table.
#![expect(clippy::print_stdout, reason = "a table for people")]

use std::{
    convert::Infallible,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use glommio::{LocalExecutorBuilder, Placement};
use shard::redis::{ClusterName, RedisConfig, RedisLink, RedisPartition, RedisTimeouts, Topology, open};
use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch},
    },
    model::{LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId, TopicPartition},
};

#[expect(
    dead_code,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "written for tests, of which the bench needs a part"
)]
#[path = "../tests/redis/server.rs"]
mod server;

const PAYLOAD_BYTES: usize = 256;
const ROUNDS: usize = 7;
/// Messages in a batch, and batches in one turn of one round.
const SIZES: [(u64, usize); 3] = [(1, 3000), (100, 1500), (1000, 400)];
const DEPTHS: [usize; 2] = [1, 4];

/// What one turn took.
struct Turn {
    elapsed: Duration,
    latencies: Vec<Duration>,
}

fn main() {
    let policy = std::env::args().nth(1).filter(|argument| !argument.starts_with('-')).unwrap_or("always".to_owned());
    let server = server::RedisServer::start_with(&["--appendfsync", &policy]);
    let port = server.port();
    println!("appendfsync {policy}; medians of {ROUNDS} rounds; 1.00 would be as fast as raw XADD\n");
    println!("| batch of 256 B | in flight | store, messages/s | p50 | raw XADD, messages/s | p50 | store / raw |");
    println!("|---|---|---|---|---|---|---|");
    let executor = LocalExecutorBuilder::new(Placement::Unbound).spawn(move || async move {
        for (records, appends) in SIZES {
            for depth in DEPTHS {
                // How much Redis reads at once follows from what a connection has sent: both begin with a new one.
                let link = RedisLink::start(config(port));
                compare(&link, port, (records, appends, depth)).await;
            }
        }
    });
    executor.expect("an executor starts").join().expect("the bench ends");
}

async fn compare(link: &RedisLink, port: u16, (records, appends, depth): (u64, usize, usize)) {
    let mut partitions = Vec::new();
    for index in 0..u32::try_from(depth).expect("a small number") {
        let topic = TopicId::new(records * 10 + u64::try_from(depth).expect("a small number"));
        let id = TopicPartition::new(topic, PartitionIndex::new(index));
        partitions.push(open(link, id, LeaderEpoch::new(1), Offset::ZERO).await.expect("a partition opens"));
    }
    let mut raw = RawClient::connect(port, &format!("raw:{records}:{depth}"), depth);
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // The first round warms both up.
    for round in 0..=ROUNDS {
        let batches: Vec<Vec<_>> =
            partitions.iter().map(|partition| batches(partition.log.offsets().end, records, appends / depth)).collect();
        let (store, rival) = if round % 2 == 0 {
            let store = append(&mut partitions, &batches).await;
            (store, raw.append(&batches))
        } else {
            let rival = raw.append(&batches);
            (append(&mut partitions, &batches).await, rival)
        };
        if round > 0 {
            ratios.push(rival.elapsed.as_secs_f64() / store.elapsed.as_secs_f64());
            ours.push(store);
            theirs.push(rival);
        }
    }
    let messages = records * u64::try_from(appends / depth * depth).expect("a small number");
    let (ours, our_p50) = summary(&mut ours, messages);
    let (theirs, their_p50) = summary(&mut theirs, messages);
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios.get(ROUNDS / 2).copied().unwrap_or_default();
    println!("| {records} | {depth} | {ours:.0} | {our_p50} µs | {theirs:.0} | {their_p50} µs | {ratio:.2} |");
}

/// Messages a second and the median latency of the median turn.
fn summary(turns: &mut [Turn], messages: u64) -> (f64, u128) {
    turns.sort_by_key(|turn| turn.elapsed);
    let turn = turns.get_mut(ROUNDS / 2).expect("each round has a turn");
    turn.latencies.sort_unstable();
    let p50 = turn.latencies.get(turn.latencies.len() / 2).expect("a turn has appends");
    let messages = f64::from(u32::try_from(messages).expect("a small number"));
    (messages / turn.elapsed.as_secs_f64(), p50.as_micros())
}

/// Appends to each partition one batch after the other, to all partitions at once.
async fn append(partitions: &mut [RedisPartition], batches: &[Vec<RecordBatch>]) -> Turn {
    let begun = Instant::now();
    let tasks = partitions.iter_mut().zip(batches).map(|(partition, batches)| async move {
        let mut latencies = Vec::with_capacity(batches.len());
        for batch in batches {
            let sent = Instant::now();
            partition.log.append(std::slice::from_ref(batch)).await.expect("the server takes the batch");
            latencies.push(sent.elapsed());
        }
        latencies
    });
    let latencies = futures_util::future::join_all(tasks).await;
    Turn { elapsed: begun.elapsed(), latencies: latencies.concat() }
}

/// Sends `XADD` over a socket of its own and counts the answers: the least that any client could do.
struct RawClient {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
    key: String,
    depth: usize,
}

impl RawClient {
    fn connect(port: u16, key: &str, depth: usize) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_nodelay(true).expect("a socket takes the option");
        let answers = BufReader::new(stream.try_clone().expect("a socket has a second handle"));
        Self { stream, answers, key: key.to_owned(), depth }
    }

    /// Sends the batches of all partitions in turns, so many on their way at a time.
    fn append(&mut self, batches: &[Vec<RecordBatch>]) -> Turn {
        let appends: usize = batches.iter().map(Vec::len).sum();
        let depth = self.depth;
        let in_order = (0..appends).filter_map(|index| batches.get(index % depth)?.get(index / depth));
        let mut sent = Vec::with_capacity(appends);
        let mut latencies = Vec::with_capacity(appends);
        let begun = Instant::now();
        for (index, batch) in in_order.enumerate() {
            if sent.len() - latencies.len() == depth {
                self.take_answer(&sent, &mut latencies);
            }
            let key = format!("{}:{}", self.key, index % depth);
            let bytes = batch.bytes();
            sent.push(Instant::now());
            let mut request = Vec::with_capacity(bytes.len() + 128);
            let head = format!(
                "*5\r\n$4\r\nXADD\r\n${}\r\n{key}\r\n$1\r\n*\r\n$5\r\nbatch\r\n${}\r\n",
                key.len(),
                bytes.len()
            );
            request.extend_from_slice(head.as_bytes());
            request.extend_from_slice(bytes);
            request.extend_from_slice(b"\r\n");
            self.stream.write_all(&request).expect("the server reads");
        }
        while latencies.len() < sent.len() {
            self.take_answer(&sent, &mut latencies);
        }
        Turn { elapsed: begun.elapsed(), latencies }
    }

    /// An id, as a length and a line.
    fn take_answer(&mut self, sent: &[Instant], latencies: &mut Vec<Duration>) {
        let mut line = String::new();
        for _ in 0..2 {
            self.answers.read_line(&mut line).expect("the server answers");
        }
        assert!(line.starts_with('$'), "{line}");
        latencies.push(sent.get(latencies.len()).expect("an answer follows a request").elapsed());
    }
}

fn batches(start: Offset, records: u64, count: usize) -> Vec<RecordBatch> {
    let head = RecordHead {
        id: MessageId::Text("id"),
        key: None,
        content_type: "application/octet-stream",
        priority: 4,
        ttl_ms: None,
        deliver_at: None,
    };
    let mut next = start;
    let batch = |_| {
        let mut builder = BatchBuilder::new(PAYLOAD_BYTES);
        for _ in 0..records {
            let Ok(()) = builder.push(&head, &[], |out| {
                out.resize(out.len() + PAYLOAD_BYTES, b'x');
                Ok::<_, Infallible>(())
            });
        }
        let unassigned = builder.finish(Codec::None, None).expect("the batch is within its limits");
        let batch = unassigned.assign(next, LeaderEpoch::new(1), Timestamp::from_millis(1));
        next = batch.offsets().end;
        batch
    };
    (0..count).map(batch).collect()
}

fn config(port: u16) -> RedisConfig {
    RedisConfig {
        host: "127.0.0.1".to_owned(),
        port,
        topology: Topology::Single,
        tls: None,
        username: None,
        password: None,
        database: 0,
        cluster: ClusterName::new("bench").expect("a plain name"),
        timeouts: RedisTimeouts::default(),
        wait_replicas: 0,
    }
}
