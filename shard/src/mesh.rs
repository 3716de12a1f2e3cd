//! The way to the other cores: one bounded lock-free queue for each ordered pair of shards.

use glommio::channels::{
    channel_mesh::{FullMesh, MeshBuilder, Senders},
    shared_channel::ConnectedReceiver,
};

use crate::{limits, request::Request};

/// What the node makes once and gives each shard a clone of.
#[derive(Clone)]
pub struct MeshPlan {
    builder: Option<FullMesh<Request>>,
}

/// One shard's end of the mesh.
#[derive(Debug)]
pub(crate) struct Mesh {
    /// None on a node of one shard.
    senders: Option<Senders<Request>>,
}

impl MeshPlan {
    /// Plans the mesh of `shard_count` shards.
    #[must_use]
    pub fn new(shard_count: usize) -> Self {
        let builder = (shard_count > 1).then(|| MeshBuilder::full(shard_count, limits::MESH_REQUESTS_MAX));
        Self { builder }
    }

    /// Joins the mesh; returns when every shard has, with this shard's number and the queues towards it.
    ///
    /// # Errors
    /// When a shard has ended before it joined.
    pub(crate) async fn join(self) -> Result<(Mesh, Option<usize>, Vec<ConnectedReceiver<Request>>), String> {
        let Some(builder) = self.builder else {
            return Ok((Mesh { senders: None }, None, Vec::new()));
        };
        let (senders, mut receivers) = builder.join().await.map_err(|error| error.to_string())?;
        let number = senders.peer_id();
        let streams = receivers.streams().into_iter().map(|(_, receiver)| receiver).collect();
        Ok((Mesh { senders: Some(senders) }, Some(number), streams))
    }
}

impl std::fmt::Debug for MeshPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeshPlan").finish_non_exhaustive()
    }
}

impl Mesh {
    /// Sends a request to another shard.
    ///
    /// # Errors
    /// The queue is full, or the shard has ended.
    pub(crate) fn send(&self, shard: usize, request: Request) -> Result<(), ()> {
        match &self.senders {
            Some(senders) => senders.try_send_to(shard, request).map_err(drop),
            None => Err(()),
        }
    }
}
