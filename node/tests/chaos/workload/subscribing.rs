//! A consumer over WebSocket: of the shared subscription, or a member of the group that lives by being connected.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gateway_api::{
    client::{ClientError, WaitedFor, WebSocketClient},
    consume::{AckResponse, DeliveredMessage},
    frame::{Ack, ClientFrame, Credit, Nack, ServerFrame, Subscribe},
};

use super::{
    GROUP, Site,
    dial::{ANSWER_TIMEOUT, Dial},
    pulling::{Consumer, acknowledged, choose, delivered, of_answer},
};
use crate::{
    history::{AckKind, Membership, Outcome, What},
    random::Random,
};

/// How often a consumer looks whether it is to go on, while nothing comes.
const SILENCE: Duration = Duration::from_millis(300);

/// What was said of messages and is not answered yet.
struct Asked {
    start: u64,
    kind: AckKind,
    messages: Vec<DeliveredMessage>,
    generation: Option<u64>,
}

/// One connection of the consumer.
struct Session<'a> {
    socket: WebSocketClient,
    subscription: &'static str,
    name: &'a str,
    generation: Option<u64>,
    /// When it subscribed: whatever came was sent later.
    start: u64,
    asked: BTreeMap<u64, Asked>,
    last: u64,
}

/// Consumes until nobody does any more.
pub(super) async fn run(site: Arc<Site>, client: u32, subscription: &'static str, random: Random) {
    let mut dial = Dial::new(site, client, random);
    let name = format!("socket-{client}");
    while dial.site.is_consuming() {
        dial.next();
        match Session::open(&mut dial, subscription, &name).await {
            Ok(mut session) => {
                let ended = session.consume(&mut dial).await;
                session.unanswered(&dial);
                match ended {
                    Ok(()) => drop(session.socket.close().await),
                    Err(error) => dial.refused("consuming over a WebSocket", &error).await,
                }
            }
            Err(error) => dial.refused("a subscribe", &error).await,
        }
    }
}

impl<'a> Session<'a> {
    async fn open(dial: &mut Dial, subscription: &'static str, name: &'a str) -> Result<Self, ClientError> {
        let mut socket = WebSocketClient::connect(dial.endpoint(), None).await?;
        let start = dial.now();
        let subscribe = Subscribe {
            reference: Some(0),
            subscription: Some(subscription.into()),
            credit: Some(u32::try_from(dial.site.recorder.run().window).unwrap()),
            consumer_id: (subscription == GROUP).then(|| name.into()),
            ..Subscribe::default()
        };
        socket.send(&ClientFrame::Subscribe(subscribe)).await?;
        Ok(Self { socket, subscription, name, generation: None, start, asked: BTreeMap::new(), last: 0 })
    }

    /// Takes frames until the connection ends, or it is time to.
    async fn consume(&mut self, dial: &mut Dial) -> Result<(), ClientError> {
        let mut silence = Duration::ZERO;
        while dial.site.is_consuming() {
            let Ok(frame) = tokio::time::timeout(SILENCE, self.socket.next()).await else {
                silence += SILENCE;
                // An ack that stays without an answer means that nothing comes over this connection any more.
                if silence > ANSWER_TIMEOUT && !self.asked.is_empty() {
                    return Err(ClientError::Timeout { waited_for: WaitedFor::Answer, waited: silence });
                }
                continue;
            };
            silence = Duration::ZERO;
            match frame? {
                Some(frame) => self.on_frame(dial, frame).await?,
                None => return Err(ClientError::Lost { detail: "closed".to_owned() }),
            }
        }
        Ok(())
    }

