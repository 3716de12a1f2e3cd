//! Which node a client talks to: any one, and another one when that refuses.

use std::{sync::Arc, time::Duration};

use gateway_api::client::{Client, ClientError, Endpoint};

use super::{Site, outcome, pause};
use crate::random::Random;

/// How long a client waits for an answer before it counts as lost.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);
/// How often a client changes to another node without a reason: once in so many requests.
const WANDER_ONE_IN: u64 = 20;
/// How long a client rests after a refusal.
const REFUSED_PAUSE_MS: u64 = 50;

/// A client's view of the nodes.
pub(crate) struct Dial {
    pub site: Arc<Site>,
    /// The number of the client.
    pub client: u32,
    pub random: Random,
    clients: Vec<Client>,
    at: usize,
}

impl Dial {
    pub(crate) fn new(site: Arc<Site>, client: u32, mut random: Random) -> Self {
        let endpoints = site.nodes.iter().cloned();
        let clients: Vec<_> =
            endpoints.map(|endpoint| Client::new(endpoint, None).with_answer_timeout(ANSWER_TIMEOUT)).collect();
        let at = usize::try_from(random.below(clients.len() as u64)).unwrap();
        Self { site, client, random, clients, at }
    }

    /// One that talks to this node (its index) alone, as long as it is not told otherwise.
    pub(crate) fn at(site: Arc<Site>, client: u32, at: usize) -> Self {
        Self { at, ..Self::new(site, client, Random::new(0, 0)) }
    }

    /// The node that is talked to now, by its place.
    pub(crate) fn node(&self) -> u32 {
        u32::try_from(self.at).unwrap() + 1
    }

    /// Who a history says has done something there.
    pub(super) fn who(&self) -> (u32, u32) {
        (self.client, self.node())
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.site.nodes[self.at]
    }

    /// The node for the next request.
    pub(crate) fn next(&mut self) -> &Client {
        if self.random.one_in(WANDER_ONE_IN) {
            self.move_on();
        }
        &self.clients[self.at]
    }

    /// The same node as before.
    pub(crate) fn here(&self) -> &Client {
        &self.clients[self.at]
    }

    /// Another node, if there is one.
    pub(super) fn move_on(&mut self) {
        let others = self.clients.len() as u64 - 1;
        if others > 0 {
            let step = usize::try_from(1 + self.random.below(others)).unwrap();
            self.at = (self.at + step) % self.clients.len();
        }
    }

    /// After an error: it is judged, and another node is next, in a moment.
    pub(crate) async fn refused(&mut self, doing: &str, error: &ClientError) {
        outcome::judge(&self.site.recorder, doing, self.node(), error);
        self.move_on();
        pause(REFUSED_PAUSE_MS).await;
    }

    pub(crate) fn now(&self) -> u64 {
        self.site.recorder.now()
    }
}
