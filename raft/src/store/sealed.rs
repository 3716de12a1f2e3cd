//! A value as it lies in sled: version, checksum, postcard.
//!
//! ```text
//! 0  u8   version, 1
//! 1  u32  CRC-32C of the rest, little-endian
//! 5  …    the value, by postcard
//! ```

use serde::{Serialize, de::DeserializeOwned};

use crate::checksum::crc32c;

const VERSION: u8 = 1;

/// Why a stored value can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum DamagedValue {
    #[error("it has {bytes} bytes, which is too short")]
    TooShort { bytes: usize },
    #[error("its version is {version}, this program knows {VERSION}")]
    Version { version: u8 },
    #[error("its checksum does not match")]
    Checksum,
    #[error("it holds something that this program does not know; newer software may have written it")]
    Unknown,
    #[error("its content is not what it should be: {reason}")]
    Content { reason: String },
}

/// Encodes a value.
///
/// # Errors
/// The value has no encoding; none of ours lacks one.
pub(crate) fn seal<T: Serialize>(value: &T) -> Result<Vec<u8>, postcard::Error> {
    let body = postcard::to_allocvec(value)?;
    let mut sealed = Vec::with_capacity(5 + body.len());
    sealed.push(VERSION);
    sealed.extend_from_slice(&crc32c(&[&body]).to_le_bytes());
    sealed.extend_from_slice(&body);
    Ok(sealed)
}

/// Decodes a value.
///
/// # Errors
/// Says what is wrong with the bytes.
pub(crate) fn unseal<T: DeserializeOwned>(sealed: &[u8]) -> Result<T, DamagedValue> {
    let too_short = DamagedValue::TooShort { bytes: sealed.len() };
    let (&version, rest) = sealed.split_first().ok_or_else(|| too_short.clone())?;
    if version != VERSION {
        return Err(DamagedValue::Version { version });
    }
    let (checksum, body) = rest.split_first_chunk().ok_or(too_short)?;
    if crc32c(&[body]) != u32::from_le_bytes(*checksum) {
        return Err(DamagedValue::Checksum);
    }
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(DamagedValue::Content { reason: format!("{} bytes follow it", rest.len()) }),
        // Serde's own words, which postcard does not keep: a number that stands for nothing here.
        Err(postcard::Error::SerdeDeCustom) => Err(DamagedValue::Unknown),
        Err(error) => Err(DamagedValue::Content { reason: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        golden::assert_golden,
        metadata::arbitrary,
        type_config::{CommandBatch, Entry, LogId},
    };

    #[test]
    fn log_entry_v1_is_frozen() {
        let log_id = LogId::new(openraft::CommittedLeaderId::new(3, 7), 42);
        let payload = openraft::EntryPayload::Normal(CommandBatch(arbitrary::one_of_each()));
        let entry = Entry { log_id, payload };
        let sealed = seal(&entry).unwrap();
        assert_golden("log_entry.v1.hex", &sealed);
        let read: Entry = unseal(&sealed).unwrap();
        assert_eq!(format!("{read:?}"), format!("{entry:?}"));
    }

    #[test]
    fn log_entry_about_nodes_v1_is_frozen() {
        let log_id = LogId::new(openraft::CommittedLeaderId::new(3, 7), 43);
        let payload = openraft::EntryPayload::Normal(CommandBatch(arbitrary::one_of_each_about_nodes()));
        let entry = Entry { log_id, payload };
        let sealed = seal(&entry).unwrap();
        assert_golden("log_entry_about_nodes.v1.hex", &sealed);
        let read: Entry = unseal(&sealed).unwrap();
        assert_eq!(format!("{read:?}"), format!("{entry:?}"));
    }

    /// It is not passed over: a node that knows less must stop where it would go apart from the others.
    #[test]
    fn a_command_of_an_unknown_kind_is_named_as_such() {
        let upgrade = CommandBatch(vec![crate::metadata::Command::Upgrade { level: 1 }]);
        let mut body = postcard::to_allocvec(&upgrade).unwrap();
        assert_eq!(body[..2], [1, 19], "one command, the last kind there is");
        body[1] = 100;
        let sealed = [&[VERSION][..], &crc32c(&[&body]).to_le_bytes(), &body].concat();
        assert_eq!(unseal::<CommandBatch>(&sealed), Err(DamagedValue::Unknown));
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_read_again(commands in arbitrary::commands()) {
            let batch = CommandBatch(commands);
            prop_assert_eq!(unseal::<CommandBatch>(&seal(&batch).unwrap()), Ok(batch));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(unseal::<Entry>(&bytes));
            // Behind a right version and checksum, so that the content is looked at too.
            let mut sealed = vec![VERSION];
            sealed.extend_from_slice(&crc32c(&[&bytes]).to_le_bytes());
            sealed.extend_from_slice(&bytes);
            drop(unseal::<Entry>(&sealed));
        }

        #[test]
        fn a_flipped_bit_is_noticed(commands in arbitrary::commands(), at in any::<prop::sample::Index>(), bit in 0..8) {
            let mut sealed = seal(&CommandBatch(commands)).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= 1_u8 << bit;
            prop_assert!(unseal::<CommandBatch>(&sealed).is_err());
        }
    }
}
