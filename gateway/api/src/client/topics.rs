//! Topics: create, list, show, change, delete.

use std::time::Duration;

use hyper::Method;

use super::target::Target;
use super::{Answer, Client, ClientError, Created, Request, Tagged};
use crate::page::Page;
use crate::scheduled::ScheduledMessage;
use crate::topics::{Topic, TopicSettings, TopicSummary};

impl Client {
    /// Creates a topic; the same again changes nothing.
    ///
    /// # Errors
    /// The topic is there with another configuration, or the settings are refused; nothing has changed.
    pub async fn create_topic(&self, topic: &str, settings: &TopicSettings) -> Result<Created<Topic>, ClientError> {
        let request = Request::new(Method::PUT, target(topic).into_string()).with_json(settings)?;
        self.call(request, Duration::ZERO).await?.created()
    }

    /// One page of the list of topics, by name.
    ///
    /// # Errors
    /// The page token is refused, or the node could not be asked.
    pub async fn topics(
        &self,
        page_size: Option<u32>,
        page_token: Option<&str>,
    ) -> Result<Page<TopicSummary>, ClientError> {
        let target = Target::new("/v1/topics").query_if("page_size", page_size).query_if("page_token", page_token);
        self.get(target).await?.json()
    }

    /// Shows a topic with its partitions.
    ///
    /// # Errors
    /// There is no such topic, or the node could not be asked.
    pub async fn topic(&self, topic: &str) -> Result<Tagged<Topic>, ClientError> {
        self.get(target(topic)).await?.tagged()
    }

    /// Changes the given settings of a topic; only if it still has the tag `if_match`, if that is given.
    ///
    /// # Errors
    /// The topic has changed since, or the settings are refused; nothing has changed.
    pub async fn update_topic(
        &self,
        topic: &str,
        settings: &TopicSettings,
        if_match: Option<&str>,
    ) -> Result<Tagged<Topic>, ClientError> {
        let request = Request::new(Method::PATCH, target(topic).into_string()).with_json(settings)?;
        self.call(request.if_match(if_match)?, Duration::ZERO).await?.tagged()
    }

    /// Deletes a topic, its messages and its subscriptions.
    ///
    /// # Errors
    /// There is no such topic, or it has changed since it had the tag `if_match`; nothing has changed.
    pub async fn delete_topic(&self, topic: &str, if_match: Option<&str>) -> Result<(), ClientError> {
        let request = Request::new(Method::DELETE, target(topic).into_string()).if_match(if_match)?;
        self.call(request, Duration::ZERO).await.map(drop)
    }

    /// One page of the messages that wait for their time; it may be empty although there are more.
    ///
    /// # Errors
    /// There is no such topic, the page token is refused, or the node could not be asked.
    pub async fn scheduled(
        &self,
        topic: &str,
        page_size: Option<u32>,
        page_token: Option<&str>,
    ) -> Result<Page<ScheduledMessage>, ClientError> {
        let target = target(topic).segment("scheduled");
        self.get(target.query_if("page_size", page_size).query_if("page_token", page_token)).await?.json()
    }

    /// Has the messages with this id, as far as they wait for their time, not be delivered; only the one at this partition
    /// and offset, if they are given.
    ///
    /// # Errors
    /// None is waiting; or it is not known whether all are cancelled.
    pub async fn cancel_scheduled(
        &self,
        topic: &str,
        id: &str,
        (partition, offset): (Option<u32>, Option<u64>),
    ) -> Result<(), ClientError> {
        let target = target(topic).segment("scheduled").segment(id);
        let target = target.query_if("partition", partition).query_if("offset", offset);
        self.call(Request::new(Method::DELETE, target.into_string()), Duration::ZERO).await.map(drop)
    }
}

impl Request {
    /// Demands that what is changed still has this tag.
    pub(super) fn if_match(self, etag: Option<&str>) -> Result<Self, ClientError> {
        match etag {
            Some(etag) => self.with_header("if-match", etag),
            None => Ok(self),
        }
    }
}

impl Answer {
    /// The body with its tag.
    pub(super) fn tagged<T: serde::de::DeserializeOwned>(&self) -> Result<Tagged<T>, ClientError> {
        Ok(Tagged { value: self.json()?, etag: self.header("etag").map(str::to_owned) })
    }

    /// The body of what was created, or was there.
    pub(super) fn created<T: serde::de::DeserializeOwned>(&self) -> Result<Created<T>, ClientError> {
        Ok(Created { value: self.json()?, is_new: self.status == 201 })
    }
}

fn target(topic: &str) -> Target {
    Target::new("/v1/topics").segment(topic)
}
