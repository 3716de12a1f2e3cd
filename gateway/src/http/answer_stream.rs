//! An answer whose body is made while it is sent, and which may take the body of its request while that arrives.

use std::{
    fmt,
    task::{Context, Poll},
};

use super::refusal::Refusal;

/// Makes the body of an answer piece by piece. It is asked for the next piece when all before it are sent, so that a client
/// who is slow to read holds it back; it is dropped when the client is gone.
pub trait AnswerStream {
    /// Appends the next piece to `out`, which is empty. Others have their turn while it is pending.
    fn poll_piece(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Piece>;

    /// What was made can't be sent now: nothing that others wait for is to be held meanwhile. Called again and again.
    fn rest(&mut self) {}

    /// The node stops: what was begun is finished, nothing new is begun. Called once.
    fn stop(&mut self);

    /// Whether more of the request's body is wanted now; only asked if the body is taken while it arrives.
    fn wants_input(&self) -> bool {
        false
    }

    /// Takes what has arrived of the request's body.
    fn take_input(&mut self, _input: Input<'_>) {}

    /// The bytes of the request's body that are held.
    fn held_bytes(&self) -> usize {
        0
    }
}

/// What a piece says beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// More may follow.
    More,
    /// The body ends behind it.
    Last,
}

/// What arrives of a request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<'i> {
    /// The next bytes.
    Bytes(&'i [u8]),
    /// The body is whole.
    End,
    /// No more can be taken.
    Broken(Refusal),
}

/// A stream on its way to the connection that sends it.
pub struct BodyStream(Box<dyn AnswerStream>);

impl BodyStream {
    /// The stream that a body is made of.
    pub fn new(stream: impl AnswerStream + 'static) -> Self {
        Self(Box::new(stream))
    }

    /// The stream itself.
    #[must_use]
    pub fn into_inner(self) -> Box<dyn AnswerStream> {
        self.0
    }
}

impl fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyStream")
    }
}

/// A stream is like no other.
impl PartialEq for BodyStream {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(&raw const *self.0, &raw const *other.0)
    }
}

impl Eq for BodyStream {}
