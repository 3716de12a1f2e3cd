//! Every way a request to Redis can fail, and what follows: may it have been applied, and is another try worth it.

use std::fmt;

/// Why one try of a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    kind: FailureKind,
    detail: String,
}

/// The kinds of failure that call for different answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// No connection could be made: refused, no route, no such host, TLS.
    Unreachable,
    /// The connection ended while the request was on its way.
    ConnectionLost,
    /// No answer came in time.
    TimedOut,
    /// The answer broke the protocol or its bounds.
    Protocol,
    /// Too many requests or bytes are on their way already.
    Overloaded,
    /// `LOADING`: it reads its data set.
    Loading,
    /// `READONLY`: it is a replica, or has become one.
    ReadOnly,
    /// `MASTERDOWN`: a replica without its master.
    MasterDown,
    /// `MOVED`: another node of a Redis Cluster has the key.
    Moved,
    /// `ASK`: the key is on its way to another node of a Redis Cluster.
    Ask,
    /// `TRYAGAIN`: the keys of one request are in the middle of a move.
    TryAgain,
    /// `CLUSTERDOWN`: the Redis Cluster doesn't cover the key.
    ClusterDown,
    /// `CROSSSLOT`: keys of one request lie on different nodes.
    CrossSlot,
    /// `OOM`: `maxmemory` is reached.
    OutOfMemory,
    /// `MISCONF`: it can't write its files and refuses writes.
    CannotPersist,
    /// `NOREPLICAS`: fewer replicas than `min-replicas-to-write`.
    TooFewReplicas,
    /// `BUSY`: somebody's script has been running for too long.
    Busy,
    /// `NOSCRIPT`: it does not know the script by its hash.
    UnknownScript,
    /// `NOAUTH`: it wants a password.
    NotAuthenticated,
    /// `WRONGPASS`, or `AUTH` refused in another way.
    WrongPassword,
    /// `NOPERM`: the user may not do this.
    NotPermitted,
    /// `WRONGTYPE`: a key of ours holds something else.
    WrongType,
    /// An id that a stream has had, or a higher one, is there already.
    StaleId,
    /// `EXECABORT`: a command before it in the same transaction was refused.
    Aborted,
    /// It answers as a server that can't be used as a store.
    Unfit,
    /// An error that this code does not know.
    Other,
}

/// What a failed request may have left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing.
    NotApplied,
    /// Nothing or all of it.
    Unknown,
}

/// What is worth doing after a failure. Every request of the store may be sent again: what it did before is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Try again after a pause, on the same connection.
    Wait,
    /// Try again on a new connection.
    Reconnect,
    /// None is worth it now: the caller is told.
    GiveUp,
}

/// What `XADD` says of an id that does not follow the last one; it has no code of its own.
const STALE_ID: &str = "The ID specified in XADD is equal or smaller";

/// The codes of error replies that mean something here.
const CODES: &[(&str, FailureKind)] = &[
    ("LOADING", FailureKind::Loading),
    ("READONLY", FailureKind::ReadOnly),
    ("MASTERDOWN", FailureKind::MasterDown),
    ("MOVED", FailureKind::Moved),
    ("ASK", FailureKind::Ask),
    ("TRYAGAIN", FailureKind::TryAgain),
    ("CLUSTERDOWN", FailureKind::ClusterDown),
    ("CROSSSLOT", FailureKind::CrossSlot),
    ("OOM", FailureKind::OutOfMemory),
    ("MISCONF", FailureKind::CannotPersist),
    ("NOREPLICAS", FailureKind::TooFewReplicas),
    ("BUSY", FailureKind::Busy),
    ("NOSCRIPT", FailureKind::UnknownScript),
    ("NOAUTH", FailureKind::NotAuthenticated),
    ("WRONGPASS", FailureKind::WrongPassword),
    ("NOPERM", FailureKind::NotPermitted),
    ("WRONGTYPE", FailureKind::WrongType),
    ("EXECABORT", FailureKind::Aborted),
];

impl Failure {
    /// A failure that no error reply told.
    #[must_use]
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// Takes an error reply: its first word and the rest.
    #[must_use]
    pub fn from_reply(code: &str, detail: &str) -> Self {
        let known = |word: &str| CODES.iter().find(|(code, _)| *code == word).map(|(_, kind)| *kind);
        let kind = known(code).or_else(|| within_script(detail).find_map(known)).unwrap_or(FailureKind::Other);
        let kind = if kind == FailureKind::Other && detail.starts_with(STALE_ID) { FailureKind::StaleId } else { kind };
        Self { kind, detail: format!("{code} {detail}").trim_end().to_owned() }
    }

    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        self.kind
    }

    /// What the request may have left behind.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.kind.outcome()
    }

    /// What is worth doing.
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        self.kind.remedy()
    }
}

