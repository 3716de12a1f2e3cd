//! One request on its way to its operation.

use shard_core::trace::TraceContext;

use crate::{
    auth::Caller,
    byte_budget::ByteBudget,
    client::Client,
    http::{request::Request, router::RouteMatch},
    peer::Peer,
};

/// What an operation is given.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// What is asked, with the parameters of the path.
    pub route: RouteMatch<'a>,
    /// The whole request.
    pub request: &'a Request,
    /// Whether the client is still there; long waits end when it is not.
    pub peer: &'a Peer,
    /// The other end of the connection.
    pub client: &'a Client,
    /// Who asks, once that is known.
    pub caller: &'a Caller,
    /// For bodies that become larger than they were sent.
    pub(crate) bodies: &'a ByteBudget,
    /// Its span, if it is recorded.
    pub(crate) trace: Option<TraceContext>,
}
