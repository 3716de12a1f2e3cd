//! `/v1/cluster` and moves of partitions: how the nodes stand, and what operators do with them.

use gateway_api::{
    Code,
    cluster::{
        DrainRequest, LeaderRequest, LostPartition, MoveRequest, MovedPartition, RemovedNode, UncleanElectRequest,
        UncleanElected,
    },
    decode::decode,
};
use raft::{
    ClusterStanding, OperateError, OperateRefusal,
    controller::drain_progress,
    metadata::{ClusterState, Command, Node, NodeId, Outcome},
};

use super::{cluster_json, find_topic, json, outcomes, query, resources::find_partition};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::{request::Request, response::Response},
};

pub(super) async fn show(context: &Context) -> Result<Response, Failure> {
    answer(context).await
}

pub(super) async fn show_node(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    answer_node(context, number(call.route.name)?).await
}

async fn answer(context: &Context) -> Result<Response, Failure> {
    let standing = standing(context).await?;
    json(200, &cluster_json::cluster(&context.metadata.state(), &standing, context.config.node_id))
}

async fn answer_node(context: &Context, id: NodeId) -> Result<Response, Failure> {
    find_node(&context.metadata.state(), id)?;
    let standing = standing(context).await?;
    let node = cluster_json::node(&context.metadata.state(), &standing, id);
    json(200, &node.ok_or_else(|| not_found(id))?)
}

async fn standing(context: &Context) -> Result<ClusterStanding, Failure> {
    context.cluster.describe().await.map_err(|error| error::of_operate(&error))
}

pub(super) async fn rebalance(context: &Context) -> Result<Response, Failure> {
    context.cluster.rebalance().await.map_err(|error| error::of_operate(&error))?;
    answer(context).await
}

pub(super) async fn transfer_leadership(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let LeaderRequest { node } = optional(call.request)?;
    hand_over(context, node.map(NodeId::new)).await?;
    let to = node.map_or_else(|| "another node".to_owned(), |node| format!("node {node}"));
    Ok(answer(context).await?.concerning(format!("leadership to {to}")))
}

async fn hand_over(context: &Context, to: Option<NodeId>) -> Result<(), Failure> {
    context.cluster.transfer_leadership(to).await.map_err(|error| error::of_operate(&error))
}

pub(super) async fn drain(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    query::check_names(call.request, &["draining"])?;
    let of_query = query::value(call.request, "draining", "true or false")?;
    let DrainRequest { draining } = optional(call.request)?;
    let draining = of_query.or(draining).unwrap_or(true);
    let node = number(call.route.name)?;
    outcomes::propose(context, Command::SetDraining { node, draining }).await?;
    let what = if draining { "empty" } else { "do not empty" };
    Ok(answer_node(context, node).await?.concerning(format!("{what} node {node}")))
}

pub(super) async fn remove(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    query::check_names(call.request, &["force"])?;
    let force = query::value(call.request, "force", "true or false")?.unwrap_or(false);
    let node = number(call.route.name)?;
    check_removable(&context.metadata.state(), node, force)?;
    // Who leads can't be taken out under its own lead without a pause for everyone.
    if standing(context).await?.leader == Some(node) {
        hand_over(context, None).await?;
    }
    let before = context.metadata.state();
    let outcome = outcomes::propose(context, Command::RemoveNode { node, force }).await?;
    let Outcome::NodeRemoved { lost, first_lost } = outcome else { return Err(outcomes::unexpected(&outcome)) };
    let named = first_lost.iter().filter_map(|partition| {
        let topic = before.topic_by_id(partition.topic)?.name.as_str().to_owned();
        Some(LostPartition { topic, partition: partition.partition })
    });
    let lost_partitions = u64::try_from(lost).unwrap_or(u64::MAX);
    let removed = RemovedNode { node: node.get(), lost_partitions, lost: named.collect() };
    let how = if force { " by force" } else { "" };
    Ok(json(200, &removed)?.concerning(format!("node {node}{how}, {lost} partitions given up")))
}

/// Whether a node may go, as far as it can be said with advice; the metadata have the last word.
fn check_removable(state: &ClusterState, id: NodeId, force: bool) -> Result<(), Failure> {
    if state.is_removed(id) || state.nodes().len() == 1 {
        return Ok(());
    }
    let node = find_node(state, id)?;
    let progress = drain_progress(state, id);
    let partitions = progress.left.max(progress.kept);
    let in_use = |detail: String| Err(error::of_code(Code::NodeInUse, detail));
    match node {
        Node { fenced: false, draining: false, .. } => in_use(format!(
            "node {id} is up: have it emptied first (POST /v1/cluster/nodes/{id}/drain), and stop it once nothing is left \
             on it"
        )),
        Node { fenced: false, .. } if partitions > 0 => in_use(format!(
            "node {id} is being emptied: {partitions} partitions are left on it, {} of which no other node can take as \
             things are",
            progress.stuck.max(progress.kept_stuck)
        )),
        Node { fenced: true, .. } if partitions > 0 && !force => in_use(if state.shared_store() == Some(true) {
            format!(
                "node {id} is down, and its {partitions} partitions are about to go to others: try again in a moment"
            )
        } else {
            format!(
                "node {id} is down, and {partitions} partitions are on its disk: start it again, or remove it by force \
                 (force=true), which gives the messages up that only it has"
            )
        }),
        Node { .. } => Ok(()),
    }
}

