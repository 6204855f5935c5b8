//! What users are told: errors and warnings with a stable code and the path of the argument.

use std::borrow::Cow;
use std::fmt;

use crate::path::Path;

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The operation failed.
    Error,
    /// Worth knowing.
    Warning,
}

/// One message to the user. Never holds a secret: Terraform prints and logs it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// Where in the configuration; the root where it concerns the whole.
    pub path: Path,
    /// Stable code, for example `EKB2001`: users' retry rules match it. Those of the framework begin with `F`.
    pub code: Cow<'static, str>,
    /// One line, shown with the code behind it: `Invalid CIDR (EKB2001)`.
    pub summary: String,
    /// What happened, as paragraphs.
    pub detail: String,
    /// What to do next; the last paragraph shown.
    pub hint: Box<str>,
}

impl Diagnostic {
    /// An error.
    pub fn error(
        code: impl Into<Cow<'static, str>>,
        summary: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            path: Path::root(),
            code: code.into(),
            summary: summary.into(),
            detail: detail.into(),
            hint: Box::default(),
        }
    }

    /// A warning.
    pub fn warning(
        code: impl Into<Cow<'static, str>>,
        summary: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, summary, detail)
        }
    }

    /// The same at a path: `"cidr"`, `"flow_logs.destination"` or a [`Path`].
    #[must_use]
    pub fn at(mut self, path: impl Into<Path>) -> Self {
        self.path = path.into();
        self
    }

    /// The same with what the user can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into().into_boxed_str();
        self
    }

    /// The line shown first.
    pub fn headline(&self) -> String {
        if self.code.is_empty() {
            self.summary.clone()
        } else {
            format!("{} ({})", self.summary, self.code)
        }
    }

    /// The paragraphs shown below it.
    pub fn body(&self) -> String {
        [self.detail.as_str(), &*self.hint]
            .iter()
            .filter(|t| !t.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join("\n\n")
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.headline())?;
        if !self.path.is_root() {
            write!(f, " at {}", self.path)?;
        }
        let body = self.body();
        if body.is_empty() {
            Ok(())
        } else {
            write!(f, ": {body}")
        }
    }
}

/// Any number of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds an error.
    pub fn error(
        &mut self,
        code: &'static str,
        path: impl Into<Path>,
        summary: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.push(Diagnostic::error(code, summary, detail).at(path));
    }

    /// Adds a warning.
    pub fn warning(
        &mut self,
        code: &'static str,
        path: impl Into<Path>,
        summary: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.push(Diagnostic::warning(code, summary, detail).at(path));
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// These as the error of a `Result` where one of them is an error; warnings alone are lost by that.
    ///
    /// # Errors
    /// The messages.
    pub fn into_result(self) -> Result<(), Self> {
        if self.has_errors() { Err(self) } else { Ok(()) }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(one: Diagnostic) -> Self {
        Self(vec![one])
    }
}

impl From<Vec<Diagnostic>> for Diagnostics {
    fn from(all: Vec<Diagnostic>) -> Self {
        Self(all)
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, more: I) {
        self.0.extend(more);
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(Diagnostic::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Diagnostics {}
