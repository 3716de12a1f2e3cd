//! Who may consume a partition that is assigned to one consumer at a time, and whose acks still count.
//!
//! A partition is taken from a consumer in two steps. First it is assigned to nobody: then nobody is given messages, and
//! what the former consumer holds it may still finish. Then it is assigned anew, and every lease from before is void. So
//! no two consumers hold messages of it at a time, whatever they believe.

use super::{AckOutcome, ConsumerId};

/// What a consumer says of itself where partitions are assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Claim {
    /// Who it is; a consumer that joins again after its time is another one.
    pub consumer: ConsumerId,
    /// The newest assignment that it knows of.
    pub generation: u64,
}

/// Whom a partition is assigned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignee {
    /// The consumer.
    pub consumer: ConsumerId,
    /// The generation that gave it the partition.
    pub since: u64,
}

/// A partition's place in the newest assignment of its subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionAssignment {
    /// The generation of the assignment; it rises with each.
    pub generation: u64,
    /// Whom the partition is assigned to; nobody while it is on its way from one consumer to another.
    pub assignee: Option<Assignee>,
}

/// Why a claim was refused. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ClaimRefused {
    #[error("the partition is not this consumer's by the assignment of generation {generation}")]
    Stale { generation: u64 },
    #[error("a newer connection consumes under this consumer's id")]
    Displaced,
}

/// Holds a partition of an assigned subscription to its assignment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fence {
    generation: u64,
    /// Whom the partition was assigned to last.
    assignee: Option<Assignee>,
    /// Whether it still is.
    assigned: bool,
    /// The newest connection over which the assignee has pulled; those that are older are over, whether they know or not.
    connection: ConsumerId,
    /// Leases with a lower sequence are from before a restart: nobody knows whose they were.
    known_from: u64,
    /// Leases with a lower sequence were given under an earlier assignment.
    leases_from: u64,
}

impl Fence {
    /// Lets nobody through yet. Every lease with a sequence below `next_sequence` is void.
    pub(super) const fn new(next_sequence: u64) -> Self {
        Self {
            generation: 0,
            assignee: None,
            assigned: false,
            connection: ConsumerId(0),
            known_from: next_sequence,
            leases_from: next_sequence,
        }
    }

    /// Takes note of an assignment; one that is older than the one that is known means nothing. Returns whether all leases
    /// so far, those with a sequence below `next_sequence`, are void by it.
    pub(super) fn assign(&mut self, assignment: PartitionAssignment, next_sequence: u64) -> bool {
        if assignment.generation < self.generation {
            return false;
        }
        self.generation = assignment.generation;
        self.assigned = assignment.assignee.is_some();
        let anew = self.assigned && assignment.assignee != self.assignee;
        if anew {
            self.assignee = assignment.assignee;
            self.connection = ConsumerId::default();
            self.leases_from = next_sequence;
        }
        anew
    }

    /// Whether a consumer may be given messages over a connection; 0 is none that would end.
    pub(super) fn check_pull(&self, claim: Option<Claim>, connection: ConsumerId) -> Result<(), ClaimRefused> {
        if !self.assigned {
            return Err(self.stale());
        }
        self.check_commit(claim)?;
        let displaced = connection != ConsumerId::default() && connection < self.connection;
        if displaced { Err(ClaimRefused::Displaced) } else { Ok(()) }
    }

    /// Takes note of a connection that may pull; returns the older one that it displaces.
    pub(super) fn attach(&mut self, connection: ConsumerId) -> Option<ConsumerId> {
        if connection <= self.connection {
            return None;
        }
        let former = std::mem::replace(&mut self.connection, connection);
        (former != ConsumerId::default()).then_some(former)
    }

    /// Whether a consumer may say how far it has come. It may until somebody else has the partition.
    pub(super) fn check_commit(&self, claim: Option<Claim>) -> Result<(), ClaimRefused> {
        let bears_out = |claim: Claim| {
            let Some(assignee) = self.assignee else { return false };
            assignee.consumer == claim.consumer
                && assignee.since <= claim.generation
                && claim.generation <= self.generation
        };
        if claim.is_some_and(bears_out) { Ok(()) } else { Err(self.stale()) }
    }

    /// Whether a lease was given under the assignment that was made last.
    pub(super) const fn check_lease(&self, sequence: u64) -> Result<(), AckOutcome> {
        if sequence < self.known_from {
            return Err(AckOutcome::LeaseExpired);
        }
        if sequence < self.leases_from { Err(AckOutcome::StaleGeneration) } else { Ok(()) }
    }

