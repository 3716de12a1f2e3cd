//! The bounds of the metadata in one place.

use std::time::Duration;

/// The most topics in a cluster.
pub const TOPICS_MAX: usize = 10_000;
/// The most partitions of one topic.
pub const PARTITIONS_PER_TOPIC_MAX: u32 = 1_024;
/// The most partitions of all topics together.
pub const PARTITIONS_MAX: usize = 100_000;
/// The most subscriptions in a cluster.
pub const SUBSCRIPTIONS_MAX: usize = 10_000;
/// The most nodes in a cluster.
pub const NODES_MAX: usize = 1_000;

/// The partitions of a topic whose creator names no number.
pub const PARTITIONS_DEFAULT: u32 = 4;
/// How long messages are kept unless the topic says otherwise: 7 days.
pub const RETENTION_MS_DEFAULT: u64 = 7 * 24 * 60 * 60 * 1_000;
/// How long message ids are remembered unless the topic says otherwise.
pub const DEDUP_WINDOW_MS_DEFAULT: u64 = 120_000;
/// The longest that message ids may be remembered: a day.
pub const DEDUP_WINDOW_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// The largest message unless the topic says otherwise.
pub const MESSAGE_BYTES_DEFAULT: u32 = 1 << 20;
/// The largest message that a topic may allow: a batch of one must fit the log's largest batch.
pub const MESSAGE_BYTES_MAX: u32 = 16 << 20;