impl FailureKind {
    /// What a request that failed so may have left behind.
    ///
    /// Redis refuses a command before it does anything of it, a transaction before any of it, and the scripts write
    /// nothing before the first command that can be refused; an error that is not known here may have come from any place.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::ConnectionLost | Self::TimedOut | Self::Protocol | Self::Other => Outcome::Unknown,
            Self::Unreachable
            | Self::Overloaded
            | Self::Loading
            | Self::ReadOnly
            | Self::MasterDown
            | Self::Moved
            | Self::Ask
            | Self::TryAgain
            | Self::ClusterDown
            | Self::CrossSlot
            | Self::OutOfMemory
            | Self::CannotPersist
            | Self::TooFewReplicas
            | Self::Busy
            | Self::UnknownScript
            | Self::NotAuthenticated
            | Self::WrongPassword
            | Self::NotPermitted
            | Self::WrongType
            | Self::StaleId
            | Self::Aborted
            | Self::Unfit => Outcome::NotApplied,
        }
    }

    /// What is worth doing after it.
    #[must_use]
    pub const fn remedy(self) -> Remedy {
        match self {
            // A full or blocked Redis needs seconds at least: the publisher is told rather than kept waiting.
            // A key of a Redis Cluster that is being moved, or has been, is with another server soon.
            Self::Loading
            | Self::TryAgain
            | Self::ClusterDown
            | Self::TooFewReplicas
            | Self::Busy
            | Self::Moved
            | Self::Ask => Remedy::Wait,
            // A name or a proxy may lead to the new master by now, and what the server is gets looked at anew.
            Self::Unreachable
            | Self::ConnectionLost
            | Self::TimedOut
            | Self::Protocol
            | Self::ReadOnly
            | Self::MasterDown => Remedy::Reconnect,
            Self::Overloaded
            | Self::OutOfMemory
            | Self::CannotPersist
            | Self::CrossSlot
            | Self::UnknownScript
            | Self::NotAuthenticated
            | Self::WrongPassword
            | Self::NotPermitted
            | Self::WrongType
            | Self::StaleId
            | Self::Aborted
            | Self::Unfit
            | Self::Other => Remedy::GiveUp,
        }
    }

    /// What happened, for people.
    const fn describe(self) -> &'static str {
        match self {
            Self::Unreachable => "no connection",
            Self::ConnectionLost => "the connection was lost",
            Self::TimedOut => "no answer in time",
            Self::Protocol => "the answer can't be taken",
            Self::Overloaded => "too much is waiting for it already",
            Self::Loading => "it is still loading its data",
            Self::ReadOnly => "it is a read-only replica",
            Self::MasterDown => "it is a replica without its master",
            Self::Moved | Self::Ask | Self::TryAgain | Self::CrossSlot => "it is part of a Redis Cluster",
            Self::ClusterDown => "the Redis Cluster is down",
            Self::OutOfMemory => "its memory limit is reached",
            Self::CannotPersist => "it can't write its files",
            Self::TooFewReplicas => "it has too few replicas",
            Self::Busy => "it is busy with a script",
            Self::UnknownScript => "it does not take the script",
            Self::NotAuthenticated => "it wants a password",
            Self::WrongPassword => "it refuses the password",
            Self::NotPermitted => "the user lacks a permission",
            Self::WrongType => "a key of the store holds something else",
            Self::StaleId => "the log goes further than it was left",
            Self::Aborted => "it refused a part of the request",
            Self::Unfit => "it can't be used as a store",
            Self::Other => "it answered with an error",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.describe(), self.detail)
    }
}

impl std::error::Error for Failure {}

