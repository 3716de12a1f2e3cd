//! Settings of this node among others.

use super::{
    super::value::{SettingValue, assign, assign_within},
    Setting,
};

/// In the order in which they are printed.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "cluster.node_id",
        purpose: "the number of this node; never give it to another one",
        set: |config, raw| assign_within(&mut config.cluster.node_id, raw, 1..=u64::MAX),
        get: |config| config.cluster.node_id.show(),
    },
    Setting {
        key: "cluster.listen",
        purpose: "where to listen for other nodes, as ADDRESS:PORT; empty for a node that is a cluster by itself",
        set: |config, raw| assign(&mut config.cluster.listen, raw),
        get: |config| config.cluster.listen.show(),
    },
    Setting {
        key: "cluster.advertise",
        purpose: "where other nodes reach this one, as HOST:PORT; `cluster.listen` if empty",
        set: |config, raw| assign(&mut config.cluster.advertise, raw),
        get: |config| config.cluster.advertise.show(),
    },
    Setting {
        key: "cluster.advertise_http",
        purpose: "where clients reach this node, as HOST:PORT, for `pubsub-cli cluster nodes`; the data port's address if empty",
        set: |config, raw| assign(&mut config.cluster.advertise_http, raw),
        get: |config| config.cluster.advertise_http.show(),
    },
    Setting {
        key: "cluster.seeds",
        purpose: "where nodes are that may know the cluster, as HOST:PORT; the same list on every node",
        set: |config, raw| assign(&mut config.cluster.seeds, raw),
        get: |config| config.cluster.seeds.show(),
    },
    Setting {
        key: "cluster.init",
        purpose: "whether to found the cluster if no seed knows one; the same as `--cluster-init`, for the first node alone",
        set: |config, raw| assign(&mut config.cluster.init, raw),
        get: |config| config.cluster.init.show(),
    },
    Setting {
        key: "cluster.secret",
        purpose: "what nodes prove to each other that they know; where `cluster.listen` is no loopback address, this or `cluster.tls` is needed; shown nowhere",
        set: |config, raw| assign(&mut config.cluster.secret, raw),
        get: |config| config.cluster.secret.show(),
    },
    Setting {
        key: "cluster.tls.cert_file",
        purpose: "a PEM file with the certificate that this node shows others, and those of its issuers; empty: no TLS between nodes, see [a cluster](cluster.md#tls-between-nodes)",
        set: |config, raw| assign(&mut config.cluster.tls.cert_file, raw),
        get: |config| config.cluster.tls.cert_file.show(),
    },
    Setting {
        key: "cluster.tls.key_file",
        purpose: "a PEM file with its key",
        set: |config, raw| assign(&mut config.cluster.tls.key_file, raw),
        get: |config| config.cluster.tls.key_file.show(),
    },
    Setting {
        key: "cluster.tls.ca_file",
        purpose: "a PEM file with the issuers of all nodes' certificates, who issue none to anybody else",
        set: |config, raw| assign(&mut config.cluster.tls.ca_file, raw),
        get: |config| config.cluster.tls.ca_file.show(),
    },
    Setting {
        key: "cluster.rack",
        purpose: "what this node shares with some nodes and not with others, as a power supply: partitions are spread over racks",
        set: |config, raw| assign(&mut config.cluster.rack, raw),
        get: |config| config.cluster.rack.show(),
    },
    Setting {
        key: "cluster.catch_up_rate",
        purpose: "how many bytes a second this node sends replicas that are not in sync, all together, so that publishers keep the \
                  rest of its disk and network; 0: as many as it can",
        set: |config, raw| assign_within(&mut config.cluster.catch_up_rate, raw, 0..=1 << 40),
        get: |config| config.cluster.catch_up_rate.show(),
    },
];