pub(super) async fn move_partition(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let MoveRequest { node } = decode(call.request.body()).map_err(error::of_decode)?;
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    let partition = find_partition(topic, call.route.item)?;
    match context.cluster.move_partition(partition, NodeId::new(node)).await {
        // A repetition changes nothing.
        Ok(()) | Err(OperateError::Refused(OperateRefusal::Unchanged { .. })) => {}
        Err(refused) => return Err(error::of_operate(&refused)),
    }
    let state = context.metadata.state();
    let moved = state.topic_by_id(partition.topic).and_then(|topic| topic.partition(partition.partition));
    let leader_epoch = moved.map_or(0, |moved| moved.leader_epoch.get());
    let pending = moved.is_some_and(|moved| moved.owner != Some(NodeId::new(node)));
    let (name, partition) = (topic.name.as_str(), partition.partition.get());
    let body = MovedPartition { topic: name.to_owned(), partition, node, leader_epoch, pending };
    Ok(json(200, &body)?.concerning(format!("{name}/{partition} to node {node}")))
}

pub(super) async fn elect_unclean(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let UncleanElectRequest { node, accept_loss } = decode(call.request.body()).map_err(error::of_decode)?;
    if !accept_loss {
        return Err(error::invalid("accept_loss", "it has to be true: messages that were acknowledged may be lost"));
    }
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    let named = find_partition(topic, call.route.item)?;
    let elected = context.cluster.elect_unclean(named, node.map(NodeId::new)).await;
    elected.map_err(|error| error::of_operate(&error))?;
    let state = context.metadata.state();
    let now = state.topic_by_id(named.topic).and_then(|topic| topic.partition(named.partition));
    let now = now.ok_or_else(|| error::of_code(Code::PartitionNotFound, "the topic was deleted meanwhile"))?;
    let (name, partition) = (topic.name.as_str(), named.partition.get());
    let node = now.owner.map(NodeId::get).or(node).unwrap_or_default();
    tracing::warn!(topic = name, partition, node, "an operator gave up what was acknowledged and the node lacks");
    let (leader_epoch, incarnation) = (now.leader_epoch.get(), now.incarnation);
    let body = UncleanElected { topic: name.to_owned(), partition, node, leader_epoch, incarnation };
    let concerns = format!("{name}/{partition} to node {node} without what it lacks, incarnation {incarnation}");
    Ok(json(200, &body)?.concerning(concerns))
}

/// A body that may be left out.
fn optional<T: serde::de::DeserializeOwned + Default>(request: &Request) -> Result<T, Failure> {
    if request.body().is_empty() { Ok(T::default()) } else { decode(request.body()).map_err(error::of_decode) }
}

fn number(text: &str) -> Result<NodeId, Failure> {
    let missing = |_| error::of_code(Code::NodeNotFound, "the cluster has no such node: nodes have numbers");
    text.parse().map(NodeId::new).map_err(missing)
}

fn find_node(state: &ClusterState, id: NodeId) -> Result<&Node, Failure> {
    state.node(id).ok_or_else(|| not_found(id))
}

fn not_found(id: NodeId) -> Failure {
    error::of_code(Code::NodeNotFound, format!("the cluster has no node {id}"))
}

#[cfg(test)]
mod tests {
    use raft::metadata::Incarnation;

    use super::*;

    fn state(shared_store: bool, commands: Vec<Command>) -> ClusterState {
        let mut state = ClusterState::default();
        let join = |number: u64| Command::JoinNode {
            node: NodeId::new(number),
            incarnation: Incarnation::new([u8::try_from(number).unwrap(); 16]),
            address: format!("node-{number}:7081"),
            client_address: String::new(),
            rack: None,
            shards: 1,
            software: raft::limits::COMMAND_LEVEL,
            shared_store,
        };
        let topic = Command::CreateTopic {
            name: shard_core::model::TopicName::new("orders").unwrap(),
            config: raft::metadata::TopicConfig { partitions: 3, ..Default::default() },
            created_at: shard_core::model::Timestamp::default(),
        };
        for command in [join(1), topic, join(2)].into_iter().chain(commands) {
            state.apply(command).unwrap();
        }
        state
    }

    fn refusal(state: &ClusterState, force: bool) -> Option<String> {
        let failure = check_removable(state, NodeId::new(1), force).err()?;
        assert_eq!(failure.code, Code::NodeInUse);
        Some(failure.detail.clone())
    }

    fn fence(state: &ClusterState) -> Command {
        Command::FenceNode { node: NodeId::new(1), epoch: state.node(NodeId::new(1)).unwrap().epoch }
    }

    #[test]
    fn a_node_that_is_needed_is_not_removed_and_it_says_what_to_do() {
        let up = state(true, Vec::new());
        assert!(refusal(&up, true).unwrap().contains("POST /v1/cluster/nodes/1/drain"));
        let drain = Command::SetDraining { node: NodeId::new(1), draining: true };
        assert!(refusal(&state(true, vec![drain]), true).unwrap().contains("3 partitions are left"));
        let down = state(true, vec![fence(&up)]);
        assert!(refusal(&down, false).unwrap().contains("try again in a moment"));
        let down = state(false, vec![fence(&state(false, Vec::new()))]);
        assert!(refusal(&down, false).unwrap().contains("force=true"));
        assert_eq!(refusal(&down, true), None);
    }

    #[test]
    fn a_node_is_known_by_its_number_alone() {
        let state = state(true, Vec::new());
        assert_eq!(check_removable(&state, NodeId::new(7), true).unwrap_err().code, Code::NodeNotFound);
        assert_eq!(number("one").unwrap_err().code, Code::NodeNotFound);
        assert_eq!(number("7").unwrap(), NodeId::new(7));
    }
}
