//! Figures of runs in terms of each other's, beside what is aimed at. Pure.

use std::collections::BTreeMap;

use crate::report::{Report, units};
use crate::standard::set::{Figure, RatioPlan};

/// What came of a ratio.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratio {
    /// Which.
    pub plan: RatioPlan,
    /// What the two runs are called.
    pub titles: [String; 2],
    /// Their figures; `None` of a run that did not take place.
    pub values: [Option<f64>; 2],
    /// Whether one of them has warnings, which are to be read before the ratio is believed.
    pub has_warnings: bool,
}

impl Ratio {
    /// The ratios of runs, which are known by their workloads' files.
    #[must_use]
    pub fn all(plans: &[RatioPlan], reports: &BTreeMap<String, Report>) -> Vec<Self> {
        let ratio = |plan: &RatioPlan| {
            let pair = [&plan.run, &plan.against];
            Self {
                plan: plan.clone(),
                titles: pair.map(|name| reports.get(name).map_or_else(|| name.clone(), Report::title)),
                values: pair.map(|name| figure(plan.figure, reports.get(name)?)),
                has_warnings: pair
                    .into_iter()
                    .filter_map(|name| reports.get(name))
                    .any(|report| !report.warnings.is_empty()),
            }
        };
        plans.iter().map(ratio).collect()
    }

    /// The first figure in terms of the second.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        match self.values {
            [Some(run), Some(against)] if against > 0.0 => Some(run / against),
            _ => None,
        }
    }

    /// Whether it is as was aimed at; `None` if nothing was, or nothing is known.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        let value = self.value()?;
        match (self.plan.at_least, self.plan.at_most) {
            (Some(least), _) => Some(value >= least),
            (None, Some(most)) => Some(value <= most),
            (None, None) => None,
        }
    }

    /// Whether it is met, in words.
    #[must_use]
    pub fn verdict(&self) -> String {
        let met = match self.is_met() {
            Some(true) => "met",
            Some(false) => "not met",
            None => "",
        };
        match (met, self.has_warnings) {
            (met, false) => met.to_owned(),
            ("", true) => "see the warnings".to_owned(),
            (met, true) => format!("{met}; see the warnings"),
        }
    }

    /// What is aimed at.
    #[must_use]
    pub fn aim(&self) -> String {
        match (self.plan.at_least, self.plan.at_most) {
            (Some(least), _) => format!("≥ {least}"),
            (None, Some(most)) => format!("≤ {most}"),
            (None, None) => "-".to_owned(),
        }
    }

    /// What the figure is called.
    #[must_use]
    pub fn figure(&self) -> &'static str {
        match self.plan.figure {
            Figure::MessagesPerS => "messages/s",
            Figure::PayloadMbPerS => "payload MB/s",
            Figure::DeliveriesPerS => "deliveries/s",
            Figure::P50 => "p50",
            Figure::P99 => "p99",
        }
    }

    /// One of its figures, with its unit.
    #[must_use]
    pub fn write(&self, value: Option<f64>) -> String {
        match (value, self.plan.figure) {
            (None, _) => "not run".to_owned(),
            (Some(value), Figure::P50 | Figure::P99) => units::time(value),
            (Some(value), Figure::MessagesPerS | Figure::PayloadMbPerS | Figure::DeliveriesPerS) => units::count(value),
        }
    }
}

fn figure(figure: Figure, report: &Report) -> Option<f64> {
    let result = &report.result;
    let latency = || result.latency.get(&report.main_measure()?);
    match figure {
        Figure::MessagesPerS => Some(result.messages_per_s),
        Figure::PayloadMbPerS => Some(result.payload_mb_per_s),
        // Of a run that delivers, that is what its messages are.
        Figure::DeliveriesPerS => report.workload.kind.delivers().then_some(result.messages_per_s),
        Figure::P50 => Some(latency()?.p50_us),
        Figure::P99 => Some(latency()?.p99_us),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::example_report;
    use crate::workload::Kind;

    fn plan(figure: Figure, at_least: Option<f64>, at_most: Option<f64>) -> RatioPlan {
        RatioPlan { run: "a".to_owned(), against: "b".to_owned(), figure, at_least, at_most }
    }

    fn reports() -> BTreeMap<String, Report> {
        let (mut a, b) = (example_report(), example_report());
        a.result.messages_per_s *= 3.0;
        a.workload.name = Some("first".to_owned());
        BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)])
    }

    #[test]
    fn an_aim_is_met_from_the_right_side() {
        let plans = [
            plan(Figure::MessagesPerS, Some(3.0), None),
            plan(Figure::MessagesPerS, Some(3.1), None),
            plan(Figure::P99, None, Some(1.0)),
            plan(Figure::P99, None, Some(0.9)),
            plan(Figure::P50, None, None),
        ];
        let met: Vec<_> = Ratio::all(&plans, &reports()).iter().map(Ratio::is_met).collect();
        assert_eq!(met, [Some(true), Some(false), Some(true), Some(false), None]);
    }

    #[test]
    fn deliveries_are_those_of_runs_that_deliver() {
        let plans = [plan(Figure::DeliveriesPerS, Some(0.5), None)];
        let mut reports = reports();
        assert_eq!(Ratio::all(&plans, &reports)[0].values, [None, None], "they publish");
        for report in reports.values_mut() {
            report.workload.kind = Kind::FanOut;
        }
        let ratio = &Ratio::all(&plans, &reports)[0];
        assert_eq!((ratio.values, ratio.is_met()), ([Some(300.0), Some(100.0)], Some(true)));
        assert_eq!((ratio.figure(), ratio.write(ratio.values[0])), ("deliveries/s", "300".to_owned()));
    }

    #[test]
    fn a_ratio_of_a_run_with_warnings_says_so() {
        let mut reports = reports();
        let plans = [plan(Figure::MessagesPerS, Some(3.0), None)];
        assert_eq!(Ratio::all(&plans, &reports)[0].verdict(), "met; see the warnings", "the example has one");
        for report in reports.values_mut() {
            report.warnings.clear();
        }
        assert_eq!(Ratio::all(&plans, &reports)[0].verdict(), "met");
    }

    #[test]
    fn a_run_that_did_not_take_place_has_no_ratio() {
        let mut reports = reports();
        reports.remove("b");
        let ratios = Ratio::all(&[plan(Figure::MessagesPerS, Some(1.0), None)], &reports);
        assert_eq!((ratios[0].value(), ratios[0].is_met()), (None, None));
        assert_eq!(ratios[0].write(ratios[0].values[1]), "not run");
        assert_eq!(ratios[0].titles, ["first", "b"]);
    }
}
