//! What a metric is, once, for Prometheus and for the page about metrics.

/// All that is said of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The names of its labels, in the order in which values are given.
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
    /// When somebody looks at it, and what it tells then.
    pub(super) look: &'static str,
}

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only rises, until the process ends.
    Counter,
    Gauge,
    Histogram,
}

impl Description {
    pub(super) const fn counter(name: &'static str, help: &'static str, look: &'static str) -> Self {
        Self { name, kind: Kind::Counter, labels: &[], help, look }
    }

    pub(super) const fn gauge(name: &'static str, help: &'static str, look: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, labels: &[], help, look }
    }

    pub(super) const fn histogram(name: &'static str, help: &'static str, look: &'static str) -> Self {
        Self { name, kind: Kind::Histogram, labels: &[], help, look }
    }

    /// The same, told apart by labels.
    pub(super) const fn by(self, labels: &'static [&'static str]) -> Self {
        Self { labels, ..self }
    }

    /// What it is measured in, which its name ends in.
    pub(super) fn unit(&self) -> &'static str {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        let units = [("_seconds", "seconds"), ("_bytes", "bytes"), ("_ratio", "0 to 1"), ("_info", "1")];
        units.into_iter().find(|(suffix, _)| name.ends_with(suffix)).map_or("count", |(_, unit)| unit)
    }
}

impl Kind {
    /// As the page says it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}
