//! Those who publish and those who consume.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, UnassignedBatch},
    },
    log::{Fate, Placed},
    model::{Offset, RequestId, Timestamp},
};

use super::{
    events::{Answer, Event, Message, Undecided},
    mutant::Mutant,
    world::World,
};

const PUBLISHERS: usize = 4;
/// How long a publisher waits before it tries again with the same message.
const PATIENCE_MS: u64 = 900;
const ATTEMPTS_MAX: u32 = 4;

/// All who use the cluster.
#[derive(Debug)]
pub(super) struct Clients {
    publishers: Vec<Publisher>,
    /// Which publisher has made which attempt, with which message.
    attempts: BTreeMap<u64, (usize, u64)>,
    /// Messages of which every attempt was refused: they are nowhere.
    failed: BTreeSet<u64>,
    last_message: u64,
    /// The first message that was published after the faults, and the partitions on which one was acknowledged since.
    pub(super) first_healing_message: u64,
    pub(super) healed: BTreeSet<usize>,
    /// What was acknowledged: of which partition, which message, and where.
    pub(super) acknowledged: BTreeMap<(usize, u64), Offset>,
    /// How far each partition was consumed.
    consumed: Vec<u64>,
    are_there: bool,
}

#[derive(Debug, Default)]
struct Publisher {
    message: u64,
    partition: usize,
    attempt: u64,
    tries: u32,
    waits: bool,
    is_unknown: bool,
    /// By partition: the newest of its messages that was acknowledged when it began with the present one.
    after: BTreeMap<usize, Offset>,
}

impl Clients {
    pub(super) fn new(partitions: usize) -> Self {
        Self {
            publishers: (0..PUBLISHERS).map(|_| Publisher::default()).collect(),
            attempts: BTreeMap::new(),
            failed: BTreeSet::new(),
            last_message: 0,
            first_healing_message: u64::MAX,
            healed: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
            consumed: vec![0; partitions],
            are_there: false,
        }
    }

    /// From now on messages count as published after the faults.
    pub(super) const fn begin_healing(&mut self) {
        self.first_healing_message = self.last_message + 1;
    }
}

impl World {
    /// An attempt to publish a new message, of nobody who waits for it: its number, and that of the message.
    pub(super) fn new_attempt(&mut self) -> (u64, u64) {
        let attempt = self.next_number();
        self.clients.last_message += 1;
        self.clients.attempts.insert(attempt, (0, self.clients.last_message));
        (attempt, self.clients.last_message)
    }

    pub(super) fn begin_clients(&mut self) {
        if std::mem::replace(&mut self.clients.are_there, true) {
            return;
        }
        for publisher in 0..PUBLISHERS {
            self.queue.put(100, Event::Publish { publisher });
        }
        for partition in 0..self.oracles.len() {
            self.queue.put(150, Event::Consume { partition });
        }
    }

    /// A publisher begins with another message, or tries again.
    pub(super) fn publish(&mut self, publisher: usize) {
        let attempt = self.next_number();
        let partition = self.random.index(self.oracles.len());
        let clients = &mut self.clients;
        let this = &mut clients.publishers[publisher];
        if this.message == 0 {
            clients.last_message += 1;
            *this = Publisher {
                message: clients.last_message,
                partition,
                after: std::mem::take(&mut this.after),
                ..Publisher::default()
            };
        }
        this.attempt = attempt;
        this.tries += 1;
        this.waits = true;
        clients.attempts.insert(attempt, (publisher, this.message));
        let partition = this.partition;
        self.queue.put(self.now + PATIENCE_MS, Event::GiveUp { publisher, attempt });
        let by = self.random.index(self.nodes.len());
        let owner = self.known(by, partition).and_then(|known| known.owner).map(|owner| self.place_of(owner));
        match owner.filter(|_| self.nodes[by].up) {
            Some(owner) => {
                // It is sent once: what a publisher hears of an attempt is about that one alone.
                let message = Message::Publish { partition, publisher, attempt, by };
                self.over_the_line(by, owner, Event::Arrive { place: owner, message });
            }
            None => self
                .queue
                .put(self.now, Event::Answered { publisher, attempt, answer: Answer::Refused(Fate::NotStored) }),
        }
    }

