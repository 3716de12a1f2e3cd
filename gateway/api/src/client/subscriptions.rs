//! Subscriptions: create, list, show, change, move, delete.

use std::time::Duration;

use hyper::Method;

use super::target::Target;
use super::{Client, ClientError, Created, Request, Tagged};
use crate::consume::DeliveredMessage;
use crate::letters::{RedriveRequest, RedriveResponse};
use crate::page::Page;
use crate::subscriptions::{SeekRequest, SeekResponse, Subscription, SubscriptionSettings, SubscriptionSummary};

impl Client {
    /// Creates a subscription; the same again changes nothing.
    ///
    /// # Errors
    /// The subscription is there with another configuration, or the settings are refused; nothing has changed.
    pub async fn create_subscription(
        &self,
        subscription: &str,
        settings: &SubscriptionSettings,
    ) -> Result<Created<Subscription>, ClientError> {
        let request = Request::new(Method::PUT, target(subscription).into_string()).with_json(settings)?;
        self.call(request, Duration::ZERO).await?.created()
    }

    /// One page of the list of subscriptions, by name.
    ///
    /// # Errors
    /// The page token is refused, or the node could not be asked.
    pub async fn subscriptions(
        &self,
        page_size: Option<u32>,
        page_token: Option<&str>,
    ) -> Result<Page<SubscriptionSummary>, ClientError> {
        let target =
            Target::new("/v1/subscriptions").query_if("page_size", page_size).query_if("page_token", page_token);
        self.get(target).await?.json()
    }

    /// Shows a subscription with its cursors.
    ///
    /// # Errors
    /// There is no such subscription, or the node could not be asked.
    pub async fn subscription(&self, subscription: &str) -> Result<Tagged<Subscription>, ClientError> {
        self.get(target(subscription)).await?.tagged()
    }

    /// Changes the given settings of a subscription; only if it still has the tag `if_match`, if that is given.
    ///
    /// # Errors
    /// The subscription has changed since, or the settings are refused; nothing has changed.
    pub async fn update_subscription(
        &self,
        subscription: &str,
        settings: &SubscriptionSettings,
        if_match: Option<&str>,
    ) -> Result<Tagged<Subscription>, ClientError> {
        let request = Request::new(Method::PATCH, target(subscription).into_string()).with_json(settings)?;
        self.call(request.if_match(if_match)?, Duration::ZERO).await?.tagged()
    }

    /// Deletes a subscription and its cursors.
    ///
    /// # Errors
    /// There is no such subscription, or it has changed since it had the tag `if_match`; nothing has changed.
    pub async fn delete_subscription(&self, subscription: &str, if_match: Option<&str>) -> Result<(), ClientError> {
        let request = Request::new(Method::DELETE, target(subscription).into_string()).if_match(if_match)?;
        self.call(request, Duration::ZERO).await.map(drop)
    }

    /// One page of the dead letters of a subscription; it may be empty although there are more.
    ///
    /// # Errors
    /// The subscription has no topic for them, the page token is refused, or the node could not be asked.
    pub async fn dead_letters(
        &self,
        subscription: &str,
        page_size: Option<u32>,
        page_token: Option<&str>,
    ) -> Result<Page<DeliveredMessage>, ClientError> {
        let target = target(subscription).segment("dead-letters");
        self.get(target.query_if("page_size", page_size).query_if("page_token", page_token)).await?.json()
    }

    /// Sends dead letters back to where they came from. Never repeated by the client.
    ///
    /// # Errors
    /// Nothing was sent back; if the connection is lost, some may have been.
    pub async fn redrive(
        &self,
        subscription: &str,
        request: &RedriveRequest<'_>,
    ) -> Result<RedriveResponse, ClientError> {
        self.post(target(subscription).segment("redrive"), request, Duration::ZERO).await?.json()
    }

    /// Moves a subscription's cursors.
    ///
    /// # Errors
    /// The position is refused and nothing has changed; if the connection is lost, some cursors may have moved.
    pub async fn seek(&self, subscription: &str, request: &SeekRequest) -> Result<SeekResponse, ClientError> {
        self.post(target(subscription).segment("seek"), request, Duration::ZERO).await?.json()
    }
}

fn target(subscription: &str) -> Target {
    Target::new("/v1/subscriptions").segment(subscription)
}
