//! What came of a request, wherever its partition is: the same to the asker.

use shard_core::peer_wire::PeerReply;

use crate::{
    request::{
        AckOutcome, CursorStatus, LogDigest, PartitionStatus, PartitionUnavailable, PublishError, Published, Pulled,
        ReadError, ReadReply, SubscriptionError,
    },
    search::{Cancelled, Letters, Redriven, Scheduled},
};

/// The result of a request.
pub(crate) trait Outcome: Sized {
    /// The one that another node has sent; `None` for that of another kind of request.
    fn of_reply(reply: PeerReply) -> Option<Self>;

    /// Whether it may be so only because an earlier attempt, whose answer was lost, was done.
    fn may_follow_from_itself(&self) -> bool {
        false
    }
}

/// Why a request came to nothing.
pub(crate) trait Error: From<PartitionUnavailable> {
    /// Whether nothing was done, and another owner, or a later time, may do it. A node that stops does not wait for itself;
    /// one that hears of no majority may hear of one soon.
    fn may_pass(&self, is_ours: bool) -> bool;

    /// Whether it may have been done, and whoever owns the partition now is the one to ask.
    fn is_undecided(&self) -> bool {
        false
    }

    /// That it is not known whether it was done.
    fn unknown(node: u64, reason: String) -> Self;
}

impl Error for PartitionUnavailable {
    fn may_pass(&self, is_ours: bool) -> bool {
        if is_ours { matches!(self, Self::NotHere(_) | Self::NoOwner(_)) } else { Self::may_pass(self) }
    }

    /// What is answered so does nothing that could be known.
    fn unknown(node: u64, reason: String) -> Self {
        Self::PeerAway { node, reason }
    }
}

impl Error for PublishError {
    fn may_pass(&self, is_ours: bool) -> bool {
        matches!(self, Self::Unavailable(unavailable) if Error::may_pass(unavailable, is_ours))
    }

    fn unknown(node: u64, reason: String) -> Self {
        Self::Unknown { node, reason }
    }
}

impl Error for ReadError {
    fn may_pass(&self, is_ours: bool) -> bool {
        matches!(self, Self::Unavailable(unavailable) if Error::may_pass(unavailable, is_ours))
    }

    fn unknown(node: u64, reason: String) -> Self {
        PartitionUnavailable::PeerAway { node, reason }.into()
    }
}

impl Error for SubscriptionError {
    fn may_pass(&self, is_ours: bool) -> bool {
        match self {
            Self::Unavailable(unavailable) => Error::may_pass(unavailable, is_ours),
            Self::NotHere(_) => true,
            Self::Claim(_) | Self::Read(_) | Self::StoreFailed { .. } | Self::Undecided(_) => false,
        }
    }

    fn is_undecided(&self) -> bool {
        matches!(self, Self::Undecided(_))
    }

    fn unknown(node: u64, reason: String) -> Self {
        Self::StoreFailed { reason: format!("node {node}, which owns the partition, was lost: {reason}") }
    }
}

impl Outcome for Result<Vec<AckOutcome>, SubscriptionError> {
    fn of_reply(reply: PeerReply) -> Option<Self> {
        if let PeerReply::Refused(unavailable) = reply {
            return Some(Err(unavailable.into()));
        }
        // Any other is of another request.
        if let PeerReply::Acknowledge(outcome) = reply { Some(outcome) } else { None }
    }

    /// Where an ack counts once, the lease of one that has counted is over.
    fn may_follow_from_itself(&self) -> bool {
        self.as_ref().is_ok_and(|outcomes| outcomes.iter().any(|outcome| *outcome != AckOutcome::Applied))
    }
}

macro_rules! outcomes {
    ($($pattern:pat => $outcome:ident: Result<$value:ty, $error:ty>;)*) => {$(
        impl Outcome for Result<$value, $error> {
            fn of_reply(reply: PeerReply) -> Option<Self> {
                match reply {
                    PeerReply::Refused(unavailable) => Some(Err(unavailable.into())),
                    $pattern => Some($outcome),
                    // Any other is of another request.
                    _ => None,
                }
            }
        }
    )*};
}

outcomes! {
    PeerReply::Publish(outcome) => outcome: Result<Published, PublishError>;
    PeerReply::Read(outcome) => outcome: Result<ReadReply, ReadError>;
    PeerReply::Status(outcome) => outcome: Result<PartitionStatus, PartitionUnavailable>;
    PeerReply::Pull(outcome) => outcome: Result<Pulled, SubscriptionError>;
    PeerReply::AckUpTo(outcome) | PeerReply::Seek(outcome) => outcome: Result<(), SubscriptionError>;
    PeerReply::CursorStatus(outcome) => outcome: Result<CursorStatus, SubscriptionError>;
    PeerReply::AwaitDeliverable(outcome) => outcome: Result<(), PartitionUnavailable>;
    PeerReply::Letters(outcome) => outcome: Result<Letters, SubscriptionError>;
    PeerReply::Redrive(outcome) => outcome: Result<Redriven, SubscriptionError>;
    PeerReply::Scheduled(outcome) => outcome: Result<Scheduled, SubscriptionError>;
    PeerReply::Digest(outcome) => outcome: Result<LogDigest, PartitionUnavailable>;
    PeerReply::Holds(outcome) => outcome: Result<bool, PartitionUnavailable>;
    PeerReply::Cancel(outcome) => outcome: Result<Cancelled, SubscriptionError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_that_did_not_count_may_have_counted_before() {
        let answered = |outcomes: &[AckOutcome]| Ok::<_, SubscriptionError>(outcomes.to_vec());
        assert!(!answered(&[]).may_follow_from_itself());
        assert!(!answered(&[AckOutcome::Applied, AckOutcome::Applied]).may_follow_from_itself());
        for other in [AckOutcome::LeaseExpired, AckOutcome::StaleGeneration, AckOutcome::Unknown] {
            assert!(answered(&[AckOutcome::Applied, other]).may_follow_from_itself(), "{other:?}");
        }
        assert!(!Ok::<(), SubscriptionError>(()).may_follow_from_itself());
    }
}
