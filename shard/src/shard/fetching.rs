//! Fetches from other nodes, one at a time from each of their cores.

use shard_core::replication::{FetchReply, FetchRequest};

use super::Shard;
use crate::{event::ShardEvent, partition::Slot, replication::PeerKey};

impl Shard {
    /// Begins the fetches that are due. To be called after a turn's events.
    pub(super) fn begin_fetches(&mut self) {
        let now = self.clock.monotonic();
        let (Some(replication), None) = (&self.config.replication, &self.stopping) else { return };
        let Some(forward) = self.handle.forward() else { return };
        let (run, core) = (replication.run, u16::try_from(self.config.index).unwrap_or_default());
        while let Some((source, outline)) = self.fetchers.next(now) {
            let position = |&partition: &_| match self.partitions.get(&partition) {
                Some(Slot::Following(following)) => Some((partition, following.follower.position()?)),
                Some(Slot::Opening(_) | Slot::Open(_) | Slot::Assuming(_) | Slot::Closed(_)) | None => None,
            };
            let fetch = FetchRequest {
                run,
                core,
                session: outline.session,
                number: outline.number,
                positions: outline.moved.iter().filter_map(position).collect(),
                forgotten: outline.forgotten,
                waits: !outline.more,
            };
            let (session, forward, mailbox) = (outline.session, forward.clone(), self.mailbox.clone());
            glommio::spawn_local(async move {
                let fetched = forward.fetch((source.node, source.core), fetch).await;
                mailbox.push(ShardEvent::Fetched { source, session, fetched });
            })
            .detach();
        }
    }

    /// A fetch has ended.
    pub(super) fn on_fetched(&mut self, source: PeerKey, session: u64, fetched: Result<FetchReply, String>) {
        let now = self.clock.monotonic();
        let Some(asked) = self.fetchers.get_mut(source) else { return };
        if !asked.on_ended(session) {
            return;
        }
        match fetched {
            Ok(FetchReply { parts }) => {
                for part in parts {
                    self.on_fetched_part(source, part);
                }
            }
            Err(reason) => {
                tracing::debug!(node = source.node, core = source.core, reason, "nothing could be fetched");
                asked.on_failed(now);
            }
        }
    }
}
