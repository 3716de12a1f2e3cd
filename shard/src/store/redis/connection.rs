//! One connection to one server: made, authenticated, and its server found fit, on the shard's own executor.

use std::{
    collections::BTreeMap,
    future::Future,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    pin::Pin,
    time::Duration,
};

use futures_lite::{
    future,
    io::{AsyncRead, AsyncWrite},
};
use glommio::{net::TcpStream, timer::Timer};
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, Value, aio::MultiplexedConnection};
use shard_core::redis::{Failure, FailureKind, ServerAddress, ServerFacts, ServerMode, ServerUnfit};
use tokio_util::compat::FuturesAsyncReadCompatExt as _;

use super::{
    Password, RedisConfig, Topology, cluster::read_map, error::failure_of, guarded_stream::GuardedStream,
    sentinel::find_master,
};
use crate::blocking::off_the_shard;

/// The most addresses of a name that are tried for one connection.
const ADDRESSES_MAX: usize = 4;
/// How many requests may wait for their turn to be written.
const WRITE_QUEUE_MAX: usize = 256;

/// The bytes that are collected for one write: requests that wait together go out together.
const WRITE_BYTES: usize = 1 << 20;

/// Reads and writes a connection; it has ended when this has, and ends when this is dropped.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()>>>;

/// Requests over one connection, answered in the order in which they are sent.
#[derive(Clone)]
pub(super) struct Connection {
    requests: MultiplexedConnection,
}

impl Connection {
    /// Sends one command and gives its answer; an error reply is a failure.
    pub(super) async fn send(&mut self, command: &Cmd) -> Result<Value, Failure> {
        let value = self.requests.send_packed_command(command).await.and_then(Value::extract_error);
        value.map_err(|error| failure_of(&error))
    }

    /// Sends a transaction and gives the answers of its commands; an error reply among them is a failure.
    pub(super) async fn send_all(&mut self, transaction: &redis::Pipeline) -> Result<Vec<Value>, Failure> {
        let values: Result<Vec<Value>, _> = transaction.query_async(&mut self.requests).await;
        values.map_err(|error| failure_of(&error))
    }
}

/// Gives up on `what` after `duration`.
pub(super) async fn within<T>(duration: Duration, what: impl Future<Output = T>) -> Option<T> {
    future::or(async { Some(what.await) }, async {
        Timer::new(duration).await;
        None
    })
    .await
}

/// Who asks.
#[derive(Clone, Copy)]
pub(super) struct Credentials<'a> {
    pub(super) username: Option<&'a str>,
    pub(super) password: Option<&'a Password>,
}

/// Makes a connection once to each server that there is now, and says what they are worth: what the least of them is.
///
/// # Errors
/// One line that says what is wrong and what to do.
pub async fn check_server(config: &RedisConfig) -> Result<ServerFacts, Failure> {
    let servers = match &config.topology {
        Topology::Single => vec![config.server()],
        Topology::Sentinel(sentinels) => vec![find_master(config, sentinels).await?],
        Topology::Cluster => read_map(config, &[]).await?.servers(),
    };
    let mut least: Option<ServerFacts> = None;
    for server in servers {
        let (_, _, facts) = connect(config, &server).await?;
        if facts.caveat.is_some() || least.is_none() {
            least = Some(facts);
        }
    }
    least.ok_or_else(|| Failure::new(FailureKind::ClusterDown, "no server has any slot"))
}

/// Makes a connection, within its deadline.
pub(super) async fn connect(
    config: &RedisConfig,
    server: &ServerAddress,
) -> Result<(Connection, Driver, ServerFacts), Failure> {
    let connected = within(config.timeouts.connect, Box::pin(connect_at_leisure(config, server))).await;
    connected.unwrap_or_else(|| Err(late(config, server)))
}

/// Sends one command over a connection that ends with it, within the deadline of a connection.
pub(super) async fn ask_once(
    config: &RedisConfig,
    server: &ServerAddress,
    credentials: Credentials<'_>,
    command: &Cmd,
) -> Result<Value, Failure> {
    let asked = within(
        config.timeouts.connect,
        Box::pin(async {
            let (mut connection, driver) = dial(config, server).await?;
            while_driven(driver, async {
                authenticate(&mut connection, credentials).await?;
                connection.send(command).await
            })
            .await
            .0
        }),
    );
    asked.await.unwrap_or_else(|| Err(late(config, server)))
}

fn late(config: &RedisConfig, server: &ServerAddress) -> Failure {
    let waited = config.timeouts.connect.as_millis();
    Failure::new(FailureKind::Unreachable, format!("{server} did not answer in {waited} ms"))
}

async fn connect_at_leisure(
    config: &RedisConfig,
    server: &ServerAddress,
) -> Result<(Connection, Driver, ServerFacts), Failure> {
    let (mut connection, driver) = dial(config, server).await?;
    let (facts, driver) = while_driven(driver, introduce(&mut connection, config, server)).await;
    Ok((connection, driver, facts?))
}

/// Makes first requests over a connection whose driver nobody polls yet. If it ends, they fail by themselves, and know
/// better why.
async fn while_driven<T>(mut driver: Driver, requests: impl Future<Output = T>) -> (T, Driver) {
    let answer = future::or(requests, async {
        driver.as_mut().await;
        future::pending().await
    })
    .await;
    (answer, driver)
}

