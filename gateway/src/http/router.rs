//! One table from method and path to what is asked.

use super::{
    method::Method,
    target::{Target, TargetError},
};

/// Everything a client can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named after its line of the table")]
pub enum Route {
    PublishBatch,
    PublishOne,
    ReadPartition,
    Events,
    Pull,
    Ack,
    Nack,
    Extend,
    Seek,
    ListDeadLetters,
    Redrive,
    ListScheduled,
    CancelScheduled,
    ListTopics,
    PutTopic,
    GetTopic,
    PatchTopic,
    DeleteTopic,
    ListSubscriptions,
    PutSubscription,
    GetSubscription,
    PatchSubscription,
    DeleteSubscription,
    JoinConsumer,
    HeartbeatConsumer,
    LeaveConsumer,
    ListKeys,
    CreateKey,
    GetKey,
    DeleteKey,
    ListPrincipals,
    GetPrincipal,
    PutPrincipal,
    DeletePrincipal,
    GetCluster,
    Rebalance,
    TransferLeadership,
    GetNode,
    DeleteNode,
    DrainNode,
    MovePartition,
    ElectUnclean,
    VerifyPartition,
    Whoami,
    CreateTicket,
    WebSocket,
    Healthz,
    Readyz,
    OpenApi,
    AsyncApi,
    Home,
    Docs,
    DocsFile,
}

/// A route with the variable parts of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteMatch<'t> {
    /// What is asked.
    pub route: Route,
    /// The topic or subscription of the path, decoded but not checked; empty if the path has none.
    pub name: &'t str,
    /// What the path names below it, such as a partition; empty if it has none.
    pub item: &'t str,
}

/// Why there is no route for a request. The connection stays usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum RouteError {
    #[error("{0}")]
    Target(#[from] TargetError),
    #[error("there is nothing at this path")]
    NotFound,
    #[error("this path takes {allow}")]
    MethodNotAllowed { allow: String },
    #[error("the method is not known")]
    MethodUnknown,
    /// Not a fault: an OPTIONS request, answered 204 with `Allow`.
    #[error("this path takes {allow}")]
    Options { allow: String },
}

impl Route {
    /// How many routes there are.
    pub const COUNT: usize = 53;

    /// Its place among all routes, below [`Route::COUNT`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name in metrics and logs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::PublishBatch => "publish_batch",
            Self::PublishOne => "publish_one",
            Self::ReadPartition => "read_partition",
            Self::Events => "events",
            Self::Pull => "pull",
            Self::Ack => "ack",
            Self::Nack => "nack",
            Self::Extend => "extend",
            Self::Seek => "seek",
            Self::ListDeadLetters => "list_dead_letters",
            Self::Redrive => "redrive",
            Self::ListScheduled => "list_scheduled",
            Self::CancelScheduled => "cancel_scheduled",
            Self::ListTopics => "list_topics",
            Self::PutTopic => "put_topic",
            Self::GetTopic => "get_topic",
            Self::PatchTopic => "patch_topic",
            Self::DeleteTopic => "delete_topic",
            Self::ListSubscriptions => "list_subscriptions",
            Self::PutSubscription => "put_subscription",
            Self::GetSubscription => "get_subscription",
            Self::PatchSubscription => "patch_subscription",
            Self::DeleteSubscription => "delete_subscription",
            Self::JoinConsumer => "join_consumer",
            Self::HeartbeatConsumer => "heartbeat_consumer",
            Self::LeaveConsumer => "leave_consumer",
            Self::ListKeys => "list_keys",
            Self::CreateKey => "create_key",
            Self::GetKey => "get_key",
            Self::DeleteKey => "delete_key",
            Self::ListPrincipals => "list_principals",
            Self::GetPrincipal => "get_principal",
            Self::PutPrincipal => "put_principal",
            Self::DeletePrincipal => "delete_principal",
            Self::GetCluster => "get_cluster",
            Self::Rebalance => "rebalance",
            Self::TransferLeadership => "transfer_leadership",
            Self::GetNode => "get_node",
            Self::DeleteNode => "delete_node",
            Self::DrainNode => "drain_node",
            Self::MovePartition => "move_partition",
            Self::ElectUnclean => "elect_unclean",
            Self::VerifyPartition => "verify_partition",
            Self::Whoami => "whoami",
            Self::CreateTicket => "create_ticket",
            Self::WebSocket => "websocket",
            Self::Healthz => "healthz",
            Self::Readyz => "readyz",
            Self::OpenApi => "openapi",
            Self::AsyncApi => "asyncapi",
            Self::Home => "home",
            Self::Docs => "docs",
            Self::DocsFile => "docs_file",
        }
    }

    /// The method and the path that ask for it, for people: `GET /v1/topics/{topic}`.
    #[must_use]
    pub fn request_line(self) -> String {
        let found = TABLE.iter().find_map(|line| {
            let (method, _) = line.routes.iter().find(|(_, route)| *route == self)?;
            Some(format!("{} {}", method.as_str(), line.template()))
        });
        found.unwrap_or_default()
    }

    /// Every route, in the order of [`Route::index`].
    pub fn all() -> impl Iterator<Item = Self> {
        let mut routes: Vec<_> = TABLE.iter().flat_map(|line| line.routes.iter().map(|(_, route)| *route)).collect();
        routes.sort_by_key(|route| route.index());
        routes.into_iter()
    }
}

