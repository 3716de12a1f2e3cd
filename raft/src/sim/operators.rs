//! Clients that change and read the metadata through any node, and how a node brings a change to the leader and answers.

use std::collections::BTreeMap;

use shard_core::model::{Timestamp, TopicName};

use super::{
    events::{Event, Message, Waiter},
    history::{Answer, ChangeId, Judged},
    mutant::Mutant,
    world::World,
};
use crate::metadata::{Command, PrincipalConfig, PrincipalLimits, PrincipalName, TopicConfig};

pub(super) const OPERATORS: usize = 3;
/// So many names there are of each kind: few, so that changes meet.
const NAMES: u64 = 3;
/// After so long a client does something else.
const PATIENCE_MS: u64 = 3_000;
/// For so long a node looks for a leader that takes a change.
const LEADER_WAIT_MS: u64 = 1_000;
/// How long it waits before it looks again.
const LOOK_MS: u64 = 50;
/// For so long it waits for the answer of a leader.
const WRITE_WAIT_MS: u64 = 1_200;

/// A client: what it waits for, and until when.
#[derive(Debug, Default)]
pub(super) struct Operator {
    waits: Option<(ChangeId, u64)>,
}

/// Changes on their way through one node.
pub(super) type Proposals = BTreeMap<ChangeId, Proposal>;

/// A change on its way.
#[derive(Debug)]
pub(super) struct Proposal {
    command: Command,
    operator: usize,
    /// Until when it is brought to somebody.
    leader_until: u64,
    /// Until when the leader that it was brought to may answer.
    silent_until: Option<u64>,
    /// What was answered, and the version that has it.
    known: Option<(u64, Judged)>,
}

/// What a leader says of a change.
#[derive(Clone, Debug)]
pub(super) enum Written {
    /// The log has it, in this version.
    Judged(u64, Judged),
    /// It was not taken.
    NotTaken,
    /// It was taken, and may hold.
    MayHold,
}

impl World {
    pub(super) fn operate(&mut self, index: usize) {
        self.queue.put(self.now + 50 + self.random.below(150), Event::Operate { operator: index });
        if let Some((change, until)) = self.operators[index].waits {
            if until > self.now {
                return;
            }
            self.tell_operator(index, change, Answer::Unknown);
        }
        let Some(gateway) = self.gateway().filter(|gateway| self.is_in(*gateway)) else { return };
        let node = self.nodes[gateway].id;
        if self.random.once_in(2) {
            self.counts.reads += 1;
            return self.history.read(node, self.nodes[gateway].state.version());
        }
        if self.is_ending() {
            return;
        }
        let change = self.history.asked(node);
        let command = self.wish_for(gateway, change);
        self.operators[index].waits = Some((change, self.now + PATIENCE_MS));
        let leader_until = self.now + LEADER_WAIT_MS;
        let proposal = Proposal { command, operator: index, leader_until, silent_until: None, known: None };
        self.nodes[gateway].proposals.insert(change, proposal);
        self.bring(gateway, change);
    }

    /// Whether a run of a node has come so far that it serves clients: it knows that it is in, and so all before.
    fn is_in(&self, place: usize) -> bool {
        let node = &self.nodes[place];
        self.mutant == Some(Mutant::ShowsItsSnapshot)
            || node.epoch.is_some_and(|epoch| epoch > 0 && node.state.version() >= epoch)
    }

    /// No two wishes to have something are the same.
    fn wish_for(&mut self, gateway: usize, change: ChangeId) -> Command {
        let (number, at) = (u64::try_from(change).unwrap(), Timestamp::from_millis(i64::try_from(change).unwrap()));
        let which = self.random.below(NAMES);
        let name = PrincipalName::new(&format!("p{which}")).unwrap();
        let topic = TopicName::new(&format!("spare-{which}")).unwrap();
        let seen = self.nodes[gateway].state.access().principal(name.as_str()).map(|principal| principal.revision);
        let limits = PrincipalLimits { topics: Some(number), ..PrincipalLimits::default() };
        let config = PrincipalConfig { limits, ..PrincipalConfig::default() };
        // The topic that has the messages comes first, and partitions are to lie still in the end.
        let with_topics = !self.healing && self.nodes[gateway].state.topics().len() > 0;
        match self.random.below(if with_topics { 7 } else { 4 }) {
            0 => Command::PutPrincipal { name, config, expected_revision: seen, at },
            1..=2 => Command::PutPrincipal { name, config, expected_revision: None, at },
            3 => Command::DeletePrincipal { name, expected_revision: None },
            4..=5 => Command::CreateTopic { name: topic, config: TopicConfig::default(), created_at: at },
            _ => Command::DeleteTopic { name: topic, expected_revision: None },
        }
    }

