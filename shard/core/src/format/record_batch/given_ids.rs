//! The ids that publishers gave to the messages of a batch, beside its bytes: these may be compressed, and are opened
//! for nobody but consumers.

use crate::format::record::MessageId;

/// Ids and the messages they belong to; costs nothing without any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenIds {
    /// All ids, one behind the other.
    text: String,
    /// The place of each id's message in the batch, and where the id ends in the text.
    ends: Vec<(u32, usize)>,
}

impl GivenIds {
    /// Takes the id down if a publisher gave it: ids that a broker makes are never seen twice.
    pub fn note(&mut self, ordinal: u32, id: MessageId<'_>) {
        if let MessageId::Text(id) = id {
            self.text.push_str(id);
            self.ends.push((ordinal, self.text.len()));
        }
    }

    /// How many messages have one.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no message has one.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Each id with the place of its message in the batch, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|&(_, end)| end));
        starts.zip(&self.ends).map(|(start, &(ordinal, end))| (ordinal, self.text.get(start..end).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_given_ids_are_taken_down() {
        let mut ids = GivenIds::default();
        ids.note(0, MessageId::Uuid([7; 16]));
        assert!(ids.is_empty());
        ids.note(1, MessageId::Text("a"));
        ids.note(2, MessageId::Uuid([8; 16]));
        ids.note(3, MessageId::Text("bc"));
        assert_eq!(ids.iter().collect::<Vec<_>>(), [(1, "a"), (3, "bc")]);
    }
}
