//! What a long backlog costs that is acked one by one in random order: `cargo bench -p shard-core --bench backlog`.
#![expect(clippy::print_stdout, reason = "a table for people")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed measurement is seen at once")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::{
    fs,
    time::{Duration, Instant},
};

use shard_core::{
    delivery::{
        Backoff, ClusterKey, ConsumerId, CursorReplay, CursorState, DeliveryMode, DeliveryOrder, DeliveryPolicy,
        Dispatcher, DispatcherIdentity, LeaseRequest,
    },
    format::cursor_journal::{CursorChange, encode_entry},
    limits::{JOURNAL_COMPACT_BYTES, JOURNAL_COMPACT_FACTOR, OUTSTANDING_MAX_DEFAULT},
    model::{Monotonic, Offset, OffsetRange, PartitionIndex, SubscriptionId, TopicId, TopicPartition},
};

const BACKLOG: u64 = 10_000_000;
const SUBSCRIPTION: SubscriptionId = SubscriptionId::new(1);

fn main() {
    dispatch();
    acked_in_random_order();
}

/// The cost of a delivery and its ack, with as many messages out as a subscription may have.
fn dispatch() {
    println!("| backlog | messages out | lease and ack, ns a message |\n|---|---|---|");
    for (backlog, out) in [
        (20_000, 10_000),
        (200_000, 10_000),
        (2_000_000, 10_000),
        (BACKLOG, 10_000),
        (BACKLOG, OUTSTANDING_MAX_DEFAULT),
    ] {
        let nanos = (0..3).map(|_| lease_and_ack(backlog, out)).min().unwrap();
        println!("| {backlog} | {out} | {nanos} |");
    }
}

fn lease_and_ack(backlog: u64, out: usize) -> u128 {
    let now = Monotonic::from_micros(1);
    let mut dispatcher = dispatcher();
    dispatcher.scan_plain(Offset::new(backlog));
    let request = |count| LeaseRequest {
        readable: OffsetRange::new(Offset::ZERO, Offset::new(backlog)),
        count,
        consumer: ConsumerId::default(),
        deadline: None,
        claim: None,
    };
    let mut held = dispatcher.lease(now, request(u32::try_from(out).unwrap()));
    let mut random = Random(7);
    let rounds = (usize::try_from(backlog).unwrap() - out).min(500_000);
    let begun = Instant::now();
    for _ in 0..rounds {
        let at = usize::try_from(random.below(u64::try_from(out).unwrap())).unwrap();
        let message = held[at];
        dispatcher.ack(message.offset, message.lease);
        held[at] = dispatcher.lease(now, request(1)).pop().unwrap();
        drop(dispatcher.take_changes());
    }
    begun.elapsed().as_nanos() / u128::try_from(rounds).unwrap()
}

/// Memory for each gap, and what a restart has to replay, while the whole backlog is acked.
fn acked_in_random_order() {
    let mut order: Vec<u32> = (0..u32::try_from(BACKLOG).unwrap()).collect();
    let mut random = Random(1);
    for at in (1..order.len()).rev() {
        order.swap(at, usize::try_from(random.below(u64::try_from(at + 1).unwrap())).unwrap());
    }
    let mut state = CursorState::new(Offset::ZERO);
    let mut journal = snapshot_of(&state);
    let (mut replace_at, mut next_row) = (JOURNAL_COMPACT_BYTES, 1_000_000);
    let before = resident();
    println!("\n| acked of {BACKLOG} | gaps | bytes a gap | journal, MB | replay, s |\n|---|---|---|---|---|");
    for (done, &offset) in (1..).zip(&order) {
        let offset = Offset::new(u64::from(offset));
        let change = CursorChange::Acked(OffsetRange::new(offset, offset.next()));
        state.apply(&change);
        encode_entry(SUBSCRIPTION, &change, &mut journal);
        if journal.len() < replace_at && done < order.len() {
            continue;
        }
        if done >= next_row {
            next_row = done + 500_000;
            let gaps = state.cursor().acked_ranges().len().max(1);
            // The journal is of the disk; what else has grown is the cursor.
            let bytes = resident().saturating_sub(before + journal.capacity()) / gaps;
            let (replay, megabytes) = (replay(&journal, &state), journal.len() / 1_000_000);
            println!("| {done} | {gaps} | {bytes} | {megabytes} | {:.2} |", replay.as_secs_f64());
        }
        journal = snapshot_of(&state);
        replace_at = JOURNAL_COMPACT_BYTES.max(journal.len() * usize::try_from(JOURNAL_COMPACT_FACTOR).unwrap());
    }
    assert_eq!(state.cursor().floor(), Offset::new(BACKLOG));
}

fn snapshot_of(state: &CursorState) -> Vec<u8> {
    let mut entries = Vec::new();
    encode_entry(SUBSCRIPTION, &CursorChange::Snapshot(state.snapshot()), &mut entries);
    entries
}

fn replay(journal: &[u8], expected: &CursorState) -> Duration {
    let begun = Instant::now();
    let mut cursors = CursorReplay::default();
    cursors.take(journal).unwrap();
    let cursors = cursors.finish();
    let elapsed = begun.elapsed();
    assert_eq!(cursors.get(&SUBSCRIPTION), Some(expected));
    elapsed
}

fn dispatcher() -> Dispatcher {
    let identity = DispatcherIdentity {
        subscription: SUBSCRIPTION,
        partition: TopicPartition::new(TopicId::new(1), PartitionIndex::new(0)),
        key: ClusterKey::new([1; 16]),
        first_sequence: 0,
        jitter_seed: 0,
    };
    let policy = DeliveryPolicy {
        ack_deadline: Duration::from_secs(30),
        backoff: Backoff { min: Duration::from_millis(100), max: Duration::from_mins(1) },
        outstanding_max: OUTSTANDING_MAX_DEFAULT,
        ordering: DeliveryOrder::None,
        mode: DeliveryMode::AtLeastOnce,
        dead_letters: None,
    };
    Dispatcher::open(identity, policy, Offset::ZERO)
}

/// The memory of this process that is in use.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Numbers that are the same in each run (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
