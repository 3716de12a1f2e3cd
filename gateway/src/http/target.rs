//! The request target: path segments and query pairs, percent-decoded once.

use std::ops::Range;

use super::percent::{PercentError, Plus, decode_into};

/// What a request is about.
///
/// `%2F` in a segment is part of that segment, dot segments are not resolved, and empty segments are kept: a path that
/// is not exactly a route's is not that route's.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// All decoded segments, names and values, one after the other.
    text: String,
    segments: Vec<Range<usize>>,
    query: Vec<(Range<usize>, Range<usize>)>,
    asterisk: bool,
}

/// A target that can't be read. The framing of the request is sound all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum TargetError {
    #[error("the path is badly percent-encoded, or not UTF-8")]
    Path,
    #[error("the query is badly percent-encoded, or not UTF-8")]
    Query,
}

impl Target {
    /// Reads origin form (`/path?query`) or `*`, and forgets what was read before.
    ///
    /// # Errors
    /// Percent-encoding that can't be decoded; the target is then of no use.
    pub(crate) fn read(&mut self, origin_form: &str) -> Result<(), TargetError> {
        self.clear();
        if origin_form == "*" {
            self.asterisk = true;
            return Ok(());
        }
        let (path, query) = origin_form.split_once('?').unwrap_or((origin_form, ""));
        self.read_path(path).map_err(|PercentError| TargetError::Path)?;
        self.read_query(query).map_err(|PercentError| TargetError::Query)
    }

    /// Whether it is `*`: the server as a whole.
    #[must_use]
    pub fn is_asterisk(&self) -> bool {
        self.asterisk
    }

    /// How many segments the path has; `/` has one empty segment.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// The segment at `index`.
    #[must_use]
    pub fn segment(&self, index: usize) -> Option<&str> {
        self.segments.get(index).map(|range| self.slice(range))
    }

    /// The value of the first query parameter of that name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query_pairs().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }

    /// The query parameters in order; one without `=` has an empty value.
    pub fn query_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(name, value)| (self.slice(name), self.slice(value)))
    }

    fn clear(&mut self) {
        self.text.clear();
        self.segments.clear();
        self.query.clear();
        self.asterisk = false;
    }

    fn read_path(&mut self, path: &str) -> Result<(), PercentError> {
        for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
            let range = self.push(segment, Plus::Literal)?;
            self.segments.push(range);
        }
        Ok(())
    }

    fn read_query(&mut self, query: &str) -> Result<(), PercentError> {
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = self.push(name, Plus::Space)?;
            let value = self.push(value, Plus::Space)?;
            self.query.push((name, value));
        }
        Ok(())
    }

    fn push(&mut self, encoded: &str, plus: Plus) -> Result<Range<usize>, PercentError> {
        let start = self.text.len();
        decode_into(&mut self.text, encoded, plus)?;
        Ok(start..self.text.len())
    }

    fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Target {
        let mut target = Target::default();
        target.read(text).unwrap();
        target
    }

    fn segments(target: &Target) -> Vec<&str> {
        (0..target.segment_count()).filter_map(|index| target.segment(index)).collect()
    }

    #[test]
    fn an_escaped_slash_stays_within_its_segment() {
        assert_eq!(segments(&read("/v1/topics/a%2Fb")), ["v1", "topics", "a/b"]);
    }

    #[test]
    fn dot_and_empty_segments_are_kept() {
        assert_eq!(segments(&read("/v1/../x//")), ["v1", "..", "x", "", ""]);
        assert_eq!(segments(&read("/")), [""]);
    }

    #[test]
    fn query_pairs_are_decoded_and_the_first_counts() {
        let target = read("/p?key=a%26b&empty&key=second&&plus=a+b");
        assert_eq!(target.query("key"), Some("a&b"));
        assert_eq!(target.query("empty"), Some(""));
        assert_eq!(target.query("plus"), Some("a b"));
        assert_eq!(target.query("absent"), None);
        assert_eq!(target.query_pairs().count(), 4);
    }

    #[test]
    fn reading_again_forgets_the_target_before() {
        let mut target = read("/a/b?c=d");
        target.read("/e").unwrap();
        assert_eq!(segments(&target), ["e"]);
        assert_eq!(target.query("c"), None);
    }

    #[test]
    fn undecodable_targets_say_where() {
        assert_eq!(Target::default().read("/%zz"), Err(TargetError::Path));
        assert_eq!(Target::default().read("/a?b=%ff"), Err(TargetError::Query));
    }

    #[test]
    fn asterisk_is_no_path() {
        let target = read("*");
        assert!(target.is_asterisk());
        assert_eq!(target.segment_count(), 0);
    }
}
