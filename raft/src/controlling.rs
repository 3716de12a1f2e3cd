//! The task around the controller: lets it decide while this node leads, and writes what it decides.

use std::sync::{Arc, Mutex, PoisonError};

use shard_core::model::Monotonic;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::{
    controller::Controller,
    leader::Leader,
    limits,
    metadata::{ClusterState, Command},
    peers::Heartbeat,
    type_config::{CommandBatch, Raft},
};

/// Where signs of life are told to the controller. Every voter hears them, so that a new leader knows who lives.
#[derive(Clone, Debug)]
pub(crate) struct ControllerPort {
    controller: Arc<Mutex<Controller>>,
    started: Instant,
}

/// Decides and writes, while this node leads.
pub(crate) struct ControllerDriver {
    pub(crate) raft: Raft,
    pub(crate) leader: Leader,
    pub(crate) applied: watch::Receiver<Arc<ClusterState>>,
    pub(crate) port: ControllerPort,
}

impl ControllerPort {
    pub(crate) fn new() -> Self {
        let controller = Controller::new(Monotonic::default());
        Self { controller: Arc::new(Mutex::new(controller)), started: Instant::now() }
    }

    /// A node lives.
    pub(crate) fn heard(&self, sign: Heartbeat) {
        self.with(|controller, now| controller.heard(now, sign.node, sign.epoch, sign.version));
    }

    /// A run of a node ends: it is not heard of any more, whatever is still under way.
    pub(crate) fn gone(&self, sign: Heartbeat) {
        self.with(|controller, now| controller.gone(now, sign.node, sign.epoch));
    }

    /// Lets the controller do something at the present time.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Controller, Monotonic) -> T) -> T {
        // Nothing in there is left half done by a panic.
        let mut controller = self.controller.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut controller, Monotonic::default().plus(self.started.elapsed()))
    }
}

impl ControllerDriver {
    /// Runs until the node stops.
    pub(crate) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut ticks = interval(limits::CONTROLLER_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                // What the last round has changed is looked at without a wait.
                changed = self.applied.changed() => if changed.is_err() { return },
                _ = ticks.tick() => {}
            }
            let leads = self.leader.is_here();
            let state = Arc::clone(&self.applied.borrow_and_update());
            let term = self.raft.metrics().borrow().current_term;
            let commands = self.port.with(|controller, now| {
                if leads {
                    controller.leads(now, term);
                } else {
                    controller.follows();
                }
                controller.decide(now, &state)
            });
            for batch in commands.chunks(limits::CONTROLLER_ENTRY_COMMANDS_MAX) {
                self.write(batch.to_vec()).await;
            }
        }
    }

    async fn write(&self, commands: Vec<Command>) {
        tracing::info!(?commands, "the controller changes the cluster");
        match timeout(limits::WRITE_WAIT, self.raft.client_write(CommandBatch(commands))).await {
            // What was refused is decided anew from the state that refused it.
            Ok(Ok(written)) => {
                for refusal in written.data.outcomes.into_iter().filter_map(Result::err) {
                    tracing::debug!(%refusal, "a change of the controller came too late");
                }
            }
            Ok(Err(error)) => tracing::debug!(%error, "the controller could not write"),
            Err(_) => tracing::warn!("a change of the controller takes long"),
        }
    }
}
