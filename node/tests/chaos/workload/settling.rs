//! The beginning and the end of a run: topics are made; all is healed, drained, and read by every node.

use std::{sync::Arc, time::Duration};

use gateway_api::{
    client::{Client, ClientError},
    subscriptions::{Backoff, Consumption, Ordering, Position, SubscriptionSettings},
    topics::TopicSettings,
};

use super::{Clients, DEAD_TOPIC, GROUP, SHARED, Site, TOPIC, dial::Dial, observer, pause, pulling::record_of};
use crate::{
    checker,
    history::{DeadLetter, What},
    random::Random,
};

/// How long anything may take that has no bound of its own in what is promised.
const DEADLINE_MS: u64 = 60_000;
/// How long to rest between two looks at whether it has happened.
const LOOK_PAUSE_MS: u64 = 200;
/// The number of the client that does all this.
const CLIENT: u32 = 51;

/// Makes the topics and subscriptions, as soon as the nodes can.
pub(crate) fn prepare(site: &Arc<Site>) {
    let prepared = site.spawn(|site| async move {
        let mut dial = Dial::new(site, CLIENT, Random::new(0, 0));
        for _ in 0..DEADLINE_MS / LOOK_PAUSE_MS {
            match make(&mut dial).await {
                Ok(()) => return,
                Err(error) => {
                    eprintln!("node {} is not ready yet: {error}", dial.node());
                    dial.move_on();
                }
            }
            pause(LOOK_PAUSE_MS).await;
        }
        panic!("the nodes did not take a topic within {DEADLINE_MS} ms");
    });
    prepared.join().unwrap();
}

async fn make(dial: &mut Dial) -> Result<(), ClientError> {
    let run = dial.site.recorder.run().clone();
    let client = dial.here();
    let replication_factor = dial.site.replication_factor;
    let dead = TopicSettings { partitions: Some(1), replication_factor, ..TopicSettings::default() };
    client.create_topic(DEAD_TOPIC, &dead).await?;
    let topic = TopicSettings { partitions: Some(run.partitions), replication_factor, ..TopicSettings::default() };
    client.create_topic(TOPIC, &topic).await?;
    let common = SubscriptionSettings {
        topic: Some(TOPIC.to_owned()),
        start: Some(Position::Earliest),
        ack_deadline_ms: Some(run.ack_deadline_ms),
        backoff: Some(Backoff { min_ms: 50, max_ms: 500 }),
        ..SubscriptionSettings::default()
    };
    let shared = SubscriptionSettings {
        ordering: Some(Ordering::Key),
        dead_letter_topic: Some(Some(DEAD_TOPIC.to_owned()).into()),
        ..common.clone()
    };
    client.create_subscription(SHARED, &shared).await?;
    let group =
        SubscriptionSettings { consumption: Some(Consumption::Assigned), session_timeout_ms: Some(2_000), ..common };
    client.create_subscription(GROUP, &group).await?;
    // A node tells of what it knows: one may hear of the last change a moment later than another.
    for at in 0..dial.site.nodes.len() {
        let node = Dial::at(Arc::clone(&dial.site), CLIENT, at);
        node.here().subscription(GROUP).await?;
    }
    Ok(())
}

/// Waits until all goes on after the last fault, ends the clients when nothing is left to do, and reads everything.
pub(crate) fn settle(site: &Arc<Site>, mut clients: Clients) {
    let limit = site.recorder.history().healed() / 1_000 + site.recorder.run().heal_within_ms;
    while !checker::is_alive(&site.recorder.history()) && !site.recorder.until(limit).is_zero() {
        std::thread::sleep(Duration::from_millis(LOOK_PAUSE_MS));
    }
    clients.stop_publishing();
    site.spawn(drain).join().unwrap();
    clients.stop_consuming();
    site.spawn(read_everything).join().unwrap();
}

/// Waits until the subscriptions have nothing left to do.
async fn drain(site: Arc<Site>) {
    let mut dial = Dial::new(Arc::clone(&site), CLIENT, Random::new(0, 0));
    for name in [SHARED, GROUP] {
        let mut last = String::new();
        for _ in 0..DEADLINE_MS / LOOK_PAUSE_MS {
            let start = dial.now();
            match dial.here().subscription(name).await {
                Ok(told) if told.value.backlog == 0 => {
                    site.recorder.record(start, dial.who(), What::Drained { subscription: name.to_owned() });
                    last.clear();
                    break;
                }
                Ok(told) => last = format!("{:?}", told.value.cursors),
                Err(error) => {
                    last = error.to_string();
                    dial.move_on();
                }
            }
            pause(LOOK_PAUSE_MS).await;
        }
        if !last.is_empty() {
            site.recorder.complain(format!("{name} was not done within {DEADLINE_MS} ms: {last}"));
        }
    }
}

/// Reads all partitions at each node, and the dead letters.
async fn read_everything(site: Arc<Site>) {
    for node in 0..site.nodes.len() {
        let mut dial = Dial::at(Arc::clone(&site), CLIENT, node);
        for partition in 0..site.recorder.run().partitions {
            let mut from = 0;
            loop {
                match observer::read(&mut dial, partition, from, true).await {
                    Ok(next) if next == from => break,
                    Ok(next) => from = next,
                    Err(error) => {
                        let place = format!("{partition}/{from} at node {}", dial.node());
                        site.recorder.complain(format!("{place} can't be read at the end: {error}"));
                        break;
                    }
                }
            }
        }
    }
    let dial = Dial::at(Arc::clone(&site), CLIENT, 0);
    if let Err(error) = dead_letters(&dial, dial.here()).await {
        site.recorder.complain(format!("the dead letters can't be listed: {error}"));
    }
}

async fn dead_letters(dial: &Dial, client: &Client) -> Result<(), ClientError> {
    let mut token = None;
    loop {
        let start = dial.now();
        let page = client.dead_letters(SHARED, None, token.as_deref()).await?;
        for letter in &page.items {
            let number = |name: &str| letter.attributes.get(name).and_then(|text| text.parse::<u64>().ok());
            let (Some(partition), Some(offset)) = (number("pubsub-dlq-partition"), number("pubsub-dlq-offset")) else {
                dial.site.recorder.complain(format!("a dead letter from nowhere: {:?}", letter.attributes));
                continue;
            };
            let (subscription, payload) = (SHARED.to_owned(), record_of(letter).payload);
            let letter = DeadLetter { subscription, partition: u32::try_from(partition).unwrap(), offset, payload };
            dial.site.recorder.record(start, dial.who(), What::DeadLetter(letter));
        }
        token = page.next_page_token;
        if token.is_none() {
            return Ok(());
        }
    }
}
