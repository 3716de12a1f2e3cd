//! How large messages are: one size, a range, or a mix. Pure: the same draw gives the same size in every run.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor, value};
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::{MESSAGE_BYTES_MAX, SIZE_SHARES_MAX};
use crate::workload::WorkloadError;

/// A distribution of payload sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Sizes {
    /// All are of one size.
    Fixed(usize),
    /// Evenly spread.
    Range(SizeRange),
    /// So many parts of each.
    Mix(Vec<SizeShare>),
}

/// Sizes from `min` to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SizeRange {
    pub min: usize,
    pub max: usize,
}

/// `weight` parts of the messages have this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SizeShare {
    pub bytes: usize,
    pub weight: u32,
}

impl Sizes {
    /// The smallest.
    #[must_use]
    pub fn min(&self) -> usize {
        match self {
            Self::Fixed(bytes) => *bytes,
            Self::Range(range) => range.min,
            Self::Mix(shares) => shares.iter().map(|share| share.bytes).min().unwrap_or(0),
        }
    }

    /// The largest.
    #[must_use]
    pub fn max(&self) -> usize {
        match self {
            Self::Fixed(bytes) => *bytes,
            Self::Range(range) => range.max,
            Self::Mix(shares) => shares.iter().map(|share| share.bytes).max().unwrap_or(0),
        }
    }

    /// The size of draw `index`. Draws that follow each other are spread like the whole: a hundred of them come as near to
    /// the distribution as a hundred can.
    #[must_use]
    pub fn draw(&self, index: u64) -> usize {
        match self {
            Self::Fixed(bytes) => *bytes,
            Self::Range(SizeRange { min, max }) => {
                let span = u64::try_from(max.saturating_sub(*min)).unwrap_or(u64::MAX).saturating_add(1);
                min.saturating_add(usize::try_from(part_of(span, index)).unwrap_or(0))
            }
            Self::Mix(shares) => {
                let mut place = part_of(shares.iter().map(|share| u64::from(share.weight)).sum(), index);
                let share = shares.iter().find(|share| {
                    let weight = u64::from(share.weight);
                    let found = place < weight;
                    place = place.saturating_sub(weight);
                    found
                });
                share.map_or(0, |share| share.bytes)
            }
        }
    }

    /// Whether messages can be made of it.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), WorkloadError> {
        let problem = |reason| Err(WorkloadError::Sizes { reason });
        match self {
            Self::Range(range) if range.min > range.max => {
                return problem("the sizes of messages have a min above their max");
            }
            Self::Mix(shares) if shares.iter().all(|share| share.weight == 0) => {
                return problem("a mix of sizes needs at least one with a weight");
            }
            Self::Mix(shares) if shares.len() > SIZE_SHARES_MAX => return problem("a mix has at most 64 sizes"),
            Self::Fixed(_) | Self::Range(_) | Self::Mix(_) => {}
        }
        let (min, max) = (1, MESSAGE_BYTES_MAX as u64);
        for bytes in [self.min(), self.max()] {
            let value = bytes as u64;
            if !(min..=max).contains(&value) {
                return Err(WorkloadError::OutOfRange { option: "message-bytes", value, min, max });
            }
        }
        Ok(())
    }
}

/// A place in `0..whole`, spread by the golden ratio, which leaves no gap for long.
fn part_of(whole: u64, index: u64) -> u64 {
    let turn = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u64::try_from((u128::from(turn) * u128::from(whole)) >> 64).unwrap_or(0)
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(bytes) => write!(f, "{bytes}"),
            Self::Range(SizeRange { min, max }) => write!(f, "{min} to {max}"),
            Self::Mix(shares) => write!(f, "a mix of {} to {}", self.min(), self.max()).and_then(|()| {
                let whole: u64 = shares.iter().map(|share| u64::from(share.weight)).sum();
                shares.iter().try_for_each(|share| write!(f, ", {}/{whole} of {}", share.weight, share.bytes))
            }),
        }
    }
}

impl FromStr for Sizes {
    type Err = String;

