//! Who is let in: every route and every verb with every kind of credential, and what those see who are.

mod matrix;

use gateway::{
    auth::{AuthMode, NewKey},
    config::GatewayConfig,
};
use gateway_api::{
    Page,
    access::{Ticket, Whoami},
    error::Code,
    frame::ServerFrame,
    subscriptions::SubscriptionSummary,
    topics::TopicSummary,
};
use raft::metadata::{Action, ApiKey, Command, Grant, NamePattern, PrincipalConfig, PrincipalName, Scope, TopicConfig};
use serde_json::json;
use shard_core::model::{Timestamp, TopicName};

use crate::{
    client::{HttpClient, Received, WebSocketClient},
    harness::{Broker, OTHER_TOPIC, SUBSCRIPTION, TOPIC, with_broker_knowing},
};

pub(crate) fn required() -> GatewayConfig {
    GatewayConfig { auth: AuthMode::Required, ..GatewayConfig::default() }
}

/// A key that is always the same for its number.
pub(crate) fn new_key(number: u16) -> NewKey {
    let [low, high] = number.to_le_bytes();
    // The first bytes become letters of the id by their lowest five bits.
    NewKey::of_random(&std::array::from_fn(|at| match at {
        0 => low % 32,
        1 => low / 32,
        2 => high % 32,
        12 => low,
        13 => high,
        _ => 7,
    }))
    .unwrap()
}

pub(crate) fn create(number: u16, principal: &str, grants: Vec<Grant>, expires_at: Option<Timestamp>) -> Command {
    let NewKey { id, hash, .. } = new_key(number);
    let principal = PrincipalName::new(principal).unwrap();
    let key = ApiKey { id, hash, principal, created_at: Timestamp::default(), expires_at };
    Command::CreateKey { key, principal: Some(PrincipalConfig { grants, ..PrincipalConfig::default() }) }
}

pub(crate) fn on_topics(pattern: &str, actions: &[Action]) -> Grant {
    Grant { scope: Scope::Topics(NamePattern::new(pattern.to_owned())), actions: actions.to_vec() }
}

fn on_subscriptions(pattern: &str, actions: &[Action]) -> Grant {
    Grant { scope: Scope::Subscriptions(NamePattern::new(pattern.to_owned())), actions: actions.to_vec() }
}

pub(crate) fn authorization(number: u16) -> String {
    format!("authorization: Bearer {}\r\n", new_key(number).expose())
}

