//! The broker that is measured: its address, and the key that it knows us by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use gateway_api::client::{ApiKey, Endpoint, EndpointError};

/// A broker.
#[derive(Clone, Debug)]
pub struct Server {
    endpoint: Endpoint,
    key: Option<BearerKey>,
}

/// What is known of a server that was measured, for its report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerInfo {
    /// Its name.
    pub product: String,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What an acknowledged message has reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durability: Option<String>,
}

/// A key, for requests that are made of bytes. It shows in no report.
#[derive(Clone)]
pub struct BearerKey {
    text: String,
    key: ApiKey,
}

impl Server {
    /// A broker that asks for no key.
    #[must_use]
    pub const fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, key: None }
    }

    /// The same, asked with a key.
    #[must_use]
    pub fn with_key(self, key: Option<BearerKey>) -> Self {
        Self { key, ..self }
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn authority(&self) -> String {
        self.endpoint.authority()
    }

    /// The address, for the typed client.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The key, for the typed client.
    #[must_use]
    pub fn key(&self) -> Option<ApiKey> {
        self.key.as_ref().map(|key| key.key.clone())
    }

    /// The header lines that every request has.
    #[must_use]
    pub fn headers(&self) -> String {
        let host = self.authority();
        match &self.key {
            None => format!("Host: {host}\r\n"),
            Some(key) => format!("Host: {host}\r\nAuthorization: Bearer {}\r\n", key.text),
        }
    }
}

impl FromStr for Server {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        text.parse().map(Self::new)
    }
}

impl FromStr for BearerKey {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Ok(Self { text: text.to_owned(), key: ApiKey::new(text)? })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

impl fmt::Debug for BearerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerKey(…)")
    }
}

/// A command line as a report may show it: without the key.
#[must_use]
pub fn without_key(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut is_key = false;
    let shown = |argument: String| {
        let hidden = std::mem::replace(&mut is_key, argument == "--key");
        if hidden {
            "…".to_owned()
        } else if argument.starts_with("--key=") {
            "--key=…".to_owned()
        } else {
            argument
        }
    };
    arguments.map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_carries_the_key() {
        let server: Server = "http://h:9".parse().unwrap();
        assert_eq!(server.headers(), "Host: h:9\r\n");
        let server = server.with_key(Some("psr_x".parse().unwrap()));
        assert_eq!(server.headers(), "Host: h:9\r\nAuthorization: Bearer psr_x\r\n");
        assert!(!format!("{server:?}").contains("psr_x"));
    }

    #[test]
    fn a_report_does_not_show_the_key() {
        let line = ["loadtest", "--key", "psr_x", "--key=psr_x", "--rate", "9"].map(str::to_owned);
        let shown = without_key(line.into_iter());
        assert_eq!(shown, ["loadtest", "--key", "…", "--key=…", "--rate", "9"]);
    }
}
