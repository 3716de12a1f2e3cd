//! What the principals use of this node, over all its cores: a few numbers each, changed without a lock.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use raft::metadata::PrincipalName;

use super::rate::{Passed, Rate, Wait};
use crate::limits;

/// What one principal uses.
#[derive(Debug, Default)]
pub struct Usage {
    /// Until when its requests are paid for, in nanoseconds; likewise the next two.
    pub(super) requests: Spent,
    pub(super) bytes: Spent,
    pub(super) messages: Spent,
    pub(super) connections: AtomicU64,
    pub(super) in_flight: AtomicU64,
}

/// The state of one rate, shared by the cores.
#[derive(Debug, Default)]
pub(super) struct Spent(AtomicU64);

/// One of something of which a principal may have only so many; dropping it gives it back.
#[derive(Debug)]
pub struct Hold {
    usage: Arc<Usage>,
    kind: Held,
}

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// A connection that stays.
    Connection,
    /// A request that is being answered.
    InFlight,
}

/// The usage of each principal that has been seen.
#[derive(Debug, Default)]
pub struct Usages {
    by_name: ArcSwap<BTreeMap<PrincipalName, Arc<Usage>>>,
}

impl Spent {
    /// Lets so many units pass, or says when they may.
    pub(super) fn take(&self, rate: Rate, now: u64, units: u64) -> Result<Passed, Wait> {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let passed = rate.take(seen, now, units)?;
            match self.0.compare_exchange_weak(seen, passed.paid_until, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(passed),
                Err(other) => seen = other,
            }
        }
    }

    /// Counts what has passed already.
    pub(super) fn charge(&self, rate: Rate, now: u64, units: u64) {
        let charged = |seen| Some(rate.charge(seen, now, units));
        // It always gives a new value.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charged);
    }

    /// Until when all that has passed is paid for.
    pub(super) fn paid_until(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Usage {
    /// Takes one of at most `max`; none if all are taken.
    #[must_use]
    pub fn hold(self: &Arc<Self>, kind: Held, max: u64) -> Option<Hold> {
        let count = self.count(kind);
        let more = |held: u64| (held < max).then_some(held + 1);
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Hold { usage: Arc::clone(self), kind })
    }

    const fn count(&self, kind: Held) -> &AtomicU64 {
        match kind {
            Held::Connection => &self.connections,
            Held::InFlight => &self.in_flight,
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.usage.count(self.kind).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Usages {
    /// The usage of a principal, the same on every core.
    #[must_use]
    pub fn of(&self, name: &PrincipalName) -> Arc<Usage> {
        if let Some(usage) = self.by_name.load().get(name) {
            return Arc::clone(usage);
        }
        let new = Arc::<Usage>::default();
        self.by_name.rcu(|known| {
            let mut known = BTreeMap::clone(known);
            if known.len() >= limits::USAGES_MAX {
                // Whoever is held by nobody is remembered by no request, connection or core.
                known.retain(|_, usage| Arc::strong_count(usage) > 2);
            }
            known.entry(name.clone()).or_insert_with(|| Arc::clone(&new));
            known
        });
        self.by_name.load().get(name).map_or(new, Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_held_than_may_be() {
        let usage = Arc::<Usage>::default();
        let one = usage.hold(Held::InFlight, 2).unwrap();
        let _two = usage.hold(Held::InFlight, 2).unwrap();
        assert!(usage.hold(Held::InFlight, 2).is_none());
        assert!(usage.hold(Held::Connection, 1).is_some(), "each kind counts for itself");
        drop(one);
        assert!(usage.hold(Held::InFlight, 2).is_some());
    }

    #[test]
    fn cores_share_one_rate() {
        let usages = Arc::<Usages>::default();
        let name = PrincipalName::new("ci").unwrap();
        let rate = Rate::per_second(100);
        let passed: usize = std::thread::scope(|scope| {
            let cores: Vec<_> = (0..4)
                .map(|_| {
                    let usage = usages.of(&name);
                    scope.spawn(move || (0..100).filter(|_| usage.requests.take(rate, 1, 1).is_ok()).count())
                })
                .collect();
            cores.into_iter().map(|core| core.join().unwrap()).sum()
        });
        assert_eq!(passed, 100);
    }

    #[test]
    fn a_principal_has_one_usage() {
        let usages = Usages::default();
        let (ci, other) = (PrincipalName::new("ci").unwrap(), PrincipalName::new("other").unwrap());
        assert!(Arc::ptr_eq(&usages.of(&ci), &usages.of(&ci)));
        assert!(!Arc::ptr_eq(&usages.of(&ci), &usages.of(&other)));
    }
}
