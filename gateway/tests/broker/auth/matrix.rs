//! F69: generated from the table of rules, so that a new route is in it.

use gateway::{
    auth::policy::{Need, On, Rule, Verb, rule, verb_rule},
    http::router::Route,
};
use gateway_api::{error::Code, frame::ServerFrame};
use raft::metadata::{Action, Command, Grant};
use serde_json::{Value, json};
use shard_core::model::Timestamp;

use super::{create, new_key, on_subscriptions, on_topics, required};
use crate::{
    client::WebSocketClient,
    harness::{Broker, OTHER_TOPIC, SUBSCRIPTION, TOPIC, with_broker_knowing},
};

const ADMIN: u16 = 1;
const EXPIRED: u16 = 2;
const DELETED: u16 = 3;
const UNKNOWN: u16 = 4;
const NO_GRANTS: u16 = 5;
const FIRST_GENERATED: u16 = 10;

/// What the answer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Unauthenticated,
    Forbidden,
    LetThrough,
}

/// Keys that were made for a rule, by what is to come of them.
struct Keys {
    right: u16,
    wrong: Vec<(String, u16)>,
}

/// Makes principals with just such grants as a rule needs, and others with nearly those.
struct Generated {
    commands: Vec<Command>,
    next: u16,
}

fn all_topics(actions: &[Action]) -> Grant {
    on_topics("*", actions)
}

/// What meets a need, on these names.
fn meets(need: Need, actions: &[Action], own: bool) -> Vec<Grant> {
    let named = |name: &'static str| if own { name } else { "another-tenants-*" };
    match need.on {
        On::Topic | On::TopicOfSubscription | On::BodyTopic => vec![on_topics(named(TOPIC), actions)],
        On::BodyDeadLetters => vec![on_topics(named(OTHER_TOPIC), actions)],
        On::Subscription => vec![on_subscriptions(named(SUBSCRIPTION), actions)],
        On::Cluster => vec![all_topics(actions), on_subscriptions("*", actions)],
    }
}

/// The least that a rule needs.
fn least(needs: &[Need]) -> Vec<Grant> {
    let grants = needs.iter().flat_map(|need| match (need.action, need.on) {
        (_, On::Cluster) => vec![Grant::admin()],
        (action, _) => meets(*need, &[action.unwrap_or(Action::Consume)], true),
    });
    grants.collect()
}

fn other_actions(action: Action) -> Vec<Action> {
    [Action::Publish, Action::Consume, Action::Manage].into_iter().filter(|other| *other != action).collect()
}

impl Generated {
    fn add(&mut self, what: &str, grants: Vec<Grant>) -> u16 {
        let number = self.next;
        self.next += 1;
        let name = what.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
        let name = format!("{number}-{}", name.take(100).collect::<String>());
        self.commands.push(create(number, &name, grants, None));
        number
    }

    fn keys(&mut self, what: &str, rule: Rule) -> Keys {
        let Rule::Needs(needs) = rule else { return Keys { right: NO_GRANTS, wrong: Vec::new() } };
        let right = self.add(what, least(needs));
        let mut wrong = vec![("no grants".to_owned(), NO_GRANTS)];
        for (index, need) in needs.iter().enumerate() {
            let others: Vec<_> =
                needs.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, need)| *need).collect();
            let mut add = |how: &str, grants: Vec<Grant>| {
                let name = format!("{what} {how} {index}");
                let key = self.add(&name, [least(&others), grants].concat());
                wrong.push((name, key));
            };
            add("without", Vec::new());
            if let Some(action) = need.action {
                add("wrong action", meets(*need, &other_actions(action), true));
                if action != Action::Admin {
                    add("wrong prefix", meets(*need, &[action], false));
                }
            } else {
                add("wrong prefix", meets(*need, &[Action::Consume], false));
            }
            // A grant on the names of the other kind of thing says nothing of this one.
            match need.on {
                On::Subscription => add("wrong kind", vec![all_topics(&[need.action.unwrap_or(Action::Manage)])]),
                On::Topic => {
                    add("wrong kind", vec![on_subscriptions("*", &[need.action.unwrap_or(Action::Manage)])]);
                }
                On::TopicOfSubscription | On::BodyTopic | On::BodyDeadLetters | On::Cluster => {}
            }
        }
        Keys { right, wrong }
    }
}

