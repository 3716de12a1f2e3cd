//! What fuzzing found interesting, again: every input of the corpus goes through its target.

#[expect(unreachable_pub, clippy::indexing_slicing, reason = "it is a crate of its own for the fuzzer")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::{fs, path::Path};

/// F62, F71.
#[test]
fn the_corpus_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in targets::TARGETS {
        let packed = fs::read_to_string(corpus.join(format!("{name}.txt"))).unwrap();
        let inputs: Vec<_> = packed.lines().map(unescaped).collect();
        assert!(inputs.len() >= 10, "{name}: {}", inputs.len());
        for input in inputs {
            target(&input);
        }
    }
}

/// Undoes what `scripts/fuzz-corpus` does to an input: bytes that are not text are `\xNN`.
fn unescaped(line: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), line);
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        let (digits, behind) = after.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
        rest = behind;
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}
