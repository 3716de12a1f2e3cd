//! What befalls the nodes: planned ahead from a seed, done by the clock, and written down.

mod fault;
mod plan;

use std::{sync::Arc, thread};

use crate::{
    broker::Broker,
    history::{Fault as Happened, Installed, What},
    workload::Site,
};

pub(crate) use fault::Fault;
pub(crate) use plan::{Step, plan};

/// One side of a step: it begins or it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Ends,
    Begins,
}

/// Does what is planned, until so much time is over; in the end everything is healed.
///
/// What takes longer than planned, such as a restart of each node, delays all that comes after it.
pub(crate) fn run(site: &Arc<Site>, broker: &mut Broker, (steps, ms): (&[Step], u64)) {
    let mut events: Vec<(u64, Side, usize)> = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        events.push((step.at_ms, Side::Begins, place));
        events.push((step.at_ms + step.lasts_ms, Side::Ends, place));
    }
    events.sort_unstable();
    let mut begun: Vec<Option<(u64, Installed)>> = vec![None; steps.len()];
    let mut late_ms = 0;
    for (at_ms, side, place) in events {
        let is_due = match side {
            Side::Begins => at_ms + late_ms <= ms,
            Side::Ends => begun[place].is_some(),
        };
        if !is_due {
            continue;
        }
        thread::sleep(site.recorder.until(at_ms + late_ms));
        late_ms = (site.recorder.now() / 1_000).saturating_sub(at_ms);
        broker.ended().into_iter().for_each(|ended| site.recorder.complain(ended));
        let step = &steps[place];
        let Some((start, installed)) = begun[place].take() else {
            let installed = step.fault.begin(broker);
            begun[place] = Some((site.recorder.now(), installed));
            continue;
        };
        let severed = if installed == Installed::Yes { step.fault.severed(broker.size()) } else { Vec::new() };
        eprintln!("{:>6} ms: {} ({installed:?})", start / 1_000, step.fault.name());
        let happened = Happened { name: step.fault.name(), installed: installed.clone(), severed };
        site.recorder.record(start, (0, 0), What::Fault(happened));
        if !matches!(installed, Installed::Skipped(_))
            && let Err(unhealed) = step.fault.end(broker)
        {
            site.recorder.complain(format!("{} was not healed: {unhealed:?}", step.fault.name()));
        }
    }
    broker.ended().into_iter().for_each(|ended| site.recorder.complain(ended));
    broker.heal();
}
