//! Puts the description of HTTP together: the paths of the router, the operations, the schemas.

use std::collections::BTreeMap;

use gateway_api::{
    Code,
    error::{PROBLEM_CONTENT_TYPE, Problem},
};
use serde_json::{Map, Value, json};

use super::{
    VERSION,
    operation::{Answer, Body, Content, Operation, Parameter, Place, Tag},
    operations::{self, ANY_GUARDED, ANY_REQUEST, path_parameter},
    schemas::Schemas,
};
use crate::{
    auth::policy::{self, Rule},
    http::router::{self, Route},
};

/// The codes of problems by their status.
type ByStatus = BTreeMap<u16, Vec<Code>>;

/// The whole description.
pub(super) fn document() -> Value {
    let mut schemas = Schemas::new();
    schemas.answer::<Problem>();
    let mut paths = Map::new();
    for (method, path, route) in router::paths() {
        let described = described(route, &path, &mut schemas);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        if let Value::Object(item) = item {
            item.insert(method.as_str().to_ascii_lowercase(), described);
        }
    }
    let mut components = schemas.into_components();
    if let Some(Value::Object(code)) = components.get_mut("Code") {
        code.insert("x-codes".to_owned(), codes());
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "PubSubRing",
            "version": VERSION,
            "summary": "A durable publish-subscribe broker.",
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The node that gave this description." }],
        "tags": Tag::ALL.map(tag),
        "security": [{ "bearerAuth": [] }, {}],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": common_problems(),
            "headers": { "RequestId": request_id() },
            "securitySchemes": { "bearerAuth": {
                "type": "http", "scheme": "bearer",
                "description": "An API key. A node that listens on its own machine only may do without.",
            } },
        },
    })
}

const INTRODUCTION: &str = "All JSON is UTF-8. Times are RFC 3339 in UTC, durations are integers in fields that end in `_ms`. \
    Requests with unknown fields are refused; answers may get more fields, so clients should overlook those that they \
    don't know. Whatever is not a success is a problem (RFC 9457) with a stable `code`, which says also whether to try \
    again and whether the request took effect. HEAD is taken wherever GET is, OPTIONS everywhere. The frames of \
    `/v1/ws` are described in `/asyncapi.json`.";

fn tag(tag: Tag) -> Value {
    let (name, description) = tag.text();
    json!({ "name": name, "description": description })
}

/// What `x-codes` says of every code.
fn codes() -> Value {
    let known = Code::ALL.iter().filter(|code| **code != Code::Unrecognized);
    let code = |code: &Code| {
        json!({ "code": code.as_str(), "status": code.status(), "title": code.title(), "retryable": code.retryable(),
            "meaning": code.meaning() })
    };
    known.map(code).collect()
}

fn request_id() -> Value {
    json!({ "description": "The request's id, as in the node's log and in problems.", "schema": { "type": "string" } })
}

fn described(route: Route, path: &str, schemas: &mut Schemas) -> Value {
    let operation = operations::describe(route);
    let is_public = policy::rule(route) == Rule::Public;
    let mut object = json!({
        "operationId": route.label(),
        "tags": [operation.tag.text().0],
        "summary": operation.summary,
        "description": operation.description,
        "responses": responses(&operation, is_public, schemas),
    });
    let mut insert = |name: &str, value: Value| {
        if let Value::Object(object) = &mut object {
            object.insert(name.to_owned(), value);
        }
    };
    let parameters = parameters(&operation, path);
    if !parameters.is_empty() {
        insert("parameters", parameters.into());
    }
    if let Some(body) = &operation.body {
        insert("requestBody", request_body(body, schemas));
    }
    if is_public {
        insert("security", json!([]));
    }
    object
}

/// Those of the path, in its order, then the others.
fn parameters(operation: &Operation, path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let of_path = names.map(|name| {
        let own = operation.parameters.iter().find(|own| own.place == Place::Path && own.name == name);
        let mut parameter = own.cloned().unwrap_or_else(|| path_parameter(name));
        if let Some((_, example)) = operation.path_examples.iter().find(|(of, _)| *of == name) {
            parameter.example = Some((*example).into());
        }
        parameter
    });
    let others = operation.parameters.iter().filter(|parameter| parameter.place != Place::Path).cloned();
    of_path.chain(others).map(|parameter| described_parameter(&parameter)).collect()
}

fn described_parameter(parameter: &Parameter) -> Value {
    let place = match parameter.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
    };
    let mut object = json!({
        "name": parameter.name, "in": place, "required": parameter.place == Place::Path,
        "description": parameter.description, "schema": parameter.schema,
    });
    if let (Value::Object(object), Some(example)) = (&mut object, &parameter.example) {
        object.insert("example".to_owned(), example.clone());
    }
    object
}

