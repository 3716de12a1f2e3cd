//! The descriptions are whole, agree with the types they were made of, and have examples that are what they say.

use std::collections::BTreeSet;

use gateway_api::{
    ClientFrame, Code, ServerFrame,
    frame::batch::{BatchClientFrame, BatchServerFrame},
};
use serde_json::{Value, json};

use super::{asyncapi, bounds, frames, openapi};
use crate::{
    auth::policy::{self, Rule},
    http::router::Route,
};

/// Every operation with its path.
fn described(document: &Value) -> Vec<(&str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().values().map(move |one| (path.as_str(), one)))
        .collect()
}

/// Every value below and with `value`, as an iterator would see it.
fn all(value: &Value) -> Vec<&Value> {
    let below: Vec<_> = match value {
        Value::Object(object) => object.values().collect(),
        Value::Array(list) => list.iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    std::iter::once(value).chain(below.into_iter().flat_map(all)).collect()
}

/// What a schema of the document says to a value; the references within it are resolved.
#[track_caller]
fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut root = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "allOf": [schema] });
    root["components"] = json!({ "schemas": document["components"]["schemas"] });
    let validator = jsonschema::options().should_validate_formats(true).build(&root).unwrap();
    validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

#[test]
fn every_reference_leads_somewhere() {
    for document in [openapi::document(), asyncapi::document()] {
        let references: Vec<_> = all(&document).into_iter().filter_map(|value| value.get("$ref")?.as_str()).collect();
        assert!(references.len() > 20, "only {} were found", references.len());
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }
}

#[test]
fn every_schema_is_one_and_can_be_told_by_its_name() {
    for document in [openapi::document(), asyncapi::document()] {
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            assert!(jsonschema::meta::is_valid(schema), "{name}: {schema}");
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}");
        }
    }
}

#[test]
fn every_route_has_one_operation_of_its_own_name() {
    let document = openapi::document();
    let ids: BTreeSet<_> = described(&document).iter().map(|(_, one)| one["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), Route::COUNT);
    assert_eq!(ids, Route::all().map(Route::label).collect());
    let tags: BTreeSet<_> = described(&document).iter().map(|(_, one)| one["tags"][0].clone().to_string()).collect();
    assert_eq!(tags.len(), document["tags"].as_array().unwrap().len(), "each tag has operations");
}

#[test]
fn every_part_of_a_path_is_described_and_has_an_example() {
    let document = openapi::document();
    for (path, operation) in described(&document) {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let of_path: Vec<_> = parameters.iter().filter(|one| one["in"] == "path").collect();
        let names: Vec<_> = of_path.iter().map(|one| format!("{{{}}}", one["name"].as_str().unwrap())).collect();
        let wanted: Vec<_> = path.split('/').filter(|part| part.starts_with('{')).collect();
        assert_eq!(names, wanted, "{path}");
        assert!(of_path.iter().all(|one| one["required"] == true && one.get("example").is_some()), "{path}");
        for parameter in &parameters {
            let schema = &parameter["schema"];
            assert!(!parameter["description"].as_str().unwrap().is_empty(), "{path}: {parameter}");
            if let Some(example) = parameter.get("example") {
                assert_eq!(faults(&document, schema, example), Vec::<String>::new(), "{path}: {parameter}");
            }
        }
    }
}

#[test]
fn every_body_has_examples_that_fit_its_schema() {
    let document = openapi::document();
    let mut count = 0;
    for (path, operation) in described(&document) {
        let Some(contents) = operation.pointer("/requestBody/content").and_then(Value::as_object) else { continue };
        let mut examples_of_body = 0;
        for content in contents.values() {
            for (name, example) in content["examples"].as_object().into_iter().flatten() {
                let found = faults(&document, &content["schema"], &example["value"]);
                assert_eq!(found, Vec::<String>::new(), "{path}, {name}");
                examples_of_body += 1;
            }
        }
        assert!(examples_of_body > 0, "{path} has no example of its body");
        count += examples_of_body;
    }
    assert!(count > 20, "only {count} examples were found");
}

#[test]
fn problems_have_codes_that_exist_with_the_status_they_have() {
    let document = openapi::document();
    let mut seen = BTreeSet::new();
    let of_operations = described(&document).into_iter().map(|(_, operation)| &operation["responses"]);
    for responses in of_operations.chain([&document["components"]["responses"]]) {
        for (status, response) in responses.as_object().unwrap() {
            let codes = response.pointer("/content/application~1problem+json/schema/allOf/1/properties/code/enum");
            for code in codes.and_then(Value::as_array).into_iter().flatten() {
                let code = Code::parse(code.as_str().unwrap());
                assert_ne!(code, Code::Unrecognized);
                assert_eq!(code.status().to_string(), *status, "{code}");
                seen.insert(code);
            }
        }
    }
    // Those that no request of this version has.
    let unheard_of =
        [Code::LengthRequired, Code::MethodNotAllowed, Code::InvalidAckId, Code::LeaseExpired, Code::Unrecognized];
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !seen.contains(code) && !unheard_of.contains(code)).collect();
    assert_eq!(missing, Vec::<&Code>::new(), "no operation names them");
    assert_eq!(document["components"]["schemas"]["Code"]["x-codes"].as_array().unwrap().len(), Code::ALL.len() - 1);
}

#[test]
fn public_routes_ask_for_no_key_and_the_others_do() {
    let document = openapi::document();
    for (path, operation) in described(&document) {
        let is_public = operation.get("security").is_some();
        assert_eq!(operation["responses"].get("401").is_none(), is_public, "{path}");
        assert_eq!(is_public, !path.starts_with("/v1/"), "{path}");
    }
    assert_eq!(
        Route::all().filter(|route| policy::rule(*route) == Rule::Public).count(),
        described(&document).iter().filter(|(path, _)| !path.starts_with("/v1/")).count()
    );
}

#[test]
fn requests_refuse_unknown_fields_by_their_schemas_too() {
    let document = openapi::document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        if name.ends_with("Request") || name.ends_with("Settings") {
            assert_eq!(schema["additionalProperties"], json!(false), "{name}");
        }
    }
}

