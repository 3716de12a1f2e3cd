//! The node itself, its WebSocket, and what it says of itself.

use gateway_api::{Code, health::Health};
use serde_json::{Value, json};

use crate::describe::{
    operation::{Answer, Operation, Parameter, Tag},
    page::FILES,
    schemas::Schemas,
};

pub(super) fn websocket() -> Operation {
    let description = "Upgrades to WebSocket (RFC 6455) and speaks the subprotocol `pubsub.v1.json`: `/asyncapi.json` has its \
        frames. Pages of other origins than the node's own are refused unless they are on its list.";
    let protocol = json!({ "type": "string" });
    let protocols = "What the client speaks: `pubsub.v1.json`, also if there is none.";
    Operation::new(Tag::Node, "Open a WebSocket", description)
        .parameters([Parameter::header("Sec-WebSocket-Protocol", protocol, protocols)])
        .answer(Answer::empty(101, "The connection speaks WebSocket from here on."))
        .problems(&[&[Code::Forbidden, Code::UpgradeRequired]])
}

pub(super) fn healthz() -> Operation {
    Operation::new(Tag::Node, "Is it alive?", "The process runs, and the core that took the request answers.")
        .answer(Answer::json(200, "It is.", Schemas::answer::<Health>))
}

pub(super) fn readyz() -> Operation {
    let description = "Ready once every local partition is recovered. One that stays closed since damage was found in it does \
        not take the node away: it is listed.";
    Operation::new(Tag::Node, "Is it ready?", description)
        .answer(Answer::json(200, "It serves; `degraded` if not everything.", Schemas::answer::<Health>))
        .answer(Answer::json(503, "It starts, or goes down.", Schemas::answer::<Health>))
}

pub(super) fn openapi() -> Operation {
    let description = "The HTTP interface in OpenAPI 3.1, with examples that can be sent as they are.";
    Operation::new(Tag::Description, "Describe HTTP", description)
        .parameters([if_none_match()])
        .answer(Answer::json(200, "This description.", object).with_etag())
        .answer(Answer::empty(304, "It is the one that the client has."))
}

pub(super) fn asyncapi() -> Operation {
    Operation::new(Tag::Description, "Describe WebSocket", "The WebSocket interface in AsyncAPI 3.0.")
        .parameters([if_none_match()])
        .answer(Answer::json(200, "The description.", object).with_etag())
        .answer(Answer::empty(304, "It is the one that the client has."))
}

pub(super) fn home() -> Operation {
    let location = "`/docs`.";
    Operation::new(Tag::Description, "Start page", "Leads to the page that shows the interface.")
        .answer(Answer::empty(302, "The page is at `/docs`.").with_header("Location", location))
}

pub(super) fn docs() -> Operation {
    let page =
        Answer { content: Some(("text/html; charset=utf-8", text)), ..Answer::empty(200, "A page for browsers.") };
    let description = "Shows both descriptions and tries requests out. It needs nothing but this node.";
    Operation::new(Tag::Description, "API page", description)
        .parameters([if_none_match()])
        .answer(page.with_etag())
        .answer(Answer::empty(304, "It is the one that the client has."))
}

pub(super) fn docs_file() -> Operation {
    let script = Answer { content: Some(("text/javascript; charset=utf-8", text)), ..Answer::empty(200, "The file.") };
    let style = Answer { content: Some(("text/css; charset=utf-8", text)), ..Answer::empty(200, "The file.") };
    let names: Vec<_> = FILES.iter().map(|(name, _, _)| *name).filter(|name| !name.is_empty()).collect();
    let schema = json!({ "type": "string", "enum": names });
    Operation::new(Tag::Description, "Files of the API page", "Its script and its style sheet.")
        .parameters([Parameter::path("doc", schema, "The file's name.").example("page.js"), if_none_match()])
        .answer(script.with_etag())
        .answer(style.with_etag())
        .answer(Answer::empty(304, "It is the one that the client has."))
        .problems(&[&[Code::NotFound]])
}

fn if_none_match() -> Parameter {
    let schema = json!({ "type": "string" });
    Parameter::header("If-None-Match", schema, "Answers 304 without a body if the `ETag` is one of these.")
}

fn object(_: &mut Schemas) -> Value {
    json!({ "type": "object" })
}

fn text(_: &mut Schemas) -> Value {
    json!({ "type": "string" })
}
