//! Reads a publish request message by message, so that no list of all of them is ever built.

use std::fmt;

use gateway_api::{PublishMessage, object::Object};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::rules::{self, Fault};

/// Gives each message of `{"messages":[…]}` to `take`, in order.
///
/// # Errors
/// JSON that is not such a request, and what `take` refuses: the caller throws away what it had taken.
pub(super) fn read_request<F>(body: &[u8], take: F) -> Result<(), serde_json::Error>
where
    F: FnMut(PublishMessage<'_>) -> Result<(), Fault>,
{
    let mut json = serde_json::Deserializer::from_slice(body);
    json.deserialize_map(Request { take })?;
    json.end()
}

struct Request<F> {
    take: F,
}

impl<'de, F> Visitor<'de> for Request<F>
where
    F: FnMut(PublishMessage<'_>) -> Result<(), Fault>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `messages`")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen = false;
        while let Some(field) = map.next_key::<gateway_api::CowStr<'de>>()? {
            if field.as_str() != "messages" {
                return Err(de::Error::unknown_field(&field, &["messages"]));
            }
            if seen {
                return Err(de::Error::duplicate_field("messages"));
            }
            seen = true;
            map.next_value_seed(Messages { take: &mut self.take })?;
        }
        if seen { Ok(()) } else { Err(de::Error::missing_field("messages")) }
    }
}

struct Messages<'f, F> {
    take: &'f mut F,
}

impl<'de, F> DeserializeSeed<'de> for Messages<'_, F>
where
    F: FnMut(PublishMessage<'_>) -> Result<(), Fault>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F> Visitor<'de> for Messages<'_, F>
where
    F: FnMut(PublishMessage<'_>) -> Result<(), Fault>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut count = 0;
        while let Some(Object(message)) = list.next_element::<Object<PublishMessage<'de>>>()? {
            count += 1;
            rules::check_count(count).and_then(|()| (self.take)(message)).map_err(de::Error::custom)?;
        }
        rules::check_count(count).map_err(de::Error::custom)
    }
}