    const fn stale(&self) -> ClaimRefused {
        ClaimRefused::Stale { generation: self.generation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: ConsumerId = ConsumerId(1);
    const BOB: ConsumerId = ConsumerId(2);
    const HTTP: ConsumerId = ConsumerId(0);

    fn assignment(generation: u64, to: Option<(ConsumerId, u64)>) -> PartitionAssignment {
        let assignee = to.map(|(consumer, since)| Assignee { consumer, since });
        PartitionAssignment { generation, assignee }
    }

    #[expect(clippy::unnecessary_wraps, reason = "that is what a request takes")]
    fn claim(consumer: ConsumerId, generation: u64) -> Option<Claim> {
        Some(Claim { consumer, generation })
    }

    #[test]
    fn before_the_first_assignment_nobody_gets_through() {
        let fence = Fence::new(10);
        for claim in [None, claim(ANN, 0), claim(ANN, 1)] {
            assert_eq!(fence.check_pull(claim, HTTP), Err(ClaimRefused::Stale { generation: 0 }));
            assert_eq!(fence.check_commit(claim), Err(ClaimRefused::Stale { generation: 0 }));
        }
        assert_eq!(fence.check_lease(9), Err(AckOutcome::LeaseExpired), "it is from before the restart");
    }

    #[test]
    fn the_assignee_gets_through_with_a_generation_since_it_has_the_partition() {
        let mut fence = Fence::new(10);
        assert!(fence.assign(assignment(5, Some((ANN, 3))), 10));
        for (generation, passes) in [(2, false), (3, true), (5, true), (6, false)] {
            assert_eq!(fence.check_pull(claim(ANN, generation), HTTP).is_ok(), passes, "{generation}");
            assert_eq!(fence.check_commit(claim(ANN, generation)).is_ok(), passes, "{generation}");
            assert_eq!(fence.check_pull(claim(BOB, generation), HTTP), Err(ClaimRefused::Stale { generation: 5 }));
        }
        assert!(fence.check_pull(None, HTTP).is_err());
    }

    #[test]
    fn a_rebalance_of_other_partitions_voids_no_lease() {
        let mut fence = Fence::new(10);
        fence.assign(assignment(3, Some((ANN, 3))), 10);
        assert!(!fence.assign(assignment(4, Some((ANN, 3))), 12));
        assert_eq!(fence.check_lease(11), Ok(()));
        assert!(fence.check_pull(claim(ANN, 3), HTTP).is_ok() && fence.check_pull(claim(ANN, 4), HTTP).is_ok());
    }

    #[test]
    fn what_is_taken_away_may_be_finished_until_somebody_else_has_it() {
        let mut fence = Fence::new(10);
        fence.assign(assignment(3, Some((ANN, 3))), 10);
        assert!(!fence.assign(assignment(4, None), 12));
        assert!(fence.check_pull(claim(ANN, 4), HTTP).is_err() && fence.check_pull(claim(ANN, 3), HTTP).is_err());
        assert!(fence.check_pull(claim(BOB, 4), HTTP).is_err());
        assert_eq!(fence.check_lease(11), Ok(()));
        assert!(fence.check_commit(claim(ANN, 3)).is_ok());

        assert!(fence.assign(assignment(5, Some((BOB, 5))), 12));
        assert_eq!(fence.check_lease(11), Err(AckOutcome::StaleGeneration));
        assert_eq!(fence.check_lease(12), Ok(()));
        assert_eq!(fence.check_commit(claim(ANN, 5)), Err(ClaimRefused::Stale { generation: 5 }));
        assert!(fence.check_pull(claim(BOB, 5), HTTP).is_ok() && fence.check_pull(claim(BOB, 4), HTTP).is_err());
    }

    #[test]
    fn who_gets_back_what_it_let_go_of_begins_anew() {
        let mut fence = Fence::new(10);
        fence.assign(assignment(3, Some((ANN, 3))), 10);
        fence.assign(assignment(4, None), 12);
        assert!(fence.assign(assignment(5, Some((ANN, 5))), 12));
        assert!(fence.check_pull(claim(ANN, 4), HTTP).is_err());
        assert_eq!(fence.check_lease(11), Err(AckOutcome::StaleGeneration));
    }

    #[test]
    fn news_that_comes_late_is_none() {
        let mut fence = Fence::new(10);
        fence.assign(assignment(5, Some((BOB, 5))), 10);
        assert!(!fence.assign(assignment(4, Some((ANN, 3))), 11));
        assert!(fence.check_pull(claim(BOB, 5), HTTP).is_ok() && fence.check_pull(claim(ANN, 4), HTTP).is_err());
    }

    #[test]
    fn a_newer_connection_displaces_an_older_one_until_the_partition_is_assigned_anew() {
        let mut fence = Fence::new(10);
        fence.assign(assignment(3, Some((ANN, 3))), 10);
        let pull = |fence: &Fence, connection| fence.check_pull(claim(ANN, 3), ConsumerId(connection));
        assert_eq!((fence.attach(HTTP), fence.attach(ConsumerId(70))), (None, None));
        assert_eq!(fence.attach(ConsumerId(70)), None);
        assert_eq!(fence.attach(ConsumerId(80)), Some(ConsumerId(70)));
        assert_eq!(pull(&fence, 70), Err(ClaimRefused::Displaced));
        assert_eq!((pull(&fence, 80), pull(&fence, 0)), (Ok(()), Ok(())));
        fence.assign(assignment(4, Some((BOB, 4))), 10);
        assert_eq!(fence.check_pull(claim(BOB, 4), ConsumerId(60)), Ok(()));
    }
}
