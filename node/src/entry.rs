//! How a node comes to be one of its cluster: the port for the others is opened, then the metadata are entered.

use std::{net::SocketAddr, sync::Arc};

use raft::{ClusterPlan, MetadataConfig, MetadataHandle, MetadataNode, MetadataUpdates, PeerServer};
use shard::peer::{PeerConfig, PeerPort, PeerTls};
use shard_core::link::LinkSecret;
use tokio::{task::JoinHandle, time::timeout};

use crate::{
    StartError,
    config::{Config, Store},
    limits,
    link::{ControlClient, LinkListener, LinkSelf, ShardLanes},
    routes::{self, RouteBoard},
};

/// A node that is part of its cluster, or a cluster by itself.
pub(crate) struct Entry {
    pub(crate) handle: MetadataHandle,
    pub(crate) updates: MetadataUpdates,
    pub(crate) metadata: MetadataNode,
    /// None on a node that is a cluster by itself.
    pub(crate) among: Option<Among>,
}

/// What a node has for the others.
pub(crate) struct Among {
    pub(crate) routes: RouteBoard,
    /// The ways to its cores, to be opened once they run.
    pub(crate) lanes: ShardLanes,
    /// They end with the node.
    pub(crate) tasks: Vec<JoinHandle<()>>,
    secret: Option<LinkSecret>,
    tls: Option<PeerTls>,
}

impl Entry {
    /// Serves the other nodes, if there are to be any, and enters the metadata; returns when they are as new as this run of
    /// the node.
    ///
    /// # Errors
    /// Says what is in the way.
    pub(crate) async fn take(
        config: &Config,
        http: &SocketAddr,
        listener: Option<(LinkListener, Option<PeerTls>)>,
        shard_count: usize,
    ) -> Result<Self, StartError> {
        let cluster = &config.cluster;
        let Some((listener, tls)) = listener else {
            let alone = metadata_config(config, http, &http.to_string(), shard_count);
            let (handle, updates, metadata) = raft::start(alone, None).await?;
            return Ok(Self { handle, updates, metadata, among: None });
        };
        let advertised = if cluster.advertise.is_empty() {
            listener.local_addr().map_err(StartError::NodePort)?.to_string()
        } else {
            cluster.advertise.clone()
        };
        let (server, lanes, secret) = (PeerServer::default(), ShardLanes::default(), link_secret(config));
        let us = LinkSelf::new(cluster.node_id, (secret.clone(), tls.clone()), server.clone());
        let plan = ClusterPlan {
            seeds: cluster.seeds.clone(),
            init: cluster.init,
            transport: Arc::new(ControlClient::new(us.clone())),
            server: server.clone(),
        };
        let serving = listener.serve(us, server, lanes.clone());
        let entered = metadata_config(config, http, &advertised, shard_count);
        let (handle, updates, metadata) = raft::start(entered, Some(plan)).await?;
        tracing::info!(address = advertised, epoch = metadata.epoch(), "this node is part of its cluster");
        if timeout(limits::COUNTS_WAIT, metadata.counts()).await.is_err() {
            tracing::warn!("the cluster does not count on this node yet; it serves all the same");
        }
        let routes = RouteBoard::new(&handle.state(), cluster.node_id, metadata.epoch());
        let looking = tokio::spawn(routes::watch_contact((metadata.contact(), handle.clone()), routes.routes()));
        let among = Among { routes, lanes, tasks: vec![serving, looking], secret, tls };
        Ok(Self { handle, updates, metadata, among: Some(among) })
    }
}

impl Among {
    /// Opens the ways to the cores, which run now; returns what the node keeps.
    pub(crate) fn open(self, ports: Vec<PeerPort>) -> (RouteBoard, Vec<JoinHandle<()>>) {
        self.lanes.open(ports);
        (self.routes, self.tasks)
    }

    /// What a shard needs to speak with other nodes.
    pub(crate) fn peers(&self) -> PeerConfig {
        PeerConfig { routes: self.routes.routes(), secret: self.secret.clone(), tls: self.tls.clone() }
    }
}

/// What nodes prove to each other that they know, if anything.
fn link_secret(config: &Config) -> Option<LinkSecret> {
    config.cluster.secret.reveal().map(|secret| LinkSecret::new(secret.as_bytes()))
}

/// Where the metadata lies, and who this node is in it.
pub(crate) fn metadata_config(config: &Config, http: &SocketAddr, address: &str, shard_count: usize) -> MetadataConfig {
    let cluster = &config.cluster;
    let advertised = &cluster.advertise_http;
    MetadataConfig {
        directory: config.storage.data_dir.clone(),
        node_id: cluster.node_id,
        address: address.to_owned(),
        client_address: if advertised.is_empty() { http.to_string() } else { advertised.clone() },
        rack: cluster.rack(),
        shards: u32::try_from(shard_count).unwrap_or(u32::MAX),
        shared_store: config.store == Store::Redis,
    }
}
