//! The publishing lane against a scripted server in virtual time.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;

use tokio::time::{Duration, Instant};

use super::*;
use crate::clock::virtual_time::VirtualClock;
use crate::counters::Counters;
use crate::recorder::{Latency, Measure, Recorder};
use crate::schedule::{Bounds, Pace, Rate};
use crate::targets::{Answer, Outcome};
use crate::workload::Kind;
use crate::workload::tests::example;

const IDENTITY: StreamIdentity = StreamIdentity { run: 1, stream: 0, batch: 1 };

/// Answers each request after its service time, one after the other, as a single-threaded server does.
struct ScriptedServer {
    service_time: fn(u64) -> Duration,
    free_at: Instant,
    due: VecDeque<(u64, Instant)>,
    requests: u64,
    break_at: Option<u64>,
}

impl ScriptedServer {
    fn new(service_time: fn(u64) -> Duration) -> Self {
        Self { service_time, free_at: Instant::now(), due: VecDeque::new(), requests: 0, break_at: None }
    }
}

impl Publisher for ScriptedServer {
    async fn send(&mut self, ticket: u64, _intended: Duration) -> Result<(), TargetError> {
        self.free_at = self.free_at.max(Instant::now()) + (self.service_time)(ticket);
        self.due.push_back((ticket, self.free_at));
        self.requests += 1;
        Ok(())
    }

    async fn receive(&mut self) -> Result<Answer, TargetError> {
        let (ticket, at) = *self.due.front().unwrap();
        tokio::time::sleep_until(at).await;
        if self.break_at == Some(ticket) {
            return Err(TargetError::Closed { reason: None });
        }
        self.due.pop_front();
        Ok(Answer { ticket, outcome: Outcome::Stored })
    }
}

struct Run {
    account: Account,
    arrivals: RefCell<Arrivals>,
    lane: PublishLane,
}

impl Run {
    fn new(pace: Pace, requests: Option<u64>, in_flight_max: usize) -> Self {
        let bounds = Bounds { end: Duration::from_secs(1), requests };
        Self {
            account: Account::new(1, &example(Kind::Publish), Arc::new(Counters::new(1))),
            arrivals: RefCell::new(Arrivals::new(pace, 0, NonZeroU64::MIN, bounds)),
            lane: PublishLane::new(IDENTITY, in_flight_max),
        }
    }

    async fn go(&mut self, server: &mut ScriptedServer) -> Result<(), TargetError> {
        self.lane.run(&VirtualClock::new(), server, &self.account, &self.arrivals).await
    }

    fn recorder(self) -> Recorder {
        self.account.into_parts().0
    }

    fn publish_latency(self) -> Latency {
        self.recorder().latencies().remove(&Measure::Publish).unwrap()
    }
}

fn a_thousand_a_second() -> Pace {
    Pace::Open(Rate::new(NonZeroU64::new(1_000).unwrap(), NonZeroU64::MIN))
}

/// Each request takes no time, but request 100 takes half a second.
fn one_stall(ticket: u64) -> Duration {
    if ticket == 100 { Duration::from_millis(500) } else { Duration::ZERO }
}

