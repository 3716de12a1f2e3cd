//! One subscribe from its first frame to its last.

use std::fmt;

use gateway_api::Problem;
use gateway_api::client::{ClientError, WebSocketClient, WebSocketReceiver, WebSocketSender};
use gateway_api::consume::{AckResponse, DeliveredMessage};
use gateway_api::frame::{Ack, ClientFrame, Credit, ErrorFrame, ServerFrame, Subscribe};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::quota::Quota;
use super::template::Template;
use crate::commands::acks;
use crate::error::{CliError, Doing as _};
use crate::limits;
use crate::output::{Format, Output};

/// The `ref` of the subscribe; those of acks follow.
pub(super) const SUBSCRIBE_REF: u64 = 1;

/// What is read.
#[derive(Debug)]
pub(super) enum Source {
    /// A topic, without a subscription.
    Topic(String),
    /// A durable subscription.
    Subscription(String),
}

/// What is read, what is still wanted, and which acks are not answered yet.
pub(super) struct Session {
    source: Source,
    quota: Quota,
    acks: bool,
    template: Template,
    acks_waiting: u64,
    answers: AckResponse,
}

impl Session {
    /// A session that has not begun.
    pub(super) fn new(source: Source, quota: Quota, acks: bool, template: Template) -> Self {
        Self { source, quota, acks, template, acks_waiting: 0, answers: AckResponse::default() }
    }

    /// Prints messages until there were enough or the user interrupts; both are good ends.
    pub(super) async fn run(
        mut self,
        socket: WebSocketClient,
        subscribe: Subscribe<'static>,
        output: &mut Output<'_>,
    ) -> Result<(), CliError> {
        let (sender, mut receiver) = socket.split();
        // Frames are sent by a task of their own: a node that waits until its messages are read must not keep us from
        // reading them.
        let (frames, waiting) = mpsc::channel(limits::FRAMES_WAITING_MAX);
        let writer = tokio::spawn(write_frames(sender, waiting));
        let _ = frames.try_send(ClientFrame::Subscribe(subscribe));
        tokio::select! {
            read = self.read(&mut receiver, &frames, output) => read?,
            signal = tokio::signal::ctrl_c() => {
                signal.map_err(|source| CliError::Input { what: "signals".to_owned(), source })?;
            }
        }
        self.farewell(receiver, frames, writer).await?;
        acks::check(&self.answers, "acks")
    }

    /// Prints until there were enough messages.
    async fn read(
        &mut self,
        receiver: &mut WebSocketReceiver,
        frames: &mpsc::Sender<ClientFrame<'static>>,
        output: &mut Output<'_>,
    ) -> Result<(), CliError> {
        while !self.quota.is_met() {
            let frame = receiver.next().await.doing(|| format!("go on reading {}", self.source))?;
            let Some(frame) = frame else {
                let detail = "the node closed it".to_owned();
                return Err(ClientError::Lost { detail }).doing(|| format!("go on reading {}", self.source));
            };
            for answer in self.on_frame(frame, output)? {
                // There is room for every answer, by the bound on credit. A writer that has gone has met an error that
                // the reader meets too.
                let _ = frames.try_send(answer);
            }
        }
        Ok(())
    }