/// The shortest ack deadline.
pub const ACK_DEADLINE_MS_MIN: u64 = 100;
/// The ack deadline unless the subscription says otherwise.
pub const ACK_DEADLINE_MS_DEFAULT: u64 = 30_000;
/// The first rest before a redelivery unless the subscription says otherwise.
pub const BACKOFF_MIN_MS_DEFAULT: u64 = 100;
/// The longest rest before a redelivery unless the subscription says otherwise.
pub const BACKOFF_MAX_MS_DEFAULT: u64 = 60_000;
/// How long a consumer may be silent unless the subscription says otherwise.
pub const SESSION_TIMEOUT_MS_DEFAULT: u64 = 10_000;
/// The shortest time that a subscription may let its consumers be silent.
pub const SESSION_TIMEOUT_MS_MIN: u64 = 500;
/// The longest time that a subscription may let its consumers be silent: an hour.
pub const SESSION_TIMEOUT_MS_MAX: u64 = 60 * 60 * 1_000;
/// The most members of one group.
pub const MEMBERS_PER_GROUP_MAX: usize = 1_000;
/// The most members of all groups together.
pub const MEMBERS_MAX: usize = 20_000;
/// How many proposals about groups are on their way at most, one for each group.
pub(crate) const GROUP_PROPOSALS_MAX: usize = 64;
/// How long what happens to a group is gathered before it is proposed.
pub const GROUP_WINDOW: Duration = Duration::from_millis(50);
/// A group changes once in so long, over time.
pub const GROUP_CHANGE_INTERVAL: Duration = Duration::from_millis(200);
/// How many changes of a group may follow each other without keeping the interval.
pub const GROUP_CHANGES_AHEAD_MAX: u32 = 4;
/// The most bytes of changes in one command.
pub(crate) const GROUP_COMMAND_BYTES_MAX: usize = 15 << 10;
/// How many requests wait at most for the same consumer to come or go.
pub(crate) const REQUESTS_PER_CONSUMER_MAX: usize = 8;
/// How many requests of consumers wait at most for the coordinator.
pub(crate) const GROUP_CALLS_WAITING_MAX: usize = 4_096;
/// How many wait at most for a new generation of one group.
pub(crate) const GROUP_WATCHES_MAX: usize = 2 * MEMBERS_PER_GROUP_MAX;
/// Time that passes at once counts for sessions up to this. With the longest rest between two heartbeats it is less than
/// the shortest session.
pub(crate) const GROUP_CLOCK_STEP_MAX: Duration = Duration::from_millis(250);
/// The longest id of a consumer.
pub const CONSUMER_ID_BYTES_MAX: usize = 128;
/// The longest filter.
pub const FILTER_BYTES_MAX: usize = shard_core::limits::FILTER_BYTES_MAX;
/// The longest address and secret of a push subscription together.
pub const PUSH_BYTES_MAX: usize = 4 << 10;
/// The most requests of a push subscription that may be under way.
pub const PUSH_IN_FLIGHT_MAX: u32 = 1_000;
/// How many may be if nothing is said.
pub const PUSH_IN_FLIGHT_DEFAULT: u32 = 16;
/// The highest rate that a push subscription can be held to.
pub const PUSH_PER_SECOND_MAX: u32 = 100_000;
/// The shortest time that a push request may be given.
pub const PUSH_TIMEOUT_MS_MIN: u64 = 100;
/// The longest.
pub const PUSH_TIMEOUT_MS_MAX: u64 = 300_000;
/// How long a push request may take if nothing is said.
pub const PUSH_TIMEOUT_MS_DEFAULT: u64 = 10_000;
/// The most principals in a cluster.
pub const PRINCIPALS_MAX: usize = 10_000;
/// The most keys of one principal that count at a time: an old one and its successor.
pub const KEYS_PER_PRINCIPAL_MAX: usize = 2;
/// The most grants of one principal.
pub const GRANTS_PER_PRINCIPAL_MAX: usize = 50;
/// The longest name of a principal.
pub const PRINCIPAL_NAME_BYTES_MAX: usize = 200;
/// The longest prefix or name in a grant: a name and a star.
pub const NAME_PATTERN_BYTES_MAX: usize = 250;
/// The length of a key's id.
pub const KEY_ID_LENGTH: usize = 12;
/// The highest limit that a principal can be given.
pub const PRINCIPAL_LIMIT_MAX: u64 = 1 << 50;
/// The longest address of a node.
pub const ADDRESS_BYTES_MAX: usize = 256;
/// How long a node may be silent before its partitions are given to others.
pub const NODE_SESSION: Duration = Duration::from_secs(2);
/// How often the controller looks, and nodes say that they are there; at most half of what counts of a pause.
pub const CONTROLLER_INTERVAL: Duration = Duration::from_millis(100);
/// How long what the controller proposed may be on its way before it is proposed again.
pub const CONTROLLER_RETRY: Duration = Duration::from_millis(500);
/// The most partitions that one command of the controller changes.
pub const TRANSITIONS_PER_COMMAND_MAX: usize = 400;
/// The most nodes that the changes in one command of the controller name, unless a single one names more.
pub const TRANSITION_NODES_MAX: usize = 500;
/// The most commands that the controller gives at once.
pub const CONTROLLER_COMMANDS_MAX: usize = 64;
/// How many partitions move at a time for order's sake: from a node that is emptied, or to one that has few.
pub const PLANNED_MOVES_MAX: usize = 100;
/// Of how many partitions nodes that are new to them fetch everything at a time.
pub const REASSIGNMENTS_MAX: usize = 32;
/// How long such moves are apart.
pub const PLANNED_MOVES_INTERVAL: Duration = Duration::from_millis(250);
/// How long a node must have been there before partitions move to it for order's sake.
pub const NODE_SETTLED: Duration = Duration::from_secs(5);
/// By how many hundredths a node may have more than its share before the controller evens it out by itself.
pub const IMBALANCE_PERCENT_MAX: usize = 10;
/// How long the controller leaves partitions where they are after an operator moved one.
pub const BALANCE_REST: Duration = Duration::from_mins(10);
/// The longest name of a rack.
pub const RACK_BYTES_MAX: usize = 64;
/// How many of the partitions that are given up with a node are named.
pub const LOST_PARTITIONS_NAMED_MAX: usize = 1_000;
/// The highest level of commands that this software understands.
pub const COMMAND_LEVEL: u32 = 1;
/// The longest id of a cluster.
pub const CLUSTER_ID_BYTES_MAX: usize = 64;

/// The largest encoded command.
pub const COMMAND_BYTES_MAX: usize = 16 << 10;
/// The most commands in one log entry.
pub const BATCH_COMMANDS_MAX: usize = 256;
/// The most bytes of encoded commands in one log entry.
pub const BATCH_BYTES_MAX: usize = 48 << 10;
/// The largest value given to sled: above 128 KiB it writes values to files of their own that it does not sync.
pub(crate) const STORED_VALUE_BYTES_MAX: usize = 64 << 10;
/// The most bytes of log entries that are read for one message to another node; one entry is read however large.
pub(crate) const LOG_READ_BYTES_MAX: usize = 1 << 20;
/// How many log entries one deletion takes away.
pub(crate) const DELETE_ENTRIES_MAX: usize = 1_024;
/// The largest snapshot that is read.
pub(crate) const SNAPSHOT_BYTES_MAX: u64 = 256 << 20;

