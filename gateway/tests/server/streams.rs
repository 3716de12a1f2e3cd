//! Bodies that the application of these tests makes while they are sent.

use std::task::{Context, Poll};

use gateway::http::{
    answer_stream::{AnswerStream, Input, Piece},
    response::Response,
};

/// What a stream of this name gives, over and over.
#[derive(Clone, Copy)]
enum Kind {
    /// Ten numbers.
    Ten,
    /// Large pieces without end.
    Endless,
    /// One piece, then nothing until the node stops.
    Silent,
}

struct Pieces {
    kind: Kind,
    made: usize,
    stopped: bool,
}

/// Gives back in capitals what it is sent; ends at a `!`.
#[derive(Default)]
pub(crate) struct Upper {
    held: Vec<u8>,
    last: bool,
}

pub(crate) fn is_known(name: &str) -> bool {
    kind(name).is_some()
}

pub(crate) fn answer(name: &str) -> Response {
    Response::streaming("text/plain", Pieces { kind: kind(name).unwrap(), made: 0, stopped: false })
}

fn kind(name: &str) -> Option<Kind> {
    match name {
        "ten" => Some(Kind::Ten),
        "endless" => Some(Kind::Endless),
        "silent" => Some(Kind::Silent),
        _ => None,
    }
}

impl AnswerStream for Pieces {
    fn poll_piece(&mut self, _: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Piece> {
        if self.stopped {
            out.extend_from_slice(b"bye");
            return Poll::Ready(Piece::Last);
        }
        self.made += 1;
        match self.kind {
            Kind::Ten if self.made > 10 => return Poll::Ready(Piece::Last),
            Kind::Silent if self.made > 1 => return Poll::Pending,
            Kind::Ten | Kind::Silent => out.extend_from_slice(self.made.to_string().as_bytes()),
            Kind::Endless => out.resize(100_000, b'x'),
        }
        Poll::Ready(Piece::More)
    }

    fn stop(&mut self) {
        self.stopped = true;
    }
}

impl AnswerStream for Upper {
    fn poll_piece(&mut self, _: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Piece> {
        if self.held.is_empty() && !self.last {
            return Poll::Pending;
        }
        out.append(&mut self.held);
        Poll::Ready(if self.last { Piece::Last } else { Piece::More })
    }

    fn stop(&mut self) {
        self.last = true;
    }

    fn wants_input(&self) -> bool {
        self.held.is_empty() && !self.last
    }

    fn take_input(&mut self, input: Input<'_>) {
        match input {
            Input::Broken(_) if self.last => {}
            Input::Bytes(bytes) => {
                self.held.extend(bytes.iter().map(u8::to_ascii_uppercase));
                self.last = bytes.contains(&b'!');
            }
            Input::End => self.last = true,
            Input::Broken(refusal) => {
                self.held.extend_from_slice(refusal.to_string().as_bytes());
                self.last = true;
            }
        }
    }

    fn held_bytes(&self) -> usize {
        self.held.len()
    }
}
