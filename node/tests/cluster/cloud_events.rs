//! CloudEvents into a real node and out of it again, in every mode.

use serde_json::{Value, json};

use crate::{
    harness::TestNode,
    http::{Answer, Connection},
};

const EVENT_JSON: &str = "application/cloudevents+json";

fn event(id: &str) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "/shop", "type": "order.placed", "subject": "Café \"7\"",
        "datacontenttype": "application/json", "data": { "coffees": 2 } })
}

/// What of an event was in the one that was published.
fn without_place(mut event: Value) -> Value {
    event.as_object_mut().unwrap().retain(|name, _| !name.starts_with("pubsub"));
    event
}

fn publish(connection: &mut Connection, content_type: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let headers: Vec<_> = [("Content-Type", content_type)].into_iter().chain(headers.iter().copied()).collect();
    connection.request("POST", "/v1/topics/orders/publish", &headers, body.to_string().as_bytes())
}

#[test]
fn events_come_out_as_they_went_in_whichever_way_they_came() {
    let node = TestNode::start();
    let mut connection = Connection::open(node.address());
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], br#"{"partitions":1}"#).status, 201);
    let from_earliest = br#"{"topic":"orders","start":"earliest"}"#;
    assert_eq!(connection.request("PUT", "/v1/subscriptions/billing", &[], from_earliest).status, 201);

    let structured = publish(&mut connection, EVENT_JSON, &[], &event("structured"));
    assert_eq!((structured.status, structured.json()["id"].as_str()), (200, Some("structured")));
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "binary"),
        ("ce-source", "/shop"),
        ("ce-type", "order.placed"),
        ("ce-subject", "Caf%C3%A9%20%227%22"),
    ];
    assert_eq!(publish(&mut connection, "application/json", &headers, &event("")["data"]).status, 200);
    let batch = json!([event("first"), event("second")]).to_string();
    let batch_type = [("Content-Type", "application/cloudevents-batch+json; charset=utf-8")];
    let answer = connection.request("POST", "/v1/topics/orders/messages", &batch_type, batch.as_bytes());
    assert_eq!((answer.status, &answer.json()["results"][1]["id"]), (200, &json!("second")));
    // An event that is sent again is known by its id.
    assert_eq!(publish(&mut connection, EVENT_JSON, &[], &event("first")).json()["duplicate"], true);

    let path = "/v1/topics/orders/partitions/0/messages?offset=0";
    let read = connection.request("GET", path, &[("Accept", EVENT_JSON)], b"").json();
    let pulled = connection.request("POST", "/v1/subscriptions/billing/pull", &[("Accept", EVENT_JSON)], b"").json();
    for (index, id) in ["structured", "binary", "first", "second"].into_iter().enumerate() {
        assert_eq!(without_place(read["messages"][index].clone()), event(id));
        assert_eq!(read["messages"][index]["pubsuboffset"], index.to_string());
        assert_eq!(without_place(pulled["messages"][index].clone()), event(id));
    }
    let ack_ids: Vec<_> =
        pulled["messages"].as_array().unwrap().iter().map(|event| event["pubsubackid"].clone()).collect();
    let acked = json!({ "ack_ids": ack_ids }).to_string();
    let acked = connection.request("POST", "/v1/subscriptions/billing/ack", &[], acked.as_bytes()).json();
    assert_eq!(acked["succeeded"], 4, "{acked}");
    // As messages, both ways look alike.
    let plain = connection.request("GET", path, &[], b"").json();
    assert_eq!(plain["messages"][0]["attributes"]["ce-subject"], "Café \"7\"");
    assert_eq!(plain["messages"][1]["attributes"]["ce-subject"], "Café \"7\"");
    assert_eq!(plain["messages"][0]["data"], plain["messages"][1]["data"]);
}

#[test]
fn what_is_wrong_with_an_event_is_named() {
    let node = TestNode::start();
    let mut connection = Connection::open(node.address());
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], b"{}").status, 201);
    let mut nameless = event("7");
    nameless.as_object_mut().unwrap().remove("source");
    let refused = publish(&mut connection, EVENT_JSON, &[], &nameless);
    assert_eq!((refused.status, &refused.json()["errors"][0]["field"]), (400, &json!("source")));
    let mut large = event("7");
    large["subject"] = "x".repeat(2_000).into();
    let refused = publish(&mut connection, EVENT_JSON, &[], &large);
    assert_eq!(refused.status, 400);
    assert!(refused.json()["detail"].as_str().unwrap().contains("ce-subject"), "{}", refused.body_text());
    let batch = json!([event("1"), nameless]).to_string();
    let batch_type = [("Content-Type", "application/cloudevents-batch+json")];
    let refused = connection.request("POST", "/v1/topics/orders/messages", &batch_type, batch.as_bytes()).json();
    assert_eq!((&refused["errors"][0]["field"], &refused["errors"][0]["index"]), (&json!("source"), &json!(1)));
    let single = [("Content-Type", EVENT_JSON)];
    let refused = connection.request("POST", "/v1/topics/orders/messages", &single, event("1").to_string().as_bytes());
    assert_eq!(refused.status, 415);
}
