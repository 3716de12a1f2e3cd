//! How often each error code was given.

use gateway_api::Code;

use super::counter::Counter;

/// One counter per code.
#[derive(Debug)]
pub struct ErrorCounts(Vec<Counter>);

impl ErrorCounts {
    /// Counts one answer with this code.
    pub fn count(&self, code: Code) {
        let counted = Code::ALL.iter().zip(&self.0).find(|(candidate, _)| **candidate == code);
        if let Some((_, counter)) = counted {
            counter.add(1);
        }
    }

    /// How often each code was given.
    pub fn iter(&self) -> impl Iterator<Item = (Code, u64)> {
        Code::ALL.iter().zip(&self.0).map(|(code, counter)| (*code, counter.get()))
    }
}

impl Default for ErrorCounts {
    fn default() -> Self {
        Self(Code::ALL.iter().map(|_| Counter::default()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_counted_on_its_own() {
        let errors = ErrorCounts::default();
        errors.count(Code::TopicNotFound);
        errors.count(Code::TopicNotFound);
        errors.count(Code::Overloaded);
        let counted: Vec<_> = errors.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(Code::TopicNotFound, 2), (Code::Overloaded, 1)]);
    }
}
