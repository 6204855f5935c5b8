//! Logs to the host: tracing events as the JSON lines that hashicorp's hclog writes, on stderr.
//!
//! The host shows a line with its level and fields only if it is exactly of this form; any other line becomes plain
//! debug text, and one that begins with `panic:` makes it say that the plugin crashed.

use serde_json::{Map, Value};
use std::fmt;
use std::io::Write as _;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// The host splits lines of 64 KiB and more, and logs the pieces raw.
const LONGEST_LINE: usize = 60 * 1024;
/// What remains of a text in a line that would be longer.
const LONGEST_TEXT: usize = 2 * 1024;

/// The level asked for: the provider's own variable, else that of all providers, else that of everything.
/// As in the host, `JSON` is trace (with the host's own output as JSON), and what is no level is trace too.
pub(crate) fn level(name: &str, variable: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let own = format!("TF_LOG_PROVIDER_{}", name.to_uppercase().replace('-', "_"));
    let text = [own.as_str(), "TF_LOG_PROVIDER", "TF_LOG"]
        .into_iter()
        .find_map(variable);
    match text.map(|text| text.to_uppercase()).as_deref() {
        None | Some("OFF") => LevelFilter::OFF,
        Some("ERROR") => LevelFilter::ERROR,
        Some("WARN") => LevelFilter::WARN,
        Some("INFO") => LevelFilter::INFO,
        Some("DEBUG") => LevelFilter::DEBUG,
        Some(_) => LevelFilter::TRACE,
    }
}

