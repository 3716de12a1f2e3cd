//! The node with the coordinator: it may be killed and replaced, or stand still; and a second opinion on its sessions.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use shard_core::model::Monotonic;

use super::{
    events::{Event, Ticket},
    world::{Counts, Mutant, SESSION_MS, SUBSCRIPTION},
};
use crate::{
    groups::{
        coordinator::{Coordinator, Effect},
        request::{Request, Wish},
    },
    limits,
    metadata::{ClusterState, GroupChange, MemberId},
};

#[derive(Debug)]
pub(super) struct Coordination {
    /// Which coordinator it is, counting from the first.
    pub(super) number: u64,
    core: Coordinator<Ticket>,
    view: Arc<ClusterState>,
    /// What arrived while it stood still.
    paused: Option<VecDeque<Event>>,
    began_paused: u64,
    /// Milliseconds in which it ran, by what the core may count at most.
    not_counted: u64,
    /// When it last heard of members, and since when it knows what was taken from them, in time that counts.
    heard: BTreeMap<MemberId, u64>,
    revoked: BTreeMap<(MemberId, u64), u64>,
    /// Members that may be ended.
    ended: BTreeSet<MemberId>,
}

impl Coordination {
    pub(super) fn new(number: u64, now: u64, state: &Arc<ClusterState>) -> Self {
        let mut coordination = Self {
            number,
            core: Coordinator::new(monotonic(now), state),
            view: Arc::clone(state),
            paused: None,
            began_paused: 0,
            not_counted: 0,
            heard: BTreeMap::new(),
            revoked: BTreeMap::new(),
            ended: BTreeSet::new(),
        };
        coordination.observe(now);
        coordination
    }

    /// When it wakes by itself.
    pub(super) fn deadline(&self) -> Option<u64> {
        // Whole milliseconds, so that the deadline has passed by then.
        self.core.next_deadline().filter(|_| self.paused.is_none()).map(|due| due.as_micros().div_ceil(1_000))
    }

    pub(super) fn pause(&mut self, now: u64) {
        if self.paused.is_none() {
            self.paused = Some(VecDeque::new());
            self.began_paused = now;
        }
    }

    /// It goes on, and first takes what has arrived.
    pub(super) fn resume(&mut self, now: u64, mutant: Option<Mutant>) {
        let Some(arrived) = self.paused.take() else { return };
        let step = u64::try_from(limits::GROUP_CLOCK_STEP_MAX.as_millis()).unwrap();
        self.not_counted += (now - self.began_paused).saturating_sub(step);
        if mutant == Some(Mutant::CountsPauses) {
            // As if it had run, and nobody had been heard.
            (self.began_paused..now).for_each(|at| self.core.on_deadline(monotonic(at)));
        }
        for event in arrived {
            self.take(now, event);
        }
        self.core.on_deadline(monotonic(now));
    }

    /// Something arrives.
    pub(super) fn arrive(&mut self, now: u64, event: Event) {
        if let Some(waiting) = &mut self.paused {
            return waiting.push_back(event);
        }
        self.take(now, event);
        self.core.on_deadline(monotonic(now));
    }

    pub(super) fn on_deadline(&mut self, now: u64) {
        self.core.on_deadline(monotonic(now));
    }

    pub(super) fn poll(&mut self, now: u64, counts: &mut Counts) -> Option<Effect<Ticket>> {
        let effect = self.core.poll_effect()?;
        if let Effect::Propose { changes, .. } = &effect {
            for change in changes {
                if let GroupChange::Leave { member } = change {
                    self.check_ended(now, *member, counts);
                }
            }
        }
        Some(effect)
    }

    /// Time that counts, in milliseconds; it is at least what the core has counted.
    const fn counted(&self, now: u64) -> u64 {
        now - self.not_counted
    }

    fn take(&mut self, now: u64, event: Event) {
        match event {
            Event::Request { wish, ticket } => {
                self.note(now, &wish);
                self.core.on_request(monotonic(now), Request { subscription: SUBSCRIPTION, what: wish }, ticket);
            }
            Event::State { coordinator, state } if coordinator == self.number => self.learn(now, state),
            Event::Proposed { coordinator, proposed, state } if coordinator == self.number => {
                self.learn(now, state);
                self.core.on_proposed(monotonic(now), SUBSCRIPTION, proposed);
            }
            // For an earlier coordinator.
            Event::State { .. } | Event::Proposed { .. } => {}
            Event::Resume { .. }
            | Event::Answer { .. }
            | Event::Command { .. }
            | Event::OwnerState { .. }
            | Event::Use { .. }
            | Event::Tick { .. }
            | Event::Fault => panic!("that arrives elsewhere"),
        }
    }

    fn learn(&mut self, now: u64, state: Arc<ClusterState>) {
        if state.version() > self.view.version() {
            self.core.on_state(monotonic(now), &state);
            self.view = state;
            self.observe(now);
        }
    }

    fn observe(&mut self, now: u64) {
        let counted = self.counted(now);
        let group = self.view.group(SUBSCRIPTION).unwrap();
        for member in group.members() {
            self.heard.entry(member.id).or_insert(counted);
        }
        // Whoever did not let go for a whole session may go, even if it gets back what was taken from it just then.
        let clung = self.revoked.iter().filter(|(_, since)| counted - **since >= SESSION_MS);
        self.ended.extend(clung.map(|((member, _), _)| *member));
        let revoked: Vec<_> = group.revoked().collect();
        self.revoked.retain(|key, _| revoked.contains(key));
        for key in revoked {
            self.revoked.entry(key).or_insert(counted);
        }
    }

    fn note(&mut self, now: u64, wish: &Wish) {
        let (Wish::Join { consumer_id } | Wish::Heartbeat { consumer_id, .. } | Wish::Leave { consumer_id }) = wish
        else {
            return;
        };
        let group = self.view.group(SUBSCRIPTION).unwrap();
        let Some(member) = group.member(consumer_id).map(|member| member.id) else { return };
        let counted = self.counted(now);
        let too_late = self.heard.get(&member).is_some_and(|heard| counted - heard >= SESSION_MS);
        if too_late || matches!(wish, Wish::Leave { .. }) {
            self.ended.insert(member);
        } else {
            self.heard.insert(member, counted);
        }
    }

    /// A membership ends only for a reason.
    fn check_ended(&mut self, now: u64, member: MemberId, counts: &mut Counts) {
        if self.ended.contains(&member) {
            return;
        }
        let counted = self.counted(now);
        let silent = self.heard.get(&member).is_none_or(|heard| counted - heard >= SESSION_MS);
        let clings = self.revoked.iter().any(|((of, _), since)| *of == member && counted - since >= SESSION_MS);
        counts.expired += u64::from(silent);
        counts.expelled += u64::from(clings && !silent);
        assert!(silent || clings, "the membership of {member} ends for no reason at {now} ms");
        self.ended.insert(member);
    }
}

fn monotonic(millis: u64) -> Monotonic {
    Monotonic::from_micros(millis * 1_000)
}
