//! The request that a message becomes: headers that nothing in a message can forge, and a signature.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use gateway::push::PushTarget;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Version,
    header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT},
};
use ring::hmac;

use super::message::PushMessage;

/// What all requests of a subscription have in common.
#[derive(Debug)]
pub(super) struct RequestTemplate {
    /// Where they go.
    pub(super) target: PushTarget,
    /// Signs them.
    pub(super) key: Option<hmac::Key>,
    /// The name of the subscription.
    pub(super) subscription: String,
    /// The name of its topic.
    pub(super) topic: String,
}

impl RequestTemplate {
    /// The request for a message, made at `unix_seconds`.
    pub(super) fn request(&self, message: &PushMessage, unix_seconds: u64) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(message.payload.clone()));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_11;
        // Path and query of a URL that was parsed are always those of a request.
        *request.uri_mut() = self.target.path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        insert(headers, HOST, &self.target.authority);
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("PubSubRing/", env!("CARGO_PKG_VERSION"))));
        insert(headers, CONTENT_TYPE, &message.content_type);
        self.identify(headers, message);
        self.sign(headers, message, unix_seconds);
        for (name, value) in &message.attributes {
            append_attribute(headers, name, value);
        }
        request
    }

    fn identify(&self, headers: &mut HeaderMap, message: &PushMessage) {
        let partition = message.cursor.partition.partition.get();
        insert(headers, HeaderName::from_static("pubsub-subscription"), &encoded_value(&self.subscription));
        insert(headers, HeaderName::from_static("pubsub-topic"), &encoded_value(&self.topic));
        headers.insert("pubsub-partition", partition.into());
        headers.insert("pubsub-offset", message.leased.offset.get().into());
        headers.insert("pubsub-delivery-attempt", message.leased.delivery_attempt.into());
        if let Some(key) = &message.key {
            insert(headers, HeaderName::from_static("pubsub-key"), &encoded_value(key));
        }
    }

    /// The headers of Standard Webhooks. Id and time are sent without a secret too.
    fn sign(&self, headers: &mut HeaderMap, message: &PushMessage, unix_seconds: u64) {
        insert(headers, HeaderName::from_static("webhook-id"), &message.id);
        headers.insert("webhook-timestamp", unix_seconds.into());
        if let Some(key) = &self.key {
            let mut context = hmac::Context::with_key(key);
            context.update(format!("{}.{unix_seconds}.", message.id).as_bytes());
            context.update(&message.payload);
            let signature = format!("v1,{}", STANDARD.encode(context.sign()));
            insert(headers, HeaderName::from_static("webhook-signature"), &signature);
        }
    }
}

/// Sets a header if the value can be one without ambiguity.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let plain = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if let Some(value) = plain.then(|| HeaderValue::from_str(value).ok()).flatten() {
        headers.insert(name, value);
    }
}

fn append_attribute(headers: &mut HeaderMap, name: &str, value: &str) {
    let lower = name.to_ascii_lowercase();
    if lower == "traceparent" || lower == "tracestate" {
        if let Ok(name) = HeaderName::from_bytes(lower.as_bytes()) {
            insert(headers, name, value);
        }
        return;
    }
    let name = match lower.strip_prefix("ce-") {
        Some(context) if !context.is_empty() => format!("ce-{}", encoded_name(context)),
        Some(_) | None => format!("pubsub-attr-{}", encoded_name(&lower)),
    };
    // Names are compared without case, so that two attributes may share a header.
    if let (Ok(name), Ok(value)) =
        (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&encoded_value(value)))
    {
        headers.append(name, value);
    }
}

/// A text as `CloudEvents` puts it into a header: percent-encoded but for visible ASCII other than `"` and `%`.
fn encoded_value(text: &str) -> String {
    encoded(text, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'%'))
}

/// A text as the rest of a header's name; what no name can hold is percent-encoded.
fn encoded_name(text: &str) -> String {
    encoded(text, |byte| byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte))
}

