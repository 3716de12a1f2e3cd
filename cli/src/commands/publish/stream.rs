//! Publishes lines as they come, one batch after the other, so that their order holds.

use std::io;

use gateway_api::client::Client;
use gateway_api::publish::{PublishFailure, PublishRequest, PublishResponse, PublishResult};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::lines::Lines;
use super::message::MessageArgs;
use super::progress::Progress;
use super::{pace, render};
use crate::error::{CliError, Doing as _};
use crate::output::Output;

/// Where lines go, and how.
pub(super) struct Stream<'a> {
    pub(super) topic: &'a str,
    pub(super) options: &'a MessageArgs,
    pub(super) rate: Option<f64>,
}

/// What has become of the lines so far.
#[derive(Debug, Default)]
struct Tally {
    published: u64,
    failed: u64,
    first_failure: Option<PublishFailure>,
}

impl Stream<'_> {
    /// Publishes until the lines end. A batch that is refused as a whole ends it too: those before it are published.
    pub(super) async fn run(
        &self,
        mut lines: mpsc::Receiver<io::Result<Lines>>,
        client: &Client,
        progress: &Progress,
        output: &mut Output<'_>,
    ) -> Result<(), CliError> {
        let start = Instant::now();
        let mut tally = Tally::default();
        while let Some(batch) = lines.recv().await {
            let input_error = |source| CliError::Input {
                what: format!("standard input ({} messages are published)", tally.published),
                source,
            };
            let batch = batch.map_err(input_error)?;
            if let Some(due) = self.rate.and_then(|rate| start.checked_add(pace::due(tally.total(), rate))) {
                sleep_until(due).await;
            }
            let messages = batch.iter().map(|line| self.options.message(line, false)).collect();
            let response = client.publish(self.topic, &PublishRequest { messages }).await;
            let response = response.doing(|| tally.action(self.topic, batch.len()))?;
            progress.add(batch.len() as u64);
            response.results.iter().try_for_each(|result| output.item(result))?;
            output.flush()?;
            tally.add(response);
        }
        output.note(&format!("Published {} messages to {}.", tally.published, self.topic))?;
        tally.check()
    }
}

impl Tally {
    fn add(&mut self, response: PublishResponse) {
        for result in response.results {
            match result {
                PublishResult::Published(_) => self.published += 1,
                PublishResult::Failed { error } => {
                    self.failed += 1;
                    self.first_failure.get_or_insert(error);
                }
            }
        }
    }

    fn total(&self) -> u64 {
        self.published + self.failed
    }

    /// What was being done, for an error that ends it.
    fn action(&self, topic: &str, lines: usize) -> String {
        let (first, last) = (self.total() + 1, self.total() + lines as u64);
        format!("publish lines {first} to {last} to `{topic}` ({} messages are published)", self.published)
    }

    fn check(&self) -> Result<(), CliError> {
        match &self.first_failure {
            Some(first) => Err(render::partly(self.failed, self.total(), first)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_counts_both_and_keeps_the_first_failure() {
        let response = |json: &str| serde_json::from_str::<PublishResponse>(json).unwrap();
        let published = r#"{"id":"i","partition":0,"offset":0,"duplicate":false,"durability":"leader"}"#;
        let failed =
            |code| format!(r#"{{"error":{{"code":"{code}","detail":"","retryable":true,"outcome":"not_applied"}}}}"#);
        let mut tally = Tally::default();
        tally.add(response(&format!(r#"{{"results":[{published},{published}]}}"#)));
        assert!(tally.check().is_ok());
        tally.add(response(&format!(r#"{{"results":[{},{}]}}"#, failed("overloaded"), failed("timeout"))));
        let error = tally.check().unwrap_err().to_string();
        assert_eq!(error, "2 of 4 messages failed, the first one with overloaded");
        assert_eq!(tally.action("orders", 3), "publish lines 5 to 7 to `orders` (2 messages are published)");
    }
}
