//! Decides whether a request that got no answer from the owner of its partition is made again.

use std::time::Duration;

use super::PeerRequest;
use crate::{
    limits,
    request::{PartitionUnavailable, SubscriptionError},
};

/// What making a request twice does, if the first time was heard after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Nothing that anybody is told of: what was read is read again; what was leased comes back after its deadline.
    Harmless,
    /// The same as once; but whoever gives up does not know whether it was done.
    Idempotent,
    /// More than once: it is never made again once it may have been heard.
    Never,
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Nothing was done, and that may be different soon: another owner is on its way, or a connection.
    NotDone,
    /// It may have been done: the connection was lost after it was sent.
    Lost,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Make it again after this long, or when it is known that the partition has another owner.
    Again {
        /// So long at most.
        pause: Duration,
    },
    /// Answer why nothing was done.
    GiveUp,
    /// Answer that it is not known whether it was done.
    GiveUpUnknown,
}

/// The attempts to have one request done.
#[derive(Clone, Copy, Debug)]
pub struct Attempts {
    repeat: Repeat,
    patience: Duration,
    count: u32,
    maybe_done: bool,
}

impl Attempts {
    /// Before the first one; the last one begins within `patience`.
    #[must_use]
    pub const fn new(repeat: Repeat, patience: Duration) -> Self {
        Self { repeat, patience, count: 0, maybe_done: false }
    }

    /// An attempt has failed, `waited` after the first one began.
    pub fn on_failed(&mut self, failed: Failed, waited: Duration) -> Verdict {
        self.count += 1;
        if failed == Failed::Lost && self.repeat != Repeat::Harmless {
            self.maybe_done = true;
        }
        let may_go_on = !(self.maybe_done && self.repeat == Repeat::Never);
        let pause = limits::PEER_RETRY_PAUSE_MIN * (1 << self.count.saturating_sub(1).min(8));
        let pause = pause.min(limits::PEER_RETRY_PAUSE_MAX);
        if may_go_on && waited + pause <= self.patience {
            return Verdict::Again { pause };
        }
        self.last_verdict()
    }

    /// How to end when an answer has come that lasts: it says that nothing was done, and an earlier attempt may have done it
    /// all the same.
    #[must_use]
    pub const fn last_verdict(&self) -> Verdict {
        if self.maybe_done { Verdict::GiveUpUnknown } else { Verdict::GiveUp }
    }
}

/// For how long a request is made again and again. Whoever pulls asks again by itself, and has other partitions to ask
/// meanwhile; whoever looks wants to see that nobody answers.
#[must_use]
pub const fn patience(request: &PeerRequest) -> Duration {
    match request {
        PeerRequest::Pull { .. } | PeerRequest::AwaitDeliverable { .. } | PeerRequest::ReleaseConsumer { .. } => {
            Duration::ZERO
        }
        PeerRequest::Status { .. } | PeerRequest::CursorStatus { .. } | PeerRequest::Digest(_) => {
            limits::PEER_LOOK_PATIENCE
        }
        PeerRequest::Publish { .. }
        | PeerRequest::PublishTraced { .. }
        | PeerRequest::Read { .. }
        | PeerRequest::Acknowledge { .. }
        | PeerRequest::AckUpTo { .. }
        | PeerRequest::Seek { .. }
        | PeerRequest::Letters(_)
        | PeerRequest::Redrive(_)
        | PeerRequest::Scheduled(_)
        | PeerRequest::Fetch(_)
        | PeerRequest::Cancel(_)
        | PeerRequest::Holds { .. } => limits::PEER_PATIENCE,
    }
}