/// Sends events to stderr from now on. Where logs are off no subscriber is set at all, so that they cost nothing.
/// `crates` may log at `level`, all others at warnings (see [`crate::About::crates`]).
pub(crate) fn install(name: &'static str, level: LevelFilter, crates: &'static [&'static str]) {
    if level != LevelFilter::OFF {
        let layer = Hclog {
            name,
            level,
            crates,
            write: write_to_stderr,
        };
        // Fails only when a subscriber is set already, as in tests: then that one is wanted.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
    }
}

fn write_to_stderr(line: &str) {
    // Where the host does not read any more there is nobody to tell.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// The layer. `write` takes a whole line with its newline.
struct Hclog<W> {
    name: &'static str,
    level: LevelFilter,
    crates: &'static [&'static str],
    write: W,
}

/// A span's fields, kept in its extensions until an event needs them.
struct SpanFields(Map<String, Value>);

impl<W> Hclog<W> {
    fn allows(&self, metadata: &Metadata<'_>) -> bool {
        let root = metadata.target().split("::").next().unwrap_or_default();
        let ours = ["plugin", "framework"].contains(&root) || self.crates.contains(&root);
        let limit = if ours {
            self.level
        } else {
            self.level.min(LevelFilter::WARN)
        };
        *metadata.level() <= limit
    }
}

impl<S, W> Layer<S> for Hclog<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&str) + 'static,
{
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.allows(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Map::new();
            attributes.record(&mut Collector(&mut fields));
            span.extensions_mut().replace(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(fields)) = span.extensions_mut().get_mut()
        {
            values.record(&mut Collector(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Map::new();
        line.insert("@level".into(), level_name(*metadata.level()).into());
        line.insert("@message".into(), "".into());
        line.insert(
            "@module".into(),
            format!("{}.{}", self.name, metadata.target().replace("::", ".")).into(),
        );
        line.insert(
            "@timestamp".into(),
            timestamp(time::OffsetDateTime::now_utc()).into(),
        );
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                line.extend(fields.clone());
            }
        }
        event.record(&mut Collector(&mut line));
        (self.write)(&to_line(line));
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Exactly six digits of a second and `Z`: the host treats a line with any other form as plain text.
fn timestamp(now: time::OffsetDateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        now.year(),
        u8::from(now.month()),
        now.day(),
        now.hour(),
        now.minute(),
        now.second(),
        now.microsecond()
    )
}

fn to_line(mut fields: Map<String, Value>) -> String {
    let mut line = Value::from(fields.clone()).to_string();
    if line.len() >= LONGEST_LINE {
        fields.values_mut().for_each(shorten);
        line = Value::from(fields.clone()).to_string();
    }
    if line.len() >= LONGEST_LINE {
        fields.retain(|name, _| name.starts_with('@'));
        line = Value::from(fields).to_string();
    }
    line.push('\n');
    line
}

fn shorten(value: &mut Value) {
    if let Value::String(text) = value
        && text.len() > LONGEST_TEXT
    {
        let kept = text.floor_char_boundary(LONGEST_TEXT);
        *text = format!("{} … ({} more bytes)", &text[..kept], text.len() - kept);
    }
}

struct Collector<'a>(&'a mut Map<String, Value>);

impl Collector<'_> {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        let name = if field.name() == "message" {
            "@message"
        } else {
            field.name()
        };
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Collector<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Runs `events` under a layer of this level, and gives the lines as the host would parse them.
    fn lines(level: LevelFilter, events: impl FnOnce()) -> Vec<Value> {
        raw(level, events)
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn raw(level: LevelFilter, events: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let write = move |line: &str| sink.lock().unwrap().push(line.to_owned());
        let layer = Hclog {
            name: "probe",
            level,
            crates: &["ours"],
            write,
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), events);
        lines.lock().unwrap().clone()
    }

    #[test]
    fn the_most_specific_variable_decides() {
        let asked = |set: &[(&str, &str)]| {
            let set: Vec<_> = set
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            level("ekb", |name| {
                set.iter()
                    .find(|(key, _)| key == name)
                    .map(|(_, value)| value.clone())
            })
        };
        assert_eq!(asked(&[]), LevelFilter::OFF);
        assert_eq!(asked(&[("TF_LOG", "JSON")]), LevelFilter::TRACE);
        assert_eq!(asked(&[("TF_LOG", "debug")]), LevelFilter::DEBUG);
        assert_eq!(
            asked(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "WARN")]),
            LevelFilter::WARN
        );
        assert_eq!(
            asked(&[("TF_LOG_PROVIDER", "WARN"), ("TF_LOG_PROVIDER_EKB", "off")]),
            LevelFilter::OFF
        );
        assert_eq!(asked(&[("TF_LOG", "loud")]), LevelFilter::TRACE);
    }

    /// Pitfall 5: with any other number of digits the host shows the whole line as raw debug text.
    #[test]
    fn timestamps_have_six_digits_and_z() {
        let moment = time::OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(20_000_007);
        assert_eq!(timestamp(moment), "1970-01-01T00:00:20.000007Z");
        let line = &lines(LevelFilter::INFO, || tracing::info!(target: "ours", "hello"))[0];
        assert_eq!(line["@timestamp"].as_str().unwrap().len(), 27);
    }

    #[test]
    fn events_carry_their_fields_and_those_of_their_spans() {
        let lines = lines(LevelFilter::TRACE, || {
            let span =
                tracing::info_span!(target: "ours", "call", tf_rpc = "Plan", late = tracing::field::Empty);
            span.record("late", 7);
            let _entered = span.enter();
            tracing::warn!(target: "ours::inner", count = 3, flag = true, "two\nlines");
        });
        let line = &lines[0];
        assert_eq!(line["@level"], "warn");
        assert_eq!(line["@message"], "two\nlines");
        assert_eq!(line["@module"], "probe.ours.inner");
        assert_eq!((&line["tf_rpc"], &line["late"]), (&"Plan".into(), &7.into()));
        assert_eq!((&line["count"], &line["flag"]), (&3.into(), &true.into()));
    }

    #[test]
    fn levels_are_kept_and_libraries_are_capped_at_warnings() {
        let messages: Vec<_> = lines(LevelFilter::DEBUG, || {
            tracing::trace!(target: "ours", "too fine");
            tracing::debug!(target: "ours", "ours");
            tracing::debug!(target: "hyper::client", "authorization: secret");
            tracing::warn!(target: "hyper::client", "a library warns");
        })
        .iter()
        .map(|line| line["@message"].as_str().unwrap().to_owned())
        .collect();
        assert_eq!(messages, ["ours", "a library warns"]);
    }

    #[test]
    fn no_line_is_longer_than_the_host_reads() {
        let long = "ä".repeat(100_000);
        let lines = raw(LevelFilter::INFO, || {
            tracing::info!(target: "ours", body = %long, "with one long field");
            tracing::info!(target: "ours", "{long}");
        });
        assert_eq!(lines.len(), 2);
        for line in &lines {
            assert!(
                line.len() < 64 * 1024 && line.ends_with("}\n"),
                "{} bytes",
                line.len()
            );
            serde_json::from_str::<Value>(line).unwrap();
        }
        assert!(lines[0].contains("with one long field") && lines[0].contains("more bytes"));
    }
}
