//! The examples of the filter language in `docs/delivery.md` do what the page says.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{convert::Infallible, fs, path::Path};

use serde::Deserialize;
use shard_core::{
    delivery::{Filter, FilterSubject},
    format::record::{MessageId, Record, RecordHead},
    model::{Offset, Timestamp},
};

/// A message of the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    key: Option<String>,
    priority: Option<u8>,
    #[serde(default)]
    attributes: std::collections::BTreeMap<String, String>,
}

impl Message {
    fn is_wanted(&self, filter: &Filter) -> bool {
        let head = RecordHead {
            id: MessageId::Text("id"),
            key: self.key.as_deref(),
            content_type: "text/plain",
            priority: self.priority.unwrap_or(4),
            ttl_ms: None,
            deliver_at: None,
        };
        let attributes: Vec<_> = self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut bytes = Vec::new();
        let Ok(()) = head.encode(0, &attributes, &mut bytes, |_| Ok::<(), Infallible>(()));
        let (record, _) = Record::decode(&bytes, Offset::ZERO, Timestamp::default()).unwrap();
        filter.matches(&FilterSubject::from(&record))
    }
}

#[test]
fn every_example_wants_what_the_page_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/delivery.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, table) =
        page.split_once("| filter | wants | does not want |\n|---|---|---|\n").expect("the table is there");
    let mut examples = 0;
    for row in table.lines().take_while(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, filter, wanted, unwanted, _] = cells[..] else { panic!("{row}") };
        let filter = Filter::parse(filter).unwrap_or_else(|error| panic!("{error} in {filter}"));
        let message =
            |text: &str| serde_json::from_str::<Message>(text).unwrap_or_else(|error| panic!("{error}: {row}"));
        assert!(message(wanted).is_wanted(&filter), "{row}");
        assert!(!message(unwanted).is_wanted(&filter), "{row}");
        examples += 1;
    }
    assert!(examples >= 10, "{examples}");
}

#[test]
fn the_error_of_the_page_is_the_one_that_is_given() {
    let error = Filter::parse("key = ").unwrap_err();
    assert_eq!(error.to_string(), "column 7: a text in double quotes is expected, not the end");
}