fn request_body(body: &Body, schemas: &mut Schemas) -> Value {
    let mut contents = Map::new();
    for Content { media_type, schema, examples } in &body.contents {
        let named = examples.iter().map(|(name, value)| ((*name).to_owned(), json!({ "value": value })));
        let mut content = json!({ "schema": schema(schemas) });
        if let Value::Object(content) = &mut content
            && !examples.is_empty()
        {
            content.insert("examples".to_owned(), named.collect::<Map<_, _>>().into());
        }
        contents.insert((*media_type).to_owned(), content);
    }
    json!({ "required": body.required, "content": contents })
}

fn responses(operation: &Operation, is_public: bool, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    for answer in &operation.answers {
        add_answer(&mut responses, answer, schemas);
    }
    let common = common_codes(is_public);
    let mut own = ByStatus::new();
    for code in operation.codes.iter().filter(|code| !common.contains(code)) {
        own.entry(code.status()).or_default().push(*code);
    }
    for (status, of_any) in by_status(&common) {
        match (own.get_mut(&status), responses.contains_key(&status.to_string())) {
            (Some(codes), _) => codes.extend(of_any),
            (None, true) => drop(own.insert(status, of_any)),
            (None, false) => {
                responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{status}") }));
            }
        }
    }
    for (status, mut codes) in own {
        codes.sort_unstable();
        codes.dedup();
        add(&mut responses, status, problem(status, &codes));
    }
    responses.into()
}

fn add_answer(responses: &mut Map<String, Value>, answer: &Answer, schemas: &mut Schemas) {
    let mut headers = json!({ REQUEST_ID: { "$ref": "#/components/headers/RequestId" } });
    for (name, description) in &answer.headers {
        let header = json!({ "required": true, "description": description, "schema": { "type": "string" } });
        if let Value::Object(headers) = &mut headers {
            headers.insert((*name).to_owned(), header);
        }
    }
    let mut response = json!({ "description": answer.description, "headers": headers });
    if let (Value::Object(response), Some((media_type, schema))) = (&mut response, answer.content) {
        response.insert("content".to_owned(), json!({ media_type: { "schema": schema(schemas) } }));
    }
    add(responses, answer.status, response);
}

/// Adds an answer beside another of the same status, which has another media type.
fn add(responses: &mut Map<String, Value>, status: u16, response: Value) {
    match responses.get_mut(&status.to_string()) {
        None => drop(responses.insert(status.to_string(), response)),
        Some(there) => {
            let contents = (there.pointer_mut("/content"), response.pointer("/content"));
            if let (Some(Value::Object(contents)), Some(Value::Object(more))) = contents {
                contents.extend(more.clone());
            }
        }
    }
}

/// The field of the request's id.
const REQUEST_ID: &str = "Pubsub-Request-Id";

/// A problem of one of these codes, which have this status.
fn problem(status: u16, codes: &[Code]) -> Value {
    let texts: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let titles: Vec<_> = codes.iter().map(|code| format!("{} (`{code}`)", code.title())).collect();
    let schema = json!({ "allOf": [
        { "$ref": "#/components/schemas/Problem" },
        { "properties": { "code": { "enum": texts }, "status": { "const": status } } },
    ] });
    let mut headers = json!({ REQUEST_ID: { "$ref": "#/components/headers/RequestId" } });
    if let (Value::Object(headers), 429 | 503) = (&mut headers, status) {
        let seconds = json!({ "type": "integer", "minimum": 0 });
        headers.insert("Retry-After".to_owned(), json!({ "description": "After so many seconds.", "schema": seconds }));
    }
    json!({
        "description": format!("{}.", titles.join(", ")),
        "headers": headers,
        "content": { PROBLEM_CONTENT_TYPE: { "schema": schema } },
    })
}

fn common_codes(is_public: bool) -> Vec<Code> {
    let guarded = if is_public { &[][..] } else { ANY_GUARDED };
    ANY_REQUEST.iter().chain(guarded).copied().collect()
}

fn by_status(codes: &[Code]) -> ByStatus {
    let mut sorted = ByStatus::new();
    for code in codes {
        sorted.entry(code.status()).or_default().push(*code);
    }
    sorted
}

/// The problems of any request, by their status.
fn common_problems() -> Map<String, Value> {
    let responses = by_status(&common_codes(false)).into_iter();
    responses.map(|(status, codes)| (status.to_string(), problem(status, &codes))).collect()
}
