//! Frozen bytes for tests: a format that changes by accident fails here.

use std::{env, fmt::Write as _, fs, path::Path};

/// Compares `bytes` with the golden file `name`; with `PUBSUB_GOLDEN=write` a missing file is written instead.
pub(crate) fn assert_golden(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let mut hex = String::new();
    for line in bytes.chunks(16) {
        for byte in line {
            write!(hex, "{byte:02x}").unwrap();
        }
        hex.push('\n');
    }
    if env::var("PUBSUB_GOLDEN").is_ok_and(|mode| mode == "write") && !path.exists() {
        fs::write(&path, &hex).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(hex, golden, "{name}: a golden file is never edited; a changed format is a new version");
}

/// The bytes of a golden file, as an older program wrote them.
pub(crate) fn golden(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let hex = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let digits: Vec<char> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}
