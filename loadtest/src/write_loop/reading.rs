//! The readers on one worker thread: they discard what they are sent, and count the frames.

use std::cell::RefCell;
use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::clock::thread_cpu_time;
use crate::limits::READ_BYTES;
use crate::recorder::Recorder;
use crate::series::Intervals;

/// What all readers have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadingPlan {
    /// Bytes of each frame.
    pub(super) frame_bytes: usize,
    /// Messages in it.
    pub(super) messages: u64,
    /// Their payload bytes.
    pub(super) payload_bytes: u64,
    /// What comes before this is not counted.
    pub(super) warm_up: Duration,
    /// How the run is divided.
    pub(super) intervals: Intervals,
    /// When the run began.
    pub(super) start: Instant,
}

/// Reads until all connections have ended: what came, and the CPU time that it took.
///
/// # Errors
///
/// When a connection is lost.
pub(super) fn run(connections: Vec<TcpStream>, plan: ReadingPlan) -> io::Result<(Recorder, Duration)> {
    let cpu = thread_cpu_time();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let tally = Tally { plan, recorder: Recorder::new(plan.intervals), scratch: vec![0; READ_BYTES] };
    let tally = Rc::new(RefCell::new(tally));
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut reading = JoinSet::new();
        for connection in connections {
            let connection = tokio::net::TcpStream::from_std(connection)?;
            reading.spawn_local(read_on(connection, Rc::clone(&tally)));
        }
        while let Some(ended) = reading.join_next().await {
            ended??;
        }
        Ok::<_, io::Error>(())
    })?;
    let recorder = Rc::into_inner(tally).map(|tally| tally.into_inner().recorder);
    let recorder = recorder.ok_or_else(|| io::Error::other("a reader is still at work"))?;
    Ok((recorder, thread_cpu_time().saturating_sub(cpu)))
}

async fn read_on(connection: tokio::net::TcpStream, tally: Rc<RefCell<Tally>>) -> io::Result<()> {
    let mut part = 0;
    loop {
        connection.readable().await?;
        let read = tally.borrow_mut().read(&connection, &mut part);
        match read {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// What came over all connections of the thread.
struct Tally {
    plan: ReadingPlan,
    recorder: Recorder,
    scratch: Vec<u8>,
}

impl Tally {
    /// Reads what is there. `part` is how much of a frame the connection has had without its end.
    fn read(&mut self, connection: &tokio::net::TcpStream, part: &mut usize) -> io::Result<usize> {
        let length = connection.try_read(&mut self.scratch)?;
        let bytes = *part + length;
        let frames = bytes.checked_div(self.plan.frame_bytes).unwrap_or(0);
        *part = bytes - frames * self.plan.frame_bytes;
        let now = self.plan.start.elapsed();
        if frames > 0 && now >= self.plan.warm_up {
            let frames = frames as u64;
            self.recorder.delivered(now, frames * self.plan.messages, frames * self.plan.payload_bytes);
        }
        Ok(length)
    }
}
