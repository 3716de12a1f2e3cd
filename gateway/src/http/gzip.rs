//! Undoes the gzip coding of a body (RFC 1952), a bounded part at a time.

use std::io::{ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use crate::limits::{GZIP_PART_BYTES, GZIP_RATIO_FREE_BYTES, GZIP_RATIO_MAX};

/// A body on its way out of its coding.
pub struct GzipDecoder<'b> {
    coded: MultiGzDecoder<&'b [u8]>,
    coded_bytes: usize,
    body_bytes_max: usize,
    decoded_bytes: usize,
}

/// Why a coded body was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum GzipError {
    #[error("the body is not gzip: {reason}")]
    Malformed { reason: String },
    #[error("the body is larger than {limit} bytes once its gzip coding is undone")]
    TooLarge { limit: usize },
    #[error("the body grows more than {GZIP_RATIO_MAX} times as its gzip coding is undone")]
    Bomb,
    #[error("too many request bodies are on their way to this node")]
    TooManyBodies,
}

impl<'b> GzipDecoder<'b> {
    /// A decoder of a whole body, which may have so many bytes afterwards.
    #[must_use]
    pub fn new(coded: &'b [u8], body_bytes_max: usize) -> Self {
        Self { coded_bytes: coded.len(), coded: MultiGzDecoder::new(coded), body_bytes_max, decoded_bytes: 0 }
    }

    /// Appends the next part to `body`; false once that was all of it.
    ///
    /// # Errors
    /// What is coded is broken, or becomes too large.
    pub fn decode_part(&mut self, body: &mut Vec<u8>) -> Result<bool, GzipError> {
        let start = body.len();
        body.resize(start + GZIP_PART_BYTES, 0);
        let read = loop {
            match self.coded.read(body.get_mut(start..).unwrap_or_default()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        body.truncate(start + read.as_ref().copied().unwrap_or_default());
        let read = read.map_err(|error| GzipError::Malformed { reason: error.to_string() })?;
        self.decoded_bytes += read;
        if self.decoded_bytes > self.body_bytes_max {
            return Err(GzipError::TooLarge { limit: self.body_bytes_max });
        }
        let allowed = self.coded_bytes.saturating_mul(GZIP_RATIO_MAX).max(GZIP_RATIO_FREE_BYTES);
        if self.decoded_bytes > allowed {
            return Err(GzipError::Bomb);
        }
        Ok(read > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;

    fn coded(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(coded: &[u8], limit: usize) -> Result<Vec<u8>, GzipError> {
        let (mut decoder, mut body) = (GzipDecoder::new(coded, limit), Vec::new());
        while decoder.decode_part(&mut body)? {
            assert!(body.len() <= limit);
        }
        Ok(body)
    }

    #[test]
    fn what_follows_in_another_member_belongs_to_the_body() {
        let body = [coded(b"one, "), coded(b"two")].concat();
        assert_eq!(decoded(&body, 100).unwrap(), b"one, two");
    }

    #[test]
    fn a_body_is_taken_up_to_its_limit_and_not_a_byte_further() {
        let body = coded(&[7; 1_000]);
        assert_eq!(decoded(&body, 1_000).unwrap(), [7; 1_000]);
        assert_eq!(decoded(&body, 999), Err(GzipError::TooLarge { limit: 999 }));
    }

    /// F65.
    #[test]
    fn a_bomb_is_noticed_long_before_it_has_unfolded() {
        let bomb = coded(&vec![0; 16 << 20]);
        assert!(bomb.len() < 32 << 10);
        let (mut decoder, mut body) = (GzipDecoder::new(&bomb, 16 << 20), Vec::new());
        let refused = loop {
            match decoder.decode_part(&mut body) {
                Ok(more) => assert!(more),
                Err(error) => break error,
            }
        };
        assert_eq!(refused, GzipError::Bomb);
        assert!(body.len() <= bomb.len() * GZIP_RATIO_MAX + GZIP_PART_BYTES, "{}", body.len());
    }

    #[test]
    fn broken_bodies_are_refused() {
        let whole = coded(b"some text that is long enough to be cut");
        let mut wrong_checksum = whole.clone();
        let checksum = wrong_checksum.len() - 8;
        wrong_checksum[checksum] ^= 1;
        for broken in
            [&b"not gzip"[..], b"", &whole[..whole.len() - 1], &wrong_checksum, &[&whole[..], b"rest"].concat()]
        {
            assert!(matches!(decoded(broken, 1_000), Err(GzipError::Malformed { .. })), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn any_body_comes_back(body in prop::collection::vec(any::<u8>(), 0..100_000)) {
            prop_assert_eq!(decoded(&coded(&body), 100_000).unwrap(), body);
        }

        #[test]
        fn arbitrary_bytes_never_yield_more_than_the_limit(coded in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decoded(&[&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], &coded[..]].concat(), 10_000);
        }
    }
}
