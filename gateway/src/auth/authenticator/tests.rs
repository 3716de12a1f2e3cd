//! Whom credentials prove, for how long, and what is remembered of them.

use raft::metadata::{Action, Command, Grant, PrincipalConfig, Resource};

use super::*;
use crate::auth::secret_key::NewKey;

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn new_key(seed: u8) -> NewKey {
    NewKey::of_random(&[seed; 44]).unwrap()
}

fn add(state: &mut ClusterState, key: &NewKey, principal: &str, expires_at: Option<i64>) {
    let principal = PrincipalName::new(principal).unwrap();
    let expires_at = expires_at.map(time);
    let key = ApiKey { id: key.id.clone(), hash: key.hash, principal, created_at: time(0), expires_at };
    let config = PrincipalConfig { grants: vec![Grant::admin()], ..PrincipalConfig::default() };
    state.apply(Command::CreateKey { key, principal: Some(config) }).unwrap();
}

#[derive(Debug)]
struct OneToken;

impl TokenVerifier for OneToken {
    fn verify(&self, token: &str, now: Timestamp) -> Result<(PrincipalName, Timestamp), Unproved> {
        if token != "a.b.c" {
            return Err(Unproved::Invalid);
        }
        Ok((PrincipalName::new("issuer/user").unwrap(), time(now.as_millis() + 10)))
    }
}

#[test]
fn a_key_proves_its_principal_until_it_expires_or_is_deleted() {
    let mut state = ClusterState::default();
    let key = new_key(1);
    add(&mut state, &key, "ci", Some(100));
    let authenticator = Authenticator::new(AuthMode::Required);
    let identify = |state: &ClusterState, now| {
        authenticator.identify(state, &Credential::Bearer(key.expose()), time(now)).map(|found| found.name.clone())
    };
    for now in [0, 99] {
        assert_eq!(identify(&state, now).map(|name| name.to_string()), Ok("ci".to_owned()));
    }
    assert_eq!(identify(&state, 100), Err(Unproved::Expired));
    assert_eq!(identify(&ClusterState::default(), 100), Err(Unproved::Invalid));
    state.apply(Command::DeleteKey { id: key.id.clone() }).unwrap();
    assert_eq!(identify(&state, 0), Err(Unproved::Invalid));
}

#[test]
fn grants_that_change_are_seen_with_the_next_request() {
    let mut state = ClusterState::default();
    let key = new_key(1);
    add(&mut state, &key, "ci", None);
    let authenticator = Authenticator::new(AuthMode::Required);
    let may = |state: &ClusterState| {
        let found = authenticator.identify(state, &Credential::Bearer(key.expose()), time(0)).unwrap();
        Caller::Known(found).may(Action::Publish, Resource::Topic("t"))
    };
    assert!(may(&state));
    let name = PrincipalName::new("ci").unwrap();
    let config = PrincipalConfig::default();
    state.apply(Command::PutPrincipal { name, config, expected_revision: None, at: time(0) }).unwrap();
    assert!(!may(&state));
}

#[test]
fn a_token_needs_a_verifier_and_a_principal_to_do_anything() {
    let state = ClusterState::default();
    let token = Credential::Bearer("a.b.c");
    let without = Authenticator::new(AuthMode::Required);
    assert_eq!(without.identify(&state, &token, time(0)).unwrap_err(), Unproved::Invalid);
    let with = Authenticator::new(AuthMode::Required).with_tokens(Arc::new(OneToken));
    let found = with.identify(&state, &token, time(0)).unwrap();
    assert_eq!((found.name.as_str(), found.expires_at), ("issuer/user", Some(time(10))));
    let caller = Caller::Known(found);
    assert!(!caller.sees(Resource::Topic("t")) && !caller.is_admin());
    assert_eq!(with.identify(&state, &token, time(10)).unwrap_err(), Unproved::Expired);
    assert_eq!(with.identify(&state, &Credential::Bearer("a.b.d"), time(0)).unwrap_err(), Unproved::Invalid);
}

#[test]
fn a_ticket_lives_for_a_minute_and_no_longer_than_its_key() {
    let mut state = ClusterState::default();
    let key = new_key(1);
    add(&mut state, &key, "ci", Some(70_000));
    let authenticator = Authenticator::new(AuthMode::Required);
    let identity = authenticator.identify(&state, &Credential::Bearer(key.expose()), time(0)).unwrap();
    let ticket = |now| TicketSeal::new(state.ack_key()).seal(&ticket_for(&identity, time(now)));
    let early = ticket(0);
    let opened = authenticator.identify(&state, &Credential::Ticket(&early), time(59_999)).unwrap();
    assert_eq!((opened.name.as_str(), &opened.proof, opened.expires_at), ("ci", &identity.proof, identity.expires_at));
    let expired = authenticator.identify(&state, &Credential::Ticket(&early), time(60_000));
    assert_eq!(expired.unwrap_err(), Unproved::Expired);
    let late = ticket(50_000);
    let expired = authenticator.identify(&state, &Credential::Ticket(&late), time(70_000));
    assert_eq!(expired.unwrap_err(), Unproved::Expired);
    let mut without = state.clone();
    without.apply(Command::DeleteKey { id: key.id.clone() }).unwrap();
    let deleted = authenticator.identify(&without, &Credential::Ticket(&early), time(1));
    assert_eq!(deleted.unwrap_err(), Unproved::Invalid);
}

#[test]
fn what_is_remembered_has_a_bound() {
    let mut state = ClusterState::default();
    let key = new_key(1);
    add(&mut state, &key, "ci", None);
    let authenticator = Authenticator::new(AuthMode::Required);
    let spare = Arc::new(Identity {
        name: PrincipalName::new("x").unwrap(),
        principal: None,
        proof: Proof::Bearer,
        expires_at: None,
        usage: Arc::default(),
    });
    {
        let mut verified = authenticator.verified.borrow_mut();
        verified.access = Arc::clone(state.access());
        for number in 0..limits::VERIFIED_CREDENTIALS_MAX {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_le_bytes());
            verified.by_digest.insert(digest, Arc::clone(&spare));
        }
    }
    authenticator.identify(&state, &Credential::Bearer(key.expose()), time(0)).unwrap();
    assert_eq!(authenticator.verified.borrow().by_digest.len(), 1);
}
