//! What the services invent, as the attributes of a resource see it: one declaration for what is there and for what a plan
//! foresees.

use std::collections::{BTreeMap, BTreeSet};

use framework::Attr;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::foresight::Foresight;
use crate::formerly::Formerly;
use crate::part::{Key, Tags};
use crate::report::{Known, Report};

/// Where the attributes come from that services invent.
///
/// After a refresh or an apply it is what was found. At plan it is what stays: of a part that is made anew, or may be, all
/// is unknown. So a resource says once what its attributes are, and which parts unsettle them follows from that.
#[derive(Debug)]
pub struct Outputs<'a>(Source<'a>);

#[derive(Debug)]
enum Source<'a> {
    /// Nothing is known yet.
    Unknown,
    Foreseen(&'a Foresight<'a>, &'a Remembered),
    Found(&'a Report, &'a Remembered),
}

impl<'a> Outputs<'a> {
    pub(super) fn unknown() -> Self {
        Self(Source::Unknown)
    }

    pub(super) fn foreseen(foresight: &'a Foresight<'a>, remembered: &'a Remembered) -> Self {
        Self(Source::Foreseen(foresight, remembered))
    }

    /// `remembered` stands for what could not be looked at.
    pub(super) fn found(report: &'a Report, remembered: &'a Remembered) -> Self {
        Self(Source::Found(report, remembered))
    }

    /// Whether this is what was found, and not what a plan foresees.
    pub fn is_found(&self) -> bool {
        matches!(self.0, Source::Found(..))
    }

    /// The part's id; null where there is no such part.
    pub fn id(&self, key: impl Into<Key>) -> Attr<String> {
        let key = key.into();
        match &self.0 {
            Source::Unknown => Attr::Unknown,
            Source::Foreseen(foresight, _) => foresight.id(&key),
            Source::Found(report, _) => Attr::from_option(report.ids.get(&key).cloned()),
        }
    }

    /// The part's ARN.
    pub fn arn(&self, key: impl Into<Key>) -> Attr<String> {
        self.invented(&key.into(), |invented| invented.arn.clone())
    }

    /// The output of this name of the part ([`crate::part::Object::outputs`]).
    pub fn output<T: DeserializeOwned>(&self, key: impl Into<Key>, name: &str) -> Attr<T> {
        self.invented(&key.into(), |invented| {
            serde_json::from_value(invented.outputs.get(name)?.clone()).ok()
        })
    }

    /// What this gives for each part `kind/position`, in the order of positions. Unknown as a whole only while it is not
    /// known which parts there are.
    pub fn list<T>(&self, kind: &str, of: impl Fn(Key) -> Attr<T>) -> Attr<Vec<Attr<T>>> {
        self.keys(kind).map(|keys| keys.into_iter().map(of).collect())
    }

    /// The same by position.
    pub fn map<T>(&self, kind: &str, of: impl Fn(Key) -> Attr<T>) -> Attr<BTreeMap<String, Attr<T>>> {
        let position = |key: &Key| key.0.split_once('/').map_or("", |(_, rest)| rest).to_owned();
        self.keys(kind)
            .map(|keys| keys.into_iter().map(|key| (position(&key), of(key))).collect())
    }

    fn keys(&self, kind: &str) -> Attr<Vec<Key>> {
        let beginning = format!("{kind}/");
        match &self.0 {
            Source::Unknown => Attr::Unknown,
            Source::Foreseen(foresight, _) => match foresight.keys(&beginning) {
                Some(keys) => Attr::Known(keys.into_iter().cloned().collect()),
                None => Attr::Unknown,
            },
            Source::Found(report, _) => {
                let keys = report.ids.keys().filter(|key| key.0.starts_with(&beginning));
                Attr::Known(keys.cloned().collect())
            }
        }
    }

    fn invented<T>(&self, key: &Key, of: impl Fn(&Invented) -> Option<T>) -> Attr<T> {
        let id = match self.id(key.clone()) {
            Attr::Known(id) => id,
            Attr::Unknown => return Attr::Unknown,
            Attr::Null => return Attr::Null,
        };
        match &self.0 {
            Source::Unknown => Attr::Unknown,
            Source::Foreseen(_, remembered) => match remembered.of(key, &id) {
                Some(invented) => Attr::from_option(of(invented)),
                None => Attr::Unknown,
            },
            Source::Found(report, remembered) => {
                let found = Invented::of(report, key, &id);
                let found = of(&found).or_else(|| of(remembered.of(key, &id)?));
                Attr::from_option(found)
            }
        }
    }
}

/// What the next plan has to know of the objects and no attribute says, kept in the private state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Remembered {
    parts: BTreeMap<Key, Invented>,
    /// Keys of tags that an update which failed may have left behind.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<String>,
}

/// What a service invented beside the id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Invented {
    /// Whose it is.
    id: String,
    /// Its kind: of what is no longer declared, and found by its name alone, nothing else tells.
    #[serde(default)]
    kind: String,
    /// Why its object stays when the part is no longer declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arn: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    outputs: BTreeMap<String, Value>,
}

