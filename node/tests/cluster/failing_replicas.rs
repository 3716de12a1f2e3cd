//! Disks of replicas that fail or lose something: others take over, what was damaged is made good from them, and nothing that
//! was acknowledged is lost.

use std::{
    fs,
    os::unix::fs::{FileExt as _, symlink},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    failover::{owner, texts_of, with_topic_of},
    http::Connection,
    nodes::TestNodes,
    operate::cli,
    volatile_disk::{EXT4, VolatileDisk},
};

const PARTITIONS: u64 = 3;
/// Many logs are larger than this; a small one keeps a test short.
const BATCHES: usize = 20;

fn start(nodes: TestNodes) -> TestNodes {
    let topic = json!({ "partitions": PARTITIONS, "replication_factor": 3, "min_insync": 2 });
    let nodes = with_topic_of(nodes, &topic);
    await_whole(&nodes, 1);
    nodes
}

fn layout(nodes: &TestNodes, through: u64) -> Vec<Value> {
    nodes.get(through, "/v1/topics/orders")["layout"].as_array().cloned().unwrap_or_default()
}

fn is_in_sync(placed: &Value, node: u64) -> bool {
    placed["isr"].as_array().is_some_and(|isr| isr.contains(&json!(node)))
}

/// Waits until every node has every partition in sync.
fn await_whole(nodes: &TestNodes, through: u64) {
    nodes.until("all replicas are in sync", |nodes| {
        let layout = layout(nodes, through);
        !layout.is_empty() && layout.iter().all(|placed| (1..=3).all(|node| is_in_sync(placed, node)))
    });
}

/// Publishes so many messages to a partition, whose texts begin alike; their texts.
fn publish_some(nodes: &TestNodes, through: u64, partition: u64, name: &str) -> Vec<String> {
    let texts: Vec<_> = (0..BATCHES).map(|number| format!("{name}-{partition}-{number}")).collect();
    for text in &texts {
        insist(nodes, through, partition, text);
    }
    texts
}

/// Publishes a message again and again until it is acknowledged.
fn insist(nodes: &TestNodes, through: u64, partition: u64, text: &str) {
    let message = json!({ "messages": [{ "id": text, "text": text, "partition": partition }] }).to_string();
    nodes.until("it is acknowledged", |nodes| {
        let mut connection = Connection::open(&nodes.address(through));
        let answer = connection.request("POST", "/v1/topics/orders/messages", &[], message.as_bytes());
        assert!([200, 503, 504].contains(&answer.status), "{}", answer.body_text());
        answer.status == 200
    });
}

/// The directory of a partition of the only topic.
fn partition_of(nodes: &TestNodes, node: u64, partition: u64) -> PathBuf {
    let partitions = nodes.node(node).data_dir().join("partitions");
    let topics: Vec<_> = fs::read_dir(partitions).unwrap().map(|entry| entry.unwrap().path()).collect();
    let with_it = topics.iter().map(|topic| topic.join(partition.to_string())).find(|path| path.is_dir());
    with_it.unwrap_or_else(|| panic!("node {node} does not keep partition {partition}"))
}

fn says(nodes: &TestNodes, node: u64, words: &str) -> bool {
    nodes.node(node).log().iter().any(|line| line.contains(words))
}

/// Changes a byte of the last message in a partition's newest segment.
fn damage(directory: &Path) {
    change(directory, |bytes| bytes.iter().rposition(|byte| *byte != 0).unwrap() - 8);
}

/// A partition's newest segment.
fn newest_of(directory: &Path) -> PathBuf {
    let mut segments: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    segments.sort();
    segments.pop().unwrap()
}

/// That segment, and where in it the last message is.
fn place_in(directory: &Path) -> (PathBuf, u64) {
    let newest = newest_of(directory);
    let place = fs::read(&newest).unwrap().iter().rposition(|byte| *byte != 0).unwrap() - 8;
    (newest, u64::try_from(place).unwrap())
}

/// Changes a byte in a partition's newest segment.
fn change(directory: &Path, place: impl Fn(&[u8]) -> usize) {
    let newest = &newest_of(directory);
    let mut bytes = fs::read(newest).unwrap();
    let place = place(&bytes);
    bytes[place] ^= 0xff;
    fs::write(newest, bytes).unwrap();
}

