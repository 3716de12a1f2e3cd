//! What the connections of a core share.

use std::{
    cell::RefCell,
    hash::{BuildHasher, RandomState},
};

use crate::{
    application::Application,
    byte_budget::ByteBudget,
    connection_table::ConnectionTable,
    http::request_id::{RequestId, RequestIds},
    socket::Scratch,
};

/// One core's server.
#[derive(Debug)]
pub(crate) struct ServerState<A> {
    pub(crate) application: A,
    pub(crate) table: ConnectionTable,
    pub(crate) scratch: Scratch,
    /// For request bodies beyond what each connection has free.
    pub(crate) bodies: ByteBudget,
    request_ids: RefCell<RequestIds>,
}

impl<A: Application> ServerState<A> {
    pub(crate) fn new(application: A) -> Self {
        let config = application.config();
        Self {
            table: ConnectionTable::new(config.connections_max),
            scratch: Scratch::new(),
            bodies: ByteBudget::new(config.bodies_bytes_max),
            request_ids: RefCell::new(RequestIds::new(RandomState::new().hash_one("request ids"))),
            application,
        }
    }

    pub(crate) fn next_request_id(&self) -> RequestId {
        self.request_ids.borrow_mut().next_id()
    }
}
