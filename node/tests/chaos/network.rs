//! Hosts of a test's own: network namespaces on one bridge, and rules that cut them off from each other.
//!
//! The namespaces have no names: a file of this process holds each, so that the kernel takes them away with it, however it ends.

mod namespace;
mod rules;

use std::process::Command;

pub(crate) use namespace::{Namespace, run};
pub(crate) use rules::{Cut, Rules};

/// The bridge's host, where clients are; the node of place N has the number N.
const HUB: u32 = 254;
/// The store's host.
pub(crate) const STORE: u32 = 100;

/// All hosts of a run. Places of nodes begin at 1.
pub(crate) struct Network {
    pub hub: Namespace,
    nodes: Vec<Namespace>,
    pub store: Namespace,
    rules: Rules,
}

/// The address of a host.
pub(crate) fn address(host: u32) -> String {
    format!("10.77.0.{host}")
}

impl Network {
    /// Makes the hosts; says in a line what this machine lacks for it.
    pub(crate) fn new(nodes: u32) -> Result<Self, String> {
        for program in ["ip", "nft", "nsenter", "setpriv", "unshare", "redis-server"] {
            namespace::run(Command::new("sh").args(["-c", "command -v \"$0\""]).arg(program))
                .map_err(|_| format!("{program} is missing"))?;
        }
        let hub = Namespace::new()?;
        hub.run(&["ip", "link", "add", "bridge", "type", "bridge"])?;
        hub.run(&["ip", "addr", "add", &format!("{}/24", address(HUB)), "dev", "bridge"])?;
        hub.run(&["ip", "link", "set", "bridge", "up"])?;
        let store = host(&hub, STORE)?;
        let nodes = (1..=nodes).map(|place| host(&hub, place)).collect::<Result<Vec<_>, _>>()?;
        let network = Self { hub, nodes, store, rules: Rules::default() };
        // Whether the kernel knows all that rules need is to be known before the test begins.
        let loss = Cut { from: STORE, to: 1, percent: 50 };
        network.nodes[0].apply(&Rules::of(&[loss]).script(1))?;
        network.nodes[0].apply(&Rules::default().script(1))?;
        Ok(network)
    }

    pub(crate) fn node(&self, place: u32) -> &Namespace {
        &self.nodes[usize::try_from(place).unwrap() - 1]
    }

    /// Adds cuts to those that are there.
    pub(crate) fn cut(&mut self, cuts: &[Cut]) -> Result<(), String> {
        self.rules.add(cuts);
        self.apply(cuts)
    }

    /// Takes as many of these cuts away as were added; others that do the same stay.
    pub(crate) fn mend(&mut self, cuts: &[Cut]) -> Result<(), String> {
        self.rules.remove(cuts);
        self.apply(cuts)
    }

    fn apply(&self, changed: &[Cut]) -> Result<(), String> {
        let mut hosts: Vec<u32> = changed.iter().map(|cut| cut.to).collect();
        hosts.sort_unstable();
        hosts.dedup();
        for host in hosts {
            let namespace = if host == STORE { &self.store } else { self.node(host) };
            namespace.apply(&self.rules.script(host))?;
        }
        Ok(())
    }
}

/// A host that is plugged into the bridge.
fn host(hub: &Namespace, number: u32) -> Result<Namespace, String> {
    let namespace = Namespace::new()?;
    let port = format!("port{number}");
    hub.run(&["ip", "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &namespace.path()])?;
    hub.run(&["ip", "link", "set", &port, "master", "bridge", "up"])?;
    namespace.run(&["ip", "addr", "add", &format!("{}/24", address(number)), "dev", "eth0"])?;
    namespace.run(&["ip", "link", "set", "eth0", "up"])?;
    Ok(namespace)
}
