//! How other nodes' consumers reach the coordinator of this one.

use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::{
    GroupError,
    driver::Call,
    request::{Answered, Request},
};

/// Asks the coordinator on behalf of another node; one that does not coordinate says so.
#[derive(Clone, Debug)]
pub(crate) struct GroupPort {
    calls: flume::Sender<Call>,
}

impl GroupPort {
    pub(crate) const fn new(calls: flume::Sender<Call>) -> Self {
        Self { calls }
    }

    /// The answers, in the order of the requests.
    pub(crate) async fn ask_all(&self, requests: Vec<Request>) -> Vec<Answered> {
        let asked = requests.into_iter().map(async |request| {
            let (reply, answer) = oneshot::channel();
            if self.calls.try_send(Call::AskHere { request, reply }).is_err() {
                return Err(GroupError::Overloaded);
            }
            answer.await.unwrap_or_else(|_| Err(GroupError::Unknown { reason: "the coordinator changed".to_owned() }))
        });
        join_all(asked).await
    }
}
