//! The metrics as text, in one of the two formats that Prometheus reads.

use prometheus_client::encoding::text::{encode, encode_registry};
use prometheus_client::registry::Registry;
use std::collections::HashSet;
use std::fmt::Error;

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus' own, version 0.0.4: every reader of metrics takes it.
    Classic,
    /// OpenMetrics 1.0.0: for those who ask for it by name, as a Prometheus server does.
    OpenMetrics,
}

impl Exposition {
    /// The format for these values of the request's `Accept` header (RFC 9110, 12.5.1): OpenMetrics where it is named and
    /// nothing is preferred to it, else the classic one, which is also for those who accept anything or don't say.
    pub fn accepted<'a>(values: impl IntoIterator<Item = &'a str>) -> Exposition {
        let (mut openmetrics, mut classic) = (0.0, 0.0);
        for range in values.into_iter().flat_map(|value| value.split(',')) {
            let (kind, version, weight) = media_range(range);
            match (kind.as_str(), version) {
                ("application/openmetrics-text", None | Some("1.0.0")) => {
                    openmetrics = weight.max(openmetrics)
                }
                ("text/plain", None | Some("0.0.4")) => classic = weight.max(classic),
                _ => {}
            }
        }
        match openmetrics > 0.0 && openmetrics >= classic {
            true => Exposition::OpenMetrics,
            false => Exposition::Classic,
        }
    }

    /// The answer's `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Exposition::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Exposition::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A media range's type in lower case, its version if it names one, and how much it is wanted, from 0 (not at all) to 1
/// (RFC 9110, 12.4.2).
fn media_range(range: &str) -> (String, Option<&str>, f32) {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let value = |name: &str| {
        let found = parameters.iter().find(|(found, _)| found.trim().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().trim_matches('"'))
    };
    (kind, value("version"), value("q").map_or(1.0, |q| q.parse().unwrap_or(0.0)))
}

/// The metrics as text.
///
/// # Errors
/// When a metric can't be written as text.
pub(super) fn text(exposition: Exposition, registry: &Registry) -> Result<String, Error> {
    let mut text = String::new();
    match exposition {
        Exposition::OpenMetrics => encode(&mut text, registry)?,
        Exposition::Classic => {
            encode_registry(&mut text, registry)?;
            text = classic(&text);
        }
    }
    Ok(text)
}

/// OpenMetrics names a counter's family without `_total`, and has lines about units; the older format knows neither.
fn classic(openmetrics: &str) -> String {
    let counters: HashSet<&str> = openmetrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let lines = openmetrics.lines().filter(|line| !line.starts_with("# UNIT "));
    lines.map(|line| in_full(line, &counters) + "\n").collect()
}

fn in_full(line: &str, counters: &HashSet<&str>) -> String {
    for about in ["# HELP ", "# TYPE "] {
        if let Some((name, rest)) = line.strip_prefix(about).and_then(|line| line.split_once(' '))
            && counters.contains(name)
        {
            return format!("{about}{name}_total {rest}");
        }
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_what_was_asked_for() {
        use Exposition::{Classic, OpenMetrics};
        for (who, accept, expected) in [
            ("nobody in particular", vec![], Classic),
            ("curl", vec!["*/*"], Classic),
            ("a browser", vec!["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], Classic),
            (
                "Prometheus 2",
                vec![
                    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                     text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                ],
                OpenMetrics,
            ),
            (
                "Prometheus 3",
                vec![
                    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                     application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                     text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                ],
                OpenMetrics,
            ),
            (
                "a Prometheus that is told to prefer the older text",
                vec!["text/plain;version=0.0.4;q=0.6, application/openmetrics-text;version=1.0.0;q=0.5"],
                Classic,
            ),
            ("one that refuses it", vec!["application/openmetrics-text; q=0"], Classic),
            (
                "one that wants a version to come",
                vec!["application/openmetrics-text; version=2.0.0"],
                Classic,
            ),
            (
                "several lines",
                vec!["text/plain; q=0.1", "Application/OpenMetrics-Text; Version=\"1.0.0\""],
                OpenMetrics,
            ),
            ("nonsense", vec![";;,=,q=", "application/openmetrics-text;q=much"], Classic),
        ] {
            assert_eq!(Exposition::accepted(accept), expected, "{who}");
        }
    }

    #[test]
    fn counters_are_named_in_full_and_units_left_out() {
        let given = "# HELP a_requests Sent.\n# TYPE a_requests counter\na_requests_total{status=\"200\"} 1\n\
                     # HELP a_size_bytes On disk.\n# TYPE a_size_bytes gauge\n# UNIT a_size_bytes bytes\na_size_bytes 2\n";
        let expected = "# HELP a_requests_total Sent.\n# TYPE a_requests_total counter\n\
                        a_requests_total{status=\"200\"} 1\n\
                        # HELP a_size_bytes On disk.\n# TYPE a_size_bytes gauge\na_size_bytes 2\n";
        assert_eq!(classic(given), expected);
    }
}
