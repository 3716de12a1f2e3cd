//! Times in JSON: milliseconds since 1970 as RFC 3339 text in UTC, and back.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cow_str::CowStr;

/// The length of every time as text: `2026-11-23T09:30:00.250Z`.
pub const TEXT_LENGTH: usize = 24;

/// The first millisecond of year 0, and the last of year 9999: what RFC 3339 can say.
const MIN_MS: i64 = -62_167_219_200_000;
const MAX_MS: i64 = 253_402_300_799_999;

/// A point in time, in milliseconds since 1970; RFC 3339 text in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time, such as 2026-11-23T09:30:00.250Z")]
pub struct TimestampError;

impl Timestamp {
    /// A time by its milliseconds since 1970.
    #[must_use]
    pub const fn from_unix_ms(unix_ms: i64) -> Self {
        Self(unix_ms)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn unix_ms(self) -> i64 {
        self.0
    }
}

/// The time as ASCII text. A time outside of the years 0 to 9999 becomes the nearest one inside.
#[must_use]
pub fn format(unix_ms: i64) -> [u8; TEXT_LENGTH] {
    const MS_PER_DAY: i64 = 86_400_000;
    let unix_ms = unix_ms.clamp(MIN_MS, MAX_MS);
    let (year, month, day) = civil_date(unix_ms.div_euclid(MS_PER_DAY));
    let ms = unix_ms.rem_euclid(MS_PER_DAY);
    let (hour, minute, second, ms) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000);
    [
        digit(year / 1_000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b'-',
        digit(month / 10),
        digit(month),
        b'-',
        digit(day / 10),
        digit(day),
        b'T',
        digit(hour / 10),
        digit(hour),
        b':',
        digit(minute / 10),
        digit(minute),
        b':',
        digit(second / 10),
        digit(second),
        b'.',
        digit(ms / 100),
        digit(ms / 10),
        digit(ms),
        b'Z',
    ]
}

/// Milliseconds since 1970 of a time in any offset; what is finer than a millisecond is cut off.
///
/// # Errors
/// The text is not RFC 3339.
pub fn parse(text: &str) -> Result<i64, TimestampError> {
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError)?;
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).map_err(|_| TimestampError)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format(self.0).iter().try_for_each(|byte| fmt::Write::write_char(f, char::from(*byte)))
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        parse(text).map(Self)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = CowStr::deserialize(deserializer)?;
        text.parse().map_err(|error| de::Error::custom(format_args!("`{text}`: {error}")))
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year, in eras of 400 years, which all have
/// the same number of days.
fn civil_date(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    const DAYS_FROM_0000_03_01_TO_1970: i64 = 719_468;
    let days = days + DAYS_FROM_0000_03_01_TO_1970;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next_year) = if month_from_march < 10 { (month_from_march + 3, 0) } else { (month_from_march - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
}

fn digit(number: i64) -> u8 {
    u8::try_from(number % 10).map_or(b'0', |digit| b'0' + digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::format_description::parse_borrowed;

    use super::*;

    #[test]
    fn times_have_three_digits_of_milliseconds() {
        assert_eq!(Timestamp::from_unix_ms(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_unix_ms(1_795_426_200_250).to_string(), "2026-11-23T09:30:00.250Z");
        assert_eq!(Timestamp::from_unix_ms(951_782_400_001).to_string(), "2000-02-29T00:00:00.001Z");
        assert_eq!(Timestamp::from_unix_ms(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn what_rfc_3339_cannot_say_becomes_the_nearest_time() {
        assert_eq!(Timestamp::from_unix_ms(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_unix_ms(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn other_offsets_are_understood() {
        assert_eq!(parse("2026-11-23T10:30:00.2509+01:00"), Ok(1_795_426_200_250));
        assert_eq!(parse("2026-11-23"), Err(TimestampError));
        assert_eq!(parse(""), Err(TimestampError));
    }

    proptest! {
        #[test]
        fn formatting_agrees_with_the_time_crate(unix_ms in MIN_MS..=MAX_MS) {
            let format = parse_borrowed::<2>(
                "[year repr:full]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
            )
            .unwrap();
            let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000).unwrap();
            prop_assert_eq!(Timestamp(unix_ms).to_string(), time.format(&format).unwrap());
        }

        #[test]
        fn every_time_comes_back(unix_ms in MIN_MS..=MAX_MS) {
            let time = Timestamp(unix_ms);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
            let json = serde_json::to_string(&time).unwrap();
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
        }

        #[test]
        fn any_text_parses_or_is_refused(text: String) {
            let _ = parse(&text);
        }
    }
}
