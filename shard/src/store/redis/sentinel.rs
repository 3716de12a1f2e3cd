//! Who is master now, by the word of a Sentinel.

use redis::Value;
use shard_core::redis::{Failure, FailureKind, ServerAddress};

use super::{
    RedisConfig, SentinelConfig,
    connection::{Credentials, ask_once},
};

/// Asks one Sentinel after the other for the address of the master.
pub(super) async fn find_master(config: &RedisConfig, sentinels: &SentinelConfig) -> Result<ServerAddress, Failure> {
    let mut command = redis::cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(&sentinels.master);
    let credentials = Credentials { username: None, password: sentinels.password.as_ref() };
    let mut last = Failure::new(FailureKind::Unreachable, "no Sentinel is named");
    for sentinel in &sentinels.addresses {
        match ask_once(config, sentinel, credentials, &command).await {
            Ok(Value::Nil) => {
                let detail = format!("the Sentinel {sentinel} knows no master {:?}", sentinels.master);
                last = Failure::new(FailureKind::Unreachable, detail);
            }
            Ok(answer) => match redis::from_redis_value::<(String, u16)>(answer) {
                Ok((host, port)) => return Ok(ServerAddress { host, port }),
                Err(error) => last = Failure::new(FailureKind::Protocol, format!("the Sentinel {sentinel}: {error}")),
            },
            Err(failure) => last = Failure::new(failure.kind(), format!("the Sentinel {sentinel}: {failure}")),
        }
    }
    Err(last)
}
