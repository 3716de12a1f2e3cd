//! The bounds of the node itself; those of the data plane are in the crates that own it.

use std::time::Duration;

/// The largest configuration file, in bytes.
pub(crate) const CONFIG_FILE_BYTES_MAX: u64 = 1 << 20;
/// How like a known name an unknown one must be to be suggested, from 0 to 1.
pub(crate) const SUGGESTION_LIKENESS_MIN: f64 = 0.6;

/// The largest file that says what to log, in bytes.
pub(crate) const LOG_LEVEL_BYTES_MAX: u64 = 4 << 10;
/// Places in the code whose log lines are counted; there are fewer, libraries included.
pub(crate) const LOG_PLACES_MAX: usize = 1024;
/// How often it is looked whether lines were left out that have to be told of.
pub(crate) const LOG_TICK: Duration = Duration::from_secs(1);

/// How long a health check may take; whoever asks for one gives it five seconds, as a rule.
pub(crate) const HEALTH_CHECK_TIMEOUT: Duration = Duration::from_secs(4);
/// The longest answer to one, in bytes: it may name partitions that are closed.
pub(crate) const HEALTH_CHECK_BYTES_MAX: usize = 1 << 20;

/// The oldest kernel: glommio needs the io_uring operations of 5.8.
pub(crate) const KERNEL_MIN: (u32, u32) = (5, 8);
/// Locked memory that io_uring needs, in bytes; glommio refuses to start with less.
pub(crate) const MEMLOCK_BYTES_MIN: u64 = 512 << 10;
/// File descriptors that a node needs for itself: rings, listeners, metadata, and a first few partitions.
pub(crate) const FILE_DESCRIPTORS_MIN: u64 = 1024;
/// Of the files that may be open, how many are neither connections nor partitions'.
pub(crate) const OTHER_FILES: usize = 512;
/// How many files may be open for partitions, over all shards, where the process's limit does not say less.
pub(crate) const OPEN_FILES_DEFAULT: usize = 8192;
/// How many files one shard may have open for its partitions at least.
pub(crate) const OPEN_FILES_MIN: usize = 16;
/// The alignment that direct I/O is tried with, in bytes.
pub(crate) const DIRECT_IO_BLOCK_BYTES: usize = 4096;

/// Connections that may wait to be accepted, per core.
pub(crate) const LISTEN_BACKLOG: i32 = 4096;
/// Events from the cores that the control thread has not looked at; a core sends at most four in its life.
pub(crate) const CORE_EVENTS_MAX: usize = 8 << 10;
/// Commands to one shard that it has not taken; the control thread waits for each, so few are ever there.
pub(crate) const SHARD_COMMANDS_MAX: usize = 16;

/// How long an executor may run tasks without looking at other cores' messages; glommio's default is 100 ms. Not much
/// shorter than a time slice of the kernel's, see [`HEARTBEATS`].
pub(crate) const PREEMPT_TIMER: Duration = Duration::from_millis(5);
/// After how long each core is woken whatever happens. When the kernel takes an executor of glommio 0.9 off its core just
/// before it runs tasks, and gives it back after [`PREEMPT_TIMER`], it takes the expired timer for "nothing was
/// runnable" and sleeps until something else wakes it. The first of these is that something, and the next one wakes it
/// where the same happens again.
pub(crate) const HEARTBEATS: [Duration; 6] = [
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
];
/// How long the executor that looks at Redis before the start may run without looking at its rings.
pub(crate) const REDIS_CHECK_TURN: Duration = Duration::from_mins(1);
/// How many executors are offered a core's task, since one may sleep before it has taken it.
pub(crate) const EXECUTOR_STARTS_MAX: usize = 8;
/// How long each has to take it.
pub(crate) const EXECUTOR_START_WAIT: Duration = Duration::from_secs(1);
/// How long the last one has.
pub(crate) const EXECUTOR_START_WAIT_LAST: Duration = Duration::from_secs(30);
/// How long an idle executor looks for work before it sleeps: shorter than a wake-up costs, so that idling stays cheap.
pub(crate) const SPIN_BEFORE_PARK: Duration = Duration::from_micros(20);
/// Buffers that each executor registers with its ring: small, since they count as locked memory.
pub(crate) const REGISTERED_BUFFER_BYTES: usize = 1 << 20;
/// Entries of each ring.
pub(crate) const RING_DEPTH: usize = 512;

