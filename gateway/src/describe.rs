//! What a node says of itself: `/openapi.json`, `/asyncapi.json`, and a page that shows both.
//!
//! Built from the table of routes, the types of the API, its limits and its codes, so that it can't say something else
//! than the node does: a route without a description does not compile, and a test sends every example.

mod asyncapi;
mod batch_frames;
mod bounds;
mod document;
mod frames;
mod openapi;
mod operation;
mod operations;
mod page;
mod schemas;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

pub use document::Document;
pub use page::page_file;

static OPENAPI: LazyLock<Document> = LazyLock::new(|| Document::of_json(&openapi::document()));
static ASYNCAPI: LazyLock<Document> = LazyLock::new(|| Document::of_json(&asyncapi::document()));

/// Builds both descriptions, so that no request has to wait for it.
pub fn prepare() {
    LazyLock::force(&OPENAPI);
    LazyLock::force(&ASYNCAPI);
}

/// The HTTP interface, in OpenAPI 3.1.
#[must_use]
pub fn openapi() -> &'static Document {
    &OPENAPI
}

/// The WebSocket interface, in AsyncAPI 3.0.
#[must_use]
pub fn asyncapi() -> &'static Document {
    &ASYNCAPI
}

/// The version of the API: that of the program.
const VERSION: &str = env!("CARGO_PKG_VERSION");
