//! What is asked of a group's coordinator and what it answers, as plain data.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shard_core::model::SubscriptionId;

use super::{GroupError, MemberStatus, Membership, wire};
use crate::limits;

/// A consumer's request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    #[serde(with = "wire::subscription_id")]
    pub(crate) subscription: SubscriptionId,
    pub(crate) what: Wish,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wish {
    /// To be a member, or to go on being it.
    Join { consumer_id: Arc<str> },
    /// To stay a member. It has taken note of generation `adopted`.
    Heartbeat { consumer_id: Arc<str>, adopted: u64 },
    /// To stay a member. It has taken note of what it was answered last.
    Live { consumer_id: Arc<str> },
    /// To be a member no more.
    Leave { consumer_id: Arc<str> },
    /// To be told of every member.
    Describe,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Member(Membership),
    Left,
    Described(Vec<MemberStatus>),
}

/// What the coordinator says to a request.
pub(crate) type Answered = Result<Answer, GroupError>;

/// Refuses what no consumer may call itself.
pub(crate) fn check_consumer_id(consumer_id: &str) -> Result<(), GroupError> {
    let bytes_max = limits::CONSUMER_ID_BYTES_MAX;
    let visible = consumer_id.bytes().all(|byte| byte.is_ascii_graphic());
    if !visible || consumer_id.is_empty() || consumer_id.len() > bytes_max {
        return Err(GroupError::InvalidConsumerId { bytes_max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_id_is_short_visible_ascii() {
        let longest = "x".repeat(limits::CONSUMER_ID_BYTES_MAX);
        for good in ["a", "pod-7/worker:3", &longest] {
            assert_eq!(check_consumer_id(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "a\n", "ä", &format!("{longest}x")] {
            assert!(check_consumer_id(bad).is_err(), "{bad}");
        }
    }
}
