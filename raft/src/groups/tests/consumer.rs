//! A consumer as a client writes it: joins, says that it lives, lets go of what it lost, and now and then does not.

use std::collections::BTreeSet;

use shard_core::model::PartitionIndex;

use super::{events::Ticket, world::Counts};
use crate::{
    groups::{
        GroupError, Membership,
        request::{Answer, Answered, Wish},
    },
    metadata::MemberId,
};

/// After so much silence of the coordinator a consumer asks again.
const PATIENCE_MS: u64 = 400;
const HEARTBEAT_MS: u64 = 300;

/// One consumer. Times are in milliseconds.
#[derive(Debug)]
pub(super) struct Consumer {
    index: usize,
    /// Whether it wants to be a member.
    pub(super) wants_in: bool,
    /// Until then it does nothing, and nothing reaches it.
    pub(super) asleep_until: u64,
    /// Whether it goes on with what was taken from it.
    pub(super) clings: bool,
    held: Option<Held>,
    asked: Option<Asked>,
    last_number: u64,
    heartbeat_at: u64,
    former: Option<MemberId>,
}

/// What it was told last.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) member: MemberId,
    pub(super) generation: u64,
    pub(super) uses: BTreeSet<PartitionIndex>,
}

#[derive(Debug)]
struct Asked {
    number: u64,
    at: u64,
}

impl Consumer {
    pub(super) const fn new(index: usize) -> Self {
        Self {
            index,
            wants_in: true,
            asleep_until: 0,
            clings: false,
            held: None,
            asked: None,
            last_number: 0,
            heartbeat_at: 0,
            former: None,
        }
    }

    pub(super) const fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// Forgets everything, as a process that was killed.
    pub(super) fn restart(&mut self) {
        self.former = self.held.take().map(|held| held.member);
        self.asked = None;
    }

    /// What it asks for now, if anything.
    pub(super) fn act(&mut self, now: u64) -> Option<(Wish, Ticket)> {
        self.asked.take_if(|asked| asked.at + PATIENCE_MS < now);
        let consumer_id = format!("c{}", self.index).into();
        let wish = match &self.held {
            Some(_) if !self.wants_in => {
                self.held = None;
                self.asked = None;
                Wish::Leave { consumer_id }
            }
            Some(held) if self.asked.is_none() && self.heartbeat_at <= now => {
                self.heartbeat_at = now + HEARTBEAT_MS;
                Wish::Heartbeat { consumer_id, adopted: held.generation }
            }
            None if self.wants_in && self.asked.is_none() => Wish::Join { consumer_id },
            Some(_) | None => return None,
        };
        self.last_number += 1;
        if !matches!(wish, Wish::Leave { .. }) {
            self.asked = Some(Asked { number: self.last_number, at: now });
        }
        Some((wish, Ticket { consumer: self.index, number: self.last_number }))
    }

    /// An answer arrives; one to a question that it has given up on is of no interest.
    pub(super) fn hear(&mut self, number: u64, answer: Answered, counts: &mut Counts) {
        if self.asked.take_if(|asked| asked.number == number).is_none() {
            return;
        }
        match answer {
            Ok(Answer::Member(membership)) => self.take(membership, counts),
            Ok(other @ (Answer::Left | Answer::Described(_))) => panic!("it did not ask for that: {other:?}"),
            Err(GroupError::UnknownConsumer) => self.held = None,
            Err(GroupError::Unknown { .. } | GroupError::Overloaded) => {}
            Err(error) => panic!("that can't be: {error}"),
        }
    }

    fn take(&mut self, membership: Membership, counts: &mut Counts) {
        let uses: BTreeSet<_> = membership.partitions.into_iter().collect();
        if let Some(held) = self.held.as_ref().filter(|held| held.member == membership.member) {
            let loses = held.uses.iter().any(|partition| !uses.contains(partition));
            if membership.generation < held.generation || (loses && self.clings) {
                return;
            }
        } else if self.former.take() == Some(membership.member) {
            counts.resumed += 1;
        }
        self.held = Some(Held { member: membership.member, generation: membership.generation, uses });
    }
}
