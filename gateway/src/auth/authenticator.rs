//! From a credential to the principal that it proves.

use std::{cell::RefCell, collections::BTreeMap, fmt, sync::Arc};

use raft::metadata::{Access, ApiKey, ClusterState, KeyId, PrincipalName};
use ring::digest::{SHA256, digest};
use shard_core::model::Timestamp;

use super::{
    caller::{Caller, Identity, Proof, Unproved},
    credential::Credential,
    secret_key::PresentedKey,
    ticket::{Ticket, TicketSeal},
};
use crate::{limits, quota::usage::Usages};

/// Whether keys are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// Whoever reaches the node may do everything.
    #[default]
    Open,
    /// Every request but the public ones has to prove whose it is.
    Required,
}

/// Checks signed tokens of another issuer.
pub trait TokenVerifier: fmt::Debug + Send + Sync {
    /// Whom a token proves, and until when.
    ///
    /// # Errors
    /// It proves nobody.
    fn verify(&self, token: &str, now: Timestamp) -> Result<(PrincipalName, Timestamp), Unproved>;
}

/// One core's way from credentials to principals.
#[derive(Debug, Default)]
pub struct Authenticator {
    mode: AuthMode,
    tokens: Option<Arc<dyn TokenVerifier>>,
    usages: Arc<Usages>,
    verified: RefCell<Verified>,
}

/// The credentials that were found good, by their digest, as long as principals and keys stay as they are.
#[derive(Debug, Default)]
struct Verified {
    access: Arc<Access>,
    by_digest: BTreeMap<[u8; 32], Arc<Identity>>,
}

impl Authenticator {
    /// One that asks for keys, or doesn't.
    #[must_use]
    pub fn new(mode: AuthMode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// The same, that takes the tokens which `tokens` finds good as well.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Arc<dyn TokenVerifier>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// The same, that counts what principals use together with others.
    #[must_use]
    pub fn with_usages(mut self, usages: Arc<Usages>) -> Self {
        self.usages = usages;
        self
    }

    /// Whether keys are asked for.
    #[must_use]
    pub const fn mode(&self) -> AuthMode {
        self.mode
    }

    /// Whom a credential proves.
    ///
    /// # Errors
    /// It proves nobody.
    pub fn identify(
        &self,
        state: &ClusterState,
        credential: &Credential<'_>,
        now: Timestamp,
    ) -> Result<Arc<Identity>, Unproved> {
        match *credential {
            Credential::Bearer(text) => self.of_bearer(state.access(), text, now),
            Credential::Ticket(text) => self.of_ticket(state, text, now),
            Credential::Certificate(name) => {
                let name = PrincipalName::new(name).map_err(|_| Unproved::Invalid)?;
                Ok(Arc::new(self.identity(state.access(), name, (Proof::Bearer, None))))
            }
        }
    }

    /// What was found good before is not checked again: a token's signature costs more than all the rest of a request.
    fn of_bearer(&self, access: &Arc<Access>, text: &str, now: Timestamp) -> Result<Arc<Identity>, Unproved> {
        let mut of_text = [0; 32];
        of_text.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        let mut verified = self.verified.borrow_mut();
        if !Arc::ptr_eq(&verified.access, access) {
            *verified = Verified { access: Arc::clone(access), by_digest: BTreeMap::new() };
        }
        if let Some(known) = verified.by_digest.get(&of_text) {
            return if known.has_expired(now) { Err(Unproved::Expired) } else { Ok(Arc::clone(known)) };
        }
        let found = Arc::new(self.verify(access, text, now)?);
        if verified.by_digest.len() >= limits::VERIFIED_CREDENTIALS_MAX {
            verified.by_digest.clear();
        }
        verified.by_digest.insert(of_text, Arc::clone(&found));
        Ok(found)
    }

    fn verify(&self, access: &Access, text: &str, now: Timestamp) -> Result<Identity, Unproved> {
        if PresentedKey::is_meant(text) {
            let key = PresentedKey::parse(text).ok_or(Unproved::Invalid)?.proves(access).ok_or(Unproved::Invalid)?;
            return self.of_key(access, key, now);
        }
        let tokens = self.tokens.as_ref().ok_or(Unproved::Invalid)?;
        let (name, expires_at) = tokens.verify(text, now)?;
        Ok(self.identity(access, name, (Proof::Bearer, Some(expires_at))))
    }

    fn of_key(&self, access: &Access, key: &ApiKey, now: Timestamp) -> Result<Identity, Unproved> {
        if !key.is_live(now) {
            return Err(Unproved::Expired);
        }
        Ok(self.identity(access, key.principal.clone(), (Proof::Key(key.id.clone()), key.expires_at)))
    }

    fn of_ticket(&self, state: &ClusterState, text: &str, now: Timestamp) -> Result<Arc<Identity>, Unproved> {
        let ticket = TicketSeal::new(state.ack_key()).open(text).ok_or(Unproved::Invalid)?;
        if ticket.expires_at <= now {
            return Err(Unproved::Expired);
        }
        let access = state.access();
        let proof = ticket.key.map_or(Proof::Bearer, Proof::Key);
        let there = self.identity(access, ticket.principal, (proof, ticket.session_ends));
        // The key may have been deleted since.
        Caller::Known(Arc::new(there)).renewed(access, now)?.identity().cloned().ok_or(Unproved::Invalid)
    }

    fn identity(
        &self,
        access: &Access,
        name: PrincipalName,
        (proof, expires_at): (Proof, Option<Timestamp>),
    ) -> Identity {
        let usage = self.usages.of(&name);
        Identity { principal: access.principal(name.as_str()).cloned(), name, proof, expires_at, usage }
    }
}

/// A ticket in the caller's name; nobody without a name gets one.
pub(crate) fn ticket_for(identity: &Identity, now: Timestamp) -> Ticket {
    let life = i64::try_from(limits::TICKET_LIFE.as_millis()).unwrap_or(i64::MAX);
    let end = Timestamp::from_millis(now.as_millis().saturating_add(life));
    Ticket {
        principal: identity.name.clone(),
        key: key_of(identity).cloned(),
        expires_at: identity.expires_at.map_or(end, |expires_at| expires_at.min(end)),
        session_ends: identity.expires_at,
    }
}

fn key_of(identity: &Identity) -> Option<&KeyId> {
    match &identity.proof {
        Proof::Key(id) => Some(id),
        Proof::Bearer => None,
    }
}

#[cfg(test)]
mod tests;
