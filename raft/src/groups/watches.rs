//! Who waits for a newer generation of a group. They are told from this node's own metadata.

use std::{collections::BTreeMap, sync::Arc};

use shard_core::model::SubscriptionId;

use super::{
    GroupError, Membership,
    coordinator::{no_group, session_timeout},
    driver::Watch,
};
use crate::{
    limits,
    metadata::{ClusterState, Group},
};

/// The watches of all groups.
#[derive(Debug, Default)]
pub(super) struct Watches {
    groups: BTreeMap<SubscriptionId, GroupWatches>,
}

/// The watches of one group, and how the group was when they were last looked at.
#[derive(Debug)]
struct GroupWatches {
    seen: Arc<Group>,
    watches: Vec<Watch>,
    /// With so many watches, those whose future was dropped are looked for.
    purge_at: usize,
}

impl Watches {
    /// Answers a watch, or keeps it until there is something to answer.
    pub(super) fn add(&mut self, state: &ClusterState, watch: Watch) {
        if let Some(news) = news(state, &watch) {
            return tell(watch, news);
        }
        let Some(group) = state.group(watch.subscription) else { return };
        let entry = self.groups.entry(watch.subscription).or_insert_with(|| GroupWatches {
            seen: Arc::clone(group),
            watches: Vec::new(),
            purge_at: PURGE_AT_MIN,
        });
        if entry.watches.len() >= entry.purge_at {
            entry.watches.retain(|watch| !watch.reply.is_closed());
            entry.purge_at = PURGE_AT_MIN.max(2 * entry.watches.len()).min(limits::GROUP_WATCHES_MAX);
        }
        if entry.watches.len() >= limits::GROUP_WATCHES_MAX {
            return tell(watch, Err(GroupError::Overloaded));
        }
        entry.watches.push(watch);
    }

    /// Answers the watches that a new state has news for.
    pub(super) fn on_state(&mut self, state: &ClusterState) {
        self.groups.retain(|subscription, watched| {
            let group = state.group(*subscription);
            if group.is_some_and(|group| Arc::ptr_eq(group, &watched.seen)) {
                return true;
            }
            for watch in std::mem::take(&mut watched.watches) {
                match news(state, &watch) {
                    Some(news) => tell(watch, news),
                    None if watch.reply.is_closed() => {}
                    None => watched.watches.push(watch),
                }
            }
            if let Some(group) = group {
                watched.seen = Arc::clone(group);
            }
            !watched.watches.is_empty()
        });
    }
}

/// From so many watches of a group on, those that nobody waits for any more are looked for.
const PURGE_AT_MIN: usize = 16;

/// What there is to tell, if anything.
fn news(state: &ClusterState, watch: &Watch) -> Option<Result<Membership, GroupError>> {
    let Some(group) = state.group(watch.subscription) else {
        return Some(Err(no_group(state, watch.subscription)));
    };
    let Some(member) = group.member(&watch.consumer_id) else { return Some(Err(GroupError::UnknownConsumer)) };
    let timeout = session_timeout(state, watch.subscription);
    (group.generation() > watch.known).then(|| Ok(Membership::of(group, member, timeout)))
}

fn tell(watch: Watch, news: Result<Membership, GroupError>) {
    // Whoever went away wants no news.
    drop(watch.reply.send(news));
}

#[cfg(test)]
mod tests {
    use shard_core::model::{SubscriptionName, Timestamp, TopicName};
    use tokio::sync::oneshot::{self, Receiver};

    use super::*;
    use crate::metadata::{Command, Consumption, GroupChange, NodeId, SubscriptionConfig, TopicConfig};

    const SUBSCRIPTION: SubscriptionId = SubscriptionId::new(1);

    fn state_with_one_member() -> ClusterState {
        let mut state = ClusterState::default();
        let (topic, created_at) = (TopicName::new("orders").unwrap(), Timestamp::default());
        let config = SubscriptionConfig { consumption: Consumption::Assigned, ..SubscriptionConfig::default() };
        for command in [
            Command::RegisterNode { node: NodeId::new(1), address: "localhost:1".to_owned() },
            Command::CreateTopic { name: topic.clone(), config: TopicConfig::default(), created_at },
            Command::CreateSubscription { name: SubscriptionName::new("s").unwrap(), topic, config, created_at },
            join("a"),
        ] {
            state.apply(command).unwrap();
        }
        state
    }

    fn join(consumer_id: &str) -> Command {
        let changes = vec![GroupChange::Join { consumer_id: consumer_id.to_owned() }];
        Command::ChangeGroup { subscription: SUBSCRIPTION, changes, at: Timestamp::default() }
    }

    fn watch(watches: &mut Watches, state: &ClusterState, known: u64) -> Receiver<Result<Membership, GroupError>> {
        let (reply, news) = oneshot::channel();
        watches.add(state, Watch { subscription: SUBSCRIPTION, consumer_id: "a".into(), known, reply });
        news
    }

    #[test]
    fn a_watch_is_answered_once_there_is_a_newer_generation() {
        let (mut watches, mut state) = (Watches::default(), state_with_one_member());
        assert_eq!(watch(&mut watches, &state, 0).try_recv().unwrap().unwrap().generation, 1);
        let mut news = watch(&mut watches, &state, 1);
        watches.on_state(&state);
        assert!(news.try_recv().is_err(), "there is nothing new");
        state.apply(join("b")).unwrap();
        watches.on_state(&state);
        assert_eq!(news.try_recv().unwrap().unwrap().generation, 2);
        assert!(watches.groups.is_empty());
    }

    #[test]
    fn watches_that_nobody_waits_for_make_room_and_the_others_are_bounded() {
        let (mut watches, state) = (Watches::default(), state_with_one_member());
        for _ in 0..limits::GROUP_WATCHES_MAX * 3 {
            drop(watch(&mut watches, &state, 1));
        }
        assert!(watches.groups[&SUBSCRIPTION].watches.len() <= PURGE_AT_MIN);
        let mut waiting: Vec<_> = (0..limits::GROUP_WATCHES_MAX).map(|_| watch(&mut watches, &state, 1)).collect();
        let refused = watch(&mut watches, &state, 1).try_recv();
        assert_eq!(refused, Ok(Err(GroupError::Overloaded)));
        waiting.truncate(10);
        assert!(watch(&mut watches, &state, 1).try_recv().is_err(), "there is room again");
        assert_eq!(watches.groups[&SUBSCRIPTION].watches.len(), 11);
    }
}
