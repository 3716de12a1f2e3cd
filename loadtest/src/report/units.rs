//! Numbers as people read them: three digits and a unit.

/// Microseconds as `950 ns`, `12.3 µs`, `4.56 ms` or `1.20 s`.
#[must_use]
pub fn time(micros: f64) -> String {
    match micros {
        micros if micros >= 1e6 => format!("{} s", three(micros / 1e6)),
        micros if micros >= 1e3 => format!("{} ms", three(micros / 1e3)),
        micros if micros >= 1.0 => format!("{} µs", three(micros)),
        micros if micros > 0.0 => format!("{} ns", three(micros * 1e3)),
        _ => "0".to_owned(),
    }
}

/// A count as `950`, `12.3k`, `4.56M`.
#[must_use]
pub fn count(value: f64) -> String {
    match value.abs() {
        size if size >= 1e9 => format!("{}G", three(value / 1e9)),
        size if size >= 1e6 => format!("{}M", three(value / 1e6)),
        size if size >= 1e4 => format!("{}k", three(value / 1e3)),
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        _ => three(value),
    }
}

/// Bytes as `512 B`, `1.50 KiB`, `20.0 MiB`.
#[must_use]
pub fn bytes(value: f64) -> String {
    const KIB: f64 = 1_024.0;
    match value {
        value if value >= KIB * KIB * KIB => format!("{} GiB", three(value / KIB / KIB / KIB)),
        value if value >= KIB * KIB => format!("{} MiB", three(value / KIB / KIB)),
        value if value >= KIB => format!("{} KiB", three(value / KIB)),
        value => format!("{value:.0} B"),
    }
}

/// Three digits that count.
#[must_use]
pub fn three(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_follow_the_size() {
        assert_eq!(
            [0.0, 0.5, 7.0, 12.34, 4_560.0, 1_200_000.0].map(time),
            ["0", "500 ns", "7.00 µs", "12.3 µs", "4.56 ms", "1.20 s"]
        );
        assert_eq!(
            [0.0, 1.5, 950.0, 9_999.0, 12_300.0, 4.56e6, 2e9].map(count),
            ["0", "1.50", "950", "9999", "12.3k", "4.56M", "2.00G"]
        );
        assert_eq!([512.0, 1_536.0, 20.0 * 1_048_576.0].map(bytes), ["512 B", "1.50 KiB", "20.0 MiB"]);
    }
}
