//! How the cluster must stand when the faults have been over for a while.

use super::{
    events::{Event, Message},
    world::World,
};
use crate::metadata::{Command, NodeId, PartitionTarget};

impl World {
    /// E14: all nodes are in, every partition is led and acknowledges, its followers have all and are in sync.
    pub(super) fn check_healed(&mut self) {
        let state = std::sync::Arc::clone(self.agreed());
        assert!(state.nodes().all(|node| !node.fenced), "E14: {:?}", state.nodes().collect::<Vec<_>>());
        for partition in 0..self.oracles.len() {
            self.check_partition(partition);
        }
        self.check_users();
    }

    fn check_partition(&mut self, partition: usize) {
        let agreed = self.agreed_partition(partition).cloned().unwrap();
        assert_eq!(agreed.isr.len(), agreed.replicas.len(), "E14: all are in sync: {agreed:?}");
        assert!(self.clients.healed.contains(&partition), "E14: nothing is acknowledged on {partition}: {agreed:?}");
        let owner = self.place_of(agreed.owner.unwrap());
        let followers = self.places(&agreed.replicas);
        let leading = self.leading(owner, partition).expect("E14: its owner leads");
        assert!(leading.core.is_in_office() && leading.appender.is_some(), "E14: {agreed:?}");
        let (end, high_watermark) = (leading.core.end(), leading.core.high_watermark());
        assert!(end.since(high_watermark) < 40, "E14: {high_watermark} of {end} is committed");
        for place in followers.into_iter().filter(|place| *place != owner) {
            let has = self.nodes[place].disks[partition].synced_end();
            assert!(end.since(has) < 40, "E14: {place} has {has} of {end}");
            assert!(self.following(place, partition).is_some(), "E14: {place} does not follow");
        }
        self.check_members(partition);
    }

    /// Whether a change of who is in sync is under way.
    pub(super) fn is_isr_changing(&self, partition: usize) -> bool {
        let is_change = |command: &Command| {
            let Command::ChangePartitions { changes } = command else { return false };
            changes.iter().any(|change| {
                let is_here = usize::try_from(change.partition) == Ok(partition);
                is_here && matches!(change.to, PartitionTarget::InSync { .. } | PartitionTarget::Without(_))
            })
        };
        self.queue.events().any(|event| {
            if let Event::Commit { commands, .. } | Event::Arrive { message: Message::Propose { commands, .. }, .. } =
                event
            {
                return commands.iter().any(is_change);
            }
            false
        })
    }

    /// A node is not to be emptied any more.
    pub(super) fn let_stay(&mut self, node: NodeId) {
        self.write_now(Command::SetDraining { node, draining: false });
    }
}
