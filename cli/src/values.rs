//! Values on the command line that are more than a word or a number.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use gateway_api::Nullable;
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};

use crate::limits;

/// A parser for one word of a fixed set, as the API writes them.
pub(crate) fn word<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| T::deserialize(StrDeserializer::<Error>::new(&word)))
}

/// A duration in milliseconds: `500`, `500ms`, `30s`, `10m`, `12h` or `7d`.
pub(crate) fn milliseconds(text: &str) -> Result<u64, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("", 1)];
    scaled(text, &units).ok_or_else(|| "expected a duration such as 500ms, 30s, 10m, 12h or 7d".to_owned())
}

/// A pause in seconds: `2` or `0.5`.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0 && *seconds <= limits::WATCH_SECONDS_MAX);
    let pause = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    pause.ok_or_else(|| "expected seconds, such as 2 or 0.5, at most a day".to_owned())
}

/// A number of bytes: `1000`, `64KiB`, `16MiB` or `1GiB`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("", 1)];
    scaled(text, &units).ok_or_else(|| "expected a number of bytes such as 1000, 64KiB, 16MiB or 1GiB".to_owned())
}

/// A duration, or `none` for no limit.
pub(crate) fn milliseconds_or_none(text: &str) -> Result<Nullable<u64>, String> {
    or_none(text, milliseconds)
}

/// A number of bytes, or `none` for no limit.
pub(crate) fn bytes_or_none(text: &str) -> Result<Nullable<u64>, String> {
    or_none(text, bytes)
}

/// A text, or `none` to take it away.
pub(crate) fn text_or_none(text: &str) -> Result<Nullable<String>, String> {
    or_none(text, |text| Ok(text.to_owned()))
}

/// A name and its value: `colour=red`.
pub(crate) fn attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// A partition and an offset: `0=42`.
pub(crate) fn partition_offset(text: &str) -> Result<(u32, u64), String> {
    let parsed =
        text.split_once('=').and_then(|(partition, offset)| Some((partition.parse().ok()?, offset.parse().ok()?)));
    parsed.ok_or_else(|| "expected PARTITION=OFFSET, such as 0=42".to_owned())
}

/// A rate: `100` or `100/s`.
pub(crate) fn per_second(text: &str) -> Result<f64, String> {
    let rate = text.strip_suffix("/s").unwrap_or(text).parse::<f64>().ok();
    rate.filter(|rate| rate.is_finite() && *rate > 0.0)
        .ok_or_else(|| "expected messages per second, such as 100 or 0.5/s".to_owned())
}

fn or_none<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Nullable<T>, String> {
    if text == "none" { Ok(Nullable::Null) } else { parse(text).map(Nullable::Value) }
}

/// The number before one of the units; the empty unit is last.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, factor) = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let good = [("500", 500), ("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("12h", 43_200_000)];
        for (text, expected) in good {
            assert_eq!(milliseconds(text), Ok(expected), "{text}");
        }
        for text in ["", "s", "-1s", "1.5s", "1w", "99999999999999999999d"] {
            assert!(milliseconds(text).is_err(), "{text}");
        }
        assert_eq!(milliseconds_or_none("none"), Ok(Nullable::Null));
        assert_eq!(milliseconds_or_none("7d"), Ok(Nullable::Value(604_800_000)));
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!((bytes("10"), bytes("64KiB"), bytes("1GiB")), (Ok(10), Ok(65_536), Ok(1 << 30)));
        assert!(bytes("1kB").is_err());
    }

    #[test]
    fn pairs_are_split_at_the_first_equals_sign() {
        assert_eq!(attribute("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(attribute("=b").is_err() && attribute("ab").is_err());
        assert_eq!(partition_offset("3=42"), Ok((3, 42)));
        assert!(partition_offset("3=x").is_err());
    }

    #[test]
    fn a_rate_is_above_zero() {
        assert_eq!((per_second("100"), per_second("0.5/s")), (Ok(100.0), Ok(0.5)));
        assert!(["0", "-1", "inf", "NaN", "x"].iter().all(|text| per_second(text).is_err()));
    }
}
