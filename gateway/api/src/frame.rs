//! The frames of WebSocket subprotocol `pubsub.v1.json`: one JSON object each, told apart by `op`.

mod client_frame;
mod server_frame;
mod tagged;

pub use self::client_frame::{
    Ack, ClientFrame, ClientFrameError, Credit, Extend, Nack, Ping, Publish, Subscribe, SubscribeFrom, Unsubscribe,
};
pub use self::server_frame::{
    Acked, Assigned, ErrorFrame, Messages, Pong, Published, ServerFrame, Subscribed, Unsubscribed,
};

/// The name of the subprotocol.
pub const SUBPROTOCOL: &str = "pubsub.v1.json";
