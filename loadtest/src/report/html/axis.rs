//! Axes: where a value lies between 0 and 1, and which values are written beside it. Pure.

/// Far more than fit beside an axis.
const TICKS_MAX: u32 = 100;

/// How values are spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Evenly, from 0.
    Linear {
        /// The value at the end.
        max: f64,
    },
    /// By their logarithms.
    Log {
        /// The value at the beginning; above 0.
        min: f64,
        /// The value at the end.
        max: f64,
    },
    /// Quantiles by their nines: 0.9, 0.99 and 0.999 have the same distance.
    Nines {
        /// The quantile at the end; below 1.
        max: f64,
    },
}

impl Scale {
    /// From 0 to a round number that is not below the largest value.
    #[must_use]
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Self {
        let largest = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
        let max = if largest > 0.0 { largest } else { 1.0 };
        let step = round_step(max / 4.0);
        Self::Linear { max: (max / step).ceil() * step }
    }

    /// From and to a power of ten, or half of one, around the values.
    #[must_use]
    pub(super) fn log(values: impl Iterator<Item = f64>) -> Self {
        let positive = |value: &f64| value.is_finite() && *value > 0.0;
        let (smallest, largest) = values
            .filter(positive)
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        if largest <= 0.0 {
            return Self::Log { min: 1.0, max: 10.0 };
        }
        let below = |value: f64| {
            let power = 10_f64.powf(value.log10().floor());
            [5.0, 2.0, 1.0].into_iter().map(|digit| digit * power).find(|step| *step <= value).unwrap_or(power)
        };
        let above = |value: f64| {
            let power = 10_f64.powf(value.log10().floor());
            [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power).find(|step| *step >= value).unwrap_or(power)
        };
        let (min, max) = (below(smallest), above(largest));
        if max > min { Self::Log { min, max } } else { Self::Log { min: min / 2.0, max: max * 2.0 } }
    }

    /// The place of a value, from 0 to 1; what lies outside is at the end.
    #[must_use]
    pub(super) fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { max } => value / max,
            Self::Log { min, max } => (value.max(min).log10() - min.log10()) / (max.log10() - min.log10()),
            Self::Nines { max } => nines(value.min(max)) / nines(max),
        };
        place.clamp(0.0, 1.0)
    }

    /// The values that are written beside the axis.
    #[must_use]
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear { max } => {
                let step = round_step(max / 4.0);
                let is_within = |tick: &f64| *tick <= max * (1.0 + 1e-9);
                (0..TICKS_MAX).map(|index| f64::from(index) * step).take_while(is_within).collect()
            }
            Self::Log { min, max } => log_ticks(min, max),
            Self::Nines { max } => {
                let quantiles = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999];
                quantiles.into_iter().filter(|quantile| *quantile <= max).collect()
            }
        }
    }
}

/// Powers of ten; with twos and fives between them if there would be few.
fn log_ticks(min: f64, max: f64) -> Vec<f64> {
    let (first, last) = (min.log10().floor(), max.log10().ceil());
    let decades = last - first;
    let digits: &[f64] = if decades <= 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let stride = (decades / 7.0).ceil().max(1.0);
    let powers = (0..TICKS_MAX).map(|index| first + f64::from(index) * stride).take_while(|power| *power <= last);
    let ticks = powers.flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powf(power)));
    ticks.filter(|tick| *tick >= min * 0.999 && *tick <= max * 1.001).collect()
}

fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-9).log10()
}

/// 1, 2 or 5 times a power of ten, not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|digit| digit * power)
        .find(|round| *round >= step * 0.999_999)
        .unwrap_or(power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(found: &[f64], expected: &[f64]) -> bool {
        found.len() == expected.len()
            && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= expected.abs() * 1e-9)
    }

    #[test]
    fn ticks_are_round() {
        assert!(close(&Scale::linear([83_000.0].into_iter()).ticks(), &[0.0, 50_000.0, 100_000.0]));
        assert!(close(&Scale::linear([0.7, f64::NAN].into_iter()).ticks(), &[0.0, 0.2, 0.4, 0.6, 0.8]));
        assert!(close(&Scale::linear(std::iter::empty()).ticks(), &[0.0, 0.5, 1.0]));
        assert!(close(&Scale::log([300.0, 41_000.0].into_iter()).ticks(), &[1_000.0, 10_000.0]));
        assert!(close(&Scale::log([300.0, 700.0].into_iter()).ticks(), &[200.0, 500.0, 1_000.0]));
        assert!(close(&Scale::Nines { max: 0.9995 }.ticks(), &[0.0, 0.5, 0.9, 0.99, 0.999]));
    }

    #[test]
    fn each_nine_has_the_same_width() {
        let scale = Scale::Nines { max: 0.9999 };
        for (quantile, place) in [(0.0, 0.0), (0.9, 0.25), (0.99, 0.5), (0.999, 0.75), (1.0, 1.0)] {
            assert!((scale.place(quantile) - place).abs() < 1e-6, "{quantile}");
        }
    }

    proptest! {
        #[test]
        fn every_value_lies_on_its_axis_in_order(mut values in prop::collection::vec(0.0_f64..1e12, 1..20)) {
            values.sort_by(f64::total_cmp);
            for scale in [Scale::linear(values.iter().copied()), Scale::log(values.iter().copied())] {
                let places: Vec<f64> = values.iter().map(|value| scale.place(*value)).collect();
                prop_assert!(places.iter().all(|place| (0.0..=1.0).contains(place)), "{scale:?}");
                prop_assert!(places.is_sorted(), "{scale:?}");
                prop_assert!((1..=12).contains(&scale.ticks().len()), "{scale:?}: {:?}", scale.ticks());
            }
        }
    }
}
