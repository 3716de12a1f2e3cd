//! The secret that the nodes of a cluster share, and how one proves to another that it knows it without saying it.
//!
//! A proof is an HMAC-SHA256 over everything both sides have said so far, their random bytes among it, and over who proves.
//! So it holds for this connection alone, can't be sent back to whom it came from, and covers what the connection is for.

use std::fmt;

use bytes::Bytes;
use ring::hmac;

use super::{handshake::Role, preface::Preface};

/// The size of a proof.
pub(super) const PROOF_BYTES: usize = 32;
/// Keeps these proofs apart from whatever else may some day be made with the same secret.
const PURPOSE: &[u8] = b"PubSubRing link proof v1";

/// What all nodes of a cluster know and nobody else.
#[derive(Clone)]
pub struct LinkSecret(hmac::Key);

/// What both sides have said before they prove anything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transcript<'a> {
    pub(super) preface: Preface,
    /// The Hello of the connecting side, as it was sent.
    pub(super) connecting: &'a [u8],
    /// The Hello of the accepting side, as it was sent.
    pub(super) accepting: &'a [u8],
}

impl LinkSecret {
    /// Takes a secret; how long it must be is for the configuration to say.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Proves to the other side that `prover` knows the secret.
    pub(super) fn prove(&self, prover: Role, transcript: Transcript<'_>) -> Bytes {
        Bytes::copy_from_slice(hmac::sign(&self.0, &message(prover, transcript)).as_ref())
    }

    /// Whether `prover` knows the secret; the time it takes says nothing about how many bytes are right.
    pub(super) fn holds(&self, proof: &[u8], prover: Role, transcript: Transcript<'_>) -> bool {
        proof.len() == PROOF_BYTES && hmac::verify(&self.0, &message(prover, transcript), proof).is_ok()
    }
}

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(secret)")
    }
}

/// A Hello states its own length, so two of them one behind the other can be read in one way only.
fn message(prover: Role, transcript: Transcript<'_>) -> Vec<u8> {
    let prover: &[u8] = match prover {
        Role::Connecting => b"C",
        Role::Accepting => b"A",
    };
    let preface = transcript.preface.encode();
    [PURPOSE, prover, &preface, transcript.connecting, transcript.accepting].concat()
}
