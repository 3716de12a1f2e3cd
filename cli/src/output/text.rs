//! Text from strangers on a terminal.

use std::borrow::Cow;

use gateway_api::base64;
use serde::Serialize;

/// A text with its control characters escaped, so that it stays on its line and can't act on the terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts_on_terminal) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if acts_on_terminal(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// A payload for people: text if it is UTF-8, else base64.
pub(crate) fn bytes_as_text(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => printable(text).into_owned(),
        Err(_) => base64::encode(bytes),
    }
}

/// A duration in its largest whole unit: `7d`, `90s`, `250ms`.
pub(crate) fn duration(ms: u64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    match units.iter().find(|(_, factor)| ms > 0 && ms.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", ms / factor),
        None => format!("{ms}ms"),
    }
}

/// A word of the API, as it stands in JSON.
pub(crate) fn api_word<T: Serialize>(word: &T) -> String {
    let json = serde_json::to_string(word).unwrap_or_default();
    json.trim_matches('"').to_owned()
}

/// What may be absent.
pub(crate) fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// The beginning of a text, with a mark if there is more.
pub(crate) fn shortened(text: String, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Control characters, and those that turn the direction of what follows.
fn acts_on_terminal(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_it_is_but_for_what_acts_on_the_terminal() {
        assert_eq!(printable("Grüße, 世界"), "Grüße, 世界");
        assert_eq!(printable("a\tb\u{7}"), "a\\tb\\u{7}");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
    }

    #[test]
    fn durations_are_short_and_exact() {
        let texts = [0, 250, 90_000, 120_000, 604_800_000, 86_400_001].map(duration);
        assert_eq!(texts, ["0ms", "250ms", "90s", "2m", "7d", "86400001ms"]);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("äöü".to_owned(), 2), "äö…");
        assert_eq!(shortened("äöü".to_owned(), 3), "äöü");
    }

    #[test]
    fn what_is_not_utf_8_is_shown_in_base64() {
        assert_eq!(bytes_as_text(b"plain"), "plain");
        assert_eq!(bytes_as_text(&[0xff, 0x00]), "/wA=");
    }
}
