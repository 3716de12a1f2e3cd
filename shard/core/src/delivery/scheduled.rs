//! Messages whose time of delivery is still to come, as the log holds them, whoever will get them.

use crate::{
    format::record_batch::{BatchError, RecordBatch},
    model::{Offset, Timestamp},
};

/// Which scheduled messages are looked for.
#[derive(Clone, Copy, Debug)]
pub struct ScheduledSearch<'a> {
    /// Those of this message id; any if none is given.
    pub id: Option<&'a str>,
    /// From where on.
    pub from: Offset,
    /// How many at most.
    pub count_max: usize,
    /// The time: what is to be delivered by now is not scheduled any more.
    pub now: Timestamp,
}

/// A message that waits for its time.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct ScheduledMessage {
    /// Its place.
    pub offset: Offset,
    /// Its id, as clients see it.
    pub id: String,
    /// Its key.
    pub key: Option<String>,
    /// When it is to be delivered.
    pub deliver_at: Timestamp,
}

/// What a search found in some batches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundScheduled {
    /// What was looked for, in the order of the log.
    pub messages: Vec<ScheduledMessage>,
    /// Everything from the search's beginning up to here was looked at.
    pub looked_to: Offset,
}

impl FoundScheduled {
    /// Looks for scheduled messages in batches that follow each other; `is_cancelled` tells of those that are not any more.
    ///
    /// # Errors
    /// A batch that can't be read.
    pub fn search(
        batches: &[RecordBatch],
        search: &ScheduledSearch<'_>,
        is_cancelled: impl Fn(Offset) -> bool,
    ) -> Result<Self, BatchError> {
        let mut found = Self { looked_to: search.from, ..Self::default() };
        for batch in batches {
            if batch.header().scheduled {
                batch.for_each_record(|record| {
                    let offset = record.offset;
                    let is_full = found.messages.len() >= search.count_max;
                    let Some(deliver_at) = record.head.deliver_at.filter(|&at| at > search.now) else { return };
                    if offset < search.from || is_full || is_cancelled(offset) {
                        return;
                    }
                    let id = record.head.id.to_string();
                    if search.id.is_none_or(|wanted| wanted == id) {
                        let key = record.head.key.map(str::to_owned);
                        found.messages.push(ScheduledMessage { offset, id, key, deliver_at });
                    }
                })?;
            }
            found.looked_to = found.looked_to.max(batch.offsets().end);
            if let Some(last) = found.messages.last().filter(|_| found.messages.len() >= search.count_max) {
                found.looked_to = last.offset.next();
                break;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::{
        format::{
            record::{MessageId, RecordHead},
            record_batch::{BatchBuilder, Codec},
        },
        limits,
        model::LeaderEpoch,
    };

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    /// A batch at `base` of messages that are delivered so many milliseconds from now, or have no time.
    fn batch(base: u64, messages: &[(&str, Option<i64>)]) -> RecordBatch {
        let mut builder = BatchBuilder::new(0);
        for &(id, delay) in messages {
            let head = RecordHead {
                id: MessageId::Text(id),
                key: Some("k"),
                content_type: "text/plain",
                priority: limits::PRIORITY_DEFAULT,
                ttl_ms: None,
                deliver_at: delay.map(|delay| NOW.plus_millis(delay)),
            };
            let Ok(()) = builder.push(&head, &[], |_| Ok::<_, Infallible>(()));
        }
        builder.finish(Codec::Lz4, None).unwrap().assign(Offset::new(base), LeaderEpoch::new(1), NOW)
    }

    fn log() -> Vec<RecordBatch> {
        vec![
            batch(0, &[("a", None), ("b", None)]),
            batch(2, &[("c", Some(5)), ("d", None), ("e", Some(0)), ("f", Some(-9)), ("a", Some(70))]),
            batch(7, &[("a", Some(1))]),
        ]
    }

    fn search(id: Option<&str>, from: u64, count_max: usize) -> (Vec<u64>, u64) {
        let search = ScheduledSearch { id, from: Offset::new(from), count_max, now: NOW };
        let found = FoundScheduled::search(&log(), &search, |offset| offset == Offset::new(7)).unwrap();
        (found.messages.iter().map(|message| message.offset.get()).collect(), found.looked_to.get())
    }

    #[test]
    fn only_what_is_still_to_come_and_not_cancelled_is_scheduled() {
        assert_eq!(search(None, 0, 10), (vec![2, 6], 8));
        assert_eq!(search(Some("a"), 0, 10), (vec![6], 8));
        assert_eq!(search(Some("d"), 0, 10), (vec![], 8));
        assert_eq!(search(None, 3, 10), (vec![6], 8));
    }

    #[test]
    fn a_full_page_says_where_to_go_on() {
        assert_eq!(search(None, 0, 1), (vec![2], 3));
        assert_eq!(search(None, 3, 1), (vec![6], 7));
        assert_eq!(search(None, 7, 1), (vec![], 8));
    }

    #[test]
    fn what_is_listed_is_as_clients_know_it() {
        let search = ScheduledSearch { id: None, from: Offset::new(2), count_max: 1, now: NOW };
        let found = FoundScheduled::search(&log(), &search, |_| false).unwrap();
        let (id, key) = ("c".to_owned(), Some("k".to_owned()));
        let message = ScheduledMessage { offset: Offset::new(2), id, key, deliver_at: NOW.plus_millis(5) };
        assert_eq!(found.messages, [message]);
    }
}