/// Makes a connection over which nothing was said yet.
async fn dial(config: &RedisConfig, server: &ServerAddress) -> Result<(Connection, Driver), Failure> {
    let stream = connect_tcp(server).await?;
    let (requests, driver) = match &config.tls {
        None => multiplex(stream).await?,
        Some(tls) => {
            let handshake = tls.connector().connect(tls.server_name(), stream).await;
            multiplex(handshake.map_err(|error| unreachable(server, &format!("TLS: {error}")))?).await?
        }
    };
    Ok((Connection { requests }, driver))
}

async fn connect_tcp(server: &ServerAddress) -> Result<TcpStream, Failure> {
    let mut last = unreachable(server, "the name has no address");
    for address in addresses(server).await?.into_iter().take(ADDRESSES_MAX) {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Small requests must not wait for the answer to those before them.
                stream.set_nodelay(true).map_err(|error| unreachable(server, &error.to_string()))?;
                return Ok(stream);
            }
            Err(error) => last = unreachable(server, &error.to_string()),
        }
    }
    Err(last)
}

/// The addresses of the host; a name is looked up off the shard, since that blocks.
async fn addresses(server: &ServerAddress) -> Result<Vec<SocketAddr>, Failure> {
    if let Ok(address) = server.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, server.port)]);
    }
    let name = (server.host.clone(), server.port);
    let found = off_the_shard(move || name.to_socket_addrs().map(Iterator::collect::<Vec<_>>)).await;
    found.map_err(|error| unreachable(server, &error.to_string()))
}

async fn multiplex<S>(stream: S) -> Result<(MultiplexedConnection, Driver), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    // The crate's own timeouts need its executors; password and database are sent as requests, for their errors.
    let info = RedisConnectionInfo::default().set_skip_set_lib_name();
    let settings = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_connection_timeout(None)
        .set_pipeline_buffer_size(WRITE_QUEUE_MAX)
        .set_write_backpressure_boundary(WRITE_BYTES);
    let guarded = GuardedStream::new(stream).compat();
    let multiplexed = MultiplexedConnection::new_with_config(&info, guarded, settings).await;
    let (requests, driver) = multiplexed.map_err(|error| failure_of(&error))?;
    Ok((requests, Box::pin(driver)))
}

async fn authenticate(connection: &mut Connection, credentials: Credentials<'_>) -> Result<(), Failure> {
    let Some(password) = credentials.password else { return Ok(()) };
    let mut command = redis::cmd("AUTH");
    if let Some(user) = credentials.username {
        command.arg(user);
    }
    connection.send(command.arg(password.reveal())).await.map(drop).map_err(password_refused)
}

/// Says who we are, and looks at who the server is.
async fn introduce(
    connection: &mut Connection,
    config: &RedisConfig,
    server: &ServerAddress,
) -> Result<ServerFacts, Failure> {
    let credentials = Credentials { username: config.username.as_deref(), password: config.password.as_ref() };
    authenticate(connection, credentials).await?;
    if config.database != 0 {
        connection.send(redis::cmd("SELECT").arg(config.database)).await?;
    }
    let info = connection.send(&redis::cmd("INFO")).await?;
    let info: String = redis::from_redis_value(info).map_err(|error| protocol(&error))?;
    let expected = match &config.topology {
        Topology::Single | Topology::Sentinel(_) => ServerMode::Standalone,
        Topology::Cluster => ServerMode::Cluster,
    };
    ServerFacts::judge(&info, settings(connection).await?.as_ref(), expected).map_err(|unfit| {
        let kind = match unfit {
            ServerUnfit::Loading => FailureKind::Loading,
            ServerUnfit::Replica { .. } => FailureKind::ReadOnly,
            ServerUnfit::NotRedis { .. }
            | ServerUnfit::Version { .. }
            | ServerUnfit::Mode { .. }
            | ServerUnfit::Eviction { .. } => FailureKind::Unfit,
        };
        Failure::new(kind, format!("{server}: {unfit}"))
    })
}

/// The settings that say when the append-only file is synced; `None` if the user may not read them.
async fn settings(connection: &mut Connection) -> Result<Option<BTreeMap<String, String>>, Failure> {
    let mut command = redis::cmd("CONFIG");
    // A pattern, since several names in one command are new in 7.0.
    command.arg("GET").arg("*appendfsync*");
    match connection.send(&command).await {
        Ok(value) => redis::from_redis_value(value).map(Some).map_err(|error| protocol(&error)),
        // Services that rent out Redis rename or remove the command.
        Err(failure) if matches!(failure.kind(), FailureKind::NotPermitted | FailureKind::Other) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// `AUTH` has many ways to say no; `LOADING` and the like are not among them.
fn password_refused(failure: Failure) -> Failure {
    if failure.kind() == FailureKind::Other {
        return Failure::new(FailureKind::WrongPassword, failure.to_string());
    }
    failure
}

fn unreachable(server: &ServerAddress, reason: &str) -> Failure {
    Failure::new(FailureKind::Unreachable, format!("{server}: {reason}"))
}

fn protocol(error: &redis::ParsingError) -> Failure {
    Failure::new(FailureKind::Protocol, error.to_string())
}
