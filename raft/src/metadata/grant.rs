//! What a principal may do: actions on the topics or subscriptions whose names fit.

use serde::{Deserialize, Serialize};

use crate::limits;

/// One thing that can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Putting messages into a topic, and taking back what is delayed.
    Publish,
    /// Getting messages, and saying what becomes of them.
    Consume,
    /// Creating, changing and deleting.
    Manage,
    /// Principals, keys and the cluster; it implies everything else.
    Admin,
}

/// What kind of thing a grant is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// The topic of this name.
    Topic(&'a str),
    /// The subscription of this name.
    Subscription(&'a str),
}

/// Names: all that begin like it where it ends in `*`, else just this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamePattern(String);

/// Where a grant holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Topics.
    Topics(NamePattern),
    /// Subscriptions.
    Subscriptions(NamePattern),
    /// The cluster and all that is in it; [`Action::Admin`] has no other scope, and no other action has this one.
    Cluster,
}

/// Actions in a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Where.
    pub scope: Scope,
    /// What; each once, in order.
    pub actions: Vec<Action>,
}

/// Why a grant was refused; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum InvalidGrant {
    #[error("grants: a principal has at most {max}, not {count}")]
    TooMany { count: usize, max: usize },
    #[error("grants: one of them has no actions, or one of them twice")]
    Actions,
    #[error("grants: `admin` stands alone, without a prefix, and every other action needs one")]
    Admin,
    #[error("grants: a prefix is 1 to {bytes_max} of the characters of names, and perhaps `*` behind them")]
    Pattern { bytes_max: usize },
}

impl Action {
    /// Every action.
    pub const ALL: &[Self] = &[Self::Publish, Self::Consume, Self::Manage, Self::Admin];
}

impl NamePattern {
    /// Wraps text; [`Grant::check`] says whether it can be one.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it fits a name.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => self.0 == name,
        }
    }

    fn is_sound(&self) -> bool {
        let prefix = self.0.strip_suffix('*').unwrap_or(&self.0);
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        !self.0.is_empty() && self.0.len() <= limits::NAME_PATTERN_BYTES_MAX && prefix.bytes().all(known)
    }
}

impl Scope {
    /// Whether it holds there.
    #[must_use]
    pub fn covers(&self, resource: Resource<'_>) -> bool {
        match (self, resource) {
            (Self::Topics(pattern), Resource::Topic(name))
            | (Self::Subscriptions(pattern), Resource::Subscription(name)) => pattern.covers(name),
            (Self::Cluster, _) => true,
            (Self::Topics(_), Resource::Subscription(_)) | (Self::Subscriptions(_), Resource::Topic(_)) => false,
        }
    }
}

impl Grant {
    /// Everything.
    #[must_use]
    pub fn admin() -> Self {
        Self { scope: Scope::Cluster, actions: vec![Action::Admin] }
    }

    /// Whether it allows this there.
    #[must_use]
    pub fn allows(&self, action: Action, resource: Resource<'_>) -> bool {
        self.is_admin() || (self.actions.contains(&action) && self.scope.covers(resource))
    }

    /// Whether it allows everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.scope == Scope::Cluster && self.actions.contains(&Action::Admin)
    }

    /// Whether it makes sense by itself.
    ///
    /// # Errors
    /// Says what does not.
    pub fn check(&self) -> Result<(), InvalidGrant> {
        if self.actions.is_empty() || !self.actions.is_sorted_by(|one, next| one < next) {
            return Err(InvalidGrant::Actions);
        }
        let alone = self.actions == [Action::Admin];
        match &self.scope {
            Scope::Cluster if alone => Ok(()),
            Scope::Topics(pattern) | Scope::Subscriptions(pattern) if !self.actions.contains(&Action::Admin) => {
                let bytes_max = limits::NAME_PATTERN_BYTES_MAX;
                if pattern.is_sound() { Ok(()) } else { Err(InvalidGrant::Pattern { bytes_max }) }
            }
            Scope::Cluster | Scope::Topics(_) | Scope::Subscriptions(_) => Err(InvalidGrant::Admin),
        }
    }
}

