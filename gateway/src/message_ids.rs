//! Ids for messages whose publisher gave none: UUIDv7, in order on one core, without a system call each.

use std::hash::{BuildHasher, RandomState};

/// The bits of a UUIDv7 that are not time, version or variant.
const RANDOM_BITS: u32 = 74;

/// Makes ids (UUIDv7) that rise, even within a millisecond and when the clock goes back; one per core.
///
/// Cores and processes can't meet: each draws the random bits of every millisecond from its own keyed hash.
#[derive(Debug)]
pub struct MessageIds {
    keyed: RandomState,
    draws: u64,
    last_millis: u64,
    /// The last id's random bits.
    random: u128,
}

impl MessageIds {
    /// Keys a generator from the operating system's randomness.
    #[must_use]
    pub fn new() -> Self {
        Self { keyed: RandomState::new(), draws: 0, last_millis: 0, random: 0 }
    }

    /// The next id, at `now_millis` after the Unix epoch.
    pub fn next(&mut self, now_millis: u64) -> [u8; 16] {
        if now_millis > self.last_millis {
            self.last_millis = now_millis;
            // The top bit stays clear: room to count up within the millisecond.
            self.random = (u128::from(self.draw()) << 64 | u128::from(self.draw())) >> (128 - RANDOM_BITS + 1);
        } else {
            self.random += 1 + u128::from(self.draw() >> 40);
            if self.random >> RANDOM_BITS != 0 {
                self.last_millis += 1;
                self.random &= (1 << RANDOM_BITS) - 1;
            }
        }
        uuid_v7(self.last_millis, self.random)
    }

    fn draw(&mut self) -> u64 {
        self.draws += 1;
        self.keyed.hash_one(self.draws)
    }
}

impl Default for MessageIds {
    fn default() -> Self {
        Self::new()
    }
}

/// 48 bits of time, version 7, 12 random bits, variant 0b10, 62 random bits (RFC 9562, section 5.7).
fn uuid_v7(millis: u64, random: u128) -> [u8; 16] {
    let time = u128::from(millis) << 80;
    let upper = (random >> 62 & 0xfff) << 64;
    let lower = random & ((1 << 62) - 1);
    (time | 0x7 << 76 | upper | 0b10 << 62 | lower).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::{Uuid, Variant};

    use super::*;

    #[test]
    fn ids_are_uuids_of_version_7_with_the_time() {
        let millis = 1_700_000_000_123;
        let id = Uuid::from_bytes(MessageIds::new().next(millis));
        assert_eq!((id.get_version_num(), id.get_variant()), (7, Variant::RFC4122));
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        assert_eq!(seconds * 1_000 + u64::from(nanos) / 1_000_000, millis);
    }

    #[test]
    fn two_generators_never_meet() {
        let (mut one, mut other) = (MessageIds::new(), MessageIds::new());
        let ones: std::collections::HashSet<_> = (0..10_000).map(|_| one.next(5)).collect();
        assert_eq!(ones.len(), 10_000);
        assert!((0..10_000).all(|_| !ones.contains(&other.next(5))));
    }

    #[test]
    fn running_out_of_a_millisecond_takes_the_next() {
        let mut ids = MessageIds::new();
        let first = ids.next(9);
        ids.random = (1 << RANDOM_BITS) - 1;
        let last = ids.next(9);
        assert!(last > first);
        assert_eq!(ids.last_millis, 10);
    }

    proptest! {
        #[test]
        fn ids_rise_whatever_the_clock_does(clock in prop::collection::vec(0..1_000_u64, 1..200)) {
            let mut ids = MessageIds::new();
            let made: Vec<_> = clock.into_iter().map(|now| ids.next(now)).collect();
            prop_assert!(made.is_sorted_by(|a, b| a < b));
        }
    }
}
