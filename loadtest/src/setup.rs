//! Makes the topics and the subscriptions that a run needs, and takes away what it made for itself alone.

use gateway_api::Code;
use gateway_api::client::{Client, ClientError};
use gateway_api::subscriptions::{Position, SubscriptionSettings};
use gateway_api::topics::PartitionLayout;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

use crate::connections::SubscriptionPlace;
use crate::server::{Server, ServerInfo};
use crate::targets::http_connection::HttpConnection;
use crate::workload::Workload;

/// Administers the server before and after a run.
#[derive(Debug)]
pub struct Setup {
    runtime: Runtime,
    client: Client,
    server: Server,
    temporary_subscriptions: Vec<String>,
}

/// Why a run could not be prepared. What was made before stays.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum SetupError {
    #[error("cannot start: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("topic `{topic}`: {source}")]
    Topic { topic: String, source: ClientError },
    #[error("subscription `{subscription}`: {source}")]
    Subscription { subscription: String, source: ClientError },
}

impl Setup {
    /// Connects with the first call.
    ///
    /// # Errors
    ///
    /// When the process has no file descriptor left.
    pub fn new(server: &Server) -> Result<Self, SetupError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(SetupError::Runtime)?;
        Ok(Self {
            runtime,
            client: Client::new(server.endpoint().clone(), server.key()),
            server: server.clone(),
            temporary_subscriptions: Vec::new(),
        })
    }

    /// The topics exist after this; one that existed keeps its configuration.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn ensure_topics(&mut self, workload: &Workload) -> Result<(), SetupError> {
        let settings = workload.topic_settings.settings(workload.partitions);
        for topic in workload.topic_names() {
            let ensured = self.runtime.block_on(async {
                match self.client.topic(&topic).await {
                    Err(error) if has_code(&error, Code::TopicNotFound) => {
                        self.client.create_topic(&topic, &settings).await.map(|_| ())
                    }
                    shown => shown.map(|_| ()),
                }
            });
            ensured.map_err(|source| SetupError::Topic { topic, source })?;
        }
        Ok(())
    }

    /// The subscriptions to consume: the workload's, made if need be, or some for this run that begin now. Each topic has
    /// its turn before the first has its second.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn ensure_subscriptions(&mut self, workload: &Workload) -> Result<Vec<SubscriptionPlace>, SetupError> {
        let settings = |topic: &str, start| SubscriptionSettings {
            topic: Some(topic.to_owned()),
            start: Some(start),
            ..SubscriptionSettings::default()
        };
        if let Some(name) = &workload.consume.subscription {
            let settings = settings(&workload.topic, Position::Earliest);
            let found = self.runtime.block_on(self.find_or_create(name, &settings));
            found.map_err(|source| SetupError::Subscription { subscription: name.clone(), source })?;
            return Ok(vec![SubscriptionPlace { name: name.clone(), number: 0 }]);
        }
        let topics = workload.topic_names();
        let wanted = (0..workload.consume.subscriptions).flat_map(|_| &topics).zip(0..);
        let mut places = Vec::new();
        for (topic, number) in wanted {
            let name = format!("loadtest-{}-{number}", std::process::id());
            let settings = settings(topic, Position::Latest);
            let created = self.runtime.block_on(self.client.create_subscription(&name, &settings));
            self.temporary_subscriptions.push(name.clone());
            created.map_err(|source| SetupError::Subscription { subscription: name.clone(), source })?;
            places.push(SubscriptionPlace { name, number });
        }
        Ok(places)
    }

    /// What the server says of itself and of how durable the run's topics are; nothing if it says nothing.
    #[must_use]
    pub fn server_info(&self, workload: &Workload) -> ServerInfo {
        #[derive(Deserialize)]
        struct Description {
            info: Info,
        }
        #[derive(Deserialize)]
        struct Info {
            version: String,
        }
        let version = self.runtime.block_on(async {
            let mut connection = HttpConnection::connect(&self.server).await.ok()?;
            let request = format!("GET /openapi.json HTTP/1.1\r\n{}\r\n", self.server.headers());
            connection.send(request.as_bytes()).await.ok()?;
            let answer = connection.receive().await.ok()?;
            serde_json::from_slice::<Description>(answer.body).ok().map(|description| description.info.version)
        });
        let topic = workload.topic_names().into_iter().next().unwrap_or_default();
        let shown = self.runtime.block_on(self.client.topic(&topic)).ok();
        let durability = shown.map(|topic| {
            let config = topic.value.config;
            let (flush, acks) = (word(&config.flush), word(&config.acks));
            format!("flush {flush}, acks {acks}, replication factor {}", config.replication_factor)
        });
        ServerInfo { product: "PubSubRing".to_owned(), version, durability: workload.durability.clone().or(durability) }
    }

    /// Where readers begin, by partition: at the current end if a preload follows, else at what is kept.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn read_starts(&mut self, workload: &Workload) -> Result<Vec<(u32, u64)>, SetupError> {
        let topic = &workload.topic;
        let shown = self.runtime.block_on(self.client.topic(topic));
        let shown = shown.map_err(|source| SetupError::Topic { topic: topic.clone(), source })?;
        let start = |layout: &PartitionLayout| {
            let offset = if workload.preload > 0 { layout.end_offset } else { layout.start_offset };
            (layout.partition, offset)
        };
        Ok(shown.value.layout.iter().map(start).collect())
    }

    /// Removes what was made for this run alone. A failure is no failure of the run.
    pub fn clean_up(&mut self) {
        for name in std::mem::take(&mut self.temporary_subscriptions) {
            let _ = self.runtime.block_on(self.client.delete_subscription(&name, None));
        }
    }

    async fn find_or_create(&self, name: &str, settings: &SubscriptionSettings) -> Result<(), ClientError> {
        match self.client.subscription(name).await {
            Err(error) if has_code(&error, Code::SubscriptionNotFound) => {
                self.client.create_subscription(name, settings).await.map(|_| ())
            }
            shown => shown.map(|_| ()),
        }
    }
}

impl Drop for Setup {
    /// Also when the run fails half-way.
    fn drop(&mut self) {
        self.clean_up();
    }
}

/// A setting's value as the server writes it.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn has_code(error: &ClientError, wanted: Code) -> bool {
    matches!(error, ClientError::Problem(problem) if problem.code == wanted)
}
