//! The bounds of the gateway in one place. Those a user may change are defaults here and settings in the node.

use std::time::Duration;

/// The largest request head: request line and header section.
pub const REQUEST_HEAD_BYTES_MAX: usize = 32 << 10;
/// The longest request target.
pub const REQUEST_TARGET_BYTES_MAX: usize = 16 << 10;
/// The most header fields in a request.
pub const REQUEST_HEADERS_MAX: usize = 100;
/// The largest request body and the largest WebSocket message.
pub const BODY_BYTES_MAX: usize = 16 << 20;
/// The request bodies one core holds together before it answers 503.
pub const BODIES_BYTES_MAX: usize = 256 << 20;
/// What the connections of a core may leave unread together, before nothing long is begun for them.
pub const OUTPUTS_BYTES_MAX: usize = 128 << 20;
/// How much is made at a time for a connection, a message at least, once half of that is used.
pub const OUTPUT_PORTION_BYTES_TIGHT: usize = 16 << 10;
/// What a core reads for its clients at the same time.
pub const READS_BYTES_MAX: usize = 32 << 20;
/// How much of a body is free of charge to [`BODIES_BYTES_MAX`]: small requests need no accounting.
pub const BODY_BYTES_FREE: usize = 64 << 10;
/// The connections one core holds; later ones are answered 503.
pub const CONNECTIONS_MAX: usize = 20_000;

/// How long a connection may be silent between requests.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a TLS handshake may take from the accepting of the connection.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request head may take from its first byte.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request body may be silent.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How many bytes a second a body must have on average, beyond what [`BODY_TIMEOUT`] allows it: as Kestrel and IIS want.
pub const BODY_RATE_MIN: u32 = 240;
/// How long a client may take to read [`WRITE_PROGRESS_BYTES`] of an answer.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// What must be taken within [`WRITE_TIMEOUT`], so that reading byte by byte doesn't hold an answer in memory for ever.
pub const WRITE_PROGRESS_BYTES: usize = 64 << 10;
/// How long requests in progress may take to end when the node stops.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// How often deadlines are looked at; a deadline is late by at most this much.
pub const DEADLINE_TICK: Duration = Duration::from_millis(250);

/// How much one read takes at most; also what is buffered of pipelined requests.
pub const READ_BYTES: usize = 64 << 10;
/// Answers to pipelined requests are collected up to this size before they are written.
pub const PIPELINED_ANSWER_BYTES: usize = 64 << 10;
/// A body of at least this size is written on its own rather than copied behind its head.
pub const BODY_WRITE_ALONE_BYTES: usize = 32 << 10;
/// After so many pieces of a streaming answer in a row the other tasks of the core run.
pub const STREAM_PIECES_PER_TURN: u32 = 16;
/// How much of a coded body is decoded before others have their turn.
pub const GZIP_PART_BYTES: usize = 64 << 10;
/// How many times larger a body may become when its gzip coding is undone.
pub const GZIP_RATIO_MAX: usize = 200;
/// Up to this size a body may become any times larger.
pub const GZIP_RATIO_FREE_BYTES: usize = 1 << 20;
/// What an idle connection keeps of its buffers.
pub const IDLE_BUFFER_BYTES: usize = 4 << 10;

/// Empty lines that are overlooked before a request line (RFC 9112 §2.2).
pub const EMPTY_LINES_MAX: usize = 4;
/// The longest line that opens a chunk, extensions included.
pub const CHUNK_LINE_BYTES_MAX: usize = 256;
/// The chunk extensions of one body together.
pub const CHUNK_EXTENSION_BYTES_MAX: usize = 16 << 10;
/// The trailer section of a chunked body.
pub const TRAILER_BYTES_MAX: usize = 8 << 10;