/// How many proposals wait at most to be put into a log entry.
pub(crate) const PROPOSALS_WAITING_MAX: usize = 1_024;
/// How many applied log entries have proposers waiting at most for the shards to take them.
pub(crate) const PUBLICATIONS_WAITING_MAX: usize = 64;
/// How many writers wait at most for the next flush.
pub(crate) const FLUSHES_WAITING_MAX: usize = 64;
/// What sled may hold in memory.
pub(crate) const SLED_CACHE_BYTES: u64 = 8 << 20;

/// A snapshot is taken after so many log entries.
pub(crate) const SNAPSHOT_AFTER_ENTRIES: u64 = 2_000;
/// How many entries stay in the log although a snapshot covers them. More than two snapshots' worth, so that the log
/// still reaches back to the snapshot before the newest, should that be damaged.
pub(crate) const COVERED_ENTRIES_KEPT: u64 = 5_000;
/// How many snapshot files are kept.
pub(crate) const SNAPSHOTS_KEPT: usize = 2;

/// How long a log entry may take to be durable and applied before its proposers are told that it is not known.
pub(crate) const WRITE_WAIT: Duration = Duration::from_secs(10);
/// How long proposers wait for the shards to take what was applied.
pub(crate) const PUBLICATION_WAIT: Duration = Duration::from_secs(10);
/// How long a node that starts may take to lead a cluster of one.
pub(crate) const LEADERSHIP_WAIT: Duration = Duration::from_secs(30);

/// How often a leader is heard of. A message to a follower is given up after as long, and asked again.
pub(crate) const HEARTBEAT_MS: u64 = 200;
/// For so long after it heard of a leader a node votes for nobody else.
pub(crate) const LEASE_MS: u64 = 1_000;
/// After how much silence a follower stands for election, at the earliest.
pub(crate) const PATIENCE_MS_MIN: u64 = 1_150;
/// After how much silence a follower stands for election, at the latest.
pub(crate) const PATIENCE_MS_MAX: u64 = 1_400;
/// How often a node looks whether it must stand for election.
pub(crate) const ELECTION_TICK: Duration = Duration::from_millis(50);
/// How long a voter may take to say whether it would vote.
pub(crate) const CANVASS_WAIT: Duration = Duration::from_millis(400);
/// A leader that no majority has followed for so long says that it does not lead.
pub(crate) const QUORUM_SILENCE_MS_MAX: u64 = 1_500;
/// The most entries in one message to a follower; their bytes are bounded by what is read of the log at once.
pub(crate) const APPEND_ENTRIES_MAX: u64 = 64;
/// The largest part of a snapshot in one message.
pub(crate) const SNAPSHOT_PART_BYTES: u64 = 1 << 20;
/// How long a part of a snapshot may take to be sent and taken.
pub(crate) const SNAPSHOT_PART_WAIT_MS: u64 = 10_000;
/// How long commands wait for a leader to be known.
pub(crate) const LEADER_WAIT: Duration = Duration::from_secs(5);
/// How often it is looked whether a leader is known by now.
pub(crate) const LEADER_LOOK: Duration = Duration::from_millis(50);
/// How many voters a cluster has at most: more make it slower and hardly safer.
pub(crate) const VOTERS_MAX: usize = 5;
/// How often the leader looks whether the members of the Raft group are the nodes of the cluster.
pub(crate) const MEMBERSHIP_TICK: Duration = Duration::from_millis(200);
/// How long one change of the membership may take.
pub(crate) const MEMBERSHIP_WAIT: Duration = Duration::from_secs(10);
/// A learner that has all but so many entries may become a voter.
pub(crate) const PROMOTE_LAG_MAX: u64 = 100;
/// How often it is looked whether a sign of life is due.
pub(crate) const SIGN_LOOK: Duration = Duration::from_millis(50);
/// After so long without a leader a node gives signs whenever it looks.
pub(crate) const SIGN_URGENT_AFTER: Duration = Duration::from_millis(700);
/// After so long it does not expect one soon.
pub(crate) const SIGN_URGENT_UNTIL: Duration = Duration::from_secs(5);
/// How often a node gives a sign of life.
pub(crate) const SIGN_INTERVAL: Duration = Duration::from_millis(250);
/// How many times' signs are remembered that may still be answered.
pub(crate) const SIGN_ROUNDS_MAX: usize = 4;
/// How often a new node tries its seeds.
pub(crate) const JOIN_INTERVAL: Duration = Duration::from_millis(300);
/// How long one answer to a new node may take: a log entry has to be written.
pub(crate) const JOIN_WAIT: Duration = Duration::from_secs(5);
/// How often it is looked whether this node coordinates groups.
pub(crate) const COORDINATOR_LOOK: Duration = Duration::from_millis(100);
/// How long the leader may take to answer what a consumer wants: a change of a group has to be written.
pub(crate) const GROUP_ANSWER_WAIT: Duration = Duration::from_secs(10);
/// How many commands of the controller share a log entry.
pub(crate) const CONTROLLER_ENTRY_COMMANDS_MAX: usize = 3;
/// How long a node that stops may wait for the others in all.
pub const LEAVE_TIME_MAX: Duration = Duration::from_secs(LEAVE_WAIT.as_secs() + HANDOVER_WAIT.as_secs());
/// How long a node that stops waits for the others to know.
pub(crate) const LEAVE_WAIT: Duration = Duration::from_secs(2);
/// How long a leader that stops waits for another to take over.
pub(crate) const HANDOVER_WAIT: Duration = Duration::from_secs(4);
/// How many requests of operators wait at most on a node.
pub(crate) const OPERATIONS_WAITING_MAX: usize = 32;
/// How long the leader may take to do what an operator wants.
pub(crate) const OPERATION_WAIT: Duration = Duration::from_secs(10);
/// How long it is waited for a leader that says how the cluster stands: without one, this node says what it knows.
pub(crate) const DESCRIBE_WAIT: Duration = Duration::from_secs(1);
/// How long it is waited for this node to know what an operator has changed.
pub(crate) const OPERATION_PUBLICATION_WAIT: Duration = Duration::from_secs(2);

