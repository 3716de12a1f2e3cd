//! When the next messages are due at a given rate.

use std::time::Duration;

/// Batches per second that a rate is spread over, so that messages don't come in one heap each second.
const BATCHES_PER_SECOND: f64 = 10.0;

/// How many messages may go together, so that the rate stays even.
pub(super) fn batch_size(batch_max: usize, per_second: Option<f64>) -> usize {
    let Some(per_second) = per_second else { return batch_max };
    (1..=batch_max).take_while(|size| number(*size as u64) <= per_second / BATCHES_PER_SECOND).last().unwrap_or(1)
}

/// How long after the first message the next one is due, when so many were sent. Saturates.
pub(super) fn due(sent: u64, per_second: f64) -> Duration {
    Duration::try_from_secs_f64(number(sent) / per_second).unwrap_or(Duration::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "exact for the first 2^53 messages")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_shrink_with_the_rate() {
        assert_eq!(batch_size(100, None), 100);
        assert_eq!(batch_size(100, Some(1e9)), 100);
        assert_eq!(batch_size(100, Some(500.0)), 50);
        assert_eq!(batch_size(100, Some(0.5)), 1);
    }

    #[test]
    fn messages_are_due_evenly() {
        assert_eq!(due(0, 10.0), Duration::ZERO);
        assert_eq!(due(25, 10.0), Duration::from_millis(2_500));
        assert_eq!(due(u64::MAX, 1e-300), Duration::MAX);
    }
}