    async fn on_frame(&mut self, dial: &mut Dial, frame: ServerFrame) -> Result<(), ClientError> {
        match frame {
            ServerFrame::Subscribed(told) => {
                if let (Some(generation), Some(partitions)) = (told.generation, told.partitions) {
                    self.told(dial, generation, partitions);
                }
            }
            ServerFrame::Assigned(told) => self.told(dial, told.generation, told.partitions),
            ServerFrame::Messages(frame) => self.on_messages(dial, frame.messages).await?,
            ServerFrame::Acked(frame) => {
                let asked = frame.reference.and_then(|reference| self.asked.remove(&reference));
                let answer = AckResponse { succeeded: frame.succeeded, failed: frame.failed };
                for (asked, message) in asked.iter().flat_map(|asked| asked.messages.iter().map(move |m| (asked, m))) {
                    self.settle(dial, asked, message, of_answer(&answer, message));
                }
            }
            ServerFrame::Error(error) => {
                let problem = gateway_api::error::Problem::new(error.code, error.detail);
                if let Some(asked) = error.reference.and_then(|reference| self.asked.remove(&reference)) {
                    for message in &asked.messages {
                        self.settle(dial, &asked, message, Outcome::Info(problem.to_string()));
                    }
                    super::outcome::judge(&dial.site.recorder, "an ack", dial.node(), &problem.into());
                } else {
                    return Err(problem.into());
                }
            }
            ServerFrame::Published(_) | ServerFrame::Unsubscribed(_) | ServerFrame::Pong(_) => {}
        }
        Ok(())
    }

    fn told(&mut self, dial: &Dial, generation: u64, partitions: Vec<u32>) {
        self.generation = Some(generation);
        let (subscription, consumer) = (self.subscription.to_owned(), self.name.to_owned());
        let told = Membership { subscription, consumer, generation, partitions };
        dial.site.recorder.record(self.start, dial.who(), What::Membership(told));
    }

    async fn on_messages(&mut self, dial: &mut Dial, messages: Vec<DeliveredMessage>) -> Result<(), ClientError> {
        let add = u32::try_from(messages.len()).unwrap();
        let mut chosen: BTreeMap<u8, (AckKind, Vec<DeliveredMessage>)> = BTreeMap::new();
        for message in messages {
            delivered(dial, self.start, self.consumer(self.generation), &message);
            if let Some(kind) = choose(&mut dial.random, self.subscription) {
                chosen.entry(kind as u8).or_insert_with(|| (kind, Vec::new())).1.push(message);
            }
        }
        for (kind, messages) in chosen.into_values() {
            self.last += 1;
            let frame = frame(self.subscription, kind, self.last, &messages);
            let asked = Asked { start: dial.now(), kind, messages, generation: self.generation };
            // Before it is sent: a connection that is lost meanwhile may have carried it.
            self.asked.insert(self.last, asked);
            self.socket.send(&frame).await?;
        }
        let subscription = Some(self.subscription.into());
        self.socket.send(&ClientFrame::Credit(Credit { subscription, add, ..Credit::default() })).await
    }

    /// What is not answered when a connection ends may have been heard.
    fn unanswered(&mut self, dial: &Dial) {
        for asked in std::mem::take(&mut self.asked).into_values() {
            for message in &asked.messages {
                self.settle(dial, &asked, message, Outcome::Info("no answer".to_owned()));
            }
        }
    }

    fn settle(&self, dial: &Dial, asked: &Asked, message: &DeliveredMessage, outcome: Outcome<()>) {
        acknowledged(dial, asked.start, self.consumer(asked.generation), asked.kind, (message, outcome));
    }

    fn consumer(&self, generation: Option<u64>) -> Consumer<'a> {
        Consumer { subscription: self.subscription, name: self.name, generation }
    }
}

fn frame(subscription: &str, kind: AckKind, reference: u64, messages: &[DeliveredMessage]) -> ClientFrame<'static> {
    let ack_ids = messages.iter().map(|message| message.ack_id.clone().unwrap_or_default().into()).collect();
    let (reference, subscription) = (Some(reference), subscription.to_owned().into());
    match kind {
        AckKind::Done => ClientFrame::Ack(Ack { reference, subscription, ack_ids }),
        AckKind::Again => {
            ClientFrame::Nack(Nack { reference, subscription, ack_ids, delay_ms: Some(0), ..Nack::default() })
        }
        AckKind::Reject => {
            ClientFrame::Nack(Nack { reference, subscription, ack_ids, dead_letter: Some(true), ..Nack::default() })
        }
    }
}
