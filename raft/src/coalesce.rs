//! Which waiting commands share a log entry: openraft flushes once per entry, so a full entry is a cheap one.

use crate::{limits, proposal::Proposal};

/// Proposals that go into one log entry, in their order; there is at least one.
#[derive(Debug)]
pub(crate) struct Batch {
    proposals: Vec<Proposal>,
    encoded_bytes: usize,
}

impl Batch {
    /// Takes `first` and what fits of `waiting`. What was taken from `waiting` and does not fit any more is given back:
    /// it goes first into the next entry.
    pub(crate) fn fill(first: Proposal, waiting: impl Iterator<Item = Proposal>) -> (Self, Option<Proposal>) {
        let encoded_bytes = first.encoded_bytes;
        let mut batch = Self { proposals: vec![first], encoded_bytes };
        let mut waiting = waiting;
        while batch.proposals.len() < limits::BATCH_COMMANDS_MAX {
            let Some(next) = waiting.next() else { break };
            let encoded_bytes = batch.encoded_bytes.saturating_add(next.encoded_bytes);
            if encoded_bytes > limits::BATCH_BYTES_MAX {
                return (batch, Some(next));
            }
            batch.encoded_bytes = encoded_bytes;
            batch.proposals.push(next);
        }
        (batch, None)
    }

    /// The proposals, in their order.
    pub(crate) fn into_proposals(self) -> Vec<Proposal> {
        self.proposals
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::sync::oneshot;

    use super::*;
    use crate::metadata::{Command, NodeId};

    fn proposal(number: u64, encoded_bytes: usize) -> Proposal {
        let command = Command::RegisterNode { node: NodeId::new(number), address: String::new() };
        Proposal { command, encoded_bytes, reply: oneshot::channel().0 }
    }

    fn number(proposal: &Proposal) -> u64 {
        let Command::RegisterNode { node, .. } = &proposal.command else { panic!("{:?}", proposal.command) };
        node.get()
    }

    proptest! {
        #[test]
        fn every_proposal_goes_once_and_in_order_into_bounded_entries(
            sizes in proptest::collection::vec(1..=limits::COMMAND_BYTES_MAX, 1..700)
        ) {
            let mut waiting = (0..).zip(&sizes).map(|(number, &size)| proposal(number, size));
            let mut carried = waiting.next();
            let mut numbers = Vec::new();
            while let Some(first) = carried.take().or_else(|| waiting.next()) {
                let (batch, rest) = Batch::fill(first, waiting.by_ref());
                carried = rest;
                let proposals = batch.into_proposals();
                prop_assert!(proposals.len() <= limits::BATCH_COMMANDS_MAX);
                let bytes: usize = proposals.iter().map(|proposal| proposal.encoded_bytes).sum();
                prop_assert!(bytes <= limits::BATCH_BYTES_MAX);
                numbers.extend(proposals.iter().map(number));
            }
            prop_assert_eq!(numbers, (0..u64::try_from(sizes.len()).unwrap()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_waits_shares_an_entry() {
        let (batch, rest) = Batch::fill(proposal(0, 100), (1..10).map(|number| proposal(number, 100)));
        assert_eq!(batch.into_proposals().len(), 10);
        assert!(rest.is_none());
    }
}
