//! Requests that are refused before anyone asks what they want.

/// Why a connection's bytes were not taken as a request. Where the next request begins is then unknown or not worth
/// waiting for: the connection closes behind the answer. Nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum Refusal {
    #[error("malformed request: {reason}")]
    Malformed { reason: &'static str },
    #[error("the request target is longer than {limit} bytes")]
    TargetTooLong { limit: usize },
    #[error("the request head is larger than {limit} bytes")]
    HeadTooLarge { limit: usize },
    #[error("the request has more than {limit} header fields")]
    TooManyHeaders { limit: usize },
    #[error("the request body is larger than {limit} bytes")]
    BodyTooLarge { limit: usize },
    #[error("only HTTP/1.1 and HTTP/1.0 are spoken here")]
    UnsupportedVersion,
    #[error("chunked is the only transfer coding that is known here")]
    UnsupportedTransferCoding,
    #[error("100-continue is the only expectation that is known here")]
    UnknownExpectation,
    #[error("the request took too long to arrive")]
    TooSlow,
    #[error("too many request bodies are on their way to this node")]
    TooManyBodies,
    #[error("the node has as many connections as it may")]
    TooManyConnections,
    #[error("this address has as many connections as it may")]
    TooManyOfAddress,
}

impl Refusal {
    /// The status it is answered with.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed { .. } => 400,
            Self::TooSlow => 408,
            Self::BodyTooLarge { .. } => 413,
            Self::TargetTooLong { .. } => 414,
            Self::UnknownExpectation => 417,
            Self::TooManyOfAddress => 429,
            Self::HeadTooLarge { .. } | Self::TooManyHeaders { .. } => 431,
            Self::UnsupportedTransferCoding => 501,
            Self::TooManyBodies | Self::TooManyConnections => 503,
            Self::UnsupportedVersion => 505,
        }
    }
}

/// A refusal of bytes that break the grammar.
pub(crate) const fn malformed(reason: &'static str) -> Refusal {
    Refusal::Malformed { reason }
}
