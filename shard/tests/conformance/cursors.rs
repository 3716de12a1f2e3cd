//! Cursors: changes, snapshots, and what is found of them.

use std::collections::BTreeMap;

use shard::store::MessageStore as _;
use shard_core::{
    delivery::CursorState,
    format::cursor_journal::{CursorChange, encode_entry},
    model::{Offset, OffsetRange, SubscriptionId},
};

use crate::factory::{Factory, open};

/// What a store has to hold, said as plainly as possible.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursors(pub(crate) BTreeMap<SubscriptionId, CursorState>);

impl Cursors {
    /// Acks one offset of a subscription, which is opened first if it is new; returns the entries that say so.
    pub(crate) fn ack(&mut self, subscription: u64, offset: u64) -> Vec<u8> {
        let id = SubscriptionId::new(subscription);
        let mut changes = Vec::new();
        if !self.0.contains_key(&id) {
            changes.push(CursorChange::Opened { start: Offset::ZERO });
        }
        changes.push(CursorChange::Acked(OffsetRange::new(Offset::new(offset), Offset::new(offset + 1))));
        let mut entries = Vec::new();
        for change in &changes {
            self.0.entry(id).or_default().apply(change);
            encode_entry(id, change, &mut entries);
        }
        entries
    }

    /// All of them.
    pub(crate) fn snapshot(&self) -> Vec<u8> {
        let mut entries = Vec::new();
        for (&id, state) in &self.0 {
            encode_entry(id, &CursorChange::Snapshot(state.snapshot()), &mut entries);
        }
        entries
    }
}

pub(crate) async fn what_was_stored_of_cursors_is_found<F: Factory>(factory: F) {
    let mut cursors = Cursors::default();
    for round in 0..4 {
        let opened = open(&factory.start().await).await;
        if F::SURVIVES {
            assert_eq!(opened.found.cursors, cursors.0, "round {round}");
        } else {
            assert_eq!(opened.found.cursors, BTreeMap::new());
        }
        for offset in 0..20 {
            let entries = cursors.ack(1 + offset % 3, round * 100 + offset * 2);
            opened.store.append_cursors(entries).await.unwrap();
        }
        if round % 2 == 0 {
            opened.store.close().await.unwrap();
        }
    }
}

pub(crate) async fn a_snapshot_replaces_what_was_there<F: Factory>(factory: F) {
    let opened = open(&factory.start().await).await;
    let mut old = Cursors::default();
    for offset in 0..10 {
        opened.store.append_cursors(old.ack(1, offset * 2)).await.unwrap();
    }
    let mut cursors = Cursors::default();
    cursors.ack(2, 5);
    opened.store.replace_cursors(cursors.snapshot()).await.unwrap();
    opened.store.append_cursors(cursors.ack(2, 9)).await.unwrap();
    drop(opened);
    let opened = open(&factory.start().await).await;
    if F::SURVIVES {
        assert_eq!(opened.found.cursors, cursors.0);
    }
    opened.store.replace_cursors(Vec::new()).await.unwrap();
    drop(opened);
    assert_eq!(open(&factory.start().await).await.found.cursors, BTreeMap::new());
}

pub(crate) async fn a_store_that_asks_for_snapshots_is_content_with_one<F: Factory>(factory: F) {
    let opened = open(&factory.start().await).await;
    let mut cursors = Cursors::default();
    let mut asked = opened.found.replace_cursors;
    for offset in 0..600 {
        let stored = if asked {
            let _ = cursors.ack(1, offset * 2);
            opened.store.replace_cursors(cursors.snapshot()).await.unwrap()
        } else {
            opened.store.append_cursors(cursors.ack(1, offset * 2)).await.unwrap()
        };
        assert!(!(asked && stored.replace), "a snapshot is as small as it gets");
        asked = stored.replace;
    }
    drop(opened);
    if F::SURVIVES {
        assert_eq!(open(&factory.start().await).await.found.cursors, cursors.0);
    }
}
