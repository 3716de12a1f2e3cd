//! The one table of what each request needs. A route or a WebSocket verb without a rule does not compile.

use std::fmt::Write as _;

use gateway_api::frame::ClientFrame;
use raft::metadata::Action;

use crate::http::router::Route;

/// What a caller needs to be let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing.
    Public,
    /// To be someone.
    Authenticated,
    /// To be someone who may do all of this.
    Needs(&'static [Need]),
}

/// One thing that must be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// What is to be done; `None` is anything that a grant allows.
    pub action: Option<Action>,
    /// On what.
    pub on: On,
}

/// What something is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The topic that path or frame names.
    Topic,
    /// The subscription that path or frame names.
    Subscription,
    /// The topic that this subscription reads, if it is there.
    TopicOfSubscription,
    /// The topic that the subscription in the body is to read.
    BodyTopic,
    /// The topic for dead letters in the body, if one is named.
    BodyDeadLetters,
    /// The cluster.
    Cluster,
}

/// What a client can ask over WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Storing messages.
    Publish,
    /// Getting a subscription's messages.
    SubscribeSubscription,
    /// Reading a topic without a subscription.
    SubscribeTopic,
    /// Saying that messages are done with.
    Ack,
    /// Giving messages back.
    Nack,
    /// Holding messages for longer.
    Extend,
    /// Letting more messages come.
    Credit,
    /// Getting no more messages.
    Unsubscribe,
    /// Showing that one is there.
    Ping,
}

const PUBLISH: Rule = Rule::Needs(&[need(Action::Publish, On::Topic)]);
const READ: Rule = Rule::Needs(&[need(Action::Consume, On::Topic)]);
const CONSUME: Rule = Rule::Needs(&[need(Action::Consume, On::Subscription)]);
const MANAGE_TOPIC: Rule = Rule::Needs(&[need(Action::Manage, On::Topic)]);
const ADMINISTER: Rule = Rule::Needs(&[need(Action::Admin, On::Cluster)]);

const MANAGE_SUBSCRIPTION: Rule = Rule::Needs(&[need(Action::Manage, On::Subscription)]);
const REDRIVE: Rule =
    Rule::Needs(&[need(Action::Consume, On::Subscription), need(Action::Publish, On::TopicOfSubscription)]);
const CREATE_SUBSCRIPTION: Rule = Rule::Needs(&[
    need(Action::Manage, On::Subscription),
    need(Action::Consume, On::BodyTopic),
    need(Action::Publish, On::BodyDeadLetters),
]);
const CHANGE_SUBSCRIPTION: Rule = Rule::Needs(&[
    need(Action::Manage, On::Subscription),
    need(Action::Consume, On::TopicOfSubscription),
    need(Action::Publish, On::BodyDeadLetters),
]);

const fn need(action: Action, on: On) -> Need {
    Need { action: Some(action), on }
}

/// What a route needs.
#[must_use]
pub const fn rule(route: Route) -> Rule {
    match route {
        Route::Healthz
        | Route::Readyz
        | Route::OpenApi
        | Route::AsyncApi
        | Route::Home
        | Route::Docs
        | Route::DocsFile => Rule::Public,
        // The lists show what some grant covers, a WebSocket's frames have rules of their own.
        Route::ListTopics | Route::ListSubscriptions | Route::WebSocket | Route::Whoami | Route::CreateTicket => {
            Rule::Authenticated
        }
        // Cancelling takes back what was published.
        Route::PublishBatch | Route::PublishOne | Route::CancelScheduled => PUBLISH,
        Route::ReadPartition | Route::Events | Route::ListScheduled => READ,
        Route::Pull
        | Route::Ack
        | Route::Nack
        | Route::Extend
        | Route::Seek
        | Route::ListDeadLetters
        | Route::JoinConsumer
        | Route::HeartbeatConsumer
        | Route::LeaveConsumer => CONSUME,
        // It writes to the topic.
        Route::Redrive => REDRIVE,
        Route::GetTopic => Rule::Needs(&[Need { action: None, on: On::Topic }]),
        // A topic takes its subscriptions with it when it is deleted: the messages are its owner's.
        Route::PutTopic | Route::PatchTopic | Route::DeleteTopic => MANAGE_TOPIC,
        Route::GetSubscription => Rule::Needs(&[Need { action: None, on: On::Subscription }]),
        // Who could make or redirect one without these could read any topic, or write to it.
        Route::PutSubscription => CREATE_SUBSCRIPTION,
        Route::PatchSubscription => CHANGE_SUBSCRIPTION,
        Route::DeleteSubscription => MANAGE_SUBSCRIPTION,
        Route::ListKeys
        | Route::CreateKey
        | Route::GetKey
        | Route::DeleteKey
        | Route::ListPrincipals
        | Route::GetPrincipal
        | Route::PutPrincipal
        | Route::DeletePrincipal
        | Route::GetCluster
        | Route::Rebalance
        | Route::TransferLeadership
        | Route::GetNode
        | Route::DeleteNode
        | Route::DrainNode
        | Route::MovePartition
        | Route::ElectUnclean
        | Route::VerifyPartition => ADMINISTER,
    }
}

