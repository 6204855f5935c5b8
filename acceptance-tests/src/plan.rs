//! A plan: what the command printed, and the same as JSON.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

use crate::process::Reader;
use crate::run::Run;

/// What a plan would do to one resource or data source.
#[derive(Debug, Clone, Deserialize)]
pub struct Change {
    /// `no-op`, `create`, `update`, `delete`, `read`; two of them for a replacement.
    pub actions: Vec<String>,
    /// Object before.
    pub before: Value,
    /// Object after, without what is unknown.
    pub after: Value,
    /// `true` where `after` is unknown.
    #[serde(default)]
    pub after_unknown: Value,
    /// Paths that force the replacement.
    #[serde(default)]
    pub replace_paths: Vec<Value>,
}

impl Change {
    /// The actions in one word: `replace` for delete then create, `create-before-destroy` for the other order.
    #[must_use]
    pub fn action(&self) -> &str {
        match self.actions.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["delete", "create"] => "replace",
            ["create", "delete"] => "create-before-destroy",
            [one] => one,
            _ => "none",
        }
    }
}

/// The result of `plan -out -detailed-exitcode`.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The command.
    pub run: Run,
    /// The saved plan.
    pub file: PathBuf,
    reader: Reader,
    json: OnceLock<Value>,
}

impl Plan {
    /// Of a run that has written this file, which nothing else is written into.
    pub(crate) fn new(run: Run, file: PathBuf, reader: Reader) -> Self {
        Self {
            run,
            file,
            reader,
            json: OnceLock::new(),
        }
    }

    /// `show -json` of it, run where it is first asked for; null where the plan failed.
    pub fn json(&self) -> &Value {
        self.json.get_or_init(|| {
            if !matches!(self.run.code, 0 | 2) {
                return Value::Null;
            }
            let file = self.file.display().to_string();
            let shown = self.reader.run(&["show", "-json", "-no-color", &file]).ok();
            serde_json::from_str(&shown.stdout).expect("a plan in JSON")
        })
    }

    /// Panics with all output unless the plan succeeded.
    ///
    /// # Panics
    /// See above.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "mostly called for the panic")]
    pub fn ok(self) -> Self {
        assert!(matches!(self.run.code, 0 | 2), "{}", self.run);
        self
    }

    /// Panics unless the plan failed; gives what was printed.
    ///
    /// # Panics
    /// See above.
    #[track_caller]
    pub fn failed(self) -> Run {
        assert!(self.run.code == 1, "{}", self.run);
        self.run
    }

    /// Panics unless the plan shows no change at all (exit code 0).
    ///
    /// # Panics
    /// See above.
    #[track_caller]
    pub fn assert_empty(&self) {
        assert!(self.run.code == 0, "{}", self.run);
    }

    /// Panics unless the plan shows changes (exit code 2).
    ///
    /// # Panics
    /// See above.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "mostly called for the panic")]
    pub fn assert_changes(self) -> Self {
        assert!(self.run.code == 2, "{}", self.run);
        self
    }

    /// Changes by address, those that do nothing too.
    #[must_use]
    pub fn changes(&self) -> BTreeMap<String, Change> {
        changes_in(&self.json()["resource_changes"])
    }

    /// Drift that the refresh found, by address.
    #[must_use]
    pub fn drift(&self) -> BTreeMap<String, Change> {
        changes_in(&self.json()["resource_drift"])
    }

    /// The change of one address.
    ///
    /// # Panics
    /// Where the plan has none.
    #[must_use]
    #[track_caller]
    pub fn change(&self, address: &str) -> Change {
        match self.changes().remove(address) {
            Some(change) => change,
            None => panic!("no {address} in the plan: {}", self.run),
        }
    }

    /// The action at one address; `none` where the plan does not name it.
    #[must_use]
    pub fn action(&self, address: &str) -> String {
        self.changes()
            .get(address)
            .map_or_else(|| "none".to_owned(), |change| change.action().to_owned())
    }

    /// Every leaf that is known only after apply, as `ekb_network.main.public_subnet_ids`, sorted.
    #[must_use]
    pub fn unknown(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (address, change) in self.changes() {
            unknown_leaves(&address, &change.after_unknown, &mut found);
        }
        found.sort();
        found
    }
}

fn changes_in(list: &Value) -> BTreeMap<String, Change> {
    let list = list.as_array().cloned().unwrap_or_default();
    list.into_iter()
        .map(|mut entry| {
            let address = entry["address"].as_str().unwrap_or_default().to_owned();
            (
                address,
                serde_json::from_value(entry["change"].take()).expect("a change"),
            )
        })
        .collect()
}

fn unknown_leaves(path: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Bool(true) => found.push(path.to_owned()),
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(name, inner)| unknown_leaves(&format!("{path}.{name}"), inner, found));
        }
        Value::Array(items) => {
            let each = items.iter().enumerate();
            each.for_each(|(index, inner)| unknown_leaves(&format!("{path}[{index}]"), inner, found));
        }
        _ => {}
    }
}
