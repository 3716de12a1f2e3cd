//! The time on a core as of the last tick: for deadlines and `Date`, which need no more.

use std::{
    cell::{Cell, Ref, RefCell},
    time::Instant,
};

use time::OffsetDateTime;

/// Reads the clocks once per tick rather than once per request.
#[derive(Debug)]
pub(crate) struct CoarseClock {
    now: Cell<Instant>,
    date: RefCell<String>,
}

impl CoarseClock {
    /// Reads the clocks a first time.
    pub(crate) fn new() -> Self {
        Self { now: Cell::new(Instant::now()), date: RefCell::new(imf_fixdate(OffsetDateTime::now_utc())) }
    }

    /// Reads the clocks again.
    pub(crate) fn refresh(&self) {
        self.now.set(Instant::now());
        *self.date.borrow_mut() = imf_fixdate(OffsetDateTime::now_utc());
    }

    /// The time as of the last tick.
    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    /// The date as of the last tick, as RFC 9110 §5.6.7 writes it.
    pub(crate) fn date(&self) -> Ref<'_, str> {
        Ref::map(self.date.borrow(), String::as_str)
    }
}

fn imf_fixdate(at: OffsetDateTime) -> String {
    let weekday = at.weekday().to_string();
    let month = at.month().to_string();
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        weekday.get(..3).unwrap_or_default(),
        at.day(),
        month.get(..3).unwrap_or_default(),
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_in_rfc_9110() {
        let at = OffsetDateTime::from_unix_timestamp(784_111_777).unwrap();
        assert_eq!(imf_fixdate(at), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