/// What a WebSocket verb needs.
#[must_use]
pub const fn verb_rule(verb: Verb) -> Rule {
    match verb {
        Verb::Publish => PUBLISH,
        Verb::SubscribeTopic => READ,
        Verb::SubscribeSubscription | Verb::Ack | Verb::Nack | Verb::Extend => CONSUME,
        // They are about what this connection subscribed to, which was checked then.
        Verb::Credit | Verb::Unsubscribe | Verb::Ping => Rule::Authenticated,
    }
}

/// Whether browsers open this, which can't set `Authorization` there: then a credential may come otherwise.
#[must_use]
pub const fn takes_tickets(route: Route) -> bool {
    matches!(route, Route::WebSocket | Route::Events)
}

impl Verb {
    /// Every verb.
    pub const ALL: &[Self] = &[
        Self::Publish,
        Self::SubscribeSubscription,
        Self::SubscribeTopic,
        Self::Ack,
        Self::Nack,
        Self::Extend,
        Self::Credit,
        Self::Unsubscribe,
        Self::Ping,
    ];

    /// What a frame asks, and the topic or subscription that it names.
    #[must_use]
    pub fn of<'f>(frame: &'f ClientFrame<'_>) -> (Self, &'f str) {
        match frame {
            ClientFrame::Publish(publish) => (Self::Publish, &publish.topic),
            ClientFrame::Subscribe(subscribe) => match (&subscribe.subscription, &subscribe.topic) {
                (None, Some(topic)) => (Self::SubscribeTopic, topic),
                (name, _) => (Self::SubscribeSubscription, name.as_deref().unwrap_or_default()),
            },
            ClientFrame::Ack(ack) => (Self::Ack, &ack.subscription),
            ClientFrame::Nack(nack) => (Self::Nack, &nack.subscription),
            ClientFrame::Extend(extend) => (Self::Extend, &extend.subscription),
            ClientFrame::Credit(_) => (Self::Credit, ""),
            ClientFrame::Unsubscribe(_) => (Self::Unsubscribe, ""),
            ClientFrame::Ping(_) => (Self::Ping, ""),
        }
    }

    /// Its name in the audit log.
    #[must_use]
    pub const fn audited_as(self) -> &'static str {
        match self {
            Self::Publish => "websocket_publish",
            Self::SubscribeSubscription | Self::SubscribeTopic => "websocket_subscribe",
            Self::Ack => "websocket_ack",
            Self::Nack => "websocket_nack",
            Self::Extend => "websocket_extend",
            Self::Credit => "websocket_credit",
            Self::Unsubscribe => "websocket_unsubscribe",
            Self::Ping => "websocket_ping",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::SubscribeSubscription => "subscribe` with `subscription",
            Self::SubscribeTopic => "subscribe` with `topic",
            Self::Ack => "ack",
            Self::Nack => "nack",
            Self::Extend => "extend",
            Self::Credit => "credit",
            Self::Unsubscribe => "unsubscribe",
            Self::Ping => "ping",
        }
    }
}

/// The table of `docs/security.md`, from the rules themselves.
#[must_use]
pub fn documentation_table() -> String {
    let mut table = String::from("| request | needs |\n|---|---|\n");
    for route in Route::all() {
        let _ = writeln!(table, "| `{}` | {} |", route.request_line(), rule(route).in_words());
    }
    for verb in Verb::ALL {
        let _ = writeln!(table, "| WebSocket `{}` | {} |", verb.label(), verb_rule(*verb).in_words());
    }
    table
}

impl Rule {
    fn in_words(self) -> String {
        match self {
            Self::Public => "nothing".to_owned(),
            Self::Authenticated => "a key".to_owned(),
            Self::Needs(needs) => needs.iter().map(Need::in_words).collect::<Vec<_>>().join(", "),
        }
    }
}

impl Need {
    /// What it is, for the documentation and for whoever lacks it.
    #[must_use]
    pub fn in_words(&self) -> String {
        let on = match self.on {
            On::Topic => "on the topic",
            On::Subscription => "on the subscription",
            On::TopicOfSubscription => "on the topic of the subscription",
            On::BodyTopic => "on the topic that it reads",
            On::BodyDeadLetters => "on its topic for dead letters",
            On::Cluster => return "`admin`".to_owned(),
        };
        match self.action {
            None => format!("any grant {on}"),
            Some(Action::Publish) => format!("`publish` {on}"),
            Some(Action::Consume) => format!("`consume` {on}"),
            Some(Action::Manage) => format!("`manage` {on}"),
            Some(Action::Admin) => format!("`admin` {on}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_tells_nothing_is_public() {
        let public: Vec<_> = Route::all().filter(|route| rule(*route) == Rule::Public).collect();
        let described = [Route::OpenApi, Route::AsyncApi, Route::Home, Route::Docs, Route::DocsFile];
        assert_eq!(public, [&[Route::Healthz, Route::Readyz][..], &described].concat());
    }

    #[test]
    fn the_documentation_has_every_rule() {
        let page = include_str!("../../../docs/security.md");
        assert!(page.contains(&documentation_table()), "docs/security.md should hold:\n{}", documentation_table());
    }
}
