//! A cluster of one, started, stopped, killed and damaged.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use shard_core::model::{Timestamp, TopicName};

use super::*;
use crate::{
    ProposeError,
    metadata::{AckKey, Command, Outcome, TopicConfig},
};

/// The metadata with a node around it whose shards take every state at once.
struct Running {
    handle: MetadataHandle,
    node: MetadataNode,
    shards: JoinHandle<()>,
}

fn config(directory: &Path) -> MetadataConfig {
    MetadataConfig::alone(directory.to_owned(), 1, "127.0.0.1:7081".to_owned())
}

/// Starts on a directory that this process may have had open: sled lets go of its lock in a thread of its own.
async fn start_again(directory: &Path) -> Result<(MetadataHandle, MetadataUpdates, MetadataNode), StartError> {
    loop {
        match start(config(directory), None).await {
            Err(error) if error.to_string().contains("acquire lock") => task::yield_now().await,
            started => return started,
        }
    }
}

async fn run(directory: &Path) -> Running {
    let (handle, mut updates, node) = start_again(directory).await.unwrap();
    let shards = task::spawn(async move {
        while let Some(state) = updates.next().await {
            updates.published(state.version());
        }
    });
    Running { handle, node, shards }
}

impl Running {
    async fn stop(self) {
        self.node.shutdown().await;
        // The updates end with the metadata, or this never returns.
        self.shards.await.unwrap();
    }

    async fn create(&self, name: &str) -> Result<Outcome, ProposeError> {
        self.handle.propose(create_topic(name)).await
    }

    fn topics(&self) -> Vec<String> {
        self.handle.state().topics().map(|topic| topic.name.to_string()).collect()
    }
}

fn create_topic(name: &str) -> Command {
    let created_at = Timestamp::from_millis(1);
    Command::CreateTopic { name: TopicName::new(name).unwrap(), config: TopicConfig::default(), created_at }
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_directory(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_new_directory_becomes_a_cluster_of_one() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    let state = running.handle.state();
    assert_eq!(state.cluster_id().len(), 36);
    assert_ne!(state.ack_key(), AckKey::default());
    assert_eq!(state.node(NodeId::new(1)).unwrap().address, "127.0.0.1:7081");
    let metrics = running.node.metrics();
    assert_eq!(metrics.leader, Some(NodeId::new(1)));
    assert!(metrics.running && metrics.term > 0 && metrics.last_applied_index == metrics.last_log_index);
    running.stop().await;
}

#[tokio::test]
async fn a_proposal_is_in_the_state_when_it_is_answered() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    let Ok(Outcome::TopicCreated(topic)) = running.create("orders").await else { panic!("not created") };
    assert_eq!(running.handle.state().topic("orders"), Some(&topic));
    assert_eq!(running.create("orders").await, Ok(Outcome::TopicUnchanged(topic)));
    running.stop().await;
}

#[tokio::test]
async fn a_refused_command_says_why() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    let delete = Command::DeleteTopic { name: TopicName::new("orders").unwrap(), expected_revision: None };
    assert_eq!(running.handle.propose(delete).await, Err(ProposeError::Refused(Refusal::TopicNotFound)));
    running.stop().await;
}

#[tokio::test]
async fn a_command_too_large_for_a_log_entry_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    let address = "x".repeat(limits::COMMAND_BYTES_MAX);
    let command = Command::RegisterNode { node: NodeId::new(2), address };
    let refused = running.handle.propose(command).await;
    assert!(matches!(refused, Err(ProposeError::TooLarge { .. })), "{refused:?}");
    running.stop().await;
}

#[tokio::test]
async fn commands_that_wait_together_share_log_entries() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    let before = running.node.metrics().last_log_index;
    let proposals = (0..100).map(|number| {
        let handle = running.handle.clone();
        async move { handle.propose(create_topic(&format!("t{number}"))).await }
    });
    let mut tasks = task::JoinSet::new();
    for proposal in proposals {
        tasks.spawn(proposal);
    }
    while let Some(outcome) = tasks.join_next().await {
        assert!(matches!(outcome.unwrap(), Ok(Outcome::TopicCreated(_))));
    }
    assert_eq!(running.handle.state().topics().len(), 100);
    let entries = running.node.metrics().last_log_index - before;
    assert!(entries < 50, "100 commands took {entries} log entries");
    running.stop().await;
}

#[tokio::test]
async fn a_restart_finds_the_cluster_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    running.create("orders").await.unwrap();
    let before = running.handle.state();
    running.stop().await;

    let running = run(root.path()).await;
    let after = running.handle.state();
    assert_eq!((after.cluster_id(), after.ack_key()), (before.cluster_id(), before.ack_key()));
    assert_eq!(after.topic("orders"), before.topic("orders"));
    running.create("bills").await.unwrap();
    assert_eq!(running.topics(), ["bills", "orders"]);
    running.stop().await;
}

