//! The sessions of one group's members, and what of them has to go into the metadata.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use shard_core::model::Monotonic;

use super::{
    Proposed, Reply,
    pace::Pace,
    waiting::{Joining, Waiting, wait_too},
};
use crate::{
    groups::{
        GroupError, MemberScope, MemberStatus, Membership,
        request::{Answer, Answered},
    },
    limits,
    metadata::{Group, GroupChange, Member, MemberId},
};

/// One group as its coordinator sees it. Times are those that count for sessions.
#[derive(Debug)]
pub(super) struct Sessions<R> {
    group: Arc<Group>,
    timeout: Duration,
    /// When each member was last heard of.
    heard: BTreeMap<MemberId, Monotonic>,
    /// The generation that each member was answered last.
    answered: BTreeMap<MemberId, u64>,
    /// What was taken from members that have not let go of it, by the generation in which it was taken: since when.
    revoked: BTreeMap<(MemberId, u64), Monotonic>,
    pending: Waiting<R>,
    /// Since when something is pending.
    pending_since: Monotonic,
    proposed: Option<Waiting<R>>,
    /// Whether it waits for its turn to propose.
    queued: bool,
    pace: Pace,
    /// No session and no time to let go ends before.
    check_at: Option<Monotonic>,
}

impl<R> Sessions<R> {
    pub(super) fn new(now: Monotonic, group: Arc<Group>, timeout: Duration) -> Self {
        let mut sessions = Self {
            group: Arc::clone(&group),
            timeout,
            heard: BTreeMap::new(),
            answered: BTreeMap::new(),
            revoked: BTreeMap::new(),
            pending: Waiting::default(),
            pending_since: Monotonic::default(),
            proposed: None,
            queued: false,
            pace: Pace::default(),
            check_at: None,
        };
        sessions.observe(now, group, timeout);
        sessions
    }

    /// The metadata says this of the group. Members that were not known have a whole session before them: after a restart
    /// nobody knows when they were last heard of.
    pub(super) fn observe(&mut self, now: Monotonic, group: Arc<Group>, timeout: Duration) {
        let heard = group.members().map(|member| (member.id, self.heard.get(&member.id).copied().unwrap_or(now)));
        self.heard = heard.collect();
        self.answered.retain(|member, _| group.member_by_id(*member).is_some());
        let revoked = group.revoked().map(|key| (key, self.revoked.get(&key).copied().unwrap_or(now)));
        self.revoked = revoked.collect();
        self.pending.leaves.retain(|member, replies| !replies.is_empty() || group.member_by_id(*member).is_some());
        self.group = group;
        self.timeout = timeout;
        self.look_again();
    }

    /// Whether the metadata holds something else than what was last observed.
    pub(super) fn differs(&self, group: &Arc<Group>, timeout: Duration) -> bool {
        !Arc::ptr_eq(&self.group, group) || self.timeout != timeout
    }

    pub(super) fn join(&mut self, now: Monotonic, consumer_id: &Arc<str>, room: bool, reply: R) -> Option<Reply<R>> {
        if let Some(member) = self.living(consumer_id).map(|member| member.id) {
            // What was taken from it is let go by what it says next: only then it is sure that it has this answer.
            return Some((reply, self.hear(now, member, 0)));
        }
        let proposed = self.proposed.as_mut().and_then(|proposed| proposed.joining(consumer_id));
        if let Some(joining) = proposed.or_else(|| self.pending.joining(consumer_id)) {
            return refused(wait_too(&mut joining.replies, reply));
        }
        let leaving = |waiting: &Waiting<R>| waiting.leaves.len();
        let coming = self.pending.joins.len() + self.proposed.as_ref().map_or(0, |proposed| proposed.joins.len());
        let going = leaving(&self.pending) + self.proposed.as_ref().map_or(0, leaving);
        if self.group.members().len() + coming >= limits::MEMBERS_PER_GROUP_MAX.saturating_add(going) {
            return Some((reply, Err(too_many(MemberScope::Subscription))));
        }
        if !room {
            return Some((reply, Err(too_many(MemberScope::Cluster))));
        }
        self.note_pending(now);
        self.pending.joins.push_back(Joining { consumer_id: Arc::clone(consumer_id), replies: vec![reply] });
        None
    }

