//! Connections to push endpoints: the host is resolved once, all its addresses are judged, and one of them is used.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;
use futures_rustls::{TlsConnector, pki_types::ServerName};
use gateway::push::{PushHost, PushPolicy, PushTarget};
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};

use super::failure::SendError;
use crate::limits;

/// A connection that takes requests.
pub(super) type Connection = SendRequest<Full<Bytes>>;

/// Addresses of a name, on their way.
type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;
/// Asks for the addresses of a name.
pub(super) type Resolve = Box<dyn Fn(String) -> Resolving + Send + Sync>;

/// Makes connections.
pub(super) struct Connector {
    policy: PushPolicy,
    /// Where this node listens: nobody may make it talk to itself.
    own: Vec<SocketAddr>,
    tls: TlsConnector,
    resolve: Resolve,
    /// Names that are being resolved, each on a thread of its own.
    lookups: Arc<Semaphore>,
}

/// One subscription's turn to have a name resolved: one that never comes back must not take up the turns of others.
#[derive(Clone, Debug)]
pub(super) struct LookupTurn(Arc<Semaphore>);

impl Connector {
    pub(super) fn new(policy: PushPolicy, own: Vec<SocketAddr>, tls: TlsConnector) -> Self {
        Self {
            policy,
            own,
            tls,
            resolve: Box::new(by_the_system),
            lookups: Arc::new(Semaphore::new(limits::PUSH_LOOKUPS_MAX)),
        }
    }

    /// Where requests may go.
    pub(super) const fn policy(&self) -> PushPolicy {
        self.policy
    }

    /// A new connection. It goes to an address that was judged, and to no other that the name may have a moment later.
    pub(super) async fn connect(&self, target: &PushTarget, turn: &LookupTurn) -> Result<Connection, SendError> {
        let addresses = match &target.host {
            PushHost::Address(address) => vec![*address],
            PushHost::Name(name) => self.addresses(name, turn).await?,
        };
        // One that is not allowed spoils them all: whoever mixes them is up to something.
        if !addresses.iter().all(|address| self.allows(*address, target.port)) {
            return Err(SendError::AddressDenied);
        }
        let stream = self.open(&addresses, target.port).await?;
        if !target.tls {
            return handshake(stream).await;
        }
        let name = match &target.host {
            PushHost::Address(address) => ServerName::from(*address),
            PushHost::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|error| SendError::Tls(error.to_string()))?
            }
        };
        let stream =
            self.tls.connect(name, stream.compat()).await.map_err(|error| SendError::Tls(error.to_string()))?;
        handshake(stream.compat()).await
    }

    async fn addresses(&self, name: &str, turn: &LookupTurn) -> Result<Vec<IpAddr>, SendError> {
        let turns = (Arc::clone(&turn.0).acquire_owned().await, Arc::clone(&self.lookups).acquire_owned().await);
        let resolving = (self.resolve)(name.to_owned());
        // The system's resolver can't be told to stop: who gives up waiting must not begin another one meanwhile.
        let resolved = tokio::spawn(async move {
            let addresses = resolving.await;
            drop(turns);
            addresses
        });
        let addresses = resolved.await.map_err(|error| SendError::Resolve(error.to_string()))?;
        let addresses = addresses.map_err(|error| SendError::Resolve(error.to_string()))?;
        if addresses.is_empty() {
            return Err(SendError::Resolve("it has no address".to_owned()));
        }
        Ok(addresses)
    }

    fn allows(&self, address: IpAddr, port: u16) -> bool {
        self.policy.allows(address) && !self.is_own(address.to_canonical(), port)
    }

    fn is_own(&self, address: IpAddr, port: u16) -> bool {
        self.own
            .iter()
            .any(|own| own.port() == port && (address.is_loopback() || address.is_unspecified() || own.ip() == address))
    }

    async fn open(&self, addresses: &[IpAddr], port: u16) -> Result<TcpStream, SendError> {
        let mut failed = SendError::Connect("there is no address".to_owned());
        for address in addresses.iter().take(limits::PUSH_ADDRESSES_MAX) {
            match timeout(limits::PUSH_CONNECT_TIMEOUT, TcpStream::connect((*address, port))).await {
                Ok(Ok(stream)) if self.leads_home(&stream, port) => return Err(SendError::AddressDenied),
                Ok(Ok(stream)) => {
                    let ready = stream.set_nodelay(true).map(|()| stream);
                    return ready.map_err(|error| SendError::Connect(error.to_string()));
                }
                Ok(Err(error)) => failed = SendError::Connect(error.to_string()),
                Err(_) => failed = SendError::Connect("it did not stand in time".to_owned()),
            }
        }
        Err(failed)
    }

    /// Whether a connection has come out at this node, by whichever of the machine's addresses. Nothing was sent yet.
    fn leads_home(&self, stream: &TcpStream, port: u16) -> bool {
        let is_own_port = self.own.iter().any(|own| own.port() == port);
        let ends = stream.local_addr().and_then(|local| Ok((local.ip(), stream.peer_addr()?.ip())));
        is_own_port && ends.map_or(true, |(local, peer)| local == peer)
    }
}

