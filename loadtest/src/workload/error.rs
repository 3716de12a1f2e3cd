//! Why a workload can't be run.

/// What is wrong with a workload. Options are named as the command line and, with `_` for `-`, as workload files name them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum WorkloadError {
    #[error("--{option} {value} is out of range: {min} to {max}")]
    OutOfRange { option: &'static str, value: u64, min: u64, max: u64 },
    #[error("--in-flight {in_flight} needs a WebSocket: over HTTP a connection has one request at a time")]
    InFlightOverHttp { in_flight: usize },
    #[error(
        "--batch {batch} needs --protocol http-batch, websocket or websocket-batch: over http a request is one message"
    )]
    BatchOfSingles { batch: usize },
    #[error(
        "--codec is for --protocol websocket-batch: in the others the topic's compression says how messages are stored"
    )]
    CodecOfJson,
    #[error("--acks of a single publish are not said in batches as they are stored over {protocol}: set the topic's")]
    AcksOfProtocol { protocol: &'static str },
    #[error("a ramp and steps are two answers to one question: give one")]
    RampAndSteps,
    #[error("a {kind} run has no --{option}")]
    NotOfKind { kind: &'static str, option: &'static str },
    #[error("--max-rate {to} is below the rate to begin with, {from}")]
    StepsDown { from: u64, to: u64 },
    #[error("a run that checks deliveries needs --message-bytes of {min} or more, to tell its messages apart")]
    NoRoomForStamp { min: usize },
    #[error("a request of {bytes} payload bytes is over the limit of {max}: lower --batch or --message-bytes")]
    RequestTooLarge { bytes: usize, max: usize },
    #[error("`{name}` is no valid {what}: letters, digits, `.`, `_` and `-`, at most 249 of them")]
    InvalidName { what: &'static str, name: String },
    #[error("{reason}")]
    Sizes { reason: &'static str },
    #[error("--protocol {protocol} is not a way to {what}")]
    ProtocolOfKind { protocol: &'static str, what: &'static str },
    #[error("--target {target} is spoken to by its own client: leave the protocols out, or say `native`")]
    ProtocolOfPeer { target: &'static str },
    #[error("--protocol native is how peers are spoken to, and the target is pubsub")]
    NativeWithoutPeer,
    #[error(
        "--target {target} is measured with `publish`, `consume` and `end-to-end`, on one topic and one subscription"
    )]
    KindOfPeer { target: &'static str },
}
