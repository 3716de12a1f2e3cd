//! Publishing: batches of messages, and one message as the body itself.

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderValue;

use super::target::Target;
use super::{Client, ClientError, Request};
use crate::publish::{PublishRequest, PublishResponse, Published};

/// One message whose payload is the body of the request.
#[derive(Clone, Debug, Default)]
pub struct RawMessage<'a> {
    /// The payload.
    pub body: Bytes,
    /// What the payload is; `application/octet-stream` if it is not given.
    pub content_type: Option<&'a str>,
    /// Messages of one key go to one partition, in order.
    pub key: Option<&'a str>,
    /// Names and values that go with the payload; names are lower-cased on the way.
    pub attributes: &'a [(String, String)],
    /// From 0 to 9.
    pub priority: Option<u8>,
    /// The message's id.
    pub id: Option<&'a str>,
    /// The partition that it goes to.
    pub partition: Option<u32>,
}

impl Client {
    /// Publishes messages: all or nothing in each partition. Never repeated by the client.
    ///
    /// # Errors
    /// A fault in any message refuses all of them. If the connection is lost, they may be stored.
    pub async fn publish(&self, topic: &str, request: &PublishRequest<'_>) -> Result<PublishResponse, ClientError> {
        let target = Target::new("/v1/topics").segment(topic).segment("messages");
        self.post(target, request, Duration::ZERO).await?.json()
    }

    /// The same, safe to be called again with the same key: what was stored by an earlier call is not stored twice.
    ///
    /// # Errors
    /// As those of [`Client::publish`]; or the key is refused.
    pub async fn publish_once(
        &self,
        topic: &str,
        request: &PublishRequest<'_>,
        idempotency_key: &str,
    ) -> Result<PublishResponse, ClientError> {
        let target = Target::new("/v1/topics").segment(topic).segment("messages");
        let request = Request::new(Method::POST, target.into_string()).with_json(request)?;
        let request = request.with_header("idempotency-key", idempotency_key)?;
        self.call(request, Duration::ZERO).await?.json()
    }

    /// Publishes one message whose payload is sent as it is. Never repeated by the client.
    ///
    /// # Errors
    /// The message is refused. If the connection is lost, it may be stored.
    pub async fn publish_raw(&self, topic: &str, message: RawMessage<'_>) -> Result<Published, ClientError> {
        let target = Target::new("/v1/topics")
            .segment(topic)
            .segment("publish")
            .query_if("key", message.key)
            .query_if("priority", message.priority)
            .query_if("id", message.id)
            .query_if("partition", message.partition);
        let content_type = message.content_type.unwrap_or("application/octet-stream");
        let content_type = HeaderValue::from_str(content_type)
            .map_err(|_| ClientError::Request { detail: format!("`{content_type}` is no content type") })?;
        let mut request = Request::new(Method::POST, target.into_string()).with_body(content_type, message.body);
        for (name, value) in message.attributes {
            request = request.with_header(&format!("pubsub-attr-{name}"), value)?;
        }
        self.call(request, Duration::ZERO).await?.json()
    }
}
