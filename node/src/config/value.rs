//! One setting's value as a source wrote it, and how each type reads and shows it.

use std::{fmt::Display, net::IpAddr, ops::RangeInclusive, path::PathBuf, str::FromStr};

use gateway::tls::{ClientAuth, MinVersion};
use serde_yaml_ng::Value as Yaml;
use shard_core::trace::Ratio;

use super::{Auth, LogFormat, OtlpProtocol, RedisLoss, Secret, Store};

/// A value as it was written: the file, the environment and the flags all come down to this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    /// One word, number or text.
    Scalar(String),
    /// A sequence; outside the file it is written with commas.
    List(Vec<String>),
}

impl Raw {
    /// A value from the environment or a flag.
    pub(super) fn from_text(text: &str) -> Self {
        Self::Scalar(text.to_owned())
    }

    /// A value from the file; `None` for what can't be one.
    pub(super) fn from_yaml(yaml: &Yaml) -> Option<Self> {
        if let Yaml::Sequence(items) = yaml {
            return items.iter().map(scalar).collect::<Option<Vec<_>>>().map(Self::List);
        }
        scalar(yaml).map(Self::Scalar)
    }

    fn as_scalar(&self) -> Result<&str, String> {
        match self {
            Self::Scalar(text) => Ok(text),
            Self::List(_) => Err("expected one value, found a list".to_owned()),
        }
    }
}

/// A type that a setting can have.
pub(super) trait SettingValue: Sized {
    /// Reads it; the error says what was expected.
    fn read(raw: &Raw) -> Result<Self, String>;
    /// Shows it as the file would hold it.
    fn show(&self) -> Yaml;
}

/// Reads a value into its place.
pub(super) fn assign<T: SettingValue>(slot: &mut T, raw: &Raw) -> Result<(), String> {
    *slot = T::read(raw)?;
    Ok(())
}

/// Reads a number into its place if it lies within `range`.
pub(super) fn assign_within<T>(slot: &mut T, raw: &Raw, range: RangeInclusive<T>) -> Result<(), String>
where
    T: SettingValue + PartialOrd + Display,
{
    let value = T::read(raw)?;
    if !range.contains(&value) {
        return Err(format!("expected {} to {}, found {value}", range.start(), range.end()));
    }
    *slot = value;
    Ok(())
}

impl SettingValue for bool {
    fn read(raw: &Raw) -> Result<Self, String> {
        one_of(raw, &[("true", true), ("false", false)])
    }
    fn show(&self) -> Yaml {
        Yaml::Bool(*self)
    }
}

impl SettingValue for String {
    fn read(raw: &Raw) -> Result<Self, String> {
        raw.as_scalar().map(str::to_owned)
    }
    fn show(&self) -> Yaml {
        Yaml::String(self.clone())
    }
}

impl SettingValue for PathBuf {
    fn read(raw: &Raw) -> Result<Self, String> {
        raw.as_scalar().map(Self::from)
    }
    fn show(&self) -> Yaml {
        Yaml::String(self.display().to_string())
    }
}

impl SettingValue for IpAddr {
    fn read(raw: &Raw) -> Result<Self, String> {
        parse(raw, "an IP address such as 127.0.0.1, 0.0.0.0 or ::1")
    }
    fn show(&self) -> Yaml {
        Yaml::String(self.to_string())
    }
}

impl SettingValue for Vec<String> {
    fn read(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::List(items) => Ok(items.clone()),
            Raw::Scalar(text) if text.is_empty() => Ok(Self::new()),
            Raw::Scalar(text) => Ok(text.split(',').map(|item| item.trim().to_owned()).collect()),
        }
    }
    fn show(&self) -> Yaml {
        Yaml::Sequence(self.iter().cloned().map(Yaml::String).collect())
    }
}

impl SettingValue for Auth {
    fn read(raw: &Raw) -> Result<Self, String> {
        one_of(raw, &[("loopback", Self::Loopback), ("none", Self::None), ("required", Self::Required)])
    }
    fn show(&self) -> Yaml {
        Yaml::from(match self {
            Self::Loopback => "loopback",
            Self::None => "none",
            Self::Required => "required",
        })
    }
}

impl SettingValue for Store {
    fn read(raw: &Raw) -> Result<Self, String> {
        one_of(raw, &[("log", Self::Log), ("redis", Self::Redis), ("memory", Self::Memory)])
    }
    fn show(&self) -> Yaml {
        Yaml::from(match self {
            Self::Log => "log",
            Self::Redis => "redis",
            Self::Memory => "memory",
        })
    }
}

impl SettingValue for RedisLoss {
    fn read(raw: &Raw) -> Result<Self, String> {
        one_of(raw, &[("continue", Self::Continue), ("stop", Self::Stop)])
    }
    fn show(&self) -> Yaml {
        Yaml::from(match self {
            Self::Continue => "continue",
            Self::Stop => "stop",
        })
    }
}

