//! How many connections each address has, over all cores, without a lock and in a fixed amount of memory.
//!
//! A count-min sketch (Cormode and Muthukrishnan, 2005) of two rows: an address counts in one place of each, and has at
//! most as many connections as the lower of the two says. Two addresses that share both places are counted as one, which
//! takes some ten thousand busy addresses to be likely; the keys of the hashes are random, so that nobody can aim at it.

use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// The places of a row.
const PLACES: usize = 1 << 14;

/// The counts of a node.
#[derive(Debug)]
pub struct AddressCounts {
    /// The most connections of one address.
    connections_max: u32,
    rows: [Row; 2],
}

/// One connection that is counted, until it is dropped.
#[derive(Debug)]
pub struct AddressHold {
    counts: Arc<AddressCounts>,
    places: [usize; 2],
}

#[derive(Debug)]
struct Row {
    hash: RandomState,
    counts: Box<[AtomicU32]>,
}

impl AddressCounts {
    /// Lets each address have so many connections.
    #[must_use]
    pub fn new(connections_max: u32) -> Arc<Self> {
        Arc::new(Self { connections_max, rows: [Row::new(), Row::new()] })
    }

    /// Counts a connection; `None` if its address has as many as it may.
    #[must_use]
    pub fn open(self: &Arc<Self>, address: IpAddr) -> Option<AddressHold> {
        let counted = counted_as(address);
        let places = self.rows.each_ref().map(|row| row.place(counted));
        let hold = AddressHold { counts: Arc::clone(self), places };
        let others = self.rows.iter().zip(places).map(|(row, place)| row.add(place)).min().unwrap_or_default();
        (others < self.connections_max).then_some(hold)
    }
}

impl Drop for AddressHold {
    fn drop(&mut self) {
        for (row, place) in self.counts.rows.iter().zip(self.places) {
            row.take(place);
        }
    }
}

impl Row {
    fn new() -> Self {
        Self { hash: RandomState::new(), counts: (0..PLACES).map(|_| AtomicU32::new(0)).collect() }
    }

    fn place(&self, address: IpAddr) -> usize {
        usize::try_from(self.hash.hash_one(address) % PLACES as u64).unwrap_or_default()
    }

    /// Counts one more, and says how many there were.
    fn add(&self, place: usize) -> u32 {
        self.counts.get(place).map_or(0, |count| count.fetch_add(1, Ordering::Relaxed))
    }

    fn take(&self, place: usize) {
        if let Some(count) = self.counts.get(place) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Whose connections an address's are: whoever has an IPv6 address mostly has all of its network of 64 bits.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_and_gets_them_back() {
        let counts = AddressCounts::new(2);
        let (one, two) = (counts.open(address("10.0.0.1")).unwrap(), counts.open(address("10.0.0.1")).unwrap());
        assert!(counts.open(address("10.0.0.1")).is_none());
        assert!(counts.open(address("10.0.0.2")).is_some());
        drop(one);
        assert!(counts.open(address("10.0.0.1")).is_some());
        drop(two);
        let left: u32 = counts.rows.iter().flat_map(|row| &row.counts).map(|count| count.load(Ordering::Relaxed)).sum();
        assert_eq!(left, 0);
    }

    #[test]
    fn a_network_counts_as_one_and_so_does_an_address_however_it_is_written() {
        for (one, other, same) in [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
        ] {
            assert_eq!(counted_as(address(one)) == counted_as(address(other)), same, "{one} {other}");
        }
    }
}
