//! The entries of a group: one change of one subscription each.
//!
//! ```text
//! u8 kind · varint length of the body · body: varint subscription, then by kind
//! 1 opened     start                    4 reset       to, first lease sequence that is not void
//! 2 acked      start, count             5 attempted   offset, attempts
//! 3 acked up   to                       6 removed
//! 7 snapshot   floor, first lease sequence that is not void,
//!              number of acked ranges, for each: gap since the last end, count,
//!              number of attempted messages, for each: distance from the last one's offset, attempts
//! ```
//! Every number is a varint. A kind that is not known is refused: what it says may not be lost.

use super::varint::{put_varint, take_varint};
use crate::model::{Offset, OffsetRange, SubscriptionId};

const OPENED: u8 = 1;
const ACKED: u8 = 2;
const ACKED_BELOW: u8 = 3;
const RESET: u8 = 4;
const ATTEMPTED: u8 = 5;
const REMOVED: u8 = 6;
const SNAPSHOT: u8 = 7;

/// What happened to the cursor of one subscription on one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CursorChange {
    /// The subscription was created, or has come to this partition, and starts here.
    Opened {
        /// Its first offset.
        start: Offset,
    },
    /// A range was acked.
    Acked(OffsetRange),
    /// Everything below an offset was acked.
    AckedBelow {
        /// The new floor, at least.
        to: Offset,
    },
    /// The cursor was set: below it all is acked, at and above it nothing.
    Reset {
        /// Where to.
        to: Offset,
        /// Leases with a lower sequence are void.
        leases_from: u64,
    },
    /// A message was delivered and came back.
    Attempted {
        /// The message.
        offset: Offset,
        /// How often by now.
        attempts: u32,
    },
    /// The subscription was deleted.
    Removed,
    /// All there is to know of the cursor.
    Snapshot(CursorSnapshot),
}

/// All that is durable of a cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorSnapshot {
    /// Every offset below it is acked.
    pub floor: Offset,
    /// The acked ranges above the floor: in order, not empty, with a gap before each.
    pub acked: Vec<OffsetRange>,
    /// Leases with a lower sequence are void.
    pub leases_from: u64,
    /// How often messages were delivered without being acked, in offset order.
    pub attempts: Vec<(Offset, u32)>,
}

/// Why bytes are not entries that this version can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum EntryError {
    #[error("the entry at {position} has an unknown kind, {kind}")]
    Kind { position: usize, kind: u8 },
    #[error("the entry at {position} is malformed")]
    Malformed { position: usize },
}

/// Appends one entry to `out`.
pub fn encode_entry(subscription: SubscriptionId, change: &CursorChange, out: &mut Vec<u8>) {
    let mut body = Vec::new();
    put_varint(subscription.get(), &mut body);
    let kind = match change {
        CursorChange::Opened { start } => {
            put_varint(start.get(), &mut body);
            OPENED
        }
        CursorChange::Acked(range) => {
            put_varint(range.start.get(), &mut body);
            put_varint(range.len(), &mut body);
            ACKED
        }
        CursorChange::AckedBelow { to } => {
            put_varint(to.get(), &mut body);
            ACKED_BELOW
        }
        CursorChange::Reset { to, leases_from } => {
            put_varint(to.get(), &mut body);
            put_varint(*leases_from, &mut body);
            RESET
        }
        CursorChange::Attempted { offset, attempts } => {
            put_varint(offset.get(), &mut body);
            put_varint(u64::from(*attempts), &mut body);
            ATTEMPTED
        }
        CursorChange::Removed => REMOVED,
        CursorChange::Snapshot(snapshot) => {
            put_snapshot(snapshot, &mut body);
            SNAPSHOT
        }
    };
    out.push(kind);
    put_varint(widen(body.len()), out);
    out.extend_from_slice(&body);
}

