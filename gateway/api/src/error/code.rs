//! The table of all error codes: what each means, its HTTP status, and whether a retry may help.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cow_str::CowStr;

/// Builds the enum and everything that is said about each code from one table.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $text:literal, $status:literal, $title:literal, $retry:ident;)+) => {
        /// The kind of an error, stable over versions; `snake_case` text in JSON.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code as it stands in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// The code in words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_start(),)+ }
            }

            /// Whether the same request may succeed later.
            #[must_use]
            pub const fn retryable(self) -> bool {
                match self { $(Self::$variant => codes!(@$retry),)+ }
            }
        }
    };
    (@retry) => { true };
    (@final) => { false };
}

codes! {
    /// The request is not HTTP as RFC 9112 has it.
    InvalidRequest = "invalid_request", 400, "Invalid HTTP request", final;
    /// The body is not JSON, or nested too deep.
    InvalidJson = "invalid_json", 400, "Invalid JSON", final;
    /// A field that this request doesn't have; its name is in `errors`.
    UnknownField = "unknown_field", 400, "Unknown field", final;
    /// A value has the wrong type or is out of its range, or a parameter is missing.
    InvalidArgument = "invalid_argument", 400, "Invalid argument", final;
    /// A payload is not base64.
    InvalidBase64 = "invalid_base64", 400, "Invalid base64", final;
    /// A name of a topic or subscription breaks the rules for names.
    InvalidName = "invalid_name", 400, "Invalid name", final;
    /// The ack id was not made by this cluster, or for another subscription.
    InvalidAckId = "invalid_ack_id", 400, "Invalid ack id", final;
    /// The cursor token can't be read, or belongs to another topic.
    InvalidCursor = "invalid_cursor", 400, "Invalid cursor", final;
    /// The offset lies beyond the end of the partition.
    OffsetOutOfRange = "offset_out_of_range", 400, "Offset out of range", final;
    /// There are more messages, ids or attributes in the request than its limit.
    TooMany = "too_many", 400, "Too many in one request", final;
    /// No valid key was given.
    Unauthenticated = "unauthenticated", 401, "Unauthenticated", final;
    /// The key, or the origin of the page, may not do this.
    Forbidden = "forbidden", 403, "Forbidden", final;
    /// The principal has as many topics or subscriptions as it may.
    QuotaExceeded = "quota_exceeded", 403, "Quota exceeded", final;
    /// There is nothing at this path.
    NotFound = "not_found", 404, "Not found", final;
    /// There is no such topic.
    TopicNotFound = "topic_not_found", 404, "Topic not found", final;
    /// The topic has no such partition.
    PartitionNotFound = "partition_not_found", 404, "Partition not found", final;
    /// No message with this id waits for its time; it may have been delivered.
    NotScheduled = "not_scheduled", 404, "Not scheduled", final;
    /// There is no such subscription.
    SubscriptionNotFound = "subscription_not_found", 404, "Subscription not found", final;
    /// There is no such principal.
    PrincipalNotFound = "principal_not_found", 404, "Principal not found", final;
    /// There is no such key.
    KeyNotFound = "key_not_found", 404, "Key not found", final;
    /// There is no such consumer in the subscription's group, or its session has ended: it has to join again.
    ConsumerNotFound = "consumer_not_found", 404, "Consumer not found", final;
    /// The cluster has no such node.
    NodeNotFound = "node_not_found", 404, "Node not found", final;
    /// The path doesn't take this method; `Allow` says which it takes.
    MethodNotAllowed = "method_not_allowed", 405, "Method not allowed", final;
    /// None of the accepted content types can be given.
    NotAcceptable = "not_acceptable", 406, "Not acceptable", final;
    /// The client took too long to send its request.
    RequestTimeout = "request_timeout", 408, "Request timeout", retry;
    /// The topic is there, with another configuration.
    TopicExists = "topic_exists", 409, "Topic exists", final;
    /// The subscription is there, with another configuration.
    SubscriptionExists = "subscription_exists", 409, "Subscription exists", final;
    /// The principal is there, with other grants or limits.
    PrincipalExists = "principal_exists", 409, "Principal exists", final;
    /// The subscription has no topic for dead letters.
    NoDeadLetterTopic = "no_dead_letter_topic", 409, "No dead-letter topic", final;
    /// The partitions have been assigned anew since.
    StaleGeneration = "stale_generation", 409, "Stale generation", final;
    /// A newer connection consumes under this consumer's id.
    ConsumerDisplaced = "consumer_displaced", 409, "Consumer displaced", final;
    /// The message has been leased again, or is no longer leased.
    LeaseExpired = "lease_expired", 409, "Lease expired", final;
    /// A newer epoch of this producer has begun.
    StaleProducer = "stale_producer", 409, "Stale producer", final;
    /// The producer's sequence leaves a gap; `expected_sequence` is the next.
    SequenceGap = "sequence_gap", 409, "Sequence gap", final;
    /// The producer's sequence is behind, and what was stored then is not remembered; `expected_sequence` is the next.
    SequenceForgotten = "sequence_forgotten", 409, "Sequence forgotten", final;
    /// The cluster holds as many topics, partitions or subscriptions as it may.
    LimitReached = "limit_reached", 409, "Limit reached", final;
    /// The node has partitions, or others count on it; the detail says what to do first.
    NodeInUse = "node_in_use", 409, "Node in use", final;
    /// As the cluster stands, this can't be done; the detail says what is in the way.
    TransitionRefused = "transition_refused", 409, "Transition refused", final;
    /// The position is older than what is kept.
    OffsetExpired = "offset_expired", 410, "Offset expired", final;
    /// The body needs a length.
    LengthRequired = "length_required", 411, "Length required", final;
    /// It has changed since the client read it (`If-Match`).
    PreconditionFailed = "precondition_failed", 412, "Precondition failed", final;
    /// The body is larger than its limit.
    BodyTooLarge = "body_too_large", 413, "Body too large", final;
    /// A message is larger than its topic takes.
    MessageTooLarge = "message_too_large", 413, "Message too large", final;
    /// The path or query is too long.
    UriTooLong = "uri_too_long", 414, "URI too long", final;
    /// The body's content type or coding is not taken here.
    UnsupportedMediaType = "unsupported_media_type", 415, "Unsupported media type", final;
    /// `Expect` asks for something else than `100-continue`.
    ExpectationFailed = "expectation_failed", 417, "Expectation failed", final;
    /// The path is for WebSocket, of a version that this node speaks.
    UpgradeRequired = "upgrade_required", 426, "Upgrade required", final;
    /// The client sends more than it may; `Retry-After` says when to go on.
    RateLimited = "rate_limited", 429, "Rate limited", retry;
    /// The request's head is larger than its limit.
    HeadTooLarge = "head_too_large", 431, "Request head too large", final;
    /// A bug in the node: the request was not understood as it should have been.
    Internal = "internal", 500, "Internal error", final;
    /// What is stored there is damaged; the detail names the offsets.
    DataCorrupt = "data_corrupt", 500, "Data corrupt", final;
    /// The request asks for something that this version doesn't do.
    NotImplemented = "not_implemented", 501, "Not implemented", final;
    /// A queue is full; `Retry-After` says when to try again.
    Overloaded = "overloaded", 503, "Overloaded", retry;
    /// The store didn't take the write, or couldn't be read.
    StoreUnavailable = "store_unavailable", 503, "Store unavailable", retry;
    /// Too few replicas are in sync.
    NotEnoughReplicas = "not_enough_replicas", 503, "Not enough replicas", retry;
    /// The partition stays closed: damage was found in it.
    PartitionClosed = "partition_closed", 503, "Partition closed", retry;
    /// The partition has no owner now, or is just changing it.
    PartitionUnavailable = "partition_unavailable", 503, "Partition unavailable", retry;
    /// The metadata has no leader now.
    MetadataUnavailable = "metadata_unavailable", 503, "Metadata unavailable", retry;
    /// The node is starting or going down.
    NodeUnavailable = "node_unavailable", 503, "Node unavailable", retry;
    /// No answer came in time; it may have taken effect.
    Timeout = "timeout", 504, "Timeout", retry;
    /// The request has a version of HTTP that this node doesn't speak.
    VersionNotSupported = "version_not_supported", 505, "HTTP version not supported", final;
    /// A code of a newer node that this client doesn't know; the problem's other fields say what it is.
    Unrecognized = "unrecognized", 500, "Unrecognized code", final;
}

