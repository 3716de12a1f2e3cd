//! What clients can ask for: one file per operation, and the one place where routes find theirs.

mod accept;
mod access_json;
mod ack;
mod ack_groups;
mod acknowledge;
mod batch_json;
mod batch_read;
mod cancel_scheduled;
mod cluster;
mod cluster_json;
mod coding;
mod consumers;
mod create_key;
mod create_ticket;
pub(crate) mod deadline;
mod delete_subscription;
mod delete_topic;
mod deliverable;
mod describe;
mod events;
pub(crate) mod extend;
mod get_subscription;
mod get_topic;
mod healthz;
mod heartbeat_consumer;
mod in_parts;
mod join_consumer;
mod keys;
mod leave_consumer;
mod letters;
mod list_dead_letters;
mod list_scheduled;
mod list_subscriptions;
mod list_topics;
pub(crate) mod nack;
mod outcomes;
mod page;
mod partition_failures;
mod patch_subscription;
mod patch_topic;
mod preconditions;
mod principals;
mod publish;
mod publish_batch;
pub(crate) mod publish_lines;
mod publish_one;
mod publish_results;
mod pull;
mod pull_batches;
mod pull_page;
mod push_config;
mod put_subscription;
mod put_topic;
mod query;
mod read_partition;
mod readyz;
mod redrive;
mod resources;
pub(crate) mod retry;
mod seek;
mod subscription_config;
mod topic_config;
mod verify;
mod walk;
mod whoami;

use gateway_api::Code;
use shard_core::model::Timestamp;

pub(crate) use acknowledge::acknowledge;
pub(crate) use batch_json::{ReadBounds, ReadEnd, append_read, for_each_read};
pub(crate) use batch_read::{BatchesEnd, whole_batches};
pub(crate) use consumers::check_consumer_id;
pub(crate) use deliverable::await_deliverable;
pub(crate) use publish::{PublishReport, acks, publish, target};
pub(crate) use pull_batches::pull_batches;
pub(crate) use pull_page::{PullBounds, PullPage};
pub(crate) use resources::{cursors, find_pullable, find_subscription, find_topic, partitions};

use crate::{
    auth::{
        self, Caller,
        policy::{self, Rule},
    },
    call::Call,
    context::Context,
    core_state,
    error::{self, Failure},
    http::{response::Response, router::Route},
    quota, traces,
};

/// Answers one request; a WebSocket is opened by the connection itself.
pub async fn handle(context: &Context, call: Call<'_>) -> Response {
    let span = traces::begin(context, &call);
    let response = answered(context, Call { trace: span.context(), ..call }).await;
    traces::end(span, &response);
    response
}

async fn answered(context: &Context, call: Call<'_>) -> Response {
    let caller = match admitted(context, &call) {
        Ok(caller) => caller,
        Err(refused) => return refused,
    };
    let call = Call { caller: &caller, ..call };
    // Whoever watches whether the node lives is not put off.
    let meter = if policy::rule(call.route.route) == Rule::Public { &Caller::Nobody } else { &caller };
    let begun = quota::begin(context, meter, call.request.size());
    let answered = match begun {
        Ok(_held) => handle_plain(context, call).await,
        Err(failure) => Err(failure),
    };
    let response = answered.unwrap_or_else(|problem| error::answer(problem.into_problem(), call.request.id()));
    context.audit.answered(&call, &response);
    quota::told(context, &caller, response)
}

/// Who sends a request, if they may; else the answer, which is written down.
pub(crate) fn admitted(context: &Context, call: &Call<'_>) -> Result<Caller, Response> {
    auth::admit(context, call).map_err(|(caller, denied)| {
        context.audit.refused(call, &caller, &denied);
        error::denied_answer(&denied, call.request.id())
    })
}

/// Whether there is room for one more long answer; asked again by what has waited.
fn check_room(context: &Context) -> Result<(), Failure> {
    if context.core.outputs().is_exhausted() {
        return Err(error::of_code(Code::Overloaded, "too much waits for clients that are slow to read"));
    }
    Ok(())
}

/// Whether what is asked has an answer that may be long.
const fn is_long(route: Route) -> bool {
    matches!(
        route,
        Route::ReadPartition
            | Route::Events
            | Route::Pull
            | Route::ListDeadLetters
            | Route::ListScheduled
            | Route::ListTopics
            | Route::ListSubscriptions
            | Route::ListKeys
            | Route::ListPrincipals
    )
}

/// Hands a request to its operation, its body without content coding.
async fn handle_plain(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    if call.request.is_plain() {
        return dispatch(context, call).await;
    }
    let undone = Box::pin(coding::undone(context, &call)).await?;
    Box::pin(dispatch(context, Call { request: &undone.request, ..call })).await
}

