//! A consumer that pulls from the shared subscription, and what any consumer does with the messages that it holds.

use std::{collections::BTreeMap, sync::Arc};

use gateway_api::consume::{AckRequest, AckResponse, DeliveredMessage, NackRequest, PullRequest};

use super::{SHARED, Site, dial::Dial, outcome, pause};
use crate::{
    history::{Ack, AckKind, Delivery, Outcome, Pull, Record, What},
    random::Random,
};

/// How long a pull waits for messages.
const PULL_WAIT_MS: u64 = 300;
/// Of so many messages one is given back, one rejected, one forgotten.
const UNUSUAL_ONE_IN: u64 = 150;
/// How long a consumer works on what it holds, at most.
const WORK_MS_MAX: u64 = 20;

/// Who consumes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Consumer<'a> {
    pub(super) subscription: &'a str,
    pub(super) name: &'a str,
    pub(super) generation: Option<u64>,
}

/// Pulls until nobody consumes any more.
pub(super) async fn run(site: Arc<Site>, client: u32, random: Random) {
    let name = format!("puller-{client}");
    let consumer = Consumer { subscription: SHARED, name: &name, generation: None };
    let mut dial = Dial::new(site, client, random);
    while dial.site.is_consuming() {
        pull(&mut dial, consumer).await;
    }
}

/// Pulls once, and deals with what came; whether it was answered.
pub(super) async fn pull(dial: &mut Dial, consumer: Consumer<'_>) -> bool {
    let of_group = consumer.generation.is_some();
    let request = PullRequest {
        max_messages: u32::try_from(dial.site.recorder.run().window).unwrap(),
        wait_ms: PULL_WAIT_MS,
        consumer_id: of_group.then(|| consumer.name.to_owned()),
        generation: consumer.generation,
    };
    let start = dial.now();
    match dial.next().pull(consumer.subscription, &request).await {
        Ok(pulled) => {
            for message in &pulled.messages {
                delivered(dial, start, consumer, message);
            }
            deal_with(dial, consumer, pulled.messages).await;
            true
        }
        Err(error) => {
            let what = Pull { subscription: consumer.subscription.to_owned(), outcome: outcome::of_error(&error) };
            dial.site.recorder.record(start, dial.who(), What::Pull(what));
            dial.refused("a pull", &error).await;
            false
        }
    }
}

/// Writes down a message that came.
pub(super) fn delivered(dial: &Dial, start: u64, consumer: Consumer<'_>, message: &DeliveredMessage) {
    let delivery = Delivery {
        subscription: consumer.subscription.to_owned(),
        consumer: consumer.name.to_owned(),
        generation: consumer.generation,
        partition: message.partition,
        attempt: message.delivery_attempt.unwrap_or_default(),
        record: record_of(message),
    };
    dial.site.recorder.record(start, dial.who(), What::Deliver(delivery));
}

/// What a history keeps of a message.
pub(super) fn record_of(message: &DeliveredMessage) -> Record {
    let payload = String::from_utf8_lossy(&message.data.0).into_owned();
    Record { offset: message.offset, key: message.key.clone(), payload }
}

/// What becomes of each message that a consumer holds; `None` if it forgets it.
pub(super) fn choose(random: &mut Random, subscription: &str) -> Option<AckKind> {
    match random.below(UNUSUAL_ONE_IN) {
        0 => Some(AckKind::Again),
        1 if subscription == SHARED => Some(AckKind::Reject),
        2 => None,
        _ => Some(AckKind::Done),
    }
}

async fn deal_with(dial: &mut Dial, consumer: Consumer<'_>, messages: Vec<DeliveredMessage>) {
    pause(dial.random.below(WORK_MS_MAX)).await;
    let mut chosen: BTreeMap<u8, (AckKind, Vec<DeliveredMessage>)> = BTreeMap::new();
    for message in messages {
        if let Some(kind) = choose(&mut dial.random, consumer.subscription) {
            chosen.entry(kind as u8).or_insert_with(|| (kind, Vec::new())).1.push(message);
        }
    }
    for (kind, messages) in chosen.into_values() {
        acknowledge(dial, consumer, kind, &messages).await;
    }
}

async fn acknowledge(dial: &mut Dial, consumer: Consumer<'_>, kind: AckKind, messages: &[DeliveredMessage]) {
    let ack_ids: Vec<_> = messages.iter().map(|message| message.ack_id.clone().unwrap_or_default().into()).collect();
    let start = dial.now();
    let client = dial.next();
    let answer = match kind {
        AckKind::Done => client.ack(consumer.subscription, &AckRequest { ack_ids, ..AckRequest::default() }).await,
        AckKind::Again | AckKind::Reject => {
            let is_rejected = kind == AckKind::Reject;
            let (delay_ms, dead_letter) = ((!is_rejected).then_some(0), is_rejected.then_some(true));
            client.nack(consumer.subscription, &NackRequest { ack_ids, delay_ms, dead_letter }).await
        }
    };
    for message in messages {
        let outcome = match &answer {
            Ok(answer) => of_answer(answer, message),
            Err(error) => outcome::of_error(error),
        };
        acknowledged(dial, start, consumer, kind, (message, outcome));
    }
    if let Err(error) = &answer {
        dial.refused("an ack", error).await;
    }
}

/// What an answer says of one message.
pub(super) fn of_answer(answer: &AckResponse, message: &DeliveredMessage) -> Outcome<()> {
    let failed = answer.failed.iter().find(|failed| Some(&failed.ack_id) == message.ack_id.as_ref());
    failed.map_or(Outcome::Ok(()), |failed| match failed.code.status() {
        // What the node is to blame for may have taken effect all the same.
        500.. => Outcome::Info(failed.code.to_string()),
        _ => Outcome::Fail(failed.code.to_string()),
    })
}

/// Writes down what was said of a message, and what it came to.
pub(super) fn acknowledged(
    dial: &Dial,
    start: u64,
    consumer: Consumer<'_>,
    kind: AckKind,
    (message, outcome): (&DeliveredMessage, Outcome<()>),
) {
    let ack = Ack {
        kind,
        subscription: consumer.subscription.to_owned(),
        consumer: consumer.name.to_owned(),
        generation: consumer.generation,
        partition: message.partition,
        offset: message.offset,
        attempt: message.delivery_attempt.unwrap_or_default(),
        outcome,
    };
    dial.site.recorder.record(start, dial.who(), What::Ack(ack));
}
