//! Nodes that die, stop, and are cut off while others serve what they had.

use serde_json::{Value, json};

use crate::{
    events::EventReader,
    http::{Answer, Connection},
    nodes::TestNodes,
    websocket::{Frame, RawWebSocket},
};

pub(crate) const PARTITIONS: u64 = 6;

fn request(cluster: &TestNodes, through: u64, method: &str, path: &str, body: &Value) -> Answer {
    let mut connection = Connection::open(&cluster.address(through));
    connection.request(method, path, &[("content-type", "application/json")], body.to_string().as_bytes())
}

/// A cluster with a topic, and a subscription that begins with its first message.
pub(crate) fn with_topic(nodes: TestNodes) -> TestNodes {
    with_topic_of(nodes, &json!({ "partitions": PARTITIONS }))
}

/// The same of a topic that is configured so.
pub(crate) fn with_topic_of(nodes: TestNodes, topic: &Value) -> TestNodes {
    assert_eq!(request(&nodes, 1, "PUT", "/v1/topics/orders", topic).status, 201);
    let billing = json!({ "topic": "orders", "start": "earliest", "ack_deadline_ms": 60_000 });
    assert_eq!(request(&nodes, 2, "PUT", "/v1/subscriptions/billing", &billing).status, 201);
    let knows = |nodes: &TestNodes, number| {
        request(nodes, number, "GET", "/v1/subscriptions/billing", &Value::Null).status == 200
    };
    nodes.until("every node knows the subscription", |nodes| {
        nodes.numbers().into_iter().all(|number| knows(nodes, number))
    });
    nodes
}

/// One message, with its text for its id.
fn publish(nodes: &TestNodes, through: u64, partition: u64, text: &str) -> Answer {
    let message = json!({ "id": text, "text": text, "partition": partition });
    request(nodes, through, "POST", "/v1/topics/orders/messages", &json!({ "messages": [message] }))
}

/// The offset of a message that must be stored.
pub(crate) fn published(nodes: &TestNodes, through: u64, partition: u64, text: &str) -> (u64, bool) {
    let answer = publish(nodes, through, partition, text);
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    let result = answer.json()["results"][0].clone();
    (result["offset"].as_u64().unwrap_or_else(|| panic!("{result}")), result["duplicate"].as_bool().unwrap())
}

/// Which node owns a partition, as a node sees it.
pub(crate) fn owner(nodes: &TestNodes, through: u64, partition: u64) -> Option<u64> {
    let topic = nodes.get(through, "/v1/topics/orders");
    let layout = topic["layout"].as_array()?;
    layout.iter().find(|placed| placed["partition"] == partition)?["owner"]["node"].as_u64()
}

/// The ids of all messages of a partition; a page may give fewer than there are.
pub(crate) fn texts_of(nodes: &TestNodes, through: u64, partition: u64) -> Vec<String> {
    let (mut texts, mut offset) = (Vec::new(), 0);
    loop {
        let path = format!("/v1/topics/orders/partitions/{partition}/messages?offset={offset}&limit=1000");
        let page = nodes.get(through, &path);
        let messages = page["messages"].as_array().unwrap_or_else(|| panic!("{page}"));
        if messages.is_empty() {
            return texts;
        }
        texts.extend(messages.iter().map(|message| message["id"].as_str().unwrap().to_owned()));
        offset = page["next_offset"].as_u64().unwrap();
    }
}

fn pull(nodes: &TestNodes, through: u64, count: u64) -> Vec<Value> {
    let pulled = request(
        nodes,
        through,
        "POST",
        "/v1/subscriptions/billing/pull",
        &json!({ "max_messages": count, "wait_ms": 2_000 }),
    );
    assert_eq!(pulled.status, 200, "{}", pulled.body_text());
    pulled.json()["messages"].as_array().unwrap().clone()
}

fn ack(nodes: &TestNodes, through: u64, messages: &[Value]) -> Value {
    let ids: Vec<_> = messages.iter().map(|message| message["ack_id"].clone()).collect();
    request(nodes, through, "POST", "/v1/subscriptions/billing/ack", &json!({ "ack_ids": ids })).json()
}

/// The partitions of a node that is not the one asked.
pub(crate) fn partition_of(nodes: &TestNodes, wanted: u64, through: u64) -> u64 {
    (0..PARTITIONS).find(|&partition| owner(nodes, through, partition) == Some(wanted)).unwrap()
}

