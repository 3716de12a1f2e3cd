//! Consuming over HTTP: pull, ack, nack, extend, and reading a partition.

use std::time::Duration;

use super::target::Target;
use super::{Client, ClientError};
use crate::consume::{AckRequest, AckResponse, ExtendRequest, NackRequest, PullRequest, PullResponse, ReadPage};
use crate::cursor::CursorToken;
use crate::limits;
use crate::rfc3339::Timestamp;

/// Where reading a partition starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// At an offset.
    Offset(u64),
    /// At the first message that was published then or later.
    Time(Timestamp),
    /// Where a cursor token says.
    Cursor(CursorToken),
}

impl Client {
    /// Reads messages of one partition without a subscription; waits up to `wait_ms` for the first one.
    ///
    /// # Errors
    /// The place is not kept or not there, or the node could not be asked.
    pub async fn read(
        &self,
        (topic, partition): (&str, u32),
        from: &ReadFrom,
        limit: u32,
        wait_ms: u64,
    ) -> Result<ReadPage, ClientError> {
        let target = Target::new("/v1/topics").segment(topic).segment("partitions").segment(partition);
        let target = target.segment("messages").query("limit", limit).query("wait_ms", wait_ms);
        let target = match from {
            ReadFrom::Offset(offset) => target.query("offset", offset),
            ReadFrom::Time(time) => target.query("timestamp", time),
            ReadFrom::Cursor(token) => target.query("cursor", token),
        };
        let request = super::Request::new(hyper::Method::GET, target.into_string());
        self.call(request, asked_wait(wait_ms)).await?.json()
    }

    /// Takes messages of a subscription. Never repeated by the client.
    ///
    /// # Errors
    /// There is no such subscription. If the connection is lost, messages may be leased until their ack deadline.
    pub async fn pull(&self, subscription: &str, request: &PullRequest) -> Result<PullResponse, ClientError> {
        let target = target(subscription, "pull");
        self.post(target, request, asked_wait(request.wait_ms)).await?.json()
    }

    /// Messages are done. What is refused is in the answer.
    ///
    /// # Errors
    /// There is no such subscription. If the connection is lost, the acks may hold.
    pub async fn ack(&self, subscription: &str, request: &AckRequest<'_>) -> Result<AckResponse, ClientError> {
        self.post(target(subscription, "ack"), request, Duration::ZERO).await?.json()
    }

    /// Messages are to be delivered again. What is refused is in the answer.
    ///
    /// # Errors
    /// There is no such subscription. If the connection is lost, the nacks may hold.
    pub async fn nack(&self, subscription: &str, request: &NackRequest<'_>) -> Result<AckResponse, ClientError> {
        self.post(target(subscription, "nack"), request, Duration::ZERO).await?.json()
    }

    /// Messages need more time. What is refused is in the answer.
    ///
    /// # Errors
    /// There is no such subscription. If the connection is lost, the new deadlines may hold.
    pub async fn extend(&self, subscription: &str, request: &ExtendRequest<'_>) -> Result<AckResponse, ClientError> {
        self.post(target(subscription, "extend"), request, Duration::ZERO).await?.json()
    }
}

fn target(subscription: &str, operation: &str) -> Target {
    Target::new("/v1/subscriptions").segment(subscription).segment(operation)
}

/// No node waits longer than its limit, whatever the request asks for.
fn asked_wait(wait_ms: u64) -> Duration {
    Duration::from_millis(wait_ms.min(limits::WAIT_MS_MAX))
}
