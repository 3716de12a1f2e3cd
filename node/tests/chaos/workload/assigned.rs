//! A consumer of the group over HTTP: joins, shows that it lives, pulls, leaves now and then and comes back.

use std::sync::Arc;

use gateway_api::{
    client::ClientError,
    error::Code,
    groups::{HeartbeatRequest, JoinRequest, Membership},
};

use super::{
    GROUP, Site,
    dial::Dial,
    pause,
    pulling::{self, Consumer},
};
use crate::{
    history::{self, What},
    random::Random,
};

/// How often a consumer leaves: once in so many of its pulls.
const LEAVE_ONE_IN: u64 = 40;
/// How long it stays away, at most.
const AWAY_MS_MAX: u64 = 500;

/// Consumes until nobody does any more.
pub(super) async fn run(site: Arc<Site>, client: u32, random: Random) {
    let mut dial = Dial::new(site, client, random);
    let name = format!("member-{client}");
    let mut generation = None;
    while dial.site.is_consuming() {
        let Some(adopted) = generation else {
            let request = JoinRequest { consumer_id: Some(name.clone()) };
            let (start, joined) = (dial.now(), dial.next().join(GROUP, &request).await);
            generation = told(&mut dial, start, joined, "a join").await;
            continue;
        };
        pulling::pull(&mut dial, Consumer { subscription: GROUP, name: &name, generation }).await;
        if dial.random.one_in(LEAVE_ONE_IN) {
            leave(&mut dial, &name).await;
            generation = None;
            continue;
        }
        // It holds nothing now that it means to ack: so it has let go of whatever was taken from it up to then.
        let request = HeartbeatRequest { generation: Some(adopted) };
        let (start, beaten) = (dial.now(), dial.next().heartbeat(GROUP, &name, &request).await);
        let is_over = matches!(&beaten, Err(ClientError::Problem(problem)) if problem.code == Code::ConsumerNotFound);
        let answered = told(&mut dial, start, beaten, "a heartbeat").await;
        generation = if is_over { None } else { answered.or(generation) };
    }
}

/// Writes down what a consumer was told; the generation of it, if it was told anything.
async fn told(dial: &mut Dial, start: u64, answer: Result<Membership, ClientError>, doing: &str) -> Option<u64> {
    match answer {
        Ok(membership) => {
            let generation = membership.generation;
            let what = history::Membership {
                subscription: GROUP.to_owned(),
                consumer: membership.consumer_id,
                generation,
                partitions: membership.partitions,
            };
            dial.site.recorder.record(start, dial.who(), What::Membership(what));
            Some(generation)
        }
        Err(error) => {
            dial.refused(doing, &error).await;
            None
        }
    }
}

async fn leave(dial: &mut Dial, name: &str) {
    if let Err(error) = dial.next().leave(GROUP, name).await {
        dial.refused("a leave", &error).await;
    }
    pause(dial.random.below(AWAY_MS_MAX)).await;
}
