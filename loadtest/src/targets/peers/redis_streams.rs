//! Redis Streams: a batch is a pipeline of XADD, a subscription a consumer group.

use std::fmt;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, cmd, pipe};

use crate::account::{Account, Delivered};
use crate::clock::Clock;
use crate::connections::SubscriptionPlace;
use crate::limits::{CONNECT_TIME_MAX, CONSUMER_POLL};
use crate::recorder::Measure;
use crate::server::ServerInfo;
use crate::stamp::Stamp;
use crate::targets::{Outcome, Step, TargetError};

use super::{MadeHere, Prepared, failed};

/// The field that holds the payload.
const FIELD: &str = "d";
/// A stream entry's id has a sequence number within its millisecond; so many of them fit into an offset.
const SEQUENCES_OF_A_MILLISECOND: u64 = 1 << 20;

pub(super) async fn connect(url: &str) -> Result<MultiplexedConnection, TargetError> {
    // How long an answer may take is for the run to say.
    let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(Some(CONNECT_TIME_MAX));
    let client = Client::open(url).map_err(failed)?;
    client.get_multiplexed_async_connection_with_config(&config).await.map_err(failed)
}

pub(super) async fn publish(
    mut connection: MultiplexedConnection,
    topic: &str,
    payloads: &[Bytes],
) -> Result<Outcome, TargetError> {
    let mut pipeline = pipe();
    for payload in payloads {
        pipeline.cmd("XADD").arg(topic).arg("*").arg(FIELD).arg(payload.as_ref()).ignore();
    }
    refused_or_failed(pipeline.query_async::<()>(&mut connection).await.map(|()| Outcome::Stored))
}

/// What the server refuses is an outcome; a connection that broke is not.
fn refused_or_failed(answer: Result<Outcome, RedisError>) -> Result<Outcome, TargetError> {
    match answer {
        Err(error) if error.is_io_error() || error.is_connection_dropped() => Err(failed(error)),
        Err(error) => Ok(Outcome::Refused(error.code().unwrap_or("redis_error").to_ascii_lowercase())),
        Ok(outcome) => Ok(outcome),
    }
}

pub(super) async fn prepare(url: &str, topic: &str, subscription: Option<&str>) -> Result<Prepared, TargetError> {
    let mut connection = connect(url).await?;
    let info: String = cmd("INFO").arg("server").query_async(&mut connection).await.map_err(failed)?;
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).map(|text| text.trim().to_owned());
    let mut setting = async |name: &str| -> Option<String> {
        let pair: Vec<String> = cmd("CONFIG").arg("GET").arg(name).query_async(&mut connection).await.ok()?;
        pair.into_iter().nth(1)
    };
    let durability = match (setting("appendonly").await.as_deref(), setting("appendfsync").await) {
        (Some("yes"), Some(sync)) => Some(format!("AOF, fsync {sync}")),
        (Some(_), _) => Some("no AOF".to_owned()),
        (None, _) => None,
    };
    let exists: bool = cmd("EXISTS").arg(topic).query_async(&mut connection).await.map_err(failed)?;
    if let Some(group) = subscription {
        let made = cmd("XGROUP").arg("CREATE").arg(topic).arg(group).arg("$").arg("MKSTREAM").to_owned();
        match made.query_async::<()>(&mut connection).await {
            Err(error) if error.code() == Some("BUSYGROUP") => {}
            made => made.map_err(failed)?,
        }
    }
    let server = ServerInfo { product: "Redis Streams".to_owned(), version, durability };
    Ok(Prepared { server, is_new: !exists })
}

pub(super) async fn remove(url: &str, made: &MadeHere) -> Result<(), TargetError> {
    let mut connection = connect(url).await?;
    let command = match made {
        MadeHere::Topic(topic) => cmd("UNLINK").arg(topic).to_owned(),
        MadeHere::Subscription { topic, name } => cmd("XGROUP").arg("DESTROY").arg(topic).arg(name).to_owned(),
    };
    command.query_async::<()>(&mut connection).await.map_err(failed)
}

/// Entries as XREADGROUP answers: stream, then id and fields of each.
type Entries = Option<Vec<(String, Vec<(String, Vec<Vec<u8>>)>)>>;

/// One consumer of a group.
pub struct StreamConsumer {
    connection: MultiplexedConnection,
    topic: String,
    place: SubscriptionPlace,
    number: u32,
    batch: usize,
}

impl StreamConsumer {
    pub(super) async fn connect(
        url: &str,
        topic: &str,
        place: &SubscriptionPlace,
        (number, batch): (u32, usize),
    ) -> Result<Self, TargetError> {
        Ok(Self { connection: connect(url).await?, topic: topic.to_owned(), place: place.clone(), number, batch })
    }

    pub(super) async fn step<C: Clock>(&mut self, clock: &C, account: &Account) -> Result<Step, TargetError> {
        let asked = clock.now();
        let wait_ms = u64::try_from(CONSUMER_POLL.as_millis()).unwrap_or(0);
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(&self.place.name).arg(format!("c{}", self.number)).arg("COUNT").arg(self.batch);
        read.arg("BLOCK").arg(wait_ms).arg("STREAMS").arg(&self.topic).arg(">");
        let entries: Entries = read.query_async(&mut self.connection).await.map_err(failed)?;
        let got = clock.now();
        let entries: Vec<_> = entries.into_iter().flatten().flat_map(|(_, entries)| entries).collect();
        if entries.is_empty() {
            return Ok(Step::Continue);
        }
        account.timed(Measure::Pull, asked, got);
        let delivered: Vec<Delivered> = entries.iter().map(|(id, fields)| delivered(id, fields)).collect();
        account.end_to_end(&delivered, got);
        let mut ack = cmd("XACK");
        ack.arg(&self.topic).arg(&self.place.name);
        for (id, _) in &entries {
            ack.arg(id);
        }
        ack.query_async::<u64>(&mut self.connection).await.map_err(failed)?;
        let confirmed = clock.now();
        account.timed(Measure::Ack, got, confirmed);
        account.delivered(self.place.number, &delivered, confirmed);
        Ok(Step::Continue)
    }
}

fn delivered(id: &str, fields: &[Vec<u8>]) -> Delivered {
    let payload = fields.get(1).map(Vec::as_slice).unwrap_or_default();
    Delivered {
        stamp: Stamp::decode(payload),
        partition: 0,
        offset: offset(id),
        payload_bytes: u64::try_from(payload.len()).unwrap_or(u64::MAX),
    }
}

/// Rises as ids rise.
fn offset(id: &str) -> u64 {
    let (millisecond, sequence) = id.split_once('-').unwrap_or((id, "0"));
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    number(millisecond).saturating_mul(SEQUENCES_OF_A_MILLISECOND).saturating_add(number(sequence))
}

impl fmt::Debug for StreamConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamConsumer").field("place", &self.place).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_rise_as_ids_do() {
        let ids = ["1700000000000-0", "1700000000000-1", "1700000000000-99", "1700000000001-0"];
        assert!(ids.map(offset).is_sorted_by(|one, next| one < next));
    }
}