    pub(super) fn heartbeat(&mut self, now: Monotonic, consumer_id: &str, adopted: u64) -> Answered {
        let member = self.living(consumer_id).map(|member| member.id).ok_or(GroupError::UnknownConsumer)?;
        self.hear(now, member, adopted)
    }

    /// A sign of life of a member that does not say what it has taken note of: it is what it was answered last.
    pub(super) fn live(&mut self, now: Monotonic, consumer_id: &str) -> Answered {
        let member = self.living(consumer_id).map(|member| member.id).ok_or(GroupError::UnknownConsumer)?;
        let adopted = self.answered.get(&member).copied().unwrap_or_default();
        self.hear(now, member, adopted)
    }

    pub(super) fn leave(&mut self, now: Monotonic, consumer_id: &str, reply: R) -> Option<Reply<R>> {
        let Some(member) = self.group.member(consumer_id).map(|member| member.id) else {
            return Some((reply, Err(GroupError::UnknownConsumer)));
        };
        let proposed = self.proposed.as_mut().and_then(|proposed| proposed.leaves.get_mut(&member));
        if let Some(replies) = proposed.or_else(|| self.pending.leaves.get_mut(&member)) {
            return refused(wait_too(replies, reply));
        }
        self.end(now, member).push(reply);
        None
    }

    pub(super) fn describe(&self, now: Monotonic) -> Answer {
        let describe = |member: &Member| MemberStatus {
            consumer_id: member.consumer_id.to_string(),
            member: member.id,
            partitions: self.group.partitions_of(member.id).collect(),
            silent_for: self.heard.get(&member.id).map_or(Duration::ZERO, |heard| now.since(*heard)),
        };
        Answer::Described(self.group.members().map(describe).collect())
    }

    /// Ends the sessions of who was silent, or did not let go of what was taken from it, for a whole session.
    pub(super) fn expire(&mut self, now: Monotonic) {
        if self.check_at.is_none_or(|check_at| check_at > now) {
            return;
        }
        let over = self.counting().filter(|(_, since)| since.plus(self.timeout) <= now);
        let over: Vec<MemberId> = over.map(|(member, _)| member).collect();
        for member in over {
            self.end(now, member);
        }
        self.look_again();
    }

    /// What is to be proposed now, if anything.
    pub(super) fn propose(&mut self, now: Monotonic) -> Option<Vec<GroupChange>> {
        self.queued = false;
        let revoked = &self.revoked;
        let matters =
            |member: MemberId, generation: u64| revoked.range((member, 0)..=(member, generation)).next().is_some();
        self.pending.adoptions.retain(|member, generation| matters(*member, *generation));
        if self.pending.is_empty() {
            return None;
        }
        let batch = self.pending.take_batch();
        let changes = batch.changes();
        self.proposed = Some(batch);
        self.pace.note(now);
        Some(changes)
    }

    /// Its turn to propose comes later.
    pub(super) const fn queue(&mut self) {
        self.queued = true;
    }

    /// What became of the proposal; what the metadata holds now has been observed.
    pub(super) fn settle(&mut self, now: Monotonic, proposed: Proposed) -> Vec<Reply<R>> {
        let Some(mut batch) = self.proposed.take() else { return Vec::new() };
        let error = match proposed {
            Proposed::Held => return self.settled(batch),
            Proposed::Failed(error) => error,
        };
        let replies = batch.take_replies().into_iter().map(|reply| (reply, Err(error.clone()))).collect();
        if !batch.is_empty() {
            self.note_pending(now);
            self.pending.take_back(batch);
        }
        replies
    }

    /// Everyone who waits hears why in vain: the group is gone.
    pub(super) fn close(mut self, error: &GroupError) -> Vec<Reply<R>> {
        let proposed = self.proposed.iter_mut().flat_map(Waiting::take_replies);
        let replies: Vec<R> = proposed.collect();
        replies.into_iter().chain(self.pending.take_replies()).map(|reply| (reply, Err(error.clone()))).collect()
    }

    /// When something is to be proposed; not while a proposal is on its way or has its turn to come.
    pub(super) fn proposal_due(&self) -> Option<Monotonic> {
        let waits = self.proposed.is_none() && !self.queued && !self.pending.is_empty();
        waits.then(|| self.pace.due(self.pending_since))
    }

    /// When it is to be looked at: something is to be proposed, a session may end, or nothing is left to remember.
    pub(super) fn due(&self) -> Option<Monotonic> {
        let forgotten = self.is_empty().then(|| self.pace.settled_at());
        [self.proposal_due(), self.check_at, forgotten].into_iter().flatten().min()
    }

