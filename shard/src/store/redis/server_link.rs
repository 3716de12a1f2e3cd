//! A connection to one server that is kept up.

use std::{rc::Rc, time::Instant};

use futures_lite::future;
use glommio::{Task, timer::Timer};
use shard_core::redis::{Failure, FailureKind, Reconnect, ServerAddress, ServerFacts};

use super::{
    RedisConfig, Topology,
    connection::{Connection, Driver, connect},
    link_counts::LinkCounts,
    sentinel::find_master,
    state::LinkState,
};

/// To whom the connection goes.
pub(super) enum Target {
    /// Always to this one.
    Server(ServerAddress),
    /// To whoever is master by the settings' word.
    Master,
}

/// The way to one server. The connection ends with it.
pub(super) struct ServerLink {
    state: Rc<LinkState>,
    /// Ends when it is dropped, and with it the connection.
    _keeper: Task<()>,
}

impl ServerLink {
    /// Starts to connect, on the executor of the caller; returns before there is a connection.
    pub(super) fn start(config: &Rc<RedisConfig>, target: Target, counts: &Rc<LinkCounts>) -> Self {
        let state = Rc::new(LinkState::new(Rc::clone(counts)));
        let keeper =
            glommio::spawn_local(keep_connected(Rc::clone(config), target, (Rc::clone(&state), Rc::clone(counts))));
        Self { state, _keeper: keeper }
    }

    pub(super) fn state(&self) -> &LinkState {
        &self.state
    }
}

/// Connects, and again whenever the connection has ended.
async fn keep_connected(config: Rc<RedisConfig>, target: Target, (state, counts): (Rc<LinkState>, Rc<LinkCounts>)) {
    let mut reconnect = Reconnect::default();
    let mut reported = None;
    loop {
        let begun = Instant::now();
        let failure = match connect_to(&config, &target).await {
            Ok((server, connection, driver, facts)) => {
                let version = facts.version.as_str();
                let caveat = facts.caveat.as_deref().unwrap_or("none");
                tracing::info!(%server, version, persistence = ?facts.persistence, caveat, "connected to Redis");
                reported = None;
                let given_up = state.set_up(connection, facts.persistence);
                future::or(
                    async {
                        driver.await;
                        Failure::new(FailureKind::ConnectionLost, "it was closed")
                    },
                    async { given_up.await.unwrap_or_else(|_| Failure::new(FailureKind::ConnectionLost, "given up")) },
                )
                .await
            }
            Err(failure) => {
                counts.on_failure();
                failure
            }
        };
        // Once for each reason, not for each try.
        if reported != Some(failure.kind()) {
            tracing::warn!(%failure, "no connection to Redis");
            reported = Some(failure.kind());
        }
        state.set_away(failure);
        Timer::new(reconnect.delay_after(begun.elapsed())).await;
    }
}

async fn connect_to(
    config: &RedisConfig,
    target: &Target,
) -> Result<(ServerAddress, Connection, Driver, ServerFacts), Failure> {
    let server = match (target, &config.topology) {
        (Target::Server(server), _) => server.clone(),
        (Target::Master, Topology::Sentinel(sentinels)) => find_master(config, sentinels).await?,
        (Target::Master, Topology::Single | Topology::Cluster) => config.server(),
    };
    let (connection, driver, facts) = connect(config, &server).await?;
    Ok((server, connection, driver, facts))
}
