//! What the messages of all push subscriptions may take of memory, and that none of them waits for the others.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::PUSH_SHARE_BYTES;

/// Memory for messages that are on their way, in shares. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct PushBudget {
    shares: Arc<Semaphore>,
}

/// Room for some messages.
#[derive(Debug)]
pub(super) struct Reservation {
    /// None for the one message that each subscription may have at any time.
    permit: Option<OwnedSemaphorePermit>,
    /// How many messages there is room for.
    pub(super) messages: u32,
}

impl PushBudget {
    pub(super) fn new(bytes: u64) -> Self {
        let shares = usize::try_from(bytes / PUSH_SHARE_BYTES).unwrap_or(usize::MAX);
        Self { shares: Arc::new(Semaphore::new(shares.clamp(1, Semaphore::MAX_PERMITS))) }
    }

    /// Room for up to `wanted` messages, at least one: at most half of what is free, so that others find some too. A
    /// subscription without a message on its way gets room for one whatever is free; any other has to wait.
    pub(super) fn reserve(&self, wanted: u32, has_others: bool) -> Option<Reservation> {
        let half = u32::try_from(self.shares.available_permits() / 2).unwrap_or(u32::MAX);
        let messages = wanted.min(half).max(1);
        if let Ok(permit) = Arc::clone(&self.shares).try_acquire_many_owned(messages) {
            return Some(Reservation { permit: Some(permit), messages });
        }
        (!has_others).then_some(Reservation { permit: None, messages: 1 })
    }

    /// Waits for room for one message; first come, first served.
    pub(super) async fn wait(&self) -> Reservation {
        Reservation { permit: Arc::clone(&self.shares).acquire_owned().await.ok(), messages: 1 }
    }

    /// Takes one message's room out of a reservation. A message that is larger than a share takes more, as far as
    /// there is more: it is in memory already.
    pub(super) fn room_for(&self, bytes: usize, reservation: &mut Reservation) -> Option<OwnedSemaphorePermit> {
        let mut room = reservation.permit.as_mut()?.split(1)?;
        let more = u64::try_from(bytes).unwrap_or(u64::MAX) / PUSH_SHARE_BYTES;
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if let Ok(permit) = Arc::clone(&self.shares).try_acquire_many_owned(more) {
            room.merge(permit);
        }
        Some(room)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::future::poll_immediate;

    use super::*;

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
    }

    #[test]
    fn each_takes_at_most_half_and_always_gets_one() {
        run(async {
            let budget = PushBudget::new(8 * PUSH_SHARE_BYTES);
            let messages = |reserved: &Option<Reservation>| reserved.as_ref().map(|reservation| reservation.messages);
            let reserved: Vec<_> = [100, 100, 1, 1].map(|wanted| budget.reserve(wanted, true)).into();
            assert_eq!(reserved.iter().map(messages).collect::<Vec<_>>(), [Some(4), Some(2), Some(1), Some(1)]);
            assert_eq!(messages(&budget.reserve(100, false)), Some(1), "whatever is free");
            assert_eq!(messages(&budget.reserve(100, true)), None);
            let mut waiting = pin!(budget.wait());
            assert!(poll_immediate(&mut waiting).await.is_none(), "who has one on its way waits");
            drop(reserved);
            assert_eq!(poll_immediate(&mut waiting).await.map(|reservation| reservation.messages), Some(1));
        });
    }

    #[test]
    fn a_large_message_takes_more_room() {
        run(async {
            let budget = PushBudget::new(8 * PUSH_SHARE_BYTES);
            let mut reservation = budget.reserve(1, false).unwrap();
            let bytes = usize::try_from(3 * PUSH_SHARE_BYTES).unwrap();
            let room = budget.room_for(bytes, &mut reservation);
            assert_eq!(budget.shares.available_permits(), 4);
            drop((room, reservation));
            assert_eq!(budget.shares.available_permits(), 8);
        });
    }
}
