//! Dead letters of a subscription: listed, and sent back to where they came from.

use serde::{Deserialize, Serialize};

use crate::cow_str::CowStr;
use crate::publish::PublishFailure;

/// The body of `POST /v1/subscriptions/{subscription}/redrive`; an empty one sends the oldest letters back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RedriveRequest<'a> {
    /// The ids of the messages that are to be sent back; all if it is not given.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<CowStr<'a>>>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where to begin: the `next_page_token` of an earlier answer, or of a page of dead letters.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub page_token: Option<CowStr<'a>>,
}

/// The answer to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RedriveResponse {
    /// How many messages are in their topic again and no dead letters any more.
    pub redriven: u64,
    /// Where to go on, as not all letters were looked at; `None` at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// Why it ended before that; what was not redriven is still among the dead letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<PublishFailure>,
}
