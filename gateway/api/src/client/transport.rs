//! Keeps a few connections and sends each request over one of them, again where that is safe.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::connection::{Answer, Connection, Request, SendError};
use super::endpoint::{ApiKey, Endpoint};
use super::error::{ClientError, WaitedFor};
use crate::limits;

/// The connections of one client.
#[derive(Debug)]
pub(super) struct Transport {
    endpoint: Endpoint,
    key: Option<ApiKey>,
    /// Held by each request while it runs, so that connections are bounded.
    running: Semaphore,
    /// Connections that no request uses. The lock is never held over an await.
    idle: Mutex<Vec<Connection>>,
}

impl Transport {
    pub(super) fn new(endpoint: Endpoint, key: Option<ApiKey>) -> Self {
        let running = Semaphore::new(limits::CLIENT_CONNECTIONS_MAX);
        Self { endpoint, key, running, idle: Mutex::new(Vec::new()) }
    }

    /// Sends a request over an idle connection or a new one, and takes its answer.
    ///
    /// A kept connection may have been closed by the node meanwhile. If nothing was sent, the request goes over the
    /// next one; if it was, it is repeated only if that is safe. Each try counts against the bound.
    pub(super) async fn send(&self, request: Request, answer_timeout: Duration) -> Result<Answer, ClientError> {
        let waited = limits::ANSWER_TIMEOUT;
        let too_late = ClientError::Timeout { waited_for: WaitedFor::Connection, waited };
        let Ok(Ok(_running)) = timeout(waited, self.running.acquire()).await else { return Err(too_late) };
        let mut attempt = 1;
        loop {
            let kept = self.take_idle();
            let mut connection = match kept {
                Some(connection) => connection,
                None => Connection::open(&self.endpoint, self.key.as_ref()).await?,
            };
            match connection.try_send(request.clone(), answer_timeout).await {
                Ok(answer) => {
                    self.keep(connection);
                    return Ok(answer);
                }
                Err(SendError::NotSent(_)) if attempt < limits::CLIENT_ATTEMPTS_MAX => {}
                Err(SendError::Failed(ClientError::Lost { .. }))
                    if request.is_repeatable() && attempt < limits::CLIENT_ATTEMPTS_MAX => {}
                Err(SendError::NotSent(why)) => {
                    let detail = "closed again and again before the request was sent".to_owned();
                    return Err(why.unwrap_or(ClientError::Lost { detail }));
                }
                Err(SendError::Failed(error)) => return Err(error),
            }
            attempt += 1;
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Connection::is_open);
        idle.pop()
    }

    fn keep(&self, connection: Connection) {
        if connection.is_open() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