/// Gives each of the entries in `bytes` to `visit`.
///
/// # Errors
/// Says which entry can't be taken; those before it were given.
pub fn decode_entries(bytes: &[u8], mut visit: impl FnMut(SubscriptionId, CursorChange)) -> Result<(), EntryError> {
    let mut rest = bytes;
    while let Some((&kind, after_kind)) = rest.split_first() {
        let position = bytes.len() - rest.len();
        let malformed = EntryError::Malformed { position };
        rest = after_kind;
        let length = take_varint(&mut rest).and_then(|length| usize::try_from(length).ok()).ok_or(malformed)?;
        let (mut body, after) = rest.split_at_checked(length).ok_or(malformed)?;
        rest = after;
        if !(OPENED..=SNAPSHOT).contains(&kind) {
            return Err(EntryError::Kind { position, kind });
        }
        let subscription = SubscriptionId::new(take_varint(&mut body).ok_or(malformed)?);
        let change = take_change(kind, &mut body).filter(|_| body.is_empty()).ok_or(malformed)?;
        visit(subscription, change);
    }
    Ok(())
}

fn take_change(kind: u8, body: &mut &[u8]) -> Option<CursorChange> {
    Some(match kind {
        OPENED => CursorChange::Opened { start: take_offset(body)? },
        ACKED => CursorChange::Acked(take_range(Offset::ZERO, body)?),
        ACKED_BELOW => CursorChange::AckedBelow { to: take_offset(body)? },
        RESET => CursorChange::Reset { to: take_offset(body)?, leases_from: take_varint(body)? },
        ATTEMPTED => {
            CursorChange::Attempted { offset: take_offset(body)?, attempts: u32::try_from(take_varint(body)?).ok()? }
        }
        REMOVED => CursorChange::Removed,
        SNAPSHOT => CursorChange::Snapshot(take_snapshot(body)?),
        _ => return None,
    })
}

fn put_snapshot(snapshot: &CursorSnapshot, out: &mut Vec<u8>) {
    put_varint(snapshot.floor.get(), out);
    put_varint(snapshot.leases_from, out);
    put_varint(widen(snapshot.acked.len()), out);
    let mut last = snapshot.floor;
    for range in &snapshot.acked {
        put_varint(range.start.since(last), out);
        put_varint(range.len(), out);
        last = range.end;
    }
    put_varint(widen(snapshot.attempts.len()), out);
    let mut last = snapshot.floor;
    for (offset, attempts) in &snapshot.attempts {
        put_varint(offset.since(last), out);
        put_varint(u64::from(*attempts), out);
        last = *offset;
    }
}

fn take_snapshot(body: &mut &[u8]) -> Option<CursorSnapshot> {
    let floor = take_offset(body)?;
    let leases_from = take_varint(body)?;
    // The counts are not trusted with memory: each item is there before room is made for it.
    let mut acked = Vec::new();
    let mut last = floor;
    for _ in 0..take_varint(body)? {
        let range = take_range(last, body).filter(|range| range.start > last)?;
        last = range.end;
        acked.push(range);
    }
    let mut attempts = Vec::new();
    let mut last = floor;
    for _ in 0..take_varint(body)? {
        last = take_distance(last, body)?;
        attempts.push((last, u32::try_from(take_varint(body)?).ok()?));
    }
    Some(CursorSnapshot { floor, acked, leases_from, attempts })
}

/// A range that is not empty, its start given as the distance from `from`.
fn take_range(from: Offset, body: &mut &[u8]) -> Option<OffsetRange> {
    let start = take_distance(from, body)?;
    let end = take_distance(start, body)?;
    (start < end).then_some(OffsetRange::new(start, end))
}

fn take_distance(from: Offset, body: &mut &[u8]) -> Option<Offset> {
    from.get().checked_add(take_varint(body)?).map(Offset::new)
}

fn take_offset(body: &mut &[u8]) -> Option<Offset> {
    take_varint(body).map(Offset::new)
}

fn widen(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
