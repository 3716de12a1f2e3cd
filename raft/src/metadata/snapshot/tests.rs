//! A stored state is the state, or it is refused.

use proptest::prelude::*;

use super::*;
use crate::metadata::arbitrary;

proptest! {
    /// F11.
    #[test]
    fn replay_from_any_snapshot_gives_the_state_of_replay_from_the_start(
        commands in arbitrary::commands(),
        at in any::<prop::sample::Index>(),
    ) {
        let at = at.index(commands.len() + 1);
        let mut whole = ClusterState::default();
        let mut resumed = ClusterState::default();
        for (index, command) in commands.into_iter().enumerate() {
            if index == at {
                let bytes = postcard::to_allocvec(&StoredState::from(&whole)).unwrap();
                resumed = ClusterState::try_from(postcard::from_bytes::<StoredState>(&bytes).unwrap()).unwrap();
            }
            whole.advance_to(u64::try_from(index).unwrap());
            let command = arbitrary::aimed(&whole, command);
            let outcome = whole.apply(command.clone());
            if index >= at {
                resumed.advance_to(u64::try_from(index).unwrap());
                prop_assert_eq!(resumed.apply(command), outcome);
                prop_assert_eq!(&resumed, &whole);
            }
        }
    }

    #[test]
    fn any_bytes_are_a_state_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(stored) = postcard::from_bytes::<StoredState>(&bytes) {
            drop(ClusterState::try_from(stored));
        }
    }
}

#[test]
fn a_state_that_contradicts_itself_is_refused() {
    let good = StoredState::from(&arbitrary::small_state());
    assert_eq!(ClusterState::try_from(good.clone()), Ok(arbitrary::small_state()));

    let twice = StoredState { topics: [&good.topics[..], &good.topics[..]].concat(), ..good.clone() };
    assert_eq!(ClusterState::try_from(twice), Err(RestoreError::Topic { id: 1 }));
    let twice = StoredState { nodes: [&good.nodes[..], &good.nodes[..]].concat(), ..good.clone() };
    assert_eq!(ClusterState::try_from(twice), Err(RestoreError::Node { id: 1 }));
    let removed = StoredState { removed: vec![NodeId::new(2)], ..good.clone() };
    assert_eq!(ClusterState::try_from(removed), Err(RestoreError::Node { id: 2 }));
    let old = StoredState { level: 7, ..good.clone() };
    assert_eq!(ClusterState::try_from(old), Err(RestoreError::Node { id: 1 }));
    let homeless = StoredState { nodes: Vec::new(), ..good.clone() };
    assert_eq!(ClusterState::try_from(homeless), Err(RestoreError::Replicas { id: 1 }));
    let reused = StoredState { last_topic_id: 0, ..good.clone() };
    assert_eq!(ClusterState::try_from(reused), Err(RestoreError::Topic { id: 1 }));
    let orphaned = StoredState { topics: Vec::new(), ..good.clone() };
    assert_eq!(ClusterState::try_from(orphaned), Err(RestoreError::SubscriptionTopic { id: 1, topic: 1 }));
    let mut topic = Topic::clone(&good.topics[0]);
    topic.partitions.pop();
    let twice = StoredState { principals: [&good.principals[..], &good.principals[..]].concat(), ..good.clone() };
    assert_eq!(ClusterState::try_from(twice), Err(RestoreError::Principal));
    let orphaned = StoredState { principals: Vec::new(), ..good.clone() };
    assert_eq!(ClusterState::try_from(orphaned), Err(RestoreError::Key));
    let short = StoredState { topics: vec![Arc::new(topic)], ..good };
    assert_eq!(ClusterState::try_from(short), Err(RestoreError::Partitions { id: 1 }));
}