impl SettingValue for ClientAuth {
    fn read(raw: &Raw) -> Result<Self, String> {
        one_of(raw, &[("none", Self::None), ("optional", Self::Optional), ("required", Self::Required)])
    }
    fn show(&self) -> Yaml {
        Yaml::from(match self {
            Self::None => "none",
            Self::Optional => "optional",
            Self::Required => "required",
        })
    }
}

impl SettingValue for MinVersion {
    fn read(raw: &Raw) -> Result<Self, String> {
        one_of(raw, &[("1.3", Self::Tls13), ("1.2", Self::Tls12)])
    }
    fn show(&self) -> Yaml {
        Yaml::from(match self {
            Self::Tls13 => "1.3",
            Self::Tls12 => "1.2",
        })
    }
}

/// Shown as asterisks, so it is the one setting that does not read back.
impl SettingValue for Secret {
    fn read(raw: &Raw) -> Result<Self, String> {
        raw.as_scalar().map(|text| Self::new(text.to_owned()))
    }
    fn show(&self) -> Yaml {
        Yaml::from(self.shown())
    }
}

impl SettingValue for LogFormat {
    fn read(raw: &Raw) -> Result<Self, String> {
        one_of(raw, &[("text", Self::Text), ("json", Self::Json)])
    }
    fn show(&self) -> Yaml {
        Yaml::from(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl SettingValue for OtlpProtocol {
    fn read(raw: &Raw) -> Result<Self, String> {
        one_of(raw, &[("grpc", Self::Grpc), ("http", Self::Http)])
    }
    fn show(&self) -> Yaml {
        Yaml::from(match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        })
    }
}

/// Shown as a number, which YAML writes without quotes.
impl SettingValue for Ratio {
    fn read(raw: &Raw) -> Result<Self, String> {
        let text = raw.as_scalar()?;
        text.parse().map_err(|()| format!("expected a number from 0 to 1, found `{text}`"))
    }
    fn show(&self) -> Yaml {
        serde_yaml_ng::from_str(&self.to_string()).unwrap_or(Yaml::Null)
    }
}

macro_rules! number_settings {
    ($($number:ty),*) => {$(
        impl SettingValue for $number {
            fn read(raw: &Raw) -> Result<Self, String> {
                parse(raw, concat!("a whole number that fits ", stringify!($number)))
            }
            fn show(&self) -> Yaml {
                Yaml::from(*self)
            }
        }
    )*};
}
number_settings!(u16, u32, u64, usize);

fn parse<T: FromStr>(raw: &Raw, expected: &str) -> Result<T, String> {
    let text = raw.as_scalar()?;
    text.parse().map_err(|_| format!("expected {expected}, found `{text}`"))
}

fn one_of<T: Copy>(raw: &Raw, choices: &[(&str, T)]) -> Result<T, String> {
    let text = raw.as_scalar()?;
    choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        format!("expected {}, found `{text}`", names.join(" or "))
    })
}

fn scalar(yaml: &Yaml) -> Option<String> {
    match yaml {
        Yaml::Bool(value) => Some(value.to_string()),
        Yaml::Number(value) => Some(value.to_string()),
        Yaml::String(value) => Some(value.clone()),
        Yaml::Null | Yaml::Sequence(_) | Yaml::Mapping(_) | Yaml::Tagged(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_out_of_range_is_refused_with_the_range() {
        let mut slot = 7_u64;
        let outcome = assign_within(&mut slot, &Raw::from_text("11"), 1..=10);
        assert_eq!(outcome, Err("expected 1 to 10, found 11".to_owned()));
        assert_eq!(slot, 7);
    }

    #[test]
    fn a_negative_or_fractional_number_is_refused() {
        for text in ["-1", "1.5", "1k", "", "0x10", "99999999999999999999"] {
            assert!(u64::read(&Raw::from_text(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn every_shown_value_reads_back_equal() {
        fn check<T: SettingValue + PartialEq + std::fmt::Debug>(value: T) {
            assert_eq!(T::read(&Raw::from_yaml(&value.show()).unwrap()), Ok(value));
        }
        check(true);
        check(8081_u16);
        check(u64::MAX);
        check("info".to_owned());
        check(PathBuf::from("/var/lib/pubsub"));
        check(IpAddr::from([0, 0, 0, 0]));
        check(vec!["https://a.example".to_owned(), "https://b.example".to_owned()]);
        check(Auth::None);
        check(Auth::Loopback);
        check(Store::Redis);
        check(RedisLoss::Stop);
        check(ClientAuth::Optional);
        check(MinVersion::Tls12);
        check(LogFormat::Json);
        check(OtlpProtocol::Http);
        for ratio in [Ratio::NONE, Ratio::ALL, Ratio::millionths(1), Ratio::millionths(10_000)] {
            check(ratio);
        }
    }

    #[test]
    fn a_list_is_written_with_commas_outside_the_file() {
        assert_eq!(Vec::read(&Raw::from_text("a, b")), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(Vec::<String>::read(&Raw::from_text("")), Ok(vec![]));
    }
}
