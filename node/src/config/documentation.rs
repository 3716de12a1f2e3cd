//! The settings as `docs/configuration.md` lists them.

use super::{Config, schema::settings};

/// The table of `docs/configuration.md`, from the same source as the reading of settings.
#[must_use]
pub fn documentation_table() -> String {
    let defaults = Config::default();
    let mut table = String::from("| key | variable | default | what it does |\n|---|---|---|---|\n");
    for setting in settings() {
        let default = serde_yaml_ng::to_string(&(setting.get)(&defaults)).unwrap_or_default();
        let (key, variable, purpose) = (setting.key, setting.variable(), setting.purpose);
        table.extend(["| `", key, "` | `", &variable, "` | `", default.trim(), "` | ", purpose, " |\n"]);
    }
    table
}
