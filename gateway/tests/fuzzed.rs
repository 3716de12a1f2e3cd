//! What fuzzing found interesting, again: every file of the corpus goes through its target.

#[expect(unreachable_pub, clippy::indexing_slicing, reason = "it is a crate of its own for the fuzzer")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::{fs, path::Path};

#[test]
fn the_corpus_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in targets::TARGETS {
        let files: Vec<_> = fs::read_dir(corpus.join(name)).unwrap().collect();
        assert!(files.len() >= 10, "{name}: {}", files.len());
        for file in files {
            target(&fs::read(file.unwrap().path()).unwrap());
        }
    }
}
