//! The sizes of the messages of each request: a few requests that are prepared and sent in turn. Pure.

use crate::limits::{PREPARED_BYTES_MAX, PREPARED_REQUESTS_MAX};
use crate::workload::Sizes;

/// The sizes in each prepared request of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSizes {
    requests: Vec<Vec<usize>>,
    payload_bytes: Vec<u64>,
}

impl RequestSizes {
    /// Requests of `batch` messages. Messages of one size need one; others as many as fit into `PREPARED_BYTES_MAX`.
    #[must_use]
    pub fn new(sizes: &Sizes, batch: usize) -> Self {
        let largest = sizes.max().saturating_mul(batch).max(1);
        let count =
            if sizes.min() == sizes.max() { 1 } else { (PREPARED_BYTES_MAX / largest).clamp(1, PREPARED_REQUESTS_MAX) };
        let mut draws = (0..).map(|index| sizes.draw(index));
        let requests: Vec<Vec<usize>> = (0..count).map(|_| draws.by_ref().take(batch).collect()).collect();
        let payload_bytes = requests.iter().map(|sizes| sizes.iter().map(|bytes| *bytes as u64).sum()).collect();
        Self { requests, payload_bytes }
    }

    /// The sizes in each prepared request.
    #[must_use]
    pub fn requests(&self) -> &[Vec<usize>] {
        &self.requests
    }

    /// Which of them request `ticket` of a stream is: streams begin with different ones.
    #[must_use]
    pub fn which(&self, stream: u32, ticket: u64) -> usize {
        let count = self.requests.len().max(1) as u64;
        usize::try_from(ticket.wrapping_add(u64::from(stream)) % count).unwrap_or(0)
    }

    /// Payload bytes of that request.
    #[must_use]
    pub fn payload_bytes(&self, stream: u32, ticket: u64) -> u64 {
        self.payload_bytes.get(self.which(stream, ticket)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{SizeRange, SizeShare};

    #[test]
    fn one_size_needs_one_request() {
        let sizes = RequestSizes::new(&Sizes::Fixed(100), 3);
        assert_eq!(sizes.requests(), [[100, 100, 100]]);
        assert_eq!(sizes.payload_bytes(7, 9), 300);
    }

    #[test]
    fn what_is_prepared_is_bounded() {
        for (max, batch) in [(1 << 20, 1), (1 << 20, 16), (2_000, 100), (20, 10_000)] {
            let sizes = RequestSizes::new(&Sizes::Range(SizeRange { min: 1, max }), batch);
            let bytes: usize = sizes.requests().iter().flatten().sum();
            assert!(bytes <= PREPARED_BYTES_MAX.max(max * batch) && sizes.requests().len() <= PREPARED_REQUESTS_MAX);
        }
    }

    #[test]
    fn requests_take_turns_and_their_bytes_are_known() {
        let shares = [(10, 1), (1_000, 1)].map(|(bytes, weight)| SizeShare { bytes, weight });
        let sizes = RequestSizes::new(&Sizes::Mix(shares.to_vec()), 1);
        let count = sizes.requests().len() as u64;
        assert!(count > 1);
        let total: u64 = (0..count).map(|ticket| sizes.payload_bytes(3, ticket)).sum();
        assert_eq!(total, sizes.requests().iter().flatten().map(|bytes| *bytes as u64).sum::<u64>());
        assert_eq!(sizes.which(0, count), sizes.which(0, 0));
        assert_ne!(sizes.which(0, 0), sizes.which(1, 0));
    }
}
