//! A JSON object that is one: serde would also take a list as a struct, its items for the fields in their order.

use serde::{Deserialize, Deserializer, de};

/// A struct that is read from an object and from nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(AsMap(deserializer)).map(Self)
    }
}

/// For `#[serde(deserialize_with)]`: a list of objects.
pub(crate) fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let objects = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|Object(value)| value).collect())
}

/// For `#[serde(deserialize_with)]`: an object, or `null` for none.
pub(crate) fn optional<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let object = Option::<Object<T>>::deserialize(deserializer)?;
    Ok(object.map(|Object(value)| value))
}

/// Asks for a map where a struct is wanted. What is within is read as ever.
struct AsMap<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for AsMap<D> {
    type Error = D::Error;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use crate::decode::decode;
    use crate::frame::ClientFrame;
    use crate::groups::JoinRequest;
    use crate::publish::PublishRequest;
    use crate::subscriptions::SubscriptionSettings;
    use crate::topics::TopicSettings;

    #[test]
    fn a_list_is_no_object() {
        for body in ["[]", "[null,null]", "[4]"] {
            let error = decode::<TopicSettings>(body.as_bytes()).unwrap_err();
            assert!(error.detail.contains("invalid type: sequence"), "{error}");
            assert!(decode::<JoinRequest>(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(decode::<TopicSettings>(b"{}").unwrap(), TopicSettings::default());
    }

    #[test]
    fn nor_is_one_within_an_object() {
        assert!(decode::<PublishRequest<'_>>(br#"{"messages":[["AA=="]]}"#).is_err());
        assert!(decode::<PublishRequest<'_>>(br#"{"messages":[{"data":"AA=="}]}"#).is_ok());
        for field in [r#""backoff":[1,2]"#, r#""push":["https://a.example"]"#] {
            assert!(decode::<SubscriptionSettings>(format!("{{{field}}}").as_bytes()).is_err(), "{field}");
        }
        let settings = decode::<SubscriptionSettings>(br#"{"backoff":null,"push":{}}"#).unwrap();
        assert!(settings.backoff.is_none() && settings.push.is_some());
        assert!(ClientFrame::parse(r#"{"op":"publish","topic":"t","messages":[["AA=="]]}"#).is_err());
        assert!(ClientFrame::parse(r#"{"op":"publish","topic":"t","messages":[{"text":"a"}]}"#).is_ok());
    }
}
