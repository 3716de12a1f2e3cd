//! A text that is served as it is, with an entity tag.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::http::response::JSON;

/// What is answered to everyone alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    content_type: &'static str,
    body: Vec<u8>,
    etag: String,
}

impl Document {
    /// A text of a media type.
    #[must_use]
    pub fn new(content_type: &'static str, body: Vec<u8>) -> Self {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let etag = format!("\"{:016x}\"", hasher.finish());
        Self { content_type, body, etag }
    }

    /// A JSON text.
    #[must_use]
    pub fn of_json(value: &Value) -> Self {
        Self::new(JSON, serde_json::to_vec(value).unwrap_or_default())
    }

    /// Its media type.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// Its bytes.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Its entity tag, the same as long as the bytes are.
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.etag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_follows_the_bytes() {
        let tag = |text: &str| Document::new("text/plain", text.into()).etag().to_owned();
        assert_eq!(tag("a"), tag("a"));
        assert_ne!(tag("a"), tag("b"));
    }
}
