//! What decisions, formats and parsers cost, in instructions: `scripts/bench-instructions`.
//!
//! A crate of its own, as benches beside the code would be built with what the tests of that need, which changes features of
//! what the product is made of.
#![expect(clippy::print_stdout, reason = "the script reads which cases there are")]

mod append;
mod batches;
mod codec;
mod counting;
mod deliver;
mod dispatch;
mod harness;
mod http;
mod publish;
mod replication;

fn main() {
    harness::main(
        &[
            http::CASES,
            counting::CASES,
            publish::CASES,
            codec::CASES,
            append::CASES,
            replication::CASES,
            dispatch::CASES,
            deliver::CASES,
        ]
        .concat(),
    );
}
