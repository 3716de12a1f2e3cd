//! The attributes of a message to publish, in the order in which they were sent.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::cow_str::CowStr;

/// Names and values. A name that was sent twice is here twice: whoever takes the message must check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes<'a>(Vec<(CowStr<'a>, CowStr<'a>)>);

impl<'a> Attributes<'a> {
    /// Adds one.
    pub fn push(&mut self, name: impl Into<CowStr<'a>>, value: impl Into<CowStr<'a>>) {
        self.0.push((name.into(), value.into()));
    }

    /// All of them, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[(CowStr<'a>, CowStr<'a>)] {
        &self.0
    }

    /// All of them, in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a, N: Into<CowStr<'a>>, V: Into<CowStr<'a>>> FromIterator<(N, V)> for Attributes<'a> {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(attributes: I) -> Self {
        Self(attributes.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Attributes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AttributesVisitor)
    }
}

struct AttributesVisitor;

impl<'de> de::Visitor<'de> for AttributesVisitor {
    type Value = Attributes<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Attributes<'de>, A::Error> {
        let mut attributes = Vec::new();
        while let Some(attribute) = map.next_entry()? {
            attributes.push(attribute);
        }
        Ok(Attributes(attributes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_keep_their_order_and_repetitions() {
        let attributes: Attributes<'_> = serde_json::from_str(r#"{"b":"1","a":"2","b":"3"}"#).unwrap();
        assert_eq!(attributes.iter().collect::<Vec<_>>(), [("b", "1"), ("a", "2"), ("b", "3")]);
        assert_eq!(serde_json::to_string(&attributes).unwrap(), r#"{"b":"1","a":"2","b":"3"}"#);
    }

    #[test]
    fn a_value_that_is_no_string_is_refused() {
        let error = serde_json::from_str::<Attributes<'_>>(r#"{"a":1}"#).unwrap_err();
        assert!(error.to_string().contains("expected a string"), "{error}");
    }
}
