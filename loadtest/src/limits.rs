//! The bounds of a load test: nothing it queues, buffers or waits for goes past these.

use std::time::Duration;

/// Most connections of one run, publishers and consumers each.
pub const CONNECTIONS_MAX: usize = 20_000;
/// Most worker threads.
pub const WORKERS_MAX: usize = 64;
/// Most readers of one fan-out.
pub const READERS_MAX: usize = 100_000;
/// Messages that a fan-out's WebSocket reader may be sent; half of them spent, it gives as many back.
pub const READER_CREDIT: u32 = 10_000;
/// Most requests waiting for an answer on one WebSocket.
pub const IN_FLIGHT_MAX: usize = 1_024;
/// Most messages in one request.
pub const BATCH_MAX: usize = 10_000;
/// Largest message.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Largest request body that the templates build: the broker's default limit.
pub const REQUEST_BYTES_MAX: usize = 16 << 20;
/// Most distinct keys.
pub const KEYS_MAX: u64 = 99_999_999;
/// Highest arrival rate.
pub const MESSAGES_PER_SECOND_MAX: u64 = 1_000_000_000;
/// Most messages that a run publishes before it measures.
pub const PRELOAD_MAX: u64 = 1_000_000_000;
/// Longest measured time, and longest warm-up.
pub const DURATION_MAX: Duration = Duration::from_hours(24);
/// Longest time for one connection to be opened, handshake included.
pub const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Attempts in a row to open a lost connection again before it is given up.
pub const RECONNECTS_MAX: u32 = 20;
/// Wait between two such attempts.
pub const RECONNECT_PAUSE: Duration = Duration::from_millis(250);
/// Longest wait after a run's end for answers and deliveries that are still due.
pub const DRAIN_MAX: Duration = Duration::from_mins(10);
/// How long a preload may take.
pub const PRELOAD_TIME_MAX: Duration = Duration::from_hours(1);
/// Bytes of answers that one connection buffers.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Bytes asked of the socket in one read.
pub const READ_BYTES: usize = 64 << 10;
/// How long one pull, or one wait for a frame, may last before the consumer looks whether it is done.
pub const CONSUMER_POLL: Duration = Duration::from_millis(200);
/// How often a fan-out's publisher looks whether the readers have caught up, in a closed loop.
pub const HELD_BACK_POLL: Duration = Duration::from_micros(100);
/// Highest sequence number that a delivery check follows in one stream: 2^32 messages.
pub const SEQUENCE_MAX: u64 = 1 << 32;
/// Longest latency that is told apart from a longer one.
pub const LATENCY_MAX: Duration = Duration::from_mins(10);
/// How often the progress display is renewed.
pub const PROGRESS_PERIOD: Duration = Duration::from_millis(100);
/// Share of its worker threads' time from which the generator is reported as the bottleneck.
pub const SATURATED_SHARE: f64 = 0.9;
/// Most sizes in a mix.
pub const SIZE_SHARES_MAX: usize = 64;
/// Payload bytes of the requests that a connection prepares when sizes differ.
pub const PREPARED_BYTES_MAX: usize = 4 << 20;
/// Most requests that a connection prepares.
pub const PREPARED_REQUESTS_MAX: usize = 32;
/// Most topics of one run.
pub const TOPICS_MAX: usize = 1_000;
/// Most subscriptions of a topic in one run.
pub const SUBSCRIPTIONS_MAX: usize = 1_000;
/// Most points of a series: a longer run has longer intervals than a second.
pub const SERIES_POINTS_MAX: u32 = 600;
/// Most rates that are tried to find the highest.
pub const STEPS_MAX: usize = 40;
/// The search ends when the rate that was reached is so near to one that was not.
pub const STEP_RESOLUTION: f64 = 1.05;
/// A rate has been reached when this share of it was acknowledged.
pub const REACHED_SHARE: f64 = 0.98;
/// How late the generator's own timers may be, at p99, before the report says so.
pub const WAKE_DELAY_MAX: Duration = Duration::from_millis(2);
/// Largest workload file.
pub const WORKLOAD_FILE_BYTES_MAX: u64 = 1 << 20;
/// Largest report that is read.
pub const REPORT_FILE_BYTES_MAX: u64 = 64 << 20;
/// Most reports in one page.
pub const REPORTS_MAX: usize = 200;
/// Share of a machine's cores from which it counts as full.
pub const MACHINE_FULL_SHARE: f64 = 0.95;
