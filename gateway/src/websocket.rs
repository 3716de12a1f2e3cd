//! WebSocket by RFC 6455: the handshake, the codec over memory, and the session behind it.

pub mod codec;
pub mod handshake;
pub(crate) mod session;

use self::handshake::Subprotocol;
use crate::{
    application::Admitted, byte_budget::ByteBudget, client::Client, http::request_id::RequestId, socket::Socket,
};

/// A connection that speaks WebSocket from now on; the 101 is sent.
#[derive(Debug)]
pub struct Upgraded {
    /// The connection, without a deadline.
    pub socket: Socket,
    /// What its frames look like.
    pub subprotocol: Subprotocol,
    /// What the client sent behind its request: the beginning of its first frame.
    pub leftover: Vec<u8>,
    /// The id of the request that opened it.
    pub request_id: RequestId,
    /// The other end.
    pub client: Client,
    /// Who opened it.
    pub admitted: Admitted,
    /// What the messages of all clients of this core may take together, as request bodies do.
    pub(crate) bodies: ByteBudget,
}