const _: () = assert!(LEASE_MS < PATIENCE_MS_MIN, "a node stands only when others may vote");
const _: () = assert!(
    Duration::from_millis(LEASE_MS).as_millis() + 2 * ELECTION_TICK.as_millis()
        <= Duration::from_millis(PATIENCE_MS_MIN).as_millis(),
    "one that is to take over stands before the others"
);
const _: () = assert!(2 * HANDOVER_WAIT.as_secs() < OPERATION_WAIT.as_secs(), "who asks hears how a handover ended");
const _: () = assert!(3 * HEARTBEAT_MS < LEASE_MS, "a lost heartbeat or two do not end a lease");
const _: () = assert!(BATCH_BYTES_MAX + (4 << 10) <= STORED_VALUE_BYTES_MAX, "a full batch fits a stored value");
const _: () = assert!(GROUP_COMMAND_BYTES_MAX + (1 << 9) <= COMMAND_BYTES_MAX, "a group's changes fit a command");
const _: () = assert!(
    GRANTS_PER_PRINCIPAL_MAX * (NAME_PATTERN_BYTES_MAX + 10) + PRINCIPAL_NAME_BYTES_MAX + (1 << 9) <= COMMAND_BYTES_MAX,
    "a principal fits a command"
);
const _: () = assert!(
    TRANSITIONS_PER_COMMAND_MAX * (10 + 3 * 5 + 1 + 10) + (1 << 9) <= COMMAND_BYTES_MAX,
    "changes of owners, each with its topic, partition, epochs and node, fit a command"
);
const _: () = assert!(2 * CONTROLLER_INTERVAL.as_millis() < GROUP_CLOCK_STEP_MAX.as_millis());
const _: () = assert!(
    TRANSITION_NODES_MAX * 10 + TRANSITIONS_PER_COMMAND_MAX * (10 + 3 * 5 + 1) + (1 << 9) <= COMMAND_BYTES_MAX,
    "changes of replicas fit a command"
);
const _: () = assert!(COMMAND_BYTES_MAX <= BATCH_BYTES_MAX, "any command fits a batch");
const _: () = assert!(COVERED_ENTRIES_KEPT > 2 * SNAPSHOT_AFTER_ENTRIES, "the log reaches back to the older snapshot");
