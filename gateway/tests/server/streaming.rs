//! Answers that are made while they are sent, and bodies that are taken while they arrive.

use std::{io::Write, net::Shutdown as Half, time::Duration};

use gateway::{config::GatewayConfig, limits};

use crate::{
    fixture::{Client, Front},
    get,
};

fn stream(name: &str) -> String {
    get(&format!("/v1/topics/{name}"))
}

fn upload(framing: &str, name: &str) -> String {
    format!("POST /v1/topics/{name}/messages HTTP/1.1\r\nHost: a\r\nContent-Type: test/stream\r\n{framing}\r\n\r\n")
}

fn chunks(client: &mut Client) -> Vec<String> {
    std::iter::from_fn(|| Some(client.chunk()).filter(|chunk| !chunk.is_empty())).collect()
}

#[test]
fn a_stream_comes_in_chunks_and_the_connection_goes_on() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    client.send(&format!("{}{}", stream("ten"), get("/readyz")));
    assert!(client.head().contains("transfer-encoding: chunked\r\n"));
    assert_eq!(chunks(&mut client).concat(), "12345678910");
    assert_eq!(client.answer().body, "ready");
}

#[test]
fn http_1_0_is_sent_a_stream_up_to_the_end_of_the_connection() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    client.send("GET /v1/topics/ten HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let head = client.head();
    assert!(head.contains("connection: close\r\n") && !head.contains("transfer-encoding"), "{head}");
    assert_eq!(client.rest(), "12345678910");
}

#[test]
fn head_is_sent_no_stream() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    client.send(&format!("{}{}", stream("endless").replace("GET", "HEAD"), get("/readyz")));
    assert!(client.head().contains("transfer-encoding: chunked\r\n"));
    assert_eq!(client.answer().body, "ready");
}

#[test]
fn the_head_and_each_piece_go_out_at_once() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    client.send(&stream("silent"));
    client.head();
    assert_eq!(client.chunk(), "1");
}

#[test]
fn the_stop_of_the_node_ends_a_stream_in_order() {
    let shutdown_grace = Duration::from_hours(1);
    let front = Front::start(GatewayConfig { shutdown_grace, ..GatewayConfig::default() });
    let mut client = front.connect();
    client.send(&stream("silent"));
    client.head();
    assert_eq!(client.chunk(), "1");
    front.stop();
    assert_eq!(chunks(&mut client), ["bye"]);
    assert!(client.is_closed());
    front.join();
}

#[test]
fn a_stream_ends_when_its_client_leaves() {
    let front = Front::start(GatewayConfig::default());
    for name in ["silent", "endless"] {
        let mut client = front.connect();
        client.send(&stream(name));
        client.head();
        drop(client);
        front.wait_for(|metrics| metrics.http_connections.get() == 0);
    }
}

#[test]
fn a_reader_who_takes_nothing_is_given_up() {
    let write_timeout = Duration::from_millis(1);
    let front = Front::start(GatewayConfig { write_timeout, ..GatewayConfig::default() });
    let mut client = front.connect();
    client.send(&stream("endless"));
    // Nothing is read.
    front.wait_for(|metrics| metrics.slow_consumers.get() == 1);
    front.wait_for(|metrics| metrics.http_connections.get() == 0);
}

#[test]
fn a_body_is_answered_while_it_arrives() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    client.send(&upload("Transfer-Encoding: chunked", "upper"));
    assert!(client.head().starts_with("HTTP/1.1 200 "));
    for (sent, received) in [("3\r\nabc\r\n", "ABC"), ("1\r\nd\r\n", "D")] {
        client.send(sent);
        assert_eq!(client.chunk(), received);
    }
    client.send(&format!("0\r\n\r\n{}", get("/readyz")));
    assert_eq!(client.chunk(), "");
    assert_eq!(client.answer().body, "ready");
}

#[test]
fn a_body_that_is_answered_while_it_arrives_may_be_larger_than_others() {
    let front = Front::start(GatewayConfig { body_bytes_max: 1_000, ..GatewayConfig::default() });
    let mut client = front.connect();
    client.send(&upload("Content-Length: 1000000", "upper"));
    client.head();
    let mut writing = client.stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || writing.write_all(&vec![b'a'; 1_000_000]));
    assert!(chunks(&mut client).concat() == "A".repeat(1_000_000));
    writer.join().unwrap().unwrap();
    client.send(&get("/readyz"));
    assert_eq!(client.answer().body, "ready");
}

#[test]
fn who_waits_to_be_told_is_told_when_the_body_is_wanted() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    client.send(&upload("Content-Length: 2\r\nExpect: 100-continue", "upper"));
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.head();
    client.send("ab");
    assert_eq!(chunks(&mut client), ["AB"]);
    // A body that is not wanted is not asked for.
    client.send(&upload("Content-Length: 2\r\nExpect: 100-continue", "refused"));
    let refused = client.answer();
    assert!(refused.head.contains("connection: close\r\n"), "{}", refused.head);
    assert!(client.is_closed());
}

#[test]
fn who_closes_the_sending_side_gets_the_answer_to_what_was_sent() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    client.send(&upload("Content-Length: 2", "upper"));
    client.send("ab");
    client.stream.shutdown(Half::Write).unwrap();
    client.head();
    assert_eq!(chunks(&mut client), ["AB"]);
    let mut client = front.connect();
    client.send(&upload("Content-Length: 3", "upper"));
    client.send("ab");
    client.stream.shutdown(Half::Write).unwrap();
    client.head();
    assert!(chunks(&mut client).concat().contains("ended before its end"));
}

#[test]
fn a_body_that_is_broken_or_falls_silent_ends_its_answer_and_the_connection() {
    let body_timeout = Duration::from_millis(1);
    let front = Front::start(GatewayConfig { body_timeout, ..GatewayConfig::default() });
    for (sent, said) in [("zz\r\n", "chunk"), ("5\r\nab", "too long")] {
        let mut client = front.connect();
        client.send(&upload("Transfer-Encoding: chunked", "upper"));
        client.send(sent);
        client.head();
        let all = chunks(&mut client).concat();
        assert!(all.contains(said), "{all}");
        assert!(client.is_closed());
    }
}

#[test]
fn what_is_sent_behind_an_answer_that_has_ended_is_no_request() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    client.send(&upload("Transfer-Encoding: chunked", "upper"));
    client.send(&format!("1\r\n!\r\n{}", get("/readyz")));
    client.head();
    assert_eq!(chunks(&mut client), ["!"]);
    assert!(client.is_closed());
}

#[test]
fn a_client_that_reads_nothing_is_read_no_more() {
    let front = Front::start(GatewayConfig::default());
    let mut client = front.connect();
    let all = 64 << 20;
    client.send(&upload(&format!("Content-Length: {all}"), "upper"));
    let mut writing = client.stream.try_clone().unwrap();
    let part = vec![b'a'; 64 << 10];
    let writer = std::thread::spawn(move || (0..all / part.len()).try_for_each(|_| writing.write_all(&part)));
    client.head();
    let mut read = 0;
    while read < all {
        // Whatever the buffers of the connection hold is taken, and not more.
        let (received, sent) = (front.metrics.received_bytes.get(), front.metrics.sent_bytes.get());
        assert!(received < sent + 3 * limits::READ_BYTES as u64, "{received} bytes in, {sent} out");
        read += client.chunk().len();
    }
    writer.join().unwrap().unwrap();
}