/// How long a node may take to stop before it exits without having finished.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const _: () = assert!(
    raft::limits::LEAVE_TIME_MAX.as_secs() + gateway::limits::SHUTDOWN_GRACE.as_secs() + 5 <= STOP_TIMEOUT.as_secs(),
    "who waits for others in vain has time to end well",
);

/// Requests of the control thread to one core that it has not taken; beyond it pushing waits.
pub(crate) const PUSH_REQUESTS_MAX: usize = 1_024;
/// The bytes of batches one lease takes from a partition; one batch is taken however large.
pub(crate) const PUSH_LEASE_BYTES: usize = 256 << 10;
/// How much longer than its request may take a message is leased, for what comes before and after.
pub(crate) const PUSH_LEASE_MARGIN: Duration = Duration::from_secs(10);
/// The share of the memory for messages on their way that each takes at least: it bounds their number, too.
pub(crate) const PUSH_SHARE_BYTES: u64 = 64 << 10;
/// How long a subscription waits for messages before it looks all the same.
pub(crate) const PUSH_LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// How long a subscription rests when it could not lease.
pub(crate) const PUSH_LEASE_RETRY: Duration = Duration::from_secs(1);
/// How often it is tried to settle a message; after that its lease has to end.
pub(crate) const PUSH_SETTLE_TRIES: u32 = 5;
/// The pause after each of these tries.
pub(crate) const PUSH_SETTLE_PAUSE: Duration = Duration::from_millis(200);
/// How often it is tried to pause a subscription whose endpoint is gone.
pub(crate) const PUSH_PAUSE_TRIES: u32 = 10;
/// The pause after each of these tries.
pub(crate) const PUSH_PAUSE_RETRY: Duration = Duration::from_secs(1);
/// How often it is looked whether the task of a subscription has died.
pub(crate) const PUSH_TASKS_LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// Names that are resolved at a time.
pub(crate) const PUSH_LOOKUPS_MAX: usize = 64;
/// How many addresses of a host are tried.
pub(crate) const PUSH_ADDRESSES_MAX: usize = 4;
/// How long a connection to one address may take to stand.
pub(crate) const PUSH_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection to an endpoint is kept without a request.
pub(crate) const PUSH_IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest head of an answer.
pub(crate) const PUSH_ANSWER_HEAD_BYTES_MAX: usize = 64 << 10;
/// What is read of an answer's body, to be able to use the connection again.
pub(crate) const PUSH_ANSWER_BODY_BYTES_MAX: usize = 64 << 10;
/// How long that may take.
pub(crate) const PUSH_DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// How much is told of an error.
pub(crate) const PUSH_ERROR_CHARS_MAX: usize = 200;
/// How long push requests may take to end when the node stops.
pub(crate) const PUSH_GRACE: Duration = Duration::from_secs(5);
/// How long giving back the messages of those that did not end may take.
pub(crate) const PUSH_ABANDON_TIMEOUT: Duration = Duration::from_secs(2);

/// How many events of the audit log wait at most to be written.
pub(crate) const AUDIT_EVENTS_MAX: usize = 4_096;
/// Connections to the data port at a time before the node belongs to its cluster.
pub(crate) const EARLY_CONNECTIONS_MAX: usize = 64;
/// How long a client may take for its request and to read the answer then.
pub(crate) const EARLY_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of the audit log is written at once.
pub(crate) const AUDIT_WRITE_BYTES: usize = 64 << 10;

/// The largest file with certificates or a key.
pub(crate) const TLS_FILE_BYTES_MAX: u64 = 1 << 20;

/// How long fetching keys for JWT may take.
pub(crate) const JWKS_TIMEOUT: Duration = Duration::from_secs(10);
/// The first pause after keys could not be read; it doubles.
pub(crate) const JWKS_RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest pause after that.
pub(crate) const JWKS_RETRY_MAX: Duration = Duration::from_mins(5);

