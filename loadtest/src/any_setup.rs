//! Makes what a run needs at a server of any kind.

use crate::connections::Source;
use crate::host::Host;
use crate::run::RunError;
use crate::server::ServerInfo;
use crate::setup::Setup;
use crate::targets::catch_up_read::ReadPlace;
#[cfg(feature = "peers")]
use crate::targets::peers::PeerSetup;
use crate::workload::{Kind, Workload};

/// Administers a server before and after a run; what was made for the run alone is removed when this is dropped.
#[derive(Debug)]
#[expect(missing_docs, reason = "one variant for each kind of server")]
pub enum AnySetup {
    Broker(Box<Setup>),
    #[cfg(feature = "peers")]
    Peer(PeerSetup),
}

/// What was made, or found.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// What consumers consume or readers read.
    pub sources: Vec<Source>,
    /// What the server says of itself.
    pub server: ServerInfo,
}

impl AnySetup {
    /// Connects with the first call.
    ///
    /// # Errors
    ///
    /// When the process has no file descriptor left.
    pub fn new(host: &Host) -> Result<Self, RunError> {
        match host {
            Host::Broker(server) => Ok(Self::Broker(Box::new(Setup::new(server)?))),
            #[cfg(feature = "peers")]
            Host::Peer(peer) => Ok(Self::Peer(PeerSetup::new(peer)?)),
        }
    }

    /// Makes topics and subscriptions.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn prepare(&mut self, workload: &Workload) -> Result<Made, RunError> {
        match self {
            Self::Broker(setup) => broker(setup, workload),
            #[cfg(feature = "peers")]
            Self::Peer(setup) => Ok(setup.prepare(workload)?),
        }
    }
}

fn broker(setup: &mut Setup, workload: &Workload) -> Result<Made, RunError> {
    setup.ensure_topics(workload)?;
    let sources = match workload.kind {
        Kind::Consume | Kind::EndToEnd => {
            setup.ensure_subscriptions(workload)?.into_iter().map(Source::Subscription).collect()
        }
        Kind::Read => setup
            .read_starts(workload)?
            .into_iter()
            .map(|(partition, offset)| {
                Source::Partition(ReadPlace { partition, offset, page_max: workload.consume.batch })
            })
            .collect(),
        Kind::Publish | Kind::FanOut => Vec::new(),
    };
    Ok(Made { sources, server: setup.server_info(workload) })
}
