//! Each history that must not be, made by hand.

use super::*;

const ONE: NodeId = NodeId::new(1);
const TWO: NodeId = NodeId::new(2);

const DONE: Judged = Ok(Outcome::NodeRegistered);

/// A change that is asked for, taken by an entry and answered, with nothing in between.
fn change(history: &mut History, through: NodeId, entry: u64) -> ChangeId {
    let change = history.asked(through);
    history.taken(change, entry, DONE);
    history.answered(change, Answer::Judged(DONE));
    change
}

#[test]
fn what_overlaps_may_take_effect_in_any_order() {
    let mut history = History::default();
    let (first, second) = (history.asked(ONE), history.asked(TWO));
    history.taken(second, 1, DONE);
    history.taken(first, 2, Err(Refusal::TopicNotFound));
    history.answered(first, Answer::Judged(Err(Refusal::TopicNotFound)));
    history.answered(second, Answer::Judged(DONE));
    assert_eq!(history.check(), Ok(()));
}

#[test]
fn a_change_whose_end_is_not_known_may_hold_at_any_time_or_never() {
    let mut history = History::default();
    let (late, never) = (history.asked(ONE), history.asked(ONE));
    history.answered(late, Answer::Unknown);
    history.answered(never, Answer::Unknown);
    change(&mut history, TWO, 1);
    history.taken(late, 2, DONE);
    let unanswered = history.asked(TWO);
    history.taken(unanswered, 3, DONE);
    assert_eq!(history.check(), Ok(()));
}

#[test]
fn what_was_answered_is_in_the_log() {
    let mut history = History::default();
    let change = history.asked(ONE);
    history.answered(change, Answer::Judged(DONE));
    assert_eq!(history.check(), Err(Flaw::Missing { change }));
}

#[test]
fn whatever_was_answered_nothing_is_in_the_log_twice() {
    for answer in [Some(Answer::Judged(DONE)), Some(Answer::Unknown), None] {
        let mut history = History::default();
        let change = history.asked(ONE);
        history.taken(change, 1, DONE);
        history.taken(change, 2, DONE);
        if let Some(answer) = answer {
            history.answered(change, answer);
        }
        assert_eq!(history.check(), Err(Flaw::Twice { change }));
    }
}

#[test]
fn what_nobody_took_is_not_in_the_log() {
    let mut history = History::default();
    let change = history.asked(ONE);
    history.answered(change, Answer::Nowhere);
    assert_eq!(history.check(), Ok(()));
    history.taken(change, 1, DONE);
    assert_eq!(history.check(), Err(Flaw::NotNowhere { change }));
}

#[test]
fn the_outcome_that_was_answered_is_that_of_the_log() {
    let mut history = History::default();
    let change = history.asked(ONE);
    history.taken(change, 1, Err(Refusal::TopicNotFound));
    history.answered(change, Answer::Judged(DONE));
    assert_eq!(history.check(), Err(Flaw::OtherOutcome { change }));
}

#[test]
fn what_was_asked_for_later_is_behind_what_was_answered_before() {
    let mut history = History::default();
    change(&mut history, ONE, 5);
    let late = change(&mut history, TWO, 4);
    assert_eq!(history.check(), Err(Flaw::OutOfOrder { change: late, behind: 5 }));
}

#[test]
fn a_node_never_shows_an_older_state() {
    let mut history = History::default();
    history.read(ONE, 5);
    // Another node may be behind.
    history.read(TWO, 3);
    history.read(ONE, 5);
    assert_eq!(history.check(), Ok(()));
    history.read(ONE, 4);
    assert_eq!(history.check(), Err(Flaw::OldState { node: ONE, version: 4, known: 5 }));
}

#[test]
fn who_was_answered_finds_the_change_where_it_asked() {
    let mut history = History::default();
    change(&mut history, ONE, 5);
    history.read(TWO, 3);
    assert_eq!(history.check(), Ok(()));
    history.read(ONE, 3);
    assert_eq!(history.check(), Err(Flaw::OldState { node: ONE, version: 3, known: 5 }));
}
