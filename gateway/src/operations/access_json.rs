//! Principals, grants and keys between the API's words and the metadata's.

use gateway_api::{Timestamp as ApiTime, access as api};
use raft::metadata::{
    Action, ApiKey, Grant, NamePattern, Principal, PrincipalConfig, PrincipalLimits, PrincipalName, Scope,
};
use shard_core::model::Timestamp;

use crate::error::{self, Failure};

/// A principal's name from a path or a body.
pub(super) fn principal_name(text: &str) -> Result<PrincipalName, Failure> {
    PrincipalName::new(text).map_err(|refused| error::invalid("principal", refused.to_string()))
}

/// What a principal is to be.
pub(super) fn config(grants: &[api::Grant], limits: &api::Limits) -> Result<PrincipalConfig, Failure> {
    let grants = grants.iter().map(grant).collect::<Result<_, _>>()?;
    let api::Limits { messages_per_s, bytes_per_s, requests_per_s, connections, topics, subscriptions, in_flight } =
        *limits;
    let limits =
        PrincipalLimits { messages_per_s, bytes_per_s, requests_per_s, connections, topics, subscriptions, in_flight };
    Ok(PrincipalConfig { grants, limits })
}

fn grant(grant: &api::Grant) -> Result<Grant, Failure> {
    let pattern = |text: &String| NamePattern::new(text.clone());
    let scope = match (&grant.topic_prefix, &grant.subscription_prefix) {
        (Some(prefix), None) => Scope::Topics(pattern(prefix)),
        (None, Some(prefix)) => Scope::Subscriptions(pattern(prefix)),
        (None, None) => Scope::Cluster,
        (Some(_), Some(_)) => {
            return Err(error::invalid("grants", "one has either `topic_prefix` or `subscription_prefix`"));
        }
    };
    let mut actions: Vec<Action> = grant.actions.iter().map(|action| of_api_action(*action)).collect();
    actions.sort_unstable();
    Ok(Grant { scope, actions })
}

/// A principal's grants as clients see them.
pub(super) fn grants(grants: &[Grant]) -> Vec<api::Grant> {
    let to_api = |grant: &Grant| {
        let (topic_prefix, subscription_prefix) = match &grant.scope {
            Scope::Topics(pattern) => (Some(pattern.as_str().to_owned()), None),
            Scope::Subscriptions(pattern) => (None, Some(pattern.as_str().to_owned())),
            Scope::Cluster => (None, None),
        };
        let actions = grant.actions.iter().map(|action| to_api_action(*action)).collect();
        api::Grant { topic_prefix, subscription_prefix, actions }
    };
    grants.iter().map(to_api).collect()
}

/// A principal's limits as clients see them.
pub(super) const fn limits(limits: PrincipalLimits) -> api::Limits {
    let PrincipalLimits { messages_per_s, bytes_per_s, requests_per_s, connections, topics, subscriptions, in_flight } =
        limits;
    api::Limits { messages_per_s, bytes_per_s, requests_per_s, connections, topics, subscriptions, in_flight }
}

/// A principal as clients see it.
pub(super) fn principal(principal: &Principal) -> api::Principal {
    api::Principal {
        name: principal.name.as_str().to_owned(),
        grants: grants(&principal.config.grants),
        limits: limits(principal.config.limits),
        created_at: time(principal.created_at),
    }
}

/// A key as clients see it.
pub(super) fn key(key: &ApiKey) -> api::Key {
    api::Key {
        key_id: key.id.as_str().to_owned(),
        principal: key.principal.as_str().to_owned(),
        created_at: time(key.created_at),
        expires_at: key.expires_at.map(time),
    }
}

/// A time as clients see it.
pub(super) const fn time(time: Timestamp) -> ApiTime {
    ApiTime::from_unix_ms(time.as_millis())
}

const fn of_api_action(action: api::Action) -> Action {
    match action {
        api::Action::Publish => Action::Publish,
        api::Action::Consume => Action::Consume,
        api::Action::Manage => Action::Manage,
        api::Action::Admin => Action::Admin,
    }
}

const fn to_api_action(action: Action) -> api::Action {
    match action {
        Action::Publish => api::Action::Publish,
        Action::Consume => api::Action::Consume,
        Action::Manage => api::Action::Manage,
        Action::Admin => api::Action::Admin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_come_back_as_they_were_sent() {
        let sent: Vec<api::Grant> = serde_json::from_str(
            r#"[{"topic_prefix":"a-*","actions":["manage","publish"]},{"subscription_prefix":"s","actions":["consume"]},
                {"actions":["admin"]}]"#,
        )
        .unwrap();
        let kept = config(&sent, &api::Limits::default()).unwrap();
        let back = grants(&kept.grants);
        assert_eq!(back[0].actions, [api::Action::Publish, api::Action::Manage]);
        assert_eq!(back[1..], sent[1..]);
        let both = api::Grant { subscription_prefix: Some("s".to_owned()), ..sent[0].clone() };
        assert!(config(&[both], &api::Limits::default()).is_err());
    }
}
