//! Who opened a connection that stays, and whether they still may what goes on over it.

use std::{sync::Arc, time::Duration};

use raft::metadata::{Access, ClusterState};

use crate::{
    auth::{self, Caller, Denied, Unproved, policy::Verb},
    limits,
};

/// The opener of a connection, looked at anew whenever principals or keys have changed.
#[derive(Debug)]
pub(crate) struct Guard {
    caller: Caller,
    /// The principals and keys of when it was looked at last; none in the beginning.
    access: Option<Arc<Access>>,
}

/// How often a session is woken, and which of those times a ping is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pulse {
    every: Duration,
    per_ping: u32,
    left: u32,
}

impl Guard {
    pub(crate) const fn new(caller: Caller) -> Self {
        Self { caller, access: None }
    }

    /// Who it is, as of the last look.
    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Looks at what has changed since; whether anything has.
    ///
    /// # Errors
    /// What proved it counts no more.
    pub(crate) fn look(&mut self, state: &ClusterState) -> Result<bool, Unproved> {
        if self.caller.identity().is_none() {
            return Ok(false);
        }
        if self.access.as_ref().is_some_and(|access| Arc::ptr_eq(access, state.access())) {
            let ends = self.caller.identity().is_some_and(|identity| identity.expires_at.is_some());
            return if ends && self.caller.has_expired(auth::now()) { Err(Unproved::Expired) } else { Ok(false) };
        }
        self.caller = self.caller.renewed(state.access(), auth::now())?;
        self.access = Some(Arc::clone(state.access()));
        Ok(true)
    }

    /// Whether it may do this.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check(&self, asked: (Verb, &str), state: &ClusterState) -> Result<(), Denied> {
        auth::admit_verb(&self.caller, asked, state)
    }
}

impl Pulse {
    /// Pings go out at their interval; who has proved itself is looked at more often.
    pub(crate) fn new(ping_interval: Duration, caller: &Caller) -> Self {
        let every = match caller.identity() {
            Some(_) => ping_interval.min(limits::CALLER_RECHECK),
            None => ping_interval,
        };
        let per_ping = ping_interval.as_millis().div_ceil(every.as_millis().max(1));
        let per_ping = u32::try_from(per_ping).unwrap_or(u32::MAX).max(1);
        Self { every, per_ping, left: per_ping }
    }

    /// How long until the session is woken next.
    pub(crate) const fn every(&self) -> Duration {
        self.every
    }

    /// The session was woken: whether a ping is due.
    pub(crate) const fn beat(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        let due = self.left == 0;
        if due {
            self.left = self.per_ping;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use raft::metadata::{ApiKey, Command, KeyHash, KeyId, PrincipalConfig, PrincipalName};
    use shard_core::model::Timestamp;

    use super::*;
    use crate::auth::{Identity, Proof};

    fn known() -> Caller {
        let (name, id) = (PrincipalName::new("ci").unwrap(), KeyId::new("k00000000000").unwrap());
        let identity =
            Identity { name, principal: None, proof: Proof::Key(id), expires_at: None, usage: Arc::default() };
        Caller::Known(Arc::new(identity))
    }

    #[test]
    fn who_is_not_asked_for_a_key_is_woken_for_pings_alone() {
        let ping = Duration::from_secs(20);
        let mut pulse = Pulse::new(ping, &Caller::Anyone);
        assert_eq!((pulse.every(), pulse.beat()), (ping, true));
        let mut pulse = Pulse::new(ping, &known());
        assert_eq!(pulse.every(), limits::CALLER_RECHECK);
        let pings: Vec<_> = (1..=20).filter(|_| pulse.beat()).collect();
        assert_eq!(pings.len(), 2);
        let mut quick = Pulse::new(Duration::from_millis(100), &known());
        assert_eq!((quick.every(), quick.beat()), (Duration::from_millis(100), true));
    }

    #[test]
    fn a_key_that_is_deleted_counts_no_more() {
        let mut state = ClusterState::default();
        let (principal, id) = (PrincipalName::new("ci").unwrap(), KeyId::new("k00000000000").unwrap());
        let hash = KeyHash::new([1; 32]);
        let key = ApiKey { id: id.clone(), principal, hash, created_at: Timestamp::default(), expires_at: None };
        state.apply(Command::CreateKey { key, principal: Some(PrincipalConfig::default()) }).unwrap();
        let mut guard = Guard::new(known());
        assert_eq!((guard.look(&state), guard.look(&state)), (Ok(true), Ok(false)));
        assert!(guard.caller().identity().unwrap().principal.is_some());
        state.apply(Command::DeleteKey { id }).unwrap();
        assert_eq!(guard.look(&state), Err(Unproved::Invalid));
    }
}
