//! The parser beside others: what all of them take, they must take for the same requests.
//!
//! Who is stricter than another does no harm. Two that both take some bytes and see different bodies in them are a way
//! to smuggle a request past one of them.

mod hyper;
mod python;

use gateway::{
    config::GatewayConfig,
    http::{
        parser::{Progress, RequestParser},
        request::Request,
    },
};
use proptest::{
    prelude::*,
    sample::{Index, select},
    strategy::ValueTree,
    test_runner::{Config, RngSeed, TestRunner},
};

use super::cases::{self, Outcome};

/// How many conversations are compared with each parser.
const CONVERSATIONS: usize = 10_000;
/// Bytes that mean something in HTTP: damage that is likely to be read in two ways.
const TELLING: &[&str] = &[
    "\r",
    "\n",
    "\r\n",
    "\r\n\r\n",
    " ",
    "\t",
    "\0",
    ":",
    ",",
    ";",
    "0",
    "3",
    "+",
    "-",
    "x",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "chunked",
    "gzip, ",
    "\u{b}",
    "\u{85}",
    "HTTP/1.0",
    "Connection: close\r\n",
];

/// What a parser makes of all that a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    /// The bodies of the requests that are whole.
    bodies: Vec<Vec<u8>>,
    /// Whether it took everything; else it refused what followed, misses something at the end, or stopped reading
    /// behind a request that ends the connection or would change its protocol.
    whole: bool,
}

impl Verdict {
    /// Whether the two can be behind one another without harm.
    fn agrees_with(&self, other: &Self) -> bool {
        let both = self.bodies.len().min(other.bodies.len());
        let no_more_than_all = |all: &Self, some: &Self| !all.whole || some.bodies.len() <= all.bodies.len();
        self.bodies.get(..both) == other.bodies.get(..both)
            && no_more_than_all(self, other)
            && no_more_than_all(other, self)
    }
}

/// The verdict of our parser.
fn ours(bytes: &[u8]) -> Verdict {
    let mut parser = RequestParser::new(&GatewayConfig::default());
    parser.inbound_mut().extend_from_slice(bytes);
    let (mut request, mut bodies) = (Request::default(), Vec::new());
    loop {
        match parser.advance(&mut request) {
            Progress::Complete => {
                bodies.push(request.body().to_vec());
                if !request.keep_alive() || request.wants_upgrade() {
                    return Verdict { bodies, whole: false };
                }
            }
            Progress::Continue => {}
            Progress::NeedMore(_) => return Verdict { bodies, whole: parser.unread_bytes() == 0 },
            Progress::Streamed => panic!("this parser takes bodies whole"),
            Progress::Refused(_) => return Verdict { bodies, whole: false },
        }
    }
}

/// The cases, spliced and damaged where it tells.
fn conversation() -> impl Strategy<Value = Vec<u8>> {
    let (sound, other): (Vec<_>, Vec<_>) =
        cases::all().into_iter().partition(|(.., outcome)| matches!(outcome, Outcome::Bodies(_)));
    let case = prop_oneof![4 => select(sound), 1 => select(other)].prop_map(|(_, bytes, _)| bytes.into_bytes());
    let damage = (any::<Index>(), 0_usize..3, select(TELLING));
    (prop::collection::vec(case, 1..4), prop::collection::vec(damage, 0..4)).prop_map(|(cases, damages)| {
        let mut bytes = cases.concat();
        for (at, removed, put) in damages {
            let at = at.index(bytes.len());
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, put.bytes());
        }
        bytes
    })
}

/// So many conversations, the same in every run.
fn conversations() -> Vec<Vec<u8>> {
    let mut runner = TestRunner::new(Config { rng_seed: RngSeed::Fixed(9112), ..Config::default() });
    (0..CONVERSATIONS).map(|_| conversation().new_tree(&mut runner).unwrap().current()).collect()
}

/// Compares our verdicts with another's, and makes sure that there was something to compare.
fn compare(name: &str, theirs: impl Fn(&[u8]) -> Verdict) {
    let mut taken_by_both = 0;
    for bytes in conversations() {
        let (ours, theirs) = (ours(&bytes), theirs(&bytes));
        assert!(
            ours.agrees_with(&theirs),
            "{name} reads this otherwise:\n{}\nours: {ours:?}\ntheirs: {theirs:?}",
            bytes.escape_ascii()
        );
        taken_by_both += usize::from(ours.whole && theirs.whole && !ours.bodies.is_empty());
    }
    assert!(taken_by_both > CONVERSATIONS / 20, "{name}: {taken_by_both}");
}
