//! A partition that is assigned: who may pull and ack, and who is woken when that changes.

use futures_util::FutureExt as _;
use shard::{AckAction, AckOutcome, Claim, ConsumerId, PullRequest, SubscriptionError, command::PartitionChange};
use shard_core::{
    delivery::{Assignee, ClaimRefused, PartitionAssignment},
    model::{Offset, SubscriptionId},
};

use crate::harness::{Running, SUBSCRIPTION, cursor, directory, partition, subscription, with_shard};

const ANN: ConsumerId = ConsumerId(1);
const BOB: ConsumerId = ConsumerId(2);

const fn assignment(generation: u64, to: Option<(ConsumerId, u64)>) -> PartitionAssignment {
    let assignee = match to {
        Some((consumer, since)) => Some(Assignee { consumer, since }),
        None => None,
    };
    PartitionAssignment { generation, assignee }
}

#[expect(clippy::unnecessary_wraps, reason = "that is what a request takes")]
const fn claim(consumer: ConsumerId, generation: u64) -> Option<Claim> {
    Some(Claim { consumer, generation })
}

const fn stale(generation: u64) -> SubscriptionError {
    SubscriptionError::Claim(ClaimRefused::Stale { generation })
}

impl Running {
    /// Opens partition 0 with an assigned subscription, and fills it.
    async fn open_assigned(&self, holds: PartitionAssignment) {
        self.open(&[0]).await;
        let settings = shard::command::SubscriptionSettings { assignment: Some(holds), ..subscription() };
        self.apply(vec![PartitionChange::OpenSubscription { partition: partition(0), settings }]).await;
    }

    async fn assign(&self, subscription: SubscriptionId, assignment: PartitionAssignment) {
        let partition = partition(0);
        self.apply(vec![PartitionChange::Assign { partition, subscription, assignment }]).await;
    }
}

#[test]
fn only_the_assignee_pulls_and_its_leases_end_with_the_assignment() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open_assigned(assignment(1, None)).await;
        shard.publish(0, &[b"a", b"b", b"c"]).await.unwrap();
        assert_eq!(shard.pull_by(0, 9, claim(ANN, 1)).await, Err(stale(1)));
        shard.assign(SUBSCRIPTION, assignment(2, Some((ANN, 2)))).await;
        assert_eq!(shard.pull_by(0, 9, None).await, Err(stale(2)));
        assert_eq!(shard.pull_by(0, 9, claim(BOB, 2)).await, Err(stale(2)));
        let pulled = shard.pull_by(0, 2, claim(ANN, 2)).await.unwrap();

        shard.assign(SUBSCRIPTION, assignment(3, Some((BOB, 3)))).await;
        let leases: Vec<_> = pulled.leased.iter().map(|message| (message.offset, message.lease)).collect();
        for action in [AckAction::Ack, AckAction::Reject, AckAction::Nack { delay: None }] {
            let outcomes = shard.handle.acknowledge(cursor(0), action, leases.clone()).await.unwrap();
            assert_eq!(outcomes, [AckOutcome::StaleGeneration; 2], "{action:?}");
        }
        let up_to = shard.handle.ack_up_to(cursor(0), Offset::new(1), claim(ANN, 3)).await;
        assert_eq!(up_to, Err(stale(3)));
        let status = shard.handle.cursor_status(cursor(0)).await.unwrap();
        assert_eq!((status.ack_floor, status.leased), (Offset::ZERO, 0));

        let again = shard.pull_by(0, 9, claim(BOB, 3)).await.unwrap();
        assert_eq!(again.leased.iter().map(|message| message.offset.get()).collect::<Vec<_>>(), [0, 1, 2]);
        shard.handle.ack_up_to(cursor(0), Offset::new(2), claim(BOB, 3)).await.unwrap();
        assert_eq!(shard.handle.cursor_status(cursor(0)).await.unwrap().ack_floor, Offset::new(3));
    });
}

#[test]
fn who_waits_is_woken_when_the_partition_goes_to_another() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open_assigned(assignment(1, Some((ANN, 1)))).await;
        let partitions = [partition(0)];
        let mut waits = Box::pin(shard.handle.await_deliverable(SUBSCRIPTION, &partitions));
        assert_eq!(waits.as_mut().now_or_never(), None);
        shard.assign(SUBSCRIPTION, assignment(2, Some((BOB, 2)))).await;
        assert_eq!(waits.await, Ok(()), "nothing was published: only the assignment can have woken it");
        assert_eq!(shard.pull_by(0, 9, claim(ANN, 1)).await, Err(stale(2)));
    });
}

#[test]
fn a_pull_that_waits_for_the_disk_is_judged_by_what_holds_then() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open_assigned(assignment(1, Some((ANN, 1)))).await;
        // More than the cache holds, so that the first messages are on disk alone.
        let payload = vec![b'x'; 200_000];
        for _ in 0..10 {
            shard.publish(0, &[&payload]).await.unwrap();
        }
        let consumer = ConsumerId(0);
        let request =
            PullRequest { messages_max: 1, bytes_max: 1 << 20, ack_deadline: None, consumer, claim: claim(ANN, 1) };
        let mut pull = Box::pin(shard.handle.pull(cursor(0), request));
        assert_eq!(pull.as_mut().now_or_never(), None);
        shard.assign(SUBSCRIPTION, assignment(2, Some((BOB, 2)))).await;
        // Either it was served before the change, or it is refused: it is never served after it.
        let served =
            pull.await.map(|pulled| pulled.leased.iter().map(|message| (message.offset, message.lease)).collect());
        match served {
            Ok(leases) => {
                let outcomes = shard.handle.acknowledge(cursor(0), AckAction::Ack, leases).await.unwrap();
                assert_eq!(outcomes, [AckOutcome::StaleGeneration]);
            }
            Err(error) => assert_eq!(error, stale(2)),
        }
        assert_eq!(shard.handle.cursor_status(cursor(0)).await.unwrap().leased, 0);
    });
}

#[test]
fn after_a_restart_the_leases_of_before_are_void() {
    let directory = directory();
    let leases = with_shard(directory.path(), async |shard| {
        shard.open_assigned(assignment(1, Some((ANN, 1)))).await;
        shard.publish(0, &[b"a"]).await.unwrap();
        let pulled = shard.pull_by(0, 2, claim(ANN, 1)).await.unwrap();
        pulled.leased.iter().map(|message| (message.offset, message.lease)).collect::<Vec<_>>()
    });
    with_shard(directory.path(), async move |shard| {
        shard.open_assigned(assignment(1, Some((ANN, 1)))).await;
        let outcomes = shard.handle.acknowledge(cursor(0), AckAction::Ack, leases).await.unwrap();
        assert_eq!(outcomes, [AckOutcome::LeaseExpired]);
        assert_eq!(shard.pull_by(0, 2, claim(ANN, 1)).await.unwrap().leased.len(), 1);
    });
}
