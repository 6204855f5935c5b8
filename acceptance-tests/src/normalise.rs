//! Makes a command's output the same on every run, for snapshots.

use std::collections::HashMap;

use regex::{Captures, Regex};

use crate::workspace::Workspace;

/// Replaces what differs from run to run. Ids are numbered in the order in which they appear, so that the same id stays the same.
#[derive(Debug)]
pub struct Normaliser {
    fixed: Vec<(String, String)>,
}

impl Normaliser {
    /// Knows a workspace's folder, account and emulator.
    #[must_use]
    pub fn of(workspace: &Workspace) -> Self {
        let account = workspace.account();
        let folder = workspace.path();
        let root = folder.parent().unwrap_or(&folder).display().to_string();
        Self {
            fixed: vec![
                (root, "<FOLDER>".into()),
                (account.url().into(), "<AWS>".into()),
                (account.access_key().into(), "<ACCESS KEY>".into()),
                (account.id().into(), "<ACCOUNT>".into()),
            ],
        }
    }

    /// Also replaces this text.
    #[must_use]
    pub fn also(mut self, text: &str, with: &str) -> Self {
        self.fixed.push((text.into(), with.into()));
        self
    }

    /// The text without what differs.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let text = self
            .fixed
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        normalise(&text)
    }
}

/// Replaces AWS ids, request ids, ports, times and durations.
///
/// # Panics
/// Never: its patterns are good.
#[must_use]
pub fn normalise(text: &str) -> String {
    let replace = |text: &str, pattern: &str, with: &str| {
        Regex::new(pattern)
            .expect("a good pattern")
            .replace_all(text, with)
            .into_owned()
    };
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut counts: HashMap<String, usize> = HashMap::new();
    let ids = Regex::new(r"\b(vpc|subnet|igw|eipalloc|eipassoc|nat|rtb|rtbassoc|sg|sgr|eni|vpce|fl|acl|pl|i|vol|lt)-[0-9a-f]{8,17}\b")
        .expect("a good pattern");
    let text = ids.replace_all(text, |found: &Captures<'_>| {
        let kind = &found[1];
        let number = *seen.entry(found[0].to_owned()).or_insert_with(|| {
            let count = counts.entry(kind.to_owned()).or_default();
            *count += 1;
            *count
        });
        format!("{kind}-<{number}>")
    });
    let text = replace(
        &text,
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        "<UUID>",
    );
    let text = replace(&text, r"\bsystem-[0-9a-f]{8}\b", "system-<DIGEST>");
    let text = replace(&text, r"\bA(RO|ID)A[0-9A-Z]{16,17}\b", "<UNIQUE ID>");
    let text = replace(&text, r"127\.0\.0\.1:\d+", "127.0.0.1:<PORT>");
    let text = replace(&text, r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z", "<TIME>");
    let text = replace(&text, r"(after |\[)(\d+m)?\d+s", "${1}<DURATION>");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim_end())
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn the_same_id_keeps_its_number_and_all_that_differs_from_run_to_run_goes() {
        let text = "vpc-0123456789abcdef0 has subnet-0123456789abcdef0 and subnet-0123456789abcdef1, like vpc-0123456789abcdef0  \n\
                    at http://127.0.0.1:40123 (request 4051d4aa-ff78-432d-90c0-9eebbf2d15b7, 2026-11-23T20:19:27Z) after 12s [1m02s elapsed]\n\n";
        assert_eq!(
            normalise(text),
            "vpc-<1> has subnet-<1> and subnet-<2>, like vpc-<1>\n\
             at http://127.0.0.1:<PORT> (request <UUID>, <TIME>) after <DURATION> [<DURATION> elapsed]\n"
        );
    }
}
