//! Who asks, and whether they may: credentials to principals, principals to grants, grants against rules.
//!
//! All but this file is pure. [`policy`] is the table of what each request needs; it is looked at before an operation
//! begins, so that who may not see a thing does not learn whether it is there.

pub mod authenticator;
pub mod caller;
pub mod credential;
pub mod enforce;
pub mod jwt;
pub mod policy;
pub mod secret_key;
pub mod ticket;

use std::sync::Arc;

use raft::{limits::KEY_ID_LENGTH, metadata::ClusterState};
use ring::rand::{SecureRandom, SystemRandom};
use shard_core::model::Timestamp;

pub use authenticator::{AuthMode, Authenticator, TokenVerifier};
pub use caller::{Caller, Identity, Proof, Unproved};
pub use enforce::Denied;
pub use secret_key::NewKey;

use self::{
    credential::Credential,
    enforce::Subject,
    policy::{Rule, Verb},
};
use crate::{call::Call, client::Client, context::Context, core_state};

/// Finds out who sends a request and whether they may.
///
/// # Errors
/// Why it is not answered.
pub fn admit(context: &Context, call: &Call<'_>) -> Result<Caller, (Caller, Denied)> {
    let authenticator = &context.authenticator;
    if authenticator.mode() == AuthMode::Open {
        return Ok(Caller::Anyone);
    }
    let state = context.metadata.state();
    let rule = policy::rule(call.route.route);
    let caller = match identify(authenticator, &state, call) {
        Ok(identity) => Caller::Known(identity),
        Err(_) if rule == Rule::Public => Caller::Nobody,
        Err(unproved) => return Err((Caller::Nobody, unproved.into())),
    };
    let subject = Subject { name: call.route.name, body: call.request.body() };
    match enforce::check(rule, &caller, subject, &state) {
        Ok(()) => Ok(caller),
        Err(denied) => Err((caller, denied)),
    }
}

/// Whether a caller may do what a WebSocket frame asks.
///
/// # Errors
/// Why not.
pub fn admit_verb(caller: &Caller, (verb, name): (Verb, &str), state: &ClusterState) -> Result<(), Denied> {
    enforce::check(policy::verb_rule(verb), caller, Subject { name, body: b"" }, state)
}

fn identify(authenticator: &Authenticator, state: &ClusterState, call: &Call<'_>) -> Result<Arc<Identity>, Unproved> {
    let client: &Client = call.client;
    let takes_tickets = policy::takes_tickets(call.route.route);
    let credential = credential::of_request(call.request, takes_tickets, client.certificate.as_deref())?;
    let Credential::Bearer(text) = credential else { return authenticator.identify(state, &credential, now()) };
    match client.recall(text, state.access()) {
        // What has no end needs no clock, which would cost as much as all the rest here.
        Some(identity) if !identity.ends() || identity.is_fresh(now()) => Ok(identity),
        Some(_) | None => {
            let identity = authenticator.identify(state, &credential, now())?;
            client.remember(text, state.access(), &identity);
            Ok(identity)
        }
    }
}

/// A new key, of the system's random bytes; `None` if it gives none.
#[must_use]
pub fn draw_key() -> Option<NewKey> {
    let mut bytes = [0; KEY_ID_LENGTH + 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    NewKey::of_random(&bytes)
}

/// The time by which keys and tickets end.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_millis(i64::try_from(core_state::now_millis()).unwrap_or(i64::MAX))
}
