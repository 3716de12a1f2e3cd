//! When each request of a run is meant to be sent. Pure: it knows no clock, only times since the run's start.
//!
//! In an open loop the arrival times are fixed in advance, whatever the server does. A request that could not be sent in
//! time keeps its intended time, and its latency counts from there, so that a stall shows in every request it delayed.

mod ramp;

use std::num::NonZeroU64;
use std::time::Duration;

pub use ramp::Ramp;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// What decides when the next request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Requests arrive at a fixed rate.
    Open(Rate),
    /// Requests arrive at a rate that changes evenly.
    Ramp(Ramp),
    /// A request follows as soon as a connection is free.
    Closed,
}

/// An arrival rate in messages, for requests that carry several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    messages_per_second: NonZeroU64,
    messages_per_request: NonZeroU64,
}

impl Rate {
    /// `messages_per_second`, sent in requests of `messages_per_request`.
    #[must_use]
    pub fn new(messages_per_second: NonZeroU64, messages_per_request: NonZeroU64) -> Self {
        Self { messages_per_second, messages_per_request }
    }

    /// When request `index` is due: exact to the nanosecond below, without drift, saturating after 500 years.
    #[must_use]
    pub fn intended(self, index: u64) -> Duration {
        let messages = u128::from(index) * u128::from(self.messages_per_request.get());
        let per_second = u128::from(self.messages_per_second.get());
        let Ok(seconds) = u64::try_from(messages / per_second) else { return Duration::MAX };
        // The remainder is below `per_second`, so the quotient is below one second.
        let nanos = u32::try_from((messages % per_second) * NANOS_PER_SECOND / per_second).unwrap_or(0);
        Duration::new(seconds, nanos)
    }
}

/// One request that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its place in the whole run.
    pub index: u64,
    /// When it is meant to be sent, since the run's start. Its latency counts from here.
    pub intended: Duration,
}

/// One worker's share of a run's arrivals: every `stride`-th, beginning with its own number.
///
/// The worker's connections take arrivals from it as they become free, so no arrival waits while a connection of the same
/// worker has nothing to do.
#[derive(Debug)]
pub struct Arrivals {
    pace: Pace,
    next_index: u64,
    stride: NonZeroU64,
    index_end: u64,
    end: Duration,
}

impl Arrivals {
    /// The share of `worker` out of `workers`, of a run that ends at `end` or after `requests`.
    #[must_use]
    pub fn new(pace: Pace, worker: u64, workers: NonZeroU64, bounds: Bounds) -> Self {
        Self {
            pace,
            next_index: worker,
            stride: workers,
            index_end: bounds.requests.unwrap_or(u64::MAX),
            end: bounds.end,
        }
    }

    /// The next arrival for a connection that is free at `now`; `None` once the run is over.
    pub fn take(&mut self, now: Duration) -> Option<Arrival> {
        if now >= self.end { None } else { self.next(now) }
    }

    /// An arrival that was due before the run's end and that nobody took; for the account of what was not sent.
    pub fn take_unsent(&mut self) -> Option<Arrival> {
        match self.pace {
            Pace::Open(_) | Pace::Ramp(_) => self.next(self.end),
            Pace::Closed => None,
        }
    }

    fn next(&mut self, now: Duration) -> Option<Arrival> {
        let index = self.next_index;
        let intended = match self.pace {
            Pace::Open(rate) => rate.intended(index),
            Pace::Ramp(ramp) => ramp.intended(index),
            Pace::Closed => now,
        };
        if index >= self.index_end || intended >= self.end {
            return None;
        }
        self.next_index = index.saturating_add(self.stride.get());
        Some(Arrival { index, intended })
    }
}