/// Every method and path that is taken, HEAD and OPTIONS aside, with the path as a template: `/v1/topics/{topic}`. What
/// a variable part is called follows from the segment before it.
pub fn paths() -> impl Iterator<Item = (Method, String, Route)> {
    TABLE.iter().flat_map(|line| line.routes.iter().map(|(method, route)| (*method, line.template(), *route)))
}

/// Finds what a request asks for. HEAD is taken wherever GET is.
///
/// # Errors
/// Says what the path would take, if it takes anything.
pub fn route(method: Method, target: Result<&Target, TargetError>) -> Result<RouteMatch<'_>, RouteError> {
    let target = target?;
    if method == Method::Other {
        return Err(RouteError::MethodUnknown);
    }
    if target.is_asterisk() {
        let allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS".to_owned();
        return Err(if method == Method::Options { RouteError::Options { allow } } else { RouteError::NotFound });
    }
    let (line, name, item) = TABLE.iter().find_map(|line| line.matched(target)).ok_or(RouteError::NotFound)?;
    let wanted = if method == Method::Head { Method::Get } else { method };
    match line.routes.iter().find(|(candidate, _)| *candidate == wanted) {
        Some((_, route)) => Ok(RouteMatch { route: *route, name, item }),
        None if method == Method::Options => Err(RouteError::Options { allow: line.allow() }),
        None => Err(RouteError::MethodNotAllowed { allow: line.allow() }),
    }
}

/// One path and what its methods ask for.
struct Line {
    pattern: &'static [Part],
    routes: &'static [(Method, Route)],
}