    pub(super) fn give_up(&mut self, publisher: usize, attempt: u64) {
        let this = &mut self.clients.publishers[publisher];
        if this.waits && this.attempt == attempt {
            this.is_unknown = true;
            self.counts.unknown += 1;
            self.try_again(publisher);
        }
    }

    fn try_again(&mut self, publisher: usize) {
        let clients = &mut self.clients;
        let this = &mut clients.publishers[publisher];
        this.waits = false;
        if this.tries >= ATTEMPTS_MAX {
            if !this.is_unknown {
                clients.failed.insert(this.message);
            }
            this.message = 0;
        }
        let after = 40 + self.random.below(120);
        self.queue.put(self.now + after, Event::Publish { publisher });
    }

    pub(super) fn answered(&mut self, publisher: usize, attempt: u64, answer: &Answer) {
        let this = &mut self.clients.publishers[publisher];
        let is_awaited = this.waits && this.attempt == attempt;
        match answer {
            Answer::Acknowledged(placed) if is_awaited => {
                let newest = this.after.entry(this.partition).or_default();
                // E6.
                let offset = placed.repeats.place(placed.base_offset, 0).offset;
                let is_later = offset >= *newest || this.tries > 1;
                assert!(is_later, "E6: {offset} comes after {newest}");
                *newest = offset.next().max(*newest);
                this.message = 0;
                this.waits = false;
                let after = 20 + self.random.below(100);
                self.queue.put(self.now + after, Event::Publish { publisher });
            }
            Answer::Refused(fate) if is_awaited => {
                this.is_unknown |= *fate == Fate::Unknown;
                self.try_again(publisher);
            }
            Answer::Undecided(undecided) if is_awaited => {
                let partition = this.partition;
                self.ask_who_leads(partition, attempt, undecided.clone());
            }
            // It has given up on that one.
            Answer::Acknowledged(_) | Answer::Refused(_) | Answer::Undecided(_) => {}
        }
    }

    /// A publisher hears that another leader decides.
    pub(super) fn leave_undecided(&mut self, place: usize, request: RequestId, undecided: Undecided) {
        self.counts.undecided += 1;
        self.answer_publisher(place, request, Answer::Undecided(undecided));
    }

    /// Asks whoever is taken for the leader; who is not answers so, and it is asked again.
    fn ask_who_leads(&mut self, partition: usize, attempt: u64, undecided: Undecided) {
        let by = self.random.index(self.nodes.len());
        let owner = self.known(by, partition).and_then(|known| known.owner).map(|owner| self.place_of(owner));
        if let Some(owner) = owner.filter(|_| self.nodes[by].up) {
            self.send(by, owner, Message::Decide { partition, attempt, undecided });
        }
    }

    /// A leader is asked what became of something that an earlier one had stored.
    pub(super) fn decide(&mut self, place: usize, partition: usize, attempt: u64, undecided: Undecided) {
        let Some(&(_, message)) = self.clients.attempts.get(&attempt) else { return };
        let request = RequestId::new(attempt);
        let is_hasty = self.mutant == Some(Mutant::DecidesBeforeOffice);
        let held = self.leading(place, partition).and_then(|leading| {
            if is_hasty {
                Some(leading.core.end() >= undecided.end)
            } else {
                leading.core.holds(undecided.epoch, undecided.end)
            }
        });
        match held {
            Some(true) => {
                self.counts.decided += 1;
                self.note_acknowledged_at(partition, message, &undecided.placed);
                self.answer_publisher(place, request, Answer::Acknowledged(undecided.placed));
            }
            Some(false) => {
                self.counts.undone += 1;
                self.answer_publisher(place, request, Answer::Refused(Fate::NotStored));
            }
            None => self.answer_publisher(place, request, Answer::Undecided(undecided)),
        }
    }

    /// A message reaches a node that is to lead its partition.
    pub(super) fn take_publish(
        &mut self,
        place: usize,
        partition: usize,
        (publisher, attempt): (usize, u64),
        by: usize,
    ) {
        let Some(&(_, message)) = self.clients.attempts.get(&attempt) else { return };
        let now = Timestamp::from_millis(i64::try_from(self.now).unwrap());
        let refused = Event::Answered { publisher, attempt, answer: Answer::Refused(Fate::NotStored) };
        let accepted = self.leading(place, partition).and_then(|leading| {
            let is_sufficient = leading.core.check_sufficient().is_ok();
            let appender = leading.appender.as_mut()?;
            Some(is_sufficient && appender.append(now, RequestId::new(attempt), batch(message)).is_ok())
        });
        self.counts.not_enough += u64::from(accepted == Some(false));
        if accepted != Some(true) {
            return self.over_the_line(place, by, refused);
        }
        self.lead_on(place, partition);
    }

