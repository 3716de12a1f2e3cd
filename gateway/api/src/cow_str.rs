//! A string of a request that borrows from the body where JSON needs no unescaping.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A `Cow<str>` that borrows also inside `Option` and `Vec`, where serde would copy a plain `Cow`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CowStr<'a>(Cow<'a, str>);

impl CowStr<'_> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as an owned string; a copy if it was borrowed.
    #[must_use]
    pub fn into_owned(self) -> String {
        self.0.into_owned()
    }
}

impl Deref for CowStr<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for CowStr<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for CowStr<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for CowStr<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl fmt::Display for CowStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for CowStr<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for CowStr<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(CowStrVisitor)
    }
}

struct CowStrVisitor;

impl<'de> de::Visitor<'de> for CowStrVisitor {
    type Value = CowStr<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<CowStr<'de>, E> {
        Ok(CowStr::from(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<CowStr<'de>, E> {
        Ok(CowStr::from(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<CowStr<'de>, E> {
        Ok(CowStr::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_string_is_borrowed_even_inside_an_option() {
        let text: Option<CowStr<'_>> = serde_json::from_str("\"orders\"").unwrap();
        assert!(matches!(text, Some(CowStr(Cow::Borrowed("orders")))));
    }

    #[test]
    fn an_escaped_string_is_unescaped_into_an_owned_one() {
        let text: CowStr<'_> = serde_json::from_str("\"a\\nb\"").unwrap();
        assert!(matches!(text, CowStr(Cow::Owned(ref owned)) if owned == "a\nb"));
    }
}
