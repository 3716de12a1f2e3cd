//! Compressed bodies: nothing is unfolded for who is not let in, and what comes out is paid for.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use gateway_api::error::Code;
use raft::metadata::{Action, PrincipalLimits};

use crate::{
    auth::{authorization, create, on_topics, required},
    client::{Answer, HttpClient},
    harness::{OTHER_TOPIC, TOPIC, with_broker_knowing},
    limits::{header, limited},
};

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

async fn post(http: &mut HttpClient, topic: &str, lines: &str, body: &[u8]) -> Answer {
    let lines = format!("content-encoding: gzip\r\n{lines}");
    http.send(&format!("POST /v1/topics/{topic}/messages"), &lines, body).await;
    http.receive().await
}

/// F65: a bomb, and what is no gzip at all, get no further than any other request.
#[test]
fn nothing_is_unfolded_for_who_is_not_let_in() {
    let commands = vec![create(1, "me", vec![on_topics(TOPIC, &[Action::Publish])], None)];
    with_broker_knowing(required(), commands, async |broker| {
        let mut http = broker.http().await;
        let bomb = gzip(&vec![0; 16 << 20]);
        for (body, code) in [(&bomb[..], Code::BodyTooLarge), (b"not gzip", Code::InvalidArgument)] {
            for lines in ["", "authorization: Bearer nonsense\r\n"] {
                let refused = post(&mut http, TOPIC, lines, body).await;
                assert_eq!((refused.status, refused.problem().code), (401, Code::Unauthenticated), "{lines}");
            }
            let forbidden = post(&mut http, OTHER_TOPIC, &authorization(1), body).await;
            assert_eq!((forbidden.status, forbidden.problem().code), (403, Code::Forbidden));
            let unfolded = post(&mut http, TOPIC, &authorization(1), body).await;
            assert_eq!((unfolded.status, unfolded.problem().code), (code.status(), code));
        }
        let sound = gzip(br#"{"messages":[{"text":"x"}]}"#);
        assert_eq!(post(&mut http, TOPIC, &authorization(1), &sound).await.status, 200);
    });
}

#[test]
fn what_comes_out_is_paid_for_before_more_is_unfolded() {
    let limits = PrincipalLimits { bytes_per_s: Some(10_000), ..PrincipalLimits::default() };
    with_broker_knowing(required(), limited(limits), async |broker| {
        let mut http = broker.http().await;
        let large = gzip(format!(r#"{{"messages":[{{"text":"x"}}]{}}}"#, " ".repeat(1_000_000)).as_bytes());
        assert!(large.len() < 5_000);
        assert_eq!(post(&mut http, TOPIC, &authorization(1), &large).await.status, 200, "nothing was owed");
        for body in [&large[..], b"not gzip"] {
            let refused = post(&mut http, TOPIC, &authorization(1), body).await;
            assert_eq!((refused.status, refused.problem().code), (429, Code::RateLimited));
            let wait: u64 = header(&refused, "retry-after").unwrap().parse().unwrap();
            assert!((80..=101).contains(&wait), "{wait}");
        }
        assert_eq!(post(&mut http, TOPIC, &authorization(2), b"not gzip").await.status, 400);
    });
}
