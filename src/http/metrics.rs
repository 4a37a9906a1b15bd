//! Counters, and the text that Prometheus reads
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::control::Status;

/// Upper bounds of the latency histogram, in seconds; reads take microseconds, writes an fsync.
const BOUNDS: [f64; 8] = [0.0005, 0.002, 0.01, 0.05, 0.2, 1.0, 5.0, 30.0];

#[derive(Clone, Default)]
struct Histogram {
    /// One more than there are bounds: the last has what is above all of them.
    buckets: [u64; BOUNDS.len() + 1],
    sum: f64,
}

/// What the door counts.
#[derive(Default)]
pub(super) struct Metrics {
    /// By action and code; both come from closed sets, so that a client cannot make more of them.
    calls: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    latency: Mutex<BTreeMap<&'static str, Histogram>>,
    refused_connections: AtomicU64,
}

/// Numbers that others keep, at the moment of asking.
pub(super) struct Gauges<'a> {
    pub generation: u64,
    pub status: &'a Status,
    pub connections: usize,
    pub queue_length: usize,
}

impl Metrics {
    /// Counts a call: `action` is the decoded action or `-`, `code` the fault's code or `ok`.
    pub fn called(&self, action: &'static str, code: &'static str, took: Duration) {
        *lock(&self.calls).entry((action, code)).or_default() += 1;
        let seconds = took.as_secs_f64();
        let mut latency = lock(&self.latency);
        let histogram = latency.entry(action).or_default();
        histogram.buckets[BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len())] += 1;
        histogram.sum += seconds;
    }

    /// Counts a connection that found no place.
    pub fn refused_connection(&self) {
        self.refused_connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything, as text.
    pub fn render(&self, gauges: &Gauges<'_>) -> String {
        let mut out = String::new();
        self.render_calls(&mut out);
        self.render_latency(&mut out);
        let refused = self.refused_connections.load(Ordering::Relaxed);
        head(&mut out, "fogbank_connections_refused_total", "counter", "Connections that found no place.");
        let _ = writeln!(out, "fogbank_connections_refused_total {refused}");
        head(&mut out, "fogbank_connections", "gauge", "Open connections.");
        let _ = writeln!(out, "fogbank_connections {}", gauges.connections);
        head(&mut out, "fogbank_write_queue_length", "gauge", "Writes that wait for the writer.");
        let _ = writeln!(out, "fogbank_write_queue_length {}", gauges.queue_length);
        head(&mut out, "fogbank_generation", "gauge", "The desired state's generation.");
        let _ = writeln!(out, "fogbank_generation {}", gauges.generation);
        render_hosts(&mut out, gauges.status);
        out
    }

    fn render_calls(&self, out: &mut String) {
        head(out, "fogbank_requests_total", "counter", "API requests by action and code.");
        for ((action, code), count) in lock(&self.calls).iter() {
            let _ = writeln!(out, "fogbank_requests_total{{action=\"{action}\",code=\"{code}\"}} {count}");
        }
    }

    fn render_latency(&self, out: &mut String) {
        let name = "fogbank_request_duration_seconds";
        head(out, name, "histogram", "From the last byte of a request to the first of its answer.");
        for (action, histogram) in lock(&self.latency).iter() {
            let mut total = 0;
            for (at, count) in histogram.buckets.iter().enumerate() {
                total += count;
                let bound = BOUNDS.get(at).map_or("+Inf".to_owned(), f64::to_string);
                let _ = writeln!(out, "{name}_bucket{{action=\"{action}\",le=\"{bound}\"}} {total}");
            }
            let _ = writeln!(out, "{name}_sum{{action=\"{action}\"}} {}", histogram.sum);
            let _ = writeln!(out, "{name}_count{{action=\"{action}\"}} {total}");
        }
    }
}

fn render_hosts(out: &mut String, status: &Status) {
    head(out, "fogbank_host_applied_generation", "gauge", "The generation that a host has applied.");
    for (host, report) in &status.hosts {
        let _ =
            writeln!(out, "fogbank_host_applied_generation{{host=\"{}\"}} {}", label(host), report.applied);
    }
    head(out, "fogbank_host_failures", "gauge", "Parts of the state that a host could not apply.");
    for (host, report) in &status.hosts {
        let count = report.failures.len();
        let _ = writeln!(out, "fogbank_host_failures{{host=\"{}\"}} {count}", label(host));
    }
    head(out, "fogbank_host_last_seen_seconds", "gauge", "When a host reported last, in Unix time.");
    for (host, report) in &status.hosts {
        let seconds = report.last_seen.0.div_euclid(1_000_000);
        let _ = writeln!(out, "fogbank_host_last_seen_seconds{{host=\"{}\"}} {seconds}", label(host));
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// A label's value, escaped.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::HostStatus;

    #[test]
    fn calls_buckets_and_hosts_are_told() {
        let metrics = Metrics::default();
        metrics.called("DescribeAddresses", "ok", Duration::from_millis(1));
        metrics.called("DescribeAddresses", "ok", Duration::from_secs(60));
        metrics.called("-", "AuthFailure", Duration::ZERO);
        let mut status = Status::default();
        status.hosts.insert("a\"b".into(), HostStatus { applied: 7, ..HostStatus::default() });
        let text =
            metrics.render(&Gauges { generation: 9, status: &status, connections: 1, queue_length: 2 });
        for line in [
            "fogbank_requests_total{action=\"DescribeAddresses\",code=\"ok\"} 2",
            "fogbank_requests_total{action=\"-\",code=\"AuthFailure\"} 1",
            "fogbank_request_duration_seconds_bucket{action=\"DescribeAddresses\",le=\"0.0005\"} 0",
            "fogbank_request_duration_seconds_bucket{action=\"DescribeAddresses\",le=\"0.002\"} 1",
            "fogbank_request_duration_seconds_bucket{action=\"DescribeAddresses\",le=\"30\"} 1",
            "fogbank_request_duration_seconds_bucket{action=\"DescribeAddresses\",le=\"+Inf\"} 2",
            "fogbank_request_duration_seconds_count{action=\"DescribeAddresses\"} 2",
            "fogbank_host_applied_generation{host=\"a\\\"b\"} 7",
            "fogbank_generation 9",
            "fogbank_connections 1",
            "fogbank_write_queue_length 2",
        ] {
            assert!(text.lines().any(|given| given == line), "{line}\n{text}");
        }
    }
}
