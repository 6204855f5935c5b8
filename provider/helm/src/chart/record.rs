//! Why a release record cannot be kept: it does not fit into a Secret.

/// Most bytes that a Secret holds: Kubernetes refuses more (`MaxSecretSize`).
pub const LIMIT: usize = 1 << 20;

/// What may still come to a record after it was measured: its state, times, and why it failed.
pub(crate) const RESERVE: usize = 16 << 10;

/// Parts that are named.
const SHOWN: usize = 5;

/// A record that does not fit into its Secret.
#[derive(Debug)]
pub struct TooLarge {
    /// Name of the release.
    pub release: String,
    /// Bytes of the record, packed and encoded as the Secret holds it.
    pub bytes: usize,
    /// What it consists of, the largest first.
    pub parts: Vec<Part>,
}

/// A part of a record.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Its name: the path of a file, kind and name of an object.
    pub name: String,
    /// Bytes, packed and encoded alone.
    pub bytes: usize,
}

/// What a part of a record is; it decides what can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// A file of the chart that is no template.
    File,
    /// A template of the chart.
    Template,
    /// A rendered object or hook.
    Object,
    /// The chart's values, its schema, or its notes.
    Chart,
    /// The user's values.
    Values,
}

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the release record of {} has {} bytes packed, a Secret holds {LIMIT}, {RESERVE} of them for what is only known after the install. The largest parts, each packed alone:",
            self.release, self.bytes
        )?;
        for part in self.parts.iter().take(SHOWN) {
            let what = match part.kind {
                PartKind::File => "file of the chart",
                PartKind::Template => "template of the chart",
                PartKind::Object => "rendered object",
                PartKind::Chart => "of the chart:",
                PartKind::Values => "given:",
            };
            write!(f, "\n  {} bytes: {what} {}", part.bytes, part.name)?;
        }
        let advice = match self.parts.first().map(|part| part.kind) {
            Some(PartKind::File) => {
                "let .helmignore leave out files that the chart does not need, or package the chart without them"
            }
            Some(PartKind::Object) => {
                "turn off by values what is not needed, or install part of the objects (custom resource definitions, dashboards) by a chart of their own"
            }
            Some(PartKind::Values) => {
                "give large texts by a ConfigMap or Secret of their own instead of by values"
            }
            _ => "split the chart, or shorten its templates and values",
        };
        write!(f, "\nWhat helps: {advice}.")
    }
}
