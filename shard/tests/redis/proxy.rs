//! A stretch of network between a link and its server, for what a network does: go silent, or lose one answer.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// Passes bytes on between whoever connects to it and a server.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// What the connections that were there at the last silence look at.
    silent: Mutex<Arc<AtomicBool>>,
    /// The next answer is lost, and the connection with it.
    loses_answer: AtomicBool,
}

impl Proxy {
    /// Starts to pass on to a server on this machine; its threads end with their connections and the process.
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let connections = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let silent = Arc::clone(&connections.silent.lock().unwrap());
                pass_on(&client, &server, &silent, None);
                pass_on(&server, &client, &silent, Some(&connections));
            }
        });
        Self { port, shared }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The connections that are there stay open, and nothing comes through any more; new ones work.
    pub(crate) fn silence(&self) {
        let silent = std::mem::take(&mut *self.shared.silent.lock().unwrap());
        silent.store(true, Ordering::SeqCst);
    }

    /// The next answer does not arrive; its connection is closed instead.
    pub(crate) fn lose_next_answer(&self) {
        self.shared.loses_answer.store(true, Ordering::SeqCst);
    }
}

fn pass_on(from: &TcpStream, to: &TcpStream, silent: &Arc<AtomicBool>, answers: Option<&Arc<Shared>>) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let (silent, answers) = (Arc::clone(silent), answers.cloned());
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if silent.load(Ordering::SeqCst) {
                continue;
            }
            if answers.as_ref().is_some_and(|shared| shared.loses_answer.swap(false, Ordering::SeqCst)) {
                break;
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
