//! How much a core holds of what is made for clients and not sent yet.
//!
//! What is made is sent: nothing that holds a part is ever refused more. But while much is held, less is made at a time, and
//! when all is used up nothing long is begun for anyone who asks for it.

use std::{cell::Cell, rc::Rc};

use crate::limits::OUTPUT_PORTION_BYTES_TIGHT;

/// The bytes that the connections of a core may leave unread together.
#[derive(Clone, Debug)]
pub struct OutputBudget {
    bytes_max: usize,
    used: Rc<Cell<usize>>,
}

/// What one connection has of it, given back when dropped.
#[derive(Debug)]
pub(crate) struct OutputHold {
    used: Rc<Cell<usize>>,
    held: usize,
}

impl OutputBudget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, used: Rc::default() }
    }

    /// Whether nothing long should be begun.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.used.get() >= self.bytes_max
    }

    /// How much to make at a time, instead of `whole`: less once half of the budget is used.
    pub(crate) fn portion(&self, whole: usize) -> usize {
        if self.used.get() < self.bytes_max / 2 { whole } else { whole.min(OUTPUT_PORTION_BYTES_TIGHT) }
    }

    /// A hold of nothing yet.
    pub(crate) fn hold(&self) -> OutputHold {
        OutputHold { used: Rc::clone(&self.used), held: 0 }
    }
}

impl OutputHold {
    /// Holds so many bytes from now on.
    pub(crate) fn set(&mut self, bytes: usize) {
        self.used.set(self.used.get() - self.held + bytes);
        self.held = bytes;
    }
}

impl Drop for OutputHold {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: usize = OUTPUT_PORTION_BYTES_TIGHT * 4;

    #[test]
    fn less_is_made_when_half_is_used_and_nothing_begun_when_all_is() {
        let budget = OutputBudget::new(100);
        let (mut one, mut other) = (budget.hold(), budget.hold());
        one.set(49);
        assert_eq!((budget.portion(WHOLE), budget.is_exhausted()), (WHOLE, false));
        other.set(1);
        assert_eq!((budget.portion(WHOLE), budget.is_exhausted()), (OUTPUT_PORTION_BYTES_TIGHT, false));
        assert_eq!(budget.portion(7), 7, "what is small stays as it is");
        other.set(51);
        assert!(budget.is_exhausted());
        other.set(500);
        drop(one);
        assert!(budget.is_exhausted(), "what is held may be more than the budget");
        drop(other);
        assert_eq!((budget.portion(WHOLE), budget.is_exhausted()), (WHOLE, false));
    }
}
