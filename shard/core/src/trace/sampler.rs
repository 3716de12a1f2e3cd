//! Which traces are recorded: those that whoever began them has recorded, and a share of those that begin here.

use std::{fmt, str::FromStr};

use super::{TraceContext, TraceId};

/// How many of a million.
const WHOLE: u32 = 1_000_000;

/// A share from 0 to 1, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ratio(u32);

/// Decides which traces are recorded. The same trace is decided alike by everyone with the same ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampler {
    /// Traces whose last 56 bits are below are recorded.
    threshold: u128,
}

impl Ratio {
    /// None at all.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(WHOLE);

    /// So many of a million; all if there are more.
    #[must_use]
    pub const fn millionths(count: u32) -> Self {
        Self(if count > WHOLE { WHOLE } else { count })
    }
}

impl FromStr for Ratio {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let ratio: f64 = text.parse().map_err(|_| ())?;
        if !(0.0..=1.0).contains(&ratio) {
            return Err(());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies between 0 and a million")]
        Ok(Self((ratio * f64::from(WHOLE)).round() as u32))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", f64::from(self.0) / f64::from(WHOLE))
    }
}

impl Sampler {
    /// Records so many of the traces that begin here.
    #[must_use]
    pub fn new(ratio: Ratio) -> Self {
        Self { threshold: (u128::from(ratio.0) << 56) / u128::from(WHOLE) }
    }

    /// Whether something is recorded that follows from `parent`, if that was said.
    #[must_use]
    pub fn samples(self, parent: Option<TraceContext>, trace: TraceId) -> bool {
        match parent {
            Some(parent) => parent.is_sampled(),
            // The last bytes, which are random in whatever way the others were made.
            None => u128::from_be_bytes(trace.bytes()) & ((1 << 56) - 1) < self.threshold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::SpanId;

    /// Traces spread evenly over all there are.
    fn traces(count: u64) -> impl Iterator<Item = TraceId> {
        let middle = move |place: u64| (2 * u128::from(place) + 1) * (1 << 56) / (2 * u128::from(count));
        (0..count).filter_map(move |place| TraceId::new((middle(place) | (1 << 100)).to_be_bytes()))
    }

    #[test]
    fn a_share_of_the_traces_that_begin_here_is_recorded() {
        for (text, expected) in [("0", 0), ("0.01", 100), ("0.5", 5_000), ("1", 10_000)] {
            let sampler = Sampler::new(text.parse().unwrap());
            let count = traces(10_000).filter(|trace| sampler.samples(None, *trace)).count();
            assert_eq!(count, expected, "{text}");
        }
    }

    #[test]
    fn whoever_began_a_trace_decides() {
        let (trace, span) = (TraceId::new([1; 16]).unwrap(), SpanId::new([2; 8]).unwrap());
        for (ratio, is_sampled) in [(Ratio::NONE, true), (Ratio::ALL, false)] {
            let parent = TraceContext::new(trace, span, is_sampled);
            assert_eq!(Sampler::new(ratio).samples(Some(parent), trace), is_sampled);
        }
    }

    #[test]
    fn a_ratio_lies_between_0_and_1() {
        for text in ["0", "1", "0.000001", "0.01", "0.25"] {
            assert_eq!(text.parse::<Ratio>().unwrap().to_string(), text);
        }
        for wrong in ["-0.1", "1.1", "1 %", "", "NaN", "inf"] {
            assert_eq!(wrong.parse::<Ratio>(), Err(()), "{wrong}");
        }
        assert_eq!(Ratio::millionths(2_000_000), Ratio::ALL);
    }
}
