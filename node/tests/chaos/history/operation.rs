//! The operations of a history, as they are written down.

use serde::{Deserialize, Serialize};

/// How a run was meant to be: the first line of its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub seed: u64,
    pub partitions: u32,
    pub subscriptions: Vec<Subscription>,
    /// The most messages that one consumer holds at a time.
    pub window: u64,
    pub ack_deadline_ms: u64,
    /// How long after the last fault everything has to go on.
    pub heal_within_ms: u64,
    /// What has to have happened, so that the run shows anything.
    pub minimum: Minimum,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subscription {
    pub name: String,
    pub consumption: Consumption,
    /// Whether a message waits for the earlier ones of its key.
    pub is_ordered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Consumption {
    Shared,
    Assigned,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Minimum {
    pub acked: usize,
    pub faults: usize,
    pub owner_changes: usize,
    #[serde(default)]
    pub insync_changes: usize,
    pub redeliveries: usize,
}

/// Something that a client asked of a node, or that befell one. Times are microseconds on the one clock of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operation {
    /// It took effect no earlier, if at all.
    pub start: u64,
    /// The client knew by then.
    pub end: u64,
    pub client: u32,
    /// The place in the cluster of the node that was asked, from 1.
    pub node: u32,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum What {
    Publish(Publish),
    /// Only one that was not answered with messages.
    Pull(Pull),
    Deliver(Delivery),
    Ack(Ack),
    Read(Read),
    Membership(Membership),
    Cursor(Cursor),
    Layout(Layout),
    DeadLetter(DeadLetter),
    Fault(Fault),
    /// Nothing was left to do for a subscription, and nobody publishes any more.
    Drained {
        subscription: String,
    },
}

/// What the client knows about the effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome<T> {
    Ok(T),
    /// It surely has none.
    Fail(String),
    /// It may have taken effect, or may still.
    Info(String),
}

/// One attempt to publish one message. Payloads are never used for two messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Publish {
    pub payload: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether another attempt with the same payload is to be recognised: by its id or the producer's number.
    pub is_idempotent: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer: Option<Producer>,
    pub outcome: Outcome<Placed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Producer {
    pub id: u64,
    pub sequence: u32,
}

/// Where a message was said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Placed {
    pub partition: u32,
    pub offset: u64,
    pub is_duplicate: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pull {
    pub subscription: String,
    pub outcome: Outcome<()>,
}

/// One message that a consumer was given. Over a WebSocket it starts with the subscribing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub subscription: String,
    pub consumer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    pub partition: u32,
    pub attempt: u32,
    pub record: Record,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub offset: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub payload: String,
}

/// What a consumer said of one message that it held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ack {
    pub kind: AckKind,
    pub subscription: String,
    pub consumer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    pub partition: u32,
    pub offset: u64,
    pub attempt: u32,
    pub outcome: Outcome<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AckKind {
    Done,
    Again,
    /// It is to become a dead letter.
    Reject,
}

/// Reading a partition without a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Read {
    pub partition: u32,
    pub from: u64,
    /// Part of the reading of everything, after all was healed and before nothing else was done.
    pub is_final: bool,
    pub records: Vec<Record>,
    pub next: u64,
}

/// What a consumer of an assigned subscription was told: by a join, a heartbeat or a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Membership {
    pub subscription: String,
    pub consumer: String,
    pub generation: u64,
    pub partitions: Vec<u32>,
}

/// How far a subscription was said to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    pub subscription: String,
    pub partition: u32,
    pub ack_floor: u64,
}

/// Who was said to own a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    pub partition: u32,
    pub owner: u64,
    pub epoch: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_watermark: Option<u64>,
    /// The nodes in sync, if the partition is replicated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub isr: Vec<u64>,
}

/// A dead letter that was there at the end, and the message that it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    pub subscription: String,
    pub partition: u32,
    pub offset: u64,
    pub payload: String,
}

/// It lasts from `start` until it was healed, at `end`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub name: String,
    pub installed: Installed,
    /// The nodes that could reach neither the store nor a majority while it lasted.
    pub severed: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Installed {
    Yes,
    Skipped(String),
    Unknown(String),
}
