//! Operations that several partitions do a part of each: what is said of the whole when parts of it failed.

use gateway_api::Outcome;

use crate::error::Failure;

/// The failure to tell when every part failed: one that may have been done all the same outweighs what was surely not done.
pub(super) fn gravest<'f>(failures: impl IntoIterator<Item = &'f Failure>) -> Option<&'f Failure> {
    let mut failures = failures.into_iter();
    let first = failures.next()?;
    if first.outcome != Outcome::NotApplied {
        return Some(first);
    }
    Some(failures.find(|failure| failure.outcome != Outcome::NotApplied).unwrap_or(first))
}

/// Nothing is wrong if every part was done. Otherwise the gravest failure is, and if any part was done, or may have been, the
/// whole may have had an effect.
pub(super) fn all_done(parts: &[Result<(), Failure>]) -> Result<(), Failure> {
    let Some(gravest) = gravest(parts.iter().filter_map(|part| part.as_ref().err())) else { return Ok(()) };
    let is_partly_done = parts.iter().any(Result::is_ok);
    let problem = Failure::clone(gravest).into_problem();
    Err(if is_partly_done { problem.with_outcome(Outcome::Unknown).into() } else { problem.into() })
}

#[cfg(test)]
mod tests {
    use gateway_api::Code;

    use super::*;
    use crate::error;

    fn failed(code: Code) -> Failure {
        error::of_code(code, "")
    }

    #[test]
    fn what_may_have_been_done_outweighs_what_was_not() {
        let code = |failures: &[Failure]| gravest(failures).map(|failure| failure.code);
        assert_eq!(code(&[]), None);
        assert_eq!(code(&[failed(Code::PartitionClosed), failed(Code::Overloaded)]), Some(Code::PartitionClosed));
        assert_eq!(code(&[failed(Code::PartitionClosed), failed(Code::Timeout)]), Some(Code::Timeout));
        assert_eq!(code(&[failed(Code::Timeout), failed(Code::PartitionClosed)]), Some(Code::Timeout));
    }

    #[test]
    fn a_whole_that_is_done_in_part_is_not_said_to_be_undone() {
        let all = |parts: &[Result<(), Failure>]| all_done(parts).map_err(|failure| (failure.code, failure.outcome));
        assert_eq!(all(&[Ok(()), Ok(())]), Ok(()));
        assert_eq!(all(&[Err(failed(Code::Overloaded))]), Err((Code::Overloaded, Outcome::NotApplied)));
        assert_eq!(all(&[Ok(()), Err(failed(Code::Overloaded))]), Err((Code::Overloaded, Outcome::Unknown)));
        let unknown = [Err(failed(Code::Overloaded)), Err(failed(Code::Timeout))];
        assert_eq!(all(&unknown), Err((Code::Timeout, Outcome::Unknown)));
    }
}
