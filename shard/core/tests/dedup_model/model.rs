//! The model: every batch there is, looked through from end to end for each question.

use shard_core::{
    limits::PRODUCER_BATCHES_MAX,
    log::{Place, ProducerRefusal},
    model::Offset,
};

use crate::world::Publish;

/// A batch of the log, stored or not.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) base: u64,
    pub(crate) taken: i64,
    pub(crate) what: Publish,
}

/// The log as it would be if everything that was accepted were stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) log: Vec<Logged>,
    /// Batches of producers below are not remembered: they were not looked at when the log was opened.
    pub(crate) remembered_from: u64,
}

impl Logged {
    pub(crate) fn end(&self) -> u64 {
        self.base + self.what.count()
    }
}

impl Model {
    pub(crate) fn end(&self) -> u64 {
        self.log.last().map_or(0, Logged::end)
    }

    /// Where each message of a publish is to be; what is new of it is in the log then.
    pub(crate) fn admit(
        &mut self,
        publish: &Publish,
        (now, window): (i64, i64),
        stored_end: u64,
    ) -> Result<Vec<Place>, ProducerRefusal> {
        match publish {
            Publish::Messages(ids) => Ok(self.admit_messages(ids, now, window)),
            Publish::Batch { .. } => self.admit_batch(publish, now, stored_end),
        }
    }

    /// The newest epoch and the next sequence of a producer.
    pub(crate) fn next_of(&self, producer: u64) -> Option<(u16, u32)> {
        self.batches_of(producer).last().map(|(_, epoch, first, count)| (*epoch, first.wrapping_add(*count)))
    }

    fn admit_messages(&mut self, ids: &[Option<u64>], now: i64, window: i64) -> Vec<Place> {
        let base = self.end();
        let mut new: Vec<Option<u64>> = Vec::new();
        let mut places = Vec::new();
        for id in ids {
            let before = id.and_then(|id| self.find(id, now, window));
            let within = id.and_then(|id| new.iter().position(|earlier| *earlier == Some(id)));
            let within = within.map(|at| base + u64::try_from(at).unwrap());
            if let Some(offset) = before.or(within) {
                places.push(Place { offset: Offset::new(offset), repeat: true });
            } else {
                places.push(Place { offset: Offset::new(base + u64::try_from(new.len()).unwrap()), repeat: false });
                new.push(*id);
            }
        }
        if !new.is_empty() {
            self.log.push(Logged { base, taken: now, what: Publish::Messages(new) });
        }
        places
    }

    fn admit_batch(&mut self, publish: &Publish, now: i64, stored_end: u64) -> Result<Vec<Place>, ProducerRefusal> {
        let Publish::Batch { producer, epoch, first_sequence: sent, count } = *publish else { unreachable!() };
        let known = self.batches_of(producer);
        let base = match known.last() {
            Some(&(_, current, ..)) if epoch < current => {
                return Err(ProducerRefusal::Stale { sent: epoch, current });
            }
            Some(&(_, current, ..)) if epoch > current && sent != 0 => {
                return Err(ProducerRefusal::Gap { sent, expected: 0 });
            }
            Some(&(_, current, first, records)) if epoch == current && sent != first.wrapping_add(records) => {
                let expected = first.wrapping_add(records);
                let stored = known.iter().filter(|(base, ..)| *base < stored_end).count();
                let kept = known.iter().skip(stored.saturating_sub(PRODUCER_BATCHES_MAX));
                let found = kept.filter(|(_, of, ..)| *of == epoch).find_map(|&(base, _, first, records)| {
                    let sequences: Vec<_> = (0..records).map(|at| first.wrapping_add(at)).collect();
                    let at = sequences.iter().position(|sequence| *sequence == sent)?;
                    (at + usize::try_from(count).unwrap() <= sequences.len()).then(|| base + u64::try_from(at).unwrap())
                });
                let Some(found) = found else {
                    let behind = expected.wrapping_sub(sent) < 1 << 31;
                    return Err(if behind {
                        ProducerRefusal::Forgotten { sent, expected }
                    } else {
                        ProducerRefusal::Gap { sent, expected }
                    });
                };
                return Ok(dense(found, count, true));
            }
            Some(_) | None => self.end(),
        };
        self.log.push(Logged { base, taken: now, what: publish.clone() });
        Ok(dense(base, count, false))
    }

    fn find(&self, wanted: u64, now: i64, window: i64) -> Option<u64> {
        let mut newest_first = self.log.iter().rev().filter(|batch| now < batch.taken + window);
        newest_first.find_map(|batch| batch.what.offset_of(batch.base, wanted))
    }

    /// Base offset, epoch, first sequence and count of what a producer has in the log.
    fn batches_of(&self, wanted: u64) -> Vec<(u64, u16, u32, u32)> {
        let remembered = self.log.iter().filter(|batch| batch.base >= self.remembered_from);
        let batches = remembered.filter_map(|batch| match batch.what {
            Publish::Batch { producer, epoch, first_sequence, count } if producer == wanted => {
                Some((batch.base, epoch, first_sequence, count))
            }
            Publish::Batch { .. } | Publish::Messages(_) => None,
        });
        batches.collect()
    }
}

fn dense(base: u64, count: u32, repeat: bool) -> Vec<Place> {
    (0..u64::from(count)).map(|at| Place { offset: Offset::new(base + at), repeat }).collect()
}
