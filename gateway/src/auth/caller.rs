//! Who asks, and what that lets them do.

use std::sync::Arc;

use raft::metadata::{Access, Action, Grant, KeyId, Principal, PrincipalName, Resource};
use shard_core::model::Timestamp;

use crate::quota::usage::Usage;

/// Who asks.
#[derive(Clone, Debug, Default)]
pub enum Caller {
    /// Whoever it is: no keys are asked for here.
    Anyone,
    /// Someone who proved nothing.
    #[default]
    Nobody,
    /// A principal that has proved itself.
    Known(Arc<Identity>),
}

/// A principal that has proved itself.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What it is called.
    pub name: PrincipalName,
    /// What the metadata says of it; without that it may do nothing.
    pub principal: Option<Arc<Principal>>,
    /// By what.
    pub proof: Proof,
    /// When the proof ends.
    pub expires_at: Option<Timestamp>,
    /// Until when the proof is not looked at again; always, if it does not say.
    pub trusted_until: Option<Timestamp>,
    /// What it uses of this node.
    pub usage: Arc<Usage>,
}

/// What proves a principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A key, by its id; perhaps through a ticket.
    Key(KeyId),
    /// Something that proves itself until it ends: a signed token, a certificate.
    Bearer,
}

/// Why someone is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum Unproved {
    #[error("a key is needed: send it as `Authorization: Bearer KEY`")]
    Missing,
    #[error("the credential is not one that can be read: send one, as `Authorization: Bearer KEY`")]
    Malformed,
    #[error("the key is not valid")]
    Invalid,
    #[error("the key or ticket has expired")]
    Expired,
}

impl Caller {
    /// Whether this may be done there.
    #[must_use]
    pub fn may(&self, action: Action, resource: Resource<'_>) -> bool {
        match self {
            Self::Anyone => true,
            Self::Nobody => false,
            Self::Known(identity) => identity.grants().iter().any(|grant| grant.allows(action, resource)),
        }
    }

    /// Whether anything may be done there: then it is shown that the thing is there.
    #[must_use]
    pub fn sees(&self, resource: Resource<'_>) -> bool {
        match self {
            Self::Anyone => true,
            Self::Nobody => false,
            Self::Known(identity) => identity.grants().iter().any(|grant| grant.scope.covers(resource)),
        }
    }

    /// Whether everything may be done.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        match self {
            Self::Anyone => true,
            Self::Nobody => false,
            Self::Known(identity) => identity.grants().iter().any(Grant::is_admin),
        }
    }

    /// The principal that has proved itself.
    #[must_use]
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        match self {
            Self::Anyone | Self::Nobody => None,
            Self::Known(identity) => Some(identity),
        }
    }

    /// The same caller as the metadata has it now.
    ///
    /// # Errors
    /// What proved it counts no more.
    pub fn renewed(&self, access: &Access, now: Timestamp) -> Result<Self, Unproved> {
        match self {
            Self::Anyone | Self::Nobody => Ok(self.clone()),
            Self::Known(identity) => identity.renewed(access, now).map(Arc::new).map(Self::Known),
        }
    }

    /// Whether what proves it has ended by then.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.identity().is_some_and(|identity| identity.has_expired(now))
    }
}

impl Identity {
    /// What it may do.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        self.principal.as_ref().map(|principal| principal.config.grants.as_slice()).unwrap_or_default()
    }

    /// Whether what proves it has ended by then.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Whether a time comes at which it can't be taken as it is.
    #[must_use]
    pub const fn ends(&self) -> bool {
        self.expires_at.is_some() || self.trusted_until.is_some()
    }

    /// Whether it can be taken as it is at that time.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        !self.has_expired(now) && self.trusted_until.is_none_or(|end| now < end)
    }

    fn renewed(&self, access: &Access, now: Timestamp) -> Result<Self, Unproved> {
        if let Proof::Key(id) = &self.proof {
            access.key(id.as_str()).filter(|key| key.principal == self.name).ok_or(Unproved::Invalid)?;
        }
        if self.has_expired(now) {
            return Err(Unproved::Expired);
        }
        Ok(Self { principal: access.principal(self.name.as_str()).cloned(), ..self.clone() })
    }
}