impl Code {
    /// The code for a text of JSON; `Unrecognized` if there is none.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).unwrap_or(Self::Unrecognized)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        CowStr::deserialize(deserializer).map(|text| Self::parse(&text))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_its_own_text() {
        let texts: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(
                code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            );
            assert_eq!(Code::parse(code.as_str()), *code);
        }
    }

    #[test]
    fn every_status_is_an_error_and_only_some_can_be_retried() {
        for code in Code::ALL {
            assert!((400..=505).contains(&code.status()), "{code}");
            let expected = matches!(code.status(), 408 | 429 | 503 | 504);
            assert_eq!(code.retryable(), expected, "{code}");
        }
    }

    #[test]
    fn a_code_of_a_newer_node_is_unrecognized() {
        assert_eq!(serde_json::from_str::<Code>("\"brand_new\"").unwrap(), Code::Unrecognized);
    }

    #[test]
    fn codes_that_clients_rely_on_are_frozen() {
        let golden = [
            ("topic_not_found", 404),
            ("topic_exists", 409),
            ("invalid_argument", 400),
            ("message_too_large", 413),
            ("unauthenticated", 401),
            ("forbidden", 403),
            ("rate_limited", 429),
            ("not_enough_replicas", 503),
            ("store_unavailable", 503),
            ("stale_generation", 409),
            ("consumer_not_found", 404),
            ("consumer_displaced", 409),
            ("lease_expired", 409),
            ("overloaded", 503),
            ("stale_producer", 409),
            ("sequence_gap", 409),
            ("sequence_forgotten", 409),
            ("offset_expired", 410),
            ("partition_closed", 503),
            ("data_corrupt", 500),
        ];
        for (text, status) in golden {
            assert_eq!(Code::parse(text).as_str(), text);
            assert_eq!(Code::parse(text).status(), status, "{text}");
        }
    }
}
