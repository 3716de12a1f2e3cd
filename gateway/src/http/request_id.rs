//! The id that every answer carries in `Pubsub-Request-Id`.

/// Names one request in answers and logs; 24 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId([u8; RequestId::LENGTH]);

/// Hands out the request ids of one core.
#[derive(Debug)]
pub struct RequestIds {
    origin: u64,
    next: u32,
}

impl RequestId {
    /// How long an id is, in bytes.
    pub const LENGTH: usize = 24;

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self([b'0'; Self::LENGTH])
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl RequestIds {
    /// Ids that start with `origin`: a number drawn at random once per core and start.
    #[must_use]
    pub fn new(origin: u64) -> Self {
        Self { origin, next: 0 }
    }

    /// The next id; ids of one core repeat after 2^32 requests.
    pub fn next_id(&mut self) -> RequestId {
        let number = (u128::from(self.origin) << 32) | u128::from(self.next);
        self.next = self.next.wrapping_add(1);
        let mut digits = [0; RequestId::LENGTH];
        for (place, digit) in digits.iter_mut().rev().enumerate() {
            let nibble = u8::try_from((number >> (4 * place)) & 0xf).unwrap_or_default();
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
        RequestId(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_up_behind_their_origin() {
        let mut ids = RequestIds::new(0x0123_4567_89ab_cdef);
        assert_eq!(ids.next_id().as_str(), "0123456789abcdef00000000");
        assert_eq!(ids.next_id().as_str(), "0123456789abcdef00000001");
    }
}
