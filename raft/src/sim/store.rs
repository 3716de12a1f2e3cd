//! The store that every node reaches: it keeps messages and cursors, and knows of each partition the newest epoch.

use std::collections::BTreeMap;

use super::mutant::Mutant;
use crate::metadata::MemberId;

/// What is stored of one partition.
#[derive(Debug, Default)]
pub(super) struct Stored {
    epoch: u32,
    /// Which node opened it last.
    owner: Option<usize>,
    /// Each message, and in which epoch it was stored.
    pub(super) messages: Vec<(u64, u32)>,
    /// What is below was consumed.
    pub(super) cursor: usize,
    /// What is below was given to a member.
    pub(super) delivered: usize,
    /// Who was let in, with the highest generation that it stated.
    accepted: BTreeMap<MemberId, u64>,
}

/// Another node has opened the partition in a newer epoch. Nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fenced;

impl Stored {
    /// A node owns the partition in an epoch.
    pub(super) fn open(&mut self, owner: usize, epoch: u32) -> Result<(), Fenced> {
        if epoch < self.epoch {
            return Err(Fenced);
        }
        let is_same = epoch > self.epoch || self.owner.is_none() || self.owner == Some(owner);
        assert!(is_same, "R1: {owner} and {:?} both own it in epoch {epoch}", self.owner);
        self.epoch = epoch;
        self.owner = Some(owner);
        Ok(())
    }

    pub(super) fn append(&mut self, epoch: u32, id: u64, mutant: Option<Mutant>) -> Result<(), Fenced> {
        self.check(epoch, mutant)?;
        let newest = self.messages.last().map_or(0, |(_, epoch)| *epoch);
        assert!(epoch >= newest, "R9: stored in epoch {epoch} after {newest}");
        self.messages.push((id, epoch));
        Ok(())
    }

    pub(super) fn commit(
        &mut self,
        epoch: u32,
        (member, stated): (MemberId, u64),
        end: usize,
        mutant: Option<Mutant>,
    ) -> Result<(), Fenced> {
        self.check(epoch, mutant)?;
        assert!(epoch == self.epoch, "R9: consumed in epoch {epoch}, the partition is of {}", self.epoch);
        for (other, generation) in self.accepted.iter().filter(|(other, _)| **other != member) {
            assert!(stated > *generation, "E9: {member} let in by {stated} after {other} by {generation}");
        }
        let highest = self.accepted.entry(member).or_insert(stated);
        *highest = stated.max(*highest);
        assert!(end <= self.delivered, "E8: consumed up to {end}, given up to {}", self.delivered);
        // E10: what comes late takes nothing back.
        self.cursor = self.cursor.max(end);
        Ok(())
    }

    pub(super) const fn is_open(&self, owner: usize, epoch: u32) -> bool {
        self.epoch == epoch && matches!(self.owner, Some(known) if known == owner)
    }

    fn check(&self, epoch: u32, mutant: Option<Mutant>) -> Result<(), Fenced> {
        if epoch == self.epoch || mutant == Some(Mutant::NoEpochCheck) { Ok(()) } else { Err(Fenced) }
    }
}