/// F11.
#[tokio::test]
async fn a_process_killed_after_any_answer_has_lost_nothing() {
    let root = tempfile::tempdir().unwrap();
    let running = run(&root.path().join("live")).await;
    let mut names = Vec::new();
    for number in 0..5 {
        let name = format!("t{number}");
        running.create(&name).await.unwrap();
        names.push(name);
        // What the kernel holds of the files at this moment is what a killed process leaves behind.
        copy_directory(&root.path().join("live"), &root.path().join(format!("killed{number}")));
    }
    running.stop().await;
    for number in 0..5 {
        let restarted = run(&root.path().join(format!("killed{number}"))).await;
        let topics = restarted.topics();
        assert!(names[..=number].iter().all(|name| topics.contains(name)), "after kill {number}: {topics:?}");
        restarted.stop().await;
    }
}

/// F11.
#[tokio::test]
async fn a_snapshot_and_the_log_behind_it_give_the_state() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    running.create("orders").await.unwrap();
    let index = running.node.metrics().last_applied_index;
    running.node.raft.trigger().snapshot().await.unwrap();
    running
        .node
        .raft
        .wait(Some(limits::LEADERSHIP_WAIT))
        .metrics(|metrics| metrics.snapshot.index() == Some(index), "the snapshot is built")
        .await
        .unwrap();
    running.create("bills").await.unwrap();
    running.node.raft.trigger().purge_log(index).await.unwrap();
    running
        .node
        .raft
        .wait(Some(limits::LEADERSHIP_WAIT))
        .metrics(|metrics| metrics.purged.index() == Some(index), "the log is purged")
        .await
        .unwrap();
    running.stop().await;

    let running = run(root.path()).await;
    assert_eq!(running.topics(), ["bills", "orders"]);
    running.stop().await;

    // Without the snapshot the log alone is not the state, and the node must not start with less.
    fs::remove_dir_all(root.path().join("raft/snapshots")).unwrap();
    let refused = start_again(root.path()).await.err().unwrap();
    assert!(matches!(refused, StartError::MissingEntries { .. }), "{refused}");
}

/// F21.
#[tokio::test]
async fn a_directory_of_another_node_is_refused() {
    let root = tempfile::tempdir().unwrap();
    run(root.path()).await.stop().await;
    let other = MetadataConfig { node_id: 2, ..config(root.path()) };
    let refused = start(other, None).await.err().unwrap();
    assert!(matches!(refused, StartError::Log(OpenLogError::OtherNode { .. })), "{refused}");
}

#[tokio::test]
async fn a_node_that_moved_registers_its_new_address() {
    let root = tempfile::tempdir().unwrap();
    run(root.path()).await.stop().await;
    let moved = MetadataConfig { address: "127.0.0.1:9".to_owned(), ..config(root.path()) };
    let (handle, _updates, node) = start(moved, None).await.unwrap();
    assert_eq!(handle.state().node(NodeId::new(1)).unwrap().address, "127.0.0.1:9");
    node.shutdown().await;
}

#[tokio::test]
async fn until_the_shards_have_a_state_the_gateways_do_not_see_it() {
    let root = tempfile::tempdir().unwrap();
    let (handle, mut updates, node) = start_again(root.path()).await.unwrap();
    let first = updates.next().await.unwrap();
    assert_eq!(first, handle.state());
    updates.published(first.version());

    let proposing = handle.clone();
    let proposal = task::spawn(async move { proposing.propose(create_topic("orders")).await });
    let applied = updates.next().await.unwrap();
    assert!(applied.topic("orders").is_some());
    assert!(handle.state().topic("orders").is_none());
    updates.published(applied.version());
    assert!(handle.state().topic("orders").is_some());
    assert!(matches!(proposal.await.unwrap(), Ok(Outcome::TopicCreated(_))));
    node.shutdown().await;
}

#[tokio::test]
async fn after_a_shutdown_proposals_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    let handle = running.handle.clone();
    running.stop().await;
    assert_eq!(handle.propose(create_topic("orders")).await, Err(ProposeError::Stopping));
}

#[tokio::test]
async fn a_log_that_became_garbage_or_is_gone_is_not_taken_for_a_new_one() {
    let root = tempfile::tempdir().unwrap();
    run(root.path()).await.stop().await;
    let log = root.path().join("raft/log");
    let db = log.join("db");
    let mut bytes = fs::read(&db).unwrap();
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte ^= u8::try_from(place % 251).unwrap();
    }
    fs::write(&db, bytes).unwrap();
    assert!(start_again(root.path()).await.is_err());

    fs::remove_dir_all(log).unwrap();
    let refused = start_again(root.path()).await.err().unwrap();
    assert!(matches!(refused, StartError::Log(OpenLogError::Lost { .. })), "{refused}");
}

/// F22.
#[tokio::test]
async fn when_the_disk_fails_the_proposal_is_unknown_and_the_updates_end() {
    let root = tempfile::tempdir().unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let mut opened = open_off_thread(&config(root.path())).await.unwrap();
    opened.log.break_flushes(Arc::clone(&broken));
    let (handle, mut updates, node) = super::run(config(root.path()), None, opened).await.unwrap();
    updates.next().await.unwrap();

    broken.store(true, Ordering::SeqCst);
    let refused = handle.propose(create_topic("orders")).await;
    assert!(matches!(refused, Err(ProposeError::Unknown { .. })), "{refused:?}");
    assert_eq!(updates.next().await, None);
    assert!(handle.state().topic("orders").is_none());
    assert!(!node.metrics().running);
    node.shutdown().await;
}
