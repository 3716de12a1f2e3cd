//! Consumer groups: join, heartbeat, leave.

use std::time::Duration;

use hyper::Method;

use super::target::Target;
use super::{Client, ClientError, Request};
use crate::groups::{HeartbeatRequest, JoinRequest, Membership};

impl Client {
    /// Makes a consumer a member of a subscription's group; one that is a member under this id stays one.
    ///
    /// # Errors
    /// The subscription has no group, or no room for another member. If the connection is lost, the consumer may be one
    /// until its session ends.
    pub async fn join(&self, subscription: &str, request: &JoinRequest) -> Result<Membership, ClientError> {
        self.post(consumers(subscription), request, Duration::ZERO).await?.json()
    }

    /// The consumer lives, and has adopted a generation: by default the one that it was answered last.
    ///
    /// # Errors
    /// It is no member, or not any more: it has to join again.
    pub async fn heartbeat(
        &self,
        subscription: &str,
        consumer_id: &str,
        request: &HeartbeatRequest,
    ) -> Result<Membership, ClientError> {
        let target = consumers(subscription).segment(consumer_id).segment("heartbeat");
        let request = Request::new(Method::PUT, target.into_string()).with_json(request)?;
        self.call(request, Duration::ZERO).await?.json()
    }

    /// Ends a membership: the consumer's partitions go to others.
    ///
    /// # Errors
    /// It is no member.
    pub async fn leave(&self, subscription: &str, consumer_id: &str) -> Result<(), ClientError> {
        let request = Request::new(Method::DELETE, consumers(subscription).segment(consumer_id).into_string());
        self.call(request, Duration::ZERO).await.map(drop)
    }
}

fn consumers(subscription: &str) -> Target {
    Target::new("/v1/subscriptions").segment(subscription).segment("consumers")
}
