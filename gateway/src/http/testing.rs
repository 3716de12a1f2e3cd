//! Requests for tests, from their bytes.

use super::{
    parser::{Progress, RequestParser},
    request::Request,
};
use crate::config::GatewayConfig;

/// Reads one whole request.
///
/// # Panics
/// If the bytes are not exactly one request.
pub(crate) fn request(bytes: &[u8]) -> Request {
    let mut parser = RequestParser::new(&GatewayConfig::default());
    parser.inbound_mut().extend_from_slice(bytes);
    let mut request = Request::default();
    assert_eq!(parser.advance(&mut request), Progress::Complete, "{}", bytes.escape_ascii());
    assert_eq!(parser.unread_bytes(), 0);
    request
}
