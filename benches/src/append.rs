//! Appends: from a batch that was accepted to the store's effect, and from the store's event to the acknowledgements.

use shard_core::{
    format::record_batch::{Codec, UnassignedBatch},
    log::{AppendConfig, AppendEffect, AppendEvent, Appender, DedupConfig, FlushPolicy, LogExtent, Reached},
    model::{LeaderEpoch, Monotonic, RequestId, Timestamp},
};

use crate::{
    batches::{encode, payloads},
    harness::{Case, Operations},
};

pub(crate) const CASES: &[Case] = &[
    Case::new("append: a batch of 1", 1, |operations| append(operations, 1, 1)),
    Case::new("append: a batch of 100", 100, |operations| append(operations, 1, 100)),
    Case::new("append: 64 batches of 1 in one write", 64, |operations| append(operations, 64, 1)),
];

fn append(operations: Operations, batches: usize, messages: usize) {
    let config =
        AppendConfig { flush: FlushPolicy::Always, unflushed_bytes_max: 1 << 20, dedup: DedupConfig::default() };
    let mut appender = Appender::open(LeaderEpoch::new(1), config, LogExtent::default());
    let batch = encode(&payloads(messages), Codec::None);
    operations.measure(|_| vec![batch.clone(); batches], |batches| append_all(&mut appender, batches));
}

/// Returns how many were acknowledged.
fn append_all(appender: &mut Appender, batches: Vec<UnassignedBatch>) -> usize {
    let expected = batches.len();
    for (request, batch) in (0..).zip(batches) {
        let taken = appender.append(Timestamp::from_millis(1), RequestId::new(request), batch);
        taken.expect("there is room");
    }
    let Some(AppendEffect::Append { batches, durable: true }) = appender.poll_effect() else {
        panic!("it is not to be stored")
    };
    appender.on_event(Monotonic::default(), AppendEvent::Appended { reached: Reached::Disk });
    drop(batches);
    let effects = std::iter::from_fn(|| appender.poll_effect());
    let acknowledged = effects.filter(|effect| matches!(effect, AppendEffect::Acknowledge { .. })).count();
    assert_eq!(acknowledged, expected);
    acknowledged
}
