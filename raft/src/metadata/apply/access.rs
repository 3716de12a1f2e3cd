//! How commands change principals and keys.

use std::sync::Arc;

use shard_core::model::Timestamp;

use super::{check_limit, check_revision};
use crate::{
    limits,
    metadata::{ApiKey, ClusterState, KeyId, Outcome, Principal, PrincipalConfig, PrincipalName, Refusal},
};

impl ClusterState {
    pub(super) fn put_principal(
        &mut self,
        name: PrincipalName,
        config: PrincipalConfig,
        expected_revision: Option<u64>,
        at: Timestamp,
    ) -> Result<Outcome, Refusal> {
        config.check()?;
        let Some(former) = self.access.principal(name.as_str()) else {
            if expected_revision.is_some() {
                return Err(Refusal::PrincipalNotFound);
            }
            return self.add_principal(name, config, at).map(Outcome::PrincipalCreated);
        };
        check_revision(former.revision, expected_revision)?;
        if former.config == config {
            return Ok(Outcome::PrincipalUnchanged(Arc::clone(former)));
        }
        let changed = Principal { config, ..Principal::clone(former) };
        let changed = Arc::new(Principal { revision: self.next_revision(), ..changed });
        Arc::make_mut(&mut self.access).principals.insert(name, Arc::clone(&changed));
        Ok(Outcome::PrincipalUpdated(changed))
    }

    /// Its keys go with it.
    pub(super) fn delete_principal(
        &mut self,
        name: &PrincipalName,
        expected_revision: Option<u64>,
    ) -> Result<Outcome, Refusal> {
        let principal = Arc::clone(self.access.principal(name.as_str()).ok_or(Refusal::PrincipalNotFound)?);
        check_revision(principal.revision, expected_revision)?;
        let access = Arc::make_mut(&mut self.access);
        access.principals.remove(name);
        access.keys.retain(|_, key| key.principal != *name);
        Ok(Outcome::PrincipalDeleted(principal))
    }

    /// Takes the principal's expired keys away, so that there are never more than may live.
    pub(super) fn create_key(&mut self, key: ApiKey, principal: Option<PrincipalConfig>) -> Result<Outcome, Refusal> {
        if self.access.key(key.id.as_str()).is_some() {
            return Err(Refusal::KeyExists);
        }
        match (self.access.principal(key.principal.as_str()), principal) {
            (None, None) => return Err(Refusal::PrincipalNotFound),
            (Some(there), Some(config)) if there.config != config => return Err(Refusal::PrincipalExists),
            (Some(_), _) => {}
            (None, Some(config)) => {
                config.check()?;
                self.add_principal(key.principal.clone(), config, key.created_at)?;
            }
        }
        let now = key.created_at;
        let live = self.access.keys_of(&key.principal).filter(|other| other.is_live(now)).count();
        check_limit("keys of this principal", live, 1, limits::KEYS_PER_PRINCIPAL_MAX)?;
        let access = Arc::make_mut(&mut self.access);
        access.keys.retain(|_, other| other.principal != key.principal || other.is_live(now));
        let key = Arc::new(key);
        access.keys.insert(key.id.clone(), Arc::clone(&key));
        Ok(Outcome::KeyCreated(key))
    }

    pub(super) fn delete_key(&mut self, id: &KeyId) -> Result<Outcome, Refusal> {
        let key = Arc::clone(self.access.key(id.as_str()).ok_or(Refusal::KeyNotFound)?);
        Arc::make_mut(&mut self.access).keys.remove(id);
        Ok(Outcome::KeyDeleted(key))
    }

