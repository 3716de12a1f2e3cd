//! Decides whether two nodes speak with each other: what is sent, what is expected, and why not.
//!
//! ```text
//! connecting                      accepting
//!   Hello          ->
//!                  <-             Hello
//!   Proof          ->                              with a secret only
//!                  <-             Proof            with a secret only
//! ```
//! Who connects proves first, so that nobody gets a proof to guess at by connecting. A side that will not go on says why in
//! a Refusal, and closes. Whoever drives it bounds how long all of it may take.

use bytes::Bytes;

use super::{
    frame::{Frame, FrameKind, OutFrame},
    hello::{Hello, HelloError, LinkIdentity, NONCE_BYTES, VersionRange},
    preface::{Lane, Preface},
    proof::{LinkSecret, Transcript},
};

/// Which side of a connection a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It has made the connection.
    Connecting,
    /// It was asked for it.
    Accepting,
}

/// What a node expects of the other side, and how it shows who it is itself.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Who this node is.
    pub us: LinkIdentity,
    /// Which node the other side must be; any if none.
    pub peer: Option<u64>,
    /// What the connection is for.
    pub lane: Lane,
    /// The secret that both must know, if there is one.
    pub secret: Option<LinkSecret>,
    /// Random bytes, other ones for each connection.
    pub nonce: [u8; NONCE_BYTES],
}

/// The beginning of a connection between nodes, on either side.
#[derive(Debug)]
pub struct Handshake {
    role: Role,
    expected: Expected,
    /// Our Hello, as it is sent.
    ours: Bytes,
    state: State,
}

#[derive(Debug)]
enum State {
    AwaitHello,
    AwaitProof {
        peer: Peer,
        /// The other side's Hello, as it came.
        theirs: Bytes,
    },
    /// It is over, well or not.
    Done,
}

/// What to do after a frame was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// To be sent, in order.
    pub send: Vec<OutFrame>,
    /// Who the other side is; once it is there, the handshake is over and what comes next is for the lane.
    pub established: Option<Peer>,
}

/// The other side, as far as a handshake shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The version that is spoken.
    pub version: u16,
    /// Who it is.
    pub identity: LinkIdentity,
}

/// Why a side does not speak with the other one, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum RefusalReason {
    #[error("no version of the link is spoken by both nodes")]
    Version,
    #[error("the nodes are of different clusters")]
    OtherCluster,
    #[error("it is not the node that it was taken for")]
    OtherNode,
    #[error("a node was connected with itself")]
    Itself,
    #[error("only a member of a cluster may do this, and one of them is none")]
    NoMember,
    #[error("one node has a shared secret and the other has none")]
    SecretOnOneSide,
    #[error("the shared secrets differ")]
    WrongSecret,
    #[error("what came is no handshake")]
    Malformed,
    #[error("one node speaks TLS and the other does not")]
    TlsOnOneSide,
    #[error("a reason that this version does not know, number {0}")]
    Unknown(u8),
}

/// Why a handshake came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum HandshakeError {
    /// To be told to the other side.
    #[error("refused: {0}")]
    Refused(RefusalReason),
    #[error("the other node refuses: {0}")]
    RefusedByPeer(RefusalReason),
    #[error("what came is no Hello: {0}")]
    Hello(#[from] HelloError),
    #[error("a frame of kind {found:?} came, which is out of turn")]
    OutOfTurn { found: FrameKind },
}

impl Handshake {
    /// The connecting side's handshake, and the frame it begins with.
    #[must_use]
    pub fn connect(expected: Expected) -> (Self, OutFrame) {
        let handshake = Self::new(Role::Connecting, expected);
        let hello = OutFrame::of_head(FrameKind::Hello, handshake.ours.clone());
        (handshake, hello)
    }

    /// The accepting side's handshake; `expected.lane` is the one that the preface has named.
    #[must_use]
    pub fn accept(expected: Expected) -> Self {
        Self::new(Role::Accepting, expected)
    }

    fn new(role: Role, expected: Expected) -> Self {
        let hello = Hello {
            versions: VersionRange::OURS,
            identity: expected.us.clone(),
            peer: expected.peer,
            has_secret: expected.secret.is_some(),
            nonce: expected.nonce,
        };
        Self { role, expected, ours: hello.encode(), state: State::AwaitHello }
    }

    /// Takes the next frame of the other side.
    ///
    /// # Errors
    /// The connection has to be closed, after sending what [`HandshakeError::refusal`] gives.
    pub fn on_frame(&mut self, frame: &Frame) -> Result<Step, HandshakeError> {
        match (std::mem::replace(&mut self.state, State::Done), frame.kind) {
            (State::AwaitHello | State::AwaitProof { .. }, FrameKind::Refusal) => {
                Err(HandshakeError::RefusedByPeer(RefusalReason::decode(&frame.head)))
            }
            (State::AwaitHello, FrameKind::Hello) => self.on_hello(&frame.head),
            (State::AwaitProof { peer, theirs }, FrameKind::Proof) => self.on_proof(peer, &theirs, &frame.head),
            (State::AwaitHello | State::AwaitProof { .. } | State::Done, found) => {
                Err(HandshakeError::OutOfTurn { found })
            }
        }
    }

