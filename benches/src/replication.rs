//! Replication: one batch on its way from the leader's disk to being committed by two followers.

use std::time::Duration;

use shard_core::{
    model::{LeaderEpoch, Monotonic, Offset},
    replication::{FetchPosition, FetchVerdict, Leader, LeaderConfig, LeaderEffect, Lineage, NodeRun, ReplicaSet},
};

use crate::harness::{Case, Operations};

const EPOCH: LeaderEpoch = LeaderEpoch::new(1);

pub(crate) const CASES: &[Case] = &[Case::new("replication: commit 100, two followers", 100, commit)];

fn commit(operations: Operations) {
    let now = Monotonic::from_micros(1);
    let set =
        ReplicaSet { replicas: vec![1, 2, 3], isr: vec![1, 2, 3], elr: Vec::new(), partition_epoch: 1, min_insync: 2 };
    let config = LeaderConfig { node: 1, epoch: EPOCH, set, lag_max: Duration::from_secs(10) };
    let mut leader = Leader::new(now, config, Lineage::new(), (Offset::ZERO, Offset::ZERO));
    let mut end = Offset::ZERO;
    operations.measure(
        |_| (),
        |()| {
            end = end.plus(100);
            leader.on_synced(now, end);
            for node in [2, 3] {
                let position = FetchPosition { leader_epoch: EPOCH, end, last_epoch: Some(EPOCH), cursors: 1 };
                let verdict = leader.on_fetch(now, NodeRun { node, epoch: 1 }, position);
                assert_eq!(verdict, Ok(FetchVerdict::Follows));
            }
            let effects = leader.take_effects();
            let is_committed =
                |effect: &LeaderEffect| matches!(effect, LeaderEffect::Committed { high_watermark, .. } if *high_watermark == end);
            assert!(effects.iter().any(is_committed));
            effects
        },
    );
}
