//! Partitions that are assigned to one consumer at a time.

use super::{
    super::{Claim, ClaimRefused, ConsumerId, PartitionAssignment, fence::Fence},
    Dispatcher,
};
use crate::model::Monotonic;

impl Dispatcher {
    /// Delivers to whom the partition is assigned, and to nobody else; to everybody if there are no assignments.
    ///
    /// A new assignee gets everything that is not acked: each lease from before is void, and its message deliverable at
    /// once. From when a partition is assigned to nobody, nothing is leased; acks of leases count all the same until it is
    /// assigned again. Leases from before a restart are void.
    pub fn assign(&mut self, now: Monotonic, assignment: Option<PartitionAssignment>) {
        let Some(assignment) = assignment else {
            self.fence = None;
            return;
        };
        let next_sequence = self.next_sequence;
        let fence = self.fence.get_or_insert(Fence::new(next_sequence));
        if fence.assign(assignment, next_sequence) {
            self.release_all(now);
        }
    }

    /// Whether a consumer may be given messages over a connection. One that is newer than the last displaces it: what was
    /// leased over that is deliverable at once.
    ///
    /// # Errors
    /// The partition is another consumer's, or nobody's, or was not this consumer's in the generation that it knows of; or
    /// the connection was displaced itself.
    pub fn admit(&mut self, now: Monotonic, claim: Option<Claim>, connection: ConsumerId) -> Result<(), ClaimRefused> {
        let Some(fence) = &mut self.fence else { return Ok(()) };
        fence.check_pull(claim, connection)?;
        if let Some(former) = fence.attach(connection) {
            self.release_consumer(now, former);
        }
        Ok(())
    }

    /// Whether a consumer may ack all up to an offset.
    ///
    /// # Errors
    /// Somebody else was given the partition since the generation that it knows of, or it never had it.
    pub fn check_commit(&self, claim: Option<Claim>) -> Result<(), ClaimRefused> {
        self.fence.as_ref().map_or(Ok(()), |fence| fence.check_commit(claim))
    }
}
