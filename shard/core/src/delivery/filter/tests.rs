//! Filters against a naive interpreter of what they mean, and against any text.

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::{
    format::record::{MessageId, RecordHead},
    model::{Offset, Timestamp},
};

/// A message as the naive interpreter sees it.
#[derive(Clone, Debug, Default)]
struct Message {
    key: Option<String>,
    priority: u8,
    attributes: Vec<(String, String)>,
}

impl Message {
    /// Asks with the message as it lies in a batch.
    fn matches(&self, filter: &Filter) -> bool {
        let head = RecordHead {
            id: MessageId::Uuid([1; 16]),
            key: self.key.as_deref(),
            content_type: "text/plain",
            priority: self.priority,
            ttl_ms: None,
            deliver_at: None,
        };
        let attributes: Vec<_> = self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut bytes = Vec::new();
        let Ok(()) = head.encode(0, &attributes, &mut bytes, |_| Ok::<(), Infallible>(()));
        let (record, _) = Record::decode(&bytes, Offset::ZERO, Timestamp::default()).unwrap();
        filter.matches(&FilterSubject::from(&record))
    }

    fn attribute(&self, wanted: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    fn field(&self, field: &str) -> Option<&str> {
        field.strip_prefix("attributes.").map_or(self.key.as_deref(), |name| self.attribute(name.trim_matches('"')))
    }
}

/// What a filter means, with its text beside it.
#[derive(Clone, Debug)]
enum Meaning {
    Is(&'static str, String),
    IsNot(&'static str, String),
    In(&'static str, Vec<String>),
    Begins(&'static str, String),
    Present(&'static str),
    Priority(&'static str, u8),
    Not(Box<Meaning>),
    And(Vec<Meaning>),
    Or(Vec<Meaning>),
}

impl Meaning {
    fn text(&self) -> String {
        let list =
            |parts: &[Self], word: &str| format!("({})", parts.iter().map(Self::text).collect::<Vec<_>>().join(word));
        match self {
            Self::Is(field, text) => format!("{field} = {}", quoted(text)),
            Self::IsNot(field, text) => format!("{field}!={}", quoted(text)),
            Self::In(field, texts) => {
                format!("{field} IN ({})", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(","))
            }
            Self::Begins(field, text) => format!("hasPrefix({field}, {})", quoted(text)),
            Self::Present(name) => format!("attributes:{name}"),
            Self::Priority(comparison, number) => format!("priority {comparison} {number}"),
            Self::Not(part) => format!("NOT {}", part.text()),
            Self::And(parts) => list(parts, " AND "),
            Self::Or(parts) => list(parts, " OR "),
        }
    }

    fn holds(&self, message: &Message) -> bool {
        match self {
            Self::Is(field, text) => message.field(field) == Some(text),
            Self::IsNot(field, text) => message.field(field) != Some(text),
            Self::In(field, texts) => texts.iter().any(|text| message.field(field) == Some(text)),
            Self::Begins(field, text) => message.field(field).is_some_and(|value| value.starts_with(text)),
            Self::Present(name) => message.attribute(name.trim_matches('"')).is_some(),
            Self::Priority(comparison, number) => {
                let order = message.priority.cmp(number);
                match *comparison {
                    "=" => order.is_eq(),
                    "!=" => order.is_ne(),
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                }
            }
            Self::Not(part) => !part.holds(message),
            Self::And(parts) => parts.iter().all(|part| part.holds(message)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(message)),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

const FIELDS: &[&str] = &["key", "attributes.a", "attributes.in-b", "attributes.\"c d\""];
const NAMES: &[&str] = &["a", "in-b", "\"c d\""];
const COMPARISONS: &[&str] = &["=", "!=", "<", "<=", ">", ">="];

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[xy]{0,2}", r#"["\\é)]{0,2}"#]
}

fn any_meaning() -> impl Strategy<Value = Meaning> {
    let field = || prop::sample::select(FIELDS);
    let leaf = prop_oneof![
        (field(), any_text()).prop_map(|(field, text)| Meaning::Is(field, text)),
        (field(), any_text()).prop_map(|(field, text)| Meaning::IsNot(field, text)),
        (field(), prop::collection::vec(any_text(), 1..4)).prop_map(|(field, texts)| Meaning::In(field, texts)),
        (field(), any_text()).prop_map(|(field, text)| Meaning::Begins(field, text)),
        prop::sample::select(NAMES).prop_map(Meaning::Present),
        (prop::sample::select(COMPARISONS), 0..=9_u8).prop_map(|(word, number)| Meaning::Priority(word, number)),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| Meaning::Not(Box::new(part))),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Meaning::And),
            prop::collection::vec(inner, 1..4).prop_map(Meaning::Or),
        ]
    })
}

fn any_message() -> impl Strategy<Value = Message> {
    let attributes = prop::collection::btree_map(prop::sample::select(&["a", "in-b", "c d"][..]), any_text(), 0..4);
    (prop::option::of(any_text()), 0..=9_u8, attributes).prop_map(|(key, priority, attributes)| {
        let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Message { key, priority, attributes }
    })
}

fn refused(text: &str) -> (usize, String) {
    let error = Filter::parse(text).expect_err(text);
    (error.column, error.reason)
}

#[test]
fn and_binds_more_tightly_than_or_and_not_most_tightly() {
    let same = [
        ("priority=1 OR priority=2 AND priority=3", "priority = 1 OR priority = 2 AND priority = 3"),
        ("(priority=1 OR priority=2) AND priority=3", "(priority = 1 OR priority = 2) AND priority = 3"),
        ("NOT priority=1 AND priority=2", "NOT priority = 1 AND priority = 2"),
        ("NOT(priority=1 AND priority=2)", "NOT (priority = 1 AND priority = 2)"),
        ("((priority=1) OR (priority=2 OR priority=3))", "priority = 1 OR priority = 2 OR priority = 3"),
        ("key!=\"a\"", "NOT key = \"a\""),
        ("attributes:\"plain\" AND attributes:\"not plain\"", "attributes:plain AND attributes:\"not plain\""),
    ];
    for (text, written) in same {
        assert_eq!(Filter::parse(text).unwrap().to_string(), written);
    }
    let filter = Filter::parse("priority=1 OR priority=2 AND attributes:a").unwrap();
    assert!(Message { priority: 1, ..Message::default() }.matches(&filter));
    assert!(!Message { priority: 2, ..Message::default() }.matches(&filter));
}

#[test]
fn keywords_are_names_where_a_name_is_expected() {
    let filter = Filter::parse("attributes.IN = \"1\" AND attributes:NOT AND attributes.key = \"2\"").unwrap();
    let attributes = [("IN", "1"), ("NOT", ""), ("key", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert!(Message { attributes: attributes.into(), ..Message::default() }.matches(&filter));
}

#[test]
fn an_error_names_the_column_and_what_is_expected() {
    let condition = "a condition on attributes, key or priority is expected, not ";
    let cases = [
        ("", 1, format!("{condition}the end")),
        ("key", 4, "=, != or IN is expected, not the end".to_owned()),
        ("key = ", 7, "a text in double quotes is expected, not the end".to_owned()),
        ("key = a", 7, "a text in double quotes is expected, not `a`".to_owned()),
        ("key < \"a\"", 5, "=, != or IN is expected, not `<`".to_owned()),
        ("key = \"a\" and key = \"b\"", 11, "AND, OR or the end is expected, not `and`".to_owned()),
        ("key = \"é\" AND", 14, format!("{condition}the end")),
        ("color = \"a\"", 1, format!("{condition}`color`")),
        ("attributes.a", 13, "=, != or IN is expected, not the end".to_owned()),
        ("attributes.a.b = \"c\"", 13, "=, != or IN is expected, not `.`".to_owned()),
        ("attributes = \"a\"", 12, "`.` is expected, not `=`".to_owned()),
        ("attributes:(", 12, "the name of an attribute is expected, not `(`".to_owned()),
        ("priority >= 10", 13, "a priority from 0 to 9 is expected, not `10`".to_owned()),
        ("priority >= \"5\"", 13, "a priority from 0 to 9 is expected, not a text".to_owned()),
        ("priority IN (5)", 10, "a comparison is expected, not `IN`".to_owned()),
        ("(key = \"a\"", 11, "`)` is expected, not the end".to_owned()),
        ("key = \"a\")", 10, "AND, OR or the end is expected, not `)`".to_owned()),
        ("key IN ()", 9, "a text in double quotes is expected, not `)`".to_owned()),
        ("hasPrefix(key \"a\")", 15, "`,` is expected, not a text".to_owned()),
        ("key = \"a", 7, "the quote is not closed".to_owned()),
        ("key = \"a\\n\"", 10, "behind a backslash comes a quote or a backslash".to_owned()),
        ("key = \"a\n\"", 9, "no text of a message has control characters".to_owned()),
        ("key ! \"a\"", 5, "'!' is not expected here".to_owned()),
    ];
    for (text, column, reason) in cases {
        assert_eq!(refused(text), (column, reason), "{text}");
    }
}

#[test]
fn length_and_depth_are_bounded() {
    let fitting = format!("key = \"{}\"", "x".repeat(limits::FILTER_BYTES_MAX - 8));
    assert!(Filter::parse(&fitting).is_ok());
    assert_eq!(refused(&format!("{fitting} ")).0, 1);
    for (open, close) in [("(", ")"), ("NOT ", "")] {
        let nested = |depth| format!("{}priority = 1{}", open.repeat(depth), close.repeat(depth));
        assert!(Filter::parse(&nested(limits::FILTER_DEPTH_MAX - 1)).is_ok());
        let (column, reason) = refused(&nested(limits::FILTER_DEPTH_MAX));
        assert_eq!(
            (column, reason.as_str()),
            (limits::FILTER_DEPTH_MAX * open.len() + 1, "it is nested deeper than 32")
        );
    }
}

proptest! {
    #[test]
    fn a_filter_means_what_it_says(meaning in any_meaning(), message in any_message()) {
        let text = meaning.text();
        prop_assume!(text.len() <= limits::FILTER_BYTES_MAX);
        let filter = Filter::parse(&text).unwrap();
        prop_assert_eq!(message.matches(&filter), meaning.holds(&message), "{}", text);
    }

    #[test]
    fn what_is_written_compiles_to_the_same(meaning in any_meaning()) {
        let text = meaning.text();
        prop_assume!(text.len() <= limits::FILTER_BYTES_MAX);
        let filter = Filter::parse(&text).unwrap();
        let written = filter.to_string();
        prop_assert_eq!(parser::parse(&written), Ok(filter.root), "{}", written);
    }

    #[test]
    fn any_text_is_a_filter_or_is_refused_at_a_place_in_it(
        text in r#"((attributes|key|priority|hasPrefix|AND|OR|NOT|IN|[()=!<>,.:"\\ 5]|"a"|\PC|\n){0,30})"#,
    ) {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{}", error);
        }
    }

    #[test]
    fn any_bytes_are_safe(bytes in any::<Vec<u8>>()) {
        let _ = Filter::parse(&String::from_utf8_lossy(&bytes));
    }
}