/// One segment of a pattern.
enum Part {
    /// Exactly this text.
    Text(&'static str),
    /// Anything; becomes [`RouteMatch::name`].
    Name,
    /// Anything; becomes [`RouteMatch::item`].
    Item,
}

use Part::{Item, Name, Text};

/// The hottest paths first.
const TABLE: &[Line] = &[
    Line {
        pattern: &[Text("v1"), Text("topics"), Name, Text("messages")],
        routes: &[(Method::Post, Route::PublishBatch)],
    },
    Line {
        pattern: &[Text("v1"), Text("topics"), Name, Text("publish")],
        routes: &[(Method::Post, Route::PublishOne)],
    },
    Line { pattern: &[Text("v1"), Text("subscriptions"), Name, Text("pull")], routes: &[(Method::Post, Route::Pull)] },
    Line { pattern: &[Text("v1"), Text("subscriptions"), Name, Text("ack")], routes: &[(Method::Post, Route::Ack)] },
    Line { pattern: &[Text("v1"), Text("subscriptions"), Name, Text("nack")], routes: &[(Method::Post, Route::Nack)] },
    Line {
        pattern: &[Text("v1"), Text("subscriptions"), Name, Text("extend")],
        routes: &[(Method::Post, Route::Extend)],
    },
    Line { pattern: &[Text("v1"), Text("subscriptions"), Name, Text("seek")], routes: &[(Method::Post, Route::Seek)] },
    Line {
        pattern: &[Text("v1"), Text("topics"), Name, Text("partitions"), Item, Text("messages")],
        routes: &[(Method::Get, Route::ReadPartition)],
    },
    Line { pattern: &[Text("v1"), Text("topics"), Name, Text("events")], routes: &[(Method::Get, Route::Events)] },
    Line {
        pattern: &[Text("v1"), Text("subscriptions"), Name, Text("consumers"), Item, Text("heartbeat")],
        routes: &[(Method::Put, Route::HeartbeatConsumer)],
    },
    Line {
        pattern: &[Text("v1"), Text("subscriptions"), Name, Text("dead-letters")],
        routes: &[(Method::Get, Route::ListDeadLetters)],
    },
    Line {
        pattern: &[Text("v1"), Text("subscriptions"), Name, Text("redrive")],
        routes: &[(Method::Post, Route::Redrive)],
    },
    Line {
        pattern: &[Text("v1"), Text("topics"), Name, Text("scheduled")],
        routes: &[(Method::Get, Route::ListScheduled)],
    },
    Line {
        pattern: &[Text("v1"), Text("topics"), Name, Text("scheduled"), Item],
        routes: &[(Method::Delete, Route::CancelScheduled)],
    },
    Line {
        pattern: &[Text("v1"), Text("keys")],
        routes: &[(Method::Get, Route::ListKeys), (Method::Post, Route::CreateKey)],
    },
    Line {
        pattern: &[Text("v1"), Text("keys"), Name],
        routes: &[(Method::Get, Route::GetKey), (Method::Delete, Route::DeleteKey)],
    },
    Line { pattern: &[Text("v1"), Text("principals")], routes: &[(Method::Get, Route::ListPrincipals)] },
    Line {
        pattern: &[Text("v1"), Text("principals"), Name],
        routes: &[
            (Method::Get, Route::GetPrincipal),
            (Method::Put, Route::PutPrincipal),
            (Method::Delete, Route::DeletePrincipal),
        ],
    },
    Line { pattern: &[Text("v1"), Text("cluster")], routes: &[(Method::Get, Route::GetCluster)] },
    Line { pattern: &[Text("v1"), Text("cluster"), Text("rebalance")], routes: &[(Method::Post, Route::Rebalance)] },
    Line {
        pattern: &[Text("v1"), Text("cluster"), Text("leader")],
        routes: &[(Method::Post, Route::TransferLeadership)],
    },
    Line {
        pattern: &[Text("v1"), Text("cluster"), Text("nodes"), Name],
        routes: &[(Method::Get, Route::GetNode), (Method::Delete, Route::DeleteNode)],
    },
    Line {
        pattern: &[Text("v1"), Text("cluster"), Text("nodes"), Name, Text("drain")],
        routes: &[(Method::Post, Route::DrainNode)],
    },
    Line {
        pattern: &[Text("v1"), Text("topics"), Name, Text("partitions"), Item, Text("move")],
        routes: &[(Method::Post, Route::MovePartition)],
    },
    Line {
        pattern: &[Text("v1"), Text("topics"), Name, Text("partitions"), Item, Text("unclean-elect")],
        routes: &[(Method::Post, Route::ElectUnclean)],
    },
    Line {
        pattern: &[Text("v1"), Text("topics"), Name, Text("partitions"), Item, Text("verify")],
        routes: &[(Method::Post, Route::VerifyPartition)],
    },
    Line { pattern: &[Text("v1"), Text("whoami")], routes: &[(Method::Get, Route::Whoami)] },
    Line { pattern: &[Text("v1"), Text("tickets")], routes: &[(Method::Post, Route::CreateTicket)] },
    Line { pattern: &[Text("v1"), Text("ws")], routes: &[(Method::Get, Route::WebSocket)] },
    Line { pattern: &[Text("healthz")], routes: &[(Method::Get, Route::Healthz)] },
    Line { pattern: &[Text("readyz")], routes: &[(Method::Get, Route::Readyz)] },
    Line { pattern: &[Text("openapi.json")], routes: &[(Method::Get, Route::OpenApi)] },
    Line { pattern: &[Text("asyncapi.json")], routes: &[(Method::Get, Route::AsyncApi)] },
    Line { pattern: &[Text("")], routes: &[(Method::Get, Route::Home)] },
    Line { pattern: &[Text("docs")], routes: &[(Method::Get, Route::Docs)] },
    Line { pattern: &[Text("docs"), Item], routes: &[(Method::Get, Route::DocsFile)] },
    Line { pattern: &[Text("v1"), Text("topics")], routes: &[(Method::Get, Route::ListTopics)] },
    Line {
        pattern: &[Text("v1"), Text("topics"), Name],
        routes: &[
            (Method::Get, Route::GetTopic),
            (Method::Put, Route::PutTopic),
            (Method::Patch, Route::PatchTopic),
            (Method::Delete, Route::DeleteTopic),
        ],
    },
    Line {
        pattern: &[Text("v1"), Text("subscriptions"), Name, Text("consumers")],
        routes: &[(Method::Post, Route::JoinConsumer)],
    },
    Line {
        pattern: &[Text("v1"), Text("subscriptions"), Name, Text("consumers"), Item],
        routes: &[(Method::Delete, Route::LeaveConsumer)],
    },
    Line { pattern: &[Text("v1"), Text("subscriptions")], routes: &[(Method::Get, Route::ListSubscriptions)] },
    Line {
        pattern: &[Text("v1"), Text("subscriptions"), Name],
        routes: &[
            (Method::Get, Route::GetSubscription),
            (Method::Put, Route::PutSubscription),
            (Method::Patch, Route::PatchSubscription),
            (Method::Delete, Route::DeleteSubscription),
        ],
    },
];

impl Line {
    fn matched<'t>(&self, target: &'t Target) -> Option<(&Self, &'t str, &'t str)> {
        if self.pattern.len() != target.segment_count() {
            return None;
        }
        let (mut name, mut item) = ("", "");
        for (index, part) in self.pattern.iter().enumerate() {
            let segment = target.segment(index)?;
            match part {
                Text(text) if *text == segment => {}
                Text(_) => return None,
                Name => name = segment,
                Item => item = segment,
            }
        }
        Some((self, name, item))
    }

