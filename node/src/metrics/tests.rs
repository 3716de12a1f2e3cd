//! What is told, what it is called, and that the page about it is current.

use std::{collections::BTreeMap, env, fs, path::Path};

use raft::controller::{Health, NodeCounts, ReplicaCounts};

use super::{
    description::{Description, Kind},
    *,
};
use crate::config::JwtSection;

pub(super) fn sources(cores: Vec<CoreMetrics>) -> Sources {
    let metadata = MetadataMetrics {
        term: 3,
        leader: None,
        last_log_index: 7,
        last_applied_index: 6,
        running: true,
        health: Health { under_replicated: 5, offline: 1 },
        nodes: NodeCounts { up: 3, draining: 2, down: 1 },
        replicas: ReplicaCounts { in_sync: 9, out_of_sync: 4 },
    };
    Sources {
        cores,
        shards: Vec::new(),
        metadata: Arc::new(move || Some(metadata)),
        cluster: Arc::new(Arc::default),
        push: <_>::default(),
        security: SecurityStatus::default(),
        traces: <_>::default(),
        data_dir: env::temp_dir(),
        has_redis: false,
        series_max: SeriesMax { topics: 1, subscriptions: 1 },
    }
}

async fn scraped(sources: Sources) -> String {
    Exposition::new(sources).unwrap().page().await.unwrap()
}

/// What a page says of each metric: its type and its help.
fn told(page: &str) -> BTreeMap<String, (String, String)> {
    let mut told: BTreeMap<String, (String, String)> = BTreeMap::new();
    for line in page.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                kind.clone_into(&mut told.entry(name.into()).or_default().0);
            }
            (Some("#"), Some("HELP"), Some(name), Some(help)) => {
                help.clone_into(&mut told.entry(name.into()).or_default().1);
            }
            _ => {}
        }
    }
    told
}

#[tokio::test]
async fn a_node_tells_everything_that_the_page_lists_and_nothing_else() {
    let core = CoreMetrics::default();
    let jwt = JwtSection::default();
    let security = SecurityStatus {
        tls: Some(Arc::new(TlsStatus::new(0))),
        link: None,
        jwt: Some(Arc::new(JwtStatus::new(gateway::auth::jwt::JwtVerifier::new(jwt.rules())))),
    };
    let page = scraped(Sources { has_redis: true, security, ..sources(vec![core]) }).await;
    let told = told(&page);
    let listed = page::catalog();
    let elsewhere: Vec<_> = [topics::MESSAGES, topics::PROGRESS, link_tls::ALL].concat();
    for metric in &listed {
        let expected = (metric.kind.name().to_owned(), metric.help.to_owned());
        // Some have a value only for what there is, and there is no topic and no other node here.
        let is_absent = elsewhere.iter().any(|absent| absent.name == metric.name) && !told.contains_key(metric.name);
        assert!(is_absent || told.get(metric.name) == Some(&expected), "{}: {:?}", metric.name, told.get(metric.name));
    }
    for name in told.keys() {
        assert!(listed.iter().any(|metric| metric.name == name), "{name} is not in the catalog");
    }
    assert_eq!(listed.len(), told.len() + elsewhere.len());
}

#[test]
fn names_and_texts_follow_the_conventions() {
    let listed = page::catalog();
    let wrong: Vec<_> = listed.iter().filter_map(|metric| Some((metric.name, fault(metric)?))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let mut names: Vec<_> = listed.iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), listed.len(), "a name is there twice");
}

#[test]
fn faults_in_names_are_found() {
    let good = Description::counter("pubsub_reads_total", "Reads.", "Often.");
    assert_eq!(fault(&good), None);
    for bad in [
        Description { name: "reads_total", ..good },
        Description { name: "pubsub_Reads_total", ..good },
        Description { name: "pubsub_reads", ..good },
        Description { kind: Kind::Gauge, ..good },
        Description { name: "pubsub_reads", kind: Kind::Histogram, ..good },
        Description { name: "pubsub_read_ms_total", ..good },
        Description { name: "pubsub_seconds_read_total", ..good },
        Description { help: "Bytes of reads.", ..good },
        Description { help: "How long reads take.", ..good },
        Description { help: "Reads", ..good },
        Description { look: "", ..good },
        Description { look: "a | b.", ..good },
    ] {
        assert!(fault(&bad).is_some(), "{bad:?}");
    }
}

