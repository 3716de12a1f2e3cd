//! Rules over more than one setting.

use shard_core::redis::ServerAddress;

use super::{Auth, Config, Store};
use crate::telemetry;

/// Says which rule a configuration breaks, if any.
pub(super) fn check(config: &Config) -> Result<(), String> {
    let metrics = config.metrics.host;
    if config.metrics.enabled && config.auth == Auth::Loopback && !metrics.is_loopback() {
        return Err(format!(
            "metrics.host is {metrics}, which others can reach, and metrics have no keys: listen on 127.0.0.1, or set \
             `auth: required` (PUBSUB_AUTH=required) or `auth: none` to say that you know who reaches it"
        ));
    }
    let (port, metrics_port) = (config.server.port, config.metrics.port);
    if config.metrics.enabled && port != 0 && port == metrics_port && config.server.host == config.metrics.host {
        return Err(format!("server.port and metrics.port are both {port}: choose different ones"));
    }
    if config.storage.data_dir.as_os_str().is_empty() {
        return Err("storage.data_dir: expected a path, found nothing".to_owned());
    }
    if config.store == Store::Redis && config.redis.host.is_empty() {
        return Err("redis.host: expected a name or an address, found nothing".to_owned());
    }
    if config.redis.cluster && !config.redis.sentinels.is_empty() {
        return Err("redis.cluster and redis.sentinels: a Redis Cluster has no Sentinels; set one of them".to_owned());
    }
    if let Some(wrong) = config.redis.sentinels.iter().find(|address| ServerAddress::parse(address).is_none()) {
        return Err(format!("redis.sentinels: expected HOST:PORT, found `{wrong}`"));
    }
    config.cluster.check()?;
    config.tls.check()?;
    config.jwt.check()?;
    config.tracing.check()?;
    check_keys_are_hidden(config)?;
    telemetry::filter(&config.log.level).map(drop).map_err(|error| format!("log.level: {error}"))
}

/// Keys don't cross the network in the clear unless that was chosen.
fn check_keys_are_hidden(config: &Config) -> Result<(), String> {
    let (server, host) = (&config.server, config.server.host);
    if config.auth == Auth::None || host.is_loopback() || config.tls.is_on() || server.insecure {
        return Ok(());
    }
    Err(format!(
        "server.host is {host}, which others can reach, and there is no TLS: keys would cross the network in the clear. \
         Set tls.cert_file and tls.key_file, or server.insecure: true (--insecure) where something in front of the node \
         ends TLS"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServerConfig;

    #[test]
    fn a_log_filter_that_means_nothing_is_refused() {
        let mut config = Config::default();
        config.log.level = "info,gateway=loud".to_owned();
        assert!(check(&config).unwrap_err().starts_with("log.level: "));
    }

    #[test]
    fn an_address_that_others_reach_asks_for_keys() {
        let mut config = Config::default();
        assert!(!config.asks_for_keys());
        config.server.insecure = true;
        config.server.host = [0, 0, 0, 0].into();
        assert_eq!((check(&config), config.asks_for_keys()), (Ok(()), true));
        config.auth = Auth::None;
        assert_eq!((check(&config), config.asks_for_keys()), (Ok(()), false));
        let config = Config { auth: Auth::Required, ..Config::default() };
        assert!(config.asks_for_keys());
    }

    #[test]
    fn keys_need_tls_or_an_explicit_choice() {
        let mut config = Config::default();
        config.server.host = [0, 0, 0, 0].into();
        assert!(check_keys_are_hidden(&config).unwrap_err().contains("--insecure"));
        let insecure = Config { server: ServerConfig { insecure: true, ..config.server.clone() }, ..config.clone() };
        assert_eq!(check_keys_are_hidden(&insecure), Ok(()));
        config.tls.cert_file = "tls.crt".into();
        assert_eq!(check_keys_are_hidden(&config), Ok(()));
        config.tls.cert_file = "".into();
        config.auth = Auth::None;
        assert_eq!(check_keys_are_hidden(&config), Ok(()), "there are no keys");
    }

    #[test]
    fn metrics_that_are_off_need_no_loopback_address() {
        let mut config = Config::default();
        config.metrics.host = [10, 0, 0, 1].into();
        assert!(check(&config).unwrap_err().contains("metrics.host"));
        config.metrics.enabled = false;
        assert_eq!(check(&config), Ok(()));
    }

    #[test]
    fn a_redis_is_one_master_or_watched_or_a_cluster() {
        let mut config = Config { store: Store::Redis, ..Config::default() };
        config.redis.sentinels = vec!["a:26379".to_owned(), "b".to_owned()];
        assert!(check(&config).unwrap_err().contains("`b`"));
        config.redis.sentinels.pop();
        assert_eq!(check(&config), Ok(()));
        config.redis.cluster = true;
        assert!(check(&config).unwrap_err().contains("set one of them"));
        config.redis.sentinels.clear();
        config.redis.host.clear();
        assert!(check(&config).unwrap_err().contains("redis.host"));
    }

    #[test]
    fn one_port_for_both_is_refused() {
        let mut config = Config::default();
        config.metrics.port = config.server.port;
        assert!(check(&config).is_err());
        config.server.port = 0;
        config.metrics.port = 0;
        assert_eq!(check(&config), Ok(()));
    }
}
