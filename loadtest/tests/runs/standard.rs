//! A set of runs that needs no program of its own.

use std::fs;
use std::process::Command;

use serde_json::Value;

const SET: &str = "
servers:
  reading: {builtin: disk-read}
  loop: {builtin: write-loop}
runs:
  - {workload: half, server: reading}
  - {workload: all, server: reading}
  - {workload: few, server: loop}
ratios:
  - {run: half, against: all, figure: payload_mb_per_s}
  - {run: few, against: all, figure: deliveries_per_s}
";

#[test]
fn builtins_are_measured_and_leave_nothing_behind() {
    // On a disk: a file system in memory knows no direct I/O.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("set.yaml"), SET).unwrap();
    for (name, workload) in [
        ("half", "{kind: read, partitions: 1, preload: 5000}"),
        ("all", "{kind: read, partitions: 2, preload: 10000, workers: 2}"),
        ("few", "{kind: fan-out, publish: {rate: 0}, fan_out: {readers: 4}, duration: 50ms}"),
    ] {
        fs::write(path(&format!("{name}.yaml")), workload).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_pubsub-loadtest"))
        .args(["standard", "--set-file", path("set.yaml").to_str().unwrap()])
        .args(["--out", path("out").to_str().unwrap()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json = |name: &str| serde_json::from_slice::<Value>(&fs::read(path("out").join(name)).unwrap()).unwrap();
    for (report, messages) in [("half.json", 5_000), ("all.json", 10_000)] {
        let result = &json(report)["result"];
        assert_eq!(result["messages"], messages);
        assert_eq!(result["payload_bytes"], 256 * messages);
    }
    assert!(json("few.json")["result"]["delivered"].as_u64().unwrap() >= 4);
    let ratios = json("ratios.json");
    assert_eq!(ratios.as_array().unwrap().len(), 2);
    assert!(ratios[0]["ratio"].as_f64().is_some() && ratios[1]["ratio"].as_f64().is_some(), "{ratios}");
    let kept: Vec<_> = fs::read_dir(path("out")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(kept.iter().all(|file| file.is_file()), "{kept:?}");
}