    /// Takes a frame, prints its messages, and gives what is to be sent.
    fn on_frame(&mut self, frame: ServerFrame, output: &mut Output<'_>) -> Result<Vec<ClientFrame<'static>>, CliError> {
        match frame {
            ServerFrame::Messages(messages) => self.on_messages(messages.messages, output),
            ServerFrame::Acked(acked) => {
                self.acks_waiting = self.acks_waiting.saturating_sub(1);
                self.answers.succeeded += acked.succeeded;
                // One is enough to tell of; the others would only fill memory.
                if self.answers.failed.is_empty() {
                    self.answers.failed.extend(acked.failed.into_iter().take(1));
                }
                Ok(Vec::new())
            }
            ServerFrame::Error(error) => Err(self.refused(error)),
            ServerFrame::Published(_)
            | ServerFrame::Subscribed(_)
            | ServerFrame::Assigned(_)
            | ServerFrame::Unsubscribed(_)
            | ServerFrame::Pong(_) => Ok(Vec::new()),
        }
    }

    fn on_messages(
        &mut self,
        mut messages: Vec<DeliveredMessage>,
        output: &mut Output<'_>,
    ) -> Result<Vec<ClientFrame<'static>>, CliError> {
        messages.truncate(self.quota.take(messages.len()));
        for message in &messages {
            if output.format() == Format::Table {
                output.raw(&self.template.print(message))?;
            } else {
                output.item(message)?;
            }
        }
        // Printed means handed over: only then are they acked.
        output.flush()?;
        let taken = messages.len();
        let ack_ids: Vec<_> = messages.into_iter().filter_map(|message| message.ack_id).map(Into::into).collect();
        let mut answers = Vec::new();
        if let Some(subscription) = self.source.subscription()
            && self.acks
            && !ack_ids.is_empty()
        {
            let subscription = subscription.to_owned().into();
            answers.push(ClientFrame::Ack(Ack { reference: Some(SUBSCRIBE_REF + 1), subscription, ack_ids }));
            self.acks_waiting += 1;
        }
        if let Some(add) = self.quota.top_up(taken) {
            let topic = self.source.topic().map(|topic| topic.to_owned().into());
            let subscription = self.source.subscription().map(|subscription| subscription.to_owned().into());
            answers.push(ClientFrame::Credit(Credit { subscription, topic, add }));
        }
        Ok(answers)
    }

    /// Waits a while for the acks that are under way, and closes in good order.
    async fn farewell(
        &mut self,
        mut receiver: WebSocketReceiver,
        frames: mpsc::Sender<ClientFrame<'static>>,
        writer: JoinHandle<()>,
    ) -> Result<(), CliError> {
        let acked = async {
            while self.acks_waiting > 0 {
                match receiver.next().await {
                    // What comes now is not printed, and so not acked: the node delivers it again.
                    Ok(Some(ServerFrame::Messages(_))) => {}
                    Ok(Some(frame)) => drop(self.on_frame(frame, &mut Output::new(Format::Table, std::io::sink()))?),
                    Ok(None) | Err(_) => break,
                }
            }
            Ok::<_, CliError>(())
        };
        let acked = timeout(limits::FAREWELL, acked).await.unwrap_or(Ok(()));
        drop(frames);
        // The node ends the connection when it has seen ours end; whatever comes before that is of no interest.
        let end = async {
            let _ = writer.await;
            while matches!(receiver.next().await, Ok(Some(_))) {}
        };
        let _ = timeout(limits::FAREWELL, end).await;
        acked?;
        if self.acks_waiting > 0 {
            let detail = "not all acks were answered: some messages may be delivered again".to_owned();
            return Err(ClientError::Lost { detail }).doing(|| format!("ack messages of {}", self.source));
        }
        Ok(())
    }

    fn refused(&self, error: ErrorFrame) -> CliError {
        let action = match error.reference {
            Some(SUBSCRIBE_REF) => format!("subscribe to {}", self.source),
            Some(_) => format!("ack messages of {}", self.source),
            None => format!("go on reading {}", self.source),
        };
        let problem = Problem::new(error.code, error.detail).with_errors(error.errors);
        CliError::Call { action, source: problem.into() }
    }
}

impl Source {
    /// The topic, if it is read without a subscription.
    pub(super) fn topic(&self) -> Option<&str> {
        match self {
            Self::Topic(topic) => Some(topic),
            Self::Subscription(_) => None,
        }
    }

    /// The subscription.
    pub(super) fn subscription(&self) -> Option<&str> {
        match self {
            Self::Topic(_) => None,
            Self::Subscription(subscription) => Some(subscription),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(topic) => write!(f, "topic `{topic}`"),
            Self::Subscription(subscription) => write!(f, "subscription `{subscription}`"),
        }
    }
}

