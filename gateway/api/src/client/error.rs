//! Why a call of the client failed.

use std::io;
use std::time::Duration;

use crate::error::Problem;

/// Why a call failed, and what is known about its effect.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ClientError {
    /// Nothing was sent.
    #[error("cannot connect to {server}: {source}")]
    Connect { server: String, source: io::Error },
    /// Nothing was sent.
    #[error("cannot speak TLS with {server}: {detail}")]
    Tls { server: String, detail: String },
    /// The request may have taken effect, unless it was still waiting for a connection.
    #[error("no {waited_for} within {waited:?}")]
    Timeout { waited_for: WaitedFor, waited: Duration },
    /// The request may have taken effect.
    #[error("the connection was lost: {detail}")]
    Lost { detail: String },
    /// The node refused the request; the problem says whether it took effect.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The answer is none that a node gives: the address may be that of something else.
    #[error("unexpected answer with status {status}: {detail}")]
    Unexpected { status: u16, detail: String },
    /// Nothing was sent.
    #[error("the request cannot be sent: {detail}")]
    Request { detail: String },
    /// The node closed the WebSocket.
    #[error("the node closed the WebSocket with code {code}: {reason}")]
    WebSocketClosed { code: u16, reason: String },
}

/// What did not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitedFor {
    /// A connection; nothing was sent.
    Connection,
    /// An answer.
    Answer,
}

impl std::fmt::Display for WaitedFor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connection => "connection",
            Self::Answer => "answer",
        })
    }
}

impl From<Problem> for ClientError {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}