async fn dispatch(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    if is_long(call.route.route) {
        check_room(context)?;
    }
    match call.route.route {
        Route::PublishBatch => publish_batch::handle(context, call).await,
        Route::PublishOne => publish_one::handle(context, call).await,
        Route::ReadPartition => Box::pin(read_partition::handle(context, call)).await,
        Route::Events => Box::pin(events::handle(context, call)).await,
        Route::Pull => Box::pin(pull::handle(context, call)).await,
        Route::Ack => Box::pin(ack::handle(context, call)).await,
        Route::Nack => Box::pin(nack::handle(context, call)).await,
        Route::Extend => Box::pin(extend::handle(context, call)).await,
        Route::Seek => Box::pin(seek::handle(context, call)).await,
        Route::ListDeadLetters => Box::pin(list_dead_letters::handle(context, call)).await,
        Route::Redrive => Box::pin(redrive::handle(context, call)).await,
        Route::ListScheduled => Box::pin(list_scheduled::handle(context, call)).await,
        Route::CancelScheduled => Box::pin(cancel_scheduled::handle(context, call)).await,
        Route::ListKeys => keys::list(context, call),
        Route::CreateKey => Box::pin(create_key::handle(context, call)).await,
        Route::GetKey => keys::get(context, call),
        Route::DeleteKey => Box::pin(keys::delete(context, call)).await,
        Route::ListPrincipals => principals::list(context, call),
        Route::GetPrincipal => principals::get(context, call),
        Route::PutPrincipal => Box::pin(principals::put(context, call)).await,
        Route::DeletePrincipal => Box::pin(principals::delete(context, call)).await,
        Route::GetCluster => Box::pin(cluster::show(context)).await,
        Route::Rebalance => Box::pin(cluster::rebalance(context)).await,
        Route::TransferLeadership => Box::pin(cluster::transfer_leadership(context, call)).await,
        Route::GetNode => Box::pin(cluster::show_node(context, call)).await,
        Route::DeleteNode => Box::pin(cluster::remove(context, call)).await,
        Route::DrainNode => Box::pin(cluster::drain(context, call)).await,
        Route::MovePartition => Box::pin(cluster::move_partition(context, call)).await,
        Route::ElectUnclean => Box::pin(cluster::elect_unclean(context, call)).await,
        Route::VerifyPartition => Box::pin(verify::handle(context, call)).await,
        Route::Whoami => whoami::handle(call),
        Route::CreateTicket => create_ticket::handle(context, call),
        Route::ListTopics => list_topics::handle(context, call),
        Route::PutTopic => Box::pin(put_topic::handle(context, call)).await,
        Route::GetTopic => Box::pin(get_topic::handle(context, call)).await,
        Route::PatchTopic => Box::pin(patch_topic::handle(context, call)).await,
        Route::DeleteTopic => Box::pin(delete_topic::handle(context, call)).await,
        Route::ListSubscriptions => list_subscriptions::handle(context, call),
        Route::PutSubscription => Box::pin(put_subscription::handle(context, call)).await,
        Route::GetSubscription => Box::pin(get_subscription::handle(context, call)).await,
        Route::PatchSubscription => Box::pin(patch_subscription::handle(context, call)).await,
        Route::DeleteSubscription => Box::pin(delete_subscription::handle(context, call)).await,
        Route::JoinConsumer => Box::pin(join_consumer::handle(context, call)).await,
        Route::HeartbeatConsumer => Box::pin(heartbeat_consumer::handle(context, call)).await,
        Route::LeaveConsumer => Box::pin(leave_consumer::handle(context, call)).await,
        Route::WebSocket => Err(error::of_code(Code::UpgradeRequired, "this path is for WebSocket")),
        Route::Healthz => Ok(healthz::handle()),
        Route::Readyz => Ok(Box::pin(readyz::handle(context, call.caller)).await),
        Route::OpenApi => Ok(describe::openapi(call)),
        Route::AsyncApi => Ok(describe::asyncapi(call)),
        Route::Home => Ok(describe::home()),
        Route::Docs | Route::DocsFile => describe::docs(call),
    }
}

/// An answer whose body is one of the API's types.
fn json<T: serde::Serialize>(status: u16, body: &T) -> Result<Response, Failure> {
    match serde_json::to_vec(body) {
        Ok(body) => Ok(Response::json(status, body)),
        Err(error) => Err(error::of_code(Code::Internal, error.to_string())),
    }
}

/// The time at which something is created, by this node's clock.
fn created_at() -> Timestamp {
    Timestamp::from_millis(i64::try_from(core_state::now_millis()).unwrap_or(i64::MAX))
}
