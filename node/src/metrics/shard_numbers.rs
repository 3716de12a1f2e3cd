//! The numbers of each shard, by what they are about.

use shard::metrics::ShardMetrics;

use super::description::Description;

/// One number of a shard.
pub(super) struct ShardNumber {
    pub(super) description: Description,
    pub(super) read: fn(&ShardMetrics) -> u64,
}

macro_rules! shard_numbers {
    ($($kind:ident $name:literal $field:ident $help:literal $look:literal)*) => {
        &[$(ShardNumber {
            description: Description::$kind(concat!("pubsub_", $name), $help, $look).by(&["shard"]),
            read: |metrics| metrics.$field.get(),
        }),*]
    };
}

/// What is published.
pub(super) const PUBLISHING: &[ShardNumber] = shard_numbers! {
    counter "shard_messages_appended_total" messages_appended
        "Messages appended to the shard's partitions."
        "One core has more to do than others: its partitions get more messages."
    counter "shard_messages_repeated_total" messages_repeated
        "Messages published again that were recognised and not appended."
        "It rises with the messages: publishers try again, since they don't get answers in time."
    counter "shard_appended_bytes_total" bytes_appended
        "Bytes of batches appended to the shard's partitions."
        "Sizing: with the retention it says how much disk is needed."
    counter "shard_publishes_refused_total" publishes_refused
        "Batches refused: too much waits for the disk, or a partition is closed."
        "Publishers get 503. Is it one shard, or all? Then look at flushes, and at `pubsub_shard_partitions_closed`."
    counter "shard_messages_dropped_total" messages_dropped
        "Messages that were acknowledged from memory (`acks: memory`) and then not stored, or perhaps not stored."
        "They are lost, as their topic or their publisher allows. Look at the disk; `acks: leader` has publishers hear of it."
    gauge "shard_dedup_bytes" dedup_bytes
        "Bytes taken to recognise messages that are published again."
        "At `storage.dedup_bytes_max` ids are forgotten early."
    counter "shard_dedup_forgotten_total" dedup_forgotten_early
        "Ids of messages that were forgotten before the window of their topic was over, for want of memory."
        "It rises: a message that is published again may be there twice; raise `storage.dedup_bytes_max` or shorten windows."
};

/// What becomes of messages at their consumers.
pub(super) const DELIVERY: &[ShardNumber] = shard_numbers! {
    counter "messages_leased_total" messages_leased
        "Messages handed to consumers of subscriptions."
        "Well above what is acked: consumers take messages and don't finish them."
    counter "messages_redelivered_total" messages_redelivered
        "Deliveries that were not the first of their message."
        "It rises: consumers fail, or take longer than the ack deadline."
    counter "messages_acked_total" messages_acked
        "Messages acked."
        "How fast consumers really are; compare it with what is published."
    counter "messages_dead_lettered_total" dead_letters
        "Messages that were written to a dead-letter topic and acked by that."
        "It rises: consumers can't take some messages; `pubsub-cli subscriptions dead-letters` shows them."
    counter "messages_fell_out_total" messages_fell_out
        "Messages that retention took, or that went with a store's data, before a subscription had acked them; once per subscription."
        "It rises: a subscription is so far behind that it loses messages. Consume faster, or keep messages longer."
};

/// Where messages are kept.
pub(super) const STORE: &[ShardNumber] = shard_numbers! {
    counter "store_flushes_total" flushes
        "Writes with sync; each is a group commit of one partition."
        "With the flushed bytes it gives the size of a write: small ones mean many partitions with few messages each."
    counter "store_flushed_bytes_total" flushed_bytes
        "Bytes written by flushes, with their padding."
        "Compare it with what the disk can take, and with the bytes appended: the rest is padding."
    counter "store_cache_reads_total" cache_reads
        "Reads answered from the tail cache."
        "Its share of all reads is the hit rate; consumers that keep up are served from here."
    counter "store_disk_reads_total" disk_reads
        "Reads that went to the disk."
        "It rises when consumers fall behind, or read old messages."
    counter "store_disk_read_bytes_total" disk_read_bytes
        "Bytes read from the disk."
        "Flushes are slow: does catching up take the disk's time?"
    counter "store_cursor_journal_writes_total" journal_writes
        "Writes of cursor journals; each makes many acks durable."
        "Near the number of acks: consumers ack one by one and wait for each."
    counter "store_losses_total" losses
        "Times that acknowledged messages were found to be gone from Redis, and a log went on behind them."
        "Any rise is a loss of data; the log names topic, partition and offsets."
    gauge "shard_tail_cache_bytes" tail_cache_bytes
        "Bytes of the newest batches held in memory."
        "Full, and reads go to the disk: raise `storage.tail_cache_bytes` if there is memory."
    gauge "shard_open_files" open_files
        "Files that the shard keeps open for its partitions."
        "The node is near its limit of files."
};

