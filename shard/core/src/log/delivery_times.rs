//! Until when batches are kept because messages in them are still to be delivered, for a store that keeps no such note itself.

use std::collections::VecDeque;

use super::Retention;
use crate::{
    format::record_batch::RecordBatch,
    model::{Offset, Timestamp},
};

/// Times that lie closer together than this are taken for one, the later: so there are few of them, however many messages.
const APART_MS: i64 = 60_000;

/// Batches that keep a log for longer than their age alone would, in order.
///
/// Retention takes the oldest first, so a batch matters only if it is kept for longer than all before it.
#[derive(Clone, Debug, Default)]
pub struct DeliveryTimes {
    /// Rising in both.
    times: VecDeque<(Offset, Timestamp)>,
}

impl DeliveryTimes {
    /// Takes down a batch, behind all that were taken down before.
    pub fn note(&mut self, batch: &RecordBatch) {
        let Some(deliver_at) = batch.latest_deliver_at() else { return };
        match self.times.back_mut() {
            Some((_, last)) if deliver_at <= *last => {}
            Some((_, last)) if deliver_at < last.plus_millis(APART_MS) => *last = deliver_at,
            Some(_) | None => self.times.push_back((batch.offsets().start, deliver_at)),
        }
    }

    /// The first batch that is to be kept at `now`, of those that were taken down.
    pub fn first_kept(&mut self, keep: Retention, now: Timestamp) -> Option<Offset> {
        while self.times.pop_front_if(|(_, at)| keep.has_passed(*at, now)).is_some() {}
        self.times.front().map(|(offset, _)| *offset)
    }

    /// Nothing from `end` on is in the log any more.
    pub fn truncate(&mut self, end: Offset) {
        while self.times.pop_back_if(|(offset, _)| *offset >= end).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::log::testing::{batch_at, scheduled_at};

    const KEEP: Retention = Retention { age: Some(Duration::from_millis(10)), bytes: None, below: None };

    fn noted(deliver_at: &[Option<i64>]) -> DeliveryTimes {
        let mut times = DeliveryTimes::default();
        for (offset, at) in (0..).zip(deliver_at) {
            times.note(&at.map_or_else(|| batch_at(offset, 1), |at| scheduled_at(offset, at)));
        }
        times
    }

    fn first_kept(times: &mut DeliveryTimes, now: i64) -> Option<u64> {
        times.first_kept(KEEP, Timestamp::from_millis(now)).map(Offset::get)
    }

    #[test]
    fn each_batch_keeps_the_log_until_its_messages_are_over() {
        let mut times = noted(&[None, Some(70_000), Some(5), None, Some(200_000)]);
        assert_eq!(first_kept(&mut times, 70_010), Some(1));
        assert_eq!(first_kept(&mut times, 70_011), Some(4));
        assert_eq!(first_kept(&mut times, 200_011), None);
    }

    #[test]
    fn many_times_close_together_take_little() {
        let delays: Vec<_> = (0..1_000).map(|step| Some(step * 100)).collect();
        let mut times = noted(&delays);
        assert_eq!(times.times.len(), 1, "each within a minute of the one before it");
        assert_eq!(first_kept(&mut times, 99_910), Some(0), "for longer than need be, and never for less");
        assert_eq!(first_kept(&mut times, 99_911), None);
    }

    #[test]
    fn what_is_cut_off_keeps_nothing() {
        let mut times = noted(&[Some(100_000), Some(900_000)]);
        times.truncate(Offset::new(1));
        assert_eq!(first_kept(&mut times, 100_011), None);
    }
}
