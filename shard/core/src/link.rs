//! What nodes say to each other before and around what they mean: the first bytes of a connection, its frames, and how
//! both sides show who they are.
//!
//! A connection begins with a [`Preface`] in the clear, so that whoever accepts it can hand it to the core it is meant for.
//! TLS comes behind it where it is used ([`begins_tls`] tells). Then both sides send [`Frame`]s: those of a [`Handshake`] first, and when that is
//! over, whatever the lane is for. Nothing here reads a socket or a clock: bytes come in and go out.

mod decoder;
mod frame;
mod handshake;
mod hello;
mod preface;
mod proof;
mod seldom;
mod watch;

pub use decoder::{FrameDecoder, FrameLimits};
pub use frame::{Frame, FrameError, FrameKind, HEADER_BYTES, OutFrame};
pub use handshake::{Expected, Handshake, HandshakeError, Peer, RefusalReason, Role, Step};
pub use hello::{ClusterText, Hello, HelloError, LinkIdentity, VersionRange};
pub use preface::{Lane, PREFACE_BYTES, Preface, PrefaceError, begins_tls};
pub use proof::LinkSecret;
pub use seldom::Seldom;
pub use watch::{LinkWatch, WatchVerdict};
