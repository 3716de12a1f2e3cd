//! Line plots as SVG, with a title and a description for those who don't see them. Pure.

use std::fmt::Write as _;

use super::axis::Scale;
use super::escape::escape;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;
/// Colours and dashes that the style sheet has.
const LINE_STYLES: usize = 8;
/// Points that are marked, each with its values: more would be a band.
const MARKS_MAX: usize = 80;

/// A plot as it is built.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    /// What it shows.
    pub(super) title: String,
    /// What a reader who does not see it should know.
    pub(super) description: String,
    /// Across.
    pub(super) x: Axis,
    /// Up.
    pub(super) y: Axis,
    /// What is drawn.
    pub(super) lines: Vec<Line>,
}

/// An axis of a plot.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// What it is.
    pub(super) label: String,
    /// How values are spread.
    pub(super) scale: Scale,
    /// How values are written.
    pub(super) write: fn(f64) -> String,
}

/// A line of a plot.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// What it is.
    pub(super) name: String,
    /// Its points, from left to right.
    pub(super) points: Vec<(f64, f64)>,
}

impl Plot {
    /// As markup: the plot and its legend.
    #[must_use]
    pub(super) fn html(&self) -> String {
        let mut svg = format!(
            "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\"><title>{}</title><desc>{}</desc>\n",
            escape(&self.title),
            escape(&self.description)
        );
        self.draw_axes(&mut svg);
        for (number, line) in self.lines.iter().enumerate() {
            self.draw_line(&mut svg, number % LINE_STYLES, line);
        }
        svg.push_str("</svg>\n");
        if self.lines.len() > 1 {
            svg.push_str(&self.legend());
        }
        svg.push_str("</figure>\n");
        svg
    }

    fn draw_axes(&self, svg: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in self.y.scale.ticks() {
            let y = self.y_of(tick);
            let text = escape(&(self.y.write)(tick));
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                LEFT - 8.0,
                y + 4.0
            );
        }
        for tick in self.x.scale.ticks() {
            let x = self.x_of(tick);
            let text = escape(&(self.x.write)(tick));
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                bottom + 17.0
            );
        }
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{LEFT},{TOP}V{bottom}H{right}\"/><text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text><text class=\"label\" transform=\"translate(14,{:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            LEFT.midpoint(right),
            HEIGHT - 8.0,
            escape(&self.x.label),
            TOP.midpoint(bottom),
            escape(&self.y.label)
        );
    }

    fn draw_line(&self, svg: &mut String, style: usize, line: &Line) {
        let points: Vec<&(f64, f64)> = line.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        let path: Vec<String> =
            points.iter().map(|(x, y)| format!("{:.1},{:.1}", self.x_of(*x), self.y_of(*y))).collect();
        let _ = writeln!(svg, "<polyline class=\"line s{style}\" points=\"{}\"/>", path.join(" "));
        let stride = points.len().div_ceil(MARKS_MAX).max(1);
        for (x, y) in points.into_iter().step_by(stride) {
            let _ = write!(
                svg,
                "<circle class=\"mark s{style}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\"><title>{}, {}: {}</title></circle>",
                self.x_of(*x),
                self.y_of(*y),
                escape(&line.name),
                escape(&(self.x.write)(*x)),
                escape(&(self.y.write)(*y))
            );
        }
        svg.push('\n');
    }

    fn legend(&self) -> String {
        let entry = |(number, line): (usize, &Line)| {
            let style = number % LINE_STYLES;
            format!(
                "<li><svg class=\"key\" viewBox=\"0 0 28 8\" aria-hidden=\"true\"><path class=\"line s{style}\" d=\"M0,4H28\"/></svg>{}</li>",
                escape(&line.name)
            )
        };
        let entries: String = self.lines.iter().enumerate().map(entry).collect();
        format!("<figcaption><ul class=\"legend\">{entries}</ul></figcaption>\n")
    }

    fn x_of(&self, value: f64) -> f64 {
        LEFT + self.x.scale.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y_of(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.scale.place(value) * (HEIGHT - TOP - BOTTOM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::units;

    fn plot() -> Plot {
        Plot {
            title: "a <title>".to_owned(),
            description: "it rises".to_owned(),
            x: Axis { label: "seconds".to_owned(), scale: Scale::Linear { max: 10.0 }, write: units::count },
            y: Axis { label: "latency".to_owned(), scale: Scale::Log { min: 1.0, max: 100.0 }, write: units::time },
            lines: vec![
                Line { name: "p50".to_owned(), points: vec![(0.0, 1.0), (10.0, 100.0), (5.0, f64::NAN)] },
                Line { name: "p99 & up".to_owned(), points: vec![(0.0, 10.0)] },
            ],
        }
    }

    #[test]
    fn values_lie_where_their_axes_say() {
        let html = plot().html();
        // From the lower left corner to the upper right one; what is no number is left out.
        assert!(html.contains("points=\"72.0,234.0 706.0,12.0\""), "{html}");
        assert!(html.contains("<title>p50, 10: 100 µs</title>"), "{html}");
    }

    #[test]
    fn those_who_do_not_see_it_are_told() {
        let html = plot().html();
        for part in ["role=\"img\"", "<title>a &lt;title&gt;</title>", "<desc>it rises</desc>", "p99 &amp; up"] {
            assert!(html.contains(part), "`{part}` is missing in {html}");
        }
    }

    #[test]
    fn a_long_series_is_one_line_with_a_bounded_number_of_marks() {
        let mut long = plot();
        long.lines = vec![Line { name: "x".to_owned(), points: (0..600).map(|at| (f64::from(at), 1.0)).collect() }];
        let html = long.html();
        assert!(html.matches("<circle").count() <= MARKS_MAX);
        assert!(!html.contains("<figcaption>"), "one line needs no legend");
    }
}
