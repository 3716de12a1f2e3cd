//! From bytes as they arrive to groups of whole, numbered lines.

use memchr::{memchr, memrchr};

/// Holds what has arrived and was not taken. The work it does is linear in the bytes it is given.
#[derive(Debug)]
pub(super) struct LineSplitter {
    held: Vec<u8>,
    /// Where the last whole line ends.
    whole: usize,
    /// The number of the first line that is held.
    next: u64,
}

/// Whole lines that belong together, blank ones among them.
#[derive(Debug)]
pub(super) struct LineGroup {
    bytes: Vec<u8>,
    first: u64,
}

impl LineSplitter {
    /// Before the first line, which has the number 1.
    pub(super) const fn new() -> Self {
        Self { held: Vec::new(), whole: 0, next: 1 }
    }

    /// Takes what has arrived.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if let Some(feed) = memrchr(b'\n', bytes) {
            self.whole = self.held.len() + feed + 1;
        }
        self.held.extend_from_slice(bytes);
    }

    /// No more will come, and that is right: the last line is whole also without an end of line.
    pub(super) fn end(&mut self) {
        self.whole = self.held.len();
    }

    /// No more will come, though more was due: a line without its end is not one.
    pub(super) fn cut(&mut self) {
        self.held.truncate(self.whole);
    }

    /// Takes the next whole lines: at most so many, and no more bytes than that unless one line has more by itself.
    pub(super) fn take_group(&mut self, bytes_max: usize, lines_max: usize) -> Option<LineGroup> {
        let (mut end, mut lines) = (0, 0);
        while end < self.whole && lines < lines_max {
            let rest = self.held.get(end..self.whole).unwrap_or_default();
            let length = memchr(b'\n', rest).map_or(rest.len(), |feed| feed + 1);
            if lines > 0 && end + length > bytes_max {
                break;
            }
            end += length;
            lines += 1;
        }
        if lines == 0 {
            return None;
        }
        let rest = self.held.split_off(end);
        self.whole -= end;
        let group = LineGroup { bytes: std::mem::replace(&mut self.held, rest), first: self.next };
        self.next += u64::try_from(lines).unwrap_or(u64::MAX);
        Some(group)
    }

    /// The bytes that wait.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Whether a whole line waits.
    pub(super) fn has_line(&self) -> bool {
        self.whole > 0
    }

    /// The bytes of the line whose end has not come.
    pub(super) fn partial_bytes(&self) -> usize {
        self.held.len() - self.whole
    }

    /// The number of the first line that was not taken.
    pub(super) fn next_number(&self) -> u64 {
        self.next
    }
}

impl LineGroup {
    /// The number of its first line.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// How many bytes it has.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The lines that are not blank, with their numbers.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let lines = (self.first..).zip(self.bytes.split(|byte| *byte == b'\n'));
        lines.filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(splitter: &mut LineSplitter, bytes_max: usize, lines_max: usize) -> Vec<(u64, String)> {
        let group = splitter.take_group(bytes_max, lines_max);
        let text = |(number, line): (u64, &[u8])| (number, String::from_utf8(line.to_vec()).unwrap());
        group.map(|group| group.lines().map(text).collect()).unwrap_or_default()
    }

    fn numbered(lines: &[(u64, &str)]) -> Vec<(u64, String)> {
        lines.iter().map(|(number, line)| (*number, (*line).to_owned())).collect()
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_arrive() {
        let text = b"one\r\n\ntwo\n \t\r\nthree\nlast";
        for piece in 1..=text.len() {
            let mut splitter = LineSplitter::new();
            let mut lines = Vec::new();
            for bytes in text.chunks(piece) {
                splitter.push(bytes);
                lines.extend(taken(&mut splitter, 100, 100));
            }
            assert_eq!((splitter.partial_bytes(), splitter.has_line(), splitter.next_number()), (4, false, 6));
            splitter.end();
            lines.extend(taken(&mut splitter, 100, 100));
            let expected = [(1, "one\r"), (3, "two"), (5, "three"), (6, "last")];
            assert_eq!(lines, numbered(&expected), "pieces of {piece}");
            assert_eq!(splitter.held_bytes(), 0);
        }
    }

    #[test]
    fn a_group_keeps_its_bounds_unless_one_line_is_larger() {
        let mut splitter = LineSplitter::new();
        splitter.push(b"aaaaaaaaaa\nb\nc\nd\ne\n");
        assert_eq!(taken(&mut splitter, 5, 100), numbered(&[(1, "aaaaaaaaaa")]));
        assert_eq!(taken(&mut splitter, 5, 100), numbered(&[(2, "b"), (3, "c")]));
        assert_eq!(taken(&mut splitter, 100, 1), numbered(&[(4, "d")]));
        assert_eq!(taken(&mut splitter, 100, 100), numbered(&[(5, "e")]));
        assert!(splitter.take_group(100, 100).is_none());
    }

    #[test]
    fn a_line_that_was_cut_off_is_not_taken() {
        let mut splitter = LineSplitter::new();
        splitter.push(b"a\nb");
        splitter.cut();
        assert_eq!(taken(&mut splitter, 100, 100), numbered(&[(1, "a")]));
        assert_eq!((splitter.held_bytes(), splitter.next_number()), (0, 2));
    }
}
