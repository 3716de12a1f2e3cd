//! What a run has met.

/// How often something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) crashes: u64,
    pub(super) power_cuts: u64,
    pub(super) pauses: u64,
    pub(super) cuts: u64,
    pub(super) clogs: u64,
    pub(super) damaged: u64,
    pub(super) disks_full: u64,
    pub(super) io_errors: u64,
    pub(super) elections: u64,
    pub(super) fences: u64,
    pub(super) leader_changes: u64,
    pub(super) isr_changes: u64,
    pub(super) from_elr: u64,
    pub(super) refused_isr: u64,
    pub(super) unknown_isr: u64,
    pub(super) truncations: u64,
    pub(super) restarts: u64,
    pub(super) trimmed: u64,
    pub(super) sent_ahead: u64,
    pub(super) fenced_fetches: u64,
    pub(super) committed: u64,
    pub(super) acknowledged: u64,
    pub(super) repeated: u64,
    pub(super) not_enough: u64,
    pub(super) unknown: u64,
    pub(super) undecided: u64,
    pub(super) decided: u64,
    pub(super) undone: u64,
    pub(super) consumed: u64,
    /// Of all events in their order.
    pub(super) trace: u64,
}

impl Counts {
    /// Each with how often it is to happen in a hundred runs.
    fn fields(&mut self) -> [(&'static str, &mut u64, u64); 29] {
        [
            ("nodes killed", &mut self.crashes, 300),
            ("power cuts", &mut self.power_cuts, 20),
            ("nodes that stood still", &mut self.pauses, 150),
            ("lines cut", &mut self.cuts, 300),
            ("lines clogged", &mut self.clogs, 100),
            ("logs damaged", &mut self.damaged, 20),
            ("disks full", &mut self.disks_full, 50),
            ("failures of disks", &mut self.io_errors, 20),
            ("elections", &mut self.elections, 100),
            ("nodes fenced", &mut self.fences, 100),
            ("leader changes", &mut self.leader_changes, 300),
            ("changes of who is in sync", &mut self.isr_changes, 500),
            ("leaders from the ELR", &mut self.from_elr, 2),
            ("refused changes of who is in sync", &mut self.refused_isr, 20),
            ("lost answers to changes of who is in sync", &mut self.unknown_isr, 20),
            ("truncations", &mut self.truncations, 50),
            ("logs begun anew", &mut self.restarts, 5),
            ("logs trimmed", &mut self.trimmed, 100),
            ("batches sent ahead", &mut self.sent_ahead, 2_000),
            ("fetches fenced off", &mut self.fenced_fetches, 100),
            ("records committed", &mut self.committed, 10_000),
            ("publishes acknowledged", &mut self.acknowledged, 5_000),
            ("publishes repeated", &mut self.repeated, 50),
            ("publishes with too few in sync", &mut self.not_enough, 50),
            ("publishes with unknown end", &mut self.unknown, 200),
            ("publishes left undecided", &mut self.undecided, 20),
            ("publishes that the next leader had", &mut self.decided, 5),
            ("publishes that the next leader had not", &mut self.undone, 5),
            ("reads", &mut self.consumed, 2_000),
        ]
    }

    pub(super) fn add(&mut self, other: &Self) {
        for ((_, sum, _), (_, count, _)) in self.fields().into_iter().zip(other.clone().fields()) {
            *sum += *count;
        }
    }

    /// Runs in which too little happened show nothing.
    pub(super) fn assert_enough(mut self, seeds: u64) {
        for (what, count, in_a_hundred_seeds) in self.fields() {
            assert!(*count * 100 >= in_a_hundred_seeds * seeds, "{what}: {count} in {seeds} runs");
        }
    }

    /// Whether nobody came to lead or to be in sync: some runs are so, but few.
    pub(super) const fn is_quiet(&self) -> bool {
        self.leader_changes + self.isr_changes == 0
    }
}