    /// Whether there is nothing to remember, not even how often it has changed.
    pub(super) fn is_forgotten(&self, now: Monotonic) -> bool {
        self.is_empty() && self.pace.settled_at() <= now
    }

    fn is_empty(&self) -> bool {
        self.heard.is_empty() && self.pending.is_empty() && self.proposed.is_none()
    }

    fn settled(&self, batch: Waiting<R>) -> Vec<Reply<R>> {
        let scope = if self.group.members().len() >= limits::MEMBERS_PER_GROUP_MAX {
            MemberScope::Subscription
        } else {
            MemberScope::Cluster
        };
        let mut answers = Vec::new();
        for joining in batch.joins {
            let member = self.group.member(&joining.consumer_id);
            let answer = member.map(|member| self.membership(member)).ok_or_else(|| too_many(scope));
            answers.extend(joining.replies.into_iter().map(|reply| (reply, answer.clone().map(Answer::Member))));
        }
        let left = batch.leaves.into_values().flatten();
        answers.extend(left.map(|reply| (reply, Ok(Answer::Left))));
        answers
    }

    /// A sign of life, with what the member has taken note of.
    fn hear(&mut self, now: Monotonic, member: MemberId, adopted: u64) -> Answered {
        self.heard.insert(member, now);
        let lets_go = self.revoked.range((member, 0)..=(member, adopted)).next().is_some();
        if lets_go && adopted <= self.group.generation() {
            self.note_pending(now);
            let known = self.pending.adoptions.entry(member).or_insert(adopted);
            *known = adopted.max(*known);
        }
        self.answered.insert(member, self.group.generation());
        let member = self.group.member_by_id(member).ok_or(GroupError::UnknownConsumer)?;
        Ok(Answer::Member(self.membership(member)))
    }

    fn membership(&self, member: &Member) -> Membership {
        Membership::of(&self.group, member, self.timeout)
    }

    /// The member that a consumer is, unless its time is over.
    fn living(&self, consumer_id: &str) -> Option<&Member> {
        self.group.member(consumer_id).filter(|member| !self.is_leaving(member.id))
    }

    fn is_leaving(&self, member: MemberId) -> bool {
        let leaves = |waiting: &Waiting<R>| waiting.leaves.contains_key(&member);
        leaves(&self.pending) || self.proposed.as_ref().is_some_and(leaves)
    }

    fn end(&mut self, now: Monotonic, member: MemberId) -> &mut Vec<R> {
        self.note_pending(now);
        self.pending.leaves.entry(member).or_default()
    }

    fn note_pending(&mut self, now: Monotonic) {
        if self.pending.is_empty() {
            self.pending_since = now;
        }
    }

    fn look_again(&mut self) {
        self.check_at = self.counting().map(|(_, since)| since).min().map(|oldest| oldest.plus(self.timeout));
    }

    /// What ends a membership when it has lasted for a whole session: silence, and not letting go.
    fn counting(&self) -> impl Iterator<Item = (MemberId, Monotonic)> {
        let silent = self.heard.iter().map(|(member, heard)| (*member, *heard));
        let clinging = self.revoked.iter().filter(|((member, generation), _)| !self.lets_go(*member, *generation));
        let clinging = clinging.map(|((member, _), since)| (*member, *since));
        silent.chain(clinging).filter(|(member, _)| !self.is_leaving(*member))
    }

    /// Whether it is on its way to the metadata that a member has taken note of a generation.
    fn lets_go(&self, member: MemberId, generation: u64) -> bool {
        let adopted =
            |waiting: &Waiting<R>| waiting.adoptions.get(&member).is_some_and(|adopted| *adopted >= generation);
        adopted(&self.pending) || self.proposed.as_ref().is_some_and(adopted)
    }
}

fn refused<R>(waits: Result<(), (R, GroupError)>) -> Option<Reply<R>> {
    waits.err().map(|(reply, error)| (reply, Err(error)))
}

const fn too_many(scope: MemberScope) -> GroupError {
    let limit = match scope {
        MemberScope::Subscription => limits::MEMBERS_PER_GROUP_MAX,
        MemberScope::Cluster => limits::MEMBERS_MAX,
    };
    GroupError::TooManyMembers { scope, limit }
}