/// When a run ends: at a time, or after a number of requests if that comes first.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// No request is due at or after this time.
    pub end: Duration,
    /// No more requests than this, over all workers.
    pub requests: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(messages_per_second: u64, messages_per_request: u64) -> Rate {
        Rate::new(NonZeroU64::new(messages_per_second).unwrap(), NonZeroU64::new(messages_per_request).unwrap())
    }

    fn share(pace: Pace, worker: u64, workers: u64, bounds: Bounds) -> Arrivals {
        Arrivals::new(pace, worker, NonZeroU64::new(workers).unwrap(), bounds)
    }

    #[test]
    fn a_thousand_a_second_is_one_each_millisecond() {
        let times: Vec<_> = (0..3).map(|index| rate(1_000, 1).intended(index)).collect();
        assert_eq!(times, [0, 1, 2].map(Duration::from_millis));
    }

    #[test]
    fn batches_share_the_message_rate() {
        assert_eq!(rate(10_000, 100).intended(1), Duration::from_millis(10));
        assert_eq!(rate(10_000, 100).intended(100), Duration::from_secs(1));
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        // After an hour at 7 a second, a rounded interval of 142857142 ns would be 3.6 µs early.
        assert_eq!(rate(7, 1).intended(7 * 3_600), Duration::from_hours(1));
        assert_eq!(rate(7, 1).intended(1), Duration::from_nanos(142_857_142));
    }

    #[test]
    fn an_hour_at_a_rate_holds_exactly_its_messages() {
        let bounds = Bounds { end: Duration::from_hours(1), requests: None };
        let mut arrivals = share(Pace::Open(rate(333, 1)), 0, 1, bounds);
        let mut count = 0;
        while arrivals.take(Duration::ZERO).is_some() {
            count += 1;
        }
        assert_eq!(count, 333 * 3_600);
    }

    #[test]
    fn nothing_is_taken_after_the_end_but_the_rest_is_known_as_unsent() {
        let bounds = Bounds { end: Duration::from_secs(1), requests: None };
        let mut arrivals = share(Pace::Open(rate(10, 1)), 0, 1, bounds);
        for _ in 0..4 {
            arrivals.take(Duration::ZERO).unwrap();
        }
        assert_eq!(arrivals.take(Duration::from_secs(1)), None);
        let mut unsent = Vec::new();
        while let Some(arrival) = arrivals.take_unsent() {
            unsent.push(arrival.index);
        }
        assert_eq!(unsent, [4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_closed_loop_is_due_when_a_connection_is_free_and_ends_by_count() {
        let bounds = Bounds { end: Duration::from_secs(9), requests: Some(2) };
        let mut arrivals = share(Pace::Closed, 0, 1, bounds);
        let now = Duration::from_millis(1_234);
        assert_eq!(arrivals.take(now), Some(Arrival { index: 0, intended: now }));
        assert!(arrivals.take(now).is_some());
        assert_eq!(arrivals.take(now), None);
        assert_eq!(arrivals.take_unsent(), None);
    }

    proptest! {
        #[test]
        fn workers_share_every_arrival_once(per_second in 1_u64..5_000, batch in 1_u64..50, workers in 1_u64..9) {
            let bounds = Bounds { end: Duration::from_secs(1), requests: None };
            let pace = Pace::Open(rate(per_second, batch));
            let mut seen = Vec::new();
            for worker in 0..workers {
                let mut arrivals = share(pace, worker, workers, bounds);
                while let Some(arrival) = arrivals.take(Duration::ZERO) {
                    seen.push(arrival.index);
                }
            }
            seen.sort_unstable();
            let expected: Vec<_> = (0..per_second.div_ceil(batch)).collect();
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn intended_times_never_fall(per_second in 1_u64..2_000_000_000, batch in 1_u64..10_000, index in 0..u64::MAX - 1) {
            prop_assert!(rate(per_second, batch).intended(index) <= rate(per_second, batch).intended(index + 1));
        }
    }

    #[test]
    fn what_is_due_after_the_end_of_time_is_due_then() {
        let (slow, index) = (rate(940, 1_372), 14_328_279_854_701_523_689);
        assert_eq!((slow.intended(index), slow.intended(index + 1)), (Duration::MAX, Duration::MAX));
    }
}
