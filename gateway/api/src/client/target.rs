//! The path and query of a request, with every name escaped.

use std::fmt::{Display, Write as _};

/// A path, to which segments and query parameters are added.
#[derive(Debug)]
pub(super) struct Target {
    text: String,
    has_query: bool,
}

impl Target {
    /// Starts with a path that needs no escape.
    pub(super) fn new(path: &str) -> Self {
        Self { text: path.to_owned(), has_query: false }
    }

    /// Adds one segment to the path, whatever characters it has.
    pub(super) fn segment(mut self, segment: impl Display) -> Self {
        self.text.push('/');
        self.escape(&segment.to_string());
        self
    }

    /// Adds a query parameter.
    pub(super) fn query(mut self, name: &str, value: impl Display) -> Self {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        self.text.push_str(name);
        self.text.push('=');
        self.escape(&value.to_string());
        self
    }

    /// Adds a query parameter if it has a value.
    pub(super) fn query_if(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    pub(super) fn into_string(self) -> String {
        self.text
    }

    fn escape(&mut self, text: &str) {
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                self.text.push(char::from(byte));
            } else {
                // Writing to a `String` cannot fail.
                let _ = write!(self.text, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_escaped() {
        let target = Target::new("/v1/topics").segment("a/b ?ü").query("key", "x&y=z").query_if("none", None::<u8>);
        assert_eq!(target.query_if("n", Some(1)).into_string(), "/v1/topics/a%2Fb%20%3F%C3%BC?key=x%26y%3Dz&n=1");
    }
}
