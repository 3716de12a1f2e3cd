//! One connection to a single master: made, authenticated, and its server found fit, on the shard's own executor.

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
use shard_core::redis::{Failure, FailureKind, ServerFacts, ServerUnfit};
use tokio_util::compat::FuturesAsyncReadCompatExt as _;

use super::{RedisConfig, error::failure_of, guarded_stream::GuardedStream};
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

/// Makes a connection once, and says what the server is worth.
///
/// # Errors
/// One line that says what is wrong and what to do.
pub async fn check_server(config: &RedisConfig) -> Result<ServerFacts, Failure> {
    connect(config).await.map(|(_, _, facts)| facts)
}

/// Makes a connection, within its deadline.
pub(super) async fn connect(config: &RedisConfig) -> Result<(Connection, Driver, ServerFacts), Failure> {
    let connected = within(config.timeouts.connect, Box::pin(connect_at_leisure(config))).await;
    let late = || {
        let waited = config.timeouts.connect.as_millis();
        Err(Failure::new(
            FailureKind::Unreachable,
            format!("{}:{} did not answer in {waited} ms", config.host, config.port),
        ))
    };
    connected.unwrap_or_else(late)
}

async fn connect_at_leisure(config: &RedisConfig) -> Result<(Connection, Driver, ServerFacts), Failure> {
    let stream = connect_tcp(config).await?;
    let (requests, driver) = match &config.tls {
        None => multiplex(stream).await?,
        Some(tls) => {
            let handshake = tls.connector().connect(tls.server_name(), stream).await;
            multiplex(handshake.map_err(|error| unreachable(config, &format!("TLS: {error}")))?).await?
        }
    };
    let mut connection = Connection { requests };
    let mut driver = driver;
    // The driver moves the bytes of these first requests; nobody else polls it yet. If it ends, they fail by themselves,
    // and know better why.
    let facts = future::or(introduce(&mut connection, config), async {
        driver.as_mut().await;
        future::pending().await
    })
    .await?;
    Ok((connection, driver, facts))
}

async fn connect_tcp(config: &RedisConfig) -> Result<TcpStream, Failure> {
    let mut last = unreachable(config, "the name has no address");
    for address in addresses(config).await?.into_iter().take(ADDRESSES_MAX) {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Small requests must not wait for the answer to those before them.
                stream.set_nodelay(true).map_err(|error| unreachable(config, &error.to_string()))?;
                return Ok(stream);
            }
            Err(error) => last = unreachable(config, &error.to_string()),
        }
    }
    Err(last)
}

/// The addresses of the host; a name is looked up off the shard, since that blocks.
async fn addresses(config: &RedisConfig) -> Result<Vec<SocketAddr>, Failure> {
    if let Ok(address) = config.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, config.port)]);
    }
    let name = (config.host.clone(), config.port);
    let found = off_the_shard(move || name.to_socket_addrs().map(Iterator::collect::<Vec<_>>)).await;
    found.map_err(|error| unreachable(config, &error.to_string()))
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

/// Says who we are, and looks at who the server is.
async fn introduce(connection: &mut Connection, config: &RedisConfig) -> Result<ServerFacts, Failure> {
    if let Some(password) = &config.password {
        let mut command = redis::cmd("AUTH");
        if let Some(user) = &config.username {
            command.arg(user);
        }
        connection.send(command.arg(password.reveal())).await.map_err(password_refused)?;
    }
    if config.database != 0 {
        connection.send(redis::cmd("SELECT").arg(config.database)).await?;
    }
    let info = connection.send(&redis::cmd("INFO")).await?;
    let info: String = redis::from_redis_value(info).map_err(|error| protocol(&error))?;
    ServerFacts::judge(&info, settings(connection).await?.as_ref()).map_err(|unfit| {
        let kind = match unfit {
            ServerUnfit::Loading => FailureKind::Loading,
            ServerUnfit::Replica { .. } => FailureKind::ReadOnly,
            ServerUnfit::NotRedis { .. }
            | ServerUnfit::Version { .. }
            | ServerUnfit::Mode { .. }
            | ServerUnfit::Eviction { .. } => FailureKind::Unfit,
        };
        Failure::new(kind, format!("{}:{}: {unfit}", config.host, config.port))
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

fn unreachable(config: &RedisConfig, reason: &str) -> Failure {
    Failure::new(FailureKind::Unreachable, format!("{}:{}: {reason}", config.host, config.port))
}

fn protocol(error: &redis::ParsingError) -> Failure {
    Failure::new(FailureKind::Protocol, error.to_string())
}