/// What is read and thrown away after a closing answer, so that the client can read it before the connection is reset.
pub const LINGER_BYTES_MAX: usize = 1 << 20;
/// How long that may take.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest JWT.
pub const JWT_BYTES_MAX: usize = 8 << 10;
/// How far the clocks of the issuer and of this node may be apart.
pub const JWT_CLOCK_SKEW_SECONDS: i64 = 60;
/// The largest set of keys for JWT.
pub const JWKS_BYTES_MAX: usize = 256 << 10;
/// The most keys in it.
pub const JWKS_KEYS_MAX: usize = 100;
/// How many keys of one id a token is tried with.
pub const JWT_KEYS_TRIED_MAX: usize = 4;
/// The shortest secret for JWT.
pub const JWT_SECRET_BYTES_MIN: usize = 32;
/// The longest name that a client's certificate or token gives it.
pub const CLIENT_NAME_BYTES_MAX: usize = 255;

/// The pause after the first failed accept; it doubles up to [`ACCEPT_BACKOFF_MAX`].
pub const ACCEPT_BACKOFF_MIN: Duration = Duration::from_millis(10);
/// The longest pause after failed accepts.
pub const ACCEPT_BACKOFF_MAX: Duration = Duration::from_secs(1);

/// The buffer tungstenite reads through, per WebSocket connection.
pub const WEBSOCKET_READ_BUFFER_BYTES: usize = 1 << 10;
/// The largest frame that may be waiting in the codec to be written.
pub const WEBSOCKET_WRITE_BUFFER_BYTES_MAX: usize = 64 << 20;

/// How many refusals a core writes to the audit log in a second, over time; the others are counted.
pub const AUDIT_REFUSALS_PER_SECOND: u64 = 1;
/// How many of them it writes at once.
pub const AUDIT_REFUSALS_AT_ONCE: u64 = 20;
/// How much of a name that was refused is written.
pub const AUDIT_NAME_CHARS_MAX: usize = 250;
/// How many principals' usage is remembered before that of those who are not here is forgotten.
pub const USAGES_MAX: usize = 20_000;
/// How many credentials a core remembers as good; then it begins anew.
pub const VERIFIED_CREDENTIALS_MAX: usize = 4_096;
/// How long a signed token that was found good is taken for good.
pub const TOKEN_TRUST: Duration = Duration::from_mins(1);
/// How long a ticket opens a connection.
pub const TICKET_LIFE: Duration = Duration::from_mins(1);
/// How often it is looked whether the key of a connection that stays still counts, while nothing is asked over it.
pub const CALLER_RECHECK: Duration = Duration::from_secs(2);

/// The longest `Idempotency-Key`: with the place of a message behind it, it is a message id.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 100;
/// How many bytes of batches without a key or an id a core sends to one partition before it is the next one's turn.
pub const PARTITION_TURN_BYTES: usize = 16 << 10;
/// How long a partition's turn lasts at most.
pub const PARTITION_TURN_MS: u64 = 5;
/// How long a publish may take before its client is told that it is not known.
pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an ack, a seek or a look at a partition may take before its client is told that it is not known.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);
/// How long `/readyz` waits for the partitions.
pub const READINESS_TIMEOUT: Duration = Duration::from_secs(2);
/// How many partitions are asked for their status at once.
pub const STATUS_REQUESTS_MAX: usize = 64;
/// How many closed partitions `/readyz` lists.
pub const CLOSED_PARTITIONS_LISTED_MAX: usize = 100;
/// The bytes of batches one read or pull takes from the store; one batch is taken however large.
pub const DELIVERY_BYTES_MAX: usize = 1 << 20;
/// The JSON of messages in one answer; one message is given however large.
pub const DELIVERY_JSON_BYTES_MAX: usize = 4 << 20;
/// How long a log is looked through for one page of dead letters or scheduled messages; it may then be empty, and goes on.
pub const PAGE_SEARCH_TIME: Duration = Duration::from_secs(2);
/// How long dead letters are sent back in one request.
pub const REDRIVE_TIME: Duration = Duration::from_secs(10);
/// How long a log is looked through for a message that is to be cancelled.
pub const CANCEL_SEARCH_TIME: Duration = Duration::from_secs(20);
/// The longest a nacked message may rest, and the longest an ack deadline may be: a day.
pub const DELAY_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// The bytes of lines that are published together; one line is however large. As many wait meanwhile for their turn.
pub const PUBLISH_LINES_GROUP_BYTES: usize = 256 << 10;
/// How many bytes of a line one byte of a message may take: a control character is six as JSON, and base64 is less.
pub const PUBLISH_LINE_ESCAPES: usize = 6;
/// What a line may have besides.
pub const PUBLISH_LINE_REST_BYTES: usize = 64 << 10;

