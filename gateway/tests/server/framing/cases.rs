//! What a server has to make of some bytes, each case named after the section of the RFC that decides it.

mod chunks;
mod connections;
mod content_length;
mod header_fields;
mod request_lines;
mod smuggling;
mod transfer_encoding;

use gateway::http::parser::Need;

/// A name, what a client sends on a new connection, and what it comes to.
pub(super) type Case = (&'static str, String, Outcome);

/// What some bytes on a new connection come to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Requests with these bodies, then nothing unread.
    Bodies(Vec<Vec<u8>>),
    /// A refusal with this status, which closes; requests before it were taken.
    Refused(u16),
    /// More is needed.
    Waits(Need),
}

/// Every case there is.
pub(super) fn all() -> Vec<Case> {
    [
        request_lines::cases(),
        header_fields::cases(),
        content_length::cases(),
        transfer_encoding::cases(),
        chunks::cases(),
        smuggling::cases(),
        connections::cases(),
    ]
    .concat()
}

/// Requests with these bodies.
pub(super) fn bodies(bodies: &[&str]) -> Outcome {
    Outcome::Bodies(bodies.iter().map(|body| body.as_bytes().to_vec()).collect())
}

/// A POST with these header lines behind Host, and what follows them.
pub(super) fn post(lines: &str, rest: &str) -> String {
    format!("POST /v1/topics/t/publish HTTP/1.1\r\nHost: a\r\n{lines}\r\n{rest}")
}

#[test]
fn there_are_many_and_each_has_a_name_of_its_own_with_its_section() {
    let cases = all();
    let names: std::collections::BTreeSet<_> = cases.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 150, "{}", cases.len());
    for name in names {
        assert!(name.get(4..).is_some_and(|rest| rest.starts_with(" §")), "{name}");
    }
}
