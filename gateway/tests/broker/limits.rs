//! What a principal may use, and what it is told when that is used up.

use gateway_api::{error::Code, frame::ServerFrame};
use raft::metadata::{ApiKey, Command, Grant, PrincipalConfig, PrincipalLimits, PrincipalName};
use serde_json::json;
use shard_core::model::Timestamp;

use crate::{
    auth::{authorization, new_key, required},
    client::{Answer, WebSocketClient},
    harness::{Broker, OTHER_TOPIC, SUBSCRIPTION, TOPIC, with_broker_knowing},
};

pub(crate) fn limited(limits: PrincipalLimits) -> Vec<Command> {
    let create = |number, name: &str, limits| {
        let new = new_key(number);
        let principal = PrincipalName::new(name).unwrap();
        let created_at = Timestamp::default();
        let key = ApiKey { id: new.id.clone(), hash: new.hash, principal, created_at, expires_at: None };
        let grants = vec![Grant::admin()];
        Command::CreateKey { key, principal: Some(PrincipalConfig { grants, limits }) }
    };
    vec![create(1, "limited", limits), create(2, "free", PrincipalLimits::default())]
}

async fn ask(broker: &Broker, key: u16, line: &str, body: &str) -> Answer {
    let mut http = broker.http().await;
    http.send(line, &authorization(key), body.as_bytes()).await;
    http.receive().await
}

pub(crate) fn header(answer: &Answer, name: &str) -> Option<String> {
    let start = format!("{name}: ");
    answer.head.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
}

#[test]
fn requests_beyond_the_rate_are_told_when_to_come_back() {
    let limits = PrincipalLimits { requests_per_s: Some(2), ..PrincipalLimits::default() };
    with_broker_knowing(required(), limited(limits), async |broker| {
        let first = ask(&broker, 1, "GET /v1/topics", "").await;
        assert_eq!(first.status, 200);
        assert_eq!(header(&first, "ratelimit-policy").as_deref(), Some("\"requests\";q=2;w=1"));
        assert_eq!(header(&first, "ratelimit").as_deref(), Some("\"requests\";r=1;t=1"));
        let mut refused = None;
        for _ in 0..50 {
            let answer = ask(&broker, 1, "GET /v1/topics", "").await;
            if answer.status == 429 {
                refused = Some(answer);
                break;
            }
        }
        let refused = refused.expect("fifty requests are more than two in a second");
        assert_eq!(refused.problem().code, Code::RateLimited);
        assert!(refused.problem().retryable && refused.problem().retry_after_ms.is_some());
        assert_eq!(header(&refused, "retry-after").as_deref(), Some("1"));
        assert!(header(&refused, "ratelimit").unwrap().contains("r=0"));
        let free = ask(&broker, 2, "GET /v1/topics", "").await;
        assert_eq!((free.status, header(&free, "ratelimit")), (200, None), "others are not disturbed");
        assert_eq!(ask(&broker, 1, "GET /healthz", "").await.status, 200);
    });
}

#[test]
fn messages_and_bytes_have_rates_of_their_own() {
    let limits = PrincipalLimits { messages_per_s: Some(1), bytes_per_s: Some(1 << 20), ..PrincipalLimits::default() };
    with_broker_knowing(required(), limited(limits), async |broker| {
        let line = format!("POST /v1/topics/{OTHER_TOPIC}/messages");
        let body = json!({ "messages": vec![json!({ "text": "x" }); 100] }).to_string();
        assert_eq!(ask(&broker, 1, &line, &body).await.status, 200, "a batch passes when nothing is owed");
        let refused = ask(&broker, 1, &line, &body).await;
        assert_eq!(refused.problem().code, Code::RateLimited);
        let wait: u64 = header(&refused, "retry-after").unwrap().parse().unwrap();
        assert!((90..=100).contains(&wait), "{wait}");
        assert_eq!(ask(&broker, 1, "GET /v1/topics", "").await.status, 200, "reading costs no messages");
        let policy = header(&refused, "ratelimit-policy").unwrap();
        assert_eq!(policy, "\"bytes\";q=1048576;w=1, \"messages\";q=1;w=1");
    });
}

#[test]
fn no_more_requests_are_under_way_than_may_be() {
    let limits = PrincipalLimits { in_flight: Some(1), ..PrincipalLimits::default() };
    with_broker_knowing(required(), limited(limits), async |broker| {
        let mut waiting = broker.http().await;
        let line = format!("POST /v1/subscriptions/{SUBSCRIPTION}/pull");
        waiting.send(&line, &authorization(1), br#"{"wait_ms":60000}"#).await;
        // It is under way once the other is refused.
        loop {
            let answer = ask(&broker, 1, "GET /v1/topics", "").await;
            if answer.status == 429 {
                assert_eq!(answer.problem().code, Code::RateLimited);
                break;
            }
        }
        assert_eq!(ask(&broker, 2, &format!("POST /v1/topics/{TOPIC}/publish"), "x").await.status, 200);
        assert_eq!(waiting.receive().await.status, 200);
        assert_eq!(ask(&broker, 1, "GET /v1/topics", "").await.status, 200);
    });
}

#[test]
fn frames_count_like_requests_and_sockets_like_connections() {
    let limits = PrincipalLimits { messages_per_s: Some(1), connections: Some(1), ..PrincipalLimits::default() };
    with_broker_knowing(required(), limited(limits), async |broker| {
        let mut socket = WebSocketClient::connect_with(broker.address, "", &authorization(1)).await;
        let publish = json!({ "op": "publish", "ref": 1, "topic": OTHER_TOPIC, "messages": [{ "text": "x" }] });
        socket.send(publish.clone()).await;
        assert!(matches!(socket.frame().await, ServerFrame::Published(_)));
        socket.send(publish).await;
        let ServerFrame::Error(error) = socket.frame().await else { panic!("it was published") };
        assert_eq!((error.reference, error.code), (Some(1), Code::RateLimited));
        assert!(error.retry_after_ms.is_some_and(|wait| wait <= 1_000));
        let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
            sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let open = async |key| {
            let mut http = broker.http().await;
            http.send("GET /v1/ws", &format!("{upgrade}{}", authorization(key)), b"").await;
            http.receive().await.status
        };
        assert_eq!([open(1).await, open(2).await], [429, 101]);
        drop(socket);
        while open(1).await != 101 {}
    });
}

#[test]
fn a_principal_manages_no_more_topics_and_subscriptions_than_it_may() {
    let limits = PrincipalLimits { topics: Some(2), subscriptions: Some(1), ..PrincipalLimits::default() };
    with_broker_knowing(required(), limited(limits), async |broker| {
        let body = json!({ "topic": TOPIC }).to_string();
        for (line, body) in [("PUT /v1/topics/third", ""), ("PUT /v1/subscriptions/second", &body)] {
            let refused = ask(&broker, 1, line, body).await;
            assert_eq!((refused.status, refused.problem().code), (403, Code::QuotaExceeded), "{line}");
            // There is no Raft behind this broker that would make it.
            assert_eq!(ask(&broker, 2, line, body).await.status, 503, "{line}");
        }
        let again = ask(&broker, 1, &format!("PUT /v1/topics/{TOPIC}"), "").await;
        assert_eq!(again.status, 503, "what is there already is no more than there was");
    });
}