async fn get<T: serde::de::DeserializeOwned>(http: &mut HttpClient, path: &str, key: u16) -> T {
    http.send(&format!("GET {path}"), &authorization(key), b"").await;
    let answer = http.receive().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[test]
fn lists_show_what_some_grant_covers_in_whole_pages() {
    let mut commands: Vec<_> = (0..20)
        .map(|number| {
            let name = TopicName::new(&format!("{}-{number:02}", if number % 3 == 0 { "mine" } else { "theirs" }));
            let config = TopicConfig::default();
            Command::CreateTopic { name: name.unwrap(), config, created_at: Timestamp::default() }
        })
        .collect();
    commands.push(create(1, "me", vec![on_topics("mine-*", &[Action::Publish])], None));
    commands.push(create(2, "admin", vec![Grant::admin()], None));
    with_broker_knowing(required(), commands, async |broker| {
        let mut http = broker.http().await;
        let (mut names, mut token) = (Vec::new(), String::new());
        for _ in 0..4 {
            let page: Page<TopicSummary> =
                get(&mut http, &format!("/v1/topics?page_size=2&page_token={token}"), 1).await;
            names.extend(page.items.into_iter().map(|topic| topic.name));
            match page.next_page_token {
                Some(next) => token = next,
                None => break,
            }
        }
        assert_eq!(names, ["mine-00", "mine-03", "mine-06", "mine-09", "mine-12", "mine-15", "mine-18"]);
        let page: Page<SubscriptionSummary> = get(&mut http, "/v1/subscriptions", 1).await;
        assert_eq!(page.items, []);
        let page: Page<TopicSummary> = get(&mut http, "/v1/topics", 2).await;
        assert_eq!(page.items.len(), 22);
    });
}

#[test]
fn what_may_not_be_seen_is_forbidden_whether_it_is_there_or_not() {
    let commands = vec![create(1, "me", vec![on_topics("mine-*", &[Action::Manage])], None)];
    with_broker_knowing(required(), commands, async |broker| {
        let mut http = broker.http().await;
        let mut details = Vec::new();
        for line in [
            format!("GET /v1/topics/{TOPIC}"),
            "GET /v1/topics/none".to_owned(),
            "GET /v1/topics/..".to_owned(),
            format!("GET /v1/topics/{}", "x".repeat(300)),
        ] {
            http.send(&line, &authorization(1), b"").await;
            let problem = http.receive().await.problem();
            assert_eq!(problem.code, Code::Forbidden, "{line}");
            details.push(problem.detail);
        }
        details.dedup();
        assert_eq!(details.len(), 1, "{details:?}");
    });
}

#[test]
fn everyone_may_ask_who_they_are() {
    let grants = vec![on_topics("a-*", &[Action::Publish, Action::Manage])];
    let commands = vec![create(1, "ci/deploy@example.com", grants, Some(Timestamp::from_millis(4_000_000_000_000)))];
    with_broker_knowing(required(), commands, async |broker| {
        let me: Whoami = get(&mut broker.http().await, "/v1/whoami", 1).await;
        assert_eq!(me.principal.as_deref(), Some("ci/deploy@example.com"));
        assert_eq!(me.grants[0].topic_prefix.as_deref(), Some("a-*"));
        assert_eq!(me.expires_at.map(gateway_api::Timestamp::unix_ms), Some(4_000_000_000_000));
    });
    with_broker_knowing(GatewayConfig::default(), Vec::new(), async |broker| {
        let me: Whoami = broker.http().await.ask("GET /v1/whoami", json!(null)).await;
        assert_eq!(me.principal, None);
    });
}

#[test]
fn a_refused_credential_says_how_to_send_one() {
    with_broker_knowing(required(), Vec::new(), async |broker| {
        let mut http = broker.http().await;
        let answer = http.request("GET /v1/topics", "").await;
        assert!(answer.head.contains("www-authenticate: bearer\r\n"), "{answer:?}");
        assert_eq!(answer.problem().code, Code::Unauthenticated);
        assert_eq!(http.request("GET /healthz", "").await.status, 200, "the connection stays usable");
    });
}

#[test]
fn readiness_is_public() {
    with_broker_knowing(required(), Vec::new(), async |broker| {
        let mut http = broker.http().await;
        for lines in ["", "authorization: Bearer nonsense\r\n"] {
            http.send("GET /readyz", lines, b"").await;
            assert_eq!(http.receive().await.status, 200);
        }
    });
}

#[test]
fn a_websocket_opens_with_a_key_or_a_ticket_however_they_are_sent() {
    let commands = vec![create(1, "me", vec![on_subscriptions(SUBSCRIPTION, &[Action::Consume])], None)];
    with_broker_knowing(required(), commands, async |broker| {
        let mut http = broker.http().await;
        http.send("POST /v1/tickets", &authorization(1), b"").await;
        let answer = http.receive().await;
        assert_eq!(answer.status, 201);
        assert!(answer.head.contains("cache-control: no-store"));
        let ticket: Ticket = answer.json();
        let ticket = ticket.ticket.expose();
        let key = new_key(1);
        let offers = |credential: &str| format!("sec-websocket-protocol: pubsub.v1.json, {credential}\r\n");
        for (query, lines) in [
            (String::new(), authorization(1)),
            (String::new(), offers(&format!("bearer.{}", key.expose()))),
            (String::new(), offers(&format!("ticket.{ticket}"))),
            (format!("?ticket={ticket}"), String::new()),
        ] {
            let mut socket = WebSocketClient::connect_with(broker.address, &query, &lines).await;
            socket.send(json!({ "op": "subscribe", "ref": 1, "subscription": SUBSCRIPTION })).await;
            assert!(matches!(socket.frame().await, ServerFrame::Subscribed(_)));
            socket.send(json!({ "op": "publish", "ref": 2, "topic": TOPIC, "messages": [{ "text": "x" }] })).await;
            let ServerFrame::Error(error) = socket.frame().await else { panic!("it was published") };
            assert_eq!((error.reference, error.code), (Some(2), Code::Forbidden));
        }
        for query in ["?ticket=x", ""] {
            let mut http = broker.http().await;
            http.send(&format!("GET /v1/ws{query}"), "", b"").await;
            assert_eq!(http.receive().await.problem().code, Code::Unauthenticated);
        }
        http.send(&format!("GET /v1/topics?ticket={ticket}"), "", b"").await;
        assert_eq!(http.receive().await.problem().code, Code::Unauthenticated, "a ticket opens no other path");
    });
}

#[test]
fn a_websocket_ends_when_its_key_does() {
    let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() + 1_500;
    let ends = Timestamp::from_millis(i64::try_from(soon).unwrap());
    let grants = vec![on_subscriptions("*", &[Action::Consume])];
    with_broker_knowing(required(), vec![create(1, "me", grants, Some(ends))], async |broker| {
        let mut socket = WebSocketClient::connect_with(broker.address, "", &authorization(1)).await;
        socket.send(json!({ "op": "subscribe", "subscription": SUBSCRIPTION, "credit": 1 })).await;
        assert!(matches!(socket.frame().await, ServerFrame::Subscribed(_)));
        assert_eq!(socket.receive().await, Received::Closed(1008));
    });
}

/// F69: reads and writes of another tenant's topic are refused although both are there.
#[test]
fn one_tenant_does_not_reach_the_other() {
    let one = vec![on_topics(TOPIC, &[Action::Publish, Action::Consume, Action::Manage])];
    let other = vec![on_topics(OTHER_TOPIC, &[Action::Publish, Action::Consume, Action::Manage])];
    let commands = vec![create(1, "one", one, None), create(2, "other", other, None)];
    with_broker_knowing(required(), commands, async |broker| {
        let status = async |broker: &Broker, key, topic: &str| {
            let mut http = broker.http().await;
            http.send(&format!("POST /v1/topics/{topic}/publish"), &authorization(key), b"x").await;
            http.receive().await.status
        };
        assert_eq!([status(&broker, 1, TOPIC).await, status(&broker, 2, OTHER_TOPIC).await], [200, 200]);
        assert_eq!([status(&broker, 1, OTHER_TOPIC).await, status(&broker, 2, TOPIC).await], [403, 403]);
    });
}
