//! Keys prove themselves and nothing else; what is wrong with one can't be told from outside.

use raft::metadata::{ClusterState, Command, PrincipalConfig, PrincipalName};
use shard_core::model::Timestamp;

use super::*;

fn new_key(seed: u8) -> NewKey {
    NewKey::of_random(&std::array::from_fn(|index| seed.wrapping_add(u8::try_from(index).unwrap()))).unwrap()
}

fn state_with(key: &NewKey) -> ClusterState {
    let mut state = ClusterState::default();
    let (id, hash, principal) = (key.id.clone(), key.hash, PrincipalName::new("ci").unwrap());
    let key = ApiKey { id, hash, principal, created_at: Timestamp::default(), expires_at: None };
    state.apply(Command::CreateKey { key, principal: Some(PrincipalConfig::default()) }).unwrap();
    state
}

#[test]
fn a_key_proves_itself() {
    let key = new_key(7);
    let state = state_with(&key);
    let presented = PresentedKey::parse(key.expose()).unwrap();
    assert_eq!(presented.proves(state.access()).map(|key| key.principal.as_str()), Some("ci"));
}

#[test]
fn another_secret_or_another_id_proves_nothing() {
    let (key, other) = (new_key(7), new_key(8));
    let state = state_with(&key);
    assert!(PresentedKey::parse(other.expose()).unwrap().proves(state.access()).is_none());
    let secret = other.expose().rsplit_once(other.id.as_str()).unwrap().1;
    let swapped = format!("psr_{}{secret}", key.id.as_str());
    assert!(PresentedKey::parse(&swapped).unwrap().proves(state.access()).is_none());
}

#[test]
fn what_is_not_a_key_is_not_looked_up() {
    let key = new_key(1);
    let text = key.expose();
    assert_eq!(text.len(), 60);
    for wrong in ["", "psr_", "x", &text[1..], &text[..59], &format!("{text}A"), &text.replace("psr_", "psr-")] {
        assert!(PresentedKey::parse(wrong).is_none(), "{wrong}");
    }
    let wide = format!("psr_{}", "ä".repeat(28));
    assert!(PresentedKey::parse(&wide).is_none());
}

#[test]
fn a_key_shows_in_no_debug_output() {
    let key = new_key(3);
    let secret = key.expose().rsplit_once(key.id.as_str()).unwrap().1.trim_start_matches('_');
    let presented = PresentedKey::parse(key.expose()).unwrap();
    assert!(!format!("{key:?} {presented:?}").contains(secret));
}

/// F70. Whatever is wrong, the presented secret is hashed and its hash compared, once, with one of the same size: there is
/// no way through that is shorter than another. The compare itself takes the same time for any two hashes.
#[test]
fn an_unknown_id_takes_the_same_way_as_a_wrong_secret() {
    let (key, other) = (new_key(7), new_key(8));
    let state = state_with(&key);
    let secret = other.expose().rsplit_once(other.id.as_str()).unwrap().1;
    let wrong = format!("psr_{}{secret}", key.id.as_str());
    for (text, stored) in [(other.expose(), NO_HASH), (&wrong, key.hash), (key.expose(), key.hash)] {
        let mut compared = Vec::new();
        let presented = PresentedKey::parse(text).unwrap();
        let proved = presented.proves_by(state.access(), |presented, stored| {
            compared.push((*presented, *stored));
            presented == stored
        });
        assert_eq!(proved.is_some(), text == key.expose());
        let expected = if text == key.expose() { key.hash } else { other.hash };
        assert_eq!(compared, [(expected, stored)]);
    }
}

/// An id that is not there proves nothing even to a secret that compares equal.
#[test]
fn an_unknown_id_proves_nothing_whatever_compares_equal() {
    let (key, other) = (new_key(7), new_key(8));
    let state = state_with(&key);
    let presented = PresentedKey::parse(other.expose()).unwrap();
    assert!(presented.proves_by(state.access(), |_, _| true).is_none());
}
