//! Holds a caller against a rule, before anything is looked up for it.

use gateway_api::{Nullable, decode::decode, subscriptions::SubscriptionSettings};
use raft::metadata::{Action, ClusterState, Resource};

use super::{
    caller::{Caller, Unproved},
    policy::{Need, On, Rule},
};

/// What a request is about, as far as rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The topic or subscription that is named.
    pub name: &'a str,
    /// The body, which may name more of them.
    pub body: &'a [u8],
}

/// Why a request is not let through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum Denied {
    #[error("{0}")]
    Unproved(#[from] Unproved),
    /// Also where there is no such thing: whoever may not see it is not told.
    #[error("it needs {needs}, which {principal} does not have")]
    Forbidden { principal: String, needs: String },
}

/// Whether the caller may do what the rule is for.
///
/// # Errors
/// The first thing that it lacks.
pub fn check(rule: Rule, caller: &Caller, subject: Subject<'_>, state: &ClusterState) -> Result<(), Denied> {
    let needs = match (rule, caller) {
        (Rule::Public, _) | (_, Caller::Anyone) | (Rule::Authenticated, Caller::Known(_)) => return Ok(()),
        (Rule::Authenticated | Rule::Needs(_), Caller::Nobody) => return Err(Unproved::Missing.into()),
        (Rule::Needs(needs), Caller::Known(_)) => needs,
    };
    let body = Body::of(needs, subject);
    match needs.iter().find(|need| !is_met(**need, caller, (subject.name, &body), state)) {
        None => Ok(()),
        Some(lacking) => {
            let principal = caller.identity().map_or_else(String::new, |identity| identity.name.to_string());
            Err(Denied::Forbidden { principal, needs: lacking.in_words() })
        }
    }
}

/// The topics in a body. What can't be read names none: the operation refuses it in its own words.
#[derive(Debug, Default)]
struct Body {
    topic: Option<String>,
    dead_letters: Option<String>,
}

impl Body {
    fn of(needs: &[Need], subject: Subject<'_>) -> Self {
        if !needs.iter().any(|need| matches!(need.on, On::BodyTopic | On::BodyDeadLetters)) {
            return Self::default();
        }
        let settings = decode::<SubscriptionSettings>(subject.body).unwrap_or_default();
        let dead_letters = settings.dead_letter_topic.and_then(Nullable::into_option);
        Self { topic: settings.topic, dead_letters }
    }
}

fn is_met(need: Need, caller: &Caller, (name, body): (&str, &Body), state: &ClusterState) -> bool {
    match need.on {
        On::Topic => is_allowed(need.action, caller, Resource::Topic(name)),
        On::Subscription => is_allowed(need.action, caller, Resource::Subscription(name)),
        On::TopicOfSubscription => {
            let topic = state.subscription(name).map(|found| found.topic_name.as_str());
            is_allowed_on_topic(need.action, caller, topic)
        }
        On::BodyTopic => is_allowed_on_topic(need.action, caller, body.topic.as_deref()),
        On::BodyDeadLetters => is_allowed_on_topic(need.action, caller, body.dead_letters.as_deref()),
        On::Cluster => caller.is_admin(),
    }
}

/// Where no topic is named, nothing is done to one.
fn is_allowed_on_topic(action: Option<Action>, caller: &Caller, topic: Option<&str>) -> bool {
    topic.is_none_or(|topic| is_allowed(action, caller, Resource::Topic(topic)))
}

fn is_allowed(action: Option<Action>, caller: &Caller, resource: Resource<'_>) -> bool {
    match action {
        None => caller.sees(resource),
        Some(action) => caller.may(action, resource),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use raft::metadata::{Grant, NamePattern, Principal, PrincipalConfig, PrincipalName, Scope};
    use shard_core::model::Timestamp;

    use super::*;
    use crate::{
        auth::{
            caller::{Identity, Proof},
            policy::rule,
        },
        http::router::Route,
    };

    fn caller(grants: Vec<Grant>) -> Caller {
        let name = PrincipalName::new("tester").unwrap();
        let config = PrincipalConfig { grants, ..PrincipalConfig::default() };
        let created_at = Timestamp::default();
        let principal = Some(Arc::new(Principal { name: name.clone(), config, revision: 1, created_at }));
        Caller::Known(Arc::new(Identity {
            name,
            principal,
            proof: Proof::Bearer,
            expires_at: None,
            usage: Arc::default(),
        }))
    }

    fn topics(pattern: &str, action: Action) -> Grant {
        Grant { scope: Scope::Topics(NamePattern::new(pattern.to_owned())), actions: vec![action] }
    }

    fn subscriptions(pattern: &str, action: Action) -> Grant {
        Grant { scope: Scope::Subscriptions(NamePattern::new(pattern.to_owned())), actions: vec![action] }
    }

    fn may(route: Route, grants: Vec<Grant>, name: &str, body: &str) -> bool {
        let subject = Subject { name, body: body.as_bytes() };
        check(rule(route), &caller(grants), subject, &ClusterState::default()).is_ok()
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        for route in Route::all() {
            let allowed =
                check(rule(route), &caller(Vec::new()), Subject { name: "x", body: b"" }, &ClusterState::default());
            assert_eq!(allowed.is_ok(), !matches!(rule(route), Rule::Needs(_)), "{route:?}");
            let unknown =
                check(rule(route), &Caller::Nobody, Subject { name: "x", body: b"" }, &ClusterState::default());
            assert_eq!(unknown.is_ok(), rule(route) == Rule::Public, "{route:?}");
        }
    }

    #[test]
    fn an_admin_and_anyone_may_do_everything() {
        for route in Route::all() {
            assert!(may(route, vec![Grant::admin()], "x", ""), "{route:?}");
            let open = check(rule(route), &Caller::Anyone, Subject { name: "x", body: b"" }, &ClusterState::default());
            assert_eq!(open, Ok(()));
        }
    }

    #[test]
    fn a_subscription_is_no_way_around_its_topics() {
        let manage = || subscriptions("a-*", Action::Manage);
        let body = r#"{"topic":"t","dead_letter_topic":"d"}"#;
        let put = |more: Vec<Grant>| may(Route::PutSubscription, [vec![manage()], more].concat(), "a-s", body);
        assert!(!put(vec![]));
        assert!(!put(vec![topics("t", Action::Consume)]));
        assert!(!put(vec![topics("d", Action::Publish)]));
        assert!(!put(vec![topics("t", Action::Publish), topics("d", Action::Consume)]));
        assert!(put(vec![topics("t", Action::Consume), topics("d", Action::Publish)]));
        assert!(!may(Route::PutSubscription, vec![topics("*", Action::Manage)], "a-s", "{}"));
    }

    #[test]
    fn what_is_lacking_is_said() {
        let denied = check(
            rule(Route::PublishOne),
            &caller(vec![topics("t", Action::Consume)]),
            Subject { name: "t", body: b"" },
            &ClusterState::default(),
        );
        let words = "it needs `publish` on the topic, which tester does not have";
        assert_eq!(denied.unwrap_err().to_string(), words);
    }
}
