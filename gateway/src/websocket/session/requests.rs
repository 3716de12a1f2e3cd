//! What a client asks over WebSocket: each frame is answered, sooner or later, by its reference.

use std::{rc::Rc, sync::Arc};

use gateway_api::{
    Code, CowStr, Problem,
    frame::{Ack, ClientFrame, ClientFrameError, Credit, Extend, Nack, Publish, Subscribe, SubscribeFrom, Unsubscribe},
};
use raft::metadata::{Subscription, Topic};
use shard::{AckAction, tracer::Span};
use shard_core::delivery::Filter;

use super::{Session, feeds::FeedName, frames};
use crate::{
    auth::policy::Verb,
    byte_budget::Reservation,
    error::{self, Failure},
    operations::{
        acknowledge, acks, check_consumer_id, extend, find_pullable, find_subscription, find_topic, nack, publish,
        retry, target,
    },
    publish_decode::{PublishPlan, plan_messages},
    quota::{self, usage::Hold},
    traces::PublishTrace,
};

impl Session {
    /// Handles one frame. What takes time is put to work, and answered when it is done.
    pub(super) fn handle_text(&mut self, text: &str) {
        let handled = match ClientFrame::parse(text) {
            Ok(frame) => self.handle_frame(frame, text.len()),
            Err(refusal) => refused(refusal),
        };
        self.told(handled);
    }

    /// Tells the client of what was refused.
    pub(super) fn told(&mut self, (reference, handled): (Option<u64>, Result<(), Failure>)) {
        if let Err(failure) = handled {
            self.transport.send(&frames::error(reference, &failure));
        }
    }

    /// Handles one frame of so many bytes; gives its reference back.
    pub(super) fn handle_frame(&mut self, frame: ClientFrame<'_>, bytes: usize) -> (Option<u64>, Result<(), Failure>) {
        let reference = frame.reference();
        let held = self.begin(Verb::of(&frame), bytes);
        (reference, held.and_then(|in_flight| self.carry_out(frame, (bytes, in_flight))))
    }

    /// Whether the caller may ask this, and now.
    pub(super) fn begin(&mut self, (verb, name): (Verb, &str), bytes: usize) -> Result<Option<Hold>, Failure> {
        if let Err(denied) = self.guard.check((verb, name), &self.context.metadata.state()) {
            self.context.audit.refusal(&self.source(), (verb.audited_as(), name), &denied);
            return Err(error::of_denied(&denied));
        }
        quota::begin(&self.context, self.guard.caller(), bytes)
    }

    fn carry_out(&mut self, frame: ClientFrame<'_>, (bytes, in_flight): (usize, Option<Hold>)) -> Result<(), Failure> {
        match frame {
            ClientFrame::Publish(publish) => self.publish(&publish, (bytes, in_flight)),
            ClientFrame::Subscribe(subscribe) => self.subscribe(subscribe),
            ClientFrame::Ack(Ack { reference, subscription, ack_ids }) => {
                let subscription = self.subscription(&subscription)?;
                self.acknowledge((reference, in_flight), subscription, AckAction::Ack, ack_ids);
                Ok(())
            }
            ClientFrame::Nack(Nack { reference, subscription, ack_ids, delay_ms, dead_letter }) => {
                let action = nack::action(delay_ms, dead_letter)?;
                let subscription = self.subscription(&subscription)?;
                self.acknowledge((reference, in_flight), subscription, action, ack_ids);
                Ok(())
            }
            ClientFrame::Extend(Extend { reference, subscription, ack_ids, deadline_ms }) => {
                let subscription = self.subscription(&subscription)?;
                let action = extend::action(deadline_ms, &subscription)?;
                self.acknowledge((reference, in_flight), subscription, action, ack_ids);
                Ok(())
            }
            ClientFrame::Credit(Credit { subscription, topic, add }) => {
                self.feeds.add_credit(feed_name(subscription.as_ref(), topic.as_ref())?, add)
            }
            ClientFrame::Unsubscribe(Unsubscribe { reference, subscription, topic }) => {
                match self.feeds.unsubscribe(feed_name(subscription.as_ref(), topic.as_ref())?)? {
                    None => self.transport.send(&frames::unsubscribed(reference)),
                    Some(leaving) => self.work.push(Box::pin(async move {
                        leaving.await;
                        Some(frames::unsubscribed(reference))
                    })),
                }
                Ok(())
            }
            ClientFrame::Ping(ping) => {
                self.transport.send(&frames::pong(ping.reference));
                Ok(())
            }
        }
    }

    /// Stores messages that came in a frame of so many bytes.
    fn publish(&mut self, frame: &Publish<'_>, (bytes, in_flight): (usize, Option<Hold>)) -> Result<(), Failure> {
        let held = (self.hold(bytes)?, in_flight);
        let state = self.context.metadata.state();
        let topic = Arc::clone(find_topic(&state, &frame.topic)?);
        let trace = PublishTrace::of_frame(&self.context, &topic, frame);
        let target = target(&self.context, &topic, retry::of_frame(frame, &topic.config)?).traced(trace.of_messages());
        let plan = self.context.core.with_message_ids(|ids| plan_messages(&frame.messages, &target, ids));
        let mut plan = plan.map_err(error::of_publish_refused)?;
        plan.acks = acks(frame.acks);
        self.store(topic, (plan, trace.span), (frame.reference, held))
    }

