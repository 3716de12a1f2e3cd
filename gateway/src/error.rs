//! What went wrong, in the words of clients: the only place where errors become codes, statuses and outcomes.

use std::ops::Deref;

use gateway_api::{
    Code, Outcome, Problem,
    decode::DecodeError,
    error::{FieldError, PROBLEM_CONTENT_TYPE},
    publish::PublishFailure,
};
use raft::{GroupError, OperateError, OperateRefusal, ProposeError, metadata};
use shard::{AckOutcome, PartitionUnavailable, ProducerRefusal, PublishError, ReadError, SubscriptionError};
use shard_core::{delivery::ClaimRefused, model::NameError};

use crate::{
    auth::Denied,
    http::{gzip::GzipError, refusal, request_id::RequestId, response::Response, router::RouteError},
    publish_decode::PublishRefused,
    websocket::handshake::HandshakeError,
};

/// After how many seconds a client may try again what was refused for now.
const RETRY_AFTER_SECONDS: &str = "1";

/// Why an operation gave no answer of its own: a problem, small to hand on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(Box<Problem>);

impl Failure {
    /// The problem itself.
    #[must_use]
    pub fn into_problem(self) -> Problem {
        *self.0
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl Deref for Failure {
    type Target = Problem;

    fn deref(&self) -> &Problem {
        &self.0
    }
}

/// The answer to a request that failed.
#[must_use]
pub fn answer(mut problem: Problem, request: RequestId) -> Response {
    request.as_str().clone_into(&mut problem.instance);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let answer = Response::new(problem.status, PROBLEM_CONTENT_TYPE, body).failing(problem.code);
    if !matches!(problem.status, 429 | 503) {
        return answer;
    }
    match problem.retry_after_ms {
        Some(millis) => answer.with_header("retry-after", millis.div_ceil(1_000).max(1).to_string()),
        None => answer.with_header("retry-after", RETRY_AFTER_SECONDS),
    }
}

/// The answer to bytes that were not taken as a request; the connection closes behind it.
#[must_use]
pub fn refusal_answer(refused: &refusal::Refusal, request: RequestId) -> Response {
    answer(of_refusal(refused).into_problem(), request).closing()
}

/// Bytes that were not taken as a request, or as the rest of one.
pub(crate) fn of_refusal(refused: &refusal::Refusal) -> Failure {
    use refusal::Refusal;
    let code = match refused {
        Refusal::Malformed { .. } => Code::InvalidRequest,
        Refusal::TargetTooLong { .. } => Code::UriTooLong,
        Refusal::HeadTooLarge { .. } | Refusal::TooManyHeaders { .. } => Code::HeadTooLarge,
        Refusal::BodyTooLarge { .. } => Code::BodyTooLarge,
        Refusal::UnsupportedVersion => Code::VersionNotSupported,
        Refusal::UnsupportedTransferCoding => Code::NotImplemented,
        Refusal::UnknownExpectation => Code::ExpectationFailed,
        Refusal::TooSlow => Code::RequestTimeout,
        Refusal::TooManyBodies | Refusal::TooManyConnections => Code::Overloaded,
        Refusal::TooManyOfAddress => Code::RateLimited,
    };
    of_code(code, refused.to_string())
}

/// Why a body can't be got out of its content coding.
pub(crate) fn of_coding(error: &GzipError) -> Failure {
    let code = match error {
        GzipError::Malformed { .. } => Code::InvalidArgument,
        GzipError::TooLarge { .. } | GzipError::Bomb => Code::BodyTooLarge,
        GzipError::TooManyBodies => Code::Overloaded,
    };
    of_code(code, error.to_string())
}

/// The answer to a request that no route takes.
#[must_use]
pub fn route_answer(error: &RouteError, request: RequestId) -> Response {
    let problem = |code| answer(Problem::new(code, error.to_string()), request);
    match error {
        RouteError::Target(_) => problem(Code::InvalidRequest),
        RouteError::NotFound => problem(Code::NotFound),
        RouteError::MethodUnknown => problem(Code::NotImplemented),
        RouteError::MethodNotAllowed { allow } => problem(Code::MethodNotAllowed).with_header("allow", allow.clone()),
        RouteError::Options { allow } => Response::empty(204).with_header("allow", allow.clone()),
    }
}

/// The answer to a request that is not let through.
#[must_use]
pub fn denied_answer(denied: &Denied, request: RequestId) -> Response {
    let answered = answer(of_denied(denied).into_problem(), request);
    match denied {
        Denied::Unproved(_) => answered.with_header("www-authenticate", "Bearer"),
        Denied::Forbidden { .. } => answered,
    }
}

/// A request that is not let through.
pub(crate) fn of_denied(denied: &Denied) -> Failure {
    let code = match denied {
        Denied::Unproved(_) => Code::Unauthenticated,
        Denied::Forbidden { .. } => Code::Forbidden,
    };
    of_code(code, denied.to_string())
}

/// The answer to a request for a WebSocket that was not opened.
#[must_use]
pub fn handshake_answer(error: HandshakeError, request: RequestId) -> Response {
    let code = match error {
        HandshakeError::UpgradeRequired | HandshakeError::UnsupportedVersion => Code::UpgradeRequired,
        HandshakeError::Malformed { .. } | HandshakeError::NoCommonSubprotocol => Code::InvalidRequest,
        HandshakeError::ForbiddenOrigin => Code::Forbidden,
    };
    error.with_headers(answer(Problem::new(code, error.to_string()), request))
}

/// A field with a value that can't be.
pub(crate) fn invalid(field: &str, detail: impl Into<String>) -> Failure {
    Problem::invalid_field(field, detail).into()
}

/// A problem of this kind.
pub(crate) fn of_code(code: Code, detail: impl Into<String>) -> Failure {
    Problem::new(code, detail).into()
}

/// A body that is not what the request takes.
pub(crate) fn of_decode(error: DecodeError) -> Failure {
    Problem::from(error).into()
}

/// A name that breaks the rules.
pub(crate) fn of_name(error: NameError) -> Failure {
    of_code(Code::InvalidName, error.to_string())
}

/// A publish of which nothing was stored since it has faults.
pub(crate) fn of_publish_refused(refused: PublishRefused) -> Failure {
    Problem::new(refused.code, refused.detail).with_errors(refused.errors).into()
}

/// A batch that was not published, or of which it is not known.
pub(crate) fn of_publish(error: &PublishError) -> Failure {
    match error {
        PublishError::Unavailable(unavailable) => of_unavailable(unavailable),
        PublishError::Backpressure { .. } => of_code(Code::Overloaded, error.to_string()),
        PublishError::Rejected { .. } => of_code(Code::StoreUnavailable, error.to_string()),
        PublishError::Producer(refusal) => of_producer(refusal),
        PublishError::Unknown { .. } | PublishError::Undecided(_) | PublishError::StoreFailed { .. } => {
            of_code(Code::Timeout, error.to_string())
        }
    }
}

/// A producer that does not go on where it was.
fn of_producer(refusal: &ProducerRefusal) -> Failure {
    let problem = |code| Problem::new(code, refusal.to_string());
    let problem = match *refusal {
        ProducerRefusal::Stale { .. } => problem(Code::StaleProducer),
        ProducerRefusal::Gap { expected, .. } => problem(Code::SequenceGap).with_expected_sequence(expected),
        // It was stored once, unless the producer began behind it.
        ProducerRefusal::Forgotten { expected, .. } => {
            problem(Code::SequenceForgotten).with_expected_sequence(expected).with_outcome(Outcome::Unknown)
        }
    };
    problem.into()
}

/// The same as it stands in the result of one message.
pub(crate) fn publish_failure(problem: &Problem) -> PublishFailure {
    PublishFailure {
        code: problem.code,
        detail: problem.detail.clone(),
        retryable: problem.retryable,
        outcome: problem.outcome,
        expected_sequence: problem.expected_sequence,
    }
}

/// A partition that can't serve.
pub(crate) fn of_unavailable(error: &PartitionUnavailable) -> Failure {
    let code = match error {
        PartitionUnavailable::NotHere(_) | PartitionUnavailable::NoOwner(_) | PartitionUnavailable::PeerAway { .. } => {
            Code::PartitionUnavailable
        }
        PartitionUnavailable::Closed { .. } => Code::PartitionClosed,
        PartitionUnavailable::StoreAway { .. } => Code::StoreUnavailable,
        PartitionUnavailable::Overloaded => Code::Overloaded,
        PartitionUnavailable::Stopping => Code::NodeUnavailable,
        PartitionUnavailable::NotEnoughReplicas { .. } => Code::NotEnoughReplicas,
    };
    of_code(code, error.to_string())
}

/// A read that gave nothing.
pub(crate) fn of_read(error: &ReadError) -> Failure {
    match error {
        ReadError::Unavailable(unavailable) => of_unavailable(unavailable),
        ReadError::Expired { .. } => of_code(Code::OffsetExpired, error.to_string()),
        ReadError::PastEnd { .. } => of_code(Code::OffsetOutOfRange, error.to_string()),
        ReadError::Corrupt { .. } | ReadError::Lost { .. } => of_code(Code::DataCorrupt, error.to_string()),
        ReadError::StoreAway { .. } => of_code(Code::StoreUnavailable, error.to_string()),
    }
}

/// A subscription that gave nothing, or took nothing for certain.
pub(crate) fn of_subscription(error: &SubscriptionError) -> Failure {
    match error {
        SubscriptionError::Unavailable(unavailable) => of_unavailable(unavailable),
        SubscriptionError::NotHere(_) => of_code(Code::SubscriptionNotFound, error.to_string()),
        SubscriptionError::Claim(ClaimRefused::Stale { .. }) => of_code(Code::StaleGeneration, error.to_string()),
        SubscriptionError::Claim(ClaimRefused::Displaced) => of_code(Code::ConsumerDisplaced, error.to_string()),
        SubscriptionError::Read(read) => of_read(read),
        SubscriptionError::StoreFailed { .. } | SubscriptionError::Undecided(_) => {
            of_code(Code::Timeout, error.to_string())
        }
    }
}

/// The code of an ack that had no effect; `None` for one that had.
pub(crate) const fn of_ack(outcome: AckOutcome) -> Option<Code> {
    match outcome {
        AckOutcome::Applied => None,
        AckOutcome::LeaseExpired => Some(Code::LeaseExpired),
        AckOutcome::StaleGeneration => Some(Code::StaleGeneration),
        AckOutcome::Unknown => Some(Code::InvalidAckId),
    }
}

/// A consumer whose wish was not done.
pub(crate) fn of_group(error: &GroupError) -> Failure {
    let code = match error {
        GroupError::UnknownConsumer => Code::ConsumerNotFound,
        GroupError::NotAssigned => return invalid("consumption", error.to_string()),
        GroupError::SubscriptionNotFound => Code::SubscriptionNotFound,
        GroupError::TooManyMembers { .. } => Code::LimitReached,
        GroupError::InvalidConsumerId { .. } => return invalid("consumer_id", error.to_string()),
        GroupError::Overloaded => Code::Overloaded,
        GroupError::Stopping => Code::NodeUnavailable,
        GroupError::Unknown { .. } => Code::Timeout,
    };
    of_code(code, error.to_string())
}

/// A change of the metadata that has no outcome.
pub(crate) fn of_propose(error: &ProposeError) -> Failure {
    let code = match error {
        ProposeError::Refused(refusal) => return of_metadata(refusal),
        ProposeError::TooLarge { .. } => Code::BodyTooLarge,
        ProposeError::Overloaded => Code::Overloaded,
        ProposeError::NotLeader { .. } => Code::MetadataUnavailable,
        ProposeError::Stopping => Code::NodeUnavailable,
        ProposeError::Unknown { .. } => Code::Timeout,
        ProposeError::NotPublished { .. } => {
            return Problem::new(Code::Timeout, error.to_string()).with_outcome(Outcome::Applied).into();
        }
    };
    of_code(code, error.to_string())
}

/// Why something that an operator wants is not done.
pub(crate) fn of_operate(error: &OperateError) -> Failure {
    let code = match error {
        OperateError::Refused(OperateRefusal::PartitionNotFound) => Code::PartitionNotFound,
        OperateError::Refused(OperateRefusal::NodeNotFound { .. }) => Code::NodeNotFound,
        OperateError::Refused(
            OperateRefusal::NodeDown { .. }
            | OperateRefusal::NodeDraining { .. }
            | OperateRefusal::Offline
            | OperateRefusal::SharedStore
            | OperateRefusal::StillHeld { .. }
            | OperateRefusal::NotReplica { .. }
            | OperateRefusal::NoReplicaUp
            | OperateRefusal::Unchanged { .. }
            | OperateRefusal::Changed { .. }
            | OperateRefusal::NoVote { .. }
            | OperateRefusal::NobodyToTakeOver
            | OperateRefusal::NotTakenOver,
        ) => Code::TransitionRefused,
        OperateError::NoLeader => Code::MetadataUnavailable,
        OperateError::Overloaded => Code::Overloaded,
        OperateError::Stopping => Code::NodeUnavailable,
        OperateError::Unknown { .. } => Code::Timeout,
    };
    of_code(code, error.to_string())
}

fn of_metadata(refusal: &metadata::Refusal) -> Failure {
    use metadata::Refusal;
    let code = match refusal {
        Refusal::AlreadyBootstrapped { .. } => Code::Internal,
        Refusal::TopicExists => Code::TopicExists,
        Refusal::TopicNotFound => Code::TopicNotFound,
        Refusal::SubscriptionExists => Code::SubscriptionExists,
        Refusal::SubscriptionNotFound | Refusal::GroupNotFound => Code::SubscriptionNotFound,
        Refusal::RevisionMismatch { .. }
        | Refusal::NodeIdTaken { .. }
        | Refusal::StoreMismatch { .. }
        | Refusal::SoftwareTooOld { .. }
        | Refusal::LevelTooLow { .. }
        | Refusal::NoWayBack { .. }
        | Refusal::StaleNodeEpoch { .. } => Code::PreconditionFailed,
        Refusal::NodeNotFound | Refusal::NodeRemoved { .. } => Code::NodeNotFound,
        Refusal::NodeInUse { .. } => Code::NodeInUse,
        Refusal::NoOtherNode => Code::TransitionRefused,
        Refusal::LimitReached { .. } => Code::LimitReached,
        Refusal::PrincipalNotFound => Code::PrincipalNotFound,
        Refusal::PrincipalExists => Code::PrincipalExists,
        Refusal::KeyNotFound => Code::KeyNotFound,
        // An id that was drawn twice: another try draws another.
        Refusal::KeyExists => Code::Overloaded,
        Refusal::InvalidGrant(_)
        | Refusal::InvalidLimits(_)
        | Refusal::TextTooLong { .. }
        | Refusal::InvalidTopicConfig(_)
        | Refusal::InvalidSubscriptionConfig(_)
        | Refusal::PartitionsOnlyGrow { .. }
        | Refusal::NotEnoughNodes { .. } => Code::InvalidArgument,
    };
    let detail = refusal.to_string();
    // What is wrong with a configuration starts with the name of its field.
    let field = detail.split_once(": ").filter(|_| code == Code::InvalidArgument);
    let errors = field.map(|(field, why)| FieldError {
        index: None,
        field: field.to_owned(),
        code,
        detail: Some(why.to_owned()),
    });
    let errors = errors.into_iter().collect();
    Problem::new(code, detail).with_errors(errors).into()
}

#[cfg(test)]
mod tests {
    use raft::metadata::InvalidTopicConfig;
    use shard_core::model::{Offset, OffsetRange, PartitionIndex, TopicId, TopicPartition};

    use super::*;

    const PARTITION: TopicPartition = TopicPartition::new(TopicId::new(1), PartitionIndex::new(0));

    #[track_caller]
    fn check(failure: &Problem, status: u16, code: Code, outcome: Outcome) {
        assert_eq!((failure.status, failure.code, failure.outcome), (status, code, outcome), "{failure}");
    }

    #[test]
    fn a_failed_store_leaves_the_outcome_unknown() {
        let reason = "EIO".to_owned();
        let failed = PublishError::StoreFailed { reason: reason.clone() };
        check(&of_publish(&failed), 504, Code::Timeout, Outcome::Unknown);
        let lost = PublishError::Unknown { node: 2, reason: reason.clone() };
        check(&of_publish(&lost), 504, Code::Timeout, Outcome::Unknown);
        let failed = SubscriptionError::StoreFailed { reason: reason.clone() };
        check(&of_subscription(&failed), 504, Code::Timeout, Outcome::Unknown);
        let unknown = ProposeError::Unknown { reason };
        check(&of_propose(&unknown), 504, Code::Timeout, Outcome::Unknown);
    }

    #[test]
    fn what_was_not_done_says_so_and_may_be_tried_again() {
        let closed = PartitionUnavailable::Closed { partition: PARTITION, reason: "damage".to_owned() };
        let away = PartitionUnavailable::StoreAway { partition: PARTITION, reason: "refused".to_owned() };
        let cases = [
            (PartitionUnavailable::NotHere(PARTITION), Code::PartitionUnavailable),
            (PartitionUnavailable::NoOwner(PARTITION), Code::PartitionUnavailable),
            (PartitionUnavailable::PeerAway { node: 2, reason: "refused".to_owned() }, Code::PartitionUnavailable),
            (closed, Code::PartitionClosed),
            (away, Code::StoreUnavailable),
            (PartitionUnavailable::Overloaded, Code::Overloaded),
            (PartitionUnavailable::Stopping, Code::NodeUnavailable),
        ];
        for (error, code) in cases {
            for failure in [
                of_publish(&PublishError::Unavailable(error.clone())),
                of_read(&ReadError::Unavailable(error.clone())),
                of_subscription(&SubscriptionError::Unavailable(error)),
            ] {
                check(&failure, 503, code, Outcome::NotApplied);
                assert!(failure.retryable);
            }
        }
        let full = PublishError::Backpressure { unflushed_bytes: 9, unflushed_bytes_max: 8 };
        check(&of_publish(&full), 503, Code::Overloaded, Outcome::NotApplied);
        let rejected = PublishError::Rejected { reason: "full".to_owned() };
        check(&of_publish(&rejected), 503, Code::StoreUnavailable, Outcome::NotApplied);
    }

    #[test]
    fn a_producer_is_told_where_to_go_on() {
        let failure = |refusal| of_publish(&PublishError::Producer(refusal));
        let gap = failure(ProducerRefusal::Gap { sent: 9, expected: 4 });
        check(&gap, 409, Code::SequenceGap, Outcome::NotApplied);
        assert_eq!((gap.expected_sequence, publish_failure(&gap).expected_sequence), (Some(4), Some(4)));
        let stale = failure(ProducerRefusal::Stale { sent: 1, current: 2 });
        check(&stale, 409, Code::StaleProducer, Outcome::NotApplied);
        assert_eq!(stale.expected_sequence, None);
        let forgotten = failure(ProducerRefusal::Forgotten { sent: 1, expected: 99 });
        check(&forgotten, 409, Code::SequenceForgotten, Outcome::Unknown);
        assert_eq!(forgotten.expected_sequence, Some(99));
    }

    #[test]
    fn positions_outside_of_the_log_are_told_apart() {
        let (offset, start) = (Offset::new(3), Offset::new(5));
        let cases = [
            (ReadError::Expired { offset, start }, 410, Code::OffsetExpired),
            (ReadError::PastEnd { offset, end: Offset::new(1) }, 400, Code::OffsetOutOfRange),
            (ReadError::Corrupt { offset, reason: String::new() }, 500, Code::DataCorrupt),
            (ReadError::Lost { lost: OffsetRange::new(offset, start) }, 500, Code::DataCorrupt),
            (ReadError::StoreAway { reason: String::new() }, 503, Code::StoreUnavailable),
        ];
        for (error, status, code) in cases {
            check(&of_read(&error), status, code, Outcome::NotApplied);
        }
    }

    #[test]
    fn a_bad_configuration_names_its_field() {
        let invalid = InvalidTopicConfig::Partitions { partitions: 0, partitions_max: 9 };
        let failure = of_propose(&ProposeError::Refused(metadata::Refusal::InvalidTopicConfig(invalid)));
        check(&failure, 400, Code::InvalidArgument, Outcome::NotApplied);
        assert_eq!(failure.errors.first().map(|error| error.field.as_str()), Some("partitions"));
    }

    #[test]
    fn a_change_that_holds_says_so() {
        let failure = of_propose(&ProposeError::NotPublished { version: 3 });
        check(&failure, 504, Code::Timeout, Outcome::Applied);
    }

    #[test]
    fn metadata_refusals_keep_their_codes() {
        use metadata::Refusal;
        let mismatch = Refusal::RevisionMismatch { revision: 2, expected_revision: 1 };
        let limit = Refusal::LimitReached { what: "topics".to_owned(), limit: 1 };
        let cases = [
            (Refusal::TopicExists, 409, Code::TopicExists),
            (Refusal::TopicNotFound, 404, Code::TopicNotFound),
            (Refusal::SubscriptionExists, 409, Code::SubscriptionExists),
            (Refusal::SubscriptionNotFound, 404, Code::SubscriptionNotFound),
            (mismatch, 412, Code::PreconditionFailed),
            (limit, 409, Code::LimitReached),
        ];
        for (refusal, status, code) in cases {
            check(&of_propose(&ProposeError::Refused(refusal)), status, code, Outcome::NotApplied);
        }
    }

    #[test]
    fn an_answer_carries_the_requests_id_and_when_to_come_back() {
        let id = RequestId::default();
        let response = answer(Problem::new(Code::Overloaded, "full"), id);
        assert_eq!((response.status(), response.content_type()), (503, Some("application/problem+json")));
        assert_eq!(response.header("retry-after"), Some("1"));
        let problem: Problem = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(problem.instance, id.as_str());
        assert_eq!(answer(Problem::new(Code::NotFound, ""), id).header("retry-after"), None);
    }

    #[test]
    fn refusals_keep_the_status_the_framing_gave_them() {
        use refusal::Refusal;
        for refused in [
            Refusal::Malformed { reason: "bare LF" },
            Refusal::TargetTooLong { limit: 1 },
            Refusal::HeadTooLarge { limit: 1 },
            Refusal::TooManyHeaders { limit: 1 },
            Refusal::BodyTooLarge { limit: 1 },
            Refusal::UnsupportedVersion,
            Refusal::UnsupportedTransferCoding,
            Refusal::UnknownExpectation,
            Refusal::TooSlow,
            Refusal::TooManyBodies,
            Refusal::TooManyConnections,
            Refusal::TooManyOfAddress,
        ] {
            let response = refusal_answer(&refused, RequestId::default());
            assert_eq!(response.status(), refused.status(), "{refused}");
            assert!(response.closes());
        }
    }

    #[test]
    fn handshakes_keep_the_status_they_were_given() {
        for error in [
            HandshakeError::UpgradeRequired,
            HandshakeError::UnsupportedVersion,
            HandshakeError::Malformed { reason: "no key" },
            HandshakeError::NoCommonSubprotocol,
            HandshakeError::ForbiddenOrigin,
        ] {
            assert_eq!(handshake_answer(error, RequestId::default()).status(), error.status(), "{error}");
        }
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        let allow = "GET, HEAD".to_owned();
        let answered = route_answer(&RouteError::MethodNotAllowed { allow: allow.clone() }, RequestId::default());
        assert_eq!((answered.status(), answered.header("allow")), (405, Some("GET, HEAD")));
        let answered = route_answer(&RouteError::Options { allow }, RequestId::default());
        assert_eq!((answered.status(), answered.header("allow"), answered.body()), (204, Some("GET, HEAD"), &b""[..]));
    }
}
