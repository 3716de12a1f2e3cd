//! The exit codes of the program, by kind of error, so that scripts can tell what happened.

/// The table of exit codes as `--help` shows it.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  done
  1  internal: an error in the node or in this program, or an answer that is none of a node's
  2  usage: the command line is wrong
  3  not found: no such topic, subscription, partition, offset or node
  4  conflict: it exists with another configuration, has changed meanwhile, the lease is over, or the cluster does
     not allow it as it stands
  5  invalid: the node refused the request; the same again is refused again
  6  unavailable: the node can't do it now or didn't answer in time, or a node has the directory that `store` is to
     read; it may be tried again
  7  cannot connect: nobody answers at the server's address
  8  not allowed: the key is missing, wrong, or not enough
  9  damaged: `store verify` found data that is not as it was written, or of a version that it does not know";

/// What kind of end the program came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitKind {
    /// Everything was done.
    Done = 0,
    /// An error in the node or in this program.
    Internal = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Something that was named is not there.
    NotFound = 3,
    /// Something else is there, or has happened meanwhile.
    Conflict = 4,
    /// The request is wrong in itself.
    Invalid = 5,
    /// It can't be done now, or is not known to have been done.
    Unavailable = 6,
    /// Nobody answers there.
    CannotConnect = 7,
    /// The key is not enough.
    NotAllowed = 8,
    /// Stored data is not as it was written.
    Damaged = 9,
}

impl ExitKind {
    /// The kind of an answer by its HTTP status alone.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::NotAllowed,
            404 | 410 => Self::NotFound,
            409 | 412 => Self::Conflict,
            408 | 429 | 502..=504 => Self::Unavailable,
            400..=499 => Self::Invalid,
            _ => Self::Internal,
        }
    }
}

impl From<ExitKind> for std::process::ExitCode {
    fn from(kind: ExitKind) -> Self {
        Self::from(kind as u8)
    }
}

#[cfg(test)]
mod tests {
    use gateway_api::Code;

    use super::*;

    #[test]
    fn every_code_of_a_node_has_its_exit_code() {
        let kind = |code: Code| ExitKind::of_status(code.status());
        assert_eq!(kind(Code::TopicNotFound), ExitKind::NotFound);
        assert_eq!(kind(Code::OffsetExpired), ExitKind::NotFound);
        assert_eq!(kind(Code::TopicExists), ExitKind::Conflict);
        assert_eq!(kind(Code::PreconditionFailed), ExitKind::Conflict);
        assert_eq!(kind(Code::MessageTooLarge), ExitKind::Invalid);
        assert_eq!(kind(Code::Overloaded), ExitKind::Unavailable);
        assert_eq!(kind(Code::Timeout), ExitKind::Unavailable);
        assert_eq!(kind(Code::Unauthenticated), ExitKind::NotAllowed);
        assert_eq!(kind(Code::DataCorrupt), ExitKind::Internal);
    }

    #[test]
    fn the_table_names_every_exit_code() {
        let continued = |line: &&str| line.starts_with("     ");
        let lines: Vec<_> = TABLE.lines().skip(1).filter(|line| !continued(line)).collect();
        for (line, code) in lines.iter().zip(0..) {
            assert!(line.trim_start().starts_with(&format!("{code}  ")), "{line}");
        }
        assert_eq!(lines.len(), 1 + ExitKind::Damaged as usize);
    }
}
