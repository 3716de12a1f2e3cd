//! Who waits for a newer generation of a group. They are told from this node's own metadata.

use std::{collections::BTreeMap, sync::Arc};

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
    groups: BTreeMap<shard_core::model::SubscriptionId, GroupWatches>,
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
