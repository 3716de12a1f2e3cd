//! HTTP/1.1 by RFC 9110 and RFC 9112 without any I/O: bytes to requests, requests to routes, responses to bytes.

pub mod answer_stream;
pub mod chunked;
pub mod cors;
mod framing;
pub mod gzip;
mod head;
pub mod headers;
pub mod method;
pub mod parser;
pub mod percent;
pub mod refusal;
pub mod request;
pub mod request_id;
pub mod response;
pub mod router;
pub mod target;
#[cfg(test)]
pub(crate) mod testing;
