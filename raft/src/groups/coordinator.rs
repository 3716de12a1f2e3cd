//! Decides when the metadata of consumer groups has to change: who lives, who is gone, who has let go. Pure.
//!
//! Heartbeats stay here. What changes a group is gathered and proposed, one proposal for a group at a time; what the
//! proposals make of the metadata is told here like any other change of it.

mod pace;
mod sessions;
mod waiting;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use shard_core::model::{Monotonic, SubscriptionId};

use super::{
    GroupError,
    request::{Answered, Request, Wish},
};
use crate::{
    clock::SessionClock,
    limits,
    metadata::{ClusterState, GroupChange},
};
use sessions::Sessions;

/// The coordinator of all groups. `R` stands for who waits for an answer.
#[derive(Debug)]
pub(crate) struct Coordinator<R> {
    clock: SessionClock,
    state: Arc<ClusterState>,
    groups: BTreeMap<SubscriptionId, Sessions<R>>,
    /// Which group is to be looked at when.
    due: BTreeSet<(Monotonic, SubscriptionId)>,
    due_of: BTreeMap<SubscriptionId, Monotonic>,
    proposals: usize,
    /// Groups that are to propose once others are done, in the order in which they came.
    queued: VecDeque<SubscriptionId>,
    effects: VecDeque<Effect<R>>,
}

/// What the coordinator wants done.
#[derive(Debug)]
pub(crate) enum Effect<R> {
    /// Propose the changes; [`Coordinator::on_proposed`] hears what came of it.
    Propose { subscription: SubscriptionId, changes: Vec<GroupChange> },
    /// Tell who waits.
    Answer { reply: R, answer: Answered },
}

/// What became of a proposal.
#[derive(Clone, Debug)]
pub(crate) enum Proposed {
    /// It holds, and the state that it led to has been told.
    Held,
    /// It does not hold, or that is not known: what must happen is proposed again.
    Failed(GroupError),
}

type Reply<R> = (R, Answered);

impl<R> Coordinator<R> {
    /// Begins with the metadata as it is: every member has a whole session before it.
    pub(crate) fn new(now: Monotonic, state: &Arc<ClusterState>) -> Self {
        let mut coordinator = Self {
            clock: SessionClock::starting_at(now),
            state: Arc::default(),
            groups: BTreeMap::new(),
            due: BTreeSet::new(),
            due_of: BTreeMap::new(),
            proposals: 0,
            queued: VecDeque::new(),
            effects: VecDeque::new(),
        };
        coordinator.on_state(now, state);
        coordinator
    }

    /// The metadata is like this now.
    pub(crate) fn on_state(&mut self, now: Monotonic, state: &Arc<ClusterState>) {
        let now = self.clock.advance(now);
        self.state = Arc::clone(state);
        let gone = self.groups.keys().copied().filter(|subscription| state.group(*subscription).is_none());
        for subscription in gone.collect::<Vec<_>>() {
            self.close(subscription);
        }
        for group in state.groups() {
            let subscription = group.subscription();
            let known = self.groups.get(&subscription);
            if known.is_none() && group.members().len() == 0 {
                continue;
            }
            let timeout = session_timeout(state, subscription);
            if known.is_none_or(|sessions| sessions.differs(group, timeout)) {
                self.with(now, subscription, |sessions| sessions.observe(now, Arc::clone(group), timeout));
            }
        }
    }

    /// Somebody asks; the answer may follow later.
    pub(crate) fn on_request(&mut self, now: Monotonic, request: Request, reply: R) {
        let now = self.clock.advance(now);
        let Request { subscription, what } = request;
        if self.state.group(subscription).is_none() {
            return self.answer((reply, Err(no_group(&self.state, subscription))));
        }
        let room = self.state.member_count() < limits::MEMBERS_MAX;
        let answer = self.with(now, subscription, |sessions| match what {
            Wish::Join { consumer_id } => sessions.join(now, &consumer_id, room, reply),
            Wish::Heartbeat { consumer_id, adopted } => Some((reply, sessions.heartbeat(now, &consumer_id, adopted))),
            Wish::Live { consumer_id } => Some((reply, sessions.live(now, &consumer_id))),
            Wish::Leave { consumer_id } => sessions.leave(now, &consumer_id, reply),
            Wish::Describe => Some((reply, Ok(sessions.describe(now)))),
        });
        if let Some(answer) = answer.flatten() {
            self.answer(answer);
        }
    }

