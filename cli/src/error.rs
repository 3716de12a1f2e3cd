//! Why a command failed, what it means for the exit code, and what the user can do about it.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use gateway_api::client::ClientError;
use gateway_api::{Code, Outcome, Problem};

use crate::exit_code::ExitKind;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("cannot {action}: {source}")]
    Call { action: String, source: ClientError },
    #[error("cannot read {what}: {source}")]
    Input { what: String, source: io::Error },
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    #[error("{detail}")]
    Usage { detail: String },
    /// A part was refused; what was done is in the output.
    #[error("{failed} of {total} {what} failed, the first one with {code}{detail}")]
    Partly { what: &'static str, failed: u64, total: u64, code: Code, detail: String },
    /// It may go on by itself, or not at all.
    #[error("cannot say when this ends: {action}: {detail}")]
    Stalled { action: String, detail: String },
    /// Something that was named is not in a data directory.
    #[error("{detail}")]
    NotThere { detail: String },
    #[error("{} is in use by {holder}", directory.display())]
    InUse { directory: PathBuf, holder: String },
    /// What exactly is in the output.
    #[error("{} is not whole: {detail}", directory.display())]
    Damaged { directory: PathBuf, detail: String },
    #[error("{replicas} replicas of topic `{topic}` are not as their owners have them")]
    Differs { topic: String, replicas: usize },
    #[error("cannot show this as {format}: {detail}")]
    Render { format: &'static str, detail: String },
}

/// Says what was being done when a call failed.
pub(crate) trait Doing<T> {
    /// The error as one of this program; `action` completes "cannot …".
    fn doing(self, action: impl FnOnce() -> String) -> Result<T, CliError>;
}

impl<T> Doing<T> for Result<T, ClientError> {
    fn doing(self, action: impl FnOnce() -> String) -> Result<T, CliError> {
        self.map_err(|source| CliError::Call { action: action(), source })
    }
}

impl CliError {
    /// The program's exit code.
    pub(crate) fn exit_kind(&self) -> ExitKind {
        match self {
            // Whoever reads the output has seen enough: `subscribe … | head`.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitKind::Done,
            Self::Output(_) | Self::Render { .. } => ExitKind::Internal,
            Self::Usage { .. } | Self::Input { .. } => ExitKind::Usage,
            Self::NotThere { .. } => ExitKind::NotFound,
            Self::InUse { .. } | Self::Stalled { .. } => ExitKind::Unavailable,
            Self::Damaged { .. } | Self::Differs { .. } => ExitKind::Damaged,
            Self::Partly { code, .. } => ExitKind::of_status(code.status()),
            Self::Call { source, .. } => of_client_error(source),
        }
    }

    /// The error in full: what failed, what exactly is wrong, and what to do.
    pub(crate) fn report(&self) -> String {
        let mut report = format!("error: {self}\n");
        if let Some(problem) = self.problem() {
            for error in &problem.errors {
                let index = error.index.map_or(String::new(), |index| format!("message {index}, "));
                let detail = error.detail.as_deref().unwrap_or(error.code.title());
                let fault = format!("{index}`{}`: {detail}", error.field);
                if !problem.detail.contains(&fault) {
                    // Writing to a `String` cannot fail.
                    let _ = writeln!(report, "  {fault}");
                }
            }
        }
        for hint in self.hints() {
            let _ = writeln!(report, "  hint: {hint}");
        }
        report
    }

    fn problem(&self) -> Option<&Problem> {
        let Self::Call { source: ClientError::Problem(problem), .. } = self else { return None };
        Some(problem)
    }

    fn hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        if let Self::InUse { .. } = self {
            hints.push("stop the node first: what it writes at this moment would look like damage".to_owned());
        }
        let Self::Call { source, .. } = self else { return hints };
        match source {
            ClientError::Connect { server, .. } => hints.push(format!(
                "is pubsub-node running at {server}? Name another address with --server or PUBSUB_SERVER"
            )),
            ClientError::Tls { .. } => hints.push(
                "does it speak TLS, and is its certificate by an issuer that you trust? Name that with --ca-file"
                    .to_owned(),
            ),
            ClientError::Lost { .. } | ClientError::Timeout { .. } => {
                hints.push("it is not known whether the request took effect; look before you repeat it".to_owned());
            }
            ClientError::Unexpected { .. } => {
                hints.push("is that a pubsub-node? Check --server and what stands before the node".to_owned());
            }
            ClientError::Problem(problem) => hints.extend(of_problem(problem)),
            ClientError::WebSocketClosed { code: 1001 | 1013, .. } => {
                hints.push("try again in a moment".to_owned());
            }
            ClientError::Request { .. } | ClientError::WebSocketClosed { .. } => {}
        }
        hints
    }
}

