//! Traces as a real OpenTelemetry collector gets them: one from the publisher to the consumer, over both protocols, through
//! every store and from node to node; and what becomes of them where nobody takes them.

mod collector;
mod tls_front;

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::{
    harness::{TestNode, data_directory, eventually},
    http::{Answer, Connection},
    nodes::TestNodes,
    redis::RedisServer,
    tls::authority::Authority,
    websocket::{Frame, RawWebSocket},
};

use tls_front::TlsFront;

pub(crate) use collector::{Collector, Span, has_all, only};

/// Traces that clients have begun.
pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
pub(crate) const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";
/// What clients send that is none of a collector's business.
const SECRETS: [&str; 3] = ["canary-of-a-payload", "canary-of-a-key", "canary-of-an-attribute"];

/// A connection to a node, on which there is a topic with a subscription.
fn prepared(node: &TestNode) -> Connection {
    let mut connection = Connection::open(node.address());
    for (path, body) in [("topics/orders", r#"{"partitions":1}"#), ("subscriptions/billing", r#"{"topic":"orders"}"#)] {
        assert_eq!(connection.request("PUT", &format!("/v1/{path}"), &[], body.as_bytes()).status, 201);
    }
    connection
}

fn publish(connection: &mut Connection, headers: &[(&str, &str)]) -> Answer {
    let [payload, key, attribute] = SECRETS;
    let headers = [headers, &[("pubsub-attr-colour", attribute)]].concat();
    connection.request("POST", &format!("/v1/topics/orders/publish?key={key}"), &headers, payload.as_bytes())
}

/// What is pulled, and what each message says of its trace.
fn pull(connection: &mut Connection, headers: &[(&str, &str)]) -> Vec<Value> {
    let path = "/v1/subscriptions/billing/pull";
    let answer = connection.request("POST", path, headers, br#"{"wait_ms":10000}"#);
    assert_eq!(answer.status, 200, "{answer:?}");
    let messages = answer.json()["messages"].as_array().unwrap().clone();
    messages.into_iter().map(|message| message["attributes"]["traceparent"].clone()).collect()
}

fn of_trace(spans: &[Span], trace: &str) -> Vec<Span> {
    spans.iter().filter(|span| span.trace == trace).cloned().collect()
}

#[test]
fn a_message_is_one_trace_from_publisher_to_consumer_over_grpc() {
    one_trace("grpc");
}

#[test]
fn a_message_is_one_trace_from_publisher_to_consumer_over_http() {
    one_trace("http");
}

fn one_trace(protocol: &str) {
    let Some(collector) = Collector::start() else { return };
    let mut node = collector.node(protocol, &[("tracing.sample_ratio", "0"), ("tracing.service_name", "shop")]);
    let mut connection = prepared(&node);
    let state = [("traceparent", PARENT), ("tracestate", "a=b"), ("tracestate", "c=d")];
    assert_eq!(publish(&mut connection, &state).status, 200);
    let told = pull(&mut connection, &[]);
    let names = ["POST /v1/topics/{topic}/publish", "publish orders", "append", "store log", "deliver orders"];
    let spans = collector.await_spans(|spans| has_all(spans, &names));
    assert_eq!(spans.len(), names.len(), "nothing else is recorded: {spans:#?}");
    assert!(spans.iter().all(|span| span.trace == TRACE));
    let [request, publish, append, store, deliver] = names.map(|name| only(&spans, name));
    assert_eq!(request.parent, &PARENT[36..52]);
    assert_eq!((&publish.parent, &append.parent, &store.parent), (&request.id, &publish.id, &append.id));
    assert_eq!(deliver.parent, publish.id, "the message was told of its publish");
    assert_eq!(told, [json!(publish.context())]);
    let kinds = [request, publish, append, store, deliver].map(|span| span.kind.as_str());
    let [server, producer, internal, consumer] = ["SERVER", "PRODUCER", "INTERNAL", "CONSUMER"];
    assert_eq!(kinds.map(|kind| kind.replace("SPAN_KIND_", "")), [server, producer, internal, internal, consumer]);
    for (span, name, value) in [
        (request, "http.request.method", "POST"),
        (request, "http.route", "/v1/topics/{topic}/publish"),
        (request, "http.response.status_code", "200"),
        (publish, "messaging.system", "pubsubring"),
        (publish, "messaging.operation.name", "publish"),
        (publish, "messaging.destination.name", "orders"),
        (publish, "messaging.batch.message_count", "1"),
        (append, "messaging.destination.partition.id", "0"),
        (append, "pubsub.message.offset", "0"),
        (deliver, "messaging.destination.subscription.name", "billing"),
        (deliver, "pubsub.delivery_attempt", "1"),
    ] {
        assert_eq!(span.text(name), value, "{name}");
    }
    assert_eq!(request.resource["service.name"], "Str(shop)");
    let counted = || node.metric("pubsub_trace_spans_exported_total") == [(String::new(), 5.0)];
    assert!(eventually(counted), "what the collector has taken is counted");
    assert!(node.terminate().success());
    let output = collector.output();
    for secret in SECRETS {
        assert!(!output.contains(secret), "{secret} has reached the collector");
    }
}

#[test]
fn what_is_recorded_is_decided_once_where_the_trace_begins() {
    let Some(collector) = Collector::start() else { return };
    let mut node = collector.node("grpc", &[("tracing.sample_ratio", "0")]);
    let mut connection = prepared(&node);
    let unsampled = PARENT.replace("-01", "-00");
    for headers in [&[][..], &[("traceparent", unsampled.as_str())], &[("traceparent", "no context")]] {
        assert_eq!(publish(&mut connection, headers).status, 200);
    }
    let told = pull(&mut connection, &[]);
    assert_eq!(told, [Value::Null, json!(unsampled), Value::Null], "what is not recorded is passed on as it came");
    // A node that ends exports what is left.
    assert!(node.terminate().success());
    assert_eq!(collector.spans(), []);

    node.set("tracing.sample_ratio", "1");
    node.restart();
    let mut connection = Connection::open(node.address());
    assert_eq!(publish(&mut connection, &[("traceparent", unsampled.as_str())]).status, 200);
    assert_eq!(publish(&mut connection, &[]).status, 200);
    // What was given before the restart may come first.
    let mut is_there = || {
        let told = pull(&mut connection, &[("traceparent", unsampled.as_str())]);
        told.iter().any(|context| context.as_str().is_some_and(|context| context.ends_with("-01")))
    };
    assert!(eventually(&mut is_there));
    assert!(node.terminate().success());
    let spans = collector.spans();
    let publish = only(&spans, "publish orders");
    assert_ne!(publish.trace, TRACE);
    assert!(spans.iter().all(|span| span.trace == publish.trace), "{spans:#?}");
    let request = only(&spans, "POST /v1/topics/{topic}/publish");
    assert_eq!((request.parent.as_str(), &publish.parent), ("", &request.id));
    assert_eq!(only(&spans, "deliver orders").parent, publish.id);
}

#[test]
fn messages_of_several_traces_link_what_is_done_with_them_together() {
    let Some(collector) = Collector::start() else { return };
    let node = collector.node("http", &[("tracing.sample_ratio", "0")]);
    let mut connection = prepared(&node);
    let message = |parent: &str| json!({ "text": SECRETS[0], "attributes": { "traceparent": parent } });
    let mut socket = RawWebSocket::open(node.address(), None);
    let frame = json!({ "op": "publish", "ref": 1, "topic": "orders", "messages": [message(PARENT), message(OTHER)] });
    socket.send_text(&frame.to_string());
    assert!(matches!(socket.next(), Frame::Text(answer) if answer.contains("published")));
    let pulling = "00-2af7651916cd43dd8448eb211c80319c-d7ad6b7169203331-01";
    let told = pull(&mut connection, &[("traceparent", pulling)]);
    assert_eq!(told, [json!(PARENT), json!(OTHER)], "what a message says itself stays");
    let spans = collector.await_spans(|spans| {
        spans.iter().filter(|span| span.name == "deliver orders").count() == 2
            && has_all(spans, &["publish orders", "receive orders"])
    });
    let named = |context: &str| (context[3..35].to_owned(), context[36..52].to_owned());
    let publish = only(&spans, "publish orders");
    assert_eq!((publish.trace.as_str(), publish.parent.as_str()), (TRACE, &PARENT[36..52]));
    assert_eq!(publish.links, [named(OTHER)]);
    let receive = only(&spans, "receive orders");
    assert_eq!(receive.trace, named(pulling).0);
    assert_eq!(receive.links, [named(PARENT), named(OTHER)]);
    for parent in [PARENT, OTHER] {
        let delivered = of_trace(&spans, &named(parent).0);
        let deliver = only(&delivered, "deliver orders");
        assert_eq!((&deliver.parent, &deliver.links[..]), (&named(parent).1, &[named(&receive.context())][..]));
    }
}

#[test]
fn a_collector_that_is_not_there_costs_its_spans_and_nothing_else() {
    const PUBLISHES: u64 = 200;
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{nobody}");
    for protocol in ["grpc", "http"] {
        let settings = [
            ("tracing.enabled", "true"),
            ("tracing.otlp_endpoint", &endpoint),
            ("tracing.otlp_protocol", protocol),
            ("tracing.sample_ratio", "1"),
            ("tracing.queue_spans_max", "16"),
        ];
        let mut node = TestNode::start_with(&settings);
        let mut connection = prepared(&node);
        for number in 0..PUBLISHES {
            let answer = publish(&mut connection, &[]);
            assert_eq!((answer.status, answer.json()["offset"].as_u64()), (200, Some(number)));
        }
        let dropped = |reason: &str| {
            let labels = format!("{{reason=\"{reason}\"}}");
            let samples = node.metric("pubsub_trace_spans_dropped_total");
            samples.into_iter().find(|(found, _)| *found == labels).unwrap().1
        };
        assert!(dropped("queue_full") > 0.0, "more were recorded than may wait");
        assert!(eventually(|| dropped("export_failed") > 0.0), "those that had waited are given up");
        assert_eq!(node.metric("pubsub_trace_spans_exported_total"), [(String::new(), 0.0)]);
        let told = node.log().iter().filter(|line| line.contains("takes no spans")).count();
        assert_eq!(told, 1, "it is said once");
        assert!(node.terminate().success());
    }
}

/// A node that sends its traces by TLS, to whom `ca_file` has signed for.
fn node_by_tls(front: &TlsFront, protocol: &str, ca_file: &str) -> TestNode {
    TestNode::start_with(&[
        ("tracing.enabled", "true"),
        ("tracing.otlp_protocol", protocol),
        ("tracing.otlp_endpoint", &format!("https://{}", front.address)),
        ("tracing.ca_file", ca_file),
    ])
}

#[test]
fn traces_go_by_tls_to_a_collector_that_the_node_trusts() {
    for protocol in ["grpc", "http"] {
        let Some(collector) = Collector::start() else { return };
        let Some(front) = TlsFront::start(collector.address(protocol), &Authority::new("ours")) else { return };
        let node = node_by_tls(&front, protocol, &front.issuer());
        assert_eq!(publish(&mut prepared(&node), &[("traceparent", PARENT)]).status, 200);
        let names = ["POST /v1/topics/{topic}/publish", "publish orders", "append", "store log"];
        collector.await_spans(|spans| has_all(spans, &names));
    }
}

#[test]
fn no_trace_goes_to_a_collector_that_the_node_does_not_trust() {
    let Some(collector) = Collector::start() else { return };
    let strangers = data_directory();
    Authority::new("theirs").write_server(strangers.path());
    let issuer = strangers.path().join("ca.crt").display().to_string();
    for protocol in ["grpc", "http"] {
        let Some(front) = TlsFront::start(collector.address(protocol), &Authority::new("ours")) else { return };
        let node = node_by_tls(&front, protocol, &issuer);
        assert_eq!(publish(&mut prepared(&node), &[("traceparent", PARENT)]).status, 200);
        let given_up = |(labels, count): &(String, f64)| labels.contains("export_failed") && *count > 0.0;
        let failed = || node.metric("pubsub_trace_spans_dropped_total").iter().any(given_up);
        assert!(eventually(failed), "they are given up, and counted");
        assert_eq!(collector.spans(), []);
    }
}

#[test]
fn what_redis_takes_is_seen() {
    let Some(collector) = Collector::start() else { return };
    let redis = RedisServer::start();
    let port = redis.port().to_string();
    let node = collector.node("grpc", &[("store", "redis"), ("redis.port", &port)]);
    let mut connection = prepared(&node);
    assert_eq!(publish(&mut connection, &[("traceparent", PARENT)]).status, 200);
    let spans = collector.await_spans(|spans| has_all(spans, &["append", "store redis"]));
    let (append, store) = (only(&spans, "append"), only(&spans, "store redis"));
    assert_eq!((&store.parent, store.kind.as_str()), (&append.id, "SPAN_KIND_CLIENT"));
    assert_eq!(store.text("db.system.name"), "redis");
}

#[test]
fn a_publish_through_another_node_is_one_trace() {
    let Some(collector) = Collector::start() else { return };
    let settings = collector.settings("grpc");
    let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let nodes = TestNodes::start_on_disks(3, &settings);
    let ask = |through: u64, method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        Connection::open(&nodes.address(through)).request(method, path, headers, body.as_bytes())
    };
    let topic = r#"{"partitions":1,"replication_factor":3,"min_insync":2}"#;
    assert_eq!(ask(1, "PUT", "/v1/topics/orders", &[], topic).status, 201);
    let layout = |number: u64| nodes.get(number, "/v1/topics/orders")["layout"][0].clone();
    nodes.until("all copies are in sync", |nodes| {
        nodes.running().all(|number| layout(number)["isr"].as_array().is_some_and(|isr| isr.len() == 3))
    });
    let owner = layout(1)["owner"]["node"].as_u64().unwrap();
    let other = nodes.running().find(|number| *number != owner).unwrap();
    let answer = ask(other, "POST", "/v1/topics/orders/publish", &[("traceparent", PARENT)], "two coffees");
    assert_eq!(answer.json()["durability"], "quorum", "{answer:?}");
    let names = ["publish orders", "forward", "append", "store log", "replicate"];
    let spans = collector.await_spans(|spans| has_all(&of_trace(spans, TRACE), &names));
    let spans = of_trace(&spans, TRACE);
    let [publish, forward, append, store, replicate] = names.map(|name| only(&spans, name));
    assert_eq!((&forward.parent, &append.parent), (&publish.id, &forward.id));
    assert_eq!((&store.parent, &replicate.parent), (&append.id, &append.id));
    let nodes_of = [publish, forward, append, replicate].map(|span| span.resource["service.instance.id"].clone());
    let [asked, owning] = [other, owner].map(|number| format!("Str({number})"));
    assert_eq!(nodes_of, [asked.clone(), asked, owning.clone(), owning]);
}
