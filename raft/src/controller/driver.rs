//! The task that lets the controller decide while this node leads, and writes what it decides.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::core::Controller;
use crate::{
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
        Self { controller: Arc::default(), started: Instant::now() }
    }

    /// A node lives.
    pub(crate) fn heard(&self, sign: Heartbeat) {
        self.with(|controller, now| controller.heard(sign.node, sign.epoch, now, sign.version));
    }

    /// A run of a node ends: it is not heard of any more, whatever is still under way.
    pub(crate) fn gone(&self, sign: Heartbeat) {
        self.with(|controller, _| controller.gone(sign.node, sign.epoch));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Controller, Duration) -> T) -> T {
        // Nothing in there is left half done by a panic.
        let mut controller = self.controller.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut controller, self.started.elapsed())
    }
}

impl ControllerDriver {
    /// Runs until the node stops.
    pub(crate) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut ticks = interval(limits::CONTROLLER_TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                // What the last round has changed is looked at without a wait.
                changed = self.applied.changed() => if changed.is_err() { return },
                _ = ticks.tick() => {}
            }
            if !self.leader.is_here() {
                self.port.with(|controller, _| controller.follows());
                continue;
            }
            let state = Arc::clone(&self.applied.borrow_and_update());
            let term = self.raft.metrics().borrow().current_term;
            let commands = self.port.with(|controller, now| {
                controller.leads(now, term);
                controller.decide(&state, now)
            });
            for batch in commands.chunks(limits::CONTROLLER_COMMANDS_MAX) {
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
