//! How much may be written before the disk must be asked again how much room it has.
//!
//! Publishes are refused while less than the reserve is left: cursors, metadata and what is already accepted go on with
//! it, and once there is room again so do publishes. Asking costs a system call, so the answer is used for a while.

/// One writer's share of what the disk had room for when it was last asked.
#[derive(Clone, Copy, Debug)]
pub struct SpaceBudget {
    reserve: u64,
    /// How many writers share the disk, each with a budget of its own.
    writers: u64,
    /// What may be written before the disk is asked again.
    left: u64,
}

impl SpaceBudget {
    /// A budget of nothing: the disk is asked before the first write.
    #[must_use]
    pub const fn new(reserve: u64, writers: u64) -> Self {
        Self { reserve, writers: if writers == 0 { 1 } else { writers }, left: 0 }
    }

    /// Takes `bytes` out of the budget if they are in it; if not, the disk is to be asked.
    pub const fn take(&mut self, bytes: u64) -> bool {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// What was known of the disk does not hold any more: it is asked before the next write.
    pub const fn forget(&mut self) {
        self.left = 0;
    }

    /// Takes in how much room the disk has, for a write of `bytes`. No writer is given more than its share, nor so much
    /// that all of them together could use up a quarter of the reserve unasked, but for a single larger write. Without a
    /// reserve there is nothing to keep, and a write that finds no room tells.
    pub fn refill(&mut self, available: u64, bytes: u64) {
        let share = available.saturating_sub(self.reserve) / self.writers;
        let unasked = if self.reserve == 0 { u64::MAX } else { self.reserve / 4 / self.writers };
        self.left = share.min(unasked.max(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_disk_is_asked_before_the_first_write() {
        assert!(!SpaceBudget::new(64 * MIB, 2).take(1));
    }

    #[test]
    fn what_is_in_the_budget_is_written_unasked() {
        let mut budget = SpaceBudget::new(64 * MIB, 2);
        budget.refill(1_000 * MIB, 4_096);
        let writes = (0..100).take_while(|_| budget.take(MIB)).count();
        assert_eq!(writes, 8, "a quarter of the reserve, for both writers");
    }

    #[test]
    fn a_budget_that_proved_wrong_is_not_used_up() {
        let mut budget = SpaceBudget::new(64 * MIB, 2);
        budget.refill(1_000 * MIB, 4_096);
        budget.forget();
        assert!(!budget.take(1));
    }

    #[test]
    fn nothing_is_written_into_the_reserve() {
        let mut budget = SpaceBudget::new(64 * MIB, 1);
        budget.refill(64 * MIB, 4_096);
        assert!(!budget.take(1));
        budget.refill(64 * MIB + 4_096, 4_096);
        assert!(budget.take(4_096) && !budget.take(1));
        budget.refill(10, 4_096);
        assert!(!budget.take(1));
    }

    #[test]
    fn without_a_reserve_the_disk_is_asked_once() {
        let mut budget = SpaceBudget::new(0, 2);
        budget.refill(100 * MIB, 4_096);
        assert!(budget.take(50 * MIB) && !budget.take(1), "a writer's share");
    }

    #[test]
    fn a_write_that_is_larger_than_the_budget_goes_if_there_is_room_for_it() {
        let mut budget = SpaceBudget::new(MIB, 2);
        budget.refill(100 * MIB, 32 * MIB);
        assert!(budget.take(32 * MIB));
        budget.refill(60 * MIB, 32 * MIB);
        assert!(!budget.take(32 * MIB), "the other writer may want as much");
    }
}
