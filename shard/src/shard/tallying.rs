//! Counting topics and subscriptions for whoever asks, without holding up the rest.

use futures_channel::oneshot;

use super::Shard;
use crate::{
    event::ShardEvent,
    limits,
    partition::Slot,
    tally::{Counting, Tally},
};

impl Shard {
    /// Somebody wants to know how topics and subscriptions stand.
    pub(super) fn begin_tally(&mut self, reply: oneshot::Sender<Tally>) {
        let left = self.partitions.keys().copied().collect();
        self.count_on(Box::new(Counting { left, tally: Tally::default(), reply }));
    }

    /// Looks at as many partitions as one turn may, and answers or leaves the rest to a later one.
    pub(super) fn count_on(&mut self, mut counting: Box<Counting>) {
        let mut looks = 0;
        while looks < limits::TALLY_LOOKS_PER_TURN {
            let Some(partition) = counting.left.pop() else {
                counting.tally.topics = self.topics.iter().collect();
                // Whoever asked may have stopped waiting.
                let _ = counting.reply.send(counting.tally);
                return;
            };
            looks += 1;
            // It is only looked at: nothing is to be done for it after this turn.
            let Some(Slot::Open(open)) = self.partitions.get(&partition) else { continue };
            let high_watermark = open.log.high_watermark();
            for (subscription, subscribed) in open.subscriptions.iter() {
                looks += 1;
                let progress = counting.tally.subscriptions.entry(subscription).or_default();
                progress.add(&subscribed.dispatcher.status(high_watermark));
            }
        }
        let mailbox = self.mailbox.clone();
        // From a task of its own, so that this turn ends before.
        glommio::spawn_local(async move { mailbox.push(ShardEvent::CountOn(counting)) }).detach();
    }

    /// Forgets how many messages topics were given that are gone.
    pub(super) fn forget_topics(&mut self) {
        let routes = self.config.peers.as_ref().map(|peers| peers.routes.load());
        self.topics.forget_gone(|topic| routes.as_ref().is_some_and(|routes| routes.topics.contains_key(&topic)));
    }
}
