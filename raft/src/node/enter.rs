//! How a run of a node comes to be part of a cluster: as its founder, as a new member, or as one that was there.

use std::collections::BTreeMap;

use openraft::{BasicNode, LogIdOptionExt as _};

use super::{ClusterPlan, StartError, raft_failed};
use crate::{
    join::{admit, await_registration, cluster_is_there, join},
    limits,
    metadata::{AckKey, Command},
    peers::{Peers, Registration, Seat},
    type_config::CommandBatch,
};

/// Returns the epoch of this run once this node has applied its registration.
pub(super) async fn enter(
    registration: &Registration,
    plan: Option<&ClusterPlan>,
    seat: &Seat,
    peers: &Peers,
) -> Result<u64, StartError> {
    let member = seat.raft.is_initialized().await.map_err(raft_failed)?;
    if member {
        if plan.is_some_and(|plan| plan.init) {
            tracing::info!("this node belongs to a cluster already: --cluster-init founds no other");
        }
        admit(seat);
    }
    if let Some(plan) = plan {
        plan.server.open(seat.clone());
    }
    let seeds = plan.map_or(&[][..], |plan| &plan.seeds);
    let founds = match plan {
        None => !member,
        Some(plan) => !member && plan.init && !cluster_is_there(registration, seeds, peers).await,
    };
    if founds {
        admit(seat);
        found(registration, seat).await?;
    }
    if plan.is_none() || founds {
        await_leadership(registration, seat).await?;
        give_identity(seat).await?;
    }
    let epoch = join(registration, seeds, seat, peers).await?;
    admit(seat);
    await_registration(&mut seat.applied.clone(), registration.node, epoch).await;
    Ok(epoch)
}

async fn found(registration: &Registration, seat: &Seat) -> Result<(), StartError> {
    let members = BTreeMap::from([(registration.node.get(), BasicNode::new(&registration.address))]);
    seat.raft.initialize(members).await.map_err(raft_failed)
}

/// Waits until this node, a cluster by itself, leads and has applied its whole log.
async fn await_leadership(registration: &Registration, seat: &Seat) -> Result<(), StartError> {
    let node = registration.node.get();
    seat.raft
        .wait(Some(limits::LEADERSHIP_WAIT))
        .metrics(
            |metrics| {
                let leads = metrics.current_leader == Some(node);
                leads && metrics.last_log_index.is_some() && metrics.last_applied.index() == metrics.last_log_index
            },
            "this node leads and has applied its log",
        )
        .await
        .map(drop)
        .map_err(raft_failed)
}

/// Gives a new cluster its id and its key.
async fn give_identity(seat: &Seat) -> Result<(), StartError> {
    if !seat.applied.borrow().cluster_id().is_empty() {
        return Ok(());
    }
    let cluster_id = uuid::Uuid::new_v4().to_string();
    let bootstrap = Command::Bootstrap { cluster_id, ack_key: random_ack_key() };
    let written = seat.raft.client_write(CommandBatch(vec![bootstrap])).await.map_err(raft_failed)?;
    for outcome in written.data.outcomes {
        outcome?;
    }
    Ok(())
}

/// 16 random bytes. A UUID has six fixed bits, so two of them are folded such that random bits cover every place.
fn random_ack_key() -> AckKey {
    let (first, second) = (uuid::Uuid::new_v4().as_u128(), uuid::Uuid::new_v4().as_u128());
    AckKey::new((first ^ second.rotate_left(64)).to_be_bytes())
}
