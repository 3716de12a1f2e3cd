//! The least that a server can do to give a message to many readers: one thread that sends the same frame to each of them in
//! turn, with a `send` each. It shows how far the broker's fan-out is from what the kernel's loopback gives to one core.

mod frame;
mod reading;

use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::descriptors;
use crate::recorder::Recorder;
use crate::resources::Usage;
use crate::run::RunResult;
use crate::series::Intervals;
use crate::server::ServerInfo;
use crate::subscriptions::SubscriptionChecks;
use crate::workload::Workload;

use reading::ReadingPlan;

/// A reader that takes nothing for so long ends the run.
const WRITE_TIME_MAX: Duration = Duration::from_secs(10);

/// Sends to as many connections as the workload has readers, for as long as it says, as often as it can. Sockets block: one
/// whose reader is behind is waited for, so what is on the way is bounded by their buffers. The workload's worker threads
/// read and discard; a delivery is a message whose frame has come to its end.
///
/// # Errors
///
/// When the connections can't be made, or one of them is lost.
pub fn run(workload: &Workload) -> io::Result<RunResult> {
    let frame = frame::of(workload)?;
    let (writers, readers) = connections(workload)?;
    let start = Instant::now();
    let plan = ReadingPlan {
        frame_bytes: frame.len(),
        messages: workload.publish.batch() as u64,
        payload_bytes: (workload.publish.batch() as u64).saturating_mul(workload.publish.sizes.max() as u64),
        warm_up: workload.warm_up,
        intervals: Intervals::of_run(workload.warm_up, workload.duration),
        start,
    };
    let mut recorder = Recorder::new(plan.intervals);
    let mut cpu = Duration::ZERO;
    thread::scope(|scope| {
        let reading: Vec<_> = readers.into_iter().map(|share| scope.spawn(move || reading::run(share, plan))).collect();
        let writing = scope.spawn(move || write(&writers, &frame, start, workload.end()));
        joined(writing)?;
        for thread in reading {
            let (read, its_cpu) = joined(thread)?;
            recorder.merge(&read);
            cpu += its_cpu;
        }
        Ok::<_, io::Error>(())
    })?;
    Ok(RunResult {
        recorder,
        deliveries: SubscriptionChecks::new(0),
        readers: Vec::new(),
        server: ServerInfo { product: "a write loop".to_owned(), ..ServerInfo::default() },
        usage: Usage::default(),
        cpu,
        wall: start.elapsed(),
    })
}

/// The ends that are written to, and the others, dealt out to the workers in turn.
fn connections(workload: &Workload) -> io::Result<(Vec<TcpStream>, Vec<Vec<TcpStream>>)> {
    let count = workload.fan_out.map_or(0, |fan_out| fan_out.readers);
    // Both ends are here.
    let needed = descriptors::needed(workload).saturating_add(count as u64);
    descriptors::ensure(needed).map_err(io::Error::other)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut writers = Vec::with_capacity(count);
    let mut shares: Vec<Vec<TcpStream>> = (0..workload.workers.max(1)).map(|_| Vec::new()).collect();
    while writers.len() < count {
        for share in shares.iter_mut().take(count - writers.len()) {
            let reader = TcpStream::connect(address)?;
            let (writer, _) = listener.accept()?;
            writer.set_nodelay(true)?;
            writer.set_write_timeout(Some(WRITE_TIME_MAX))?;
            reader.set_nonblocking(true)?;
            writers.push(writer);
            share.push(reader);
        }
    }
    Ok((writers, shares))
}

/// The connections end with this, so that the readers do.
fn write(connections: &[TcpStream], frame: &[u8], start: Instant, end: Duration) -> io::Result<()> {
    while start.elapsed() < end {
        for mut connection in connections {
            connection.write_all(frame)?;
        }
    }
    connections.iter().try_for_each(|connection| connection.shutdown(std::net::Shutdown::Write))
}

fn joined<T>(thread: ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    thread.join().map_err(|_| io::Error::other("a thread panicked"))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Kind;
    use crate::workload::tests::example;

    #[test]
    fn each_reader_is_sent_as_many_whole_frames_as_the_others() {
        let mut workload = Workload { duration: Duration::from_millis(50), workers: 2, ..example(Kind::FanOut) };
        workload.publish.batch = 5;
        let result = run(&workload).unwrap();
        let counts = result.recorder.counts();
        assert!(counts.delivered > 0);
        assert_eq!(counts.delivered % 15, 0, "frames of 5 messages to 3 readers");
        assert_eq!(counts.delivered_bytes, 256 * counts.delivered);
    }

    #[test]
    fn what_comes_in_the_warm_up_is_not_counted() {
        let brief = Duration::from_millis(20);
        let workload = Workload { warm_up: Duration::from_mins(1), ..example(Kind::FanOut) };
        let (writers, readers) = connections(&workload).unwrap();
        let start = Instant::now();
        let intervals = Intervals::of_run(workload.warm_up, workload.duration);
        let (warm_up, messages, payload_bytes, frame_bytes) = (workload.warm_up, 1, 1, 1);
        let plan = ReadingPlan { frame_bytes, messages, payload_bytes, warm_up, intervals, start };
        write(&writers, b"x", start, brief).unwrap();
        for share in readers {
            let (recorder, _) = reading::run(share, plan).unwrap();
            assert_eq!(recorder.counts().delivered, 0);
        }
    }
}
