//! OpenTelemetry: sends the spans, metrics and logs of a program to a collector by OTLP. The
//! environment says where to send them and which of them, by the variables that Deno reads.
//! deno_telemetry does the work. The metrics are those of `/metrics`.

use std::collections::HashSet;
use std::env;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use deno_core::op2;
use deno_telemetry::OTEL_GLOBALS;
use deno_telemetry::OtelConfig;
use deno_telemetry::OtelConsoleConfig;
use deno_telemetry::OtelPropagators;
use deno_telemetry::OtelRuntimeConfig;
use duplex_websocket::metrics::Exposition;
use duplex_websocket::metrics::Family;
use duplex_websocket::metrics::Kind;
use duplex_websocket::metrics::Sample;
use duplex_websocket::metrics::watch_event_loops;
use opentelemetry::KeyValue;
use opentelemetry::metrics::AsyncInstrument;
use opentelemetry::metrics::Meter;
use opentelemetry::metrics::MeterProvider;
use sys_traits::impls::RealSys;

use crate::metrics_server::numbers;

/// Starts OpenTelemetry if the environment asks for it. To be called once, before the first engine
/// starts. At the end of the process, [`end_telemetry`] sends the data that has not been sent.
///
/// # Errors
/// If the environment names an unknown protocol, or has another value that cannot be used.
pub fn start_telemetry() -> Result<(), String> {
    let config = config_of_environment();
    let has_metrics = config.metrics_enabled;
    let runtime = OtelRuntimeConfig {
        runtime_name: "duplex".into(),
        runtime_version: env!("CARGO_PKG_VERSION").into(),
    };
    deno_telemetry::init(&RealSys, runtime, config).map_err(|error| format!("OTEL: {error}"))?;
    if has_metrics && let Some(globals) = OTEL_GLOBALS.get() {
        watch_event_loops();
        register_numbers(&globals.meter_provider.meter("duplex"));
    }
    Ok(())
}

/// Sends the data that has not been sent, within a short time limit.
pub fn end_telemetry() {
    if OTEL_GLOBALS.get().is_some() {
        deno_signals::run_exit();
    }
}

/// Hands a message of the log on to OpenTelemetry. Returns true if the message must not be shown
/// elsewhere.
pub fn log_to_telemetry(record: &log::Record<'_>) -> bool {
    let console = OTEL_GLOBALS.get().map(|globals| globals.config.console);
    match console {
        None | Some(OtelConsoleConfig::Ignore) => false,
        Some(OtelConsoleConfig::Capture) => {
            deno_telemetry::handle_log(record);
            false
        }
        Some(OtelConsoleConfig::Replace) => {
            deno_telemetry::handle_log(record);
            true
        }
    }
}

/// The configuration for `bootstrap` of deno_telemetry, or null if telemetry is off.
#[op2]
#[buffer]
pub(crate) fn op_runtime_telemetry() -> Option<Box<[u8]>> {
    OTEL_GLOBALS.get().map(|globals| globals.config.as_v8())
}

fn config_of_environment() -> OtelConfig {
    let is_disabled = flag("OTEL_SDK_DISABLED").unwrap_or(false);
    let by_default = !is_disabled && flag("OTEL_DENO").unwrap_or(false);
    let is_on = |name| !is_disabled && flag(name).unwrap_or(by_default);
    let console = match env::var("OTEL_DENO_CONSOLE").as_deref() {
        _ if is_disabled => OtelConsoleConfig::Ignore,
        Ok("ignore") => OtelConsoleConfig::Ignore,
        Ok("capture") => OtelConsoleConfig::Capture,
        Ok("replace") => OtelConsoleConfig::Replace,
        other => {
            if let Ok(other) = other {
                log::warn!(
                    "OTEL_DENO_CONSOLE is \"{other}\": it must be ignore, capture or replace"
                );
            }
            match by_default {
                true => OtelConsoleConfig::Capture,
                false => OtelConsoleConfig::Ignore,
            }
        }
    };
    OtelConfig {
        tracing_enabled: is_on("OTEL_DENO_TRACING"),
        metrics_enabled: is_on("OTEL_DENO_METRICS"),
        propagators: match by_default {
            true => propagators(),
            false => HashSet::new(),
        },
        console,
        deterministic_prefix: None,
    }
}

fn flag(name: &str) -> Option<bool> {
    let value = env::var(name).ok()?;
    let is_true = value.eq_ignore_ascii_case("true");
    if !is_true && !value.eq_ignore_ascii_case("false") {
        log::warn!("{name} is \"{value}\": it must be true or false");
        return None;
    }
    Some(is_true)
}

/// The kinds of headers that carry a trace to other programs.
fn propagators() -> HashSet<OtelPropagators> {
    let Ok(names) = env::var("OTEL_PROPAGATORS") else {
        return HashSet::from([OtelPropagators::TraceContext, OtelPropagators::Baggage]);
    };
    let known = names.split(',').filter_map(|name| match name.trim() {
        "tracecontext" => Some(OtelPropagators::TraceContext),
        "baggage" => Some(OtelPropagators::Baggage),
        _ => None,
    });
    known.collect()
}

/// Registers the metrics, which are read whenever they are sent. They have their Prometheus names
/// without `_total`, because collectors add that suffix. Of a histogram, only the count and the sum
/// are sent.
fn register_numbers(meter: &Meter) {
    let readings = Arc::new(Readings::default());
    // This reading is only for the names. The values are read when they are sent.
    for (index, family) in numbers().families().iter().enumerate() {
        let name = family.name.strip_suffix("_total").unwrap_or(family.name);
        let suffixes: &[&'static str] = match family.kind {
            Kind::Histogram => &["_count", "_sum"],
            Kind::Counter | Kind::Gauge => &[""],
        };
        for &suffix in suffixes {
            let readings = readings.clone();
            let observe = move |observer: &dyn AsyncInstrument<f64>| {
                if let Some(family) = readings.now().families().get(index) {
                    observe(family, suffix, observer);
                }
            };
            let name = format!("{name}{suffix}");
            // The meter keeps the instrument.
            match family.kind {
                Kind::Gauge => drop(
                    meter
                        .f64_observable_gauge(name)
                        .with_description(family.help.clone())
                        .with_callback(observe)
                        .build(),
                ),
                Kind::Counter | Kind::Histogram => drop(
                    meter
                        .f64_observable_counter(name)
                        .with_description(family.help.clone())
                        .with_callback(observe)
                        .build(),
                ),
            }
        }
    }
}

fn observe(family: &Family, suffix: &str, observer: &dyn AsyncInstrument<f64>) {
    let is_asked = |sample: &&Sample| sample.suffix == suffix;
    for sample in family.samples.iter().filter(is_asked) {
        let labels = sample.labels.iter();
        let labels: Vec<_> = labels
            .map(|(name, value)| KeyValue::new(name.clone(), value.clone()))
            .collect();
        observer.observe(sample.value, &labels);
    }
}

/// The metrics, which are read once for all instruments of a collection.
#[derive(Default)]
struct Readings {
    last: Mutex<Option<(Instant, Arc<Exposition>)>>,
}

impl Readings {
    fn now(&self) -> Arc<Exposition> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((read, numbers)) if read.elapsed() < FRESH => numbers.clone(),
            _ => {
                let numbers = Arc::new(numbers());
                *last = Some((Instant::now(), numbers.clone()));
                numbers
            }
        }
    }
}

/// A collection takes less time than this, and two collections are further apart.
const FRESH: Duration = Duration::from_millis(10);
