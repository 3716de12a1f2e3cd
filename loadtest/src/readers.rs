//! The readers of a fan-out on one worker thread: each reads all of the topic until the run is over.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use crate::account::Account;
use crate::clock::{Clock as _, MonotonicClock};
use crate::connections::AnyReader;
use crate::fan_out::ReaderCheck;
use crate::host::Host;
use crate::limits::CONSUMER_POLL;
use crate::targets::{Reader as _, TargetError};
use crate::workload::Workload;

/// A worker's share of the readers.
#[derive(Clone, Debug)]
pub struct ReadersPlace {
    /// The server.
    pub host: Arc<Host>,
    /// How many there are.
    pub count: usize,
}

/// Readers that are connected.
#[derive(Debug, Default)]
pub struct Readers {
    readers: Vec<(AnyReader, SharedCheck)>,
}

type SharedCheck = Rc<RefCell<ReaderCheck>>;

impl Readers {
    /// Opens all of them: what is published after this returns will be read by each.
    ///
    /// # Errors
    ///
    /// When one of them can't be opened.
    pub async fn connect(place: &ReadersPlace, workload: &Workload, run: u32) -> Result<Self, TargetError> {
        let mut connected = Self::default();
        let server = match place.host.as_ref() {
            Host::Broker(server) => server,
            #[cfg(feature = "peers")]
            Host::Peer(_) => return Ok(connected),
        };
        if let Some(fan_out) = workload.fan_out {
            for _ in 0..place.count {
                let reader = AnyReader::connect(server, &workload.topic, fan_out.protocol).await?;
                connected.readers.push((reader, Rc::new(RefCell::new(ReaderCheck::new(run)))));
            }
        }
        Ok(connected)
    }

    /// What each was given, once they have all ended.
    #[must_use]
    pub fn checks(&self) -> Vec<SharedCheck> {
        self.readers.iter().map(|(_, check)| Rc::clone(check)).collect()
    }

    /// Reads until everybody has everything, or until nothing more is waited for. It runs within a `LocalSet`.
    pub async fn read(self, account: Rc<Account>, workload: Arc<Workload>, start: Instant) {
        let Ok(clock) = MonotonicClock::new(start) else { return };
        let owed = workload.fan_out.map_or(0, |fan_out| fan_out.readers as u64);
        let mut reading = JoinSet::new();
        for (reader, check) in self.readers {
            reading.spawn_local(read_on(reader, check, Rc::clone(&account), start));
        }
        let end = workload.end() + workload.drain;
        let is_done = || {
            let counters = account.counters();
            counters.publishers_are_done() && counters.delivered() >= counters.acknowledged().saturating_mul(owed)
        };
        while clock.now() < end && !is_done() {
            clock.sleep_until(clock.now() + CONSUMER_POLL).await;
        }
        reading.shutdown().await;
    }
}

/// A reader that is cut off is not replaced: what it misses is lost to it.
async fn read_on(mut reader: AnyReader, check: SharedCheck, account: Rc<Account>, start: Instant) {
    loop {
        match reader.next().await {
            Ok(delivered) => account.fanned_out(&mut check.borrow_mut(), &delivered, start.elapsed()),
            Err(error) => return account.broken(error.code(), start.elapsed(), 1),
        }
    }
}