#[test]
fn any_node_answers_for_any_partition() {
    let nodes = with_topic(TestNodes::start(3));
    for through in 1..=3 {
        for partition in 0..PARTITIONS {
            published(&nodes, through, partition, &format!("{through}-{partition}"));
        }
    }
    for through in 1..=3 {
        for partition in 0..PARTITIONS {
            let expected: Vec<_> = (1..=3).map(|through| format!("{through}-{partition}")).collect();
            assert_eq!(texts_of(&nodes, through, partition), expected);
        }
    }
    // Pulled through one node, acked through another.
    let mut seen = Vec::new();
    while seen.len() < 18 {
        let messages = pull(&nodes, 3, 18);
        let acked = ack(&nodes, 1, &messages);
        assert!(acked["errors"].as_array().is_none_or(Vec::is_empty), "{acked}");
        seen.extend(messages.iter().map(|message| message["id"].as_str().unwrap().to_owned()));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 18, "each once");
    assert_eq!(nodes.get(2, "/v1/subscriptions/billing")["backlog"], 0);
}

/// What a subscription has with the partitions of a node goes on when that node is gone: cursors, leases, and what is known
/// of ids.
#[test]
fn the_partitions_of_a_dead_node_are_served_by_the_others() {
    let mut nodes = with_topic(TestNodes::start(3));
    let leader = nodes.leader().unwrap();
    // The worst of them: it leads too.
    let (dead, left) = (leader, leader % 3 + 1);
    let partition = partition_of(&nodes, dead, left);
    let before: Vec<_> = (0..4).map(|number| published(&nodes, left, partition, &format!("m{number}"))).collect();
    assert_eq!(before, [(0, false), (1, false), (2, false), (3, false)]);
    let held = pull(&nodes, left, 2);
    assert_eq!(held.len(), 2);
    let (acked, leased) = held.split_at(1);
    ack(&nodes, left, acked);

    nodes.kill(dead);
    nodes.until("another node owns the partition", |nodes| {
        owner(nodes, left, partition).is_some_and(|owner| owner != dead)
    });
    assert_eq!(published(&nodes, left, partition, "m3"), (3, true), "an id is known to the new owner");
    assert_eq!(published(&nodes, left, partition, "m4"), (4, false));
    assert_eq!(texts_of(&nodes, left, partition), ["m0", "m1", "m2", "m3", "m4"]);
    let answered = ack(&nodes, left, leased);
    assert!(answered["errors"].as_array().is_none_or(Vec::is_empty), "a lease holds at the new owner: {answered}");
    let rest: Vec<_> = pull(&nodes, left, 10).iter().map(|message| message["id"].clone()).collect();
    assert_eq!(rest, ["m2", "m3", "m4"], "nothing that was acked comes again, and nothing is missing");

    nodes.restart(dead);
    nodes.until("the node is one of them again", |nodes| owner(nodes, dead, partition).is_some());
    assert_eq!(texts_of(&nodes, dead, partition), ["m0", "m1", "m2", "m3", "m4"]);
}

#[test]
fn with_the_log_store_the_partitions_of_a_dead_node_wait_for_it() {
    let alone = json!({ "partitions": PARTITIONS, "replication_factor": 1 });
    let mut nodes = with_topic_of(TestNodes::start_on_disks(3, &[]), &alone);
    let leader = nodes.leader().unwrap();
    let (dead, left) = (leader % 3 + 1, leader);
    let (lost, kept) = (partition_of(&nodes, dead, left), partition_of(&nodes, left, left));
    published(&nodes, left, lost, "before");
    nodes.kill(dead);
    nodes.until("the partition is known to be away", |nodes| {
        let refused = publish(nodes, left, lost, "meanwhile");
        let problem = refused.json();
        refused.status == 503 && problem["retryable"] == true && problem["outcome"] == "not_applied"
    });
    published(&nodes, left, kept, "elsewhere");
    nodes.restart(dead);
    nodes.until("it is back", |nodes| publish(nodes, left, lost, "after").status == 200);
    let texts = texts_of(&nodes, left, lost);
    assert_eq!((texts.first().map(String::as_str), texts.last().map(String::as_str)), (Some("before"), Some("after")));
}

#[test]
fn a_node_without_a_majority_serves_nothing() {
    let nodes = with_topic(TestNodes::start(3));
    let partition = partition_of(&nodes, 1, 1);
    published(&nodes, 1, partition, "before");
    nodes.pause(2);
    nodes.pause(3);
    nodes.until("it refuses", |nodes| {
        let refused = publish(nodes, 1, partition, "meanwhile");
        refused.status == 503 && refused.json()["outcome"] == "not_applied"
    });
    // Others may have gone on with the partition: what it knows of the end of the log may be old.
    let path = format!("/v1/topics/orders/partitions/{partition}/messages?offset=0");
    let read = request(&nodes, 1, "GET", &path, &Value::Null);
    assert_eq!((read.status, read.json()["retryable"].clone()), (503, Value::Bool(true)), "{}", read.body_text());
    nodes.resume(2);
    nodes.resume(3);
    nodes.until("it goes on", |nodes| publish(nodes, 1, partition, "after").status == 200);
    let texts = texts_of(&nodes, 1, partition);
    assert_eq!(texts.iter().filter(|text| *text == "after").count(), 1);
}