    /// What became of the proposal of a group. What the metadata holds now has to be told before.
    pub(crate) fn on_proposed(&mut self, now: Monotonic, subscription: SubscriptionId, proposed: Proposed) {
        let now = self.clock.advance(now);
        self.proposals = self.proposals.saturating_sub(1);
        let answers = self.with(now, subscription, |sessions| sessions.settle(now, proposed));
        for answer in answers.into_iter().flatten() {
            self.answer(answer);
        }
        while self.proposals < limits::GROUP_PROPOSALS_MAX {
            let Some(next) = self.queued.pop_front() else { break };
            self.propose(now, next);
        }
    }

    /// Time has passed; call it when [`Self::next_deadline`] is due, and after what has arrived was told.
    pub(crate) fn on_deadline(&mut self, now: Monotonic) {
        let now = self.clock.advance(now);
        while let Some((due, subscription)) = self.due.first().copied() {
            if due > now {
                break;
            }
            let proposal_due = self.with(now, subscription, |sessions| {
                sessions.expire(now);
                sessions.proposal_due()
            });
            if proposal_due.flatten().is_none_or(|due| due > now) {
                continue;
            }
            if self.proposals < limits::GROUP_PROPOSALS_MAX {
                self.propose(now, subscription);
            } else {
                self.queued.push_back(subscription);
                self.with(now, subscription, Sessions::queue);
            }
        }
    }

    /// When [`Self::on_deadline`] is due; `None` if nothing is pending and nobody has a session.
    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        self.due.first().map(|(due, _)| self.clock.look_at(*due))
    }

    /// The next thing to do; call until `None`.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect<R>> {
        self.effects.pop_front()
    }

    fn propose(&mut self, now: Monotonic, subscription: SubscriptionId) {
        let changes = self.with(now, subscription, |sessions| sessions.propose(now));
        if let Some(changes) = changes.flatten() {
            self.proposals += 1;
            self.effects.push_back(Effect::Propose { subscription, changes });
        }
    }

    fn answer(&mut self, (reply, answer): Reply<R>) {
        self.effects.push_back(Effect::Answer { reply, answer });
    }

    /// Does something to a group, if there is one, and notes when to look at it again.
    fn with<T>(
        &mut self,
        now: Monotonic,
        subscription: SubscriptionId,
        act: impl FnOnce(&mut Sessions<R>) -> T,
    ) -> Option<T> {
        let group = self.state.group(subscription)?;
        let sessions = self
            .groups
            .entry(subscription)
            .or_insert_with(|| Sessions::new(now, Arc::clone(group), session_timeout(&self.state, subscription)));
        let done = act(sessions);
        let due = if sessions.is_forgotten(now) { None } else { sessions.due() };
        if sessions.is_forgotten(now) {
            self.groups.remove(&subscription);
        }
        self.look_at(subscription, due);
        Some(done)
    }

    fn close(&mut self, subscription: SubscriptionId) {
        self.look_at(subscription, None);
        let error = no_group(&self.state, subscription);
        let waiting = self.groups.remove(&subscription).map(|sessions| sessions.close(&error));
        for answer in waiting.into_iter().flatten() {
            self.answer(answer);
        }
    }

    fn look_at(&mut self, subscription: SubscriptionId, due: Option<Monotonic>) {
        let former = match due {
            Some(due) => self.due_of.insert(subscription, due),
            None => self.due_of.remove(&subscription),
        };
        if let Some(former) = former {
            self.due.remove(&(former, subscription));
        }
        if let Some(due) = due {
            self.due.insert((due, subscription));
        }
    }
}

/// Why a subscription has no group.
pub(crate) fn no_group(state: &ClusterState, subscription: SubscriptionId) -> GroupError {
    if state.subscription_by_id(subscription).is_some() {
        GroupError::NotAssigned
    } else {
        GroupError::SubscriptionNotFound
    }
}

/// How long a subscription lets its consumers be silent.
pub(crate) fn session_timeout(state: &ClusterState, subscription: SubscriptionId) -> Duration {
    let config = state.subscription_by_id(subscription).map(|subscription| &subscription.config);
    Duration::from_millis(config.map_or(limits::SESSION_TIMEOUT_MS_DEFAULT, |config| config.session_timeout_ms))
}

#[cfg(test)]
mod tests;
