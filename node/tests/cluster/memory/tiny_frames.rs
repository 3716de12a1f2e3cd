//! Floods of frames that are as small as can be: what answers them is bounded, and others have their turn.

use std::{sync::mpsc, thread, time::Instant};

use super::{
    await_slow_consumers,
    budget::{Budget, MIB, Peak},
    settings,
};
use crate::{harness::TestNode, http::Connection, publish_consume::partitions, websocket::RawWebSocket};

const FLOODS: usize = 4;
/// What each sends, if it is let: some hundred thousand frames.
const FLOOD_BYTES: usize = 4 * MIB;
const PUBLISHES: usize = 300;

/// Empty pings, empty parts of a message, and requests that are none; each masked with zeros.
const PING: &[u8] = b"\x89\x80\0\0\0\0";
const PART: &[u8] = b"\x00\x80\0\0\0\0";
const MALFORMED: &[u8] = b"\x81\x82\0\0\0\0{}";

/// F54, F64.
#[tokio::test]
async fn floods_of_tiny_frames_are_bounded_and_leave_others_their_turn() {
    let node = TestNode::start_with(&settings());
    node.client().create_topic("orders", &partitions(2)).await.unwrap();
    node.client().create_topic("silent", &partitions(1)).await.unwrap();
    let peak = Peak::begin(&node);
    let alone = publish_one_by_one(&node);
    let (seen, waits): (Vec<_>, Vec<_>) = (0..3 * FLOODS).map(|_| mpsc::channel()).unzip();
    let kinds = [PING, PART, MALFORMED].into_iter().flat_map(|frame| std::iter::repeat_n(frame, FLOODS));
    let floods = kinds.zip(waits).enumerate();
    let floods: Vec<_> =
        floods.map(|(number, (frame, wait))| flood(&node, frame, (number % 2 == 1).then_some(wait))).collect();
    let beside = publish_one_by_one(&node);
    eprintln!("a publish, median and slowest in µs: alone {alone:?}, beside the floods {beside:?}");
    // What answers a ping is small enough for the system to hold; what answers a malformed request is not.
    await_slow_consumers(&node, FLOODS / 2).await;
    drop(seen);
    let taken: usize = floods.into_iter().map(|flood| flood.join().unwrap()).sum();
    eprintln!("{taken} bytes of tiny frames were taken");
    let budget =
        Budget { websockets: 3 * FLOODS, cache_bytes: 16 * MIB, unflushed_bytes: 2 * 4 * MIB, ..Budget::default() };
    peak.assert_within(&budget, "floods of tiny frames");
}

/// Sends one frame over and over until all is sent or the node has had enough; says how many bytes it took. Reads what
/// comes all the time, or not before it is told.
fn flood(node: &TestNode, frame: &'static [u8], told: Option<mpsc::Receiver<()>>) -> thread::JoinHandle<usize> {
    let mut socket = RawWebSocket::open(node.address(), None);
    let mut reader = socket.again();
    let reading = thread::spawn(move || {
        // Nothing is sent: the other end is dropped.
        told.map(|told| told.recv().ok());
        reader.wait_for_end();
    });
    thread::spawn(move || {
        // Whoever sends parts has begun a message: an empty one.
        if frame == PART {
            socket.send_raw(b"\x01\x80\0\0\0\0").unwrap();
        }
        let frames = frame.repeat(4_096);
        let mut sent = 0;
        while sent < FLOOD_BYTES && socket.send_raw(&frames).is_ok() {
            sent += frames.len();
        }
        // The node gives up by itself.
        reading.join().unwrap();
        sent
    })
}

/// Publishes one message after the other; says how long that took in the median and at most, in microseconds.
fn publish_one_by_one(node: &TestNode) -> (u128, u128) {
    let mut connection = Connection::open(node.address());
    let mut took: Vec<_> = (0..PUBLISHES)
        .map(|_| {
            let begun = Instant::now();
            let answer = connection.request("POST", "/v1/topics/orders/publish", &[], b"healthy");
            assert_eq!(answer.status, 200, "{}", answer.body_text());
            begun.elapsed().as_micros()
        })
        .collect();
    took.sort_unstable();
    (took[PUBLISHES / 2], took[PUBLISHES - 1])
}
