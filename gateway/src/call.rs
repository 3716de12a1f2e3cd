//! One request on its way to its operation.

use crate::{
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
    /// The name on the client's certificate, which was verified; none if it showed none.
    pub certificate: Option<&'a str>,
}