    /// As on the command line: `256`, `16-1024`, or `16x90,1024x9,65536x1`.
    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = |text: &str| text.parse::<usize>().map_err(|_| format!("`{text}` is not a number of bytes"));
        if let Some((min, max)) = text.split_once('-') {
            return Ok(Self::Range(SizeRange { min: bytes(min)?, max: bytes(max)? }));
        }
        if !text.contains('x') {
            return bytes(text).map(Self::Fixed);
        }
        let share = |part: &str| {
            let (size, weight) = part.split_once('x').ok_or_else(|| format!("`{part}` is not BYTESxWEIGHT"))?;
            let weight = weight.parse().map_err(|_| format!("`{weight}` is not a weight"))?;
            Ok(SizeShare { bytes: bytes(size)?, weight })
        };
        text.split(',').map(share).collect::<Result<_, String>>().map(Self::Mix)
    }
}

impl<'de> Deserialize<'de> for Sizes {
    /// By what is there, so that an error is about that and not about all that could have been.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnySizes;
        impl<'de> Visitor<'de> for AnySizes {
            type Value = Sizes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, {min, max}, or a list of {bytes, weight}")
            }

            fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<Sizes, E> {
                usize::try_from(bytes).map(Sizes::Fixed).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Sizes, A::Error> {
                SizeRange::deserialize(value::MapAccessDeserializer::new(map)).map(Sizes::Range)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Sizes, A::Error> {
                let mut shares = Vec::new();
                while let Some(share) = items.next_element()? {
                    if shares.len() == SIZE_SHARES_MAX {
                        return Err(A::Error::custom("a mix has at most 64 sizes"));
                    }
                    shares.push(share);
                }
                Ok(Sizes::Mix(shares))
            }
        }
        deserializer.deserialize_any(AnySizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(shares: &[(usize, u32)]) -> Sizes {
        Sizes::Mix(shares.iter().map(|(bytes, weight)| SizeShare { bytes: *bytes, weight: *weight }).collect())
    }

    #[test]
    fn a_hundred_draws_of_a_mix_have_its_shares() {
        let sizes = mix(&[(16, 90), (1_024, 9), (65_536, 1)]);
        let mut counts = std::collections::BTreeMap::new();
        for index in 0..1_000 {
            *counts.entry(sizes.draw(index)).or_insert(0_i32) += 1;
        }
        for (bytes, wanted) in [(16, 900), (1_024, 90), (65_536, 10)] {
            assert!((counts[&bytes] - wanted).abs() <= 2, "{counts:?}");
        }
    }

    #[test]
    fn a_range_is_drawn_from_end_to_end() {
        let sizes = Sizes::Range(SizeRange { min: 10, max: 12 });
        let mut drawn: Vec<usize> = (0..30).map(|index| sizes.draw(index)).collect();
        let sum: usize = drawn.iter().sum();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn, [10, 11, 12]);
        assert!((328..=332).contains(&sum), "{sum}");
    }

    #[test]
    fn each_form_is_read_and_written_alike() {
        for (text, sizes) in [
            ("256", Sizes::Fixed(256)),
            (r#"{"min":1,"max":9}"#, Sizes::Range(SizeRange { min: 1, max: 9 })),
            (r#"[{"bytes":16,"weight":3},{"bytes":99,"weight":1}]"#, mix(&[(16, 3), (99, 1)])),
        ] {
            assert_eq!(serde_json::from_str::<Sizes>(text).unwrap(), sizes);
            assert_eq!(serde_json::to_string(&sizes).unwrap(), text);
        }
    }

    #[test]
    fn the_command_line_has_each_form() {
        assert_eq!("256".parse(), Ok(Sizes::Fixed(256)));
        assert_eq!("16-99".parse(), Ok(Sizes::Range(SizeRange { min: 16, max: 99 })));
        assert_eq!("16x3,99x1".parse(), Ok(mix(&[(16, 3), (99, 1)])));
        for text in ["", "x", "16-", "16x3,99", "16xy"] {
            assert!(text.parse::<Sizes>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_is_about_what_was_given() {
        for (text, part) in [
            ("\"big\"", "a number of bytes, {min, max}, or a list"),
            (r#"{"min":1}"#, "missing field `max`"),
            (r#"[{"bytes":1,"weigth":1}]"#, "unknown field `weigth`"),
        ] {
            let error = serde_json::from_str::<Sizes>(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_no_message_can_be_made_of_is_refused() {
        assert!(Sizes::Fixed(0).check().is_err());
        assert!(Sizes::Range(SizeRange { min: 9, max: 8 }).check().is_err());
        assert!(mix(&[(16, 0)]).check().is_err());
        assert!(mix(&[(16, 1), (2 << 20, 1)]).check().is_err());
        assert_eq!(mix(&[(16, 1), (1 << 20, 1)]).check(), Ok(()));
    }
}