fn of_client_error(error: &ClientError) -> ExitKind {
    match error {
        ClientError::Connect { .. } | ClientError::Tls { .. } => ExitKind::CannotConnect,
        ClientError::Timeout { .. }
        | ClientError::Lost { .. }
        | ClientError::WebSocketClosed { code: 1001 | 1013, .. } => ExitKind::Unavailable,
        ClientError::Problem(problem) => ExitKind::of_status(problem.status),
        // Something in between, a proxy, may say that the node is away or that it may not be asked.
        ClientError::Unexpected { status: status @ (401 | 403 | 502..=504), .. } => ExitKind::of_status(*status),
        ClientError::WebSocketClosed { code: 1008, .. } => ExitKind::NotAllowed,
        ClientError::Unexpected { .. } | ClientError::WebSocketClosed { .. } => ExitKind::Internal,
        ClientError::Request { .. } => ExitKind::Usage,
    }
}

fn of_problem(problem: &Problem) -> Vec<String> {
    let outcome = match problem.outcome {
        Outcome::NotApplied => None,
        Outcome::Applied => Some("the request took effect all the same"),
        Outcome::Unknown => Some("it is not known whether the request took effect; look before you repeat it"),
    };
    let of_code = HINTS.iter().find(|(code, _)| *code == problem.code).map(|(_, hint)| *hint);
    let hint = of_code.or(problem.retryable.then_some("try again in a moment"));
    outcome.into_iter().chain(hint).map(str::to_owned).collect()
}

/// What to do about the codes for which that can be said.
const HINTS: &[(Code, &str)] = &[
    (Code::TopicNotFound, "`pubsub-cli topics list` shows the topics that there are"),
    (Code::SubscriptionNotFound, "`pubsub-cli subscriptions list` shows the subscriptions that there are"),
    (Code::TopicExists, "`pubsub-cli topics describe` shows how it is configured, `topics update` changes it"),
    (
        Code::SubscriptionExists,
        "`pubsub-cli subscriptions describe` shows how it is configured, `subscriptions update` changes it",
    ),
    (Code::NodeNotFound, "`pubsub-cli cluster nodes` shows the nodes that there are"),
    (Code::NodeInUse, "`pubsub-cli cluster drain NODE --wait` empties a node"),
    (Code::MetadataUnavailable, "`pubsub-cli cluster status` shows which nodes are there: a majority has to be"),
    (Code::PreconditionFailed, "it has changed meanwhile; describe it again to get its new etag"),
    (Code::Unauthenticated, "give a key with --key, before the command, or with PUBSUB_KEY"),
    (Code::OffsetExpired, "older messages are no longer kept; start at `earliest`"),
    (Code::PartitionClosed, "damage was found in the partition; the node's log and /readyz say where"),
];

#[cfg(test)]
mod tests {
    use gateway_api::error::FieldError;

    use super::*;

    fn call(source: impl Into<ClientError>) -> CliError {
        CliError::Call { action: "create topic `orders`".to_owned(), source: source.into() }
    }

    #[test]
    fn a_refused_connection_asks_whether_the_node_runs() {
        let source = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = call(ClientError::Connect { server: "http://127.0.0.1:8081".to_owned(), source });
        assert_eq!(error.exit_kind(), ExitKind::CannotConnect);
        let report = error.report();
        assert!(report.starts_with("error: cannot create topic `orders`: cannot connect to"), "{report}");
        assert!(report.contains("hint: is pubsub-node running at http://127.0.0.1:8081?"), "{report}");
    }

    #[test]
    fn a_problem_names_code_message_and_field() {
        let errors = vec![FieldError {
            index: Some(3),
            field: "priority".to_owned(),
            code: Code::InvalidArgument,
            detail: Some("12 is above 9".to_owned()),
        }];
        let error = call(Problem::new(Code::InvalidArgument, "1 message is wrong").with_errors(errors));
        assert_eq!(error.exit_kind(), ExitKind::Invalid);
        let expected = "error: cannot create topic `orders`: 1 message is wrong (invalid_argument)\n  \
                        message 3, `priority`: 12 is above 9\n";
        assert_eq!(error.report(), expected);
    }

    #[test]
    fn a_fault_that_the_detail_names_is_not_repeated() {
        let report = call(Problem::invalid_field("partitions", "must be at least 1")).report();
        assert_eq!(
            report,
            "error: cannot create topic `orders`: `partitions`: must be at least 1 (invalid_argument)\n"
        );
    }

    #[test]
    fn an_unknown_outcome_is_said() {
        let report = call(Problem::new(Code::Timeout, "no answer from the store")).report();
        assert!(report.contains("not known whether the request took effect"), "{report}");
    }

    #[test]
    fn a_broken_pipe_is_no_failure() {
        assert_eq!(CliError::from(io::Error::from(io::ErrorKind::BrokenPipe)).exit_kind(), ExitKind::Done);
        assert_eq!(CliError::from(io::Error::from(io::ErrorKind::StorageFull)).exit_kind(), ExitKind::Internal);
    }
}
