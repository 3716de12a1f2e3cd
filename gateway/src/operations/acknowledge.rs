//! Acks, nacks and extensions of leases: asked of all partitions at once, answered by ack id.

use futures_util::future::join_all;
use gateway_api::{
    Code, CowStr,
    consume::{AckResponse, FailedAck},
    limits as api_limits,
};
use raft::metadata::{ClusterState, Subscription};
use shard::{AckAction, AckOutcome};

use super::{
    ack_groups::{AckGroup, AckGroups},
    deadline, in_parts,
};
use crate::{
    context::Context,
    error::{self, Failure},
    limits,
};

/// What became of the ack ids of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AckReport {
    /// For how many it holds.
    pub(crate) succeeded: u64,
    /// Places, in the request, of those for which it does not, in their order.
    pub(crate) failed: Vec<(usize, Code)>,
}

/// Asks every partition that `ids` name.
///
/// # Errors
/// Too many ids; or a problem of all partitions, so that none of the ids is known to have had an effect.
pub(crate) async fn acknowledge(
    context: &Context,
    state: &ClusterState,
    subscription: &Subscription,
    action: AckAction,
    ids: &[CowStr<'_>],
) -> Result<AckReport, Failure> {
    if ids.len() > api_limits::ACK_IDS_MAX {
        let detail = format!("a request has at most {} ack ids", api_limits::ACK_IDS_MAX);
        return Err(error::of_code(Code::TooMany, detail));
    }
    let Some(topic) = state.topic_by_id(subscription.topic) else {
        return Err(error::of_code(Code::SubscriptionNotFound, "the subscription's topic is gone"));
    };
    let AckGroups { groups, foreign } = AckGroups::of(ids, subscription, topic);
    let answers = join_all(groups.into_iter().map(|group| ask(context, action, group))).await;
    collect(foreign, answers)
}

/// A partition's answer, and which places of the request it is about.
type GroupAnswer = (Vec<usize>, Result<Vec<AckOutcome>, Failure>);

async fn ask(context: &Context, action: AckAction, group: AckGroup) -> GroupAnswer {
    let AckGroup { cursor, leases, places } = group;
    let asked = deadline::within(limits::OPERATION_TIMEOUT, context.shards.acknowledge(cursor, action, leases)).await;
    let answer = match asked {
        Some(answer) => answer.map_err(|error| error::of_subscription(&error)),
        None => Err(error::of_code(Code::Timeout, "the partition gave no answer in time")),
    };
    (places, answer)
}

/// Puts the partitions' answers together. If there are only failures of whole partitions, the gravest is the answer.
fn collect(foreign: Vec<usize>, answers: Vec<GroupAnswer>) -> Result<AckReport, Failure> {
    if foreign.is_empty() && answers.iter().all(|(_, answer)| answer.is_err()) {
        let gravest = in_parts::gravest(answers.iter().filter_map(|(_, answer)| answer.as_ref().err()));
        if let Some(gravest) = gravest {
            return Err(gravest.clone());
        }
    }
    let mut report = AckReport { succeeded: 0, failed: Vec::new() };
    report.failed.extend(foreign.into_iter().map(|place| (place, Code::InvalidAckId)));
    for (places, answer) in answers {
        match answer {
            Ok(outcomes) => {
                for (place, outcome) in places.into_iter().zip(outcomes) {
                    match error::of_ack(outcome) {
                        None => report.succeeded += 1,
                        Some(code) => report.failed.push((place, code)),
                    }
                }
            }
            Err(failure) => report.failed.extend(places.into_iter().map(|place| (place, failure.code))),
        }
    }
    report.failed.sort_unstable();
    Ok(report)
}

impl AckReport {
    /// The report with the ids themselves.
    pub(crate) fn into_response(self, ids: &[CowStr<'_>]) -> AckResponse {
        let id = |place: usize| ids.get(place).map(|id| id.as_str().to_owned()).unwrap_or_default();
        let failed = self.failed.into_iter().map(|(place, code)| FailedAck { ack_id: id(place), code }).collect();
        AckResponse { succeeded: self.succeeded, failed }
    }
}

/// A time in a request, bounded.
pub(super) fn bounded_ms(field: &str, millis: u64, min: u64) -> Result<std::time::Duration, Failure> {
    if (min..=limits::DELAY_MS_MAX).contains(&millis) {
        return Ok(std::time::Duration::from_millis(millis));
    }
    let detail = format!("{millis} is not within {min} and {}", limits::DELAY_MS_MAX);
    Err(error::invalid(field, detail))
}

#[cfg(test)]
mod tests {
    use gateway_api::Outcome;

    use super::*;

    #[test]
    fn outcomes_go_back_to_the_places_of_their_ids() {
        let answers = vec![
            (vec![1, 4], Ok(vec![AckOutcome::Applied, AckOutcome::LeaseExpired])),
            (vec![0, 2], Ok(vec![AckOutcome::Unknown, AckOutcome::Applied])),
            (vec![5], Err(error::of_code(Code::PartitionClosed, ""))),
        ];
        let report = collect(vec![3], answers).unwrap();
        assert_eq!(report.succeeded, 2);
        let expected =
            [(0, Code::InvalidAckId), (3, Code::InvalidAckId), (4, Code::LeaseExpired), (5, Code::PartitionClosed)];
        assert_eq!(report.failed, expected);
    }

    #[test]
    fn when_no_partition_answers_there_is_a_problem() {
        let failed = |code| Err(error::of_code(code, ""));
        let problem = collect(Vec::new(), vec![(vec![0], failed(Code::Overloaded))]).unwrap_err();
        assert_eq!(problem.code, Code::Overloaded);
        let answers = vec![(vec![0], failed(Code::PartitionClosed)), (vec![1], failed(Code::Timeout))];
        let problem = collect(Vec::new(), answers).unwrap_err();
        assert_eq!(problem.outcome, Outcome::Unknown, "the second partition may have taken it");
        let report = collect(vec![1], vec![(vec![0], failed(Code::Overloaded))]).unwrap();
        assert_eq!(report.failed, [(0, Code::Overloaded), (1, Code::InvalidAckId)]);
    }

    #[test]
    fn no_ids_are_no_problem() {
        assert_eq!(collect(Vec::new(), Vec::new()).unwrap(), AckReport::default());
    }

    #[test]
    fn times_are_bounded() {
        assert!(bounded_ms("deadline_ms", 100, 100).is_ok());
        for millis in [99, u64::MAX] {
            let failure = bounded_ms("deadline_ms", millis, 100).unwrap_err();
            assert_eq!(failure.errors[0].field, "deadline_ms");
        }
    }
}