/// How the shard stands.
pub(super) const PARTITIONS: &[ShardNumber] = shard_numbers! {
    gauge "shard_partitions" partitions
        "Partitions that the shard owns."
        "Cores differ in load: are partitions spread evenly?"
    gauge "shard_partitions_closed" partitions_closed
        "Partitions that are closed because of damage or a failed disk."
        "Any: `/readyz` and the log say which and why."
};

/// How replicas of its partitions stand.
pub(super) const REPLICAS: &[ShardNumber] = shard_numbers! {
    gauge "shard_replicas_distrusted" replicas_distrusted
        "Replicas that can't be counted on for damage or a failed disk, and are not made good yet."
        "Any for long: the disk of this node needs a look."
    counter "replica_sent_ahead_total" batches_sent_ahead
        "Batches of partitions that this node owns which its followers were sent while they were on their way to its own disk."
        "Far below the batches appended: flushes are large, or the disk is nearly full, and each publish waits for two writes in turn."
    gauge "replica_fetch_lag_messages" replica_lag_messages
        "Messages by which the replica that is furthest behind lacks what its owner has, of all partitions that this node owns."
        "Publishes are slow or partitions under-replicated: a replica can't keep up."
};

/// What goes to other nodes and comes from them.
pub(super) const PEERS: &[ShardNumber] = shard_numbers! {
    counter "peer_requests_total" peer_requests
        "Requests sent to partitions on other nodes."
        "How much of the clients' work is done by other nodes than the one that they talk to."
    gauge "peer_requests_in_flight" peer_requests_in_flight
        "Requests to other nodes that wait for their replies."
        "They pile up where another node is slow."
    counter "peer_requests_lost_total" peer_requests_lost
        "Requests to other nodes whose connection ended, or whose time was over, before they were answered."
        "Some when a node dies, none otherwise: look at the network between the nodes."
    counter "peer_requests_served_total" peer_requests_served
        "Requests of other nodes to partitions of this one."
        "A node is busy though its own clients are not."
    gauge "peer_connections" peer_connections
        "Connections of shards to shards of other nodes, made and accepted."
        "Fewer than on other nodes: this one does not reach all of them."
    counter "peer_connect_failures_total" peer_connect_failures
        "Connections to other nodes that could not be made."
        "It rises: a node is away, or its secret or version does not fit."
    counter "peer_sent_bytes_total" peer_sent_bytes
        "Bytes sent to shards of other nodes."
        "Sizing the network between nodes: replication and what clients ask of the wrong node."
    counter "peer_received_bytes_total" peer_received_bytes
        "Bytes received from shards of other nodes."
        "Sizing the network between nodes."
};

/// What the core's executor does.
pub(super) const EXECUTOR: &[ShardNumber] = shard_numbers! {
    gauge "shard_queue_depth" queue_depth
        "Events that wait for the shard's loop."
        "High for longer than a moment: the core gets more than it can do."
    counter "shard_requests_forwarded_total" requests_forwarded
        "Requests sent to another core's shard."
        "About (cores - 1) / cores of all requests; each crosses once."
    counter "shard_tasks_total" tasks_run
        "Tasks that the core's executor has run; one goes on as far as it can each time."
        "The core is busy and messages few: it is woken too often. Compare it with the requests."
    counter "uring_reads_total" ring_reads
        "Reads of files that the core's io_uring has completed."
        "The disk is busy: more of these than disk reads is recovery or replication."
    counter "uring_read_bytes_total" ring_read_bytes
        "Bytes of these reads."
        "With the number of reads it gives their size."
    counter "uring_writes_total" ring_writes
        "Writes of files that the core's io_uring has completed."
        "More of these than flushes are cursor journals and checkpoints."
    counter "uring_written_bytes_total" ring_written_bytes
        "Bytes of these writes."
        "What the disk is really given by this core."
    counter "uring_files_opened_total" ring_files_opened
        "Files that the core has opened by its io_uring."
        "It rises all the time: more partitions are in use than files may be open; see `storage.open_files_max`."
};

/// How the shard gets on with Redis; there is none of it with another store.
pub(super) const REDIS: &[ShardNumber] = shard_numbers! {
    gauge "redis_connected" redis_connected
        "1 while the shard has a connection to every Redis server that it needs, 0 otherwise."
        "0: publishes and acks of partitions on this shard get 503 until it is back."
    counter "redis_connect_failures_total" redis_connect_failures
        "Connections to Redis that could not be made, and questions to a Redis Cluster for its servers that were not answered."
        "It rises: Redis is down, refuses the password, or is another version; the log says which."
};