fn encoded(text: &str, stays: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if stays(byte) {
            encoded.push(char::from(byte));
        } else {
            let written = write!(encoded, "%{byte:02X}");
            debug_assert!(written.is_ok(), "a text takes whatever is written");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use gateway::push::PushPolicy;
    use proptest::prelude::*;
    use shard::{LeaseId, LeasedMessage, PartitionSubscription};
    use shard_core::model::{Offset, PartitionIndex, SubscriptionId, TopicId, TopicPartition};

    use super::*;

    fn template(secret: Option<&str>) -> RequestTemplate {
        RequestTemplate {
            target: PushTarget::parse("https://a.example:8443/hook?x=1", PushPolicy::default()).unwrap(),
            key: secret.map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())),
            subscription: "mailer".to_owned(),
            topic: "orders".to_owned(),
        }
    }

    fn message(attributes: &[(&str, &str)], key: Option<&str>) -> PushMessage {
        let partition = TopicPartition::new(TopicId::new(1), PartitionIndex::new(3));
        PushMessage {
            cursor: PartitionSubscription { partition, subscription: SubscriptionId::new(2) },
            leased: LeasedMessage {
                offset: Offset::new(42),
                lease: LeaseId { sequence: 1, tag: 2 },
                delivery_attempt: 2,
            },
            id: "order-17".to_owned(),
            key: key.map(str::to_owned),
            content_type: "text/plain; charset=utf-8".to_owned(),
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            payload: Bytes::from_static(b"two coffees"),
        }
    }

    fn header<'r>(request: &'r Request<Full<Bytes>>, name: &str) -> Option<&'r str> {
        request.headers().get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn a_request_says_what_it_carries() {
        let request = template(None).request(&message(&[("Colour", "red")], Some("k")), 1_700_000_000);
        assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::POST, "/hook?x=1"));
        for (name, value) in [
            ("host", "a.example:8443"),
            ("content-type", "text/plain; charset=utf-8"),
            ("webhook-id", "order-17"),
            ("webhook-timestamp", "1700000000"),
            ("pubsub-topic", "orders"),
            ("pubsub-subscription", "mailer"),
            ("pubsub-partition", "3"),
            ("pubsub-offset", "42"),
            ("pubsub-key", "k"),
            ("pubsub-delivery-attempt", "2"),
            ("pubsub-attr-colour", "red"),
        ] {
            assert_eq!(header(&request, name), Some(value), "{name}");
        }
        assert_eq!(header(&request, "webhook-signature"), None);
    }

    /// The expected text was made with `openssl dgst -sha256 -hmac`.
    #[test]
    fn a_signature_is_that_of_the_convention() {
        let request = template(Some("a long random text")).request(&message(&[], None), 1_700_000_000);
        let expected = "v1,TpMKZFZhLXb0W1AVC9wtmkpCLh+vecQyVe83tgnrWcw=";
        assert_eq!(header(&request, "webhook-signature"), Some(expected));
    }

    #[test]
    fn cloud_events_and_trace_context_have_their_own_headers() {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let attributes =
            [("ce-type", "order"), ("ce-subject", "Euro € 😀"), ("traceparent", trace), ("tracestate", "a=b\r\nc: d")];
        let request = template(None).request(&message(&attributes, None), 0);
        assert_eq!(header(&request, "ce-type"), Some("order"));
        assert_eq!(header(&request, "ce-subject"), Some("Euro%20%E2%82%AC%20%F0%9F%98%80"));
        assert_eq!(header(&request, "traceparent"), Some(trace));
        assert_eq!(header(&request, "tracestate"), None);
        assert_eq!(header(&request, "pubsub-attr-traceparent"), None);
    }

    /// F66: what a publisher writes makes no header of its own.
    #[test]
    fn what_a_publisher_writes_makes_no_header_of_its_own() {
        let attributes = [("a\r\nx-evil", "1"), ("b: c", "d\r\nx-evil: 1"), ("", "\0"), ("ce-", "x")];
        let request = template(None).request(&message(&attributes, Some("k\r\nx-evil: 1")), 0);
        assert_eq!(header(&request, "x-evil"), None);
        assert_eq!(header(&request, "pubsub-key"), Some("k%0D%0Ax-evil:%201"));
        assert_eq!(header(&request, "pubsub-attr-a%0d%0ax-evil"), Some("1"));
        assert_eq!(header(&request, "pubsub-attr-b%3a%20c"), Some("d%0D%0Ax-evil:%201"));
        assert_eq!(header(&request, "pubsub-attr-"), Some("%00"));
        assert_eq!(header(&request, "pubsub-attr-ce-"), Some("x"));
    }

    proptest! {
        #[test]
        fn any_message_has_plain_headers_of_known_names(
            attributes in prop::collection::btree_map(any::<String>(), any::<String>(), 0..9),
            key in any::<Option<String>>(),
            content_type in any::<String>(),
        ) {
            let pairs: Vec<_> = attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let message = PushMessage { content_type, ..message(&pairs, key.as_deref()) };
            let request = template(Some("s")).request(&message, 0);
            for (name, value) in request.headers() {
                let known = ["host", "user-agent", "content-type", "traceparent", "tracestate"].contains(&name.as_str());
                let ours = ["webhook-", "pubsub-", "ce-"].iter().any(|prefix| name.as_str().starts_with(prefix));
                prop_assert!(known || ours, "{name}");
                prop_assert!(value.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)), "{value:?}");
            }
        }
    }
}
