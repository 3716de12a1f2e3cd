//! The machine a result was measured on.

use serde::{Deserialize, Serialize};

/// What matters of it for a comparison. What the system does not tell is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The processor's name.
    pub cpu: Option<String>,
    /// Cores this process may use.
    pub cores: usize,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// The kernel's name and release.
    pub kernel: Option<String>,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn this() -> Self {
        let read = |path| std::fs::read_to_string(path).ok();
        Self {
            cpu: read("/proc/cpuinfo").and_then(|text| field(&text, "model name").map(str::to_owned)),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: read("/proc/meminfo").and_then(|text| kibibytes(field(&text, "MemTotal")?)),
            kernel: read("/proc/sys/kernel/osrelease").map(|release| format!("Linux {}", release.trim())),
        }
    }
}

/// The value of the first `name : value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn kibibytes(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_files_are_read() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2.0: fast\nMemTotal:  16384 kB\n";
        assert_eq!(field(text, "model name"), Some("Some CPU @ 2.0: fast"));
        assert_eq!(field(text, "MemTotal").and_then(kibibytes), Some(16 << 20));
        assert_eq!(field(text, "absent"), None);
        assert_eq!(kibibytes("16 MB"), None);
    }

    #[test]
    fn this_machine_has_a_core() {
        assert!(Machine::this().cores > 0);
    }
}
