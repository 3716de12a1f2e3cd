//! A follower as its driver runs it: it fetches, stores, cuts, and fetches again.

use shard_core::{
    model::LeaderEpoch,
    replication::{FetchAnswer, Fetched, Follower, FollowerEffect, NodeRun},
};

use super::{
    events::{Act, Done, Message},
    mutant::Mutant,
    world::World,
};

/// How long a follower waits for an answer before it fetches again.
const PATIENCE_MS: u64 = 250;
/// How long it waits that follows nobody.
const WAIT_MS: u64 = 120;

/// A partition that follows here.
#[derive(Debug)]
pub(super) struct Following {
    pub(super) core: Follower,
    /// The newest fetch: answers to others mean nothing any more.
    number: u64,
    /// The cursor that came with what is being stored.
    cursor: Option<u64>,
}

impl Following {
    pub(super) const fn new(core: Follower) -> Self {
        Self { core, number: 0, cursor: None }
    }
}

impl World {
    /// A follower is to fetch after a while, unless it does so before.
    pub(super) fn fetch_soon(&mut self, place: usize, partition: usize, after: u64) {
        let number = self.next_number();
        let opening = self.nodes[place].replicas[partition].opening;
        let Some(following) = self.following(place, partition) else { return };
        following.number = number;
        self.later(place, after, Act::Fetch { partition, opening, number });
    }

    pub(super) fn fetch(&mut self, place: usize, partition: usize, (opening, number): (u64, u64)) {
        let node = &self.nodes[place];
        let (Some(epoch), id) = (node.epoch, node.id.get()) else { return };
        if node.replicas[partition].opening != opening {
            return;
        }
        let leader = self.known(place, partition).and_then(|known| known.owner).map(|owner| self.place_of(owner));
        let Some(following) = self.following(place, partition).filter(|following| following.number == number) else {
            return;
        };
        // While it stores or cuts it does not fetch; it will when that is done.
        let Some(position) = following.core.position() else { return };
        self.fetch_soon(place, partition, PATIENCE_MS);
        let Some(number) = self.following(place, partition).map(|following| following.number) else { return };
        if let Some(leader) = leader.filter(|leader| *leader != place) {
            let run = NodeRun { node: id, epoch };
            self.send(place, leader, Message::Fetch { partition, by: place, run, position, number });
        }
    }

    /// A leader has answered.
    pub(super) fn fetched(
        &mut self,
        place: usize,
        partition: usize,
        (number, epoch): (u64, LeaderEpoch),
        (answer, fetched, cursor): (FetchAnswer, Fetched, u64),
    ) {
        let mutant = self.mutant;
        let Some(following) = self.following(place, partition).filter(|following| following.number == number) else {
            return;
        };
        // An answer counts once.
        following.number = 0;
        let effect = match following.core.on_answer(epoch, answer, &fetched) {
            Ok(effect) => effect,
            Err(distrust) => panic!("R7: {distrust}"),
        };
        let lineage = following.core.lineage().clone();
        let high_watermark = following.core.high_watermark();
        following.cursor = fetched.cursors.map(|_| cursor);
        let disk = &mut self.nodes[place].disks[partition];
        disk.checkpoint = disk.checkpoint.max(high_watermark);
        // Of what epoch the batches were that were let go of last stays known.
        let is_same = disk.batches().is_empty() || lineage == disk.lineage();
        assert!(is_same, "R10: the lineage is {lineage:?}, that of the log {:?}", disk.lineage());
        match effect {
            FollowerEffect::Store => {
                disk.write(fetched.batches);
                if let Some(cursor) = self.following(place, partition).and_then(|following| following.cursor) {
                    self.nodes[place].disks[partition].cursor = cursor;
                }
                if mutant == Some(Mutant::PromisesBeforeSync) {
                    self.stored(place, partition);
                }
                self.on_disk(place, partition, Done::Stored);
            }
            FollowerEffect::Truncate(to) => {
                self.counts.truncations += 1;
                self.on_disk(place, partition, Done::Cut(to));
            }
            FollowerEffect::Restart(start) => {
                self.counts.restarts += 1;
                self.on_disk(place, partition, Done::Restarted(start));
            }
            FollowerEffect::Wait(_) => self.fetch_soon(place, partition, WAIT_MS),
            FollowerEffect::Fetch => {
                let after = 20 + self.random.below(40);
                self.fetch_soon(place, partition, after);
            }
        }
    }

    pub(super) fn done_for_follower(&mut self, place: usize, partition: usize, done: Done) {
        let is_full = self.nodes[place].full_until > self.now;
        let fails = !self.healing && self.random.once_in(500);
        let mutant = self.mutant;
        if self.following(place, partition).is_none() {
            return;
        }
        let disk = &mut self.nodes[place].disks[partition];
        match done {
            Done::Stored if is_full => return self.on_disk(place, partition, done),
            Done::Stored if fails => {
                self.counts.io_errors += 1;
                return self.reopen(place, partition, false);
            }
            Done::Stored if mutant == Some(Mutant::PromisesBeforeSync) => return disk.sync(),
            Done::Stored => {
                disk.sync();
                return self.stored(place, partition);
            }
            Done::Cut(to) => {
                let end = disk.truncate(to);
                if let Some(following) = self.following(place, partition) {
                    following.core.on_cut(end);
                }
            }
            Done::Restarted(start) => {
                disk.restart(start);
                if let Some(following) = self.following(place, partition) {
                    following.core.on_restarted(start);
                }
            }
            Done::Appended(_) | Done::Late(_) | Done::Rejected | Done::Failed | Done::Cursors { .. } => {}
        }
        self.fetch_soon(place, partition, 0);
    }

    fn stored(&mut self, place: usize, partition: usize) {
        if let Some(following) = self.following(place, partition) {
            following.core.on_stored();
            self.fetch_soon(place, partition, 0);
        }
    }

    /// Retention lets go of something on a follower too.
    pub(super) fn tick_follower(&mut self, place: usize, partition: usize) {
        let Some(following) = self.following(place, partition) else { return };
        // While it stores or cuts, its log is left alone.
        let (high_watermark, is_free) = (following.core.high_watermark(), following.core.position().is_some());
        if is_free && self.random.once_in(80) {
            let start = self.trim(place, partition, high_watermark);
            if let Some(following) = self.following(place, partition) {
                following.core.on_log_start(start);
            }
        }
    }
}
