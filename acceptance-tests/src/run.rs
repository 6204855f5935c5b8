//! What a command did.

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

/// A command that has ended.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Exit code; 128 + signal where it was killed.
    pub code: i32,
    /// Standard output, without colours.
    pub stdout: String,
    /// Standard error, without colours.
    pub stderr: String,
    /// Real time.
    pub took: Duration,
}

/// An error or a warning in a command's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// `Error` or `Warning`.
    pub severity: String,
    /// Its first line.
    pub summary: String,
    /// Everything after it: where, and the detail.
    pub detail: String,
}

static HEAD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^(Error|Warning): (.*)$").expect("a good pattern"));
static COUNTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(\d+) added, (\d+) changed, (\d+) destroyed").expect("a good pattern"));

impl Run {
    /// Panics with all output unless the command succeeded.
    ///
    /// # Panics
    /// See above.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "mostly called for the panic")]
    pub fn ok(self) -> Self {
        assert!(self.code == 0, "{self}");
        self
    }

    /// Panics with all output unless the command failed by itself (not by a signal).
    ///
    /// # Panics
    /// See above.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "mostly called for the panic")]
    pub fn failed(self) -> Self {
        assert!(self.code > 0 && self.code < 128, "{self}");
        self
    }

    /// Panics unless the output (either stream) has this text, white space and line breaks apart.
    ///
    /// # Panics
    /// See above.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "mostly called for the panic")]
    pub fn says(self, text: &str) -> Self {
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            squeeze(&self.output()).contains(&squeeze(text)),
            "`{text}` is not said by {self}"
        );
        self
    }

    /// Both streams.
    #[must_use]
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Errors and warnings, in order, without those about development overrides.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let text = self.output();
        let heads: Vec<_> = HEAD
            .captures_iter(&text)
            .filter_map(|head| Some((head.get(0)?, head)))
            .collect();
        let end = |index: usize| heads.get(index + 1).map_or(text.len(), |(next, _)| next.start());
        heads
            .iter()
            .enumerate()
            .map(|(index, (place, head))| Diagnostic {
                severity: head[1].to_owned(),
                summary: head[2].to_owned(),
                detail: text[place.end()..end(index)].trim().to_owned(),
            })
            .filter(|diagnostic| {
                !diagnostic
                    .summary
                    .contains("rovider development overrides are in effect")
            })
            .collect()
    }

    /// The errors among [`Run::diagnostics`].
    #[must_use]
    pub fn errors(&self) -> Vec<Diagnostic> {
        self.diagnostics()
            .into_iter()
            .filter(|diagnostic| diagnostic.severity == "Error")
            .collect()
    }

    /// The warnings among [`Run::diagnostics`].
    #[must_use]
    pub fn warnings(&self) -> Vec<Diagnostic> {
        self.diagnostics()
            .into_iter()
            .filter(|diagnostic| diagnostic.severity == "Warning")
            .collect()
    }

    /// Resources added, changed, destroyed, as an apply says at its end.
    #[must_use]
    pub fn counts(&self) -> Option<(usize, usize, usize)> {
        if let Some(found) = COUNTS.captures(&self.stdout) {
            let number = |index: usize| found[index].parse().unwrap_or(0);
            return Some((number(1), number(2), number(3)));
        }
        let destroyed = self
            .stdout
            .split("Resources: ")
            .nth(1)?
            .split(' ')
            .next()?
            .parse()
            .ok()?;
        Some((0, 0, destroyed))
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "`{}` ended with {} after {:.1?}\n--- stdout\n{}\n--- stderr\n{}",
            self.arguments.join(" "),
            self.code,
            self.took,
            self.stdout,
            self.stderr
        )
    }
}
