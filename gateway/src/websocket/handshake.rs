//! The opening handshake of RFC 6455 §4.2, without I/O: a request in, an answer out.

use base64::{Engine, engine::general_purpose::STANDARD};
use gateway_api::frame;
use tungstenite::handshake::derive_accept_key;

use crate::{
    config::GatewayConfig,
    http::{
        cors::allowed_origin,
        headers::list_members,
        method::Method,
        request::{Request, Version},
        response::Response,
    },
};

/// What frames look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subprotocol {
    /// Text frames, one JSON object each; spoken too where the client offers nothing.
    #[default]
    Json,
    /// Binary frames: a header of JSON, and batches as they are stored.
    Batch,
}

impl Subprotocol {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => frame::SUBPROTOCOL,
            Self::Batch => frame::BATCH_SUBPROTOCOL,
        }
    }
}

/// Why a connection was not upgraded. It stays an HTTP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum HandshakeError {
    #[error("this path is for WebSocket: send a GET with `Connection: Upgrade` and `Upgrade: websocket`")]
    UpgradeRequired,
    #[error("only version 13 of WebSocket is spoken here")]
    UnsupportedVersion,
    #[error("malformed WebSocket handshake: {reason}")]
    Malformed { reason: &'static str },
    #[error("none of the subprotocols offered is spoken here; `pubsub.v1.json` and `pubsub.v1.batch` are")]
    NoCommonSubprotocol,
    #[error("pages of this origin may not open a WebSocket here")]
    ForbiddenOrigin,
}

impl HandshakeError {
    /// The status it is answered with.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed { .. } | Self::NoCommonSubprotocol => 400,
            Self::ForbiddenOrigin => 403,
            Self::UpgradeRequired | Self::UnsupportedVersion => 426,
        }
    }

    /// Adds the header fields that tell a client how to do better.
    #[must_use]
    pub fn with_headers(self, response: Response) -> Response {
        match self {
            Self::UpgradeRequired => response.with_header("upgrade", "websocket"),
            Self::UnsupportedVersion => {
                response.with_header("upgrade", "websocket").with_header("sec-websocket-version", "13")
            }
            Self::Malformed { .. } | Self::NoCommonSubprotocol | Self::ForbiddenOrigin => response,
        }
    }
}

/// Checks an upgrade request and answers 101; the connection then speaks the first subprotocol offered that is spoken here.
///
/// # Errors
/// What is missing or not allowed.
pub fn accept(request: &Request, config: &GatewayConfig) -> Result<(Response, Subprotocol), HandshakeError> {
    check_upgrade(request)?;
    let key = checked_key(request)?;
    let is_page = request.headers_named("origin").next().is_some();
    if is_page && allowed_origin(request, &config.allowed_origins).is_none() {
        return Err(HandshakeError::ForbiddenOrigin);
    }
    let response = Response::empty(101)
        .with_header("connection", "Upgrade")
        .with_header("upgrade", "websocket")
        .with_header("sec-websocket-accept", derive_accept_key(key.as_bytes()));
    Ok(match offered_subprotocol(request)? {
        Some(chosen) => (response.with_header("sec-websocket-protocol", chosen.name()), chosen),
        None => (response, Subprotocol::default()),
    })
}

fn check_upgrade(request: &Request) -> Result<(), HandshakeError> {
    let offers = values(request, "upgrade")
        .any(|value| list_members(value).any(|protocol| protocol.eq_ignore_ascii_case("websocket")));
    let can_upgrade = request.method() == Method::Get && request.version() == Version::Http11;
    if !can_upgrade || !request.wants_upgrade() || !offers {
        return Err(HandshakeError::UpgradeRequired);
    }
    if !request.body().is_empty() {
        return Err(HandshakeError::Malformed { reason: "an upgrade has no body" });
    }
    let mut versions = values(request, "sec-websocket-version");
    if versions.next() != Some("13") || versions.next().is_some() {
        return Err(HandshakeError::UnsupportedVersion);
    }
    Ok(())
}

fn checked_key(request: &Request) -> Result<&str, HandshakeError> {
    let mut keys = values(request, "sec-websocket-key");
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(HandshakeError::Malformed { reason: "there must be one Sec-WebSocket-Key" });
    };
    match STANDARD.decode(key) {
        Ok(nonce) if nonce.len() == 16 => Ok(key),
        Ok(_) | Err(_) => Err(HandshakeError::Malformed { reason: "Sec-WebSocket-Key is not 16 bytes in base64" }),
    }
}

