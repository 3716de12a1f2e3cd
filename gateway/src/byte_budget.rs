//! How much memory the request bodies of a core may take together.

use std::{cell::Cell, rc::Rc};

/// A number of bytes that many share.
#[derive(Clone, Debug)]
pub(crate) struct ByteBudget {
    left: Rc<Cell<usize>>,
}

/// A part of a budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    left: Rc<Cell<usize>>,
    held: usize,
}

/// The budget is used up; the reservation is what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BudgetExhausted;

impl ByteBudget {
    /// A budget of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: Rc::new(Cell::new(bytes)) }
    }

    /// A reservation of nothing yet.
    pub(crate) fn reservation(&self) -> Reservation {
        Reservation { left: Rc::clone(&self.left), held: 0 }
    }
}

impl Reservation {
    /// Makes the reservation so large, or so small.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<(), BudgetExhausted> {
        if bytes == self.held {
            return Ok(());
        }
        let left = (self.left.get() + self.held).checked_sub(bytes).ok_or(BudgetExhausted)?;
        self.left.set(left);
        self.held = bytes;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.left.set(self.left.get() + self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_share_the_budget_and_give_it_back() {
        let budget = ByteBudget::new(10);
        let (mut one, mut two) = (budget.reservation(), budget.reservation());
        assert_eq!(one.resize(8), Ok(()));
        assert_eq!(two.resize(3), Err(BudgetExhausted));
        assert_eq!(one.resize(7), Ok(()));
        assert_eq!(two.resize(3), Ok(()));
        drop(one);
        assert_eq!(two.resize(10), Ok(()));
    }
}
