//! A push request in the trace of its message.

use serde_json::json;

use super::{
    Bench, LAX,
    endpoint::{Endpoint, Reply},
};
use crate::traces::{Collector, PARENT, TRACE, has_all, only};

#[test]
fn an_endpoint_is_told_of_the_span_that_asks_it() {
    let Some(collector) = Collector::start() else { return };
    let own = collector.settings("grpc");
    let own: Vec<_> = own.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let endpoint = Endpoint::start(|_| Reply::status(204));
    let mut bench = Bench::start(&[LAX, &own].concat(), 1);
    assert_eq!(bench.subscribe("hook", &endpoint.url("/canary-of-a-path"), &json!({})).status, 201);
    bench.publish(&json!([{ "text": "a", "attributes": { "traceparent": PARENT } }]));
    assert!(endpoint.await_received(1));
    let spans = collector.await_spans(|spans| has_all(spans, &["push orders"]));
    let push = only(&spans, "push orders");
    assert_eq!((push.trace.as_str(), push.parent.as_str()), (TRACE, &PARENT[36..52]));
    assert_eq!(push.kind, "SPAN_KIND_CLIENT");
    assert_eq!(push.text("http.response.status_code"), "204");
    assert_eq!(push.text("server.port"), endpoint.port().to_string());
    assert_eq!(endpoint.received()[0].header("traceparent"), Some(push.context().as_str()));
    assert!(!collector.output().contains("canary-of-a-path"));

    let unsampled = PARENT.replace("-01", "-00");
    bench.publish(&json!([{ "text": "b", "attributes": { "traceparent": unsampled } }]));
    assert!(endpoint.await_received(2));
    assert_eq!(endpoint.received()[1].header("traceparent"), Some(unsampled.as_str()), "what is not recorded stays");
}
