//! Parts that do not do what they should: a run with one of them is to be noticed.

/// A part that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// The store does not look at the epoch of who writes.
    NoEpochCheck,
    /// The metadata let a run of a node in for what another run said.
    NoNodeEpochCheck,
    /// An owner does not look at the stated generation.
    AcceptsStaleGeneration,
    /// The metadata assign what is revoked before it was let go.
    AssignsBeforeLetGo,
    /// A node that starts again misses an entry of the log.
    SkipsAnEntry,
    /// Nobody takes partitions over.
    NoTakeover,
    /// A node stays with the epoch that it was answered, whatever was granted since.
    KeepsFirstEpoch,
    /// A leader answers a change of the metadata when it takes it, and not when it is agreed on.
    AnswersBeforeCommit,
    /// A node answers a change as soon as it hears that it holds, and does not wait until it knows it itself.
    AnswersBeforeItKnows,
    /// A node asks for a change again of which it heard nothing.
    AsksAgainAfterSilence,
    /// A leader that another one has followed says that nobody took what it had taken, so that it is asked for again.
    GivesUpWhatItTook,
    /// A node that starts again answers from its snapshot, before it knows what it knew.
    ShowsItsSnapshot,
}

impl Mutant {
    pub(super) const ALL: [Self; 12] = [
        Self::NoEpochCheck,
        Self::NoNodeEpochCheck,
        Self::AcceptsStaleGeneration,
        Self::AssignsBeforeLetGo,
        Self::SkipsAnEntry,
        Self::NoTakeover,
        Self::KeepsFirstEpoch,
        Self::AnswersBeforeCommit,
        Self::AnswersBeforeItKnows,
        Self::AsksAgainAfterSilence,
        Self::GivesUpWhatItTook,
        Self::ShowsItsSnapshot,
    ];
}
