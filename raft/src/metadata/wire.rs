//! How the words of the data plane, which are not `Serialize` on purpose, are stored in commands and snapshots.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use shard_core::model::{LeaderEpoch, SubscriptionId, SubscriptionName, Timestamp, TopicId, TopicName};

/// Makes a module for `#[serde(with = …)]` that stores `$word` as `$stored`.
macro_rules! stored_as {
    ($module:ident, $word:ty, $stored:ty, $unwrap:path, $wrap:path) => {
        pub(super) mod $module {
            use super::*;

            pub(in crate::metadata) fn serialize<S: Serializer>(word: &$word, to: S) -> Result<S::Ok, S::Error> {
                $unwrap(*word).serialize(to)
            }

            pub(in crate::metadata) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$word, D::Error> {
                <$stored>::deserialize(from).map($wrap)
            }
        }
    };
}

/// Makes a module for `#[serde(with = …)]` that stores a name as text and checks it when it is read.
macro_rules! stored_name {
    ($module:ident, $name:ty) => {
        pub(super) mod $module {
            use super::*;

            pub(in crate::metadata) fn serialize<S: Serializer>(name: &$name, to: S) -> Result<S::Ok, S::Error> {
                name.as_str().serialize(to)
            }

            pub(in crate::metadata) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$name, D::Error> {
                <$name>::new(<&str>::deserialize(from)?).map_err(D::Error::custom)
            }
        }
    };
}

stored_as!(topic_id, TopicId, u64, TopicId::get, TopicId::new);
stored_as!(subscription_id, SubscriptionId, u64, SubscriptionId::get, SubscriptionId::new);
stored_as!(leader_epoch, LeaderEpoch, u32, LeaderEpoch::get, LeaderEpoch::new);
stored_as!(timestamp, Timestamp, i64, Timestamp::as_millis, Timestamp::from_millis);
stored_name!(topic_name, TopicName);
stored_name!(subscription_name, SubscriptionName);

/// A time that may be missing.
pub(super) mod optional_timestamp {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};

    #[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
    pub(in crate::metadata) fn serialize<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        time.map(Timestamp::as_millis).serialize(to)
    }

    pub(in crate::metadata) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(from)?.map(Timestamp::from_millis))
    }
}

/// A topic's name that may be missing.
pub(super) mod optional_topic_name {
    use super::{Deserialize, Deserializer, Error, Serialize, Serializer, TopicName};

    #[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
    pub(in crate::metadata) fn serialize<S: Serializer>(name: &Option<TopicName>, to: S) -> Result<S::Ok, S::Error> {
        name.as_ref().map(TopicName::as_str).serialize(to)
    }

    pub(in crate::metadata) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TopicName>, D::Error> {
        Option::<&str>::deserialize(from)?.map(TopicName::new).transpose().map_err(D::Error::custom)
    }
}

/// A change of a topic's name that may be missing.
pub(super) mod changed_topic_name {
    use super::{Deserialize, Deserializer, Error, Serialize, Serializer, TopicName};
    use crate::metadata::Change;

    type ChangedName = Change<Option<TopicName>>;

    pub(in crate::metadata) fn serialize<S: Serializer>(change: &ChangedName, to: S) -> Result<S::Ok, S::Error> {
        match change {
            Change::Keep => Change::Keep,
            Change::Set(name) => Change::Set(name.as_ref().map(TopicName::as_str)),
        }
        .serialize(to)
    }

    pub(in crate::metadata) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ChangedName, D::Error> {
        Ok(match Change::<Option<&str>>::deserialize(from)? {
            Change::Keep => Change::Keep,
            Change::Set(name) => Change::Set(name.map(TopicName::new).transpose().map_err(D::Error::custom)?),
        })
    }
}
