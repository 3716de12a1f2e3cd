//! What happens in a run, by its seed.

use std::time::Duration;

use crate::world::{Given, World};

impl World {
    pub(crate) fn step(&mut self) {
        match self.random.below(100) {
            0..=4 => {
                let count = 1 + self.random.below(8);
                self.publish(count);
            }
            5..=27 => self.some_consumer_pulls(),
            28..=50 => self.some_consumer_acks(),
            51..=54 => self.some_consumer_nacks(),
            55..=56 => self.some_consumer_goes(),
            57..=61 => {
                self.now += 1 + self.random.below(600);
            }
            62..=72 => {
                let place = self.some_owner();
                self.perform(place);
            }
            73..=78 => {
                let place = self.some_owner();
                self.reach_store(place);
            }
            79..=83 => {
                let place = self.some_owner();
                self.hear_of_store(place);
            }
            84..=86 => self.grant(),
            87..=91 => self.open_some(),
            92..=94 => {
                let place = self.some_owner();
                self.follow(place);
            }
            95 => self.kill_or_restart(),
            96 if self.random.percent(50) => self.hand_over(),
            97..=98 => self.reassign(),
            _ => self.late_write(),
        }
    }

    fn some_owner(&mut self) -> usize {
        self.random.index(self.owners.len().max(1))
    }

    /// Most ask the owner that is one; some ask another that thinks it is.
    fn asked(&mut self) -> Option<usize> {
        let last = self.owners.len().checked_sub(1)?;
        Some(if self.random.percent(70) { last } else { self.random.index(last + 1) })
    }

    fn some_consumer_pulls(&mut self) {
        let Some(place) = self.asked() else { return };
        let (count, deadline) = (1 + self.random.below(5), 200 + self.random.below(3_000));
        let consumer = self.random.below(3);
        self.pull(place, consumer, u32::try_from(count).unwrap(), deadline);
    }

    /// Mostly a recent one: those are the leases that still matter.
    fn some_lease(&mut self) -> Option<Given> {
        let recent = if self.random.percent(85) { 12 } else { 200 };
        let from = self.given.len().saturating_sub(recent);
        let count = self.given.len() - from;
        if count == 0 {
            return None;
        }
        let index = from + self.random.index(count);
        self.given.get(index).copied()
    }

    fn some_consumer_acks(&mut self) {
        let (Some(place), Some(given)) = (self.asked(), self.some_lease()) else { return };
        self.ack(place, given);
    }

    fn some_consumer_nacks(&mut self) {
        let (Some(place), Some(given)) = (self.asked(), self.some_lease()) else { return };
        let delay = self.random.percent(50).then(|| Duration::from_millis(self.random.below(300)));
        self.nack(place, given, delay);
    }

    fn some_consumer_goes(&mut self) {
        let Some(place) = self.asked() else { return };
        let consumer = 1 + self.random.below(2);
        self.release(place, consumer);
    }
}
