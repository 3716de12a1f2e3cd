//! What a publisher states to make a retry safe: a key for the call, or the numbers of a producer.

use std::str::FromStr;

use gateway_api::{
    frame::Publish,
    publish::{ProducerSequence, Retry},
};
use raft::metadata::TopicConfig;

use crate::{
    error::{self, Failure},
    http::request::Request,
    limits::IDEMPOTENCY_KEY_BYTES_MAX,
};

/// What the statement is made of, as far as it was given.
#[derive(Clone, Copy, Debug, Default)]
struct Stated<'a> {
    key: Option<&'a str>,
    id: Option<u64>,
    epoch: Option<u16>,
    sequence: Option<u32>,
}

/// What the parts are called where they come from.
#[derive(Clone, Copy, Debug)]
struct Names {
    key: &'static str,
    id: &'static str,
    epoch: &'static str,
    sequence: &'static str,
}

const HEADERS: Names = Names {
    key: "idempotency-key",
    id: "pubsub-producer-id",
    epoch: "pubsub-producer-epoch",
    sequence: "pubsub-producer-seq",
};

const FIELDS: Names =
    Names { key: "idempotency_key", id: "producer_id", epoch: "producer_epoch", sequence: "producer_seq" };

/// What the headers of a request state.
pub(super) fn of_request<'r>(request: &'r Request, topic: &TopicConfig) -> Result<Retry<'r>, Failure> {
    let mut stated = Stated::default();
    for (name, value) in request.headers() {
        // Most have other names, which mostly have another length.
        let is = |known: &str| known.len() == name.len() && known.eq_ignore_ascii_case(name);
        if is(HEADERS.key) {
            put(&mut stated.key, HEADERS.key, std::str::from_utf8(value).ok())?;
        } else if is(HEADERS.id) {
            put(&mut stated.id, HEADERS.id, number(value))?;
        } else if is(HEADERS.epoch) {
            put(&mut stated.epoch, HEADERS.epoch, number(value))?;
        } else if is(HEADERS.sequence) {
            put(&mut stated.sequence, HEADERS.sequence, number(value))?;
        }
    }
    stated.check(HEADERS, topic)
}

/// What a frame states.
pub(crate) fn of_frame<'f>(frame: &'f Publish<'_>, topic: &TopicConfig) -> Result<Retry<'f>, Failure> {
    let stated = Stated {
        key: frame.idempotency_key.as_deref(),
        id: frame.producer_id,
        epoch: frame.producer_epoch,
        sequence: frame.producer_seq,
    };
    stated.check(FIELDS, topic)
}

impl<'a> Stated<'a> {
    fn check(self, names: Names, topic: &TopicConfig) -> Result<Retry<'a>, Failure> {
        let (retry, name) = match (self.key, self.id, self.sequence) {
            (None, None, None) if self.epoch.is_none() => return Ok(Retry::Unguarded),
            (Some(key), None, None) if self.epoch.is_none() => (Retry::Key(checked(key, names.key)?), names.key),
            (Some(_), ..) => return Err(error::invalid(names.key, "there is a producer as well")),
            (None, Some(id), Some(sequence)) => {
                let epoch = self.epoch.unwrap_or_default();
                (Retry::Producer(ProducerSequence { id, epoch, sequence }), names.id)
            }
            (None, None, _) => return Err(error::invalid(names.id, "it is missing beside the other numbers")),
            (None, Some(_), None) => {
                return Err(error::invalid(names.sequence, "it is missing beside the producer's id"));
            }
        };
        if topic.dedup_window_ms == 0 {
            return Err(error::invalid(name, "the topic's dedup_window_ms is 0: nothing is remembered"));
        }
        Ok(retry)
    }
}

fn put<T>(stated: &mut Option<T>, name: &str, value: Option<T>) -> Result<(), Failure> {
    let Some(value) = value else { return Err(error::invalid(name, "it can't be read, or is too large a number")) };
    if stated.replace(value).is_some() {
        return Err(error::invalid(name, "it is there twice"));
    }
    Ok(())
}

fn number<T: FromStr>(value: &[u8]) -> Option<T> {
    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok())
}

/// A key that makes ids with the place of a message behind it.
fn checked<'a>(key: &'a str, name: &str) -> Result<&'a str, Failure> {
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX || !visible {
        return Err(error::invalid(
            name,
            format!("a key is 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters"),
        ));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::request;

    const TOPIC: fn() -> TopicConfig = TopicConfig::default;

    fn with(headers: &str) -> Request {
        request(format!("POST / HTTP/1.1\r\nhost: a\r\n{headers}\r\n\r\n").as_bytes())
    }

    fn refused(headers: &str, topic: &TopicConfig) -> String {
        let request = with(headers);
        of_request(&request, topic).unwrap_err().errors[0].field.clone()
    }

    #[test]
    fn headers_state_a_key_or_a_producer() {
        let cases = [
            ("x: y", Retry::Unguarded),
            ("Idempotency-Key: order-7", Retry::Key("order-7")),
            (
                "PUBSUB-producer-id: 18446744073709551615\r\npubsub-producer-seq: 4294967295\r\npubsub-producer-epoch: 65535",
                Retry::Producer(ProducerSequence { id: u64::MAX, epoch: u16::MAX, sequence: u32::MAX }),
            ),
            (
                "pubsub-producer-id: 1\r\npubsub-producer-seq: 0",
                Retry::Producer(ProducerSequence { id: 1, epoch: 0, sequence: 0 }),
            ),
        ];
        for (headers, retry) in cases {
            let request = with(headers);
            assert_eq!(of_request(&request, &TOPIC()).unwrap(), retry, "{headers}");
        }
    }

    #[test]
    fn what_would_not_make_a_retry_safe_is_refused() {
        let cases = [
            ("idempotency-key: a b", "idempotency-key"),
            ("idempotency-key: \u{e9}", "idempotency-key"),
            ("idempotency-key:", "idempotency-key"),
            ("idempotency-key: a\r\nidempotency-key: a", "idempotency-key"),
            ("idempotency-key: a\r\npubsub-producer-id: 1\r\npubsub-producer-seq: 1", "idempotency-key"),
            ("pubsub-producer-id: 1", "pubsub-producer-seq"),
            ("pubsub-producer-seq: 1", "pubsub-producer-id"),
            ("pubsub-producer-epoch: 1", "pubsub-producer-id"),
            ("pubsub-producer-id: me\r\npubsub-producer-seq: 1", "pubsub-producer-id"),
            ("pubsub-producer-id: -1\r\npubsub-producer-seq: 1", "pubsub-producer-id"),
            ("pubsub-producer-id: 1\r\npubsub-producer-seq: 4294967296", "pubsub-producer-seq"),
            (
                "pubsub-producer-id: 1\r\npubsub-producer-seq: 1\r\npubsub-producer-epoch: 65536",
                "pubsub-producer-epoch",
            ),
        ];
        for (headers, field) in cases {
            assert_eq!(refused(headers, &TOPIC()), field, "{headers}");
        }
        let long = format!("idempotency-key: {}", "k".repeat(IDEMPOTENCY_KEY_BYTES_MAX + 1));
        assert_eq!(refused(&long, &TOPIC()), "idempotency-key");
    }

    #[test]
    fn a_topic_that_remembers_nothing_makes_no_retry_safe() {
        let topic = TopicConfig { dedup_window_ms: 0, ..TOPIC() };
        assert_eq!(refused("idempotency-key: a", &topic), "idempotency-key");
        assert_eq!(refused("pubsub-producer-id: 1\r\npubsub-producer-seq: 1", &topic), "pubsub-producer-id");
    }
}
