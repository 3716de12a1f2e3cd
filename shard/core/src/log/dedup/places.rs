//! Where the messages of an accepted batch are, when some of them were there before.

use crate::model::Offset;

/// Where one message of a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Place {
    /// Its offset.
    pub offset: Offset,
    /// Whether an earlier try has put it there.
    pub repeat: bool,
}

/// Which messages of a batch were there before.
#[derive(Clone, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Repeats {
    /// None: they follow each other from the base offset on.
    #[default]
    None,
    /// All of them, in the same order: they follow each other from the base offset on.
    All,
    /// Each message has its own place.
    Some(Box<[Place]>),
}

impl Repeats {
    /// Where the message at that place of the batch is, whose first message is at `base`.
    #[must_use]
    pub fn place(&self, base: Offset, ordinal: u64) -> Place {
        let dense = |repeat| Place { offset: base.plus(ordinal), repeat };
        match self {
            Self::None => dense(false),
            Self::All => dense(true),
            Self::Some(places) => {
                let place = usize::try_from(ordinal).ok().and_then(|ordinal| places.get(ordinal));
                place.copied().unwrap_or_else(|| dense(false))
            }
        }
    }

    /// How many of a batch's messages were there before.
    #[must_use]
    pub fn count(&self, messages: u64) -> u64 {
        match self {
            Self::None => 0,
            Self::All => messages,
            Self::Some(places) => places.iter().map(|place| u64::from(place.repeat)).sum(),
        }
    }
}