#[test]
fn bounds_are_those_of_fields_that_are_there() {
    let document = openapi::document();
    let limit =
        |pointer: &str| document.pointer(&format!("/components/schemas/{pointer}")).cloned().unwrap_or_default();
    assert_eq!(limit("PublishMessage/properties/priority/maximum"), json!(9));
    assert_eq!(limit("PublishRequest/properties/messages/maxItems"), json!(10_000));
    assert_eq!(limit("TopicSettings/properties/partitions/maximum"), json!(1_024));
    assert_eq!(limit("Published/properties/offset/maximum"), json!(u64::MAX));
    let schemas = document["components"]["schemas"].as_object().unwrap().iter();
    for (name, schema) in
        schemas.chain(frame_schemas(&asyncapi::document()).iter().map(|(name, schema)| (name, schema)))
    {
        for (field, _) in bounds::fields(name) {
            assert!(schema.pointer(&format!("/properties/{field}")).is_some(), "{name} has no {field}");
        }
    }
}

fn frame_schemas(document: &Value) -> Vec<(String, Value)> {
    let messages = document["components"]["messages"].as_object().unwrap();
    messages.iter().map(|(op, message)| (op.clone(), message["payload"].clone())).collect()
}

#[test]
fn every_frame_has_an_example_that_is_one() {
    let document = asyncapi::document();
    let schemas = frame_schemas(&document);
    assert_eq!(schemas.len(), 18, "eight frames in each direction, and two with batches");
    for (op, schema) in schemas.into_iter().filter(|(op, _)| !op.ends_with("_batch")) {
        let example = frames::example(&op).unwrap_or_else(|| panic!("{op} has no example"));
        let text = example.to_string();
        assert_eq!(example["op"], json!(op));
        assert!(ClientFrame::parse(&text).is_ok() != ServerFrame::parse(&text).is_ok(), "{text}");
        assert_eq!(faults(&document, &schema, &example), Vec::<String>::new(), "{text}");
        for answer in frames::answers(&op) {
            assert!(frames::example(answer).is_some(), "{op} is answered by {answer}");
        }
    }
}

#[test]
fn every_header_of_batches_has_an_example_that_is_one() {
    let document = asyncapi::document();
    let example = |name: &str| {
        let message = &document["components"]["messages"][name];
        let example = &message["examples"][0]["payload"];
        assert_eq!(faults(&document, &message["payload"], example), Vec::<String>::new(), "{name}");
        let unknown =
            faults(&document, &message["payload"], &json!({ "op": example["op"], "topic": "a", "partition": "b" }));
        assert_ne!(unknown, Vec::<String>::new(), "{name}");
        example.to_string()
    };
    let publish = example("publish_batch");
    assert!(matches!(BatchClientFrame::parse(&publish), Ok(BatchClientFrame::Publish(_))), "{publish}");
    let messages = example("messages_batch");
    assert!(matches!(BatchServerFrame::parse(&messages), Ok(BatchServerFrame::Messages(_))), "{messages}");
}

#[test]
fn a_frame_with_an_unknown_field_does_not_fit() {
    let document = asyncapi::document();
    let schema = &document["components"]["messages"]["ping"]["payload"];
    assert_eq!(faults(&document, schema, &json!({ "op": "ping" })), Vec::<String>::new());
    for wrong in
        [json!({ "op": "ping", "reff": 1 }), json!({ "op": "pong" }), json!({}), json!({ "op": "ping", "ref": -1 })]
    {
        assert_ne!(faults(&document, schema, &wrong), Vec::<String>::new(), "{wrong}");
    }
}

#[test]
fn a_message_has_one_payload_by_its_schema_as_well() {
    let document = openapi::document();
    let schema = &document["components"]["schemas"]["PublishMessage"];
    let fits = |message: Value| faults(&document, schema, &message).is_empty();
    assert!(
        fits(json!({ "text": "a" })) && fits(json!({ "json": null })) && fits(json!({ "data": "AA==", "text": null }))
    );
    assert!(!fits(json!({})) && !fits(json!({ "text": "a", "json": 1 })) && !fits(json!({ "data": "AB==" })));
    assert!(!fits(json!({ "text": "a", "delay_ms": 1, "deliver_at": "2026-11-23T09:30:00Z" })));
    assert!(!fits(json!({ "text": "a", "priority": 10 })) && !fits(json!({ "text": "a", "id": "a b" })));
}
