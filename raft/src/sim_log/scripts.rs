//! Histories that have broken other systems, or would break this one, told step by step.

mod disks;
mod failover;
mod late;
mod splits;

use super::{
    events::{Event, Message},
    shape::Shape,
    world::World,
};

impl World {
    /// A cluster in which nothing goes wrong but what is told to; a given node leads the metadata.
    fn calm(shape: Shape, controller: usize) -> Self {
        let mut world = Self::new(7, shape, None);
        world.healing = true;
        world.tells = super::number_in(super::TELL_VARIABLE).is_some();
        world.have_controller(controller);
        world
    }

    fn run_for(&mut self, millis: u64) {
        self.run_until(self.now + millis);
    }

    fn have_controller(&mut self, place: usize) {
        self.run_for(700);
        while self.log.leader != Some(place) {
            self.log.leader = None;
            self.run_for(700);
        }
        self.run_for(300);
    }

    /// The place of who owns the partition.
    fn owner(&self) -> Option<usize> {
        self.agreed_partition(0).and_then(|partition| partition.owner).map(|owner| self.place_of(owner))
    }

    fn isr(&self) -> Vec<usize> {
        let mut places = self.places(&self.agreed_partition(0).unwrap().isr.clone());
        places.sort_unstable();
        places
    }

    /// A message is published to a node, and a while passes. Its number.
    fn publish_to(&mut self, place: usize) -> u64 {
        let message = self.begin_message(place);
        self.run_for(200);
        message
    }

    /// A message is on its way to a node.
    fn begin_message(&mut self, place: usize) -> u64 {
        let (attempt, message) = self.new_attempt();
        let message_to = Message::Publish { partition: 0, publisher: 0, attempt, by: place };
        self.queue.put(self.now, Event::Arrive { place, message: message_to });
        message
    }

    fn is_acknowledged(&self, message: u64) -> bool {
        self.clients.acknowledged.contains_key(&(0, message))
    }

    fn is_cut_off(&mut self, place: usize, from: &[usize]) {
        self.cuts.extend(from.iter().flat_map(|other| [(place, *other), (*other, place)]));
    }

    fn start_again(&mut self, place: usize) {
        self.queue.put(self.now, Event::Start { place });
    }

    fn stand_still(&mut self, place: usize, millis: u64) {
        self.nodes[place].stands_until = self.now + millis;
    }

    fn end_of(&self, place: usize) -> u64 {
        self.nodes[place].disks[0].synced_end().get()
    }

    /// All that is broken is mended, and then all is well and all that was acknowledged is there.
    fn mend(&mut self) {
        (0..self.nodes.len()).filter(|place| !self.nodes[*place].up).collect::<Vec<_>>().into_iter().for_each(
            |place| {
                self.start_again(place);
            },
        );
        self.end_faults();
        self.begin_clients();
        self.run_for(12_000);
        self.check_healed();
    }
}
