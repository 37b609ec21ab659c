//! Numbers for Prometheus.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper ends of the buckets of request times, seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Routed {
    route: String,
}

/// All of them.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Routed, Histogram>,
    pub(crate) clips: Gauge,
    pub(crate) segments: Gauge,
    pub(crate) waiting_encodes: Gauge,
    pub(crate) waiting_searches: Gauge,
    pub(crate) jobs: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("earmark");
        let requests = Family::default();
        let seconds =
            Family::<Routed, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS.iter().copied()));
        let gauge = |registry: &mut Registry, name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register("http_request_seconds", "Time to the head of the answer", seconds.clone());
        Self {
            clips: gauge(&mut registry, "clips", "Clips in the index"),
            segments: gauge(&mut registry, "segments", "Segments in the index"),
            waiting_encodes: gauge(&mut registry, "encodes", "Sounds being encoded, or waiting for it"),
            waiting_searches: gauge(&mut registry, "searches", "Searches running or waiting"),
            jobs: gauge(&mut registry, "jobs", "Jobs running or waiting"),
            registry,
            requests,
            seconds,
        }
    }

    pub(crate) fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        // Methods are the client's to invent, and each would be a series of its own.
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let method = known.iter().find(|known| **known == method).unwrap_or(&"other");
        let route = route.to_owned();
        let answered = Answered { method: (*method).to_owned(), route: route.clone(), status };
        self.requests.get_or_create(&answered).inc();
        self.seconds.get_or_create(&Routed { route }).observe(took.as_secs_f64());
    }

    /// In OpenMetrics' text form.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