impl Invented {
    fn of(report: &Report, key: &Key, id: &str) -> Self {
        let object = report.found.get(key);
        Self {
            id: id.to_owned(),
            kind: report.kinds.get(key).cloned().unwrap_or_default(),
            kept: report.kept.get(key).cloned(),
            arn: report.arns.get(key).cloned(),
            outputs: object.map(|object| object.outputs.clone()).unwrap_or_default(),
        }
    }
}

impl Remembered {
    fn of(&self, key: &Key, id: &str) -> Option<&Invented> {
        self.parts.get(key).filter(|invented| invented.id == id)
    }

    /// The kinds of the parts.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (Key, String)> {
        let told = self
            .parts
            .iter()
            .filter(|(_, invented)| !invented.kind.is_empty());
        told.map(|(key, invented)| (key.clone(), invented.kind.clone()))
    }

    /// The parts that are kept when they go, with the reason.
    pub(super) fn kept(&self) -> impl Iterator<Item = (Key, String)> {
        let parts = self.parts.iter();
        parts.filter_map(|(key, invented)| Some((key.clone(), invented.kept.clone()?)))
    }

    /// What services invented of the parts.
    pub(super) fn outputs(&self) -> BTreeMap<Key, BTreeMap<String, Value>> {
        let all = self.parts.iter().map(|(key, invented)| {
            let arn = invented.arn.clone().map(|arn| ("arn".to_owned(), arn.into()));
            (
                key.clone(),
                invented.outputs.clone().into_iter().chain(arn).collect(),
            )
        });
        all.collect()
    }

    /// What is to be remembered of what was found; what could not be looked at stays.
    pub(super) fn after(self, report: &Report) -> Self {
        let one = |(key, id): (&Key, &String)| {
            let unseen = self.of(key, id).filter(|_| !report.found.contains_key(key));
            (
                key.clone(),
                unseen.cloned().unwrap_or_else(|| Invented::of(report, key, id)),
            )
        };
        Self {
            parts: report.ids.iter().map(one).collect(),
            tags: self.tags,
        }
    }

    /// The same by the keys of this version.
    pub(super) fn renamed(self, formerly: &Formerly) -> Self {
        let parts = self.parts.into_iter();
        Self {
            parts: parts
                .map(|(key, invented)| (formerly.key(key), invented))
                .collect(),
            ..self
        }
    }

    /// The outputs of a part that are texts, for messages.
    pub(super) fn texts(&self, key: &Key, id: &str) -> Vec<String> {
        let outputs = self
            .of(key, id)
            .into_iter()
            .flat_map(|invented| &invented.outputs);
        outputs
            .filter_map(|(_, value)| value.as_str().map(str::to_owned))
            .collect()
    }

    /// Remembers that the tags may be left on objects.
    pub(super) fn leave_tags<'a>(&mut self, keys: impl Iterator<Item = &'a String>) {
        self.tags.extend(keys.cloned());
    }

    /// Forgets them: all are as they should be.
    pub(super) fn forget_tags(&mut self) {
        self.tags.clear();
    }

    /// Says in what was applied to each object that the user's tags were too.
    pub(super) fn complete_tags(&self, known: &mut Known, shared: &Tags) {
        for fields in known.objects.values_mut() {
            let Some(tags) = fields.get_mut("tags").and_then(Value::as_object_mut) else {
                continue;
            };
            for key in &self.tags {
                tags.entry(key.clone()).or_insert(Value::Null);
            }
            for (key, value) in shared {
                if key == "Name" || !tags.contains_key(key) || self.tags.contains(key) {
                    tags.insert(key.clone(), value.clone().into());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(outputs: &[(&str, &str, &str)]) -> Report {
        let mut report = Report::default();
        for (key, id, ip) in outputs {
            report.ids.insert(Key::from(*key), (*id).to_owned());
            report.arns.insert(Key::from(*key), format!("arn:{id}"));
            report.found.insert(
                Key::from(*key),
                crate::part::Object {
                    id: (*id).to_owned(),
                    arn: None,
                    condition: crate::part::Condition::Settled,
                    fields: json!({}),
                    tags: Tags::new(),
                    references: Vec::new(),
                    outputs: BTreeMap::from([("ip".to_owned(), json!(ip))]),
                    detail: Value::Null,
                },
            );
        }
        report
    }

    #[test]
    fn what_was_found_and_what_could_not_be_looked_at() {
        let first = report(&[("address/a", "1", "10.0.0.1"), ("address/b", "2", "10.0.0.2")]);
        let remembered = Remembered::default().after(&first);
        let text = serde_json::to_string(&remembered).unwrap();
        let remembered: Remembered = serde_json::from_str(&text).unwrap();
        let mut second = report(&[("address/a", "3", "10.0.0.3")]);
        second.ids.insert("address/b".into(), "2".to_owned());
        let outputs = Outputs::found(&second, &remembered);
        let ips = outputs.list("address", |key| outputs.output::<String>(key, "ip"));
        assert_eq!(ips, Attr::Known(vec!["10.0.0.3".into(), "10.0.0.2".into()]));
        assert_eq!(outputs.arn("address/b"), "arn:2".into());
        assert_eq!(outputs.id("address/c"), Attr::Null);
        let after = remembered.clone().after(&second);
        assert_eq!(after.texts(&"address/b".into(), "2"), ["10.0.0.2"]);
        assert!(
            remembered.of(&"address/a".into(), "3").is_none(),
            "another object's"
        );
    }
}
