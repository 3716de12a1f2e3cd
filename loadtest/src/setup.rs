//! Makes the topic and the subscription that a run needs, and takes away what it made for itself alone.

use crate::server::Server;
use gateway_api::Code;
use gateway_api::client::{Client, ClientError};
use gateway_api::subscriptions::{Position, SubscriptionSettings};
use gateway_api::topics::{PartitionLayout, TopicSettings};
use tokio::runtime::{Builder, Runtime};

use crate::workload::Workload;

/// Administers the server before and after a run.
#[derive(Debug)]
pub struct Setup {
    runtime: Runtime,
    client: Client,
    temporary_subscription: Option<String>,
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
        Ok(Self { runtime, client: Client::new(server.endpoint().clone(), server.key()), temporary_subscription: None })
    }

    /// The topic exists after this; one that existed keeps its configuration.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn ensure_topic(&mut self, workload: &Workload) -> Result<(), SetupError> {
        let topic = &workload.topic;
        let settings = TopicSettings { partitions: Some(workload.partitions), ..TopicSettings::default() };
        let ensured = self.runtime.block_on(async {
            match self.client.topic(topic).await {
                Err(error) if has_code(&error, Code::TopicNotFound) => {
                    self.client.create_topic(topic, &settings).await.map(|_| ())
                }
                shown => shown.map(|_| ()),
            }
        });
        ensured.map_err(|source| SetupError::Topic { topic: topic.clone(), source })
    }

    /// The name of the subscription to consume: the workload's, made if need be, or one for this run that begins now.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn ensure_subscription(&mut self, workload: &Workload) -> Result<String, SetupError> {
        let settings = |start| SubscriptionSettings {
            topic: Some(workload.topic.clone()),
            start: Some(start),
            ..SubscriptionSettings::default()
        };
        let (name, created) = if let Some(name) = &workload.consume.subscription {
            (name.clone(), self.runtime.block_on(self.find_or_create(name, &settings(Position::Earliest))))
        } else {
            let name = format!("loadtest-{}", std::process::id());
            let created = self.runtime.block_on(self.client.create_subscription(&name, &settings(Position::Latest)));
            self.temporary_subscription = Some(name.clone());
            (name, created.map(|_| ()))
        };
        match created {
            Ok(()) => Ok(name),
            Err(source) => Err(SetupError::Subscription { subscription: name, source }),
        }
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
        if let Some(name) = self.temporary_subscription.take() {
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

fn has_code(error: &ClientError, wanted: Code) -> bool {
    matches!(error, ClientError::Problem(problem) if problem.code == wanted)
}