fn generated() -> Generated {
    let past = Some(Timestamp::from_millis(1_000));
    let deleted = Command::DeleteKey { id: new_key(DELETED).id };
    let commands = vec![
        create(ADMIN, "admin", vec![Grant::admin()], None),
        create(EXPIRED, "expired", vec![Grant::admin()], past),
        create(DELETED, "deleted", vec![Grant::admin()], None),
        deleted,
        create(NO_GRANTS, "nothing", Vec::new(), None),
    ];
    Generated { commands, next: FIRST_GENERATED }
}

/// Header lines that prove nobody.
fn no_credentials() -> Vec<(&'static str, String)> {
    let bearer = |text: &str| format!("authorization: Bearer {text}\r\n");
    let right = new_key(ADMIN);
    let other = new_key(UNKNOWN);
    let secret = other.expose().rsplit_once(other.id.as_str()).unwrap().1;
    let cut = right.expose()[..right.expose().len() - 1].to_owned();
    vec![
        ("none", String::new()),
        ("another scheme", format!("authorization: Basic {}\r\n", right.expose())),
        ("no scheme", format!("authorization: {}\r\n", right.expose())),
        ("empty", "authorization: Bearer \r\n".to_owned()),
        ("malformed", bearer("psr_x")),
        ("cut", bearer(&cut)),
        ("not a key", bearer("a.b.c")),
        ("twice", bearer(right.expose()).repeat(2)),
        ("unknown", bearer(other.expose())),
        ("wrong secret", bearer(&format!("psr_{}{secret}", right.id.as_str()))),
        ("expired", bearer(new_key(EXPIRED).expose())),
        ("deleted", bearer(new_key(DELETED).expose())),
    ]
}

fn request_of(route: Route) -> (String, String) {
    let line = route.request_line();
    let line = line.replace("{topic}", TOPIC).replace("{subscription}", SUBSCRIPTION).replace("{partition}", "0");
    let line = line
        .replace("{consumer}", "c")
        .replace("{id}", "i")
        .replace("{doc}", "page.css")
        .replace("{key}", "k")
        .replace("{principal}", "p")
        .replace("{node}", "7");
    assert!(!line.contains('{'), "{line} has a part that the matrix does not know");
    let body = if route == Route::PutSubscription {
        json!({ "topic": TOPIC, "dead_letter_topic": OTHER_TOPIC }).to_string()
    } else if route == Route::PatchSubscription {
        json!({ "dead_letter_topic": OTHER_TOPIC }).to_string()
    } else {
        String::new()
    };
    (line, body)
}

async fn check(broker: &Broker, route: Route, (what, lines): (&str, &str), expected: Expected) {
    let (line, body) = request_of(route);
    let mut http = broker.http().await;
    http.send(&line, lines, body.as_bytes()).await;
    let answer = http.receive().await;
    let found = match answer.status {
        401 => Expected::Unauthenticated,
        403 => Expected::Forbidden,
        _ => Expected::LetThrough,
    };
    assert_eq!(found, expected, "{line} with {what}: {answer:?}");
    match expected {
        Expected::Unauthenticated => assert_eq!(answer.problem().code, Code::Unauthenticated),
        Expected::Forbidden => assert_eq!(answer.problem().code, Code::Forbidden),
        Expected::LetThrough => {}
    }
}

fn bearer(key: u16) -> String {
    format!("authorization: Bearer {}\r\n", new_key(key).expose())
}

