//! What a group of lines becomes: the messages up to the first line that is wrong, and what is wrong with it.

use gateway_api::{
    Code, PublishMessage,
    decode::{DecodeError, decode},
};

use super::line_splitter::LineGroup;
use crate::{
    error::{self, Failure},
    message_ids::MessageIds,
    publish_decode::{PublishPlan, PublishRefused, PublishTarget, plan_messages},
};

/// Why a line was not published, nor any behind it.
#[derive(Debug)]
pub(super) struct LineFault {
    pub(super) line: u64,
    pub(super) failure: Failure,
}

/// Plans the messages of a group up to the first that is wrong; of that, none is stored.
pub(super) fn plan_lines(
    group: &LineGroup,
    line_bytes_max: usize,
    target: &PublishTarget<'_>,
    ids: &mut MessageIds,
) -> (PublishPlan, Option<LineFault>) {
    let (mut numbers, mut messages, mut fault) = (Vec::new(), Vec::new(), None);
    for (line, text) in group.lines() {
        match read(text, line_bytes_max) {
            Ok(message) => {
                numbers.push(line);
                messages.push(message);
            }
            Err(failure) => {
                fault = Some(LineFault { line, failure });
                break;
            }
        }
    }
    while !messages.is_empty() {
        let refused = match plan_messages(&messages, target, ids) {
            Ok(plan) => return (plan, fault),
            Err(refused) => refused,
        };
        let at = refused.errors.first().and_then(|error| usize::try_from(error.index?).ok()).unwrap_or_default();
        // What is behind it is out, whatever becomes of what is before it.
        messages.truncate(at.min(messages.len() - 1));
        let line = numbers.get(messages.len()).copied().unwrap_or(group.first());
        fault = Some(LineFault { line, failure: of_refused(refused) });
    }
    (PublishPlan::default(), fault)
}

/// A line that is longer than any message there may be.
pub(super) fn too_long(line_bytes_max: usize) -> Failure {
    error::of_code(Code::MessageTooLarge, format!("a line of this topic has at most {line_bytes_max} bytes"))
}

fn read(text: &[u8], line_bytes_max: usize) -> Result<PublishMessage<'_>, Failure> {
    if text.len() > line_bytes_max {
        return Err(too_long(line_bytes_max));
    }
    // The answer says by itself which line it is.
    let at_column = |error: DecodeError| {
        let detail = error.detail.replace(" at line 1 column ", " at column ");
        error::of_decode(DecodeError { detail, ..error })
    };
    decode(text).map_err(at_column)
}

fn of_refused(refused: PublishRefused) -> Failure {
    let detail = match refused.errors.first() {
        Some(error) => format!("`{}`: {}", error.field, error.detail.as_deref().unwrap_or_default()),
        None => refused.detail,
    };
    error::of_code(refused.code, detail)
}

#[cfg(test)]
mod tests {
    use gateway_api::publish::Retry;
    use shard_core::format::record_batch::Codec;

    use super::{super::line_splitter::LineSplitter, *};
    use crate::publish_decode::MessageTrace;

    /// How many messages a group becomes, and the line, the code and the detail of what is wrong.
    fn planned(text: &str) -> (usize, Option<(u64, Code, String)>) {
        let mut splitter = LineSplitter::new();
        splitter.push(text.as_bytes());
        splitter.end();
        let target = PublishTarget {
            partitions: 3,
            message_bytes_max: 10,
            codec: Codec::None,
            turn: 0,
            now_millis: 0,
            retry: Retry::Unguarded,
            trace: MessageTrace { given: None, notes: false },
        };
        let group = splitter.take_group(1_000, 1_000).unwrap();
        let (plan, fault) = plan_lines(&group, 60, &target, &mut MessageIds::new());
        let told = |LineFault { line, failure }| (line, failure.code, failure.detail.clone());
        (plan.messages().len(), fault.map(told))
    }

    #[test]
    fn sound_lines_are_planned() {
        let lines = "{\"text\":\"a\"}\r\n\n{\"json\":1,\"partition\":2}\n{\"data\":\"AA==\"}";
        assert_eq!(planned(lines), (3, None));
        assert_eq!(planned("\n \n"), (0, None));
    }

    #[test]
    fn what_is_before_the_first_wrong_line_is_planned() {
        let long = format!("{{\"text\":\"{}\"}}", "a".repeat(60));
        let cases = [
            ("{\"text\":", Code::InvalidJson),
            ("{\"text\":\"a\"} {}", Code::InvalidJson),
            ("{\"txt\":\"a\"}", Code::UnknownField),
            ("{\"text\":\"a\",\"priority\":77}", Code::InvalidArgument),
            ("{\"text\":\"a\",\"partition\":3}", Code::InvalidArgument),
            ("{\"data\":\"!\"}", Code::InvalidBase64),
            ("{\"text\":\"0123456789a\"}", Code::MessageTooLarge),
            (long.as_str(), Code::MessageTooLarge),
        ];
        for (wrong, expected) in cases {
            // Another wrong line behind it, of either kind, changes nothing.
            for behind in ["{\"text\":\"b\"}", "no", "{\"data\":\"?\"}"] {
                let (count, fault) = planned(&format!("{{\"text\":\"a\"}}\n\n{wrong}\n{behind}\n"));
                let (line, code, detail) = fault.unwrap();
                assert_eq!((count, line, code), (1, 3, expected), "{wrong}: {detail}");
                assert!(!detail.contains("message ") && !detail.contains("line 1"), "{detail}");
            }
            let (count, fault) = planned(wrong);
            assert_eq!((count, fault.map(|(line, ..)| line)), (0, Some(1)));
        }
    }
}
