//! What partitions said that gave no message, while others were asked.

use gateway_api::Code;

use crate::error::Failure;

/// The failures of some partitions of a pull.
#[derive(Debug, Default)]
pub(super) struct PartitionFailures {
    answered: bool,
    closed: Option<Failure>,
    failed: Option<Failure>,
}

impl PartitionFailures {
    /// Takes note of what one partition said.
    pub(super) fn note(&mut self, pulled: Result<(), Failure>) {
        match pulled {
            Ok(()) => self.answered = true,
            Err(failure) if failure.code == Code::PartitionClosed => self.closed = self.closed.take().or(Some(failure)),
            Err(failure) => self.failed = self.failed.take().or(Some(failure)),
        }
    }

    /// The first failure. A closed partition is one only if all are closed: it holds up none of the others.
    pub(super) fn into_result(self) -> Result<(), Failure> {
        let closed = self.closed.filter(|_| !self.answered);
        self.failed.or(closed).map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error;

    fn code(results: &[Result<(), Code>]) -> Option<Code> {
        let mut failures = PartitionFailures::default();
        for result in results {
            failures.note(result.map_err(|code| error::of_code(code, "")));
        }
        failures.into_result().err().map(|failure| failure.code)
    }

    #[test]
    fn a_closed_partition_holds_up_none_of_the_others() {
        let (closed, corrupt) = (Err(Code::PartitionClosed), Err(Code::DataCorrupt));
        assert_eq!(code(&[closed, Ok(())]), None);
        assert_eq!(code(&[Ok(()), closed]), None);
        assert_eq!(code(&[closed, closed]), Some(Code::PartitionClosed));
        assert_eq!(code(&[]), None);
        assert_eq!(code(&[Ok(()), corrupt, closed]), Some(Code::DataCorrupt), "damage is never passed over in silence");
    }
}
