//! The descriptions are valid by the schemas that the makers of their formats publish.

#![expect(clippy::unwrap_used, reason = "all of it is test code: a panic is a failed test")]

use gateway::describe::{self, Document};
use serde_json::Value;

const OPENAPI: &str = include_str!("metaschemas/openapi-3.1.json");
const ASYNCAPI: &str = include_str!("metaschemas/asyncapi-3.0.0.json");

fn faults(schema: &str, document: &Value) -> Vec<String> {
    let schema = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::options().build(&schema).unwrap();
    validator.iter_errors(document).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

fn parsed(document: &Document) -> Value {
    serde_json::from_slice(document.body()).unwrap()
}

#[test]
fn the_description_of_http_is_openapi_3_1() {
    let mut document = parsed(describe::openapi());
    assert_eq!(faults(OPENAPI, &document), Vec::<String>::new());
    document["paths"]["/healthz"]["get"]["responses"] = Value::Null;
    assert_ne!(faults(OPENAPI, &document), Vec::<String>::new(), "a fault is found");
}

#[test]
fn the_description_of_the_websocket_is_asyncapi_3_0() {
    let mut document = parsed(describe::asyncapi());
    assert_eq!(faults(ASYNCAPI, &document), Vec::<String>::new());
    document["operations"]["receive_ping"]["action"] = Value::from("shout");
    assert_ne!(faults(ASYNCAPI, &document), Vec::<String>::new(), "a fault is found");
}
