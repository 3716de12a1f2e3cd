//! The bounds of what the program holds and waits for.

use std::time::Duration;

/// Payload bytes in one publish request: with base64 and JSON around them they stay far below the limit of a body.
pub(crate) const PUBLISH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Messages that a subscribe has on credit.
pub(crate) const CREDIT: u32 = 1_000;
/// How long to wait for the last acks when a subscribe ends.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);
/// Seconds between two looks of `--watch` if none are given.
pub(crate) const WATCH_SECONDS: &str = "2";
/// The most seconds between them.
pub(crate) const WATCH_SECONDS_MAX: f64 = 86_400.0;
/// Pages that a list takes before it gives up.
pub(crate) const PAGES_MAX: usize = 10_000;
/// Characters of a payload in a table.
pub(crate) const SHOWN_CHARACTERS_MAX: usize = 100;
/// Batches of lines that wait to be published.
pub(crate) const BATCHES_WAITING_MAX: usize = 2;
/// What is read of standard input at a time.
pub(crate) const INPUT_BUFFER_BYTES: usize = 256 * 1024;
/// Frames that wait to be sent. There is at most one ack and one credit frame for each message on credit, so it is
/// never full.
pub(crate) const FRAMES_WAITING_MAX: usize = 2 * CREDIT as usize + 8;
/// What is read of a segment at a time; a batch that is longer is read whole.
pub(crate) const SEGMENT_READ_BYTES: usize = 1 << 20;
/// Damages that are listed of each partition; further ones are counted.
pub(crate) const DAMAGES_LISTED_MAX: usize = 100;
/// What is read of a file that holds a secret; more would be refused anyway.
pub(crate) const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;
/// How often it is looked how many partitions have moved.
pub(crate) const MOVES_LOOK: Duration = Duration::from_millis(250);
/// How long nothing may move before it is no longer waited for.
pub(crate) const MOVES_STALL: Duration = Duration::from_mins(1);
