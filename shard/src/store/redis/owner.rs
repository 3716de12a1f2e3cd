//! Who writes a partition: every request of one opening bears its epoch and its session.

use std::rc::Rc;

use redis::Value;
use shard_core::{
    model::{LeaderEpoch, Offset, TopicPartition},
    redis::{OpenedPartition, PartitionKeys, Refusal, Written, read_opened, read_written},
};
use uuid::Uuid;

use super::{
    OpenError, RedisLink, RequestError,
    link::{Answer, Done},
    scripts::{Argument, ScriptCall, ScriptName},
};

/// How many entries are copied at once when a log is cut: Redis does nothing else meanwhile.
const KEEP_ENTRIES: u64 = 8;
/// How often an opening may be overtaken by another one before it gives up.
const TURNS_MAX: usize = 8;

/// An opening of a partition.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) link: RedisLink,
    pub(super) keys: Rc<PartitionKeys>,
    /// The key of the log, which is there only as long as nobody opened the partition after this.
    log_key: Rc<str>,
    epoch: LeaderEpoch,
    /// A number drawn for this opening.
    session: String,
}

impl Owner {
    /// Draws a session; nobody knows of it before `take_over`.
    pub(super) fn new(link: &RedisLink, partition: TopicPartition, epoch: LeaderEpoch) -> Self {
        let keys = Rc::new(PartitionKeys::new(&link.config().cluster, partition));
        let session = session();
        Self { link: link.for_keys(&keys), log_key: keys.log_of(&session).into(), keys, epoch, session }
    }

    pub(super) fn log_key(&self) -> Rc<str> {
        Rc::clone(&self.log_key)
    }

    /// Makes this opening the one that counts, and checks what is there. A partition that never was is made, and its log
    /// begins at `first`; with `mend`, a log that is gone is made anew, empty.
    pub(super) async fn take_over(&self, first: Offset, mend: bool) -> Result<OpenedPartition, OpenError> {
        let keys = [self.keys.metadata.as_str(), self.keys.log.as_str(), self.keys.cursors.as_str()];
        for _ in 0..TURNS_MAX {
            let mend = Argument::Text(if mend { "mend" } else { "" }.to_owned());
            let arguments = vec![Argument::Text(self.turn().await?), mend, Argument::Number(first.get())];
            let answer = self.run(ScriptName::Open, &keys, arguments).await?.value;
            self.check_replicas(&answer)?;
            match read_opened(&answer.strings)? {
                Err(Refusal::Overtaken) => {}
                opened => return Ok(opened?),
            }
        }
        Err(OpenError::Refused(Refusal::Overtaken))
    }

    /// Lets the log go on at `resume_at`.
    pub(super) async fn accept_loss(&self, resume_at: Offset) -> Result<(), OpenError> {
        let keys = [self.keys.metadata.as_str(), &self.log_key, self.keys.cursors.as_str()];
        self.write(ScriptName::AcceptLoss, &keys, vec![Argument::Number(resume_at.get())]).await.map(|_| ())
    }

    /// Copies some entries that are kept when the log is cut at `end`; `Before` if none was left.
    pub(super) async fn keep(&self, end: Offset, step: &str) -> Result<Written, OpenError> {
        let keys = [self.keys.metadata.as_str(), &self.log_key, self.keys.kept.as_str()];
        // An id without its second part stands for the highest with this first part.
        let arguments =
            vec![Argument::Number(end.get()), Argument::Number(KEEP_ENTRIES), Argument::Text(step.to_owned())];
        self.write(ScriptName::Keep, &keys, arguments).await
    }

    /// Puts what was kept in the place of the log; this opening counts no more after it.
    pub(super) async fn cut(&self, end: Offset) -> Result<(), OpenError> {
        let next = session();
        let next_key = self.keys.log_of(&next);
        let keys = [self.keys.metadata.as_str(), &self.log_key, self.keys.kept.as_str(), next_key.as_str()];
        self.write(ScriptName::Cut, &keys, vec![Argument::Text(next), Argument::Number(end.get())]).await.map(|_| ())
    }

    /// Deletes all keys of a partition, unless a newer owner has it.
    pub(super) async fn delete(link: &RedisLink, keys: &PartitionKeys, epoch: LeaderEpoch) -> Result<(), OpenError> {
        let PartitionKeys { metadata, log, cursors, kept } = keys;
        let call = ScriptCall {
            script: ScriptName::Delete,
            keys: vec![metadata, log, cursors, kept],
            arguments: vec![Argument::Number(u64::from(epoch.get()))],
        };
        let answer = link.for_keys(keys).run_script(&call).await?.value;
        read_written(&answer.strings)??;
        Ok(())
    }

    /// Runs a script that begins with who asks.
    pub(super) async fn run(
        &self,
        script: ScriptName,
        keys: &[&str],
        arguments: Vec<Argument<'_>>,
    ) -> Result<Done<Answer>, RequestError> {
        self.link.run_script(&self.call(script, keys, arguments)).await
    }

    /// A call of a script that begins with who asks.
    pub(super) fn call<'a>(
        &self,
        script: ScriptName,
        keys: &[&'a str],
        mut arguments: Vec<Argument<'a>>,
    ) -> ScriptCall<'a> {
        let who = [Argument::Number(u64::from(self.epoch.get())), Argument::Text(self.session.clone())];
        arguments.splice(..0, who);
        ScriptCall { script, keys: keys.to_vec(), arguments }
    }

    /// How many replicas should have a write, if those that have it are too few.
    pub(super) fn missing_replicas(&self, reached: Option<u32>) -> Option<(u32, u32)> {
        let wanted = self.link.config().wait_replicas;
        reached.filter(|reached| *reached < wanted).map(|reached| (reached, wanted))
    }

    /// Which opening is the latest; empty if there was none.
    async fn turn(&self) -> Result<String, RequestError> {
        let mut command = redis::cmd("HGET");
        command.arg(&self.keys.metadata).arg("turn");
        let read = self.link.run(0, async |current| current.connection.send(&command).await).await?;
        if let Value::BulkString(turn) = read.value {
            Ok(String::from_utf8_lossy(&turn).into_owned())
        } else {
            Ok(String::new())
        }
    }

    async fn write(
        &self,
        script: ScriptName,
        keys: &[&str],
        arguments: Vec<Argument<'_>>,
    ) -> Result<Written, OpenError> {
        let answer = self.run(script, keys, arguments).await?.value;
        self.check_replicas(&answer)?;
        Ok(read_written(&answer.strings)??)
    }

    fn check_replicas(&self, answer: &Answer) -> Result<(), OpenError> {
        let missing = self.missing_replicas(answer.replicas);
        missing.map_or(Ok(()), |(reached, wanted)| Err(OpenError::Replicas { reached, wanted }))
    }
}

fn session() -> String {
    Uuid::new_v4().simple().to_string()
}
