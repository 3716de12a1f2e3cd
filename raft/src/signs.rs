//! Signs of life: this node's to every voter, and what it learns from their answers.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::{
    controlling::ControllerPort,
    leader::quorum_follows,
    limits,
    membership::other_voters,
    metadata::{ClusterState, NodeId},
    peers::{Heartbeat, Peers, Question, Reply, Sign},
    type_config::Raft,
};

/// When this node last surely was part of the cluster that decides, and knew what that had decided. Clones share it.
///
/// It is counted from when a question was asked, not from when it was answered: whoever decides that this node is silent
/// has heard it no earlier.
#[derive(Clone, Debug)]
pub struct Contact {
    started: Instant,
    /// Milliseconds after the start; 0 is never.
    last: Arc<AtomicU64>,
    /// The version of the metadata that this node knew then.
    version: Arc<AtomicU64>,
}

/// The task that gives the signs.
pub(crate) struct Signs {
    pub(crate) raft: Raft,
    pub(crate) peers: Peers,
    pub(crate) node: NodeId,
    /// Which run of the node this is, once the cluster has said.
    pub(crate) epoch: Arc<AtomicU64>,
    pub(crate) applied: watch::Receiver<Arc<ClusterState>>,
    pub(crate) controller: ControllerPort,
    pub(crate) contact: Contact,
    /// Whether this run has had an epoch.
    pub(crate) was_let_in: AtomicBool,
    /// Set once another node has said that the cluster has removed this one.
    pub(crate) removed: watch::Sender<bool>,
}

/// What one voter answered, to a sign that was given at a time after the start.
#[derive(Clone, Copy, Debug)]
struct Answer {
    asked: Duration,
    follows: bool,
    removed: bool,
    /// When the leader's word counts from, if it is the leader that answered, and this node knows all that it knew.
    contact: Option<Duration>,
}

/// The signs of one time, and how many voters take this node for the leader by their answers.
#[derive(Clone, Copy, Debug)]
struct Round {
    asked: Duration,
    voters: usize,
    followers: usize,
}

/// The rounds whose answers may still come.
#[derive(Debug, Default)]
struct Rounds(VecDeque<Round>);

