//! What stands between two nodes: it passes bytes on, until it is told to do otherwise.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use futures_lite::{
    future,
    io::{self, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
};
use glommio::{
    net::{TcpListener, TcpStream},
    timer::sleep,
};

/// Passes connections on to one address. Clones share what it is told.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) address: String,
    control: Rc<Control>,
}

#[derive(Default)]
struct Control {
    /// Of the connections to come: after so many bytes to the server, and to the client, each ends.
    cuts: RefCell<Vec<(usize, usize)>>,
    /// Nothing is passed on to the server, or to the client.
    holds: Cell<(bool, bool)>,
    /// Connections of an earlier number are to end.
    generation: Cell<u64>,
    accepted: Cell<usize>,
}

impl Proxy {
    pub(crate) fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let control = Rc::new(Control::default());
        let proxy = Self { address, control: Rc::clone(&control) };
        glommio::spawn_local(async move {
            loop {
                let client = listener.accept().await.unwrap();
                control.accepted.set(control.accepted.get() + 1);
                let (target, control) = (target.clone(), Rc::clone(&control));
                glommio::spawn_local(async move { pass_on(client, &target, &control).await }).detach();
            }
        })
        .detach();
        proxy
    }

    /// Has the next connection end after so many bytes to the server, or to the client.
    pub(crate) fn cut_next(&self, to_server: usize, to_client: usize) {
        self.control.cuts.borrow_mut().insert(0, (to_server, to_client));
    }

    /// Holds back what goes to the server, and to the client.
    pub(crate) fn hold(&self, to_server: bool, to_client: bool) {
        self.control.holds.set((to_server, to_client));
    }

    /// Ends all connections.
    pub(crate) fn cut_all(&self) {
        self.control.generation.set(self.control.generation.get() + 1);
    }

    /// How many connections there were.
    pub(crate) fn accepted(&self) -> usize {
        self.control.accepted.get()
    }
}

async fn pass_on(client: TcpStream, target: &str, control: &Control) {
    let (to_server, to_client) = control.cuts.borrow_mut().pop().unwrap_or((usize::MAX, usize::MAX));
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (from_client, client) = io::split(client);
    let (from_server, server) = io::split(server);
    let generation = control.generation.get();
    let cut = async {
        while control.generation.get() == generation {
            sleep(Duration::from_millis(1)).await;
        }
    };
    let up = copy(from_client, server, (to_server, || control.holds.get().0));
    let down = copy(from_server, client, (to_client, || control.holds.get().1));
    future::or(cut, future::or(up, down)).await;
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    (mut bytes_left, is_held): (usize, impl Fn() -> bool),
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        while is_held() {
            sleep(Duration::from_millis(1)).await;
        }
        let passed = count.min(bytes_left);
        if to.write_all(&buffer[..passed]).await.is_err() || passed < count {
            return;
        }
        bytes_left -= passed;
        if bytes_left == 0 {
            return;
        }
    }
}
