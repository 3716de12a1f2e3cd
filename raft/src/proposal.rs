//! A command on its way from a proposer to the Raft log.

use tokio::sync::oneshot;

use crate::{
    handle::{ProposeError, check_command_bytes},
    metadata::{Command, Outcome},
};

/// What a proposer is told.
pub(crate) type Answer = Result<Outcome, ProposeError>;

/// A command, how large it is in a log entry, and who waits for its outcome.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) command: Command,
    pub(crate) encoded_bytes: usize,
    pub(crate) reply: oneshot::Sender<Answer>,
}

impl Proposal {
    /// Measures a command.
    ///
    /// # Errors
    /// It is larger than a command may be.
    pub(crate) fn new(command: Command, reply: oneshot::Sender<Answer>) -> Result<Self, ProposeError> {
        let encoded_bytes = postcard::experimental::serialized_size(&command).unwrap_or(usize::MAX);
        check_command_bytes(encoded_bytes)?;
        Ok(Self { command, encoded_bytes, reply })
    }
}
