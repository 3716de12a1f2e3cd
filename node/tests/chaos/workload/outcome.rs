//! What an error says about the effect of a request.

use gateway_api::{
    client::{ClientError, WaitedFor},
    error::{Code, Outcome as Effect, Problem},
    publish::PublishFailure,
};

use crate::{history::Outcome, recorder::Recorder};

/// A time-out is never a failure: what was sent may have arrived.
pub(super) fn of_error<T>(error: &ClientError) -> Outcome<T> {
    let text = error.to_string();
    match error {
        ClientError::Connect { .. }
        | ClientError::Tls { .. }
        | ClientError::Request { .. }
        | ClientError::Timeout { waited_for: WaitedFor::Connection, .. } => Outcome::Fail(text),
        ClientError::Problem(problem) => of_effect(problem.outcome, text),
        ClientError::Timeout { waited_for: WaitedFor::Answer, .. }
        | ClientError::Lost { .. }
        | ClientError::Unexpected { .. }
        | ClientError::WebSocketClosed { .. } => Outcome::Info(text),
    }
}

/// What a node says about a message that its partition did not take.
pub(super) fn of_failure<T>(failure: &PublishFailure) -> Outcome<T> {
    of_effect(failure.outcome, format!("{}: {}", failure.code.as_str(), failure.detail))
}

fn of_effect<T>(effect: Effect, text: String) -> Outcome<T> {
    match effect {
        Effect::NotApplied => Outcome::Fail(text),
        Effect::Applied | Effect::Unknown => Outcome::Info(text),
    }
}

/// Writes down what a client should not be told, whatever befalls the nodes.
pub(super) fn judge(recorder: &Recorder, doing: &str, node: u32, error: &ClientError) {
    let is_known = match error {
        ClientError::Problem(problem) => is_expected(problem),
        ClientError::Unexpected { .. } | ClientError::Request { .. } | ClientError::Tls { .. } => false,
        ClientError::Connect { .. }
        | ClientError::Timeout { .. }
        | ClientError::Lost { .. }
        | ClientError::WebSocketClosed { .. } => true,
    };
    if !is_known {
        recorder.complain(format!("{doing} at node {node} after {} µs: {error}", recorder.now()));
    }
}

fn is_expected(problem: &Problem) -> bool {
    // That a member is none any more, or not in this generation, is the life of a group.
    matches!(problem.code, Code::StaleGeneration | Code::ConsumerNotFound) || matches!(problem.status, 429 | 503 | 504)
}

#[test]
fn what_may_have_arrived_is_never_a_failure() {
    let problem = |code, effect| ClientError::from(Problem::new(code, "").with_outcome(effect));
    let unknown = [
        ClientError::Timeout { waited_for: WaitedFor::Answer, waited: std::time::Duration::ZERO },
        ClientError::Lost { detail: String::new() },
        ClientError::WebSocketClosed { code: 1001, reason: String::new() },
        ClientError::Unexpected { status: 200, detail: String::new() },
        problem(Code::Timeout, Effect::Unknown),
        problem(Code::StoreUnavailable, Effect::Unknown),
        problem(Code::Internal, Effect::Applied),
    ];
    for error in unknown {
        assert!(matches!(of_error::<()>(&error), Outcome::Info(_)), "{error}");
    }
    let failed = [
        ClientError::Timeout { waited_for: WaitedFor::Connection, waited: std::time::Duration::ZERO },
        ClientError::Request { detail: String::new() },
        problem(Code::StoreUnavailable, Effect::NotApplied),
    ];
    for error in failed {
        assert!(matches!(of_error::<()>(&error), Outcome::Fail(_)), "{error}");
    }
}