    pub(super) fn acknowledge(&mut self, place: usize, partition: usize, request: RequestId, placed: Placed) {
        let Some(&(_, message)) = self.clients.attempts.get(&request.get()) else { return };
        self.note_acknowledged_at(partition, message, &placed);
        self.answer_publisher(place, request, Answer::Acknowledged(placed));
    }

    fn note_acknowledged_at(&mut self, partition: usize, message: u64, placed: &Placed) {
        let offset = placed.repeats.place(placed.base_offset, 0).offset;
        self.note_acknowledged(partition, message, offset);
        self.counts.acknowledged += 1;
        self.counts.repeated += u64::from(placed.repeats.count(1) > 0);
        self.clients.acknowledged.insert((partition, message), offset);
        if message >= self.clients.first_healing_message {
            self.clients.healed.insert(partition);
        }
    }

    pub(super) fn answer_publisher(&mut self, place: usize, request: RequestId, answer: Answer) {
        let attempt = request.get();
        let Some(&(publisher, _)) = self.clients.attempts.get(&attempt) else { return };
        let by = self.random.index(self.nodes.len());
        self.over_the_line(place, by, Event::Answered { publisher, attempt, answer });
    }

    pub(super) fn consume(&mut self, partition: usize) {
        let after = 80 + self.random.below(150);
        self.queue.put(self.now + after, Event::Consume { partition });
        let by = self.random.index(self.nodes.len());
        let owner = self.known(by, partition).and_then(|known| known.owner).map(|owner| self.place_of(owner));
        if let Some(owner) = owner.filter(|_| self.nodes[by].up) {
            let (from, end) = (self.clients.consumed[partition], self.clients.consumed[partition]);
            self.send(by, owner, Message::Consumed { partition, end });
            self.send(by, owner, Message::Read { partition, from, by });
        }
    }

    pub(super) fn consumed(&mut self, partition: usize, end: u64) {
        let consumed = &mut self.clients.consumed[partition];
        *consumed = end.max(*consumed);
    }

    /// What a leader shows: it ends where the answer says. E4, E5.
    pub(super) fn read(&mut self, place: usize, partition: usize, from: u64) -> Option<u64> {
        let epoch = self.nodes[place].replicas[partition].epoch;
        let readable = self.leading(place, partition)?.appender.as_ref()?.readable();
        self.counts.consumed += 1;
        self.note_shown(partition, epoch, readable.end);
        let from = Offset::new(from).max(readable.start);
        let read = self.nodes[place].disks[partition].read(from, readable.end, 20);
        let end = read.last().map_or(from, |batch| batch.offsets().end);
        assert!(from >= readable.end || read.first().is_some_and(|first| first.offsets().start <= from), "E4: a gap");
        Some(end.get())
    }

    /// E1, E3: all that was acknowledged is there, and nothing that was refused.
    pub(super) fn check_users(&self) {
        for (&(partition, message), offset) in &self.clients.acknowledged {
            let is = self.oracles[partition].ids.get(&message).is_some_and(|known| known >= offset);
            assert!(is, "E1: message {message} was acknowledged");
        }
        for oracle in &self.oracles {
            let phantom = oracle.ids.keys().find(|message| self.clients.failed.contains(message));
            assert_eq!(phantom, None, "E3: it was refused and is there");
        }
    }
}

/// A message whose number is its id and its payload.
fn batch(message: u64) -> UnassignedBatch {
    let id = message.to_string();
    let head = RecordHead {
        id: MessageId::Text(&id),
        key: None,
        content_type: "text/plain",
        priority: 4,
        ttl_ms: None,
        deliver_at: None,
    };
    let mut builder = BatchBuilder::new(64);
    let Ok(()) = builder.push(&head, &[], |out| {
        out.extend_from_slice(&message.to_le_bytes());
        Ok::<(), Infallible>(())
    });
    builder.finish(Codec::None, None).unwrap()
}
