//! Whether a Redis server can hold messages, and what an answer of it is worth.

use std::collections::BTreeMap;

use super::entry_id::number;

/// The oldest version: the first whose `XTRIM` has `MINID`.
const VERSION_MIN: (u64, u64) = (6, 2);

/// What an acknowledged write has reached in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// On its disk: the append-only file is synced before each answer.
    Fsync,
    /// In its memory, and on its disk at some later time or never.
    Buffered,
}

/// What is known of a server that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its version, as it states it.
    pub version: String,
    /// What its acknowledgements are worth.
    pub persistence: Persistence,
    /// Why they are worth no more, for the log; `None` if they are worth the most.
    pub caveat: Option<String>,
}

/// Why a server can't be used as a store; each message says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ServerUnfit {
    #[error("its INFO lacks {field}; is it Redis? The user needs the permission +info")]
    NotRedis { field: &'static str },
    #[error("Redis {version} is too old: run 6.2 or newer")]
    Version { version: String },
    #[error("it runs as {mode}: {advice}")]
    Mode { mode: String, advice: &'static str },
    #[error("it is a replica of {master}: give the address of the master")]
    Replica { master: String },
    #[error("its maxmemory-policy is {policy}, which drops messages: CONFIG SET maxmemory-policy noeviction")]
    Eviction { policy: String },
    #[error("it is still loading its data: wait until it has started")]
    Loading,
}

/// What a server should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerMode {
    /// A master by itself.
    Standalone,
    /// A master of a Redis Cluster.
    Cluster,
}

impl ServerMode {
    const fn word(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Cluster => "cluster",
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Standalone => "give the address of a single master, or set redis.cluster to true",
            Self::Cluster => "give the address of a server of the Redis Cluster, or set redis.cluster to false",
        }
    }
}

impl ServerFacts {
    /// Judges a server by its answer to `INFO`, and by its settings if the user may read them.
    ///
    /// # Errors
    /// Says why it can't be used, and what to do.
    pub fn judge(
        info: &str,
        settings: Option<&BTreeMap<String, String>>,
        expected: ServerMode,
    ) -> Result<Self, ServerUnfit> {
        let fields: BTreeMap<_, _> = info.lines().filter_map(|line| line.split_once(':')).collect();
        let field = |name: &'static str| fields.get(name).copied().ok_or(ServerUnfit::NotRedis { field: name });
        let version = field("redis_version")?.to_owned();
        if !is_new_enough(&version) {
            return Err(ServerUnfit::Version { version });
        }
        let mode = field("redis_mode")?;
        if mode != expected.word() {
            return Err(ServerUnfit::Mode { mode: mode.to_owned(), advice: expected.advice() });
        }
        if field("loading")? != "0" {
            return Err(ServerUnfit::Loading);
        }
        if field("role")? != "master" {
            let part = |name| fields.get(name).copied().unwrap_or("?");
            let master = format!("{}:{}", part("master_host"), part("master_port"));
            return Err(ServerUnfit::Replica { master });
        }
        let policy = field("maxmemory_policy")?;
        if policy != "noeviction" {
            return Err(ServerUnfit::Eviction { policy: policy.to_owned() });
        }
        let caveat = caveat(fields.get("aof_enabled").copied(), settings);
        let persistence = if caveat.is_none() { Persistence::Fsync } else { Persistence::Buffered };
        Ok(Self { version, persistence, caveat })
    }
}

/// Why an acknowledged write may not be on the disk yet.
fn caveat(aof_enabled: Option<&str>, settings: Option<&BTreeMap<String, String>>) -> Option<String> {
    if aof_enabled != Some("1") {
        return Some("it has no append-only file: set appendonly yes and appendfsync always".to_owned());
    }
    let Some(settings) = settings else {
        return Some("CONFIG GET is forbidden to the user, so appendfsync is not known: grant +config|get".to_owned());
    };
    match settings.get("appendfsync").map(String::as_str) {
        Some("always") => {}
        Some(other) => return Some(format!("appendfsync is {other}: set it to always")),
        None => return Some("CONFIG GET does not tell appendfsync".to_owned()),
    }
    // Redis then skips the sync, also under `always`, while a child process writes a snapshot or rewrites the file.
    if settings.get("no-appendfsync-on-rewrite").map(String::as_str) != Some("no") {
        return Some("no-appendfsync-on-rewrite is not no: then even appendfsync always is not always".to_owned());
    }
    None
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| number(part.as_bytes()));
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= VERSION_MIN,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n# Memory\r\n\
        maxmemory_policy:noeviction\r\n# Persistence\r\nloading:0\r\naof_enabled:1\r\n# Replication\r\nrole:master\r\n";

    fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn persistence(info: &str, settings: Option<&BTreeMap<String, String>>) -> Persistence {
        ServerFacts::judge(info, settings, ServerMode::Standalone).unwrap().persistence
    }

    #[test]
    fn only_always_is_fsync() {
        let always = settings(&[("appendfsync", "always"), ("no-appendfsync-on-rewrite", "no")]);
        let facts = ServerFacts::judge(INFO, Some(&always), ServerMode::Standalone).unwrap();
        assert_eq!((facts.persistence, facts.caveat), (Persistence::Fsync, None));

        let everysec = settings(&[("appendfsync", "everysec"), ("no-appendfsync-on-rewrite", "no")]);
        assert_eq!(persistence(INFO, Some(&everysec)), Persistence::Buffered);
        let no_aof = INFO.replace("aof_enabled:1", "aof_enabled:0");
        assert_eq!(persistence(&no_aof, Some(&always)), Persistence::Buffered);
    }

    #[test]
    fn always_is_not_always_while_a_child_runs_if_so_set() {
        let skipping = settings(&[("appendfsync", "always"), ("no-appendfsync-on-rewrite", "yes")]);
        assert_eq!(persistence(INFO, Some(&skipping)), Persistence::Buffered);
    }

    #[test]
    fn settings_that_can_not_be_read_count_as_buffered() {
        let facts = ServerFacts::judge(INFO, None, ServerMode::Standalone).unwrap();
        assert_eq!(facts.persistence, Persistence::Buffered);
        assert!(facts.caveat.unwrap().contains("+config|get"));
    }

    #[test]
    fn a_server_that_can_not_keep_messages_is_refused_with_what_to_do() {
        let cases = [
            ("redis_version:7.0.15", "redis_version:6.0.16", "run 6.2 or newer"),
            ("redis_version:7.0.15", "redis_version:x", "run 6.2 or newer"),
            ("redis_version", "version", "+info"),
            ("standalone", "cluster", "set redis.cluster to true"),
            ("role:master", "role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379", "a replica of 10.0.0.1:6379"),
            ("noeviction", "allkeys-lru", "CONFIG SET maxmemory-policy noeviction"),
            ("noeviction", "volatile-ttl", "CONFIG SET maxmemory-policy noeviction"),
            ("loading:0", "loading:1", "wait"),
        ];
        for (from, to, advice) in cases {
            let unfit =
                ServerFacts::judge(&INFO.replace(from, to), None, ServerMode::Standalone).unwrap_err().to_string();
            assert!(unfit.contains(advice) && !unfit.contains('\n'), "{to}: {unfit}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for version in ["6.2", "6.2.14", "6.10.0", "7.0.15", "8.0.0", "255.255.255"] {
            assert!(is_new_enough(version), "{version}");
        }
        for version in ["", "6", "5.0.14", "6.1.9", "6.x"] {
            assert!(!is_new_enough(version), "{version}");
        }
    }
}
