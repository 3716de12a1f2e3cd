//! Runs one case so many times for a tool that counts what is done meanwhile: `scripts/bench-instructions`.

use std::{env, hint::black_box, process};

/// How many inputs every run prepares, and so the most operations that one can do.
const INPUTS: usize = 100;
/// Operations before those: they pay for what is done once.
const FIRST_OPERATIONS: usize = 3;

/// Something whose cost is counted.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    name: &'static str,
    messages: usize,
    run: fn(Operations),
}

/// How many operations to do.
#[derive(Clone, Copy)]
pub(crate) struct Operations(usize);

impl Case {
    /// A case whose operation is one for so many messages.
    pub(crate) const fn new(name: &'static str, messages: usize, run: fn(Operations)) -> Self {
        Self { name, messages, run }
    }
}

impl Operations {
    /// Does them, each with an input of its own, and ends the process.
    ///
    /// A run of no operation does the same beside them, freeing nothing: what another one does more is the operations.
    pub(crate) fn measure<I, O>(self, input: impl FnMut(usize) -> I, mut operation: impl FnMut(I) -> O) -> ! {
        let inputs: Vec<I> = (0..FIRST_OPERATIONS + INPUTS).map(input).collect();
        let mut inputs = inputs.into_iter();
        for input in inputs.by_ref().take(FIRST_OPERATIONS + self.0) {
            drop(black_box(operation(black_box(input))));
        }
        process::exit(0)
    }
}

/// Runs the case that the arguments name, so many times; without them says which there are, each with how many
/// messages it is for.
pub(crate) fn main(cases: &[Case]) {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [name, count] = &arguments[..] else {
        for Case { name, messages, .. } in cases {
            println!("{name}\t{messages}\t{INPUTS}");
        }
        return;
    };
    let case = cases.iter().find(|case| case.name == name).expect("a case that is listed");
    let operations = count.parse().ok().filter(|count| *count <= INPUTS).expect("a number up to the one listed");
    (case.run)(Operations(operations));
}
