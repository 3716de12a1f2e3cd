//! How many messages a client is ready to take.

use gateway_api::limits::CREDIT_MAX;

use crate::error::{self, Failure};

/// What a feed may send. Batches are sent whole: what one has more than there was credit for is owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Credit {
    left: i64,
}

impl Credit {
    /// Credit to begin with.
    ///
    /// # Errors
    /// It is more than a feed may have.
    pub(super) fn new(credit: u32) -> Result<Self, Failure> {
        check("credit", credit.into()).map(|left| Self { left })
    }

    /// Adds to it.
    ///
    /// # Errors
    /// The sum is more than a feed may have.
    pub(super) fn add(&mut self, more: u32) -> Result<(), Failure> {
        self.left = check("add", self.left.saturating_add(more.into()))?;
        Ok(())
    }

    /// How many messages may be sent.
    pub(super) fn available(self) -> u32 {
        u32::try_from(self.left).unwrap_or(0)
    }

    /// Counts what was sent.
    pub(super) fn spend(&mut self, messages: u32) {
        self.left = self.left.saturating_sub(messages.into());
    }
}

fn check(field: &str, credit: i64) -> Result<i64, Failure> {
    if credit > i64::from(CREDIT_MAX) {
        return Err(error::invalid(field, format!("a subscription has at most {CREDIT_MAX} credits")));
    }
    Ok(credit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_beyond_the_credit_is_owed() {
        let mut credit = Credit::new(2).unwrap();
        credit.spend(5);
        assert_eq!(credit.available(), 0);
        credit.add(3).unwrap();
        assert_eq!(credit.available(), 0);
        credit.add(1).unwrap();
        assert_eq!(credit.available(), 1);
    }

    #[test]
    fn there_is_a_most() {
        assert!(Credit::new(CREDIT_MAX + 1).is_err());
        let mut credit = Credit::new(CREDIT_MAX).unwrap();
        assert!(credit.add(1).is_err());
        assert_eq!(credit.available(), CREDIT_MAX, "what was refused changes nothing");
        credit.spend(1);
        assert!(credit.add(1).is_ok());
    }
}