impl Repeat {
    /// What a request does when it is made twice; `has_producer` says of a publish whether the owner tells repeats apart.
    #[must_use]
    pub const fn of(request: &PeerRequest, has_producer: bool) -> Self {
        match request {
            PeerRequest::Publish { .. } | PeerRequest::PublishTraced { .. } if has_producer => Self::Idempotent,
            PeerRequest::Publish { .. }
            | PeerRequest::PublishTraced { .. }
            | PeerRequest::Redrive(_)
            | PeerRequest::Cancel(_) => Self::Never,
            PeerRequest::Acknowledge { .. } | PeerRequest::AckUpTo { .. } | PeerRequest::Seek { .. } => {
                Self::Idempotent
            }
            PeerRequest::Read { .. }
            | PeerRequest::Status { .. }
            | PeerRequest::Pull { .. }
            | PeerRequest::CursorStatus { .. }
            | PeerRequest::AwaitDeliverable { .. }
            | PeerRequest::ReleaseConsumer { .. }
            | PeerRequest::Letters(_)
            | PeerRequest::Scheduled(_)
            | PeerRequest::Holds { .. }
            | PeerRequest::Digest(_)
            // It is asked in another way, and begun anew by whoever asks.
            | PeerRequest::Fetch(_) => Self::Harmless,
        }
    }
}

impl PartitionUnavailable {
    /// Whether another owner, or the same one a little later, may serve what this one could not.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::NotHere(_) | Self::NoOwner(_) | Self::PeerAway { .. } | Self::Stopping => true,
            Self::Closed { .. } | Self::StoreAway { .. } | Self::Overloaded | Self::NotEnoughReplicas { .. } => false,
        }
    }
}

impl SubscriptionError {
    /// The same for a subscription: its owner may not have heard of it yet.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable(unavailable) => unavailable.may_pass(),
            Self::NotHere(_) => true,
            Self::Claim(_) | Self::Read(_) | Self::StoreFailed { .. } | Self::Undecided(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails again and again in one way; how often it was tried again, for how long, and how it ended.
    fn run(repeat: Repeat, failed: Failed) -> (u32, Duration, Verdict) {
        let mut attempts = Attempts::new(repeat, limits::PEER_PATIENCE);
        let (mut again, mut waited) = (0, Duration::ZERO);
        loop {
            match attempts.on_failed(failed, waited) {
                Verdict::Again { pause } => {
                    again += 1;
                    waited += pause;
                }
                verdict @ (Verdict::GiveUp | Verdict::GiveUpUnknown) => return (again, waited, verdict),
            }
        }
    }

    #[test]
    fn what_was_not_done_is_tried_again_for_as_long_as_patience_lasts() {
        for repeat in [Repeat::Harmless, Repeat::Idempotent, Repeat::Never] {
            let (again, waited, verdict) = run(repeat, Failed::NotDone);
            assert!(again > 10 && again < 100, "{again} times");
            assert!(waited <= limits::PEER_PATIENCE && waited + limits::PEER_RETRY_PAUSE_MAX > limits::PEER_PATIENCE);
            assert_eq!(verdict, Verdict::GiveUp);
        }
    }

    #[test]
    fn what_may_have_been_done_is_repeated_only_where_that_is_safe() {
        assert_eq!(run(Repeat::Never, Failed::Lost), (0, Duration::ZERO, Verdict::GiveUpUnknown));
        let (again, _, verdict) = run(Repeat::Idempotent, Failed::Lost);
        assert!(again > 0 && verdict == Verdict::GiveUpUnknown);
        let (again, _, verdict) = run(Repeat::Harmless, Failed::Lost);
        assert!(again > 0 && verdict == Verdict::GiveUp);
    }

    #[test]
    fn a_loss_is_not_forgotten_when_the_next_attempt_is_refused() {
        let mut attempts = Attempts::new(Repeat::Idempotent, limits::PEER_PATIENCE);
        assert!(matches!(attempts.on_failed(Failed::Lost, Duration::ZERO), Verdict::Again { .. }));
        assert_eq!(attempts.last_verdict(), Verdict::GiveUpUnknown);
        assert_eq!(attempts.on_failed(Failed::NotDone, limits::PEER_PATIENCE), Verdict::GiveUpUnknown);
    }
}