/// What is wrong with how a metric is described, by the conventions of Prometheus and of the page.
fn fault(metric: &Description) -> Option<&'static str> {
    let Description { name, kind, help, look, .. } = *metric;
    let has_total = name.ends_with("_total");
    let words: Vec<_> = name.strip_suffix("_total").unwrap_or(name).split('_').collect();
    let (last, before) = words.split_last()?;
    let units = ["seconds", "bytes", "ratio", "info"];
    let small_units =
        ["ms", "us", "ns", "millis", "micros", "milliseconds", "kib", "mib", "kb", "mb", "percent", "minutes"];
    // The name that dashboards were promised, though it is a gauge.
    let is_promised = name == "pubsub_active_connections_total";
    let is_of_time = ["How long", "For how long", "From ", "Time in", "CPU time", "When "]
        .iter()
        .any(|start| help.starts_with(start));
    let faults = [
        (!(name.starts_with("pubsub_") || name.starts_with("process_")), "it has no prefix"),
        (
            !name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_'),
            "its letters",
        ),
        (kind == Kind::Counter && !has_total, "a counter ends in _total"),
        (kind != Kind::Counter && has_total && !is_promised, "only a counter ends in _total"),
        (kind == Kind::Histogram && metric.unit() == "count", "a histogram has a unit"),
        (words.iter().any(|word| small_units.contains(word)), "units are seconds, bytes and ratios"),
        (before.iter().any(|word| units.contains(word)), "the unit is last"),
        ((help.starts_with("Bytes") || help.starts_with("Memory")) && *last != "bytes", "bytes are called bytes"),
        (is_of_time && *last != "seconds", "times are in seconds"),
        (help.starts_with("Share") && *last != "ratio", "shares are ratios"),
        (!help.ends_with('.') || !look.ends_with(['.', '?']), "a text is a sentence"),
        (help.contains(['|', '\n']) || look.contains(['|', '\n']), "a text fits in a table"),
    ];
    faults.into_iter().find_map(|(is_wrong, what)| is_wrong.then_some(what))
}

/// With `PUBSUB_GOLDEN=write` a missing page is written.
#[test]
fn the_page_about_metrics_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let page = documentation();
    if env::var("PUBSUB_GOLDEN").is_ok_and(|mode| mode == "write") && !path.exists() {
        fs::write(&path, &page).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "docs/metrics.md is not current: delete it, and run this with PUBSUB_GOLDEN=write");
}

#[test]
fn the_page_about_clusters_has_every_metric_of_them() {
    let documented = include_str!("../../../docs/cluster.md");
    let prefixes = ["pubsub_raft_", "pubsub_peer_", "pubsub_cluster_"];
    let of_clusters = |metric: &Description| prefixes.iter().any(|prefix| metric.name.starts_with(prefix));
    let listed: Vec<_> = page::catalog().into_iter().filter(of_clusters).collect();
    assert!(listed.len() > 10);
    for Description { name, .. } in listed {
        assert!(documented.contains(&format!("`{name}`")), "docs/cluster.md should say what {name} is");
    }
}

#[tokio::test]
async fn the_names_that_others_rely_on_exist() {
    let page = scraped(sources(vec![CoreMetrics::default()])).await;
    let promised = [
        "pubsub_messages_published_total",
        "pubsub_messages_consumed_total",
        "pubsub_message_latency_seconds_bucket",
        "pubsub_active_connections_total",
        "pubsub_errors_total",
        "pubsub_shard_messages_appended_total",
        "pubsub_push_requests_total",
        "pubsub_build_info",
        "process_resident_memory_bytes",
    ];
    for name in promised {
        assert!(page.lines().any(|line| line.starts_with(name)), "{name} is missing in\n{page}");
    }
    let listed = page::catalog();
    for name in ["pubsub_topic_messages_total", "pubsub_consumer_lag_messages", "pubsub_leases"] {
        assert!(listed.iter().any(|metric| metric.name == name), "{name}");
    }
}

#[tokio::test]
async fn counters_of_cores_are_summed_and_those_of_shards_told_apart() {
    let cores = vec![CoreMetrics::default(), CoreMetrics::default()];
    for (core, count) in cores.iter().zip([2, 3]) {
        core.gateway.messages_published.add(count);
        core.shard.messages_appended.add(count);
        core.shard.busy_millionths.set(count * 250_000);
    }
    let page = scraped(sources(cores)).await;
    let has = |line: &str| assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
    has("pubsub_messages_published_total 5");
    has("pubsub_shard_messages_appended_total{shard=\"0\"} 2");
    has("pubsub_shard_messages_appended_total{shard=\"1\"} 3");
    has("pubsub_shard_busy_ratio{shard=\"0\"} 0.5");
    has("pubsub_raft_term 3");
    has("pubsub_cluster_partitions_under_replicated 5");
    has("pubsub_cluster_partitions_offline 1");
    has("pubsub_cluster_nodes{state=\"draining\"} 2");
    has("pubsub_cluster_nodes{state=\"down\"} 1");
    has("pubsub_cluster_replicas{state=\"out_of_sync\"} 4");
}

#[tokio::test]
async fn a_node_without_redis_does_not_say_how_it_gets_on_with_it() {
    let page = scraped(sources(vec![CoreMetrics::default()])).await;
    assert!(!page.contains("pubsub_redis"), "{page}");
}
