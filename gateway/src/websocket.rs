//! WebSocket by RFC 6455: the handshake, the codec over memory, and the session behind it.

pub mod codec;
pub mod handshake;
