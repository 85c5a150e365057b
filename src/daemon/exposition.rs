//! The text format that every Prometheus takes, and its tools check: version 0.0.4.

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;
use std::collections::HashSet;
use std::fmt::Error;

/// The content type of the metrics' text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics as text.
///
/// # Errors
/// When a metric can't be written as text.
pub(super) fn text(registry: &Registry) -> Result<String, Error> {
    let mut text = String::new();
    encode_registry(&mut text, registry)?;
    Ok(classic(&text))
}

/// OpenMetrics names a counter's family without `_total`, and has lines about units; the older format knows neither.
fn classic(openmetrics: &str) -> String {
    let counters: HashSet<&str> = openmetrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(openmetrics.len());
    for line in openmetrics.lines().filter(|line| !line.starts_with("# UNIT ")) {
        text.push_str(&in_full(line, &counters));
        text.push('\n');
    }
    text
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
    fn counters_are_named_in_full_and_units_left_out() {
        let given = "# HELP a_requests Sent.\n# TYPE a_requests counter\na_requests_total{status=\"200\"} 1\n\
                     # HELP a_size_bytes On disk.\n# TYPE a_size_bytes gauge\n# UNIT a_size_bytes bytes\na_size_bytes 2\n";
        let expected = "# HELP a_requests_total Sent.\n# TYPE a_requests_total counter\n\
                        a_requests_total{status=\"200\"} 1\n\
                        # HELP a_size_bytes On disk.\n# TYPE a_size_bytes gauge\na_size_bytes 2\n";
        assert_eq!(classic(given), expected);
    }
}
