//! Compares output with a page that shows it by example: ids and times differ each time, and `…` stands for anything.

use std::collections::HashMap;

/// What stands for text that was left out.
const ANYTHING: char = '…';

/// The ack ids that the page shows, and the real ones in their place.
#[derive(Debug, Default)]
pub(crate) struct Examples {
    real: HashMap<String, String>,
}

impl Examples {
    /// A command with the real ack ids in place of the page's, which may be cut short by `…`.
    pub(crate) fn filled_in(&self, command: &str) -> String {
        let mut filled = command.to_owned();
        for quoted in command.split('"').filter(|quoted| quoted.len() > 10) {
            let shown = quoted.trim_end_matches(ANYTHING);
            if let Some((_, real)) = self.real.iter().find(|(page, _)| page.starts_with(shown)) {
                filled = filled.replace(quoted, real);
            }
        }
        assert!(!filled.contains(ANYTHING), "`{filled}` has an id that no output on the page has shown");
        filled
    }

    /// Whether what was printed is what the page shows, but for what differs each time; keeps ack ids for later.
    pub(crate) fn compare(&mut self, page: &str, printed: &str) -> Result<(), String> {
        self.real.extend(ack_ids(page).into_iter().zip(ack_ids(printed)));
        let (page, printed) = (normal(page), normal(printed));
        matches(&page, &printed).map_err(|part| format!("`{part}` is not where it should be in\n{printed}"))
    }
}

/// The page wraps JSON and the real output does not; ids and times are replaced by what they are.
fn normal(text: &str) -> String {
    let text = text.trim();
    let is_json = text.starts_with('{');
    let lines = text.lines().map(|line| if is_json { line.trim() } else { line.trim_end() });
    let mut text = lines.collect::<Vec<_>>().join(if is_json { "" } else { "\n" });
    for id in ack_ids(&text) {
        text = text.replace(&id, "<ack id>");
    }
    for (shape, name) in [(UUID, "<id>"), (TIME, "<time>")] {
        text = replaced(&text, shape, name);
    }
    text
}

/// `9` is a digit, `f` a hexadecimal digit, anything else itself.
const UUID: &str = "ffffffff-ffff-7fff-ffff-ffffffffffff";
const TIME: &str = "9999-99-99T99:99:99.999Z";

fn replaced(text: &str, shape: &str, name: &str) -> String {
    let has_shape = |window: &[u8]| {
        window.iter().zip(shape.bytes()).all(|(byte, expected)| match expected {
            b'9' => byte.is_ascii_digit(),
            b'f' => byte.is_ascii_hexdigit(),
            other => *byte == other,
        })
    };
    let mut text = text.to_owned();
    while let Some(at) = text.as_bytes().windows(shape.len()).position(has_shape) {
        text.replace_range(at..at + shape.len(), name);
    }
    text
}

fn ack_ids(text: &str) -> Vec<String> {
    let behind = text.split("\"ack_id\":\"").skip(1);
    behind.filter_map(|rest| rest.split_once('"')).map(|(id, _)| id.to_owned()).collect()
}

/// All parts between `…`, in order, the first at the start and the last at the end; the part that is not there if not.
fn matches<'p>(page: &'p str, printed: &str) -> Result<(), &'p str> {
    let mut parts = page.split(ANYTHING);
    let first = parts.next().unwrap_or_default();
    let mut rest = printed.strip_prefix(first).ok_or(first)?;
    let mut last = None;
    for part in parts {
        if let Some(part) = last.replace(part) {
            rest = rest.split_once(part).ok_or(part)?.1;
        }
    }
    match last {
        Some(last) if rest.ends_with(last) => Ok(()),
        Some(last) => Err(last),
        None if rest.is_empty() => Ok(()),
        None => Err(first),
    }
}

#[test]
fn only_what_was_left_out_may_differ() {
    for (page, printed, same) in [
        ("ab", "ab", true),
        ("ab", "abc", false),
        ("a…", "abc", true),
        ("a…c", "abc", true),
        ("a…c", "abcd", false),
        ("a…c…e", "abcde", true),
        ("a…e…c", "abcde", false),
    ] {
        assert_eq!(matches(page, printed).is_ok(), same, "{page} and {printed}");
    }
}

#[test]
fn ids_and_times_match_by_shape() {
    let mut examples = Examples::default();
    let page = "{\"id\":\"01a20848-304b-777e-96a1-dac063cf5de4\",\n   \"ack_id\":\"AAAAAAAAAAAA\",\"at\":\"2026-11-23T12:01:18.411Z\"}";
    let printed =
        r#"{"id":"ffffffff-304b-7fff-96a1-dac063cf5de4","ack_id":"BBBBBBBBBBBB","at":"2030-01-01T00:00:00.000Z"}"#;
    assert_eq!(examples.compare(page, printed), Ok(()));
    assert!(examples.compare(page, &printed.replace("304b-7", "304b-4")).is_err(), "not a UUIDv7");
    assert_eq!(examples.filled_in("ack '\"AAAAAAAAAAA…\"'"), "ack '\"BBBBBBBBBBBB\"'");
}
