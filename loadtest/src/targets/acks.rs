//! What a publish says of when it is answered.

use gateway_api::topics::Acks;

/// As a query; nothing where the topic decides.
#[must_use]
pub fn acks_query(acks: Option<Acks>) -> String {
    acks.map(|acks| format!("?acks={}", name(acks))).unwrap_or_default()
}

/// As a member of a frame, with its comma; nothing where the topic decides.
#[must_use]
pub fn acks_member(acks: Option<Acks>) -> String {
    acks.map(|acks| format!(",\"acks\":\"{}\"", name(acks))).unwrap_or_default()
}

fn name(acks: Acks) -> &'static str {
    match acks {
        Acks::Quorum => "quorum",
        Acks::Leader => "leader",
        Acks::Memory => "memory",
    }
}
