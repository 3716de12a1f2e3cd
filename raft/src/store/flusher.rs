//! One thread that makes writes durable: whoever waits when a flush begins shares it.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread::{self, JoinHandle},
};

use tokio::sync::oneshot;

use crate::limits;

/// Told whether everything written before it was submitted is durable.
pub(super) type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// Runs flushes, one after the other, on a thread of its own.
#[derive(Debug)]
pub(super) struct Flusher {
    waiting: Option<SyncSender<Done>>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    /// Starts the thread. After the first failure of `flush` it is never called again, and every answer is an error:
    /// the kernel may have dropped what it could not write, so a flush that succeeds later would prove nothing.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(flush: impl FnMut() -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let (waiting, requests) = sync_channel(limits::FLUSHES_WAITING_MAX);
        let thread = thread::Builder::new().name("metadata-flush".to_owned()).spawn(move || run(&requests, flush))?;
        Ok(Self { waiting: Some(waiting), thread: Some(thread) })
    }

    /// Calls `done` once what was written before is durable, or can't be made so.
    pub(super) fn submit(&self, done: Done) {
        let Some(waiting) = &self.waiting else { return done(Err(stopped())) };
        match waiting.try_send(done) {
            Ok(()) => {}
            Err(TrySendError::Full(done)) => done(Err(io::Error::other("too many writers wait for a flush"))),
            Err(TrySendError::Disconnected(done)) => done(Err(stopped())),
        }
    }

    /// Returns once what was written before is durable; for a thread that may block.
    ///
    /// # Errors
    /// It is not known whether it is.
    pub(super) fn flush_blocking(&self) -> io::Result<()> {
        let (answer, answered) = sync_channel(1);
        self.submit(Box::new(move |result| drop(answer.send(result))));
        answered.recv().unwrap_or_else(|_| Err(stopped()))
    }

    /// Returns once what was written before is durable.
    ///
    /// # Errors
    /// It is not known whether it is.
    pub(super) async fn flush(&self) -> io::Result<()> {
        let (answer, answered) = oneshot::channel();
        self.submit(Box::new(move |result| drop(answer.send(result))));
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        // The thread holds the database open; who drops the store may open it again at once.
        self.waiting = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the flusher of the metadata panicked");
        }
    }
}

fn run(requests: &Receiver<Done>, mut flush: impl FnMut() -> io::Result<()>) {
    let mut failure: Option<String> = None;
    while let Ok(first) = requests.recv() {
        let together: Vec<Done> = std::iter::once(first).chain(requests.try_iter()).collect();
        if failure.is_none()
            && let Err(error) = flush()
        {
            tracing::error!(%error, "the metadata could not be made durable; it stops");
            failure = Some(error.to_string());
        }
        for done in together {
            done(failure.as_ref().map_or(Ok(()), |reason| Err(io::Error::other(reason.clone()))));
        }
    }
}

fn stopped() -> io::Error {
    io::Error::other("the flusher has stopped")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// F12.
    #[test]
    fn nobody_is_answered_before_the_flush_has_returned() {
        let (flush_may_end, gate) = channel::<()>();
        let flusher = Flusher::start(move || gate.recv().map_err(io::Error::other)).unwrap();
        let (answer, answers) = channel();
        flusher.submit(Box::new(move |result| answer.send(result.is_ok()).unwrap()));
        assert!(answers.try_recv().is_err());
        flush_may_end.send(()).unwrap();
        assert_eq!(answers.recv(), Ok(true));
    }

    #[test]
    fn who_waits_while_a_flush_runs_shares_the_next_one() {
        let (begun, begins) = channel();
        let (flush_may_end, gate) = channel::<()>();
        let flusher = Flusher::start(move || {
            begun.send(()).map_err(io::Error::other)?;
            gate.recv().map_err(io::Error::other)
        })
        .unwrap();
        let (answer, answers) = channel();
        for number in 0..10 {
            let answer = answer.clone();
            flusher.submit(Box::new(move |result| answer.send((number, result.is_ok())).unwrap()));
            if number == 0 {
                begins.recv().unwrap();
            }
        }
        flush_may_end.send(()).unwrap();
        flush_may_end.send(()).unwrap();
        drop(flusher);
        assert_eq!(answers.try_iter().collect::<Vec<_>>(), (0..10).map(|number| (number, true)).collect::<Vec<_>>());
        assert_eq!(begins.try_iter().count(), 1, "one flush for the nine that waited");
    }

    /// F24.
    #[test]
    fn after_a_failed_flush_none_is_tried_again() {
        let (begun, attempts) = channel();
        let flusher = Flusher::start(move || {
            begun.send(()).map_err(io::Error::other)?;
            Err(io::Error::other("no space"))
        })
        .unwrap();
        let (answer, answers) = channel();
        for _ in 0..2 {
            let answer = answer.clone();
            flusher.submit(Box::new(move |result| answer.send(result.map_err(|error| error.to_string())).unwrap()));
            assert_eq!(answers.recv().unwrap(), Err("no space".to_owned()));
        }
        drop(flusher);
        assert_eq!(attempts.try_iter().count(), 1);
    }
}
