//! Columns as SVG, with a table of the same numbers behind each chart.
//!
//! Series differ by pattern as well as by colour: the patterns are drawn once in a page, [`patterns`], in colours that the
//! style sheet gives for light and dark.

use super::numbers::short;
use maud::{Markup, html};

/// What a series may look like: more are put together by the caller.
pub(super) const PATTERNS: usize = 7;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 6.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;

/// Of a column's name.
const WIDEST_NAME: f64 = 40.0;

/// The part of a column's place that it takes.
const FILLED: f64 = 0.78;

pub(super) struct Chart<'a> {
    /// Unique in the page.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// What it shows, in a sentence.
    pub(super) about: String,
    /// What a column is, such as `day`.
    pub(super) of: &'a str,
    /// The columns' names.
    pub(super) columns: Vec<String>,
    pub(super) series: Vec<Series>,
    pub(super) layout: Layout,
}

pub(super) struct Series {
    pub(super) name: String,
    /// One for each column.
    pub(super) values: Vec<f64>,
}

/// How the series of a column stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// One on the other: their sum is what counts.
    Stacked,
    /// One beside the other.
    Beside,
}

impl Chart<'_> {
    /// A figure with title, legend, chart and table.
    pub(super) fn figure(&self) -> Markup {
        let is_empty = self.series.iter().all(|series| series.values.iter().all(|value| *value <= 0.0));
        html! {
            figure {
                figcaption id={ (self.id) "-title" } { (self.title) }
                p.about id={ (self.id) "-about" } { (self.about) }
                @if is_empty {
                    p.none { "There is nothing to show for this time." }
                } @else {
                    @if self.series.len() > 1 { (self.legend()) }
                    (self.svg())
                    (self.table())
                }
            }
        }
    }

    fn legend(&self) -> Markup {
        html! {
            ul.legend {
                @for (n, series) in self.series.iter().enumerate() {
                    li {
                        svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
                            rect class={ "s" (n) } width="16" height="16" {}
                        }
                        (series.name)
                    }
                }
            }
        }
    }

    fn svg(&self) -> Markup {
        // What lasts seconds, in minutes, is not worth an axis of its own.
        let top = nice(self.highest().max(1.0));
        let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
        let place = (WIDTH - LEFT - RIGHT) / self.columns.len().max(1) as f64;
        let bars = match self.layout {
            Layout::Stacked => 1,
            Layout::Beside => self.series.len().max(1),
        };
        let width = place * FILLED / bars as f64;
        html! {
            svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img"
                aria-labelledby={ (self.id) "-title " (self.id) "-about" }
            {
                title { (self.title) }
                desc { (self.about) }
                @for value in [0.0, top / 2.0, top] {
                    line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(at(y(value))) y2=(at(y(value))) {}
                    text.tick x=(LEFT - 6.0) y=(at(y(value) + 4.0)) text-anchor="end" { (short(value)) }
                }
                @for (column, name) in self.columns.iter().enumerate() {
                    @let left = LEFT + place * (column as f64 + (1.0 - FILLED) / 2.0);
                    @for (n, from, value) in self.bars(column) {
                        @let x = if self.layout == Layout::Beside { left + width * n as f64 } else { left };
                        rect class={ "bar s" (n) } x=(at(x)) width=(at(width))
                            y=(at(y(from + value))) height=(at((y(from) - y(from + value)).max(0.8)))
                        {
                            title { (name) ", " (self.series[n].name) ": " (short(value)) }
                        }
                    }
                    @if self.is_named(column) {
                        @let middle = LEFT + place * (column as f64 + 0.5);
                        // What is written under the outermost columns stays within the picture.
                        @let (x, anchor) = match middle + WIDEST_NAME / 2.0 > WIDTH {
                            true => (WIDTH - 1.0, "end"),
                            false => (middle, "middle"),
                        };
                        text.tick x=(at(x)) y=(HEIGHT - 8.0) text-anchor=(anchor) { (name) }
                    }
                }
            }
        }
    }

    /// The bars of a column: the series, where it begins and how high it is. Nothing for zeros.
    fn bars(&self, column: usize) -> Vec<(usize, f64, f64)> {
        let mut from = 0.0;
        let mut bars = Vec::new();
        for (n, series) in self.series.iter().enumerate() {
            let value = series.values.get(column).copied().unwrap_or(0.0).max(0.0);
            if value > 0.0 {
                bars.push((n, from, value));
                from += if self.layout == Layout::Stacked { value } else { 0.0 };
            }
        }
        bars
    }

    fn highest(&self) -> f64 {
        let highest = (0..self.columns.len()).flat_map(|column| self.bars(column));
        highest.map(|(_, from, value)| from + value).fold(0.0, f64::max)
    }

    /// Names that would touch each other are left out; the last column has its own always.
    fn is_named(&self, column: usize) -> bool {
        let step = self.columns.len().div_ceil(8).max(1);
        (self.columns.len() - 1 - column).is_multiple_of(step)
    }

    fn table(&self) -> Markup {
        let is_shown = |column: &usize| self.series.iter().any(|series| series.values[*column] > 0.0);
        html! {
            details {
                summary { "The numbers" }
                div.scroll role="region" tabindex="0" aria-label={ (self.title) ", as a table" } {
                    table {
                        thead {
                            tr {
                                th scope="col" { (self.of) }
                                @for series in &self.series { th.number scope="col" { (series.name) } }
                            }
                        }
                        tbody {
                            @for column in (0..self.columns.len()).filter(is_shown) {
                                tr {
                                    th scope="row" { (self.columns[column]) }
                                    @for series in &self.series { td.number { (short(series.values[column])) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The patterns that the style sheet fills series with.
pub(super) fn patterns() -> Markup {
    let pattern = |n: usize, drawn: Markup| {
        html! {
            pattern id={ "p" (n) } width="8" height="8" patternUnits="userSpaceOnUse" {
                rect class={ "c" (n) } width="8" height="8" {}
                (drawn)
            }
        }
    };
    let path = |drawn: &str| html! { path.ink d=(drawn) {} };
    html! {
        svg.patterns width="0" height="0" aria-hidden="true" focusable="false" {
            defs {
                (pattern(0, html! {}))
                (pattern(1, path("M-2 2 2 -2 M-2 10 10 -2 M6 10 10 6")))
                (pattern(2, html! { circle.dot cx="4" cy="4" r="1.7" {} }))
                (pattern(3, path("M0 4H8")))
                (pattern(4, path("M4 0V8 M0 4H8")))
                (pattern(5, path("M-2 6 6 14 M-2 -2 10 10 M6 -2 14 6")))
                (pattern(6, path("M2 0V8 M6 0V8")))
            }
        }
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn nice(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1e-9).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|top| *top >= value * 0.999_999).unwrap_or(value)
}

/// A coordinate: more places than these nobody sees.
fn at(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(columns: usize, series: &[&[f64]], layout: Layout) -> String {
        let series = series
            .iter()
            .map(|values| Series { name: "<a&b>".to_owned(), values: values.to_vec() })
            .collect();
        let columns = (0..columns).map(|n| n.to_string()).collect();
        let chart = Chart { id: "c", title: "T", about: "A".to_owned(), of: "day", columns, series, layout };
        chart.figure().into_string()
    }

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, expected) in
            [(0.3, 0.5), (1.0, 1.0), (7.0, 10.0), (11.0, 20.0), (499.0, 500.0), (5e6, 5e6)]
        {
            assert!((nice(value) - expected).abs() < expected * 1e-6, "{value}: {}", nice(value));
        }
    }

    #[test]
    fn nothing_is_told_in_words() {
        for drawn in [chart(0, &[], Layout::Stacked), chart(2, &[&[0.0, 0.0]], Layout::Beside)] {
            assert!(drawn.contains("nothing to show") && !drawn.contains("class=\"chart\""), "{drawn}");
        }
    }

    #[test]
    fn every_number_has_a_bar_and_a_cell_and_names_are_escaped() {
        for layout in [Layout::Stacked, Layout::Beside] {
            let drawn = chart(3, &[&[1.0, 0.0, 2.0], &[3.0, 0.0, 4.0]], layout);
            assert_eq!(drawn.matches("class=\"bar ").count(), 4, "{drawn}");
            assert_eq!(drawn.matches("<tr>").count(), 3);
            assert!(drawn.contains("&lt;a&amp;b&gt;") && !drawn.contains("<a&b>"));
        }
        // The scale is that of the sums where bars stand on each other.
        assert!(chart(1, &[&[4.0], &[4.0]], Layout::Stacked).contains(">10<"));
        assert!(chart(1, &[&[4.0], &[4.0]], Layout::Beside).contains(">5<"));
    }
}