/// What a partition holds, read from a node that is made its owner.
fn read_from(nodes: &TestNodes, node: u64, partition: u64) -> Vec<String> {
    let body = json!({ "node": node }).to_string();
    nodes.until("the node owns the partition", |nodes| {
        if owner(nodes, node, partition) == Some(node) {
            return true;
        }
        let path = format!("/v1/topics/orders/partitions/{partition}/move");
        let _ = Connection::open(&nodes.address(node)).request("POST", &path, &[], body.as_bytes());
        false
    });
    texts(nodes, node, partition)
}

/// The texts of a partition, once it can be read: whoever is busy may count as gone for a moment.
fn texts(nodes: &TestNodes, through: u64, partition: u64) -> Vec<String> {
    let path = format!("/v1/topics/orders/partitions/{partition}/messages?offset=0&limit=1");
    nodes.until("the partition is served", |nodes| nodes.get(through, &path)["messages"].is_array());
    texts_of(nodes, through, partition)
}

/// Nobody reads what followers have but they themselves, when they are asked to.
#[test]
fn replicas_are_compared_while_they_serve_and_a_damaged_one_is_made_good() {
    let nodes = start(TestNodes::start_on_disks(3, &[("storage.tail_cache_bytes", "0")]));
    let all: Vec<_> = (0..PARTITIONS).map(|number| publish_some(&nodes, 1, number, "before")).collect();
    let states = |nodes: &TestNodes| -> Vec<String> {
        let compared = compare(nodes);
        let partitions = compared["partitions"].as_array().cloned().unwrap_or_default();
        let replicas = partitions.iter().flat_map(|partition| partition["replicas"].as_array().unwrap().clone());
        replicas.map(|replica| replica["state"].as_str().unwrap().to_owned()).collect()
    };
    nodes.until("all are the same", |nodes| states(nodes) == ["same"; 9]);

    let follower = (1..=3).find(|&node| owner(&nodes, 1, 0) != Some(node)).unwrap();
    let (newest, place) = place_in(&partition_of(&nodes, follower, 0));
    let mut byte = [0];
    let file = fs::File::options().read(true).write(true).open(newest).unwrap();
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[byte[0] ^ 0xff], place).unwrap();
    file.sync_all().unwrap();
    let found = states(&nodes);
    assert_eq!(found.iter().filter(|state| *state == "damaged").count(), 1, "{found:?}");
    assert!(!found.contains(&"differs".to_owned()), "{found:?}");

    nodes.until("it is made good", |nodes| states(nodes) == ["same"; 9]);
    await_whole(&nodes, 1);
    assert_eq!(read_from(&nodes, follower, 0), all[0]);
}

