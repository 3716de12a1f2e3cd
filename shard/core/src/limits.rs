//! The bounds of the data plane in one place. Those a user may change are defaults here and settings in the node.

use std::time::Duration;

/// The longest name of a topic or subscription, in characters.
pub const NAME_LENGTH_MAX: usize = 249;

/// The longest key of a message, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// The longest message id, in visible ASCII characters.
pub const MESSAGE_ID_BYTES_MAX: usize = 128;
/// The longest content type of a message, in bytes.
pub const CONTENT_TYPE_BYTES_MAX: usize = 255;
/// The most attributes a message may have.
pub const ATTRIBUTES_MAX: usize = 64;
/// The most that a broker adds to them, to say what became of the message.
pub const ATTRIBUTES_ADDED_MAX: usize = 8;
/// The longest name or value of an attribute, in bytes.
pub const ATTRIBUTE_BYTES_MAX: usize = 1024;
/// The highest priority of a message; the lowest is 0.
pub const PRIORITY_MAX: u8 = 9;
/// The priority of a message that states none.
pub const PRIORITY_DEFAULT: u8 = 4;

/// The longest delay of a message that its log is kept for, in milliseconds: one year.
pub const DELAY_MS_MAX: i64 = 365 * 86_400_000;

/// The longest filter, in bytes.
pub const FILTER_BYTES_MAX: usize = 1 << 10;
/// How deep a filter may be nested.
pub const FILTER_DEPTH_MAX: usize = 32;

/// After so many failures in a row a push subscription's endpoint is left alone.
pub const PUSH_FAILURES_BEFORE_OPEN: u32 = 10;
/// For how long at first; it doubles with each message that is tried in vain.
pub const PUSH_PAUSE_MIN: Duration = Duration::from_secs(1);
/// For how long at most.
pub const PUSH_PAUSE_MAX: Duration = Duration::from_mins(1);
/// How long an endpoint may ask to be left alone.
pub const PUSH_RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// The largest batch, header included: what one segment write, one frame and one answer can hold.
pub const BATCH_BYTES_MAX: usize = 32 << 20;
/// The most records in a batch.
pub const BATCH_RECORDS_MAX: usize = 100_000;

/// The most bytes of cursor changes that wait for a partition's journal; beyond it acks are refused as overload.
pub const JOURNAL_PENDING_BYTES_MAX: usize = 4 << 20;
/// The most requests that wait for a partition's journal.
pub const JOURNAL_WAITING_MAX: usize = 65_536;
/// A cursor journal is not compacted below this size.
pub const JOURNAL_COMPACT_BYTES: usize = 1 << 20;
/// A cursor journal is compacted when it is so many times as large as after the last time.
pub const JOURNAL_COMPACT_FACTOR: u64 = 4;
/// So many acks of a journal are gathered before they are made, 16 bytes each.
pub const REPLAYED_ACKS_MAX: usize = 4 << 20;
/// The size of a partition's first cursor journal, mostly zeros for later writes.
pub const JOURNAL_SPARE_BYTES: usize = 64 << 10;
/// The most messages of a subscription and partition that are leased or wait to be delivered again, by default.
pub const OUTSTANDING_MAX_DEFAULT: usize = 100_000;
/// The most messages with a time or an ordered key that a subscription knows of on a partition before they are acked; at the
/// limit it looks no further ahead.
pub const LOOKAHEAD_MAX: usize = 100_000;
/// How many bits of a lease's sequence tell the owner that gave it from others.
pub const LEASE_OWNER_BITS: u32 = 8;
/// How far the sequences of an owner's leases lie apart.
pub const LEASES_APART: u64 = 1 << LEASE_OWNER_BITS;
/// Of so many deliveries one is the oldest message whatever its priority, so that none waits for ever.
pub const OLDEST_FIRST_EVERY: u32 = 16;

