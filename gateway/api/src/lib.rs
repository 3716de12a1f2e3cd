//! What clients of PubSubRing see: the JSON of HTTP and WebSocket, error codes, and (feature `client`) a typed client.
//!
//! Requests refuse fields that they don't know; answers tolerate them, so that an older client can talk to a newer node.
//! Durations are integers in fields that end in `_ms`; times are RFC 3339 in UTC with milliseconds.

pub mod access;
pub mod base64;
#[cfg(feature = "client")]
pub mod client;
pub mod cluster;
pub mod consume;
pub mod cow_str;
pub mod cursor;
pub mod decode;
pub mod error;
pub mod frame;
pub mod groups;
pub mod health;
pub mod letters;
pub mod limits;
pub mod nullable;
pub mod object;
pub mod page;
pub mod publish;
pub mod push;
pub mod rfc3339;
pub mod scheduled;
#[cfg(feature = "schema")]
mod schema;
pub mod subscriptions;
pub mod topics;
pub mod verify;

pub use crate::consume::DeliveredMessage;
pub use crate::cow_str::CowStr;
pub use crate::cursor::CursorToken;
pub use crate::error::{Code, Outcome, Problem};
pub use crate::frame::{ClientFrame, ServerFrame};
pub use crate::nullable::Nullable;
pub use crate::page::Page;
pub use crate::publish::{PublishMessage, PublishRequest};
pub use crate::rfc3339::Timestamp;