    fn on_hello(&mut self, bytes: &Bytes) -> Result<Step, HandshakeError> {
        let hello = Hello::decode(bytes)?;
        let version = self.check(&hello).map_err(HandshakeError::Refused)?;
        let peer = Peer { version, identity: hello.identity };
        let mut step = Step::default();
        if self.role == Role::Accepting {
            step.send.push(OutFrame::of_head(FrameKind::Hello, self.ours.clone()));
        }
        match &self.expected.secret {
            Some(secret) => {
                if self.role == Role::Connecting {
                    let proof = secret.prove(self.role, self.transcript(bytes));
                    step.send.push(OutFrame::of_head(FrameKind::Proof, proof));
                }
                self.state = State::AwaitProof { peer, theirs: bytes.clone() };
            }
            None => step.established = Some(peer),
        }
        Ok(step)
    }

    fn on_proof(&self, peer: Peer, theirs: &[u8], proof: &[u8]) -> Result<Step, HandshakeError> {
        let transcript = self.transcript(theirs);
        let secret = self.expected.secret.as_ref().ok_or(HandshakeError::OutOfTurn { found: FrameKind::Proof })?;
        if !secret.holds(proof, self.role.other(), transcript) {
            return Err(HandshakeError::Refused(RefusalReason::WrongSecret));
        }
        let mut step = Step { send: Vec::new(), established: Some(peer) };
        if self.role == Role::Accepting {
            step.send.push(OutFrame::of_head(FrameKind::Proof, secret.prove(self.role, transcript)));
        }
        Ok(step)
    }

    /// Whether the other side's Hello fits; then the version that is spoken.
    fn check(&self, hello: &Hello) -> Result<u16, RefusalReason> {
        let (us, them) = (&self.expected.us, &hello.identity);
        let version = VersionRange::OURS.common(hello.versions).ok_or(RefusalReason::Version)?;
        if hello.nonce == self.expected.nonce {
            return Err(RefusalReason::Itself);
        }
        if let (Some(ours), Some(theirs)) = (&us.cluster, &them.cluster)
            && ours != theirs
        {
            return Err(RefusalReason::OtherCluster);
        }
        // Who wants to become a member speaks with the control thread, and with nobody else.
        let are_members = us.is_member() && them.is_member();
        if !are_members && self.expected.lane != Lane::Control {
            return Err(RefusalReason::NoMember);
        }
        if are_members && us.node == them.node {
            return Err(RefusalReason::Itself);
        }
        let is_whom_we_mean = self.expected.peer.is_none() || self.expected.peer == them.node;
        let are_whom_they_mean = hello.peer.is_none() || hello.peer == us.node;
        if !is_whom_we_mean || !are_whom_they_mean {
            return Err(RefusalReason::OtherNode);
        }
        if hello.has_secret != self.expected.secret.is_some() {
            return Err(RefusalReason::SecretOnOneSide);
        }
        Ok(version)
    }

    fn transcript<'a>(&'a self, theirs: &'a [u8]) -> Transcript<'a> {
        let (connecting, accepting) = match self.role {
            Role::Connecting => (self.ours.as_ref(), theirs),
            Role::Accepting => (theirs, self.ours.as_ref()),
        };
        Transcript { preface: Preface { lane: self.expected.lane }, connecting, accepting }
    }
}

impl Role {
    const fn other(self) -> Self {
        match self {
            Self::Connecting => Self::Accepting,
            Self::Accepting => Self::Connecting,
        }
    }
}

impl HandshakeError {
    /// What to send before closing: why. Nothing to a side that has refused by itself.
    #[must_use]
    pub fn refusal(&self) -> Option<OutFrame> {
        let reason = match self {
            Self::Refused(reason) => *reason,
            Self::Hello(_) | Self::OutOfTurn { .. } => RefusalReason::Malformed,
            Self::RefusedByPeer(_) => return None,
        };
        Some(reason.frame())
    }
}

impl RefusalReason {
    const KNOWN: [Self; 9] = [
        Self::Version,
        Self::OtherCluster,
        Self::OtherNode,
        Self::Itself,
        Self::NoMember,
        Self::SecretOnOneSide,
        Self::WrongSecret,
        Self::Malformed,
        Self::TlsOnOneSide,
    ];

    /// What tells the other side so.
    #[must_use]
    pub fn frame(self) -> OutFrame {
        OutFrame::of_head(FrameKind::Refusal, Bytes::copy_from_slice(&[self.to_bits()]))
    }

    const fn to_bits(self) -> u8 {
        match self {
            Self::Version => 1,
            Self::OtherCluster => 2,
            Self::OtherNode => 3,
            Self::Itself => 4,
            Self::NoMember => 5,
            Self::SecretOnOneSide => 6,
            Self::WrongSecret => 7,
            Self::Malformed => 8,
            Self::TlsOnOneSide => 9,
            Self::Unknown(bits) => bits,
        }
    }

    /// Reads a Refusal; what this version does not know is a refusal all the same.
    fn decode(head: &[u8]) -> Self {
        let bits = head.first().copied().unwrap_or(0);
        Self::KNOWN.into_iter().find(|reason| reason.to_bits() == bits).unwrap_or(Self::Unknown(bits))
    }
}

#[cfg(test)]
mod tests;
