//! The loop of one core: an event in, what the cores decide out.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
};

use futures_channel::oneshot;
use futures_lite::future::yield_now;
use shard_core::{
    log::IoWatch,
    model::{Monotonic, RequestId, TopicPartition},
};

use crate::{
    alarm::Alarm,
    clock::Clock,
    command::ShardCommand,
    config::ShardConfig,
    event::ShardEvent,
    executor_watch::ExecutorWatch,
    handle::ShardHandle,
    limits,
    mailbox::Mailbox,
    mesh::MeshPlan,
    metrics::ShardMetrics,
    partition::{Partition, Slot},
    peer::{Forward, Links, PeerServer},
    replication::{Distrusted, Fetchers, Sessions},
    request::PartitionUnavailable,
    store::AnyStore,
    tail_cache::TailCache,
    topic_counts::TopicCounts,
};

mod acking;
mod catching_up;
mod changes;
mod dead_letters;
mod digesting;
mod distrusting;
mod feeding;
mod fetching;
mod following;
mod housekeeping;
mod leading;
mod learning;
mod looking_ahead;
mod perform;
mod publishing;
mod pulling;
mod reading;
mod redriving;
mod releasing;
mod reopening;
mod scheduled;
mod searching;
mod tallying;
mod tasks;

use catching_up::CatchUp;

/// One core's partitions and the loop that serves them.
#[derive(Debug)]
pub struct Shard {
    config: Rc<ShardConfig>,
    clock: Clock,
    mailbox: Mailbox<ShardEvent>,
    partitions: HashMap<TopicPartition, Slot>,
    /// Those that events were given to since effects were last performed.
    touched: Vec<TopicPartition>,
    cache: TailCache,
    store: AnyStore,
    alarm: Alarm,
    /// The way to partitions wherever they are, for what this shard itself publishes.
    handle: ShardHandle,
    watch: IoWatch,
    executor: ExecutorWatch,
    topics: TopicCounts,
    metrics: Arc<ShardMetrics>,
    /// What all partitions together remember of earlier publishes takes so many bytes.
    dedup_bytes: usize,
    next_request: u64,
    /// Openings of partitions are numbered through: what an earlier one had done is never taken for a later one's.
    last_opening: u64,
    checkpointing: bool,
    retaining: bool,
    /// Those that are being let go of, as another node owns them.
    releasing: Vec<TopicPartition>,
    /// Those that another node has opened in a newer epoch; the metadata that says so is on its way.
    superseded: Vec<TopicPartition>,
    /// What is fetched from other nodes, and what they fetch from here.
    fetchers: Fetchers,
    sessions: Sessions,
    catch_up: CatchUp,
    /// What is kept by others too, and can't be counted on here.
    distrusted: BTreeMap<TopicPartition, Distrusted>,
    /// When leaders last looked for followers that are behind.
    followers_seen: Monotonic,
    /// By which routes it is decided from where partitions are fetched.
    sources_of: u64,
    /// How many producers wait to hear whether they are ahead.
    confirming: Rc<Cell<usize>>,
    /// How many parts of logs are being read for subscriptions to look at.
    looks: usize,
    /// Whether the last checkpoint of all was asked for.
    stop_noted: bool,
    stopping: Option<oneshot::Sender<()>>,
    stopped: Rc<Cell<bool>>,
}

impl Shard {
    /// Joins the mesh and makes a shard without partitions, on the executor it will run on.
    ///
    /// # Errors
    /// When the data directory can't be used, or another shard has ended before it joined.
    pub async fn start(
        config: ShardConfig,
        mesh: MeshPlan,
        commands: flume::Receiver<ShardCommand>,
        metrics: Arc<ShardMetrics>,
    ) -> Result<(Self, ShardHandle), String> {
        let (shard, handle, _) = Self::start_with_peers(config, mesh, commands, metrics).await?;
        Ok((shard, handle))
    }

