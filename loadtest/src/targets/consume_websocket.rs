//! Consumes a subscription over a WebSocket: messages come as long as there is credit, acks go back by frame.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use gateway_api::frame::batch::{self, BatchServerFrame, MessageBatches};

use crate::account::{Account, Delivered};
use crate::clock::Clock;
use crate::connections::SubscriptionPlace;
use crate::limits::CONSUMER_POLL;
use crate::recorder::Measure;
use crate::server::Server;
use crate::stamp::Stamp;
use crate::targets::batches::for_each_record;
use crate::targets::delivered::Page;
use crate::targets::websocket_connection::{Subprotocol, WebSocketConnection};
use crate::targets::{Consumer, Step, TargetError, scan};

/// One subscribed WebSocket.
#[derive(Debug)]
pub struct WebSocketConsumer {
    connection: WebSocketConnection,
    subprotocol: Subprotocol,
    place: SubscriptionPlace,
    next_ref: u64,
    /// Acks that wait for their confirmation; bounded by the credit, since each answers at least one message.
    acks: VecDeque<(u64, Duration)>,
}

/// What a frame says.
#[derive(Debug)]
enum Received {
    /// Messages, and their ack ids as a JSON array.
    Messages(Vec<Delivered>, String),
    /// An error, by its code.
    Refused(String),
    /// The answer to a frame of ours, with its number if it has one.
    Answer(Option<u64>),
}

impl WebSocketConsumer {
    /// Connects and subscribes with this much credit.
    ///
    /// # Errors
    ///
    /// When the connection is not made or not upgraded.
    pub async fn connect(
        server: &Server,
        place: &SubscriptionPlace,
        credit: usize,
        subprotocol: Subprotocol,
    ) -> Result<Self, TargetError> {
        let mut connection = WebSocketConnection::connect(server, subprotocol).await?;
        let name = &place.name;
        let subscribe = format!("{{\"op\":\"subscribe\",\"ref\":0,\"subscription\":\"{name}\",\"credit\":{credit}}}");
        connection.send_json(&subscribe).await?;
        Ok(Self { connection, subprotocol, place: place.clone(), next_ref: 1, acks: VecDeque::new() })
    }

    async fn receive(&mut self) -> Result<Received, TargetError> {
        let frame = self.connection.receive().await?;
        match self.subprotocol {
            Subprotocol::Json => json(frame),
            Subprotocol::Batch => {
                let (header, batches) =
                    batch::split(frame).map_err(|error| TargetError::protocol(error.to_string()))?;
                if header.starts_with("{\"op\":\"messages\"") {
                    leased(header, batches)
                } else {
                    json(header.as_bytes())
                }
            }
        }
    }

    /// Acknowledges messages and gives their credit back.
    async fn confirm(&mut self, ack_ids: &str, count: usize, now: Duration) -> Result<(), TargetError> {
        let (reference, subscription) = (self.next_ref, &self.place.name);
        self.next_ref += 1;
        self.acks.push_back((reference, now));
        let ack =
            format!("{{\"op\":\"ack\",\"ref\":{reference},\"subscription\":\"{subscription}\",\"ack_ids\":{ack_ids}}}");
        let credit = format!("{{\"op\":\"credit\",\"subscription\":\"{subscription}\",\"add\":{count}}}");
        self.connection.send_json(&ack).await?;
        self.connection.send_json(&credit).await
    }
}

impl Consumer for WebSocketConsumer {
    async fn step<C: Clock>(&mut self, clock: &C, account: &Account) -> Result<Step, TargetError> {
        // A quiet subscription must not keep the consumer from seeing that the run is over.
        let Ok(received) = tokio::time::timeout(CONSUMER_POLL, self.receive()).await else {
            return Ok(Step::Continue);
        };
        let received = received?;
        let now = clock.now();
        match received {
            Received::Messages(delivered, ack_ids) => {
                account.end_to_end(&delivered, now);
                account.delivered(self.place.number, &delivered, now);
                self.confirm(&ack_ids, delivered.len(), now).await?;
            }
            Received::Refused(code) => account.refused(&code, now),
            Received::Answer(Some(reference)) => {
                if let Some(place) = self.acks.iter().position(|(waiting, _)| *waiting == reference)
                    && let Some((_, asked)) = self.acks.remove(place)
                {
                    account.timed(Measure::Ack, asked, now);
                }
            }
            Received::Answer(None) => {}
        }
        Ok(Step::Continue)
    }
}

