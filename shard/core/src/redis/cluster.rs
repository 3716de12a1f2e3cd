//! Which server of a Redis Cluster has a key: hash slots, the map that `CLUSTER SLOTS` tells, and redirections.
//!
//! By the Redis Cluster specification (`redis.io/docs/reference/cluster-spec`): 16,384 slots, the CRC-16 (XMODEM) of the
//! key's hash tag modulo their number.

use std::{collections::BTreeMap, fmt};

/// How many hash slots there are.
const SLOTS: u16 = 16_384;

/// Where a server is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerAddress {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A hash slot: the keys of one are on one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(u16);

/// The masters of a cluster with their slots, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotMap {
    /// By the last slot of each range: its first slot, and who has it.
    ranges: BTreeMap<u16, (u16, ServerAddress)>,
}

impl ServerAddress {
    /// Reads `HOST:PORT`; an IPv6 address may stand in brackets or not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().ok().filter(|port| *port != 0)?;
        (!host.is_empty()).then(|| Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Slot {
    /// The slot of a key: of what stands between its first braces, if anything does.
    #[must_use]
    pub fn of_key(key: &str) -> Self {
        let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
        let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
        Self(crc16(hashed.as_bytes()) % SLOTS)
    }
}

impl SlotMap {
    /// Enters that a server has the slots from `first` to `last`; a range that makes no sense is left out.
    pub fn enter(&mut self, first: u64, last: u64, server: ServerAddress) {
        if let (Ok(first), Ok(last)) = (u16::try_from(first), u16::try_from(last))
            && first <= last
            && last < SLOTS
        {
            self.ranges.insert(last, (first, server));
        }
    }

    /// Who has a slot.
    #[must_use]
    pub fn server_of(&self, slot: Slot) -> Option<&ServerAddress> {
        let (_, (first, server)) = self.ranges.range(slot.0..).next()?;
        (*first <= slot.0).then_some(server)
    }

    /// Every server, once.
    #[must_use]
    pub fn servers(&self) -> Vec<ServerAddress> {
        let mut servers: Vec<_> = self.ranges.values().map(|(_, server)| server.clone()).collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }

    /// Forgets who has a slot, and the others of its range.
    pub fn forget(&mut self, slot: Slot) {
        let found = self.ranges.range(slot.0..).next().map(|(&last, _)| last);
        if let Some(last) = found.filter(|_| self.server_of(slot).is_some()) {
            self.ranges.remove(&last);
        }
    }
}

/// CRC-16/XMODEM, a bit at a time: it is asked for once for each partition that is opened.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(
            crc ^ (u16::from(byte) << 8),
            |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(port: u16) -> ServerAddress {
        ServerAddress { host: "127.0.0.1".to_owned(), port }
    }

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(Slot::of_key("foo"), Slot(12_182));
        assert_eq!(Slot::of_key("{foo}:log:1"), Slot(12_182));
        assert_eq!(Slot::of_key("{}foo"), Slot(crc16(b"{}foo") % SLOTS));
        assert_eq!(Slot::of_key("a{foo"), Slot(crc16(b"a{foo") % SLOTS));
    }

    #[test]
    fn a_slot_is_found_in_its_range_and_nowhere_else() {
        let mut map = SlotMap::default();
        map.enter(0, 99, server(1));
        map.enter(200, 16_383, server(2));
        map.enter(5, 3, server(3));
        map.enter(100, 16_384, server(3));
        let port_of = |map: &SlotMap, slot| map.server_of(Slot(slot)).map(|server| server.port);
        assert_eq!(
            [0, 99, 100, 199, 200, 16_383].map(|slot| port_of(&map, slot)),
            [Some(1), Some(1), None, None, Some(2), Some(2)]
        );
        assert_eq!(map.servers(), [server(1), server(2)]);
        map.forget(Slot(150));
        assert_eq!(map.servers().len(), 2);
        map.forget(Slot(50));
        assert_eq!((port_of(&map, 99), port_of(&map, 200)), (None, Some(2)));
    }

    #[test]
    fn addresses_are_read_as_they_are_written() {
        let host_of = |text| ServerAddress::parse(text).map(|address| (address.host, address.port));
        assert_eq!(host_of("redis-0.redis:6379"), Some(("redis-0.redis".to_owned(), 6379)));
        assert_eq!(host_of("[::1]:7000"), Some(("::1".to_owned(), 7000)));
        for wrong in ["", "redis", "redis:", ":6379", "redis:0", "redis:65536", "redis:-1"] {
            assert_eq!(host_of(wrong), None, "{wrong}");
        }
    }
}
