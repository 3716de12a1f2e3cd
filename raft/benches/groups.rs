//! How long a group of consumers takes to settle, from the coordinator down to the disk below Raft.
//!
//! `cargo bench -p raft --bench groups` prints a table. Consumers take note of a new generation as soon as they are told.
#![expect(clippy::print_stdout, reason = "a table for people")]
#![expect(clippy::unwrap_used, reason = "a bench that fails ends")]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use raft::{
    GroupHandle, Membership, MetadataConfig, MetadataHandle, MetadataNode,
    metadata::{Command, Consumption, SubscriptionConfig, TopicConfig},
    start,
};
use shard_core::model::{SubscriptionId, SubscriptionName, Timestamp, TopicName};
use tokio::{
    sync::mpsc,
    task::{self, JoinSet},
};

const ROUNDS: usize = 15;
const MEMBERS: usize = 100;
const PARTITIONS: u32 = 200;

/// The metadata, with shards that take every state at once.
struct Running {
    metadata: MetadataHandle,
    groups: GroupHandle,
    _node: MetadataNode,
    subscriptions: u32,
}

/// A group whose consumers follow it; what each was told last.
struct Following {
    groups: GroupHandle,
    subscription: SubscriptionId,
    followers: JoinSet<()>,
    news: mpsc::Receiver<Membership>,
    told: mpsc::Sender<Membership>,
    known: BTreeMap<String, Membership>,
}

/// What one step took.
#[derive(Clone, Copy)]
struct Step {
    answered: Duration,
    settled: Duration,
    generations: u64,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut steps: BTreeMap<&str, Vec<Step>> = BTreeMap::new();
    runtime.block_on(async {
        let mut running = run(directory.path().to_owned()).await;
        for _ in 0..ROUNDS {
            let mut group = running.group().await;
            steps.entry("1: they join, all at once").or_default().push(group.join_all().await);
            steps.entry("2: one leaves").or_default().push(group.leave("m7").await);
            steps.entry("3: one joins").or_default().push(group.join_one("late").await);
        }
    });
    println!("| {MEMBERS} consumers, {PARTITIONS} partitions | answered | settled | at most | generations |");
    println!("|---|---|---|---|---|");
    for (name, steps) in steps {
        let millis = |times: Vec<Duration>| times.iter().map(Duration::as_millis).collect::<Vec<_>>();
        let answered = millis(steps.iter().map(|step| step.answered).collect());
        let settled = millis(steps.iter().map(|step| step.settled).collect());
        let most = settled.iter().max().unwrap().to_owned();
        let generations = steps.iter().map(|step| u128::from(step.generations)).collect();
        println!("| {name} | {} ms | {} ms | {most} ms | {} |", median(answered), median(settled), median(generations));
    }
}

async fn run(directory: std::path::PathBuf) -> Running {
    let config = MetadataConfig::alone(directory, 1, "127.0.0.1:7081".to_owned());
    let (metadata, mut updates, node) = start(config, None).await.unwrap();
    task::spawn(async move {
        while let Some(state) = updates.next().await {
            updates.published(state.version());
        }
    });
    let config = TopicConfig { partitions: PARTITIONS, ..TopicConfig::default() };
    let name = TopicName::new("orders").unwrap();
    metadata.propose(Command::CreateTopic { name, config, created_at: Timestamp::default() }).await.unwrap();
    Running { groups: node.groups(), metadata, _node: node, subscriptions: 0 }
}

impl Running {
    async fn group(&mut self) -> Following {
        self.subscriptions += 1;
        let name = SubscriptionName::new(&format!("s{}", self.subscriptions)).unwrap();
        let create = Command::CreateSubscription {
            name: name.clone(),
            topic: TopicName::new("orders").unwrap(),
            config: SubscriptionConfig { consumption: Consumption::Assigned, ..SubscriptionConfig::default() },
            created_at: Timestamp::default(),
        };
        self.metadata.propose(create).await.unwrap();
        let subscription = self.metadata.state().subscription(name.as_str()).unwrap().id;
        let (told, news) = mpsc::channel(MEMBERS * 4);
        let (groups, followers, known) = (self.groups.clone(), JoinSet::new(), BTreeMap::new());
        Following { groups, subscription, followers, news, told, known }
    }
}

impl Following {
    async fn join_all(&mut self) -> Step {
        let began = Instant::now();
        let mut joins = JoinSet::new();
        for number in 0..MEMBERS {
            let (groups, subscription) = (self.groups.clone(), self.subscription);
            joins.spawn(async move { groups.join(subscription, Some(format!("m{number}"))).await.unwrap() });
        }
        let joined = joins.join_all().await;
        let answered = began.elapsed();
        for membership in joined {
            self.follow(membership);
        }
        self.settle(began, answered, 0).await
    }

    async fn join_one(&mut self, consumer_id: &str) -> Step {
        let (began, before) = (Instant::now(), self.generation());
        let membership = self.groups.join(self.subscription, Some(consumer_id.to_owned())).await.unwrap();
        let answered = began.elapsed();
        self.follow(membership);
        self.settle(began, answered, before).await
    }

    async fn leave(&mut self, consumer_id: &str) -> Step {
        let (began, before) = (Instant::now(), self.generation());
        self.groups.leave(self.subscription, consumer_id).await.unwrap();
        let answered = began.elapsed();
        self.known.remove(consumer_id);
        self.settle(began, answered, before).await
    }

    /// A consumer that takes note of every generation until it is no member any more.
    fn follow(&mut self, membership: Membership) {
        let (groups, subscription, told) = (self.groups.clone(), self.subscription, self.told.clone());
        let (consumer_id, mut known) = (membership.consumer_id.clone(), membership.generation);
        self.known.insert(consumer_id.clone(), membership);
        self.followers.spawn(async move {
            while let Ok(changed) = groups.changed(subscription, &consumer_id, known).await {
                let Ok(current) = groups.heartbeat(subscription, &consumer_id, changed.generation).await else {
                    return;
                };
                known = changed.generation;
                if told.send(current).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Until the consumers have all partitions between them and have been told so.
    async fn settle(&mut self, began: Instant, answered: Duration, before: u64) -> Step {
        let everything = usize::try_from(PARTITIONS).unwrap();
        while self.known.values().map(|membership| membership.partitions.len()).sum::<usize>() != everything
            || self.known.values().any(|membership| membership.partitions.is_empty())
        {
            let current = self.news.recv().await.unwrap();
            if let Some(known) = self.known.get_mut(&current.consumer_id) {
                *known = current;
            }
        }
        Step { answered, settled: began.elapsed(), generations: self.generation() - before }
    }

    fn generation(&self) -> u64 {
        self.known.values().map(|membership| membership.generation).max().unwrap_or(0)
    }
}

fn median(mut figures: Vec<u128>) -> u128 {
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().unwrap()
}
