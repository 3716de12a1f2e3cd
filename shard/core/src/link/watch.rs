//! Decides when a connection between nodes has to show that it lives, and when it is given up.

use std::time::Duration;

use crate::{limits, model::Monotonic};

/// Watches one connection from one side.
#[derive(Clone, Copy, Debug)]
pub struct LinkWatch {
    last_received: Monotonic,
    /// When a sign of life was asked for, if nothing has come since.
    pinged: Option<Monotonic>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchVerdict {
    /// Nothing.
    Fine,
    /// Ask for a sign of life.
    Ping,
    /// Close it: the other side is gone, or does not read.
    Dead,
}

impl LinkWatch {
    /// Begins with a connection on which something has just been received.
    #[must_use]
    pub const fn new(now: Monotonic) -> Self {
        Self { last_received: now, pinged: None }
    }

    /// Bytes have come.
    pub const fn on_received(&mut self, now: Monotonic) {
        self.last_received = now;
        self.pinged = None;
    }

    /// To be asked a few times a second. `busy` says whether either side waits for something.
    pub fn look(&mut self, now: Monotonic, busy: bool) -> WatchVerdict {
        if let Some(pinged) = self.pinged {
            let is_dead = now.since(pinged) >= limits::LINK_PONG_MAX;
            return if is_dead { WatchVerdict::Dead } else { WatchVerdict::Fine };
        }
        let silence_max = if busy { limits::LINK_BUSY_SILENCE_MAX } else { limits::LINK_IDLE_SILENCE_MAX };
        if now.since(self.last_received) < silence_max {
            return WatchVerdict::Fine;
        }
        self.pinged = Some(now);
        WatchVerdict::Ping
    }

    /// How often to look.
    pub const INTERVAL: Duration = Duration::from_millis(250);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::default().plus(Duration::from_millis(millis))
    }

    #[test]
    fn a_busy_connection_that_is_silent_is_dead_within_five_seconds() {
        let mut watch = LinkWatch::new(at(0));
        let mut verdicts = Vec::new();
        for look in 0..=20 {
            let verdict = watch.look(at(look * 250), true);
            if verdict != WatchVerdict::Fine {
                verdicts.push((look * 250, verdict));
            }
            if verdict == WatchVerdict::Dead {
                break;
            }
        }
        assert_eq!(verdicts, [(1_500, WatchVerdict::Ping), (5_000, WatchVerdict::Dead)]);
    }

    #[test]
    fn any_bytes_are_a_sign_of_life() {
        let mut watch = LinkWatch::new(at(0));
        assert_eq!(watch.look(at(1_500), true), WatchVerdict::Ping);
        watch.on_received(at(4_900));
        assert_eq!(watch.look(at(6_000), true), WatchVerdict::Fine);
        assert_eq!(watch.look(at(6_400), true), WatchVerdict::Ping);
    }

    #[test]
    fn an_idle_connection_is_asked_seldom() {
        let mut watch = LinkWatch::new(at(0));
        assert_eq!(watch.look(at(19_900), false), WatchVerdict::Fine);
        assert_eq!(watch.look(at(20_000), false), WatchVerdict::Ping);
    }

    #[test]
    fn a_request_after_a_long_silence_is_given_its_time() {
        let mut watch = LinkWatch::new(at(0));
        assert_eq!(watch.look(at(19_000), true), WatchVerdict::Ping, "asked at once, and not given up");
        assert_eq!(watch.look(at(22_000), true), WatchVerdict::Fine);
        assert_eq!(watch.look(at(22_500), true), WatchVerdict::Dead);
    }
}
