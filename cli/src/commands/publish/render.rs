//! Results of publishing, for people.

use gateway_api::publish::{PublishFailure, Published};

use crate::error::CliError;
use crate::output::{Render, Table, api_word};

impl Render for Published {
    fn table(&self) -> Table {
        let mut table = Table::columns(&["ID", "PARTITION", "OFFSET", "DURABILITY", "DUPLICATE"]);
        let duplicate = if self.duplicate { "yes" } else { "no" };
        let (partition, offset) = (self.partition.to_string(), self.offset.to_string());
        table.row([self.id.as_str(), &partition, &offset, &api_word(&self.durability), duplicate]);
        table
    }
}

/// Some messages were refused by their partitions.
pub(super) fn partly(failed: u64, total: u64, first: &PublishFailure) -> CliError {
    let detail = if first.detail.is_empty() { String::new() } else { format!(": {}", first.detail) };
    CliError::Partly { what: "messages", failed, total, code: first.code, detail }
}

#[cfg(test)]
mod tests {
    use gateway_api::publish::Durability;
    use gateway_api::{Code, Outcome};

    use super::*;
    use crate::exit_code::ExitKind;
    use crate::output::{Format, Output};

    #[test]
    fn a_published_message_is_shown_with_its_place() {
        let published =
            Published { id: "i".to_owned(), partition: 2, offset: 7, duplicate: false, durability: Durability::Leader };
        let mut bytes = Vec::new();
        Output::new(Format::Table, &mut bytes).result(&published).unwrap();
        let expected = "ID  PARTITION  OFFSET  DURABILITY  DUPLICATE\ni   2          7       leader      no\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn a_partial_failure_has_the_exit_code_of_its_first_error() {
        let detail = "the queue is full".to_owned();
        let first = PublishFailure {
            code: Code::Overloaded,
            detail,
            retryable: true,
            outcome: Outcome::NotApplied,
            expected_sequence: None,
        };
        let error = partly(2, 10, &first);
        assert_eq!(error.exit_kind(), ExitKind::Unavailable);
        let expected = "2 of 10 messages failed, the first one with overloaded: the queue is full";
        assert_eq!(error.to_string(), expected);
    }
}
