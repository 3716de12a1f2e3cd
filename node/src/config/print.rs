//! The effective configuration as YAML: what `--print-config` shows. But for secrets, it reads back to the
//! same configuration.

use serde_yaml_ng::{Mapping, Value as Yaml};

use super::{Config, schema::settings};

/// Shows every setting with its effective value; of a secret only whether it is set.
///
/// # Errors
/// Only if the YAML library fails, which no value of a configuration makes it do.
pub fn to_yaml(config: &Config) -> Result<String, serde_yaml_ng::Error> {
    let mut root = Mapping::new();
    for setting in settings() {
        insert(&mut root, setting.key, (setting.get)(config));
    }
    serde_yaml_ng::to_string(&Yaml::Mapping(root))
}

fn insert(mapping: &mut Mapping, key: &str, value: Yaml) {
    let Some((section, rest)) = key.split_once('.') else {
        mapping.insert(Yaml::from(key), value);
        return;
    };
    let entry = mapping.entry(Yaml::from(section)).or_insert_with(|| Yaml::Mapping(Mapping::new()));
    if let Yaml::Mapping(inner) = entry {
        insert(inner, rest, value);
    }
}