    /// The same, and what serves the connections of other nodes, if there are any.
    ///
    /// # Errors
    /// Those of [`Shard::start`].
    pub async fn start_with_peers(
        config: ShardConfig,
        mesh: MeshPlan,
        commands: flume::Receiver<ShardCommand>,
        metrics: Arc<ShardMetrics>,
    ) -> Result<(Self, ShardHandle, Option<PeerServer>), String> {
        let store = AnyStore::start(config.store.clone(), &metrics).await.map_err(|error| error.to_string())?;
        let (mesh, number, peers) = mesh.join().await?;
        // The mesh numbers its members by the order their executors were made in, and so must the node.
        if number.is_some_and(|number| number != config.index) {
            return Err(format!("shard {} is number {number:?} of the mesh", config.index));
        }
        // Every shard is in the mesh now, so each has started its store.
        store.settle().await.map_err(|error| error.to_string())?;
        let mailbox = Mailbox::new();
        let stopped = Rc::new(Cell::new(false));
        for peer in peers {
            tasks::receive_requests(peer, mailbox.clone());
        }
        tasks::receive_commands(commands, mailbox.clone(), (store.clone(), config.ack_key));
        tasks::tick(mailbox.clone(), limits::CHECKPOINT_INTERVAL, Rc::clone(&stopped), || ShardEvent::CheckpointDue);
        tasks::tick(mailbox.clone(), limits::RETENTION_INTERVAL, Rc::clone(&stopped), || ShardEvent::RetentionDue);
        if config.replication.is_some() {
            let stopped = Rc::clone(&stopped);
            tasks::tick(mailbox.clone(), limits::REPLICATION_INTERVAL, stopped, || ShardEvent::ReplicationDue);
        }
        let place = (config.index, config.count);
        let here = ShardHandle::new(place, mailbox.clone(), mesh, (Arc::clone(&metrics), config.tracer.clone()));
        let (handle, server) = match config.peers.clone() {
            Some(peers) => {
                let forward = Forward::new(Links::start(peers.clone(), Arc::clone(&metrics)));
                let server = PeerServer::new(peers, here.clone(), Arc::clone(&metrics));
                (here.with_peers(forward), Some(server))
            }
            None => (here, None),
        };
        let shard = Self {
            clock: Clock::start(),
            partitions: HashMap::new(),
            touched: Vec::new(),
            cache: TailCache::new(config.tail_cache_bytes_max),
            store,
            alarm: Alarm::new(mailbox.clone()),
            handle: handle.clone(),
            watch: IoWatch::new(config.io_limits),
            executor: ExecutorWatch::default(),
            topics: TopicCounts::default(),
            dedup_bytes: 0,
            next_request: 0,
            last_opening: 0,
            checkpointing: false,
            retaining: false,
            releasing: Vec::new(),
            superseded: Vec::new(),
            fetchers: Fetchers::new(u64::try_from(Clock::wall().as_millis()).unwrap_or_default() << 20),
            sessions: Sessions::default(),
            catch_up: CatchUp::new(config.replication.as_ref().and_then(|replication| replication.catch_up_rate)),
            distrusted: BTreeMap::new(),
            followers_seen: Monotonic::default(),
            sources_of: 0,
            confirming: Rc::new(Cell::new(0)),
            looks: 0,
            stop_noted: false,
            stopping: None,
            stopped,
            config: Rc::new(config),
            mailbox,
            metrics,
        };
        Ok((shard, handle, server))
    }

    /// Serves until `ShardCommand::Stop` and everything accepted is in the store.
    pub async fn run(mut self) {
        while !self.stopped.get() {
            self.mailbox.wait().await;
            for _ in 0..limits::EVENTS_PER_TURN_MAX {
                let Some(event) = self.mailbox.take() else { break };
                self.handle(event);
            }
            self.perform_effects();
            self.answer_fetches();
            self.begin_fetches();
            self.alarm.arm(self.clock.monotonic());
            self.metrics.queue_depth.set(widen(self.mailbox.len()));
            self.metrics.tail_cache_bytes.set(widen(self.cache.bytes()));
            self.advance_releases();
            self.finish_stop();
            // Connections get their turn between two of this loop's.
            yield_now().await;
        }
    }

