//! Makes the topic and the subscription that a run needs, and takes away what it made for itself alone.

use serde_json::{Value, json};

use crate::server::ServerAddress;
use crate::targets::TargetError;
use crate::targets::http_connection::HttpConnection;
use crate::workload::Workload;

/// A connection for administration, before and after a run.
#[derive(Debug)]
pub struct Setup {
    runtime: tokio::runtime::Runtime,
    connection: HttpConnection,
    server: ServerAddress,
    temporary_subscription: Option<String>,
}

/// Why a run could not be prepared. What was made before stays.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum SetupError {
    #[error(transparent)]
    Connection(#[from] TargetError),
    #[error("{method} {path} was refused: {status} {code}")]
    Refused { method: &'static str, path: String, status: u16, code: String },
    #[error("{method} {path}: the answer is not what was expected")]
    UnexpectedAnswer { method: &'static str, path: String },
}

impl Setup {
    /// Connects.
    ///
    /// # Errors
    ///
    /// When the server is not there.
    pub fn connect(server: &ServerAddress) -> Result<Self, SetupError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(TargetError::from)?;
        let connection = runtime.block_on(HttpConnection::connect(server))?;
        Ok(Self { runtime, connection, server: server.clone(), temporary_subscription: None })
    }

    /// The topic exists after this; one that existed keeps its configuration.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn ensure_topic(&mut self, workload: &Workload) -> Result<(), SetupError> {
        let path = topic_path(workload);
        if self.call("GET", &path, None)?.status == 404 {
            self.expect("PUT", &path, Some(&json!({ "partitions": workload.partitions })))?;
        }
        Ok(())
    }

    /// The name of the subscription to consume: the workload's, made if need be, or one for this run that begins now.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn ensure_subscription(&mut self, workload: &Workload) -> Result<String, SetupError> {
        let (name, temporary) = match &workload.consume.subscription {
            Some(name) => (name.clone(), false),
            None => (format!("loadtest-{}", std::process::id()), true),
        };
        let path = format!("/v1/subscriptions/{name}");
        if !temporary && self.call("GET", &path, None)?.is_success() {
            return Ok(name);
        }
        let start = if temporary { "latest" } else { "earliest" };
        self.expect("PUT", &path, Some(&json!({ "topic": workload.topic, "start": start })))?;
        self.temporary_subscription = temporary.then(|| name.clone());
        Ok(name)
    }

    /// Where readers begin, by partition: at the current end if a preload follows, else at what is kept.
    ///
    /// # Errors
    ///
    /// When the server refuses, or its answer has no layout.
    pub fn read_starts(&mut self, workload: &Workload) -> Result<Vec<(u32, u64)>, SetupError> {
        let path = topic_path(workload);
        let answer = self.expect("GET", &path, None)?;
        let name = if workload.preload > 0 { "end_offset" } else { "start_offset" };
        let start = |entry: &Value| {
            let partition = u32::try_from(entry.get("partition")?.as_u64()?).ok()?;
            Some((partition, entry.get(name)?.as_u64()?))
        };
        let layout = answer.get("layout").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let starts: Option<Vec<_>> = layout.iter().map(start).collect();
        starts.filter(|starts| !starts.is_empty()).ok_or(SetupError::UnexpectedAnswer { method: "GET", path })
    }

    /// Removes what was made for this run alone. A failure is no failure of the run.
    pub fn clean_up(&mut self) {
        if let Some(name) = self.temporary_subscription.take() {
            // The connection may have idled out during a long run.
            if let Ok(connection) = self.runtime.block_on(HttpConnection::connect(&self.server)) {
                self.connection = connection;
                let _ = self.call("DELETE", &format!("/v1/subscriptions/{name}"), None);
            }
        }
    }

    fn expect(&mut self, method: &'static str, path: &str, body: Option<&Value>) -> Result<Value, SetupError> {
        let answer = self.call(method, path, body)?;
        if answer.is_success() {
            return Ok(answer.body);
        }
        let code = answer.body.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
        Err(SetupError::Refused { method, path: path.to_owned(), status: answer.status, code })
    }

    fn call(&mut self, method: &'static str, path: &str, body: Option<&Value>) -> Result<CallAnswer, SetupError> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.server.authority(),
            body.len()
        );
        let connection = &mut self.connection;
        let exchange = async {
            connection.send(request.as_bytes()).await?;
            let answer = connection.receive().await?;
            let body = serde_json::from_slice(answer.body).unwrap_or(Value::Null);
            Ok(CallAnswer { status: answer.status, body })
        };
        let answer = self.runtime.block_on(async { tokio::time::timeout(CALL_TIME_MAX, exchange).await });
        answer.unwrap_or_else(|_| Err(SetupError::UnexpectedAnswer { method, path: path.to_owned() }))
    }
}

/// How long the server may take for one administrative call.
const CALL_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(30);

struct CallAnswer {
    status: u16,
    body: Value,
}

impl CallAnswer {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

fn topic_path(workload: &Workload) -> String {
    format!("/v1/topics/{}", workload.topic)
}