impl LookupTurn {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

fn by_the_system(name: String) -> Resolving {
    Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
}

/// Begins HTTP on a stream; the connection lives until it is dropped or the endpoint closes it.
async fn handshake<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Result<Connection, SendError> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(limits::PUSH_ANSWER_HEAD_BYTES_MAX);
    let (requests, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| SendError::Connection(error.to_string()))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::trace!(%error, "a connection to a push endpoint has ended");
        }
    });
    Ok(requests)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use tokio::net::TcpListener;

    use super::*;

    const LAX: PushPolicy = PushPolicy { allow_http: true, allow_private_networks: true };
    const STRICT: PushPolicy = PushPolicy { allow_http: true, allow_private_networks: false };

    fn connector(policy: PushPolicy, own: Vec<SocketAddr>) -> Connector {
        Connector::new(policy, own, super::super::trust::connector("push.ca_file", None, super::super::HTTP1).unwrap())
    }

    /// A connector whose names have these addresses, one set after the other, and how often it was asked.
    fn resolving(policy: PushPolicy, answers: &[&[&str]]) -> (Connector, Arc<AtomicUsize>) {
        let answers: Vec<Vec<IpAddr>> =
            answers.iter().map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect()).collect();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let resolve: Resolve = Box::new(move |_| {
            let answer = answers[counter.fetch_add(1, Ordering::Relaxed)].clone();
            Box::pin(async move { Ok(answer) })
        });
        (Connector { resolve, ..connector(policy, Vec::new()) }, asked)
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    async fn connect(connector: &Connector, url: &str) -> Result<Connection, SendError> {
        connector.connect(&PushTarget::parse(url, LAX).unwrap(), &LookupTurn::new()).await
    }

    /// F72: a name that leads to an address that is not public, alone or among others, is not connected to.
    #[test]
    fn a_name_with_an_address_that_is_not_public_is_not_connected_to() {
        let answers: &[&[&str]] = &[
            &["127.0.0.1"],
            &["10.0.0.1"],
            &["169.254.169.254"],
            &["fd00:ec2::254"],
            &["::1"],
            &["::ffff:127.0.0.1"],
            &["93.184.215.14", "127.0.0.1"],
            &["0.0.0.0"],
        ];
        let (connector, asked) = resolving(STRICT, answers);
        run(async {
            for answer in answers {
                let refused = connect(&connector, "http://rebinding.example/").await.err();
                assert_eq!(refused, Some(SendError::AddressDenied), "{answer:?}");
            }
        });
        assert_eq!(asked.load(Ordering::Relaxed), answers.len());
    }

    /// F72: a name that changes its mind is asked once for each connection, and the answer that was judged is used.
    #[test]
    fn a_name_that_changes_its_mind_is_judged_by_the_answer_that_is_used() {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://rebinding.example:{}/", listener.local_addr().unwrap().port());
            // Were it asked a second time for one connection, it would be sent somewhere else.
            let (connector, asked) = resolving(LAX, &[&["127.0.0.1"], &["0.0.0.0"]]);
            assert!(connect(&connector, &url).await.is_ok());
            assert_eq!(asked.load(Ordering::Relaxed), 1);
            assert_eq!(connect(&connector, &url).await.err(), Some(SendError::AddressDenied));
            assert_eq!(asked.load(Ordering::Relaxed), 2);
        });
    }

    /// F72: the node's own ports are refused, whatever else is allowed and by whichever address.
    #[test]
    fn the_nodes_own_ports_are_refused_by_whichever_address() {
        run(async {
            let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let connector = connector(LAX, vec![SocketAddr::from(([0, 0, 0, 0], port))]);
            let mut hosts = vec!["127.0.0.1".to_owned(), "127.9.9.9".to_owned(), "[::ffff:127.0.0.1]".to_owned()];
            // The address by which others reach this machine, where it has one.
            let outside = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
            if outside.connect("192.0.2.1:9").is_ok() {
                hosts.push(outside.local_addr().unwrap().ip().to_string());
            }
            for host in hosts {
                let refused = connect(&connector, &format!("http://{host}:{port}/")).await.err();
                assert_eq!(refused, Some(SendError::AddressDenied), "{host}");
            }
        });
    }

    #[test]
    fn a_port_where_nobody_listens_is_no_connection() {
        run(async {
            let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
            let refused = connect(&connector(LAX, Vec::new()), &format!("http://{free}/")).await.err();
            assert!(matches!(refused, Some(SendError::Connect(_))), "{refused:?}");
        });
    }

    #[test]
    fn a_name_that_never_resolves_is_asked_for_once_at_a_time() {
        run(async {
            let asked = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&asked);
            let resolve: Resolve = Box::new(move |_| {
                counter.fetch_add(1, Ordering::Relaxed);
                Box::pin(std::future::pending())
            });
            let connector = Connector { resolve, ..connector(LAX, Vec::new()) };
            let (turn, target) = (LookupTurn::new(), PushTarget::parse("http://slow.example/", LAX).unwrap());
            for _ in 0..3 {
                let given_up = timeout(Duration::from_millis(1), connector.connect(&target, &turn)).await;
                assert!(given_up.is_err());
            }
            assert_eq!(asked.load(Ordering::Relaxed), 1);
            let others = timeout(Duration::from_millis(1), connector.connect(&target, &LookupTurn::new())).await;
            assert!(others.is_err());
            assert_eq!(asked.load(Ordering::Relaxed), 2, "another subscription has its own turn");
        });
    }
}