    fn handle(&mut self, event: ShardEvent) {
        match event {
            ShardEvent::Request(request) => self.on_request(request),
            ShardEvent::Change { change, applying } => self.on_change(change, applying),
            ShardEvent::Opened { change, opened, applying } => self.on_opened(&change, *opened, &applying),
            ShardEvent::Located { partition, settings, start, applying } => {
                self.open_subscription_at(partition, settings, start, applying);
            }
            ShardEvent::SeekLocated { cursor, to, reply } => self.on_seek_located(cursor, to, reply),
            ShardEvent::OpeningDelayed { partition, reason } => self.on_opening_delayed(partition, reason),
            ShardEvent::Reopened { partition, opened } => self.on_reopened(partition, *opened),
            ShardEvent::Stored { partition, opening, event } => self.on_stored(partition, opening, event),
            ShardEvent::PullRead { cursor, pull, read, reply } => self.on_pull_read(cursor, &pull, read, reply),
            ShardEvent::LookedAt { cursor, read } => self.on_looked_at(cursor, read),
            ShardEvent::DeadLetter { cursor, letter, arrived } => self.on_dead_letter(cursor, letter, arrived),
            ShardEvent::Searched { partition, search, read } => self.on_searched(partition, search, read),
            ShardEvent::SentBack(end) => self.on_sent_back(*end),
            ShardEvent::Tick => self.on_tick(),
            ShardEvent::CheckpointDue => {
                self.look_at_io();
                self.executor.look(self.clock.monotonic(), &self.metrics);
                self.checkpoint();
            }
            ShardEvent::CheckpointDone => self.checkpointing = false,
            ShardEvent::RetentionDue => {
                self.forget_expired();
                self.forget_topics();
                self.enforce_retention();
            }
            ShardEvent::RetentionDone => self.retaining = false,
            ShardEvent::Closed { partition } => self.on_closed(partition),
            ShardEvent::CatchUpDue => self.on_catch_up_due(),
            ShardEvent::Fetched { source, session, fetched } => self.on_fetched(source, session, fetched),
            ShardEvent::Followed { place, source, done } => self.on_followed(place, source, done),
            ShardEvent::FollowedStart { partition, start } => self.on_followed_start(partition, start),
            ShardEvent::ProposalEnded { place, proposed } => self.on_proposal_end(place, proposed),
            ShardEvent::ReplicationDue => {
                self.look_at_sources();
                self.answer_due_fetches();
                self.look_at_followers();
                self.say_distrusted();
            }
            ShardEvent::GivenUp { partition, is_given_up } => self.on_given_up(partition, is_given_up),
            ShardEvent::DamageFound { partition, offset, reason } => self.on_damage_found(partition, offset, reason),
            ShardEvent::LetGo { partition } => self.on_let_go(partition),
            ShardEvent::Mended { partition, mended } => self.on_mended(partition, *mended),
            ShardEvent::TallyAsked { reply } => self.begin_tally(reply),
            ShardEvent::CountOn(counting) => self.count_on(counting),
            ShardEvent::Stop { done } => self.begin_stop(done),
        }
    }

    /// The partition, if it serves; it is polled for effects after this turn's events.
    fn open(&mut self, partition: TopicPartition) -> Result<&mut Partition, PartitionUnavailable> {
        let slot = self.partitions.get_mut(&partition).ok_or(PartitionUnavailable::NotHere(partition))?;
        match slot {
            Slot::Open(open) => {
                if !open.touched {
                    open.touched = true;
                    self.touched.push(partition);
                }
                Ok(open)
            }
            Slot::Opening(reason) => Err(PartitionUnavailable::StoreAway { partition, reason: reason.clone() }),
            // It is asked for again a little later.
            Slot::Assuming(_) | Slot::Following(_) => Err(PartitionUnavailable::NotHere(partition)),
            Slot::Closed(reason) => Err(PartitionUnavailable::Closed { partition, reason: reason.clone() }),
        }
    }

    const fn new_opening(&mut self) -> u64 {
        self.last_opening += 1;
        self.last_opening
    }

    fn new_request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId::new(self.next_request)
    }
}

fn widen(length: usize) -> u64 {
    u64::try_from(length).expect("a length fits in 64 bits")
}
