//! Parts that do not do what they should: a run with one of them is to be noticed.

/// A part that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// m1: A leader counts as synced what is only written.
    AcksBeforeSync,
    /// m2: A follower promises what is only written.
    PromisesBeforeSync,
    /// m3: Who begins to follow cuts its log to what it knew to be committed (KIP-101).
    CutsToHighWatermark,
    /// m4: A leader does without a follower as soon as it proposes to.
    ShrinksBeforeCommit,
    /// m5: What an earlier run of a node has promised counts for the one that came after it (KIP-903).
    NoNodeEpochCheck,
    /// m6: A leader serves before all that it began with is committed.
    ServesBeforeOffice,
    /// m7: A new leader goes on behind what it knows to be committed, not behind its log.
    ReusesOffsets,
    /// m8: A log that is damaged in its midst is cut there, and nobody is told.
    CutsAtDamage,
    /// m9: A node that starts again and was not in sync, as far as it knows, deletes what it has.
    DeletesOnSuspicion,
    /// A leader says what became of what an earlier one had stored before it is in office, and by the offset alone.
    DecidesBeforeOffice,
    /// A leader gives offsets to others that it had sent to its followers before its own disk did not take them.
    TakesBackWhatWasSent,
}

impl Mutant {
    pub(super) const ALL: [Self; 11] = [
        Self::AcksBeforeSync,
        Self::PromisesBeforeSync,
        Self::CutsToHighWatermark,
        Self::ShrinksBeforeCommit,
        Self::NoNodeEpochCheck,
        Self::ServesBeforeOffice,
        Self::ReusesOffsets,
        Self::CutsAtDamage,
        Self::DeletesOnSuspicion,
        Self::DecidesBeforeOffice,
        Self::TakesBackWhatWasSent,
    ];
}
