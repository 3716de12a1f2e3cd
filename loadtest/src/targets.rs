//! What a run talks to: one file per protocol and role, over raw keep-alive connections.

pub mod acks;
pub mod batches;
pub mod catch_up_read;
pub mod consume_pull;
pub mod consume_websocket;
pub mod delivered;
pub mod http_batch;
pub mod http_connection;
pub mod http_publisher;
pub mod http_single;
#[cfg(feature = "peers")]
pub mod peers;
pub mod scan;
pub mod templates;
pub mod topic_events;
pub mod topic_websocket;
pub mod websocket;
pub mod websocket_batch;
pub mod websocket_connection;
pub mod wire;

use std::io;
use std::time::Duration;

use crate::account::{Account, Delivered};
use crate::clock::Clock;
use crate::stamp::Stamp;

/// Publishes over one connection.
///
/// The driver sends at most as many requests as the protocol allows and pairs answers by ticket.
pub trait Publisher {
    /// Sends request `ticket`, stamped with the time at which it was due.
    fn send(&mut self, ticket: u64, intended: Duration) -> impl Future<Output = Result<(), TargetError>>;

    /// The next answer. It may be dropped and called again without losing one.
    fn receive(&mut self) -> impl Future<Output = Result<Answer, TargetError>>;
}

/// Consumes or reads over one connection.
pub trait Consumer {
    /// One round: fetches what is there, confirms it where the protocol does, and enters it in the account.
    fn step<C: Clock>(&mut self, clock: &C, account: &Account) -> impl Future<Output = Result<Step, TargetError>>;
}

/// Reads all of a topic over one connection, as its messages come.
pub trait Reader {
    /// The next messages, at least one.
    fn next(&mut self) -> impl Future<Output = Result<Vec<Delivered>, TargetError>>;
}

/// How a consumer's round went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There may be more.
    Continue,
    /// Everything that this connection was to read has been read.
    Finished,
}

/// The answer to one publish request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which request it answers.
    pub ticket: u64,
    /// What became of its messages.
    pub outcome: Outcome,
}

/// What became of the messages of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All are acknowledged.
    Stored,
    /// All but these are acknowledged: index in the request, and error code.
    PartlyStored(Vec<(u64, String)>),
    /// None is, for this error code.
    Refused(String),
}

/// Who publishes: what its stamps and requests have in common.
#[derive(Clone, Copy, Debug)]
pub struct StreamIdentity {
    /// The run.
    pub run: u32,
    /// The connection's number in the run.
    pub stream: u32,
    /// Messages in each of its requests.
    pub batch: u64,
}

impl StreamIdentity {
    /// The stamp of the first message of request `ticket`.
    #[must_use]
    pub fn first_stamp(&self, ticket: u64, intended: Duration) -> Stamp {
        Stamp {
            run: self.run,
            stream: self.stream,
            sequence: self.first_sequence(ticket),
            intended_micros: u64::try_from(intended.as_micros()).unwrap_or(u64::MAX),
        }
    }

    /// The sequence number of the first message of request `ticket`.
    #[must_use]
    pub fn first_sequence(&self, ticket: u64) -> u64 {
        ticket.saturating_mul(self.batch)
    }
}

/// Why a connection can't be used any more. Requests without an answer may or may not have been applied.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It could not be opened.
    #[error("cannot connect to {authority}: {source}")]
    Connect {
        /// Where to.
        authority: String,
        /// Why.
        source: io::Error,
    },
    /// The server closed it.
    #[error("the server closed the connection{}", .reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Closed {
        /// What the server said, where it said something.
        reason: Option<String>,
    },
    /// It failed.
    #[error("connection failed: {source}")]
    Failed {
        /// How.
        #[from]
        source: io::Error,
    },
    /// The server's bytes are not what the protocol allows, or what this tool reads.
    #[error("unexpected answer: {detail}")]
    Protocol {
        /// What was wrong.
        detail: String,
    },
}

impl TargetError {
    /// A protocol error.
    pub(crate) fn protocol(detail: impl Into<String>) -> Self {
        Self::Protocol { detail: detail.into() }
    }

    /// The name under which a lost connection's requests are counted.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect_failed",
            Self::Closed { .. } | Self::Failed { .. } => "connection_lost",
            Self::Protocol { .. } => "protocol_error",
        }
    }
}
