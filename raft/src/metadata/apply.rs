//! How a command changes the state: total and deterministic, and a refused command changes nothing.

mod access;
mod groups;
mod losses;
mod nodes;
mod partitions;
mod removal;
mod subscriptions;
mod topics;
mod unclean;

#[cfg(test)]
mod fixture;

use super::{AckKey, ClusterState, Command, Node, Outcome, Refusal};
use crate::limits;

impl ClusterState {
    /// Applies one command of the log entry that [`version`](Self::version) names; one entry may hold many.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn apply(&mut self, command: Command) -> Result<Outcome, Refusal> {
        self.check_level(command.level())?;
        match command {
            Command::Bootstrap { cluster_id, ack_key } => self.bootstrap(cluster_id, ack_key),
            Command::RegisterNode { node, address } => self.register_node(node, address),
            Command::CreateTopic { name, config, created_at } => self.create_topic(name, config, created_at),
            Command::UpdateTopic { name, expected_revision, patch } => {
                self.update_topic(&name, expected_revision, &patch)
            }
            Command::DeleteTopic { name, expected_revision } => self.delete_topic(&name, expected_revision),
            Command::CreateSubscription { name, topic, config, created_at } => {
                self.create_subscription(name, &topic, config, created_at)
            }
            Command::UpdateSubscription { name, expected_revision, patch } => {
                self.update_subscription(&name, expected_revision, &patch)
            }
            Command::DeleteSubscription { name, expected_revision } => {
                self.delete_subscription(&name, expected_revision)
            }
            Command::ChangeGroup { subscription, changes, at } => self.change_group(subscription, changes, at),
            Command::PutPrincipal { name, config, expected_revision, at } => {
                self.put_principal(name, config, expected_revision, at)
            }
            Command::DeletePrincipal { name, expected_revision } => self.delete_principal(&name, expected_revision),
            Command::CreateKey { key, principal } => self.create_key(key, principal),
            Command::DeleteKey { id } => self.delete_key(&id),
            Command::JoinNode { node, incarnation, address, client_address, rack, shards, software, shared_store } => {
                let (epoch, fenced, draining) = (0, true, false);
                let id = node;
                let node =
                    Node { id, address, client_address, incarnation, epoch, fenced, draining, rack, shards, software };
                self.join_node(node, shared_store)
            }
            Command::FenceNode { node, epoch } => self.fence_node(node, epoch),
            Command::UnfenceNode { node, epoch } => self.unfence_node(node, epoch),
            Command::SetDraining { node, draining } => self.set_draining(node, draining),
            Command::RemoveNode { node, force } => self.remove_node(node, force),
            Command::ChangePartitions { changes } => Ok(self.change_partitions(changes)),
            Command::Upgrade { level } => self.upgrade(level),
        }
    }

    /// The commands of log entry `version` come next.
    pub(crate) fn advance_to(&mut self, version: u64) {
        self.version = version;
    }

    fn bootstrap(&mut self, cluster_id: String, ack_key: AckKey) -> Result<Outcome, Refusal> {
        if !self.cluster_id.is_empty() {
            return Err(Refusal::AlreadyBootstrapped { cluster_id: self.cluster_id.clone() });
        }
        check_length("cluster_id", &cluster_id, limits::CLUSTER_ID_BYTES_MAX)?;
        self.cluster_id = cluster_id;
        self.ack_key = ack_key;
        Ok(Outcome::Bootstrapped)
    }

    fn next_revision(&mut self) -> u64 {
        self.counters.revision += 1;
        self.counters.revision
    }
}

fn check_revision(revision: u64, expected_revision: Option<u64>) -> Result<(), Refusal> {
    match expected_revision {
        Some(expected_revision) if expected_revision != revision => {
            Err(Refusal::RevisionMismatch { revision, expected_revision })
        }
        Some(_) | None => Ok(()),
    }
}

fn check_limit(what: &str, present: usize, added: usize, limit: usize) -> Result<(), Refusal> {
    if present.saturating_add(added) > limit {
        return Err(Refusal::LimitReached { what: what.to_owned(), limit });
    }
    Ok(())
}

fn check_length(field: &str, text: &str, bytes_max: usize) -> Result<(), Refusal> {
    if text.len() > bytes_max {
        return Err(Refusal::TextTooLong { field: field.to_owned(), bytes: text.len(), bytes_max });
    }
    Ok(())
}

fn count(partitions: u32) -> usize {
    usize::try_from(partitions).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
