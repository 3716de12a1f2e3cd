//! What every connection of a core shares.

use std::{future::Future, rc::Rc, sync::Arc};

use raft::{ClusterHandle, GroupHandle, MetadataHandle};
use shard::ShardHandle;

use crate::{
    address_counts::AddressCounts,
    application::{Admitted, Application, Fault},
    audit::AuditLog,
    auth::Authenticator,
    call::Call,
    config::GatewayConfig,
    core_state::CoreState,
    error,
    http::{request::Request, request_id::RequestId, response::Response},
    metrics::GatewayMetrics,
    operations,
    output_budget::OutputBudget,
    push::PushBoard,
    quota,
    shutdown::Shutdown,
    traces,
    websocket::{Upgraded, session},
};

/// A core's ways to the rest of the node. Clones are cheap and stay on their core.
#[derive(Clone, Debug)]
pub struct Context {
    /// The partitions, on whichever core they are.
    pub shards: ShardHandle,
    /// Topics and subscriptions.
    pub metadata: MetadataHandle,
    /// The consumers of subscriptions whose partitions are assigned.
    pub groups: GroupHandle,
    /// What operators ask of the cluster.
    pub cluster: ClusterHandle,
    /// Finds out who asks.
    pub authenticator: Rc<Authenticator>,
    /// Where it is written down what was done and refused.
    pub audit: Rc<AuditLog>,
    /// The settings.
    pub config: Rc<GatewayConfig>,
    /// This core's counts.
    pub metrics: Arc<GatewayMetrics>,
    /// What operations remember from call to call.
    pub core: Rc<CoreState>,
    /// The connections of each address, over all cores; not bounded if there is none.
    pub addresses: Option<Arc<AddressCounts>>,
    /// How the requests of push subscriptions go.
    pub push: PushBoard,
    /// Says when the node stops.
    pub shutdown: Shutdown,
}

impl Application for Context {
    fn config(&self) -> &GatewayConfig {
        &self.config
    }

    fn metrics(&self) -> &Arc<GatewayMetrics> {
        &self.metrics
    }

    fn addresses(&self) -> Option<&Arc<AddressCounts>> {
        self.addresses.as_ref()
    }

    fn outputs(&self) -> &OutputBudget {
        self.core.outputs()
    }

    fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    fn streams_body(head: &Request) -> bool {
        operations::publish_lines::takes_body(head)
    }

    fn admit(&self, call: &Call<'_>) -> Result<Admitted, Response> {
        let mut span = traces::begin(self, call);
        let caller = operations::admitted(self, call).inspect_err(|_| span.fail("not admitted"))?;
        match quota::connect(self, &caller) {
            Ok(hold) => Ok(Admitted { caller, hold }),
            Err(failure) => Err(error::answer(failure.into_problem(), call.request.id())),
        }
    }

    async fn handle(&self, call: Call<'_>) -> Response {
        operations::handle(self, call).await
    }

    fn upgraded(&self, connection: Upgraded) -> impl Future<Output = ()> {
        session::run(self.clone(), connection)
    }

    fn fault(&self, fault: &Fault, request: RequestId) -> Response {
        match fault {
            Fault::Refused(refusal) => error::refusal_answer(refusal, request),
            Fault::Unrouted(unrouted) => error::route_answer(unrouted, request),
            Fault::Handshake(refused) => error::handshake_answer(*refused, request),
        }
    }
}
