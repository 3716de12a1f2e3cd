//! One timer for all deadlines of a shard.

use std::{collections::BTreeSet, time::Duration};

use glommio::timer::sleep;
use shard_core::model::{Monotonic, TopicPartition};

use crate::{event::ShardEvent, mailbox::Mailbox};

/// Knows which partition is due when, and puts a tick into the mailbox in time for the first of them.
#[derive(Debug)]
pub(crate) struct Alarm {
    mailbox: Mailbox<ShardEvent>,
    due: BTreeSet<(Monotonic, TopicPartition)>,
    /// The next tick under way; a tick that comes too early finds nothing due.
    armed_for: Option<Monotonic>,
}

impl Alarm {
    pub(crate) fn new(mailbox: Mailbox<ShardEvent>) -> Self {
        Self { mailbox, due: BTreeSet::new(), armed_for: None }
    }

    /// Moves a partition from its `old` deadline to `new`.
    pub(crate) fn reset(&mut self, partition: TopicPartition, old: Option<Monotonic>, new: Option<Monotonic>) {
        if let Some(old) = old {
            self.due.remove(&(old, partition));
        }
        if let Some(new) = new {
            self.due.insert((new, partition));
        }
    }

    /// Takes a partition whose deadline has come.
    pub(crate) fn take_due(&mut self, now: Monotonic) -> Option<TopicPartition> {
        let &(at, partition) = self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        Some(partition)
    }

    /// Notes that the tick has come.
    pub(crate) fn ticked(&mut self) {
        self.armed_for = None;
    }

    /// Sees to it that a tick comes no later than the first deadline.
    pub(crate) fn arm(&mut self, now: Monotonic) {
        let Some(&(at, _)) = self.due.first() else { return };
        if self.armed_for.is_some_and(|armed_for| armed_for <= at) {
            return;
        }
        self.armed_for = Some(at);
        let mailbox = self.mailbox.clone();
        // Rounded up, so that the deadline has come when the tick does.
        let pause = at.since(now) + Duration::from_millis(1);
        glommio::spawn_local(async move {
            sleep(pause).await;
            mailbox.push(ShardEvent::Tick);
        })
        .detach();
    }
}
