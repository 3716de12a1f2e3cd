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

/// Does all that is planned; in the end everything is healed.
pub(crate) fn run(site: &Arc<Site>, broker: &mut Broker, steps: &[Step]) {
    let mut events: Vec<(u64, Side, usize)> = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        events.push((step.at_ms, Side::Begins, place));
        events.push((step.at_ms + step.lasts_ms, Side::Ends, place));
    }
    events.sort_unstable();
    let mut begun: Vec<(u64, Installed)> = vec![(0, Installed::Skipped("it never began".to_owned())); steps.len()];
    for (at_ms, side, place) in events {
        thread::sleep(site.recorder.until(at_ms));
        broker.ended().into_iter().for_each(|ended| site.recorder.complain(ended));
        let step = &steps[place];
        match side {
            Side::Begins => {
                let installed = step.fault.begin(broker);
                begun[place] = (site.recorder.now(), installed);
            }
            Side::Ends => {
                let (start, installed) = begun[place].clone();
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
        }
    }
    broker.ended().into_iter().for_each(|ended| site.recorder.complain(ended));
    broker.heal();
}
