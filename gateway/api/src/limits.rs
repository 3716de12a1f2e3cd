//! The default of every limit that a client can meet.

use std::time::Duration;

/// Bytes of a request's head: request line and headers.
pub const REQUEST_HEAD_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a request's body.
pub const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of one message: payload, key and attributes.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Messages in one publish request.
pub const BATCH_MESSAGES_MAX: usize = 10_000;
/// Attributes of one message.
pub const ATTRIBUTES_MAX: usize = 64;
/// Bytes of one attribute: name and value.
pub const ATTRIBUTE_BYTES_MAX: usize = 1024;
/// Characters of a message id.
pub const MESSAGE_ID_LENGTH_MAX: usize = 128;
/// Characters of a consumer's id.
pub const CONSUMER_ID_LENGTH_MAX: usize = 128;
/// How deep JSON may be nested.
pub const JSON_DEPTH_MAX: usize = 64;
/// The highest priority of a message; the lowest is 0.
pub const PRIORITY_MAX: u8 = 9;
/// The longest time to live of a message, in milliseconds: ten years.
pub const TTL_MS_MAX: u64 = 10 * 365 * 86_400_000;
/// The longest delay of a message, in milliseconds: one year.
pub const DELAY_MS_MAX: u64 = 365 * 86_400_000;
/// The priority of a message that names none.
pub const PRIORITY_DEFAULT: u8 = 4;
/// How long a connection may be idle between requests.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a request's head may take.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a body may be silent.
pub const BODY_SILENCE_TIMEOUT: Duration = Duration::from_secs(30);

/// Items on one page of a list.
pub const PAGE_SIZE_MAX: u32 = 1_000;
/// Items on one page if the client doesn't say.
pub const PAGE_SIZE_DEFAULT: u32 = 100;
/// Dead letters that one request sends back.
pub const REDRIVE_MAX: u32 = 10_000;
/// Dead letters that one request sends back if the client doesn't say.
pub const REDRIVE_DEFAULT: u32 = 1_000;
/// Message ids in one request for dead letters to be sent back.
pub const REDRIVE_IDS_MAX: usize = 1_000;
/// Messages in one pull or read.
pub const PULL_MESSAGES_MAX: u32 = 10_000;
/// Messages in one pull or read if the client doesn't say.
pub const PULL_MESSAGES_DEFAULT: u32 = 100;
/// How long a pull or read may wait for messages.
pub const WAIT_MS_MAX: u64 = 60_000;
/// Ack ids in one request.
pub const ACK_IDS_MAX: usize = 10_000;
/// The shortest ack deadline.
pub const ACK_DEADLINE_MS_MIN: u64 = 100;
/// Errors listed in one problem; a request with more faults names the first ones.
pub const PROBLEM_ERRORS_MAX: usize = 100;
/// Partitions that one cursor token may name.
pub const CURSOR_PARTITIONS_MAX: usize = 1_024;
/// Messages that one WebSocket subscribe may have on credit.
pub const CREDIT_MAX: u32 = 100_000;

/// How long the client waits for a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the client waits for an answer, on top of the wait that the request itself asks for.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How many connections one client has at a time; further requests wait for one of them.
pub const CLIENT_CONNECTIONS_MAX: usize = 16;
/// Bytes of one answer that the client takes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How often the client sends a request that may safely be repeated when its connection is lost.
pub const CLIENT_ATTEMPTS_MAX: u32 = 3;
/// Bytes of an unexpected answer that an error quotes.
pub const QUOTED_ANSWER_BYTES_MAX: usize = 200;
