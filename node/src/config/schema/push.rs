//! Settings of what push subscriptions may reach.

use super::{
    super::value::{SettingValue, assign, assign_within},
    Setting,
};

/// In the order in which they are printed.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "push.allow_http",
        purpose: "whether push subscriptions may send to `http://` as well",
        set: |config, raw| assign(&mut config.push.allow_http, raw),
        get: |config| config.push.allow_http.show(),
    },
    Setting {
        key: "push.allow_private_networks",
        purpose: "whether push subscriptions may send to addresses that are not public: whoever may create one reaches whatever this node reaches, but its own ports",
        set: |config, raw| assign(&mut config.push.allow_private_networks, raw),
        get: |config| config.push.allow_private_networks.show(),
    },
    Setting {
        key: "push.ca_file",
        purpose: "a PEM file with certificates of issuers that push endpoints may have, besides those that the machine trusts",
        set: |config, raw| assign(&mut config.push.ca_file, raw),
        get: |config| config.push.ca_file.show(),
    },
    Setting {
        key: "push.memory_bytes_max",
        purpose: "memory for messages on their way to push endpoints, each counted as 64 KiB at least; beyond it each subscription sends one at a time",
        set: |config, raw| assign_within(&mut config.push.memory_bytes_max, raw, 1 << 20..=1 << 40),
        get: |config| config.push.memory_bytes_max.show(),
    },
];
