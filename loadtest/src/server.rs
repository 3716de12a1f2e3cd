//! The address of the server under test.

use url::Url;

/// A server's HTTP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    host: String,
    port: u16,
    ipv6: bool,
}

/// Why a server's address can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ServerAddressError {
    #[error("`{url}` is not a URL such as http://127.0.0.1:8081")]
    NotAUrl { url: String },
    #[error("`{scheme}` is not supported: use http://")]
    UnsupportedScheme { scheme: String },
    #[error("`{url}` has a path, a query or credentials: only http://HOST:PORT is used")]
    MoreThanAnAddress { url: String },
}

impl ServerAddress {
    /// The host and port of a URL such as `http://127.0.0.1:8081`.
    ///
    /// # Errors
    ///
    /// See [`ServerAddressError`].
    pub fn parse(text: &str) -> Result<Self, ServerAddressError> {
        let not_a_url = || ServerAddressError::NotAUrl { url: text.to_owned() };
        let url = Url::parse(text).map_err(|_| not_a_url())?;
        if url.scheme() != "http" {
            return Err(ServerAddressError::UnsupportedScheme { scheme: url.scheme().to_owned() });
        }
        let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !plain || !url.username().is_empty() || url.password().is_some() {
            return Err(ServerAddressError::MoreThanAnAddress { url: text.to_owned() });
        }
        let (host, ipv6) = match url.host().ok_or_else(not_a_url)? {
            url::Host::Domain(name) => (name.to_owned(), false),
            url::Host::Ipv4(address) => (address.to_string(), false),
            url::Host::Ipv6(address) => (address.to_string(), true),
        };
        let port = url.port_or_known_default().ok_or_else(not_a_url)?;
        Ok(Self { host, port, ipv6 })
    }

    /// The host as the system's resolver takes it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `HOST:PORT`, as in the `Host` header.
    #[must_use]
    pub fn authority(&self) -> String {
        let Self { host, port, ipv6 } = self;
        if *ipv6 { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// The URL without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_of_both_families_are_understood() {
        let cases = [
            ("http://127.0.0.1:8081", "127.0.0.1", "127.0.0.1:8081"),
            ("http://[::1]:8081/", "::1", "[::1]:8081"),
            ("http://broker.example", "broker.example", "broker.example:80"),
        ];
        for (text, host, authority) in cases {
            let server = ServerAddress::parse(text).unwrap();
            assert_eq!((server.host(), server.authority().as_str()), (host, authority));
            assert_eq!(ServerAddress::parse(&server.url()), Ok(server));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "localhost:8081", "https://localhost", "http://u:p@localhost", "http://localhost/v1", "ws://localhost"]
        {
            assert!(ServerAddress::parse(text).is_err(), "{text}");
        }
    }
}