    fn add_principal(
        &mut self,
        name: PrincipalName,
        config: PrincipalConfig,
        created_at: Timestamp,
    ) -> Result<Arc<Principal>, Refusal> {
        check_limit("principals", self.access.principals.len(), 1, limits::PRINCIPALS_MAX)?;
        let revision = self.next_revision();
        let principal = Arc::new(Principal { name: name.clone(), config, revision, created_at });
        Arc::make_mut(&mut self.access).principals.insert(name, Arc::clone(&principal));
        Ok(principal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{Command, Grant, KeyHash, PrincipalLimits};

    fn time(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn put(name: &str, grants: Vec<Grant>, expected_revision: Option<u64>) -> Command {
        let config = PrincipalConfig { grants, limits: PrincipalLimits::default() };
        Command::PutPrincipal { name: PrincipalName::new(name).unwrap(), config, expected_revision, at: time(0) }
    }

    fn create(id: u8, principal: &str, at: i64, expires_at: Option<i64>) -> Command {
        let id = KeyId::new(&format!("key{id:09}")).unwrap();
        let principal = PrincipalName::new(principal).unwrap();
        let expires_at = expires_at.map(time);
        let key = ApiKey { id, principal, hash: KeyHash::new([1; 32]), created_at: time(at), expires_at };
        Command::CreateKey { key, principal: None }
    }

    #[test]
    fn a_third_live_key_is_refused_and_an_expired_one_makes_room() {
        let mut state = ClusterState::default();
        assert_eq!(state.apply(create(1, "ci", 0, None)), Err(Refusal::PrincipalNotFound));
        state.apply(put("ci", vec![Grant::admin()], None)).unwrap();
        state.apply(create(1, "ci", 0, Some(100))).unwrap();
        state.apply(create(2, "ci", 0, None)).unwrap();
        assert_eq!(state.apply(create(2, "ci", 200, None)), Err(Refusal::KeyExists));
        assert!(matches!(state.apply(create(3, "ci", 99, None)), Err(Refusal::LimitReached { limit: 2, .. })));
        state.apply(create(3, "ci", 100, None)).unwrap();
        let left: Vec<_> = state.access().keys_after("").map(|key| key.id.as_str()).collect();
        assert_eq!(left, ["key000000002", "key000000003"]);
    }

    #[test]
    fn a_principal_takes_its_keys_with_it() {
        let mut state = ClusterState::default();
        for command in
            [put("a", vec![], None), put("b", vec![], None), create(1, "a", 0, None), create(2, "b", 0, None)]
        {
            state.apply(command).unwrap();
        }
        state
            .apply(Command::DeletePrincipal { name: PrincipalName::new("a").unwrap(), expected_revision: None })
            .unwrap();
        assert!(state.access().key("key000000001").is_none() && state.access().key("key000000002").is_some());
        state.apply(Command::DeleteKey { id: KeyId::new("key000000002").unwrap() }).unwrap();
        assert!(!state.access().has_keys());
    }

    #[test]
    fn a_change_of_an_older_revision_is_refused() {
        let mut state = ClusterState::default();
        state.apply(put("a", vec![], None)).unwrap();
        let old = state.access().principal("a").unwrap().revision;
        state.apply(put("a", vec![Grant::admin()], Some(old))).unwrap();
        let refused = state.apply(put("a", vec![], Some(old)));
        assert!(matches!(refused, Err(Refusal::RevisionMismatch { .. })));
        assert_eq!(state.apply(put("b", vec![], Some(old))), Err(Refusal::PrincipalNotFound));
    }

    #[test]
    fn what_is_known_of_access_stays_the_same_until_it_changes() {
        let mut state = ClusterState::default();
        state.apply(put("a", vec![], None)).unwrap();
        let before = Arc::clone(state.access());
        let id = String::from("cluster");
        state.apply(Command::Bootstrap { cluster_id: id, ack_key: crate::metadata::AckKey::new([1; 16]) }).unwrap();
        state.apply(put("a", vec![], None)).unwrap();
        assert!(Arc::ptr_eq(&before, state.access()));
        state.apply(create(1, "a", 0, None)).unwrap();
        assert!(!Arc::ptr_eq(&before, state.access()));
        assert!(before.key("key000000001").is_none());
    }

    #[test]
    fn a_key_may_bring_its_principal_but_not_change_it() {
        let mut state = ClusterState::default();
        let with = |id, grants: Vec<Grant>| {
            let Command::CreateKey { key, .. } = create(id, "ci", 0, None) else { panic!("another command") };
            let limits = PrincipalLimits::default();
            Command::CreateKey { key, principal: Some(PrincipalConfig { grants, limits }) }
        };
        state.apply(with(1, vec![Grant::admin()])).unwrap();
        assert!(state.access().has_admin_key(time(0)));
        assert_eq!(state.apply(with(2, vec![])), Err(Refusal::PrincipalExists));
        state.apply(with(2, vec![Grant::admin()])).unwrap();
    }
}
