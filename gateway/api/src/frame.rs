//! The frames of WebSocket: one JSON object each, told apart by `op`; in `pubsub.v1.batch` with batches behind it.

pub mod batch;
mod client_frame;
mod server_frame;
mod tagged;

pub use self::client_frame::{
    Ack, ClientFrame, ClientFrameError, Credit, Extend, Nack, Ping, Publish, Subscribe, SubscribeFrom, Unsubscribe,
};
pub use self::server_frame::{
    Acked, Assigned, ErrorFrame, Messages, Pong, Published, ServerFrame, Subscribed, Unsubscribed,
};

/// The subprotocol of text frames.
pub const SUBPROTOCOL: &str = "pubsub.v1.json";
/// The subprotocol of binary frames with [batches](batch) as they are stored.
pub const BATCH_SUBPROTOCOL: &str = "pubsub.v1.batch";
