//! A node of two cores, whose connections another thread accepts: each is asked for its own partitions, over a
//! connection of its own.

use std::{
    io::Read as _,
    net::TcpListener,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};
use shard::{
    MeshPlan, Shard,
    command::ShardCommand,
    metrics::ShardMetrics,
    peer::{PeerPort, peer_port},
    shard_of,
};
use shard_core::link::{Lane, PREFACE_BYTES, Preface};

use crate::harness::{Table, Traits, config, directory, identity, opening, partition, peers, start, stop, tell};

/// Reads the preface of each connection and hands it to the core that it names, until it is told to end.
fn accept(listener: TcpListener, ports: Vec<PeerPort>, ended: Arc<AtomicBool>) -> JoinHandle<()> {
    thread::spawn(move || {
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            if ended.load(Ordering::Acquire) {
                return;
            }
            let mut preface = [0; PREFACE_BYTES];
            stream.read_exact(&mut preface).unwrap();
            let Lane::Shard(core) = Preface::decode(&preface).unwrap().lane else { panic!("no lane of a shard") };
            ports[usize::from(core) % ports.len()].hand_over(stream, core).unwrap();
        }
    })
}

/// One of the two cores, until it is stopped.
fn core(
    index: usize,
    (directory, plan): (&Path, MeshPlan),
    table: &Table,
    metrics: Arc<ShardMetrics>,
) -> (flume::Sender<ShardCommand>, PeerPort, ExecutorJoinHandle<()>) {
    let (commands, receiver) = flume::bounded(16);
    let (port, end) = peer_port();
    let config = config(directory, 2, peers(Traits::default(), table)).of_shard(index);
    let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20);
    let running = executor.spawn(move || async move {
        let started = Shard::start_with_peers(config, plan, receiver, metrics).await;
        let (shard, _, server) = started.unwrap();
        let server = server.unwrap();
        glommio::spawn_local(end.serve(server.clone())).detach();
        shard.run().await;
        server.finish().await;
    });
    (commands, port, running.unwrap())
}

/// Publishes to each of eight partitions, and reads it, on a node of two cores of which the asker believes that it has `cores`;
/// what each of them counts then.
fn ask_two_cores(cores: usize) -> [Arc<ShardMetrics>; 2] {
    let believed = cores;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let directories = [directory(), directory()];
    let owners = vec![Some(2); 8];
    let table = |us| Table {
        us: identity(Traits::default(), us),
        address: address.to_string(),
        cores: believed,
        owners: owners.clone(),
    };
    let metrics = [Arc::new(ShardMetrics::default()), Arc::new(ShardMetrics::default())];
    let plan = MeshPlan::new(2);
    let cores = metrics.clone().into_iter().enumerate();
    let cores = cores.map(|(index, metrics)| core(index, (directories[1].path(), plan.clone()), &table(2), metrics));
    let (mut commands, mut ports, mut threads) = (Vec::new(), Vec::new(), Vec::new());
    for (sender, port, thread) in cores {
        commands.push(sender);
        ports.push(port);
        threads.push(thread);
    }
    let ended = Arc::new(AtomicBool::new(false));
    let acceptor = accept(listener, ports, Arc::clone(&ended));

    let asker = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20);
    let asker = asker.spawn({
        let (table, directory, commands) = (table(1), directories[0].path().to_owned(), commands.clone());
        move || async move {
            for (index, commands) in commands.iter().enumerate() {
                let is_there = |number: &u32| shard_of(partition(*number), 2) == index;
                tell(commands, (0..8).filter(is_there).flat_map(opening).collect()).await;
            }
            let node = start(config(&directory, 1, peers(Traits::default(), &table))).await;
            for number in 0..8 {
                node.publish(number, b"to its core").await.unwrap();
                assert_eq!(node.read_all(number).await.len(), 1);
            }
            assert_eq!(node.metrics.peer_connections.get(), u64::try_from(believed).unwrap());
            for commands in &commands {
                stop(commands).await;
            }
        }
    });
    asker.unwrap().join().unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
    ended.store(true, Ordering::Release);
    // Ends the wait for the next connection.
    drop(std::net::TcpStream::connect(address));
    acceptor.join().unwrap();
    metrics
}

#[test]
fn each_core_of_another_node_is_asked_for_its_own_partitions() {
    for metrics in ask_two_cores(2) {
        assert_eq!(metrics.messages_appended.get(), 4, "each core has half of the partitions");
        assert_eq!(metrics.peer_requests_served.get(), 4 + 8, "and was asked for them alone");
        assert_eq!(metrics.requests_forwarded.get(), 0);
    }
}

#[test]
fn a_node_that_has_fewer_cores_than_others_believe_is_asked_all_the_same() {
    for metrics in ask_two_cores(4) {
        assert_eq!(metrics.messages_appended.get(), 4);
        assert!(metrics.peer_requests_served.get() >= 8, "both are asked");
    }
}
