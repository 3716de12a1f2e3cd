//! The faults there are: how each begins and ends, and which nodes can do nothing meanwhile.

use crate::{
    broker::{Broker, Storage},
    history::Installed,
    network::{Cut, STORE},
    random::Random,
};

/// What befalls nodes, by their places, or the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// `kill -9`; it is started again in the end.
    Kill(u32),
    /// It stands still, and goes on as if no time had passed.
    Pause(u32),
    /// It is asked to end, and is started again.
    Restart(u32),
    /// It gives up its partitions, ends, and is started again.
    Drain(u32),
    /// It loses its disks, and comes back as another node.
    Wipe(u32),
    /// It comes back as another node, on the disks that it had.
    Rejoin(u32),
    /// Something that it has promised to keep is gone when it is started again.
    Damage(u32),
    /// It and its disks lose their power.
    PowerCut(u32),
    /// All of them do, at once.
    PowerCutAll,
    /// The disk with its partitions fails; it is started again with another one that has what was promised.
    DiskFails(u32),
    /// The disk with its partitions is full.
    DiskFull(u32),
    /// One after the other is asked to end and started again.
    RollingRestart,
    /// One replica less of each partition is wanted, and all of them again in the end.
    Narrow,
    /// `kill -9` of all of them; they are started again in the end.
    KillAll,
    /// These nodes are cut off from the others, and from the store.
    Minority(Vec<u32>),
    /// These nodes are cut off from the others, and still reach the store.
    Apart(Vec<u32>),
    /// All others reach this one alone.
    Bridge(u32),
    /// Nothing that the first one sends arrives at the second one.
    OneWay(u32, u32),
    /// A third of what other nodes and the store send to it is lost.
    Loss(u32),
    /// It does not reach the store.
    StoreCut(u32),
    /// The store stands still.
    StorePause,
    /// The store is killed, and comes back with all that it had written.
    StoreKill,
}

/// What a fault is about.
enum About {
    Node(u32),
    AllNodes,
    Store,
    Network,
}

const LOSS_PERCENT: u8 = 30;

impl Fault {
    /// One of each kind that can befall so many nodes.
    pub(crate) fn kinds(nodes: u32, storage: Storage) -> Vec<Self> {
        let mut kinds = vec![Self::Kill(1), Self::Pause(1), Self::Restart(1), Self::Loss(1)];
        if nodes > 1 {
            kinds.extend([Self::RollingRestart, Self::Minority(vec![1]), Self::OneWay(1, 2)]);
        }
        match storage {
            Storage::Shared => {
                kinds.extend([Self::StoreCut(1), Self::StorePause, Self::StoreKill]);
                kinds.extend((nodes > 1).then(|| Self::Apart(vec![1])));
            }
            Storage::Disks => kinds.extend([
                Self::KillAll,
                Self::Bridge(1),
                Self::Drain(1),
                Self::Wipe(1),
                Self::Rejoin(1),
                Self::Damage(1),
                Self::PowerCut(1),
                Self::PowerCutAll,
                Self::DiskFails(1),
                Self::DiskFull(1),
                Self::Narrow,
            ]),
        }
        kinds
    }

    /// The same kind, at any nodes.
    pub(super) fn somewhere(&self, random: &mut Random, nodes: u32) -> Self {
        let mut places: Vec<u32> = (1..=nodes).collect();
        random.shuffle(&mut places);
        let minority = || places[..places.len().div_ceil(2) - 1].to_vec();
        match self {
            Self::Kill(_) => Self::Kill(places[0]),
            Self::Pause(_) => Self::Pause(places[0]),
            Self::Restart(_) => Self::Restart(places[0]),
            Self::Drain(_) => Self::Drain(places[0]),
            Self::Wipe(_) => Self::Wipe(places[0]),
            Self::Rejoin(_) => Self::Rejoin(places[0]),
            Self::Damage(_) => Self::Damage(places[0]),
            Self::PowerCut(_) => Self::PowerCut(places[0]),
            Self::DiskFails(_) => Self::DiskFails(places[0]),
            Self::DiskFull(_) => Self::DiskFull(places[0]),
            Self::Loss(_) => Self::Loss(places[0]),
            Self::StoreCut(_) => Self::StoreCut(places[0]),
            Self::Bridge(_) => Self::Bridge(places[0]),
            Self::Minority(_) => Self::Minority(minority()),
            Self::Apart(_) => Self::Apart(minority()),
            Self::OneWay(..) => Self::OneWay(places[0], places[1]),
            Self::RollingRestart
            | Self::Narrow
            | Self::KillAll
            | Self::PowerCutAll
            | Self::StorePause
            | Self::StoreKill => self.clone(),
        }
    }

