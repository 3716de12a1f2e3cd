//! A link to a node on which answers get lost: what was asked has been done, and whoever asked does not learn it.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// It takes connections until the test's process ends.
pub(super) struct LossyLink {
    /// Where the node is reached through it.
    pub(super) address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// How many of the next answers get lost.
    to_lose: AtomicUsize,
    /// How many answers there were, lost ones included.
    answers: AtomicUsize,
}

impl LossyLink {
    /// One to a node, on which nothing gets lost so far.
    pub(super) fn to(node: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::<State>::default();
        let (node, shared) = (node.to_owned(), Arc::clone(&state));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (node, shared) = (node.clone(), Arc::clone(&shared));
                thread::spawn(move || {
                    // A node that is gone ends the connections to it.
                    let Ok(node) = TcpStream::connect(node) else { return };
                    let (mut from, mut to) = (stream.try_clone().unwrap(), node.try_clone().unwrap());
                    thread::spawn(move || {
                        drop(std::io::copy(&mut from, &mut to).map_err(|error| error.to_string()));
                        drop(to.shutdown(Shutdown::Both).map_err(|error| error.to_string()));
                    });
                    bring_back(node, &stream, &shared);
                    drop(stream.shutdown(Shutdown::Both).map_err(|error| error.to_string()));
                });
            }
        });
        Self { address, state }
    }

    /// The next answers, so many of them, get lost, and their connections end.
    pub(super) fn lose(&self, answers: usize) {
        self.state.to_lose.store(answers, Ordering::SeqCst);
    }

    /// How many answers there have been, lost ones included; each is short enough to come in one piece.
    pub(super) fn answers(&self) -> usize {
        self.state.answers.load(Ordering::SeqCst)
    }
}

/// Hands answers on until one gets lost.
fn bring_back(mut node: TcpStream, mut stream: &TcpStream, state: &State) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = node.read(&mut buffer) {
        state.answers.fetch_add(1, Ordering::SeqCst);
        let lost = state.to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if lost.is_ok() || stream.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    drop(node.shutdown(Shutdown::Both).map_err(|error| error.to_string()));
}
