//! Which packets are lost on their way, as rules of the hosts that don't get them.

use std::fmt::Write as _;

/// What one host sends to another does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub from: u32,
    pub to: u32,
    /// How many of a hundred packets are lost.
    pub percent: u8,
}

/// All cuts at a time; the same one may be there for several reasons.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules(Vec<Cut>);

impl Cut {
    /// Nothing arrives from either side at the other.
    pub(crate) fn between(one: u32, other: u32) -> [Self; 2] {
        [Self { from: one, to: other, percent: 100 }, Self { from: other, to: one, percent: 100 }]
    }
}

impl Rules {
    pub(crate) fn of(cuts: &[Cut]) -> Self {
        Self(cuts.to_vec())
    }

    pub(super) fn add(&mut self, cuts: &[Cut]) {
        self.0.extend_from_slice(cuts);
    }

    pub(super) fn remove(&mut self, cuts: &[Cut]) {
        for cut in cuts {
            if let Some(place) = self.0.iter().position(|there| there == cut) {
                self.0.swap_remove(place);
            }
        }
    }

    /// What makes a host drop what it is not to get, and nothing else, whatever its rules were.
    pub(super) fn script(&self, host: u32) -> String {
        let mut script = "add table inet chaos\ndelete table inet chaos\nadd table inet chaos\n".to_owned();
        script.push_str("add chain inet chaos arriving { type filter hook input priority 0; }\n");
        for cut in self.0.iter().filter(|cut| cut.to == host) {
            let chance =
                if cut.percent < 100 { format!("numgen random mod 100 < {} ", cut.percent) } else { String::new() };
            let from = super::address(cut.from);
            writeln!(script, "add rule inet chaos arriving ip saddr {from} {chance}drop").unwrap();
        }
        script
    }
}

#[test]
fn a_cut_stays_as_long_as_there_is_a_reason_for_it() {
    let cut = Cut { from: 1, to: 2, percent: 100 };
    let mut rules = Rules::of(&[cut, cut]);
    assert_eq!(rules.script(2).matches("ip saddr 10.77.0.1 drop").count(), 2);
    assert!(!rules.script(1).contains("drop"));
    rules.remove(&[cut]);
    assert!(rules.script(2).contains("drop"));
    rules.remove(&[cut]);
    assert!(!rules.script(2).contains("drop"));
    let loss = Cut { percent: 30, ..cut };
    rules.add(&[loss]);
    assert!(rules.script(2).contains("ip saddr 10.77.0.1 numgen random mod 100 < 30 drop"));
}