    /// What it is, without where.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Kill(_) => "kill",
            Self::Pause(_) => "pause",
            Self::Restart(_) => "restart",
            Self::Drain(_) => "drain",
            Self::Wipe(_) => "wipe",
            Self::Rejoin(_) => "rejoin",
            Self::Damage(_) => "damage",
            Self::PowerCut(_) => "power cut",
            Self::PowerCutAll => "power cut all",
            Self::DiskFails(_) => "disk fails",
            Self::DiskFull(_) => "disk full",
            Self::RollingRestart => "rolling restart",
            Self::Narrow => "narrow",
            Self::KillAll => "kill all",
            Self::Bridge(_) => "bridge",
            Self::Minority(_) => "minority",
            Self::Apart(_) => "apart",
            Self::OneWay(..) => "one way",
            Self::Loss(_) => "loss",
            Self::StoreCut(_) => "store cut",
            Self::StorePause => "store pause",
            Self::StoreKill => "store kill",
        }
    }

    /// What it is, and where.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Minority(places) | Self::Apart(places) => format!("{} {places:?}", self.kind()),
            Self::OneWay(from, to) => format!("{} {from} to {to}", self.kind()),
            Self::RollingRestart
            | Self::Narrow
            | Self::KillAll
            | Self::PowerCutAll
            | Self::StorePause
            | Self::StoreKill => self.kind().to_owned(),
            Self::Kill(place)
            | Self::Pause(place)
            | Self::Restart(place)
            | Self::Drain(place)
            | Self::Wipe(place)
            | Self::Rejoin(place)
            | Self::Damage(place)
            | Self::PowerCut(place)
            | Self::DiskFails(place)
            | Self::DiskFull(place)
            | Self::Loss(place)
            | Self::Bridge(place)
            | Self::StoreCut(place) => format!("{} {place}", self.kind()),
        }
    }

    /// Whether both can be there at a time: they are about other processes, or about the network, and leave enough nodes
    /// their memory.
    pub(super) fn goes_with(&self, other: &Self) -> bool {
        // It begins when all replicas are in sync, which they never are while lines are cut.
        if self.loses_promised() && matches!(other.about(), About::Network) {
            return false;
        }
        match (self.about(), other.about()) {
            (About::Store, About::Store) => false,
            (About::Network | About::Store, _) | (_, About::Network | About::Store) => true,
            (About::Node(one), About::Node(two)) => one != two && !self.loses_promised() && !other.loses_promised(),
            (About::AllNodes, _) | (_, About::AllNodes) => false,
        }
    }

    /// Whether a node has less than it had promised: then the others are to have what it had.
    const fn loses_promised(&self) -> bool {
        matches!(self, Self::Wipe(_) | Self::Rejoin(_) | Self::Damage(_))
    }

    fn about(&self) -> About {
        match self {
            Self::Kill(place)
            | Self::Pause(place)
            | Self::Restart(place)
            | Self::Drain(place)
            | Self::Wipe(place)
            | Self::Rejoin(place)
            | Self::Damage(place)
            | Self::PowerCut(place)
            | Self::DiskFails(place)
            | Self::DiskFull(place) => About::Node(*place),
            Self::RollingRestart | Self::Narrow | Self::KillAll | Self::PowerCutAll => About::AllNodes,
            Self::StorePause | Self::StoreKill => About::Store,
            Self::Minority(_)
            | Self::Apart(_)
            | Self::Bridge(_)
            | Self::OneWay(..)
            | Self::Loss(_)
            | Self::StoreCut(_) => About::Network,
        }
    }

    /// The nodes that can reach neither the store nor a majority.
    pub(super) fn severed(&self, nodes: u32) -> Vec<u32> {
        match self {
            Self::Minority(places) => places.clone(),
            Self::StoreCut(_) | Self::StorePause | Self::StoreKill if nodes == 1 => vec![1],
            Self::StorePause | Self::StoreKill => (1..=nodes).collect(),
            Self::Kill(_)
            | Self::Pause(_)
            | Self::Restart(_)
            | Self::Drain(_)
            | Self::Wipe(_)
            | Self::Rejoin(_)
            | Self::Damage(_)
            | Self::PowerCut(_)
            | Self::PowerCutAll
            | Self::DiskFails(_)
            | Self::DiskFull(_)
            | Self::RollingRestart
            | Self::Narrow
            | Self::KillAll
            | Self::Apart(_)
            | Self::Bridge(_)
            | Self::OneWay(..)
            | Self::Loss(_)
            | Self::StoreCut(_) => Vec::new(),
        }
    }

    pub(super) fn begin(&self, broker: &mut Broker) -> Installed {
        let done = match self {
            Self::Kill(place) => broker.kill(*place),
            Self::Pause(place) => broker.pause(*place),
            Self::Restart(place) => broker.terminate(*place),
            Self::Drain(place) => broker.drain(*place),
            Self::Wipe(place) => broker.wipe(*place),
            Self::Rejoin(place) => broker.rejoin(*place),
            Self::Damage(place) => broker.damage(*place),
            Self::PowerCut(place) => broker.cut_power(*place),
            Self::PowerCutAll => broker.cut_all_power(),
            Self::DiskFails(place) => broker.fail_disk(*place),
            Self::DiskFull(place) => broker.fill_disk(*place),
            Self::RollingRestart => broker.restart_each(),
            Self::Narrow => broker.narrow(),
            Self::KillAll => broker.kill_all(),
            Self::StorePause => broker.store().pause(),
            Self::StoreKill => broker.store().kill(),
            Self::Minority(_)
            | Self::Apart(_)
            | Self::Bridge(_)
            | Self::OneWay(..)
            | Self::Loss(_)
            | Self::StoreCut(_) => broker.network.cut(&self.cuts(broker.size())).map_err(Installed::Unknown),
        };
        done.err().unwrap_or(Installed::Yes)
    }

    /// Heals it; says what could not be.
    pub(super) fn end(&self, broker: &mut Broker) -> Result<(), Installed> {
        match self {
            Self::Kill(place)
            | Self::Restart(place)
            | Self::Wipe(place)
            | Self::Rejoin(place)
            | Self::Damage(place)
            | Self::PowerCut(place) => broker.start(*place),
            Self::DiskFails(place) => broker.mend_disk(*place),
            Self::DiskFull(place) => broker.empty_disk(*place),
            Self::Drain(place) => return broker.start_drained(*place),
            Self::Narrow => return broker.widen(),
            Self::Pause(place) => broker.resume(*place),
            Self::RollingRestart => {}
            Self::KillAll | Self::PowerCutAll => broker.start_rest(),
            Self::StorePause => broker.store().resume(),
            Self::StoreKill => broker.store().start(),
            Self::Minority(_)
            | Self::Apart(_)
            | Self::Bridge(_)
            | Self::OneWay(..)
            | Self::Loss(_)
            | Self::StoreCut(_) => {
                broker.network.mend(&self.cuts(broker.size())).unwrap();
            }
        }
        Ok(())
    }

    fn cuts(&self, nodes: u32) -> Vec<Cut> {
        let others = |places: &[u32]| (1..=nodes).filter(|place| !places.contains(place)).collect::<Vec<_>>();
        let halves = |places: &[u32], others: &[u32]| {
            let pairs = places.iter().flat_map(|one| others.iter().map(move |other| (*one, *other)));
            pairs.flat_map(|(one, other)| Cut::between(one, other)).collect()
        };
        match self {
            Self::Minority(places) => halves(places, &[others(places), vec![STORE]].concat()),
            Self::Apart(places) => halves(places, &others(places)),
            Self::Bridge(place) => {
                let outer = others(&[*place]);
                let pairs = outer.iter().flat_map(|one| outer.iter().map(move |other| (*one, *other)));
                pairs.filter(|(one, other)| one < other).flat_map(|(one, other)| Cut::between(one, other)).collect()
            }
            Self::OneWay(from, to) => vec![Cut { from: *from, to: *to, percent: 100 }],
            Self::Loss(place) => {
                let from = [others(&[*place]), vec![STORE]].concat();
                from.into_iter().map(|from| Cut { from, to: *place, percent: LOSS_PERCENT }).collect()
            }
            Self::StoreCut(place) => Cut::between(*place, STORE).to_vec(),
            Self::Kill(_)
            | Self::Pause(_)
            | Self::Restart(_)
            | Self::Drain(_)
            | Self::Wipe(_)
            | Self::Rejoin(_)
            | Self::Damage(_)
            | Self::PowerCut(_)
            | Self::PowerCutAll
            | Self::DiskFails(_)
            | Self::DiskFull(_)
            | Self::RollingRestart
            | Self::Narrow
            | Self::KillAll
            | Self::StorePause
            | Self::StoreKill => Vec::new(),
        }
    }
}
