//! Sends the requests of one push subscription, over connections that are used again.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    header::{HeaderMap, RETRY_AFTER},
};
use shard_core::delivery::PushAnswer;
use tokio::time::{Instant, timeout};

use super::{
    connect::{Connection, Connector, LookupTurn},
    failure::SendError,
    message::PushMessage,
    request::RequestTemplate,
};
use crate::limits;

/// One subscription's endpoint.
pub(super) struct Endpoint {
    template: RequestTemplate,
    timeout: Duration,
    /// Whether a request may be sent again that an old connection did not answer.
    resend: bool,
    connector: Arc<Connector>,
    lookups: LookupTurn,
    /// Connections without a request, the newest last. The lock is never held across an await.
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Endpoint {
    pub(super) fn new(template: RequestTemplate, timeout: Duration, resend: bool, connector: Arc<Connector>) -> Self {
        let (lookups, idle) = (LookupTurn::new(), Mutex::new(Vec::new()));
        Self { template, timeout, resend, connector, lookups, idle }
    }

    /// Where it is, and what is sent there.
    pub(super) const fn template(&self) -> &RequestTemplate {
        &self.template
    }

    /// Sends one message and says what was answered.
    pub(super) async fn send(&self, message: &PushMessage) -> Result<PushAnswer, SendError> {
        let sent = timeout(self.timeout, self.exchange(message)).await;
        let (response, connection) = sent.map_err(|_| SendError::Timeout)??;
        let (head, body) = response.into_parts();
        let answer = PushAnswer::Status {
            status: head.status.as_u16(),
            retry_after: retry_after(&head.headers, SystemTime::now()),
        };
        // The answer is known; the rest is only about whether the connection can be used again.
        if let Ok(true) = timeout(limits::PUSH_DRAIN_TIMEOUT, drained(body)).await {
            self.keep(connection);
        }
        Ok(answer)
    }

    /// Closes connections that have been idle for long.
    pub(super) fn prune(&self) {
        self.idle_connections().retain(|idle| idle.since.elapsed() < limits::PUSH_IDLE_TIMEOUT);
    }

    async fn exchange(&self, message: &PushMessage) -> Result<(Response<Incoming>, Connection), SendError> {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let request = self.template.request(message, since_epoch.as_secs());
        if let Some(mut connection) = self.idle_connection() {
            match connection.send_request(request.clone()).await {
                Ok(response) => return Ok((response, connection)),
                // An endpoint may close what is idle at the very moment at which it is used: that is no failure of it.
                Err(error) if self.resend || error.is_canceled() => {
                    tracing::trace!(%error, "a kept connection to a push endpoint had ended");
                }
                Err(error) => return Err(SendError::Connection(error.to_string())),
            }
        }
        let mut connection = self.connector.connect(&self.template.target, &self.lookups).await?;
        let response = exchange_once(&mut connection, request).await?;
        Ok((response, connection))
    }

    fn idle_connection(&self) -> Option<Connection> {
        self.prune();
        let mut idle = self.idle_connections();
        while let Some(Idle { connection, .. }) = idle.pop() {
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, connection: Connection) {
        if !connection.is_closed() {
            self.idle_connections().push(Idle { connection, since: Instant::now() });
        }
    }

    fn idle_connections(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn exchange_once(
    connection: &mut Connection,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, SendError> {
    connection.send_request(request).await.map_err(|error| SendError::Connection(error.to_string()))
}

/// Reads an answer to its end; whether that was within bounds.
async fn drained(mut body: Incoming) -> bool {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > limits::PUSH_ANSWER_BODY_BYTES_MAX {
            return false;
        }
    }
    true
}

/// How long the endpoint wants to be left alone: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        for (text, expected) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("1.5", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).unwrap())]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
