//! Principals and keys together: who can be let in, and by what.

use std::{collections::BTreeMap, sync::Arc};

use shard_core::model::Timestamp;

use super::{ApiKey, KeyId, Principal, PrincipalName};

/// All principals and keys. It is never changed in place: as long as it is the same, so are all answers about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub(super) principals: BTreeMap<PrincipalName, Arc<Principal>>,
    pub(super) keys: BTreeMap<KeyId, Arc<ApiKey>>,
}

impl Access {
    /// A principal by name.
    #[must_use]
    pub fn principal(&self, name: &str) -> Option<&Arc<Principal>> {
        self.principals.get(name)
    }

    /// The principals whose names come after `name`, by name.
    pub fn principals_after(&self, name: &str) -> impl Iterator<Item = &Arc<Principal>> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.principals.range::<str, _>((Excluded(name), Unbounded)).map(|(_, principal)| principal)
    }

    /// A key by its id.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&Arc<ApiKey>> {
        self.keys.get(id)
    }

    /// The keys whose ids come after `id`, by id.
    pub fn keys_after(&self, id: &str) -> impl Iterator<Item = &Arc<ApiKey>> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.keys.range::<str, _>((Excluded(id), Unbounded)).map(|(_, key)| key)
    }

    /// The keys of a principal; it looks at all there are.
    pub fn keys_of(&self, principal: &PrincipalName) -> impl Iterator<Item = &Arc<ApiKey>> {
        self.keys.values().filter(move |key| key.principal == *principal)
    }

    /// Whether a key that counts at that time proves a principal that may do everything.
    #[must_use]
    pub fn has_admin_key(&self, now: Timestamp) -> bool {
        let is_admin = |name: &PrincipalName| {
            self.principals
                .get(name)
                .is_some_and(|principal| principal.config.grants.iter().any(super::Grant::is_admin))
        };
        self.keys.values().any(|key| key.is_live(now) && is_admin(&key.principal))
    }

    /// Whether there is any key, expired ones included.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }
}
