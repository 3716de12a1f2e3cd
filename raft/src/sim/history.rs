//! What clients did to the metadata and saw of them, in the order in which it happened, beside the order of the log. E13.
//!
//! The log is the one order that all agree on, so nothing has to be searched for: a history is linearizable if the log has
//! each answered change once, with the outcome that was answered, and behind all that were answered before it was asked for.
//! Reads are answered by each node from what it knows; for them it promises less, which is checked as well.

use std::collections::BTreeMap;

use crate::metadata::{NodeId, Outcome, Refusal};

/// What the log made of a change.
pub(crate) type Judged = Result<Outcome, Refusal>;

/// Names a change, by when it was asked for.
pub(crate) type ChangeId = usize;

/// All that clients did and saw.
#[derive(Debug, Default)]
pub(crate) struct History {
    changes: Vec<Asked>,
    moments: Vec<Moment>,
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It holds, or was refused.
    Judged(Judged),
    /// Nobody has taken it, nor ever will.
    Nowhere,
    /// It may hold, now or later.
    Unknown,
}

/// Something that must not be in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It was answered, and is not in the log.
    Missing { change: ChangeId },
    /// It is in the log more than once.
    Twice { change: ChangeId },
    /// It is in the log, and was said to be nowhere.
    NotNowhere { change: ChangeId },
    /// The log came to another outcome than was answered.
    OtherOutcome { change: ChangeId },
    /// It was asked for when a change was answered that is behind it in the log.
    OutOfOrder { change: ChangeId, behind: u64 },
    /// A node showed a state older than one that it had shown, or than the one by which it had answered a change.
    OldState { node: NodeId, version: u64, known: u64 },
}

/// A change that a client asked for.
#[derive(Debug)]
struct Asked {
    through: NodeId,
    /// The entries of the log that have it, and what they came to.
    entries: Vec<(u64, Judged)>,
    answer: Option<Answer>,
}

#[derive(Debug)]
enum Moment {
    Asked(ChangeId),
    Answered(ChangeId),
    Read { node: NodeId, version: u64 },
}

impl History {
    /// A client asks a node for a change.
    pub(crate) fn asked(&mut self, through: NodeId) -> ChangeId {
        let change = self.changes.len();
        self.changes.push(Asked { through, entries: Vec::new(), answer: None });
        self.moments.push(Moment::Asked(change));
        change
    }

    /// An entry of the log has a change.
    pub(crate) fn taken(&mut self, change: ChangeId, entry: u64, judged: Judged) {
        self.changes[change].entries.push((entry, judged));
    }

    /// A client is answered, or gives up.
    pub(crate) fn answered(&mut self, change: ChangeId, answer: Answer) {
        let asked = &mut self.changes[change];
        assert_eq!(asked.answer, None, "a client hears one answer");
        asked.answer = Some(answer);
        self.moments.push(Moment::Answered(change));
    }

    /// A node shows a client the state of a version.
    pub(crate) fn read(&mut self, node: NodeId, version: u64) {
        self.moments.push(Moment::Read { node, version });
    }

    /// The first thing that must not be.
    pub(crate) fn check(&self) -> Result<(), Flaw> {
        for (change, asked) in self.changes.iter().enumerate() {
            asked.check(change)?;
        }
        let mut newest = 0;
        let mut known: BTreeMap<NodeId, u64> = BTreeMap::new();
        for moment in &self.moments {
            match *moment {
                Moment::Asked(change) => {
                    let entry = self.changes[change].entries.first().map(|(entry, _)| *entry);
                    if entry.is_some_and(|entry| entry <= newest) {
                        return Err(Flaw::OutOfOrder { change, behind: newest });
                    }
                }
                Moment::Answered(change) => {
                    let asked = &self.changes[change];
                    if let (Some(Answer::Judged(_)), Some((entry, _))) = (&asked.answer, asked.entries.first()) {
                        newest = newest.max(*entry);
                        let known = known.entry(asked.through).or_default();
                        *known = (*known).max(*entry);
                    }
                }
                Moment::Read { node, version } => {
                    let known = known.entry(node).or_default();
                    if version < *known {
                        return Err(Flaw::OldState { node, version, known: *known });
                    }
                    *known = version;
                }
            }
        }
        Ok(())
    }
}

impl Asked {
    fn check(&self, change: ChangeId) -> Result<(), Flaw> {
        match (&self.answer, self.entries.as_slice()) {
            (_, [_, _, ..]) => Err(Flaw::Twice { change }),
            (Some(Answer::Judged(_)), []) => Err(Flaw::Missing { change }),
            (Some(Answer::Judged(answered)), [(_, judged)]) if answered != judged => Err(Flaw::OtherOutcome { change }),
            (Some(Answer::Nowhere), [_]) => Err(Flaw::NotNowhere { change }),
            (_, [] | [_]) => Ok(()),
        }
    }
}

mod tests;