#[test]
fn a_node_that_stops_hands_over_first_and_no_publish_fails() {
    let mut nodes = with_topic(TestNodes::start(3));
    let stopping = nodes.leader().unwrap();
    let left = stopping % 3 + 1;
    let address = nodes.address(left);
    let published = std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let publishing = scope.spawn(move || {
            let mut connection = Connection::open(&address);
            let mut count: u64 = 0;
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                let partition = count % PARTITIONS;
                let message = json!({ "id": format!("m{count}"), "text": "", "partition": partition });
                let body = json!({ "messages": [message] }).to_string();
                let answer = connection.request("POST", "/v1/topics/orders/messages", &[], body.as_bytes());
                assert_eq!(answer.status, 200, "{}", answer.body_text());
                assert!(answer.json()["results"][0]["offset"].is_u64(), "{}", answer.body_text());
                count += 1;
            }
            count
        });
        assert!(nodes.terminate(stopping).success());
        stop.send(()).unwrap();
        publishing.join().unwrap()
    });
    let stored: usize = (0..PARTITIONS).map(|partition| texts_of(&nodes, left, partition).len()).sum();
    assert_eq!(u64::try_from(stored).unwrap(), published);
}

#[test]
fn a_websocket_subscription_outlives_the_owner_of_its_partitions() {
    let mut nodes = with_topic(TestNodes::start(3));
    let leader = nodes.leader().unwrap();
    let (dead, left) = (leader % 3 + 1, leader);
    let partition = partition_of(&nodes, dead, left);
    let mut socket = RawWebSocket::open(&nodes.address(left), Some("pubsub.v1.json"));
    socket.send_text(r#"{"op":"subscribe","subscription":"billing","credit":100}"#);
    published(&nodes, left, partition, "before");
    let mut seen = Vec::new();
    let mut await_message = |socket: &mut RawWebSocket<_>, wanted: &str| {
        while !seen.iter().any(|id| id == wanted) {
            let Frame::Text(text) = socket.next() else { panic!("the socket ended") };
            let frame: Value = serde_json::from_str(&text).unwrap();
            assert_ne!(frame["op"], "error", "{frame}");
            for message in frame["messages"].as_array().into_iter().flatten() {
                seen.push(message["id"].as_str().unwrap().to_owned());
            }
        }
    };
    await_message(&mut socket, "before");
    nodes.kill(dead);
    nodes.until("another node owns the partition", |nodes| {
        owner(nodes, left, partition).is_some_and(|owner| owner != dead)
    });
    published(&nodes, left, partition, "after");
    await_message(&mut socket, "after");
}

#[test]
fn a_stream_of_events_outlives_the_owner_of_its_partitions() {
    let mut nodes = with_topic(TestNodes::start(3));
    let leader = nodes.leader().unwrap();
    let (dead, left) = (leader % 3 + 1, leader);
    let partition = partition_of(&nodes, dead, left);
    let mut events = EventReader::open(&nodes.address(left), "orders", "?from=earliest");
    for offset in 0..2 {
        published(&nodes, left, partition, &format!("before-{offset}"));
        assert_eq!(events.place(), (partition, offset));
    }
    nodes.kill(dead);
    nodes.until("another node owns the partition", |nodes| {
        owner(nodes, left, partition).is_some_and(|owner| owner != dead)
    });
    for offset in 2..4 {
        published(&nodes, left, partition, &format!("after-{offset}"));
        assert_eq!(events.place(), (partition, offset), "over the same connection, without a gap or a repeat");
    }
    // One that begins elsewhere has all of it.
    let mut later = EventReader::open(&nodes.address(6 - dead - left), "orders", "?from=earliest");
    for offset in 0..4 {
        assert_eq!(later.place(), (partition, offset));
    }
}

#[test]
fn a_node_that_waits_for_a_majority_is_alive_and_not_ready() {
    let mut nodes = with_topic(TestNodes::start(3));
    (1..=3).for_each(|number| nodes.kill(number));
    let waiting = nodes.begin_restart(1);
    nodes.until("its port answers", |nodes| std::net::TcpStream::connect(nodes.address(1)).is_ok());
    let asked = |path: &str| crate::http::get(&nodes.address(1), path);
    for _ in 0..3 {
        assert_eq!((asked("/healthz").status, asked("/readyz").status), (200, 503));
        let checked = |question| crate::health_check::check(question, &nodes.address(1), &[]).0;
        assert_eq!((checked("--health-check"), checked("--health-check=ready")), (Some(0), Some(1)));
        let refused = asked("/v1/topics");
        assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("metadata_unavailable")));
        assert!(refused.header("retry-after").is_some(), "{}", refused.head);
    }
    nodes.restart(2);
    nodes.serves(1, waiting);
    // Others have to take over first what the node had that stays away.
    nodes.until("it is ready", |nodes| crate::http::get(&nodes.address(1), "/readyz").status == 200);
    published(&nodes, 1, 0, "after");
}
