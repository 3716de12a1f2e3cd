//! The bounds of a shard's queues and waits.

use std::time::Duration;

/// The most requests a core's queue holds; the next one is refused as overloaded.
pub(crate) const MAILBOX_REQUESTS_MAX: usize = 65_536;
/// The most requests on their way from one core to another.
pub(crate) const MESH_REQUESTS_MAX: usize = 16_384;
/// The most events handled before their effects are performed.
pub(crate) const EVENTS_PER_TURN_MAX: usize = 4_096;
/// The most dead letters of a subscription on a partition that are on their way at once.
pub(crate) const DEAD_LETTERS_UNDER_WAY_MAX: usize = 64;
/// The pause before a dead letter that could not be written is tried again.
pub(crate) const DEAD_LETTER_PAUSE: Duration = Duration::from_secs(1);
/// The most records that a subscription looks at before others have their turn.
pub(crate) const SCAN_RECORDS_PER_TURN: u64 = 10_000;
/// The most subscriptions of a shard that look at what is stored at the same time, each at `SCAN_BYTES`.
pub(crate) const LOOKS_AT_ONCE_MAX: usize = 4;
/// The bytes of batches that a subscription looks at together.
pub(crate) const SCAN_BYTES: usize = 1 << 20;
/// The longest wait for a time of day without a look at the clock, which may jump.
pub(crate) const CLOCK_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The most reads and consumers that wait at one partition for something new.
pub(crate) const WAITERS_PER_PARTITION_MAX: usize = 100_000;
/// The most disk reads in flight on one core.
pub(crate) const DISK_READS_MAX: u64 = 64;
/// The fewest bytes of one disk read.
pub(crate) const DISK_READ_BYTES_MIN: usize = 64 << 10;
/// The most bytes of one disk read, but for a larger batch.
pub(crate) const DISK_READ_BYTES_MAX: usize = 1 << 20;
/// The most places of the logs of one core at which something that was read is kept, with what follows it.
pub(crate) const READ_AHEAD_PLACES_MAX: usize = 16;
/// The most partitions that are recovered at once on one core.
pub(crate) const RECOVERIES_MAX: usize = 16;
/// The pause before a partition whose store is away is opened again the first time.
pub(crate) const REOPEN_PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest such pause.
pub(crate) const REOPEN_PAUSE_MAX: Duration = Duration::from_millis(500);
/// The most steps of the metadata that wait until earlier ones are in effect; the control thread sends one at a time.
pub(crate) const STEPS_WAITING_MAX: usize = 4;
/// How often the removal of a partition's directory is begun again because something was written there meanwhile.
pub(crate) const REMOVALS_MAX: usize = 8;
/// The bytes read at once during recovery.
pub(crate) const RECOVERY_READ_BYTES: usize = 1 << 20;
/// How often the store writes down what a start after a crash should know, when it changed.
pub(crate) const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// The most partitions that let go of messages at once.
pub(crate) const RETENTIONS_MAX: usize = 64;
/// How many partitions and subscriptions are counted in one turn for whoever asks how they stand.
pub(crate) const TALLY_LOOKS_PER_TURN: usize = 2_000;
/// How often retention is looked at.
pub(crate) const RETENTION_INTERVAL: Duration = Duration::from_secs(10);
/// The most requests to Redis that wait for their answers on one core.
pub(crate) const REDIS_REQUESTS_IN_FLIGHT_MAX: usize = 4_096;
/// The most bytes of such requests, but for a single larger one.
pub(crate) const REDIS_BYTES_IN_FLIGHT_MAX: usize = 128 << 20;
/// The pause before a request to Redis is tried again the first time.
pub(crate) const REDIS_RETRY_PAUSE_MIN: Duration = Duration::from_millis(5);
/// The longest such pause.
pub(crate) const REDIS_RETRY_PAUSE_MAX: Duration = Duration::from_millis(100);
/// How long a request waits for one server of a Redis Cluster before it asks again which server that should be.
pub(crate) const REDIS_CLUSTER_PATIENCE: Duration = Duration::from_millis(200);
/// How often an opening may find that Redis has lost something before it gives up.
pub(crate) const REDIS_LOSSES_MAX: usize = 4;
/// The most bytes of one read from Redis, but for a larger batch.
pub(crate) const REDIS_READ_BYTES_MAX: usize = 4 << 20;
/// The bytes that retention reads at once of what is old enough in Redis, to find what is delivered late.
pub(crate) const REDIS_RETENTION_READ_BYTES: usize = 1 << 20;
/// How often it reads so in one round.
pub(crate) const REDIS_RETENTION_READS_MAX: usize = 64;
/// The bytes of batches that are searched at once for dead letters or scheduled messages, but for a larger batch.
pub(crate) const SEARCH_BYTES: usize = 256 << 10;
/// The most requests of one core to a core of another node that are being done at once.
pub(crate) const PEER_REQUESTS_MAX: usize = 1_024;
/// The most requests of one core to a core of another node that wait for something to happen.
pub(crate) const PEER_WAITS_MAX: usize = 16_384;
/// The most bytes of requests to a core of another node that wait for replies, but for a single larger one.
pub(crate) const PEER_REQUEST_BYTES_MAX: usize = 64 << 20;
/// A connection from which requests come is not read while so many bytes of replies wait to be written on it.
pub(crate) const PEER_UNWRITTEN_BYTES_MAX: usize = 16 << 20;
/// A reply waits while so many bytes of others wait to be written.
pub(crate) const PEER_REPLY_BYTES_MAX: usize = 64 << 20;
/// How many bytes are collected into one write, but for a larger frame.
pub(crate) const PEER_WRITE_BYTES: usize = 256 << 10;
/// While so many bytes more wait to be written, another node shows that it lives by taking them.
pub(crate) const PEER_BULK_BYTES: usize = 1 << 20;
/// How long it may take to connect with another node, until both know who the other is.
pub(crate) const PEER_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How much is read of a node at most that is told why TLS with it came to nothing.
pub(crate) const PEER_PARTING_BYTES_MAX: usize = 64 << 10;
/// The pause after a connection that could not be made.
pub(crate) const PEER_CONNECT_PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest such pause.
pub(crate) const PEER_CONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long another node may take for a request, beside what it is asked to wait.
pub(crate) const PEER_ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a consumer waits at another node before it looks all the same.
pub(crate) const PEER_DELIVERABLE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How often a consumer looks at partitions that nobody answers for.
pub(crate) const PEER_AWAY_LOOK: Duration = Duration::from_millis(250);
/// A partition that was not asked for so long counts as not asked before.
pub(crate) const PEER_AWAY_FORGOTTEN: Duration = Duration::from_secs(10);
/// The most connections of other nodes to one core.
pub(crate) const PEER_CONNECTIONS_MAX: usize = 1_024;
/// The most connections that wait until their core takes them.
pub(crate) const PEER_HANDOVERS_MAX: usize = 256;
/// The most producers of one core that wait to hear whether they are ahead, or this node behind.
pub(crate) const CONFIRMATIONS_MAX: usize = 256;
/// How long what is under way on a partition may take that another node owns from now on.
pub(crate) const RELEASE_WAIT: Duration = Duration::from_secs(2);
/// How long a core that has ended waits until other nodes have taken its last replies.
pub(crate) const PEER_FINISH_TIMEOUT: Duration = Duration::from_millis(500);
/// So many partitions that nobody answered for are remembered, and more only if all were asked for lately.
pub(crate) const PEER_AWAY_MAX: usize = 4_096;
/// How long a fetch of another node waits for something to send.
pub(crate) const FETCH_WAIT: Duration = Duration::from_millis(500);
/// The pause after a fetch that came to nothing.
pub(crate) const FETCH_PAUSE: Duration = Duration::from_millis(50);
/// The pause before a partition that can't be followed now is fetched again, unless the metadata change.
pub(crate) const FOLLOW_PAUSE: Duration = Duration::from_millis(200);
/// The pause before a partition is fetched again for which there was no room.
pub(crate) const NO_ROOM_PAUSE: Duration = Duration::from_secs(1);
/// The most partitions that one fetch speaks of.
pub(crate) const FETCH_POSITIONS_MAX: usize = 2_048;
/// The most partitions that one answer to a fetch sends something of.
pub(crate) const FETCH_PARTS_MAX: usize = 1_024;
/// The bytes of batches that one answer to a fetch sends, but for a single larger batch.
pub(crate) const FETCH_BYTES: usize = 4 << 20;
/// The bytes of batches that it sends of one partition, but for a single larger batch.
pub(crate) const FETCH_PART_BYTES: usize = 1 << 20;
/// The same for a follower that is not in sync: whoever is in sync waits until it is stored.
pub(crate) const CATCH_UP_PART_BYTES: usize = 256 << 10;
/// How often fetches are looked at that wait, on either side.
pub(crate) const REPLICATION_INTERVAL: Duration = Duration::from_millis(100);
/// How often leaders look for followers that are behind.
pub(crate) const FOLLOWERS_LOOK: Duration = Duration::from_millis(500);
/// How long the last answers of a node may take that does not count as alive any more.
pub(crate) const PEER_LAST_ANSWERS_WAIT: Duration = Duration::from_millis(250);
/// The most spans of other traces that one span names.
pub(crate) const SPAN_LINKS_MAX: usize = 64;