fn json(frame: &[u8]) -> Result<Received, TargetError> {
    if frame.starts_with(b"{\"op\":\"messages\"") {
        let page = Page::parse(frame)?;
        return Ok(Received::Messages(page.delivered(), page.ack_ids()));
    }
    if frame.starts_with(b"{\"op\":\"error\"") {
        return Ok(Received::Refused(scan::error_code(frame).unwrap_or_else(|| "unreadable_answer".to_owned())));
    }
    Ok(Received::Answer(scan::number(frame, b"\"ref\":")))
}

/// The messages of batches that are leased; the others in them are not this consumer's.
fn leased(header: &str, batches: &[u8]) -> Result<Received, TargetError> {
    let unreadable = |error: &dyn std::fmt::Display| TargetError::protocol(format!("not a frame of messages: {error}"));
    let frame = BatchServerFrame::parse(header).map_err(|error| unreadable(&error))?;
    let BatchServerFrame::Messages(MessageBatches { partition, leased: Some(leased), .. }) = frame else {
        return Err(unreadable(&"it leases none"));
    };
    let mut found = BTreeMap::new();
    for_each_record(batches, |record| {
        let payload_bytes = u64::try_from(record.payload.len()).unwrap_or(u64::MAX);
        found.insert(record.offset.get(), (Stamp::decode(record.payload), payload_bytes));
    })?;
    let mut delivered = Vec::with_capacity(leased.len());
    for lease in &leased {
        let (stamp, payload_bytes) =
            found.get(&lease.offset).copied().ok_or_else(|| unreadable(&"a leased message is missing"))?;
        delivered.push(Delivered { stamp, partition, offset: lease.offset, payload_bytes });
    }
    let ids: Vec<&str> = leased.iter().map(|lease| lease.ack_id.as_str()).collect();
    Ok(Received::Messages(delivered, serde_json::to_string(&ids).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::batches::BatchMaker;
    use crate::workload::BatchCodec;

    fn batch() -> Vec<u8> {
        let first = Stamp { run: 1, stream: 2, sequence: 10, intended_micros: 0 };
        BatchMaker::new(60, 0, BatchCodec::Lz4).make(&[60, 60, 60], first).unwrap().to_vec()
    }

    #[test]
    fn only_what_is_leased_is_delivered() {
        let header = r#"{"op":"messages","subscription":"s","partition":4,"leased":[{"offset":2,"ack_id":"c","delivery_attempt":1},{"offset":0,"ack_id":"a","delivery_attempt":1}]}"#;
        let Received::Messages(delivered, ack_ids) = leased(header, &batch()).unwrap() else { panic!() };
        let told: Vec<_> = delivered
            .iter()
            .map(|one| (one.partition, one.offset, one.stamp.unwrap().sequence, one.payload_bytes))
            .collect();
        assert_eq!(told, [(4, 2, 12, 60), (4, 0, 10, 60)]);
        assert_eq!(ack_ids, r#"["c","a"]"#);
    }

    #[test]
    fn a_lease_of_what_is_not_there_is_an_error() {
        let header = r#"{"op":"messages","subscription":"s","partition":4,"leased":[{"offset":3,"ack_id":"c","delivery_attempt":1}]}"#;
        assert!(leased(header, &batch()).is_err());
        assert!(leased(r#"{"op":"messages","topic":"t","partition":4,"from":0}"#, &batch()).is_err());
    }
}
