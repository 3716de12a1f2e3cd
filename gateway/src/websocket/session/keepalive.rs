//! Whether a client is still there and still reading, decided once for each ping interval.

use super::transport::Progress;

/// What was seen since the last tick.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Keepalive {
    awaits_pong: bool,
    sent: u64,
    was_waiting: bool,
}

/// What to do at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Ask for a sign of life.
    Ping,
    /// Nothing: its sign of life could not be read.
    None,
    /// It gave no sign of life: close.
    Silent,
    /// It took none of what waits for it: close.
    Stalled,
}

impl Keepalive {
    /// The client sent something, a pong perhaps.
    pub(super) const fn on_sign_of_life(&mut self) {
        self.awaits_pong = false;
    }

    /// An interval is over. `reading` is whether the client's bytes are being read now.
    pub(super) const fn on_tick(&mut self, progress: Progress, reading: bool) -> Sign {
        let stalled = self.was_waiting && progress.waiting > 0 && progress.sent == self.sent;
        self.sent = progress.sent;
        self.was_waiting = progress.waiting > 0;
        if stalled {
            return Sign::Stalled;
        }
        if !reading {
            self.awaits_pong = false;
            return Sign::None;
        }
        if self.awaits_pong {
            return Sign::Silent;
        }
        self.awaits_pong = true;
        Sign::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Progress = Progress { sent: 10, waiting: 0 };

    #[test]
    fn a_client_that_answers_is_pinged_again_and_again() {
        let mut keepalive = Keepalive::default();
        for _ in 0..3 {
            assert_eq!(keepalive.on_tick(IDLE, true), Sign::Ping);
            keepalive.on_sign_of_life();
        }
    }

    #[test]
    fn a_client_that_does_not_answer_is_silent() {
        let mut keepalive = Keepalive::default();
        assert_eq!(keepalive.on_tick(IDLE, true), Sign::Ping);
        assert_eq!(keepalive.on_tick(IDLE, true), Sign::Silent);
    }

    #[test]
    fn what_was_not_read_is_not_held_against_the_client() {
        let mut keepalive = Keepalive::default();
        assert_eq!(keepalive.on_tick(IDLE, true), Sign::Ping);
        assert_eq!(keepalive.on_tick(IDLE, false), Sign::None);
        assert_eq!(keepalive.on_tick(IDLE, true), Sign::Ping);
    }

    #[test]
    fn a_client_that_takes_nothing_for_an_interval_is_stalled() {
        let mut keepalive = Keepalive::default();
        let waiting = |sent| Progress { sent, waiting: 5 };
        assert_eq!(keepalive.on_tick(waiting(1), false), Sign::None, "it may have begun to wait just now");
        assert_eq!(keepalive.on_tick(waiting(2), false), Sign::None, "a slow reader is not a stalled one");
        assert_eq!(keepalive.on_tick(waiting(2), false), Sign::Stalled);
    }
}