#[tokio::test(start_paused = true)]
async fn open_loop_latency_includes_the_stall_of_every_request_it_delayed() {
    let mut run = Run::new(a_thousand_a_second(), None, 1);
    run.go(&mut ScriptedServer::new(one_stall)).await.unwrap();
    let latency = run.publish_latency();
    // Requests 100 to 599 were due during the stall and waited 500, 499, … 1 ms; the other 500 waited not at all.
    assert_eq!(latency.count, 1_000);
    let close = |found: f64, expected_ms: f64| (found / 1_000.0 - expected_ms).abs() <= expected_ms * 0.002 + 0.002;
    assert!(close(latency.p50_us, 0.0), "{latency:?}");
    assert!(close(latency.p90_us, 400.0), "{latency:?}");
    assert!(close(latency.p99_us, 490.0), "{latency:?}");
    assert!(close(latency.max_us, 500.0), "{latency:?}");
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_hides_the_stall_in_one_sample() {
    let mut run = Run::new(Pace::Closed, Some(1_000), 1);
    run.go(&mut ScriptedServer::new(one_stall)).await.unwrap();
    let latency = run.publish_latency();
    assert!(latency.p99_us < 10.0 && latency.max_us > 499_000.0, "{latency:?}");
}

#[tokio::test(start_paused = true)]
async fn the_send_delay_is_reported_apart() {
    let mut run = Run::new(a_thousand_a_second(), None, 1);
    run.go(&mut ScriptedServer::new(one_stall)).await.unwrap();
    let delay = run.recorder().latencies().remove(&Measure::SendDelay).unwrap();
    // The stalled request itself was sent in time.
    assert!((delay.max_us / 1_000.0 - 499.0).abs() < 1.0, "{delay:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_slow_server_left_unsent_is_in_the_percentiles() {
    let mut run = Run::new(a_thousand_a_second(), None, 1);
    run.go(&mut ScriptedServer::new(|_| Duration::from_millis(10))).await.unwrap();
    let end = Duration::from_secs(1);
    run.lane.give_up(&run.account, end);
    loop {
        let Some(arrival) = run.arrivals.borrow_mut().take_unsent() else { break };
        run.account.unsent(arrival, end);
    }
    let recorder = run.recorder();
    assert_eq!((recorder.counts().requests, recorder.counts().unsent), (100, 900));
    // The server does a tenth of the rate: half of all arrivals waited 450 ms or more, for an answer or in vain. The
    // answered ones alone would be a tenth of the samples.
    let latency = &recorder.latencies()[&Measure::Publish];
    assert_eq!(latency.count, 1_000);
    assert!((latency.p50_us / 1_000.0 - 450.0).abs() < 2.0, "{latency:?}");
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_overlap_up_to_the_bound() {
    let mut run = Run::new(Pace::Closed, Some(64), 8);
    let mut server = ScriptedServer::new(|_| Duration::from_millis(1));
    let started = Instant::now();
    run.go(&mut server).await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_millis(64));
    let latency = run.publish_latency();
    assert!((latency.max_us / 1_000.0 - 8.0).abs() < 0.1, "eight are queued at most: {latency:?}");
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_of_a_fan_out_waits_for_the_readers() {
    let mut workload = example(Kind::FanOut);
    (workload.publish.connections, workload.publish.in_flight, workload.publish.batch) = (1, 1, 1);
    let counters = Arc::new(Counters::new(1));
    let mut run = Run::new(Pace::Closed, Some(5), 1);
    run.account = Account::new(1, &workload, Arc::clone(&counters));
    let started = Instant::now();
    // Each of three readers has a message 10 ms after the others had the last.
    let reading = tokio::spawn(async move {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            counters.add_delivered(3);
        }
    });
    run.go(&mut ScriptedServer::new(|_| Duration::from_millis(1))).await.unwrap();
    assert!(reading.is_finished(), "the last is on the way until the readers have it");
    assert!(started.elapsed() >= Duration::from_millis(50), "{:?}", started.elapsed());
    assert_eq!(run.recorder().counts().published, 5);
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_fails_what_was_on_it_and_the_lane_goes_on() {
    let mut run = Run::new(Pace::Closed, Some(100), 4);
    let mut server = ScriptedServer::new(|_| Duration::from_millis(1));
    server.break_at = Some(50);
    let error = run.go(&mut server).await.unwrap_err();
    run.lane.abandon(&run.account, Duration::from_millis(50), &error);
    run.go(&mut ScriptedServer::new(|_| Duration::from_millis(1))).await.unwrap();
    let recorder = run.recorder();
    assert_eq!(recorder.errors()["connection_lost"], 4);
    assert_eq!(recorder.counts().requests, 96);
    assert_eq!(recorder.counts().connections_lost, 1);
}

#[tokio::test(start_paused = true)]
async fn requests_without_an_answer_are_counted_with_their_wait() {
    let mut run = Run::new(Pace::Closed, Some(1), 1);
    let mut server = ScriptedServer::new(|_| Duration::from_hours(1));
    let waited = tokio::time::timeout(Duration::from_secs(10), run.go(&mut server)).await;
    assert!(waited.is_err());
    run.lane.give_up(&run.account, Duration::from_secs(10));
    let recorder = run.recorder();
    assert_eq!(recorder.counts().unanswered, 1);
    assert!(recorder.latencies()[&Measure::Publish].max_us > 9_990_000.0);
}

#[tokio::test(start_paused = true)]
async fn a_generator_that_wakes_late_is_told_from_a_server_that_answers_late() {
    // Virtual time wakes no one late, and a connection that waits for an answer is not idle.
    let mut run = Run::new(a_thousand_a_second(), None, 1);
    run.go(&mut ScriptedServer::new(one_stall)).await.unwrap();
    let latencies = run.recorder().latencies();
    let wake = &latencies[&Measure::WakeDelay];
    assert!(wake.max_us < 1_001.0, "{wake:?}");
    assert_eq!(wake.count, 499, "the first is due at once, and the 500 that follow the stall wait for the server");
}