    /// Brings a change to whoever leads, as far as the node knows.
    pub(super) fn bring(&mut self, place: usize, change: ChangeId) {
        let leader = if self.nodes[place].leads.is_some() { Some(place) } else { self.log.leader };
        let boot = self.nodes[place].boot;
        let Some(proposal) = self.nodes[place].proposals.get_mut(&change) else { return };
        // A node that is not reached has not taken it.
        let Some(leader) = leader.filter(|leader| *leader == place || !self.cuts.contains(&(place, *leader))) else {
            return self.written(place, change, Written::NotTaken);
        };
        proposal.silent_until = Some(self.now + WRITE_WAIT_MS);
        let command = Box::new(proposal.command.clone());
        self.send_once(place, leader, Message::Write { change, command, by: place, boot });
    }

    /// A leader is asked for a change.
    pub(super) fn write(&mut self, place: usize, (change, command): (ChangeId, Box<Command>), by: usize, boot: u64) {
        if self.nodes[place].acts(self.now).is_none() {
            return self.send_once(place, by, Message::Written { change, boot, written: Written::NotTaken });
        }
        if self.mutant == Some(Mutant::AnswersBeforeCommit) {
            let mut state = crate::metadata::ClusterState::clone(&self.nodes[place].state);
            let written = Written::Judged(state.version(), state.apply(Command::clone(&command)));
            self.send_once(place, by, Message::Written { change, boot, written });
        }
        self.propose(place, vec![*command], Waiter::Client { leader: place, place: by, boot, change });
    }

    /// A node hears what became of a change.
    pub(super) fn written(&mut self, place: usize, change: ChangeId, written: Written) {
        let node = &mut self.nodes[place];
        let Some(proposal) = node.proposals.get_mut(&change).filter(|proposal| proposal.known.is_none()) else {
            return;
        };
        proposal.silent_until = None;
        match written {
            Written::Judged(version, judged) => {
                let at_once = self.mutant == Some(Mutant::AnswersBeforeItKnows);
                proposal.known = Some((if at_once { 0 } else { version }, judged));
                self.answer_known(place);
            }
            Written::NotTaken if proposal.leader_until <= self.now => self.finish(place, change, Answer::Nowhere),
            Written::NotTaken => {
                let boot = node.boot;
                self.counts.asked_again += 1;
                self.queue.put(self.now + LOOK_MS, Event::Bring { place, boot, change });
            }
            Written::MayHold => self.finish(place, change, Answer::Unknown),
        }
    }

    /// A node answers the changes that it knows itself by now.
    pub(super) fn answer_known(&mut self, place: usize) {
        let node = &self.nodes[place];
        let version = node.state.version();
        let known = |proposal: &Proposal| match &proposal.known {
            Some((needed, judged)) if *needed <= version => Some(Answer::Judged(judged.clone())),
            Some(_) | None => None,
        };
        let answers = node.proposals.iter().filter_map(|(change, proposal)| Some((*change, known(proposal)?)));
        for (change, answer) in answers.collect::<Vec<_>>() {
            self.finish(place, change, answer);
        }
    }

    /// A node waits no longer for leaders that say nothing.
    pub(super) fn give_up_waiting(&mut self, place: usize) {
        let now = self.now;
        let is_silent = |proposal: &Proposal| proposal.silent_until.is_some_and(|until| until <= now);
        let proposals = &self.nodes[place].proposals;
        let silent = proposals.iter().filter(|(_, proposal)| is_silent(proposal)).map(|(change, _)| *change);
        for change in silent.collect::<Vec<_>>() {
            if self.mutant == Some(Mutant::AsksAgainAfterSilence) {
                self.bring(place, change);
            } else {
                self.finish(place, change, Answer::Unknown);
            }
        }
    }

    fn finish(&mut self, place: usize, change: ChangeId, answer: Answer) {
        if let Some(proposal) = self.nodes[place].proposals.remove(&change) {
            self.tell_operator(proposal.operator, change, answer);
        }
    }

    /// A client hears an answer, if it waits for it still.
    fn tell_operator(&mut self, index: usize, change: ChangeId, answer: Answer) {
        if self.operators[index].waits.take_if(|(waits, _)| *waits == change).is_none() {
            return;
        }
        let count = match &answer {
            Answer::Judged(Ok(_)) => &mut self.counts.changes_done,
            Answer::Judged(Err(_)) => &mut self.counts.changes_refused,
            Answer::Nowhere => &mut self.counts.changes_nowhere,
            Answer::Unknown => &mut self.counts.changes_unknown,
        };
        *count += 1;
        if self.healing && matches!(answer, Answer::Judged(_)) {
            self.changes_healed += 1;
        }
        self.history.answered(change, answer);
    }
}
