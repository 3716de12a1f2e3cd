//! Why requests, reads and writes of the Redis store fail, and what the `redis` crate's errors mean.

use std::{error::Error, io, sync::Arc};

use redis::{ErrorKind, RedisError};
use shard_core::redis::{AnswerError, Failure, FailureKind, Outcome, PageError, Refusal, UnboundedReply};

/// Why a request to Redis failed, all its tries together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Redis: {failure}")]
pub struct RequestError {
    /// What the last try ended with.
    pub failure: Failure,
    /// What all tries together may have left behind.
    pub outcome: Outcome,
}

/// Why a write was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum WriteError {
    /// If the outcome is unknown, the partition takes no more writes until it was opened anew.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Nothing more is written until the partition was opened anew; an earlier try may have written.
    #[error("{refusal}")]
    Refused { refusal: Refusal, outcome: Outcome },
    /// It is written, but too few replicas said that they have it. The partition is closed.
    #[error("{reached} of {wanted} replicas have it")]
    Replicas { reached: u32, wanted: u32 },
    /// An earlier write failed; nothing was sent.
    #[error("the partition is closed since an earlier write failed")]
    Closed,
    /// It is not known whether anything was written; the partition is closed.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// Why nothing can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ReadError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Page(#[from] PageError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

impl WriteError {
    /// Whether the write may be there all the same, or come to be.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Request(error) => error.outcome,
            Self::Refused { outcome, .. } => *outcome,
            Self::Closed => Outcome::NotApplied,
            Self::Replicas { .. } | Self::Answer(_) => Outcome::Unknown,
        }
    }

    /// Whether the partition has to be opened anew before it is written again: unless it is certain that nothing was
    /// written, and that it is as it was.
    pub(super) const fn closes(&self) -> bool {
        match self {
            Self::Request(request) => matches!(request.outcome, Outcome::Unknown),
            Self::Refused { .. } | Self::Replicas { .. } | Self::Closed | Self::Answer(_) => true,
        }
    }
}

/// What an error of the `redis` crate means for the request that met it.
pub(super) fn failure_of(error: &RedisError) -> Failure {
    if let Some(replies) = error.clone().into_server_errors() {
        let first = replies.first().map(|(_, reply)| (reply.code(), reply.details().unwrap_or_default()));
        let (code, detail) = first.unwrap_or_default();
        let failure = Failure::from_reply(code, detail);
        // A transaction that Redis did not begin fails for what one of its commands was refused for.
        let began = error.code() != Some("EXECABORT");
        return if began || failure.outcome() == Outcome::NotApplied {
            failure
        } else {
            Failure::new(FailureKind::Aborted, failure.to_string())
        };
    }
    let unreadable = [ErrorKind::Parse, ErrorKind::UnexpectedReturnType].contains(&error.kind()) || is_unbounded(error);
    let kind = if unreadable {
        FailureKind::Protocol
    } else if error.is_io_error() {
        FailureKind::ConnectionLost
    } else {
        FailureKind::Other
    };
    Failure::new(kind, error.to_string())
}

/// Whether the guard before the parser refused the reply: its error lies in an I/O error, which the crate shares.
fn is_unbounded(error: &RedisError) -> bool {
    type Shared = Arc<dyn Error + Send + Sync>;

    let shared = error.source().and_then(|source| source.downcast_ref::<Shared>());
    let io_error = shared.and_then(|shared| shared.downcast_ref::<io::Error>());
    io_error.and_then(io::Error::get_ref).is_some_and(<dyn Error + Send + Sync>::is::<UnboundedReply>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reply_is_told_by_its_code() {
        let readonly = redis::make_extension_error("OOM".to_owned(), Some("command not allowed".to_owned()));
        assert_eq!(failure_of(&readonly).kind(), FailureKind::OutOfMemory);
    }

    #[test]
    fn a_broken_bound_is_no_lost_connection() {
        let lost = RedisError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure_of(&lost).kind(), FailureKind::ConnectionLost);
        let unbounded = io::Error::new(io::ErrorKind::InvalidData, UnboundedReply::Length);
        assert_eq!(failure_of(&RedisError::from(unbounded)).kind(), FailureKind::Protocol);
    }
}