/// Whether a principal may have these.
pub(super) fn check_all(grants: &[Grant]) -> Result<(), InvalidGrant> {
    if grants.len() > limits::GRANTS_PER_PRINCIPAL_MAX {
        return Err(InvalidGrant::TooMany { count: grants.len(), max: limits::GRANTS_PER_PRINCIPAL_MAX });
    }
    grants.iter().try_for_each(Grant::check)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topics(pattern: &str, actions: &[Action]) -> Grant {
        Grant { scope: Scope::Topics(NamePattern::new(pattern.to_owned())), actions: actions.to_vec() }
    }

    #[test]
    fn a_star_makes_a_prefix_and_its_absence_a_name() {
        let pattern = |text: &str| NamePattern::new(text.to_owned());
        assert!(pattern("a-*").covers("a-") && pattern("a-*").covers("a-b") && !pattern("a-*").covers("a"));
        assert!(pattern("a").covers("a") && !pattern("a").covers("a-b"));
        assert!(pattern("*").covers("anything"));
    }

    #[test]
    fn a_grant_on_topics_says_nothing_of_subscriptions() {
        let grant = topics("*", &[Action::Consume]);
        assert!(grant.allows(Action::Consume, Resource::Topic("t")));
        assert!(!grant.allows(Action::Consume, Resource::Subscription("t")));
        assert!(!grant.allows(Action::Publish, Resource::Topic("t")));
        let subscriptions = Grant { scope: Scope::Subscriptions(NamePattern::new("*".to_owned())), ..grant };
        assert!(subscriptions.allows(Action::Consume, Resource::Subscription("s")));
        assert!(!subscriptions.allows(Action::Consume, Resource::Topic("s")));
    }

    #[test]
    fn each_broken_rule_is_named() {
        let bytes_max = limits::NAME_PATTERN_BYTES_MAX;
        for pattern in ["", "a*b", "**", "a/b", "ä", &"x".repeat(bytes_max + 1)] {
            let refused = topics(pattern, &[Action::Consume]).check();
            assert_eq!(refused, Err(InvalidGrant::Pattern { bytes_max }), "{pattern}");
        }
        for actions in [&[][..], &[Action::Consume, Action::Consume], &[Action::Manage, Action::Publish]] {
            assert_eq!(topics("a", actions).check(), Err(InvalidGrant::Actions));
        }
        assert_eq!(topics("*", &[Action::Admin]).check(), Err(InvalidGrant::Admin));
        let everywhere = Grant { scope: Scope::Cluster, actions: vec![Action::Consume] };
        assert_eq!(everywhere.check(), Err(InvalidGrant::Admin));
        assert_eq!(Grant::admin().check(), Ok(()));
        let many = vec![Grant::admin(); limits::GRANTS_PER_PRINCIPAL_MAX + 1];
        assert!(matches!(check_all(&many), Err(InvalidGrant::TooMany { .. })));
    }

    proptest! {
        #[test]
        fn admin_allows_everything_and_nothing_else_does_by_itself(
            action in prop::sample::select(Action::ALL),
            name in "[a-c-]{1,4}",
            pattern in "[a-c-]{0,3}[*]?",
        ) {
            for resource in [Resource::Topic(&name), Resource::Subscription(&name)] {
                prop_assert!(Grant::admin().allows(action, resource));
            }
            // What a pattern covers is what its text says, letter by letter.
            let grant = topics(&pattern, &[action]);
            let fits = match pattern.strip_suffix('*') {
                Some(prefix) => name.get(..prefix.len()) == Some(prefix),
                None => name == pattern,
            };
            prop_assert_eq!(grant.allows(action, Resource::Topic(&name)), fits);
        }
    }
}
