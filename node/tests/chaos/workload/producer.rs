//! A producer: messages one after the other, by one way to publish and one to make it safe to do so again.

use std::sync::Arc;

use gateway_api::{
    client::ClientError,
    publish::{ProducerSequence, PublishMessage, PublishResult, Retry},
};

use super::{Site, dial::Dial, line::Line, outcome, pause};
use crate::{
    history::{Outcome, Placed, Producer, Publish, What},
    random::Random,
};

/// How long a producer rests between two calls, at most.
const PAUSE_MS_MAX: u64 = 30;
/// Messages in one call, at most.
const CALL_MESSAGES_MAX: u64 = 3;
/// Keys that are shared by all producers.
const KEYS: u64 = 12;

/// Over what a producer publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Http,
    WebSocket,
}

/// What makes it safe to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    Nothing,
    Ids,
    CallKey,
    Sequence,
}

/// Each producer of a run.
pub(super) const KINDS: &[(Way, Guard)] = &[
    (Way::Http, Guard::Nothing),
    (Way::Http, Guard::Ids),
    (Way::Http, Guard::Sequence),
    (Way::Http, Guard::CallKey),
    (Way::WebSocket, Guard::Ids),
    (Way::WebSocket, Guard::Sequence),
];

/// One call, as often as it is tried.
struct Call {
    name: String,
    messages: Vec<Message>,
    producer: Option<ProducerSequence>,
}

struct Message {
    payload: String,
    key: Option<String>,
    partition: Option<u32>,
}

/// Publishes until nobody does any more.
pub(super) async fn run(site: Arc<Site>, client: u32, (way, guard): (Way, Guard), random: Random) {
    let partitions = site.recorder.run().partitions;
    let mut dial = Dial::new(site, client, random);
    let mut line = if way == Way::Http { Line::Http(None) } else { Line::WebSocket(None) };
    let mut next_sequences = vec![0; usize::try_from(partitions).unwrap()];
    let mut number = 0_u64;
    while dial.site.is_publishing() {
        number += 1;
        let call = Call::new(format!("{client}-{number}"), guard, &mut dial.random, &mut next_sequences);
        while !attempt(&mut dial, &mut line, &call, guard).await && dial.site.is_publishing() {}
        pause(dial.random.below(PAUSE_MS_MAX)).await;
    }
}

/// Tries once; whether there is no reason to try again.
async fn attempt(dial: &mut Dial, line: &mut Line, call: &Call, guard: Guard) -> bool {
    dial.next();
    let (who, start) = (dial.who(), dial.now());
    let published = line.publish(dial, &call.to_publish(guard), call.retry(guard)).await;
    let outcomes: Vec<Outcome<Placed>> = match &published {
        Ok(results) => results.iter().map(of_result).collect(),
        Err(error) => call.messages.iter().map(|_| outcome::of_error(error)).collect(),
    };
    for (message, outcome) in call.messages.iter().zip(&outcomes) {
        let what = Publish {
            payload: message.payload.clone(),
            key: message.key.clone(),
            is_idempotent: guard != Guard::Nothing,
            producer: call.producer.map(|producer| Producer { id: producer.id, sequence: producer.sequence }),
            outcome: outcome.clone(),
        };
        dial.site.recorder.record(start, who, What::Publish(what));
    }
    if let Err(error) = &published {
        dial.refused("a publish", error).await;
    } else if outcomes.iter().any(|outcome| !matches!(outcome, Outcome::Ok(_))) {
        dial.move_on();
    }
    let is_settled = |outcome: &Outcome<Placed>| match outcome {
        Outcome::Ok(_) => true,
        Outcome::Fail(_) => false,
        // Without a guard another try could store it twice.
        Outcome::Info(_) => guard == Guard::Nothing,
    };
    // Without one, a call is tried again only if none of it can have been stored.
    let is_any_settled = outcomes.iter().any(is_settled);
    outcomes.iter().all(is_settled) || (guard == Guard::Nothing && is_any_settled) || is_hopeless(&published)
}

/// The same again would be refused again; that it was refused is written down as a complaint.
fn is_hopeless(published: &Result<Vec<PublishResult>, ClientError>) -> bool {
    matches!(published, Err(ClientError::Problem(problem)) if !problem.retryable)
}

fn of_result(result: &PublishResult) -> Outcome<Placed> {
    match result {
        PublishResult::Published(published) => Outcome::Ok(Placed {
            partition: published.partition,
            offset: published.offset,
            is_duplicate: published.duplicate,
        }),
        PublishResult::Failed { error } => outcome::of_failure(error),
    }
}

impl Call {
    fn new(name: String, guard: Guard, random: &mut Random, next_sequences: &mut [u32]) -> Self {
        let count = if guard == Guard::Sequence { 1 } else { 1 + random.below(CALL_MESSAGES_MAX) };
        // A producer's numbers belong to one partition, which it names.
        let partition = (guard == Guard::Sequence).then(|| random.below(next_sequences.len() as u64));
        let messages = (0..count).map(|place| Message {
            payload: format!("{name}-{place}"),
            key: (partition.is_none() && random.one_in(2)).then(|| format!("key-{}", random.below(KEYS))),
            partition: partition.map(|partition| u32::try_from(partition).unwrap()),
        });
        let messages = messages.collect();
        let producer = partition.map(|partition| {
            let next = &mut next_sequences[usize::try_from(partition).unwrap()];
            *next += 1;
            let client = name.split('-').next().unwrap().parse::<u64>().unwrap();
            ProducerSequence { id: client, epoch: 0, sequence: *next - 1 }
        });
        Self { name, messages, producer }
    }

    fn to_publish(&self, guard: Guard) -> Vec<PublishMessage<'_>> {
        let message = |message: &'_ Message| PublishMessage {
            text: Some(message.payload.clone().into()),
            key: message.key.clone().map(Into::into),
            id: (guard == Guard::Ids).then(|| message.payload.clone().into()),
            partition: message.partition,
            ..PublishMessage::default()
        };
        self.messages.iter().map(message).collect()
    }

    fn retry(&self, guard: Guard) -> Retry<'_> {
        match (guard, self.producer) {
            (Guard::CallKey, _) => Retry::Key(&self.name),
            (_, Some(producer)) => Retry::Producer(producer),
            (Guard::Nothing | Guard::Ids | Guard::Sequence, None) => Retry::Unguarded,
        }
    }
}
