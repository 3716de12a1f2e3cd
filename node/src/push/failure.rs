//! Why a request got no answer, in words that give nothing away.

use gateway::push::PushErrorReason;

use crate::limits;

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SendError {
    #[error("no answer in time")]
    Timeout,
    #[error("the host can't be resolved: {0}")]
    Resolve(String),
    #[error("the host has an address that this node sends nothing to")]
    AddressDenied,
    #[error("no connection: {0}")]
    Connect(String),
    #[error("no TLS: {0}")]
    Tls(String),
    #[error("the connection broke: {0}")]
    Connection(String),
}

impl SendError {
    /// The word for it.
    pub(super) const fn reason(&self) -> PushErrorReason {
        match self {
            Self::Timeout => PushErrorReason::Timeout,
            Self::Resolve(_) => PushErrorReason::Resolve,
            Self::AddressDenied => PushErrorReason::AddressDenied,
            Self::Connect(_) => PushErrorReason::Connect,
            Self::Tls(_) => PushErrorReason::Tls,
            Self::Connection(_) => PushErrorReason::Connection,
        }
    }

    /// The same in a sentence of bounded length.
    pub(super) fn detail(&self) -> String {
        let text = self.to_string();
        text.chars().take(limits::PUSH_ERROR_CHARS_MAX).collect()
    }
}
