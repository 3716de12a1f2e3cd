//! How many requests may be begun in a second: a bucket of time that each request takes its share of.

use crate::model::Monotonic;

/// What may gather while nothing is sent: a tenth of a second's worth, or one request.
const BURST_MICROS: u64 = 100_000;

/// A token bucket in microseconds, so that nothing is lost to rounding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    per_second: Option<u32>,
    /// Time that has gathered and was not used, at `at`.
    credit_micros: u64,
    at: Monotonic,
}

impl Pace {
    pub(super) fn new(per_second: Option<u32>) -> Self {
        let mut pace = Self { per_second, credit_micros: 0, at: Monotonic::default() };
        pace.credit_micros = pace.capacity();
        pace
    }

    /// Another rate; what has gathered counts no more than it may gather then.
    pub(super) fn set_rate(&mut self, per_second: Option<u32>) {
        self.per_second = per_second;
        self.credit_micros = self.credit_micros.min(self.capacity());
    }

    /// How many requests may be begun, at least one; or when the next may.
    pub(super) fn available(&self, now: Monotonic) -> Result<u32, Monotonic> {
        let Some(interval) = self.interval() else { return Ok(u32::MAX) };
        let credit = self.credit(now);
        match u32::try_from(credit / interval).unwrap_or(u32::MAX) {
            0 => Err(now.plus(std::time::Duration::from_micros(interval - credit))),
            requests => Ok(requests),
        }
    }

    /// So many requests are begun.
    pub(super) fn take(&mut self, now: Monotonic, requests: u32) {
        let taken = self.interval().unwrap_or_default().saturating_mul(u64::from(requests));
        self.credit_micros = self.credit(now).saturating_sub(taken);
        self.at = self.at.max(now);
    }

    fn credit(&self, now: Monotonic) -> u64 {
        let gathered = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        self.credit_micros.saturating_add(gathered).min(self.capacity())
    }

    /// A request's share of time, rounded up: the rate is never exceeded.
    fn interval(&self) -> Option<u64> {
        self.per_second.map(|rate| 1_000_000_u64.div_ceil(u64::from(rate.max(1))))
    }

    fn capacity(&self) -> u64 {
        BURST_MICROS.max(self.interval().unwrap_or_default())
    }
}