/// The most producers whose sequences a partition remembers; the one that has been silent longest is forgotten.
pub const PRODUCERS_MAX: usize = 1_024;
/// How many stored batches of a producer can be recognised when they come again.
pub const PRODUCER_BATCHES_MAX: usize = 5;
/// The most bytes of message ids, producers included, that a partition remembers.
pub const DEDUP_BYTES_MAX: usize = 64 << 20;
/// How many message ids an append forgets at most, as their time is over, beside two for each that it brings.
pub const DEDUP_FORGET_PER_APPEND_MAX: usize = 256;
/// How many message ids a round of upkeep forgets at most in all partitions of a core, as their time is over.
pub const DEDUP_FORGET_PER_ROUND_MAX: usize = 16_384;
/// How much of a log is read at most on opening it, to learn what must not be stored again.
pub const DEDUP_REBUILD_BYTES_MAX: usize = 64 << 20;
/// How many ids and batches of producers are learned from it at most.
pub const DEDUP_REBUILD_FACTS_MAX: usize = 500_000;
/// How many of these are learned before others get their turn.
pub const DEDUP_SETTLE_FACTS: usize = 2_048;
/// How many bytes are wanted of one part of it.
pub const DEDUP_REBUILD_PART_BYTES: u64 = 4 << 20;
/// The fewest records of one part.
pub const DEDUP_REBUILD_RECORDS_MIN: u64 = 64;
/// The most records of one part.
pub const DEDUP_REBUILD_RECORDS_MAX: u64 = 65_536;

/// A segment's blocks, as a position: every flush starts on a fresh one.
pub const BLOCK_BYTES: u64 = 4096;
/// How far apart the entries of a segment's index are at least.
pub const INDEX_INTERVAL_BYTES: u64 = 64 << 10;
/// The most bytes of one flush; a single larger batch goes alone.
pub const FLUSH_BYTES_MAX: usize = 1 << 20;
/// The fewest bytes that are prepared ahead of the end of a segment.
pub const PREPARE_BYTES_MIN: u64 = 256 << 10;
/// The most bytes that are prepared ahead of the end of a segment.
pub const PREPARE_BYTES_MAX: u64 = 4 << 20;
/// Space is prepared while flushes are at most this large: larger ones would pay for their bytes twice and gain little.
pub const PREPARE_FLUSH_BYTES_MAX: u64 = 128 << 10;
/// The most segments that one round of retention lets go of.
pub const RETENTION_SEGMENTS_MAX: usize = 16;
/// The most entries in the index of a segment; an index that is full gives up every other entry.
pub const INDEX_ENTRIES_MAX: usize = 1024;
/// How much of a log below its last durable end a start verifies at least.
pub const RECOVERY_VERIFY_BYTES: u64 = 1 << 20;
/// The most partitions in a durable-ends file.
pub const DURABLE_ENDS_MAX: usize = 1_000_000;

/// The most bytes of one frame between nodes, its head and its tail apart.
pub const LINK_FRAME_BYTES_MAX: usize = LINK_HEAD_BYTES_MAX + BATCH_BYTES_MAX;
/// The most bytes of the head of a frame between nodes: what is asked, without the messages.
pub const LINK_HEAD_BYTES_MAX: usize = 1 << 20;
/// The most bytes of a frame before both sides have shown who they are.
pub const LINK_HANDSHAKE_BYTES_MAX: usize = 4 << 10;
/// How much is read from a link at once, unless one frame needs more.
pub const LINK_READ_BYTES: usize = 64 << 10;
/// The longest name of a cluster, in bytes.
pub const LINK_CLUSTER_BYTES_MAX: usize = 64;
/// The bytes of batches after which the owner ends a stretch that replicas are compared by.
pub const DIGEST_BYTES: u64 = 8 << 20;
/// The most bytes of batches that one answer of another node holds, but for a larger batch.
pub const PEER_ANSWER_BYTES_MAX: usize = 4 << 20;
/// The most messages that one pull leases on another node.
pub const PEER_ANSWER_MESSAGES_MAX: u32 = 16_384;
/// The most messages that one search on another node finds.
pub const PEER_FOUND_MAX: usize = 256;
/// The longest time that a read waits on another node for something new.
pub const PEER_READ_WAIT_MAX: Duration = Duration::from_mins(1);
/// For how long a request is made again and again while its partition has no owner that answers.
pub const PEER_PATIENCE: Duration = Duration::from_secs(4);
/// The same for one that only describes.
pub const PEER_LOOK_PATIENCE: Duration = Duration::from_millis(500);
/// The pause before it is made again the first time.
pub const PEER_RETRY_PAUSE_MIN: Duration = Duration::from_millis(10);
/// The longest such pause.
pub const PEER_RETRY_PAUSE_MAX: Duration = Duration::from_millis(100);
/// A connection over which something is waited for is asked for a sign of life after so much silence.
pub const LINK_BUSY_SILENCE_MAX: Duration = Duration::from_millis(1_500);
/// Any other one after so much.
pub const LINK_IDLE_SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long the sign of life may take.
pub const LINK_PONG_MAX: Duration = Duration::from_millis(3_500);

/// The most bytes of changes of a partition's cursors that are kept for followers that are close behind.
pub const CURSOR_FEED_BYTES_MAX: usize = 256 << 10;
