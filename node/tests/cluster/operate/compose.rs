//! docker-compose.cluster.yml starts nodes that take their settings.

use serde_yaml_ng::Value;

use crate::harness::{data_directory, node_command};

const FILE: &str = include_str!("../../../../docker-compose.cluster.yml");
const SECRET: &str = "a secret of the test";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value:?} is no text")).to_owned()
}

#[test]
fn every_node_of_the_compose_file_has_settings_that_it_takes() {
    let mut file: Value = serde_yaml_ng::from_str(FILE).unwrap();
    file.apply_merge().unwrap();
    let services = file["services"].as_mapping().unwrap();
    let nodes: Vec<_> = services.iter().filter(|(_, service)| service["build"] == ".").collect();
    assert_eq!(nodes.len(), 3);
    let mut numbers = Vec::new();
    for (name, service) in nodes {
        let home = data_directory();
        let mut check = node_command();
        check.arg("--check-config").current_dir(home.path());
        for word in service["command"].as_sequence().into_iter().flatten().filter(|word| text(word) == "--cluster-init")
        {
            check.arg(text(word));
        }
        for (variable, value) in service["environment"].as_mapping().unwrap() {
            let value = text(value);
            let value = if value.starts_with("${PUBSUB_CLUSTER_SECRET:?") { SECRET.to_owned() } else { value };
            check.env(text(variable), value);
        }
        let output = check.output().unwrap();
        assert!(output.status.success(), "{name:?}: {}", String::from_utf8_lossy(&output.stderr));
        let environment = &service["environment"];
        assert_eq!(text(&environment["PUBSUB_CLUSTER_ADVERTISE"]), format!("{}:7081", text(name)));
        assert!(text(&environment["PUBSUB_CLUSTER_SEEDS"]).contains(&format!("{}:7081", text(name))));
        numbers.push(text(&environment["PUBSUB_CLUSTER_NODE_ID"]));
    }
    assert_eq!(numbers, ["1", "2", "3"]);
}