impl Contact {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), last: Arc::default(), version: Arc::default() }
    }

    /// How long ago this node was part of the cluster that decides: it led a majority, or a leader that did answered.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.now().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }

    /// The version of the metadata that this node knew when it last was: all that the cluster had decided by then. Whoever
    /// was silent before must not go on with what it had before all of it is in effect here.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn renew(&self, at: Duration, version: u64) {
        self.version.fetch_max(version, Ordering::SeqCst);
        self.last.fetch_max(u64::try_from(at.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Signs {
    /// Runs until the node stops.
    pub(crate) async fn run(self, mut stopping: watch::Receiver<bool>) {
        let mut ticks = interval(limits::SIGN_LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answers: JoinSet<Option<Answer>> = JoinSet::new();
        let (mut rounds, mut given) = (Rounds::default(), None);
        loop {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                Some(answer) = answers.join_next() => {
                    if let Ok(Some(answer)) = answer {
                        self.take(answer, &mut rounds);
                    }
                }
                now = ticks.tick() => {
                    if given.is_none_or(|given| is_due(now - given, self.contact.silence())) {
                        given = Some(now);
                        self.give(&mut answers, &mut rounds);
                    }
                }
            }
        }
    }

    /// The epoch of this run; `None` before it is let in, and when it leaves. A request to be let in that was given up may be
    /// granted after the one that was answered: nobody listens to the epoch of that one any more, and both are of this run.
    fn current_epoch(&self, state: &ClusterState) -> Option<u64> {
        let known = self.epoch.load(Ordering::SeqCst);
        let granted = state.node(self.node).map_or(0, |node| node.epoch);
        if known == 0 || granted <= known {
            return Some(known).filter(|known| *known > 0);
        }
        // Unless it leaves at this moment.
        let adopted = self.epoch.compare_exchange(known, granted, Ordering::SeqCst, Ordering::SeqCst);
        adopted.ok().map(|_| granted)
    }

    fn is_leaving(&self) -> bool {
        self.was_let_in.load(Ordering::Relaxed)
    }

    /// Tells every voter; a sign that was not answered until the next but one is given up.
    fn give(&self, answers: &mut JoinSet<Option<Answer>>, rounds: &mut Rounds) {
        let state = Arc::clone(&self.applied.borrow());
        // A leader that leaves asks on who follows it: until another leads, the others go by its word. Of epoch 0 there is no
        // node: these are no signs of life.
        let Some(epoch) = self.current_epoch(&state).or_else(|| self.is_leaving().then_some(0)) else { return };
        self.was_let_in.store(true, Ordering::Relaxed);
        let version = state.version();
        let heartbeat = Heartbeat { node: self.node, epoch, version };
        self.controller.heard(heartbeat);
        let asked = self.contact.now();
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let voters = metrics.membership_config.voter_ids().count();
        if quorum_follows(&metrics) && rounds.begin(asked, voters) {
            self.contact.renew(asked, self.applied.borrow().version());
        }
        for (voter, address) in other_voters(&metrics) {
            let peers = self.peers.clone();
            let peer = peers.locate(NodeId::new(voter), &address);
            let applied = self.applied.clone();
            answers.spawn(async move {
                let wait = 2 * limits::SIGN_INTERVAL;
                let Ok(Reply::Heartbeat(sign)) = peers.ask(peer, &Question::Heartbeat(heartbeat), wait).await else {
                    return None;
                };
                let contact = timeout(wait, counts_from(asked, sign, applied)).await.ok().flatten();
                Some(Answer { asked, follows: sign.follows, removed: sign.removed, contact })
            });
        }
    }

    fn take(&self, answer: Answer, rounds: &mut Rounds) {
        if answer.removed {
            self.removed.send_replace(true);
        }
        if let Some(contact) = answer.contact {
            self.contact.renew(contact, self.applied.borrow().version());
        }
        // Its own metrics may be from before the process stood still: what the others say now is not.
        if answer.follows && rounds.follow(answer.asked) && quorum_follows(&self.raft.metrics().borrow()) {
            self.contact.renew(answer.asked, self.applied.borrow().version());
        }
    }
}

/// Whether signs are given again, so long after the last ones. Who has not heard of a leader for a while asks more often: one
/// that was just elected should be known before this node has to stop serving.
fn is_due(since_last: Duration, silence: Duration) -> bool {
    since_last >= limits::SIGN_INTERVAL || (limits::SIGN_URGENT_AFTER..limits::SIGN_URGENT_UNTIL).contains(&silence)
}

/// From when on a leader's word counts, once this node knows all that the leader knew when it answered.
async fn counts_from(asked: Duration, sign: Sign, mut applied: watch::Receiver<Arc<ClusterState>>) -> Option<Duration> {
    if !sign.leads {
        return None;
    }
    applied.wait_for(|state| state.version() >= sign.version).await.ok()?;
    asked.checked_sub(Duration::from_millis(sign.silence_ms))
}

impl Rounds {
    /// Signs are given by a node that seems to lead; whether no other voter's word is needed.
    fn begin(&mut self, asked: Duration, voters: usize) -> bool {
        self.0.push_back(Round { asked, voters, followers: 1 });
        if self.0.len() > limits::SIGN_ROUNDS_MAX {
            self.0.pop_front();
        }
        voters <= 1
    }

    /// A voter follows; whether a majority does by now.
    fn follow(&mut self, asked: Duration) -> bool {
        let round = self.0.iter_mut().find(|round| round.asked == asked);
        round.is_some_and(|round| {
            round.followers += 1;
            round.followers * 2 > round.voters
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_leader_needs_the_word_of_a_majority() {
        let mut rounds = Rounds::default();
        assert!(rounds.begin(at(1), 1), "alone it is a majority");
        for (voters, others) in [(2, 1), (3, 1), (4, 2), (5, 2)] {
            let asked = at(voters);
            assert!(!rounds.begin(asked, usize::try_from(voters).unwrap()));
            for _ in 1..others {
                assert!(!rounds.follow(asked));
            }
            assert!(rounds.follow(asked), "{voters}");
        }
    }

    #[test]
    fn answers_to_signs_of_different_times_are_not_added_up() {
        let mut rounds = Rounds::default();
        rounds.begin(at(1), 5);
        rounds.begin(at(2), 5);
        assert!(!rounds.follow(at(1)) && !rounds.follow(at(2)));
        assert!(rounds.follow(at(1)));
        for round in 3..100 {
            rounds.begin(at(round), 5);
        }
        assert!(!rounds.follow(at(2)), "it is forgotten");
    }

    #[test]
    fn who_misses_the_leader_asks_more_often_for_a_while() {
        for (since_last, silence, due) in [
            (50, 100, false),
            (250, 100, true),
            (50, 699, false),
            (50, 700, true),
            (50, 4_999, true),
            (50, 5_000, false),
        ] {
            assert_eq!(is_due(at(since_last), at(silence)), due, "{since_last} {silence}");
        }
        assert!(is_due(at(250), at(60_000)), "and never stops asking");
    }

    #[tokio::test(start_paused = true)]
    async fn a_leaders_word_counts_from_when_it_led_and_once_all_it_knew_is_known() {
        let (_applying, applied) = watch::channel(Arc::new(ClusterState::default()));
        let known = applied.borrow().version();
        let sign = Sign { leads: true, follows: false, silence_ms: 40, version: known, removed: false };
        let counts = |sign| timeout(at(100), counts_from(at(100), sign, applied.clone()));
        assert_eq!(counts(sign).await, Ok(Some(at(60))));
        assert_eq!(counts(Sign { leads: false, ..sign }).await, Ok(None));
        assert_eq!(counts(Sign { silence_ms: u64::MAX, ..sign }).await, Ok(None));
        assert!(counts(Sign { version: known + 1, ..sign }).await.is_err(), "it waits");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_never_shortened_by_an_older_word() {
        let contact = Contact::new();
        tokio::time::advance(at(500)).await;
        assert_eq!(contact.silence(), at(500));
        contact.renew(at(400), 7);
        contact.renew(at(300), 5);
        assert_eq!((contact.silence(), contact.version()), (at(100), 7));
    }
}