    /// Memory for what has been received and is not stored yet.
    pub(super) fn hold(&self, bytes: usize) -> Result<Reservation, Failure> {
        let mut held = self.bodies.reservation();
        match held.resize(bytes) {
            Ok(()) => Ok(held),
            Err(_) => Err(error::of_code(Code::Overloaded, "too many messages wait for this node's disks")),
        }
    }

    /// Stores what was planned, and answers by the reference.
    pub(super) fn store(
        &mut self,
        topic: Arc<Topic>,
        (plan, span): (PublishPlan, Span),
        (reference, held): (Option<u64>, (Reservation, Option<Hold>)),
    ) -> Result<(), Failure> {
        quota::publish(&self.context, self.guard.caller(), plan.messages().len())?;
        let context = Rc::clone(&self.context);
        self.work.push(Box::pin(async move {
            let report = publish(&context, &topic, plan, span).await;
            drop(held);
            Some(frames::published(reference, &report))
        }));
        Ok(())
    }

    fn subscribe(&mut self, frame: Subscribe<'_>) -> Result<(), Failure> {
        let Subscribe { reference, subscription, topic, from, filter, credit, consumer_id } = frame;
        let credit = credit.unwrap_or_default();
        let state = self.context.metadata.state();
        match feed_name(subscription.as_ref(), topic.as_ref())? {
            FeedName::Subscription(_) if from.is_some() => {
                Err(error::invalid("from", "a subscription has its own position: use seek"))
            }
            FeedName::Subscription(_) if filter.is_some() => {
                Err(error::invalid("filter", "a subscription has its own filter"))
            }
            FeedName::Subscription(name) => {
                let subscription = find_pullable(&state, name)?;
                self.consume(subscription, credit, consumer_id.map(CowStr::into_owned), reference)
            }
            FeedName::Topic(_) if consumer_id.is_some() => {
                Err(error::invalid("consumer_id", "a topic is read without being assigned"))
            }
            FeedName::Topic(name) => {
                let from = from.unwrap_or(SubscribeFrom::Latest);
                let filter = filter.as_deref().map(Filter::parse).transpose();
                let filter = filter.map_err(|fault| error::invalid("filter", fault.to_string()))?;
                self.feeds.read(find_topic(&state, name)?, &from, (credit, filter), reference)
            }
        }
    }

    /// Starts to deliver a subscription's messages, to a member of its group if it has one.
    fn consume(
        &mut self,
        subscription: &Arc<Subscription>,
        credit: u32,
        consumer_id: Option<String>,
        reference: Option<u64>,
    ) -> Result<(), Failure> {
        if subscription.config.has_group() {
            consumer_id.as_deref().map_or(Ok(()), check_consumer_id)?;
            return self.feeds.join(subscription, credit, consumer_id, reference);
        }
        if consumer_id.is_some() {
            let why = "the subscription's partitions are not assigned to consumers";
            return Err(error::invalid("consumer_id", why));
        }
        self.feeds.subscribe(subscription, credit)?;
        self.transport.send(&frames::subscribed(reference));
        Ok(())
    }

    fn subscription(&self, name: &str) -> Result<Arc<Subscription>, Failure> {
        let state = self.context.metadata.state();
        find_subscription(&state, name).map(Arc::clone)
    }

    fn acknowledge(
        &self,
        (reference, in_flight): (Option<u64>, Option<Hold>),
        subscription: Arc<Subscription>,
        action: AckAction,
        ack_ids: Vec<CowStr<'_>>,
    ) {
        let context = Rc::clone(&self.context);
        let ack_ids: Vec<CowStr<'static>> = ack_ids.into_iter().map(|id| CowStr::from(id.into_owned())).collect();
        self.work.push(Box::pin(async move {
            let _in_flight = in_flight;
            let state = context.metadata.state();
            match acknowledge(&context, &state, &subscription, action, &ack_ids).await {
                // Who gives no reference wants to hear of failures only.
                Ok(report) if reference.is_none() && report.failed.is_empty() => None,
                Ok(report) => Some(frames::acked(reference, report.into_response(&ack_ids))),
                Err(failure) => Some(frames::error(reference, &failure)),
            }
        }));
    }
}

/// What could not be read.
pub(super) fn refused(refusal: ClientFrameError) -> (Option<u64>, Result<(), Failure>) {
    let ClientFrameError { reference, syntax, detail } = refusal;
    let code = if syntax { Code::InvalidJson } else { Code::InvalidArgument };
    (reference, Err(Problem::new(code, detail).into()))
}

/// What a frame is about: a subscription or a topic.
fn feed_name<'a>(subscription: Option<&'a CowStr<'_>>, topic: Option<&'a CowStr<'_>>) -> Result<FeedName<'a>, Failure> {
    match (subscription, topic) {
        (Some(subscription), None) => Ok(FeedName::Subscription(subscription)),
        (None, Some(topic)) => Ok(FeedName::Topic(topic)),
        (Some(_), Some(_)) | (None, None) => {
            Err(error::invalid("subscription", "there must be either subscription or topic"))
        }
    }
}
