//! Where a node listens, and the key that it asks for.

use std::fmt;
use std::str::FromStr;

use hyper::header::HeaderValue;
use url::{Host, Url};

use super::tls::{ClientTls, TlsError, TlsOptions};

const DEFAULT_PORT: u16 = 8081;

/// The address of a node: `http://HOST[:PORT]` or `https://HOST[:PORT]`, port 8081 if none is given. `ws://` and `wss://` mean the
/// same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: Host<String>,
    port: u16,
    scheme: Scheme,
}

/// How the node is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    /// As the machine would, unless something else was said.
    Https(Option<ClientTls>),
}

/// A key that the node knows the client by. Its text appears in no log and no error.
#[derive(Clone)]
pub struct ApiKey {
    bearer: HeaderValue,
}

/// Why an address or a key can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum EndpointError {
    #[error("`{text}` is not the address of a node, such as http://127.0.0.1:8081")]
    Invalid { text: String },
    #[error("`{text}`: a node's address has no path, query or user")]
    Surplus { text: String },
    #[error("a key is made of visible ASCII characters")]
    Key,
}

impl Endpoint {
    /// `HOST:PORT` as it stands in URLs and in `Host`.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The same node, spoken to as the options say if its address is `https://`; files are read now.
    ///
    /// # Errors
    /// A file can't be used.
    pub fn with_tls(mut self, options: &TlsOptions) -> Result<Self, TlsError> {
        if let Scheme::Https(chosen) = &mut self.scheme {
            *chosen = Some(ClientTls::load(options)?);
        }
        Ok(self)
    }

    pub(super) fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The host as the resolver takes it: without the brackets of IPv6.
    pub(super) fn host(&self) -> String {
        match &self.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let invalid = || EndpointError::Invalid { text: text.to_owned() };
        let url = Url::parse(text).map_err(|_| invalid())?;
        let scheme = match url.scheme() {
            "http" | "ws" => Scheme::Http,
            "https" | "wss" => Scheme::Https(None),
            _ => return Err(invalid()),
        };
        let surplus = url.path() != "/" || url.query().is_some() || url.fragment().is_some();
        if surplus || !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::Surplus { text: text.to_owned() });
        }
        let host = url.host().ok_or_else(invalid)?.to_owned();
        // `Url` drops the default of its scheme, which is not the default here.
        let of_scheme = if scheme == Scheme::Http { 80 } else { 443 };
        let is_given = text.trim_end_matches('/').ends_with(&format!(":{of_scheme}"));
        let port = url.port().unwrap_or(if is_given { of_scheme } else { DEFAULT_PORT });
        Ok(Self { host, port, scheme })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.scheme == Scheme::Http { "http" } else { "https" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl ApiKey {
    /// Takes a key.
    ///
    /// # Errors
    /// It has characters that no key has.
    pub fn new(text: &str) -> Result<Self, EndpointError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(EndpointError::Key);
        }
        let mut bearer = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| EndpointError::Key)?;
        bearer.set_sensitive(true);
        Ok(Self { bearer })
    }

    /// The value of `Authorization`.
    pub(super) fn bearer(&self) -> &HeaderValue {
        &self.bearer
    }
}

impl FromStr for ApiKey {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Self::new(text)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Result<String, EndpointError> {
        text.parse::<Endpoint>().map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn addresses_by_name_ipv4_and_ipv6_are_understood() {
        assert_eq!(endpoint("http://127.0.0.1:8081").unwrap(), "http://127.0.0.1:8081");
        assert_eq!(endpoint("http://broker.example/").unwrap(), "http://broker.example:8081");
        assert_eq!(endpoint("http://[::1]:9000").unwrap(), "http://[::1]:9000");
        assert_eq!("http://[::1]:9000".parse::<Endpoint>().unwrap().host(), "::1");
        assert_eq!(endpoint("http://broker:80/").unwrap(), "http://broker:80");
        assert_eq!(endpoint("https://broker").unwrap(), "https://broker:8081");
        assert_eq!(endpoint("https://broker:443/").unwrap(), "https://broker:443");
        assert_eq!(endpoint("wss://broker:9").unwrap(), "https://broker:9");
        assert_eq!(endpoint("ws://broker").unwrap(), "http://broker:8081");
    }

    #[test]
    fn an_address_that_cannot_be_used_says_why() {
        assert!(matches!(endpoint("http://broker/v1"), Err(EndpointError::Surplus { .. })));
        assert!(matches!(endpoint("http://user:pass@broker"), Err(EndpointError::Surplus { .. })));
        for text in ["", "127.0.0.1:8081", "localhost:8081", "http://", "http://a:99999", "ftp://broker"] {
            assert!(matches!(endpoint(text), Err(EndpointError::Invalid { .. })), "{text}");
        }
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = ApiKey::new("s3cret").unwrap();
        assert!(!format!("{key:?}").contains("s3cret"));
        assert!(!format!("{:?}", key.bearer()).contains("s3cret"));
        assert_eq!(ApiKey::new("two words").unwrap_err(), EndpointError::Key);
    }
}
