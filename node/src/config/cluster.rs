//! The section `cluster`: this node among others.

use std::{net::SocketAddr, num::NonZeroU64};

use shard_core::redis::ServerAddress;

use super::{LinkTlsSection, Secret};

/// This node's place in its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSection {
    /// The number of this node; never given to another one.
    pub node_id: u64,
    /// Where to listen for other nodes; empty for a node that is a cluster by itself.
    pub listen: String,
    /// Where other nodes reach this one; what it listens on if empty.
    pub advertise: String,
    /// Where clients reach this node's data port; what it listens on if empty.
    pub advertise_http: String,
    /// Where nodes are that may know the cluster; the same on every node.
    pub seeds: Vec<String>,
    /// Whether to found the cluster if no seed knows one.
    pub init: bool,
    /// What nodes prove to each other; empty for none.
    pub secret: Secret,
    /// What nodes show each other, if they speak TLS.
    pub tls: LinkTlsSection,
    /// What this node shares with some of the others, as a power supply.
    pub rack: String,
    /// How many bytes a second the node sends replicas that are not in sync; 0 for as many as it can.
    pub catch_up_rate: u64,
}

impl Default for ClusterSection {
    fn default() -> Self {
        Self {
            node_id: 1,
            listen: String::new(),
            advertise: String::new(),
            advertise_http: String::new(),
            seeds: Vec::new(),
            init: false,
            secret: Secret::default(),
            tls: LinkTlsSection::default(),
            rack: String::new(),
            catch_up_rate: 64 << 20,
        }
    }
}

impl ClusterSection {
    /// Where to listen for other nodes, if anywhere.
    #[must_use]
    pub fn listen_address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    /// The rack, if there is one.
    #[must_use]
    pub fn rack(&self) -> Option<String> {
        (!self.rack.is_empty()).then(|| self.rack.clone())
    }

    /// How many bytes a second each of so many cores sends replicas that are not in sync; none for as many as it can.
    #[must_use]
    pub fn catch_up_rate_of_core(&self, cores: usize) -> Option<NonZeroU64> {
        let cores = NonZeroU64::new(u64::try_from(cores).unwrap_or(u64::MAX))?;
        NonZeroU64::new(self.catch_up_rate).map(|rate| NonZeroU64::new(rate.get() / cores).unwrap_or(NonZeroU64::MIN))
    }

    /// Says which rule the section breaks, if any.
    pub(super) fn check(&self) -> Result<(), String> {
        self.tls.check()?;
        if self.listen.is_empty() {
            return if self.seeds.is_empty() && !self.init && !self.tls.is_on() {
                Ok(())
            } else {
                Err("cluster.listen: a node with seeds, with cluster.tls, or with --cluster-init, needs an address for other \
                     nodes, such as 0.0.0.0:7081"
                    .to_owned())
            };
        }
        let Some(listen) = self.listen_address() else {
            return Err(format!("cluster.listen: expected ADDRESS:PORT, found `{}`", self.listen));
        };
        let named = self.seeds.iter().chain([&self.advertise, &self.advertise_http]).filter(|name| !name.is_empty());
        if let Some(wrong) = named.into_iter().find(|name| ServerAddress::parse(name).is_none()) {
            return Err(format!("cluster.seeds and cluster.advertise: expected HOST:PORT, found `{wrong}`"));
        }
        if self.secret.reveal().is_none() && !self.tls.is_on() && !listen.ip().is_loopback() {
            return Err(format!(
                "cluster.listen is {listen}, which others can reach: set cluster.secret (PUBSUB_CLUSTER_SECRET) to the same \
                 secret on every node, or give every node a certificate (cluster.tls.cert_file, key_file and ca_file), so \
                 that nobody else is taken for one"
            ));
        }
        if listen.ip().is_unspecified() && self.advertise.is_empty() {
            return Err(
                "cluster.advertise: a node that listens on every address has to say by which the others reach it, \
                        as HOST:PORT"
                    .to_owned(),
            );
        }
        if self.seeds.is_empty() && !self.init {
            return Err(
                "cluster.seeds: expected where other nodes are, as HOST:PORT, or --cluster-init on the first node"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(listen: &str) -> ClusterSection {
        ClusterSection { listen: listen.to_owned(), seeds: vec!["a:7081".to_owned()], ..ClusterSection::default() }
    }

    #[test]
    fn a_node_by_itself_needs_nothing() {
        assert_eq!(ClusterSection::default().check(), Ok(()));
        assert_eq!(section("127.0.0.1:7081").check(), Ok(()));
    }

    #[test]
    fn a_node_among_others_listens_for_them() {
        assert!(section("").check().unwrap_err().starts_with("cluster.listen: "));
        assert!(section("somewhere").check().unwrap_err().contains("`somewhere`"));
        let founder = ClusterSection { init: true, ..ClusterSection::default() };
        assert!(founder.check().unwrap_err().starts_with("cluster.listen: "));
    }

    #[test]
    fn what_others_can_reach_asks_for_a_secret_or_certificates() {
        let open = section("192.0.2.1:7081").check().unwrap_err();
        assert!(open.contains("cluster.secret") && open.contains("cluster.tls"), "{open}");
        let secret = Secret::new("between us".to_owned());
        assert_eq!(ClusterSection { secret: secret.clone(), ..section("192.0.2.1:7081") }.check(), Ok(()));
        let tls = LinkTlsSection { cert_file: "a".into(), key_file: "b".into(), ca_file: "c".into() };
        assert_eq!(ClusterSection { tls: tls.clone(), ..section("192.0.2.1:7081") }.check(), Ok(()));
        assert_eq!(ClusterSection { tls: tls.clone(), secret, ..section("192.0.2.1:7081") }.check(), Ok(()));
        let half = LinkTlsSection { ca_file: "".into(), ..tls.clone() };
        assert!(ClusterSection { tls: half, ..section("127.0.0.1:7081") }.check().unwrap_err().contains("ca_file"));
        let alone = ClusterSection { tls, ..ClusterSection::default() };
        assert!(alone.check().unwrap_err().starts_with("cluster.listen: "));
    }

    #[test]
    fn every_address_is_no_address_to_be_reached_by() {
        let secret = Secret::new("between us".to_owned());
        let everywhere = ClusterSection { secret, ..section("0.0.0.0:7081") };
        assert!(everywhere.check().unwrap_err().starts_with("cluster.advertise: "));
        let named = ClusterSection { advertise: "pubsub-0.pubsub:7081".to_owned(), ..everywhere };
        assert_eq!(named.check(), Ok(()));
    }

    #[test]
    fn a_node_without_seeds_has_to_found_the_cluster() {
        let lonely = ClusterSection { seeds: Vec::new(), ..section("127.0.0.1:7081") };
        assert!(lonely.check().unwrap_err().starts_with("cluster.seeds: "));
        assert_eq!(ClusterSection { init: true, ..lonely }.check(), Ok(()));
    }

    #[test]
    fn a_seed_is_a_host_and_a_port() {
        let wrong = ClusterSection { seeds: vec!["a".to_owned()], ..section("127.0.0.1:7081") };
        assert!(wrong.check().unwrap_err().contains("`a`"));
    }
}