/// Words that may be the code of a command's error that a script handed on. Redis before 7.0 wraps it, once or twice:
/// `ERR Error running script (…): @user_script:12: @user_script: 12: -OOM command not allowed …`.
fn within_script(detail: &str) -> impl Iterator<Item = &str> {
    let places = detail.split_once("@user_script").map_or("", |(_, places)| places);
    places.split(": ").filter_map(|part| part.trim_start_matches('-').split(' ').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    use FailureKind as Kind;
    use Outcome::{NotApplied, Unknown};
    use Remedy::{GiveUp, Reconnect, Wait};

    /// An error reply as Redis sends it, and what has to follow.
    const REPLIES: &[(&str, Kind, Outcome, Remedy)] = &[
        ("LOADING Redis is loading the dataset in memory", Kind::Loading, NotApplied, Wait),
        ("READONLY You can't write against a read only replica.", Kind::ReadOnly, NotApplied, Reconnect),
        (
            "READONLY You can't write against a read only replica. script: 5b6, on @user_script:31.",
            Kind::ReadOnly,
            NotApplied,
            Reconnect,
        ),
        (
            "ERR Error running script (call to f_5b6): @user_script:31: -READONLY You can't write against a read only replica.",
            Kind::ReadOnly,
            NotApplied,
            Reconnect,
        ),
        (
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            Kind::MasterDown,
            NotApplied,
            Reconnect,
        ),
        ("MOVED 3999 127.0.0.1:6381", Kind::Moved, NotApplied, Wait),
        ("ASK 3999 127.0.0.1:6381", Kind::Ask, NotApplied, Wait),
        ("TRYAGAIN Multiple keys request during rehashing of slot", Kind::TryAgain, NotApplied, Wait),
        ("CLUSTERDOWN The cluster is down", Kind::ClusterDown, NotApplied, Wait),
        ("CROSSSLOT Keys in request don't hash to the same slot", Kind::CrossSlot, NotApplied, GiveUp),
        ("OOM command not allowed when used memory > 'maxmemory'.", Kind::OutOfMemory, NotApplied, GiveUp),
        (
            "ERR Error running script (call to f_5b6): @user_script:31: -OOM command not allowed when used memory > 'maxmemory'.",
            Kind::OutOfMemory,
            NotApplied,
            GiveUp,
        ),
        (
            "ERR Error running script (call to f_5b6): @user_script:31: @user_script: 31: -OOM command not allowed",
            Kind::OutOfMemory,
            NotApplied,
            GiveUp,
        ),
        ("MISCONF Errors writing to the AOF file: No space left on device", Kind::CannotPersist, NotApplied, GiveUp),
        ("NOREPLICAS Not enough good replicas to write.", Kind::TooFewReplicas, NotApplied, Wait),
        (
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            Kind::Busy,
            NotApplied,
            Wait,
        ),
        ("EXECABORT Transaction discarded because of previous errors.", Kind::Aborted, NotApplied, GiveUp),
        ("NOSCRIPT No matching script. Please use EVAL.", Kind::UnknownScript, NotApplied, GiveUp),
        ("NOAUTH Authentication required.", Kind::NotAuthenticated, NotApplied, GiveUp),
        ("WRONGPASS invalid username-password pair or user is disabled.", Kind::WrongPassword, NotApplied, GiveUp),
        ("NOPERM this user has no permissions to run the 'xadd' command", Kind::NotPermitted, NotApplied, GiveUp),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", Kind::WrongType, NotApplied, GiveUp),
        (
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
            Kind::StaleId,
            NotApplied,
            GiveUp,
        ),
        ("ERR unknown command 'EVALSHA'", Kind::Other, Unknown, GiveUp),
        ("", Kind::Other, Unknown, GiveUp),
    ];

    /// F45.
    #[test]
    fn each_error_reply_has_its_outcome_and_remedy() {
        for &(reply, kind, outcome, remedy) in REPLIES {
            let (code, detail) = reply.split_once(' ').unwrap_or((reply, ""));
            let failure = Failure::from_reply(code, detail);
            assert_eq!((failure.kind(), failure.outcome(), failure.remedy()), (kind, outcome, remedy), "{reply}");
        }
    }

    #[test]
    fn what_happens_to_a_connection_leaves_the_outcome_open_unless_nothing_was_sent() {
        let cases = [
            (Kind::Unreachable, NotApplied, Reconnect),
            (Kind::ConnectionLost, Unknown, Reconnect),
            (Kind::TimedOut, Unknown, Reconnect),
            (Kind::Protocol, Unknown, Reconnect),
            (Kind::Overloaded, NotApplied, GiveUp),
            (Kind::Unfit, NotApplied, GiveUp),
        ];
        for (kind, outcome, remedy) in cases {
            assert_eq!((kind.outcome(), kind.remedy()), (outcome, remedy), "{kind:?}");
        }
    }

    #[test]
    fn a_failure_says_what_happened_and_what_redis_said() {
        let failure = Failure::from_reply("OOM", "command not allowed");
        assert_eq!(failure.to_string(), "its memory limit is reached: OOM command not allowed");
    }
}