/// The first offer that is spoken here, none if nothing is offered. A credential travels as `bearer.KEY` beside it.
fn offered_subprotocol(request: &Request) -> Result<Option<Subprotocol>, HandshakeError> {
    let mut offers = values(request, "sec-websocket-protocol").flat_map(list_members).peekable();
    if offers.peek().is_none() {
        return Ok(None);
    }
    let spoken = [Subprotocol::Json, Subprotocol::Batch];
    let chosen = offers.find_map(|offer| spoken.into_iter().find(|spoken| spoken.name() == offer));
    chosen.map(Some).ok_or(HandshakeError::NoCommonSubprotocol)
}

fn values<'r>(request: &'r Request, name: &'r str) -> impl Iterator<Item = &'r str> {
    request.headers_named(name).map(|value| std::str::from_utf8(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::request;

    const SOUND: &str = "GET /v1/ws HTTP/1.1\r\nHost: node:8081\r\nConnection: keep-alive, Upgrade\r\n\
        Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn accepted(head: &str, more: &str) -> Result<Response, HandshakeError> {
        chosen(head, more).map(|(response, _)| response)
    }

    fn chosen(head: &str, more: &str) -> Result<(Response, Subprotocol), HandshakeError> {
        let config = GatewayConfig { allowed_origins: vec!["https://app.example".to_owned()], ..Default::default() };
        accept(&request(format!("{head}{more}\r\n").as_bytes()), &config)
    }

    #[test]
    fn the_example_of_rfc_6455_is_accepted() {
        let response = accepted(SOUND, "").unwrap();
        assert_eq!(response.status(), 101);
        assert_eq!(response.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(response.header("sec-websocket-protocol"), None);
    }

    #[test]
    fn the_first_offer_that_is_spoken_is_chosen() {
        for (offers, name, expected) in [
            ("bearer.k, pubsub.v1.json", "pubsub.v1.json", Subprotocol::Json),
            ("pubsub.v2.json, pubsub.v1.batch, pubsub.v1.json", "pubsub.v1.batch", Subprotocol::Batch),
            ("pubsub.v1.json,pubsub.v1.batch", "pubsub.v1.json", Subprotocol::Json),
        ] {
            let (response, chosen) = chosen(SOUND, &format!("Sec-WebSocket-Protocol: {offers}\r\n")).unwrap();
            assert_eq!((response.header("sec-websocket-protocol"), chosen), (Some(name), expected));
        }
        assert_eq!(chosen(SOUND, "").unwrap().1, Subprotocol::Json);
        let refused = accepted(SOUND, "Sec-WebSocket-Protocol: chat\r\n");
        assert_eq!(refused, Err(HandshakeError::NoCommonSubprotocol));
    }

    #[test]
    fn what_does_not_upgrade_is_told_to() {
        for (from, to) in [("GET", "POST"), ("Upgrade: WebSocket", "Upgrade: h2c"), ("keep-alive, Upgrade", "close")] {
            assert_eq!(accepted(&SOUND.replace(from, to), ""), Err(HandshakeError::UpgradeRequired), "{to}");
        }
        assert_eq!(accepted(&SOUND.replace("HTTP/1.1", "HTTP/1.0"), ""), Err(HandshakeError::UpgradeRequired));
    }

    #[test]
    fn other_versions_are_told_ours() {
        let error = accepted(&SOUND.replace("Version: 13", "Version: 8"), "").unwrap_err();
        let response = error.with_headers(Response::empty(error.status()));
        assert_eq!((response.status(), response.header("sec-websocket-version")), (426, Some("13")));
        assert!(accepted(SOUND, "Sec-WebSocket-Version: 13\r\n").is_err());
    }

    #[test]
    fn the_key_must_be_one_nonce_of_16_bytes() {
        for key in ["", "AAAA", "not base64!", "dGhlIHNhbXBsZSBub25jZXM="] {
            let refused = accepted(&SOUND.replace("dGhlIHNhbXBsZSBub25jZQ==", key), "");
            assert!(matches!(refused, Err(HandshakeError::Malformed { .. })), "{key}");
        }
        assert!(accepted(SOUND, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n").is_err());
    }

    #[test]
    fn only_our_own_and_listed_origins_are_let_in() {
        for origin in ["http://node:8081", "http://NODE:8081", "https://app.example"] {
            assert!(accepted(SOUND, &format!("Origin: {origin}\r\n")).is_ok(), "{origin}");
        }
        for origin in
            ["http://node", "http://evil", "null", "", "http://app.example", "http://node:8081.evil", "http://"]
        {
            let refused = accepted(SOUND, &format!("Origin: {origin}\r\n"));
            assert_eq!(refused, Err(HandshakeError::ForbiddenOrigin), "{origin}");
        }
    }

    #[test]
    fn default_ports_may_be_left_out() {
        let head = SOUND.replace("node:8081", "node");
        assert!(accepted(&head, "Origin: http://node:80\r\n").is_ok());
        assert!(accepted(&head, "Origin: https://node\r\n").is_ok());
        assert!(accepted(&head, "Origin: https://node:80\r\n").is_err());
    }
}