    fn template(&self) -> String {
        let mut template = String::new();
        let mut before = "";
        for part in self.pattern {
            template.push('/');
            match part {
                Text(text) => {
                    template.push_str(text);
                    before = text;
                }
                // `topics` have topics below them; what is not in the plural has things with an id.
                Name | Item => template.extend(["{", before.strip_suffix('s').unwrap_or("id"), "}"]),
            }
        }
        template
    }

    fn allow(&self) -> String {
        let mut allow = String::new();
        for (method, _) in self.routes {
            allow.push_str(method.as_str());
            allow.push_str(if *method == Method::Get { ", HEAD, " } else { ", " });
        }
        allow.push_str("OPTIONS");
        allow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        let mut target = Target::default();
        target.read(text).unwrap();
        target
    }

    fn routed(method: Method, text: &str) -> Result<Route, RouteError> {
        route(method, Ok(&target(text))).map(|matched| matched.route)
    }

    #[test]
    fn parameters_are_captured_decoded() {
        let target = target("/v1/topics/a%20b/partitions/3/messages?offset=1");
        let matched = route(Method::Get, Ok(&target)).unwrap();
        assert_eq!(matched, RouteMatch { route: Route::ReadPartition, name: "a b", item: "3" });
    }

    #[test]
    fn every_route_has_its_own_index_and_label() {
        let indexes: Vec<_> = Route::all().map(Route::index).collect();
        assert_eq!(indexes, (0..Route::COUNT).collect::<Vec<_>>());
        let labels: std::collections::BTreeSet<_> = Route::all().map(Route::label).collect();
        assert_eq!(labels.len(), Route::COUNT);
    }

    #[test]
    fn head_is_taken_where_get_is() {
        assert_eq!(routed(Method::Head, "/healthz"), Ok(Route::Healthz));
        assert!(matches!(routed(Method::Head, "/v1/topics/t/messages"), Err(RouteError::MethodNotAllowed { .. })));
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        let allow = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS".to_owned();
        assert_eq!(routed(Method::Post, "/v1/topics/t"), Err(RouteError::MethodNotAllowed { allow: allow.clone() }));
        assert_eq!(routed(Method::Options, "/v1/topics/t"), Err(RouteError::Options { allow }));
        assert!(matches!(routed(Method::Options, "*"), Err(RouteError::Options { .. })));
    }

    #[test]
    fn paths_match_whole_or_not_at_all() {
        for path in ["/", "/v1", "/v1/topics/", "/v1//topics", "/v1/topics/t/messages/", "/V1/topics", "/v1/./topics"] {
            assert!(!matches!(routed(Method::Post, path), Ok(Route::ListTopics | Route::PublishBatch)), "{path}");
        }
        assert_eq!(routed(Method::Get, "/v2/topics"), Err(RouteError::NotFound));
        assert_eq!(routed(Method::Get, "*"), Err(RouteError::NotFound));
    }

    #[test]
    fn paths_are_templates_with_names() {
        let paths: Vec<_> = paths().map(|(method, path, _)| format!("{} {path}", method.as_str())).collect();
        assert_eq!(paths.len(), Route::COUNT);
        for path in [
            "GET /v1/topics/{topic}/partitions/{partition}/messages",
            "DELETE /v1/topics/{topic}/scheduled/{id}",
            "PUT /v1/subscriptions/{subscription}/consumers/{consumer}/heartbeat",
            "GET /",
        ] {
            assert!(paths.iter().any(|candidate| candidate == path), "{path}: {paths:?}");
        }
    }

    #[test]
    fn an_unknown_method_is_not_a_wrong_one() {
        assert_eq!(routed(Method::Other, "/healthz"), Err(RouteError::MethodUnknown));
    }
}