/// Connections to the metrics port at a time.
pub(crate) const METRICS_CONNECTIONS_MAX: usize = 32;
/// How long a scraper may take for its request and to read the answer.
pub(crate) const METRICS_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a scraper waits for what each shard has to count.
pub(crate) const METRICS_TALLY_WAIT: Duration = Duration::from_millis(500);
/// How long it waits for the disk to say how much room it has.
pub(crate) const METRICS_DISK_WAIT: Duration = Duration::from_millis(200);
/// The pause after a failed accept of a scraper, so that running out of files does not make the control thread spin.
pub(crate) const METRICS_ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How many connections of other nodes are served at once.
pub(crate) const LINK_CONNECTIONS_MAX: usize = 1_024;
/// How many questions of one connection wait or are being answered at once.
pub(crate) const LINK_QUESTIONS_MAX: usize = 256;
/// How many answers of one connection wait to be written.
pub(crate) const LINK_REPLIES_WAITING_MAX: usize = 256;
/// Frames are written together up to about so many bytes.
pub(crate) const LINK_WRITE_BYTES: usize = 256 << 10;
/// How long connecting to a node and showing who one is may take.
pub(crate) const LINK_CONNECT_WAIT: Duration = Duration::from_secs(2);
/// How long who connects may take to show who it is.
pub(crate) const LINK_HANDSHAKE_WAIT: Duration = Duration::from_secs(5);
/// How much is read of a node at most that is told why it is not spoken to.
pub(crate) const LINK_PARTING_BYTES_MAX: u64 = 64 << 10;
/// After so much silence, while something is asked, a connection is given up.
pub(crate) const LINK_SILENCE_MAX: Duration = Duration::from_secs(5);
/// How long the port for nodes rests when it can't take a connection.
pub(crate) const LINK_ACCEPT_REST: Duration = Duration::from_millis(100);
/// How often it is looked whether a majority of the cluster is heard of.
pub(crate) const CONTACT_LOOK: Duration = Duration::from_millis(50);
/// After so much silence a node serves nothing of its partitions: others may have them soon.
pub(crate) const CONTACT_SILENCE_MAX: Duration = Duration::from_millis(1_500);
const _: () = assert!(
    CONTACT_SILENCE_MAX.as_millis() + 250 < raft::limits::NODE_SESSION.as_millis(),
    "a node has let go of its partitions before they are given to others"
);
/// How long a node that starts waits for the cluster to count on it.
pub(crate) const COUNTS_WAIT: Duration = Duration::from_secs(10);

/// A follower that has not come up with its leader's log for so long is no longer in sync.
pub(crate) const REPLICA_LAG_MAX: Duration = Duration::from_secs(8);
/// The most changes of who is in sync that wait to be proposed.
pub(crate) const ISR_PROPOSALS_MAX: usize = 65_536;
/// The most replicas that can't be counted on of which the control thread does not know yet.
pub(crate) const REPLICA_FAULTS_MAX: usize = 65_536;
/// How long it is until the metadata are asked again to go without a replica.
pub(crate) const REPLICA_FAULT_PAUSE: Duration = Duration::from_millis(500);
/// The most of them that are proposed together.
pub(crate) const ISR_CHANGES_PER_COMMAND_MAX: usize = 150;

/// How often the spans that wait are exported.
pub(crate) const TRACE_EXPORT_INTERVAL: Duration = Duration::from_millis(250);
/// The most spans that are exported together.
pub(crate) const TRACE_BATCH_SPANS_MAX: usize = 512;
/// How long the collector may take for them.
pub(crate) const TRACE_EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection to it may take to stand.
pub(crate) const TRACE_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often they are sent before they are given up.
pub(crate) const TRACE_EXPORT_TRIES: u32 = 3;
/// The pause after the first failure.
pub(crate) const TRACE_RETRY_PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest such pause.
pub(crate) const TRACE_RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// The longest answer of a collector.
pub(crate) const TRACE_ANSWER_BYTES_MAX: usize = 64 << 10;
/// How long the last spans may take when the node stops.
pub(crate) const TRACE_STOP_TIMEOUT: Duration = Duration::from_secs(2);
