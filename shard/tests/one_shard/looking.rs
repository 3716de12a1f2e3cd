//! What goes before its turn is found in the whole backlog, not only in what is in memory.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use glommio::timer::sleep;
use shard::AckAction;
use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, UnassignedBatch},
    },
    model::Offset,
};

use crate::harness::{cursor, directory, partition, with_shard};

const BATCHES: u64 = 60;
const RECORDS: u64 = 100;
/// In the second of six segments, of which the cache holds the last.
const URGENT_BATCH: u64 = 15;
const PATIENCE: Duration = Duration::from_secs(30);

fn batch(priority: u8) -> UnassignedBatch {
    let mut builder = BatchBuilder::new(0);
    for _ in 0..RECORDS {
        let head = RecordHead {
            id: MessageId::Uuid([9; 16]),
            key: None,
            content_type: "text/plain",
            priority,
            ttl_ms: None,
            deliver_at: None,
        };
        let Ok(()) = builder.push(&head, &[], |out| {
            out.resize(out.len() + 1_000, b'x');
            Ok::<(), Infallible>(())
        });
    }
    builder.finish(Codec::None, None).unwrap()
}

#[test]
fn the_highest_priority_is_found_beyond_the_cache() {
    let directory = directory();
    with_shard(directory.path(), async |running| {
        running.open(&[0]).await;
        for number in 0..BATCHES {
            running.handle.publish(partition(0), batch(if number == URGENT_BATCH { 9 } else { 4 })).await.unwrap();
        }
        let urgent = Offset::new(URGENT_BATCH * RECORDS);
        // Each time the first message is given back; in between the subscription looks further.
        let begun = Instant::now();
        loop {
            let pulled = running.pull(0, 1).await;
            let message = pulled.leased.first().expect("there is a backlog");
            if message.offset == urgent {
                break;
            }
            assert_eq!(message.offset, Offset::ZERO, "no other message's turn comes");
            let back = AckAction::Nack { delay: Some(Duration::ZERO) };
            running.handle.acknowledge(cursor(0), back, vec![(message.offset, message.lease)]).await.unwrap();
            assert!(begun.elapsed() < PATIENCE, "never found");
            sleep(Duration::from_millis(1)).await;
        }
        let next = running.pull(0, 2).await;
        let offsets: Vec<_> = next.leased.iter().map(|message| message.offset.get()).collect();
        assert_eq!(offsets, [urgent.get() + 1, urgent.get() + 2], "the others of its batch");
        running.stop().await;
    });
}