/// What `topics verify` prints, whether or not it finds anything.
fn compare(nodes: &TestNodes) -> Value {
    let ended = cli(nodes, 1, &["topics", "verify", "orders", "-o", "json"]);
    let compared: Value = serde_json::from_slice(&ended.stdout).unwrap_or_default();
    let is_damaged = compared.to_string().contains(r#""damaged""#);
    assert_eq!(ended.status.code() == Some(9), is_damaged, "{ended:?}");
    compared
}

/// F24: others have what the disk was given.
#[test]
fn an_owner_whose_disk_fails_is_followed_by_another_and_nothing_is_lost() {
    let disk = match VolatileDisk::mount(EXT4) {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("SKIPPED: a disk that fails needs root, python3 and loop devices: {reason}");
            return;
        }
    };
    // Only what is kept of partitions lies on it: without its metadata a node ends, and is missed as any that has died.
    let path = disk.path();
    let prepare = move |home: &Path| {
        if home.ends_with("node-1") {
            fs::create_dir_all(home.join("data")).unwrap();
            symlink(&path, home.join("data/partitions")).unwrap();
        }
    };
    let settings = [("storage.reserve_bytes", "8388608"), ("storage.tail_cache_bytes", "0")];
    let mut nodes = start(TestNodes::start_on_disks_prepared(3, &settings, Box::new(prepare)));
    let mut all: Vec<Vec<String>> = (0..PARTITIONS).map(|number| publish_some(&nodes, 2, number, "before")).collect();
    let failing = (0..PARTITIONS).find(|&partition| owner(&nodes, 2, partition) == Some(1)).unwrap();

    disk.cut();
    for partition in 0..PARTITIONS {
        let text = format!("meanwhile-{partition}");
        insist(&nodes, 2, partition, &text);
        all[usize::try_from(partition).unwrap()].push(text);
    }
    assert_ne!(owner(&nodes, 2, failing), Some(1), "it can't store anything");
    nodes.until("nobody waits for the node that failed", |nodes| {
        let layout = layout(nodes, 2);
        !layout.is_empty() && layout.iter().all(|placed| !is_in_sync(placed, 1))
    });
    let gone = layout(&nodes, 2).iter().any(|placed| placed["elr"].to_string().contains('1'));
    assert!(!gone, "{:?}", layout(&nodes, 2));
    assert!(says(&nodes, 1, "this node is not to be counted on for a partition"), "{:?}", nodes.node(1).log());
    for partition in 0..PARTITIONS {
        all[usize::try_from(partition).unwrap()].extend(publish_some(&nodes, 3, partition, "after"));
        assert_eq!(texts(&nodes, 3, partition), all[usize::try_from(partition).unwrap()]);
    }

    nodes.kill(1);
    let disk = disk.into_cut().mount();
    let link = nodes.node(1).data_dir().join("partitions");
    fs::remove_file(&link).unwrap();
    symlink(disk.path(), &link).unwrap();
    nodes.restart(1);
    await_whole(&nodes, 2);
    for partition in 0..PARTITIONS {
        assert_eq!(read_from(&nodes, 1, partition), all[usize::try_from(partition).unwrap()]);
    }
}

/// F17, F27: others have what is damaged or gone.
#[test]
fn what_a_replica_has_lost_while_it_was_down_it_fetches_again() {
    let mut nodes = start(TestNodes::start_on_disks(3, &[]));
    let all: Vec<Vec<String>> = (0..PARTITIONS).map(|number| publish_some(&nodes, 1, number, "text")).collect();
    assert!(nodes.terminate(3).success());
    let damaged = partition_of(&nodes, 3, 0);
    damage(&damaged);
    fs::remove_dir_all(partition_of(&nodes, 3, 1)).unwrap();
    for entry in fs::read_dir(partition_of(&nodes, 3, 2)).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    nodes.restart(3);
    await_whole(&nodes, 1);
    assert!(says(&nodes, 3, "put aside"), "{:?}", nodes.node(3).log());
    let aside = damaged.with_file_name("0.damaged-1");
    assert!(aside.is_dir() && fs::read_dir(&aside).unwrap().count() > 0, "what was damaged is kept");
    for partition in 0..PARTITIONS {
        assert_eq!(read_from(&nodes, 3, partition), all[usize::try_from(partition).unwrap()]);
    }
}

/// F17, F25: nobody knew of the damage until the owner was asked for what is damaged.
#[test]
fn damage_that_an_owner_meets_has_another_one_take_over() {
    let settings = [("storage.tail_cache_bytes", "0")];
    let mut nodes = start(TestNodes::start_on_disks(3, &settings));
    let texts = publish_some(&nodes, 1, 0, "text");
    let first = owner(&nodes, 1, 0).unwrap();
    // Of the first message, which nobody has read for a while.
    change(&partition_of(&nodes, first, 0), |_| 4096 + 80);
    let through = first % 3 + 1;
    nodes.until("it is read from another one", |nodes| {
        let page = nodes.get(through, "/v1/topics/orders/partitions/0/messages?offset=0&limit=1");
        page["messages"].as_array().is_some_and(|messages| messages.len() == 1)
    });
    assert_ne!(owner(&nodes, through, 0), Some(first));
    await_whole(&nodes, through);
    assert_eq!(read_from(&nodes, first, 0), texts);
    assert!(partition_of(&nodes, first, 0).with_file_name("0.damaged-1").is_dir());
    assert!(nodes.terminate(first).success());
}
