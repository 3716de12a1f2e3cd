//! The header fields of one request, as ranges of the bytes they came in.

use std::ops::Range;

/// The header fields of a request: bounded in number, looked up without allocation, in the order they were sent.
#[derive(Clone, Debug, Default)]
pub struct HeaderFields {
    fields: Vec<Field>,
}

/// Where one field lies in the head.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: Span,
    value: Span,
}

/// A range of the head; a head is far smaller than 4 GiB.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

impl HeaderFields {
    /// Forgets all fields and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.fields.clear();
    }

    /// Adds the field whose name and value lie at these ranges of the head.
    pub(crate) fn push(&mut self, name: Range<usize>, value: Range<usize>) {
        self.fields.push(Field { name: Span::new(name), value: Span::new(value) });
    }

    /// The fields of `head`, first to last; names are as they were sent.
    pub(crate) fn iter<'h>(&self, head: &'h [u8]) -> impl Iterator<Item = (&'h str, &'h [u8])> {
        self.fields.iter().map(|field| (field.name.text(head), field.value.bytes(head)))
    }

    /// The first field called `name`, in any case.
    pub(crate) fn first<'h>(&self, head: &'h [u8], name: &str) -> Option<&'h [u8]> {
        self.named(head, name).next()
    }

    /// The fields called `name`, in any case, first to last.
    pub(crate) fn named<'h>(&self, head: &'h [u8], name: &str) -> impl Iterator<Item = &'h [u8]> {
        let fields =
            self.fields.iter().filter(move |field| field.name.bytes(head).eq_ignore_ascii_case(name.as_bytes()));
        fields.map(move |field| field.value.bytes(head))
    }
}

impl Span {
    fn new(range: Range<usize>) -> Self {
        let bound = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: bound(range.start), end: bound(range.end) }
    }

    fn bytes(self, head: &[u8]) -> &[u8] {
        head.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    fn text(self, head: &[u8]) -> &str {
        std::str::from_utf8(self.bytes(head)).unwrap_or_default()
    }
}

/// The comma-separated members of a field's value, without the white space around them; empty ones are left out.
pub fn list_members(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookup_ignores_case_and_takes_the_first() {
        let head = b"Key:one;KEY:two";
        let mut fields = HeaderFields::default();
        fields.push(0..3, 4..7);
        fields.push(8..11, 12..15);
        assert_eq!(fields.first(head, "key"), Some(&b"one"[..]));
        assert_eq!(fields.first(head, "ke"), None);
        assert_eq!(fields.iter(head).count(), 2);
    }

    #[test]
    fn list_members_are_trimmed_and_never_empty() {
        let members: Vec<_> = list_members(" a ,, b,\tc\t,").collect();
        assert_eq!(members, ["a", "b", "c"]);
    }
}