/// How many heartbeats a consumer has in a session: some may be lost or late.
pub const HEARTBEATS_PER_SESSION: u32 = 3;
/// The first pause before it is looked whether a consumer has finished with what was taken from it; it doubles.
pub const LET_GO_LOOK_MIN: Duration = Duration::from_millis(20);
/// The longest pause before that is looked at again.
pub const LET_GO_LOOK_MAX: Duration = Duration::from_millis(500);

/// The bytes of batches one read for a reader of a topic takes from the store; one batch is taken however large.
pub const TOPIC_READ_BYTES: usize = 128 << 10;
/// The partitions that one reader of a topic reads at the same time, of those that have more for it.
pub const TOPIC_READS_MAX: usize = 2;
/// After so many messages that a filter has passed over, a reader of a topic is sent a token all the same.
pub const TOPIC_PASSED_OVER_MAX: u64 = 10_000;
/// How long a reader of a topic waits for messages before it looks whether the topic has changed.
pub const TOPIC_REFRESH_INTERVAL: Duration = Duration::from_secs(10);
/// How long a reader of a topic rests when a partition could not be asked, before it tries again.
pub const TOPIC_RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How often it is looked whether a partition that is gone belongs to a topic that is.
pub const TOPIC_VANISHED_LOOKS: u32 = 25;
/// The bytes of one piece of an event stream; one message is sent however large.
pub const EVENTS_PIECE_BYTES: usize = 64 << 10;
/// How often an event stream says that it is alive.
pub const EVENTS_KEEPALIVE: Duration = Duration::from_secs(15);
/// After how many milliseconds a client is to come back to an event stream that has ended.
pub const EVENTS_RETRY_MS: u64 = 1_000;

/// The answers that may be on their way on one WebSocket; while there are so many, nothing more is read.
pub const WEBSOCKET_WORK_MAX: usize = 64;
/// The subscriptions and topics one WebSocket may read at once.
pub const WEBSOCKET_FEEDS_MAX: usize = 64;
/// The bytes waiting to be sent on one WebSocket from which on nothing more is delivered, answered or read.
pub const WEBSOCKET_OUTBOUND_BYTES: usize = 256 << 10;
/// The JSON of messages in one frame; one message is sent however large.
pub const WEBSOCKET_FRAME_BYTES: usize = 256 << 10;
/// The messages in one frame.
pub const WEBSOCKET_FRAME_MESSAGES_MAX: u32 = 1_000;
/// The reads of topics, in JSON, that a core keeps for other readers of the same topic.
pub const ENCODED_READS_MAX: usize = 64;
/// The bytes of these reads.
pub const ENCODED_READS_BYTES_MAX: usize = 4 << 20;
/// How often the server pings; no sign of life, or no byte sent, from one ping to the next closes.
pub const WEBSOCKET_PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long a WebSocket waits for messages before it looks whether its topic has changed.
pub const WEBSOCKET_REFRESH_INTERVAL: Duration = Duration::from_secs(30);
/// How long a WebSocket rests when a partition has failed, before it tries again.
pub const WEBSOCKET_RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How long the closing handshake and the last bytes may take.
pub const WEBSOCKET_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The frames that a WebSocket takes at once; they may be as small as can be.
pub const WEBSOCKET_FRAMES_PER_EVENT: usize = 64;
/// After so many events in a row a WebSocket lets the other tasks of its core run.
pub const WEBSOCKET_EVENTS_PER_TURN: u32 = 32;

/// The longest secret of a push subscription.
pub const PUSH_SECRET_BYTES_MAX: usize = 1_024;
/// The longest `tracestate` that is passed on, in bytes: what the standard asks for at least.
pub(crate) const TRACESTATE_BYTES_MAX: usize = 512;
/// The most messages of an answer of which traces are told.
pub(crate) const TRACED_MESSAGES_MAX: usize = 64;
/// The most traces that are noted of those that the messages of a call name.
pub(crate) const ORIGINS_MAX: usize = 64;
