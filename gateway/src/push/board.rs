//! How the requests of push subscriptions go: written by the control thread, read by every core.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use gateway_api::push::PushStatus;
use shard_core::model::SubscriptionId;

/// The reports of all push subscriptions that this node sends for. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct PushBoard {
    reports: Arc<ArcSwap<BTreeMap<SubscriptionId, PushReport>>>,
}

/// How the requests of one push subscription go. Clones share it.
#[derive(Clone, Debug)]
pub struct PushReport {
    status: Arc<ArcSwap<PushStatus>>,
}

impl PushBoard {
    /// The report of a subscription, if this node sends for it.
    #[must_use]
    pub fn status(&self, subscription: SubscriptionId) -> Option<Arc<PushStatus>> {
        self.reports.load().get(&subscription).map(|report| report.status.load_full())
    }

    /// All reports as they stand.
    #[must_use]
    pub fn statuses(&self) -> Vec<Arc<PushStatus>> {
        self.reports.load().values().map(|report| report.status.load_full()).collect()
    }

    /// These reports, and no others, from now on.
    pub fn publish(&self, reports: BTreeMap<SubscriptionId, PushReport>) {
        self.reports.store(Arc::new(reports));
    }
}

impl PushReport {
    /// A report that begins with this.
    #[must_use]
    pub fn new(status: PushStatus) -> Self {
        Self { status: Arc::new(ArcSwap::from_pointee(status)) }
    }

    /// From now on it says this.
    pub fn update(&self, status: PushStatus) {
        self.status.store(Arc::new(status));
    }
}
