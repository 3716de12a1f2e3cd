//! Parses an object whose field `op` says what it is, in one pass where `op` comes first, as it usually does.
//!
//! serde's own tagged enums copy the whole object before they look at it, which is slow for batches of messages and
//! loses payloads that are kept as raw JSON.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer, StrDeserializer};
use serde::{Deserialize, Deserializer, de};

use crate::cow_str::CowStr;

/// A set of frames that are told apart by `op`.
pub(super) trait TaggedFrame<'de>: Sized {
    /// Reads the other fields of the frame with this `op`.
    fn read_fields<D: Deserializer<'de>>(op: &str, fields: D) -> Result<Self, D::Error>;
}

/// Reads one frame.
pub(super) fn parse<'de, T: TaggedFrame<'de>>(text: &'de str) -> Result<T, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    if let First::Frame(frame) = json.deserialize_map(FirstField(PhantomData))? {
        json.end()?;
        return Ok(frame);
    }
    // `op` comes later: it is looked for first, and left out when the fields are read.
    let op = serde_json::from_str::<OpOnly<'_>>(text)?.op;
    let mut json = serde_json::Deserializer::from_str(text);
    let frame = json.deserialize_map(FieldsWithoutOp { op: &op, frame: PhantomData })?;
    json.end()?;
    Ok(frame)
}

enum First<T> {
    Frame(T),
    OtherField,
}

struct FirstField<T>(PhantomData<T>);

impl<'de, T: TaggedFrame<'de>> de::Visitor<'de> for FirstField<T> {
    type Value = First<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `op`")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<First<T>, A::Error> {
        match map.next_key::<CowStr<'de>>()? {
            Some(name) if name.as_str() == "op" => {
                let op: CowStr<'de> = map.next_value()?;
                T::read_fields(&op, MapAccessDeserializer::new(map)).map(First::Frame)
            }
            Some(_) => {
                // The object is read to its end, or serde_json would take the rest for an error.
                map.next_value::<de::IgnoredAny>()?;
                while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
                Ok(First::OtherField)
            }
            None => Err(de::Error::missing_field("op")),
        }
    }
}

#[derive(Deserialize)]
struct OpOnly<'a> {
    #[serde(borrow)]
    op: CowStr<'a>,
}

struct FieldsWithoutOp<'a, T> {
    op: &'a str,
    frame: PhantomData<T>,
}

impl<'de, T: TaggedFrame<'de>> de::Visitor<'de> for FieldsWithoutOp<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `op`")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::read_fields(self.op, MapAccessDeserializer::new(WithoutOp(map)))
    }
}

/// The fields of an object but `op`.
struct WithoutOp<A>(A);

impl<'de, A: de::MapAccess<'de>> de::MapAccess<'de> for WithoutOp<A> {
    type Error = A::Error;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        loop {
            match self.0.next_key_seed(NameSeed)? {
                None => return Ok(None),
                Some(Name::Op) => {
                    self.0.next_value::<de::IgnoredAny>()?;
                }
                Some(Name::Borrowed(name)) => return seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
                Some(Name::Owned(name)) => return seed.deserialize(StrDeserializer::new(&name)).map(Some),
            }
        }
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

enum Name<'de> {
    Op,
    Borrowed(&'de str),
    Owned(String),
}

struct NameSeed;

impl<'de> de::DeserializeSeed<'de> for NameSeed {
    type Value = Name<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> de::Visitor<'de> for NameSeed {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(if name == "op" { Name::Op } else { Name::Borrowed(name) })
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(if name == "op" { Name::Op } else { Name::Owned(name.to_owned()) })
    }
}
