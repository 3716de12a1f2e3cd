//! How often a group may change.

use shard_core::model::Monotonic;

use crate::limits;

/// What happens to a group is gathered for [`limits::GROUP_WINDOW`], so that what happens together is one change. A few
/// changes may follow each other like that; over time there is one in [`limits::GROUP_CHANGE_INTERVAL`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Where the last change would be if all had kept the interval.
    even: Monotonic,
}

impl Pace {
    /// When the next change may be made if what it is for began `since` then.
    pub(super) fn due(self, since: Monotonic) -> Monotonic {
        let ahead = limits::GROUP_CHANGE_INTERVAL * (limits::GROUP_CHANGES_AHEAD_MAX - 1);
        let micros = u64::try_from(ahead.as_micros()).unwrap_or(u64::MAX);
        let allowed = Monotonic::from_micros(self.even.as_micros().saturating_sub(micros));
        since.plus(limits::GROUP_WINDOW).max(allowed)
    }

    /// When it is as if there had been no change.
    pub(super) const fn settled_at(self) -> Monotonic {
        self.even
    }

    /// A change is made now.
    pub(super) fn note(&mut self, now: Monotonic) {
        self.even = self.even.max(now).plus(limits::GROUP_CHANGE_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_of_events_makes_a_bounded_number_of_changes() {
        let mut pace = Pace::default();
        let start = Monotonic::from_micros(1_000_000_000);
        let (mut now, mut changes) = (start, 0);
        while now.since(start) < Duration::from_secs(10) {
            now = pace.due(now).max(now);
            pace.note(now);
            changes += 1;
        }
        assert!((50..=55).contains(&changes), "{changes} changes in ten seconds");
    }

    #[test]
    fn a_quiet_group_waits_for_the_window_only() {
        let now = Monotonic::from_micros(1_000_000_000);
        assert_eq!(Pace::default().due(now).since(now), limits::GROUP_WINDOW);
    }
}
