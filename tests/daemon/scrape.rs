//! What a Prometheus server gets: asked for over HTTP, and read by parsers that are not this program's.

use openmetrics_parser::openmetrics::parse_openmetrics;
use openmetrics_parser::prometheus::parse_prometheus;
use openmetrics_parser::{HistogramValue, MetricFamily, OpenMetricsValue, PrometheusValue};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// As Prometheus 3 asks.
pub const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
    application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
    text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/// As curl asks.
pub const ANYTHING: &str = "*/*";

/// An answer.
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

/// Asks once.
pub async fn get(address: &str, path: &str, accept: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let content_type = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        content_type: content_type.to_owned(),
        body: body.to_owned(),
    }
}

/// The value of each series, by its name and its labels in the order of their names: `name{a="1",b="2"}`. Of a histogram
/// its `_sum` and `_count`.
pub type Samples = BTreeMap<String, f64>;

/// Asks in the way of somebody who takes anything.
pub async fn classic(address: &str) -> Samples {
    let answer = get(address, "/metrics", ANYTHING).await;
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    let parsed =
        parse_prometheus(&answer.body).unwrap_or_else(|error| panic!("{error:?} in\n{}", answer.body));
    let mut samples = Samples::new();
    for family in parsed.families.values() {
        each(&mut samples, family, |value| match value {
            PrometheusValue::Counter(counter) => Read::Number(counter.value.as_f64()),
            PrometheusValue::Gauge(number) => Read::Number(number.as_f64()),
            PrometheusValue::Histogram(histogram) => Read::Histogram(histogram),
            other => panic!("{}: {other:?}", family.family_name),
        });
    }
    samples
}

/// Asks in the way of a Prometheus server.
pub async fn openmetrics(address: &str) -> Samples {
    let answer = get(address, "/metrics", PROMETHEUS).await;
    let expected = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((answer.status, answer.content_type.as_str()), (200, expected));
    let parsed =
        parse_openmetrics(&answer.body).unwrap_or_else(|error| panic!("{error:?} in\n{}", answer.body));
    let mut samples = Samples::new();
    for family in parsed.families.values() {
        each(&mut samples, family, |value| match value {
            OpenMetricsValue::Counter(counter) => Read::Number(counter.value.as_f64()),
            OpenMetricsValue::Gauge(number) => Read::Number(number.as_f64()),
            OpenMetricsValue::Histogram(histogram) => Read::Histogram(histogram),
            other => panic!("{}: {other:?}", family.family_name),
        });
    }
    samples
}

enum Read<'v> {
    Number(f64),
    Histogram(&'v HistogramValue),
}

fn each<T, V>(samples: &mut Samples, family: &MetricFamily<T, V>, read: impl Fn(&V) -> Read<'_>)
where
    V: openmetrics_parser::RenderableMetricValue + Clone,
    T: Clone,
{
    for sample in family.iter_samples() {
        let mut labels: Vec<String> = sample
            .get_labelset()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        labels.sort();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let name = &family.family_name;
        let mut add =
            |name: String, value| assert_eq!(samples.insert(name.clone() + &labels, value), None, "{name}");
        match read(&sample.value) {
            Read::Number(value) => add(name.clone(), value),
            Read::Histogram(histogram) => {
                let count = histogram.count.unwrap();
                assert_eq!(histogram.buckets.last().unwrap().count.as_f64(), count as f64, "{name}");
                add(format!("{name}_count"), count as f64);
                add(format!("{name}_sum"), histogram.sum.unwrap().as_f64());
            }
        }
    }
}