/// Sends frames until there are no more, and then the end. An error is met by the receiver too, which tells it.
async fn write_frames(mut sender: WebSocketSender, mut frames: mpsc::Receiver<ClientFrame<'static>>) {
    while let Some(frame) = frames.recv().await {
        if sender.send(&frame).await.is_err() {
            return;
        }
    }
    let _ = sender.close().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(source: Source, count: Option<u64>, acks: bool) -> Session {
        Session::new(source, Quota::new(count), acks, "{offset}".parse().unwrap())
    }

    fn messages(offsets: std::ops::Range<u64>) -> ServerFrame {
        let message = |offset| {
            format!(
                r#"{{"ack_id":"a{offset}","topic":"t","partition":0,"offset":{offset},"id":"i","data":"","priority":4,
                "content_type":"text/plain","attributes":{{}},"publish_time":"2026-11-23T09:30:00.250Z"}}"#
            )
        };
        let messages: Vec<_> = offsets.map(message).collect();
        ServerFrame::parse(&format!(r#"{{"op":"messages","messages":[{}]}}"#, messages.join(","))).unwrap()
    }

    /// What is printed and sent in answer to a frame.
    fn answers(session: &mut Session, frame: ServerFrame) -> (String, Vec<String>) {
        let mut bytes = Vec::new();
        let frames = session.on_frame(frame, &mut Output::new(Format::Table, &mut bytes)).unwrap();
        let frames = frames.iter().map(|frame| serde_json::to_string(frame).unwrap()).collect();
        (String::from_utf8(bytes).unwrap(), frames)
    }

    #[test]
    fn messages_of_a_subscription_are_printed_acked_and_replaced() {
        let mut session = session(Source::Subscription("s".to_owned()), None, true);
        let (printed, frames) = answers(&mut session, messages(3..5));
        assert_eq!(printed, "3\n4\n");
        let ack = r#"{"op":"ack","ref":2,"subscription":"s","ack_ids":["a3","a4"]}"#;
        assert_eq!(frames, [ack, r#"{"op":"credit","subscription":"s","add":2}"#]);
        assert_eq!(session.acks_waiting, 1);
    }

    #[test]
    fn without_acks_there_is_only_credit() {
        let mut session = session(Source::Subscription("s".to_owned()), None, false);
        assert_eq!(answers(&mut session, messages(0..1)).1, [r#"{"op":"credit","subscription":"s","add":1}"#]);
    }

    #[test]
    fn no_more_are_printed_and_acked_than_were_asked_for() {
        let mut session = session(Source::Subscription("s".to_owned()), Some(1), true);
        let (printed, frames) = answers(&mut session, messages(0..3));
        assert_eq!(printed, "0\n");
        assert_eq!(frames, [r#"{"op":"ack","ref":2,"subscription":"s","ack_ids":["a0"]}"#]);
        assert!(session.quota.is_met());
    }

    #[test]
    fn a_topic_is_read_without_acks() {
        let mut session = session(Source::Topic("t".to_owned()), None, true);
        assert_eq!(answers(&mut session, messages(0..1)).1, [r#"{"op":"credit","topic":"t","add":1}"#]);
    }

    #[test]
    fn a_refused_subscribe_is_told_from_a_refused_ack() {
        let session = session(Source::Topic("t".to_owned()), None, true);
        let error = |frame| {
            let ServerFrame::Error(error) = ServerFrame::parse(frame).unwrap() else { panic!("no error") };
            session.refused(error).to_string()
        };
        let refused = error(r#"{"op":"error","ref":1,"code":"topic_not_found","detail":"no topic `t`"}"#);
        assert_eq!(refused, "cannot subscribe to topic `t`: no topic `t` (topic_not_found)");
        assert!(error(r#"{"op":"error","ref":2,"code":"overloaded"}"#).starts_with("cannot ack messages of topic `t`"));
    }
}
