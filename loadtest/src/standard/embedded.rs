//! The workload files that come with the program.

macro_rules! workloads {
    ($($name:literal),* $(,)?) => {
        /// Each by its name.
        pub const WORKLOADS: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../workloads/", $name, ".yaml")))),*];
    };
}

/// The standard set.
pub const STANDARD: &str = include_str!("../../workloads/standard.yaml");

workloads!(
    "catch-up-read",
    "disk",
    "disk-read",
    "end-to-end",
    "fan-out",
    "fan-out-full",
    "fan-out-sse",
    "http-bare",
    "http-batch-100",
    "http-single",
    "mixed-sizes",
    "nats-end-to-end",
    "nats-publish",
    "pull-ack",
    "rabbitmq-end-to-end",
    "redis-pipelined",
    "redis-single",
    "saturation",
    "websocket-batch-100",
    "websocket-batch-1000",
    "websocket-json-100",
    "write-loop",
);

/// The text of a workload that comes with the program.
#[must_use]
pub fn workload(name: &str) -> Option<&'static str> {
    WORKLOADS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::standard::set::Set;
    use crate::workload::Workload;

    #[test]
    fn every_shipped_file_is_a_workload_and_in_the_program() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads");
        let mut found = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            if name == "standard" {
                continue;
            }
            let loaded = Workload::from_file(&file, &[]).unwrap();
            assert!(loaded.name.is_some() && loaded.description.is_some(), "{name}");
            assert!(workload(&name).is_some(), "{name} is not in the program");
            found += 1;
        }
        assert_eq!(found, WORKLOADS.len());
    }

    #[test]
    fn the_standard_set_runs_every_workload_and_takes_less_than_ten_minutes() {
        let set = Set::from_yaml(STANDARD, "standard").unwrap();
        let mut names: Vec<&str> = set.runs.iter().map(|run| run.workload.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, WORKLOADS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let planned: Duration = WORKLOADS
            .iter()
            .map(|(name, text)| {
                let workload = Workload::from_yaml(text, name, &[]).unwrap();
                // What ends by count takes some seconds, and a search some ten runs.
                match (workload.preload, workload.publish.steps) {
                    (0, None) => workload.end(),
                    (0, Some(_)) => workload.end() * 12,
                    _ => Duration::from_secs(30),
                }
            })
            .sum();
        assert!(planned < Duration::from_mins(10), "{planned:?}");
    }
}