/// F69.
#[test]
fn every_route_lets_in_whom_its_rule_says_and_nobody_else() {
    let mut generated = generated();
    let keys: Vec<_> = Route::all().map(|route| (route, generated.keys(route.label(), rule(route)))).collect();
    with_broker_knowing(required(), generated.commands, async move |broker| {
        let mut cases = 0;
        for (route, keys) in &keys {
            let unproved = match rule(*route) {
                Rule::Public => Expected::LetThrough,
                Rule::Authenticated | Rule::Needs(_) => Expected::Unauthenticated,
            };
            for (what, lines) in &no_credentials() {
                check(&broker, *route, (what, lines), unproved).await;
            }
            for (what, key) in &keys.wrong {
                check(&broker, *route, (what, &bearer(*key)), Expected::Forbidden).await;
            }
            for (what, key) in [("the right grants", keys.right), ("everything", ADMIN)] {
                check(&broker, *route, (what, &bearer(key)), Expected::LetThrough).await;
            }
            cases += no_credentials().len() + keys.wrong.len() + 2;
        }
        assert!(cases > Route::COUNT * 14, "only {cases} cases");
    });
}

fn frame_of(verb: Verb) -> Value {
    let frame = match verb {
        Verb::Publish => json!({ "op": "publish", "topic": TOPIC, "messages": [{ "text": "x" }] }),
        Verb::SubscribeSubscription => json!({ "op": "subscribe", "subscription": SUBSCRIPTION }),
        Verb::SubscribeTopic => json!({ "op": "subscribe", "topic": TOPIC }),
        Verb::Ack => json!({ "op": "ack", "subscription": SUBSCRIPTION, "ack_ids": ["x"] }),
        Verb::Nack => json!({ "op": "nack", "subscription": SUBSCRIPTION, "ack_ids": ["x"] }),
        Verb::Extend => {
            json!({ "op": "extend", "subscription": SUBSCRIPTION, "ack_ids": ["x"], "deadline_ms": 1000 })
        }
        // It has no reference, so it is answered only if it fails.
        Verb::Credit => return json!({ "op": "credit", "subscription": SUBSCRIPTION, "add": 1 }),
        Verb::Unsubscribe => json!({ "op": "unsubscribe", "subscription": SUBSCRIPTION }),
        Verb::Ping => json!({ "op": "ping" }),
    };
    let mut frame = frame;
    frame["ref"] = json!(7);
    frame
}

async fn check_verb(broker: &Broker, verb: Verb, (what, key): (&str, u16), expected: Expected) {
    let mut socket = WebSocketClient::connect_with(broker.address, "", &bearer(key)).await;
    socket.send(frame_of(verb)).await;
    let frame = socket.frame().await;
    let forbidden = matches!(&frame, ServerFrame::Error(error) if error.code == Code::Forbidden);
    assert_eq!(forbidden, expected == Expected::Forbidden, "{verb:?} with {what}: {frame:?}");
    if forbidden {
        socket.send(json!({ "op": "ping" })).await;
        assert!(matches!(socket.frame().await, ServerFrame::Pong(_)), "the connection stays usable");
    }
}

/// F69.
#[test]
fn every_websocket_verb_lets_in_whom_its_rule_says_and_nobody_else() {
    let mut generated = generated();
    let keys: Vec<_> =
        Verb::ALL.iter().map(|verb| (*verb, generated.keys(&format!("{verb:?}"), verb_rule(*verb)))).collect();
    with_broker_knowing(required(), generated.commands, async move |broker| {
        for (verb, keys) in &keys {
            for (what, key) in &keys.wrong {
                check_verb(&broker, *verb, (what, *key), Expected::Forbidden).await;
            }
            for (what, key) in [("the right grants", keys.right), ("everything", ADMIN)] {
                check_verb(&broker, *verb, (what, key), Expected::LetThrough).await;
            }
        }
    });
}
