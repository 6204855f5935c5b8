//! What a plan can say of the parts before anything is done: which stay, which are made anew, and what is not known.
//!
//! A part whose fields are known stays or is made anew for certain. Where a field is not known yet that cannot be changed,
//! or refers to a part that may be made anew, the part *may* be: its id is not known. All else keeps its id, however much
//! of it is not known.

use std::collections::{BTreeMap, BTreeSet};

use framework::Attr;

use crate::compare;
use crate::graph::{Graph, Node};
use crate::part::{FieldRule, Key, Refusal, Remedy};
use crate::report::{Change, Known};

/// What a plan can say of the parts.
#[derive(Debug, Clone)]
pub struct Foresight<'a> {
    graph: &'a Graph,
    known: &'a Known,
    /// What is done for certain.
    changes: BTreeMap<Key, Change>,
    /// Declared parts that get an id for certain, or may.
    renewed: BTreeSet<Key>,
}

/// A part that goes, or may go, with the object that stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Going {
    /// The part.
    pub key: Key,
    /// Its object's id.
    pub id: String,
    /// Its kind's name.
    pub kind: String,
    /// What becomes of it, and why.
    pub fate: Fate,
}

/// What becomes of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is deleted, as it is no longer declared.
    Removed,
    /// It is no longer declared and stays, for this reason.
    Kept(String),
    /// It is deleted and made again, for this reason.
    Replaced(String),
    /// It may be deleted and made again: this field is not known yet, or this part may be made again.
    MayBeReplaced(String),
    /// It may be deleted: whether it is declared is not known yet.
    MayBeRemoved,
}

impl Graph {
    /// What can be said before anything is done to parts that are as `known` says.
    pub fn foresee<'a>(&'a self, known: &'a Known) -> Foresight<'a> {
        let changes = self.changes(known);
        let is_new = |change: &Change| matches!(change, Change::Create | Change::Replace(_));
        let new = changes.iter().filter(|(_, change)| is_new(change));
        let mut renewed: BTreeSet<Key> = new.map(|(key, _)| key.clone()).collect();
        loop {
            let before = renewed.len();
            for part in self.iter() {
                if !renewed.contains(&part.key) && may_be_renewed(part, &renewed).is_some() {
                    renewed.insert(part.key.clone());
                }
            }
            if renewed.len() == before {
                break;
            }
        }
        Foresight {
            graph: self,
            known,
            changes,
            renewed,
        }
    }
}

/// The field for which the part may have to be made anew, where these are.
fn may_be_renewed(part: &Node, renewed: &BTreeSet<Key>) -> Option<String> {
    let cannot_change =
        |field: &str| part.rule(field) != FieldRule::NotCompared && part.remedy(field) == Remedy::Replace;
    let unknown = part.unknown_fields().find(|field| cannot_change(field));
    unknown.map(str::to_owned).or_else(|| {
        let mut referring = part.referring.iter();
        let (field, _) = referring
            .find(|(field, keys)| cannot_change(field) && keys.iter().any(|key| renewed.contains(key)))?;
        Some(field.clone())
    })
}

impl Foresight<'_> {
    /// The part's id: unknown where it is made anew or may be, null where there is none.
    pub fn id(&self, key: &Key) -> Attr<String> {
        if self.graph.get(key).is_none() {
            return if self.graph.is_open_at(key) {
                Attr::Unknown
            } else {
                Attr::Null
            };
        }
        if self.known.is_left_out(key) {
            return Attr::Null;
        }
        match self.known.ids.get(key).filter(|_| !self.renewed.contains(key)) {
            Some(id) => Attr::Known(id.clone()),
            None => Attr::Unknown,
        }
    }

    /// The ids of all parts: unknown as a whole where it is not known which parts there are.
    pub fn ids(&self) -> Attr<BTreeMap<String, Attr<String>>> {
        match self.keys("") {
            Some(keys) => Attr::Known(
                keys.into_iter()
                    .map(|key| (key.0.clone(), self.id(key)))
                    .collect(),
            ),
            None => Attr::Unknown,
        }
    }

    /// The keys that begin so, in order; `None` while it is not known which there are.
    pub fn keys(&self, beginning: &str) -> Option<Vec<&Key>> {
        if self.graph.is_open_below(beginning) {
            return None;
        }
        let mut keys: Vec<&Key> = self
            .graph
            .keys()
            .filter(|key| key.0.starts_with(beginning))
            .collect();
        keys.sort();
        Some(keys)
    }

    /// The objects that go or may go, in the order of their keys.
    pub fn going(&self) -> Vec<Going> {
        let going = self.known.ids.iter().filter_map(|(key, id)| {
            let (fate, kind) = match self.graph.get(key) {
                Some(part) => (self.fate(part)?, part.kind.to_owned()),
                None => {
                    let by_prefix = || key.0.split('/').next().unwrap_or_default().to_owned();
                    let kind = self.known.kinds.get(key).cloned().unwrap_or_else(by_prefix);
                    let fate = if self.graph.is_open_at(key) {
                        Fate::MayBeRemoved
                    } else if let Some(reason) = self.kept(key) {
                        Fate::Kept(reason.clone())
                    } else {
                        Fate::Removed
                    };
                    (fate, kind)
                }
            };
            Some(Going {
                key: key.clone(),
                id: id.clone(),
                kind,
                fate,
            })
        });
        going.collect()
    }

    /// Why the part, no longer declared, stays.
    fn kept(&self, key: &Key) -> Option<&String> {
        self.graph.kept().get(key).or_else(|| self.known.kept.get(key))
    }

    /// The changes that are refused, in words: by part.
    pub fn refused(&self) -> Vec<(Key, String, Refusal)> {
        let parts = self.graph.iter();
        let known = parts.filter_map(|part| Some((part, self.known.objects.get(&part.key)?)));
        let differing = known.flat_map(|(part, is)| {
            let declared = self.known.declared.get(&part.key).or(Some(is));
            let ignore = &self.known.ignore_drift;
            let differing = compare::differences_from(part, is, Some(is), declared, &[], ignore);
            let certain = differing
                .into_iter()
                .filter(|found| !part.is_unknown(&found.difference.field));
            certain.filter_map(|found| Some((part.key.clone(), found.sentences(), found.refusal()?.clone())))
        });
        differing.collect()
    }

    fn fate(&self, part: &Node) -> Option<Fate> {
        match self.changes.get(&part.key) {
            Some(Change::Replace(_)) => Some(Fate::Replaced(self.why_replaced(part))),
            _ if self.renewed.contains(&part.key) => {
                let field = may_be_renewed(part, &self.renewed).unwrap_or_default();
                Some(Fate::MayBeReplaced(field))
            }
            _ => None,
        }
    }

    fn why_replaced(&self, part: &Node) -> String {
        let Some(is) = self.known.objects.get(&part.key) else {
            return "it failed, or is being deleted".to_owned();
        };
        let differing = compare::differences(part, is, Some(is), &[], &[]);
        let mut reasons = differing
            .iter()
            .filter(|found| found.difference.remedy == Remedy::Replace);
        if let Some(found) = reasons.find(|found| !part.is_unknown(&found.difference.field)) {
            return found.sentences();
        }
        let replaced = |key: &&Key| matches!(self.changes.get(*key), Some(Change::Replace(_)));
        let mut referred = part
            .referring
            .iter()
            .flat_map(|(field, keys)| keys.iter().map(move |key| (field, key)));
        match referred.find(|(field, key)| part.remedy(field) == Remedy::Replace && replaced(key)) {
            Some((field, key)) => format!("{field}: {key} is made anew"),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::*;
    use crate::graph::Unknowns;
    use crate::part::{Part, Ref, Tags, key};
    use crate::shared_tags::IgnoredTags;

    /// Something with one field of every sort.
    #[derive(Debug, Clone, Serialize, Default)]
    struct Thing {
        size: u32,
        range: u32,
        within: Option<Ref>,
        routes: Vec<Ref>,
        tags: Tags,
    }

    impl Part for Thing {
        const KIND: &'static str = "thing";

        fn remedy(field: &str) -> Remedy {
            if matches!(field, "range" | "within") {
                Remedy::Replace
            } else {
                Remedy::Update
            }
        }
    }

    /// A network of so many subnets, gateways and tables.
    fn network(zones: &[&str], size: &Attr<u32>, range: &Attr<u32>, open: bool) -> Graph {
        let mut graph = Graph::new();
        let mut unknown = Unknowns::default();
        let vpc = Thing {
            size: unknown.take("size", size, 0),
            tags: Tags::from([("Name".to_owned(), "vpc".to_owned())]),
            ..Thing::default()
        };
        let vpc = graph.part_with("vpc", vpc, unknown);
        for zone in zones {
            let mut unknown = Unknowns::default();
            let subnet = Thing {
                range: if *zone == "a" {
                    unknown.take("range", range, 0)
                } else {
                    7
                },
                within: Some(vpc.made()),
                ..Thing::default()
            };
            let subnet = graph.part_with(key("subnet", zone), subnet, unknown);
            let gateway = Thing {
                within: Some(subnet.made()),
                ..Thing::default()
            };
            let gateway = graph.part(key("gateway", zone), gateway);
            let table = Thing {
                routes: vec![gateway.ready()],
                ..Thing::default()
            };
            graph.part(key("table", zone), table);
        }
        if open {
            graph.open("endpoint/");
        }
        graph.check().unwrap();
        graph
    }

    fn before() -> (Graph, Known) {
        let mut graph = network(&["a", "b"], &Attr::Known(1), &Attr::Known(7), false);
        graph.part("endpoint/sts", Thing::default());
        let known = Known {
            ids: graph
                .keys()
                .map(|key| (key.clone(), format!("id-{key}")))
                .collect(),
            objects: graph.objects(),
            ..Known::default()
        };
        let known = known.of(&graph);
        (graph, known)
    }

    /// The parts whose id is not known.
    fn unknown(graph: &Graph, known: &Known) -> Vec<String> {
        let foresight = graph.foresee(known);
        let all = known.ids.keys().chain(graph.keys()).collect::<BTreeSet<_>>();
        let unknown = all.into_iter().filter(|key| foresight.id(key).is_unknown());
        unknown.map(|key| key.0.clone()).collect()
    }

    #[test]
    fn what_can_be_changed_makes_no_id_unknown() {
        let (_, known) = before();
        let graph = network(&["a", "b"], &Attr::Unknown, &Attr::Known(7), false);
        assert_eq!(unknown(&graph, &known), [""; 0]);
        let Attr::Known(shown) = graph.shown() else {
            panic!("closed, so the keys are known");
        };
        assert!(shown["vpc"].is_unknown());
        assert!(shown["subnet/a"].is_known());
    }

    #[test]
    fn what_cannot_be_changed_may_be_made_anew_with_all_that_cannot_follow() {
        let (_, known) = before();
        let graph = network(&["a", "b"], &Attr::Known(1), &Attr::Unknown, false);
        assert_eq!(
            unknown(&graph, &known),
            ["gateway/a", "subnet/a"],
            "the table follows in place"
        );
        let fates: BTreeMap<Key, Fate> = graph
            .foresee(&known)
            .going()
            .into_iter()
            .map(|going| (going.key, going.fate))
            .collect();
        assert_eq!(fates[&"subnet/a".into()], Fate::MayBeReplaced("range".to_owned()));
        assert_eq!(
            fates[&"gateway/a".into()],
            Fate::MayBeReplaced("within".to_owned())
        );
        assert_eq!(fates[&"endpoint/sts".into()], Fate::Removed);
        assert_eq!(fates.len(), 3);
    }

    #[test]
    fn where_it_is_open_which_parts_there_are_their_ids_alone_are_unknown() {
        let (_, known) = before();
        let graph = network(&["a", "b"], &Attr::Known(1), &Attr::Known(7), true);
        assert_eq!(unknown(&graph, &known), ["endpoint/sts"]);
        assert!(graph.shown().is_unknown() && graph.foresee(&known).ids().is_unknown());
        let foresight = graph.foresee(&known);
        assert_eq!(foresight.keys("endpoint/"), None);
        assert_eq!(foresight.keys("subnet/").unwrap().len(), 2);
        assert_eq!(foresight.going()[0].fate, Fate::MayBeRemoved);
    }

    #[test]
    fn what_comes_and_goes_leaves_the_others_known() {
        let (_, known) = before();
        let graph = network(&["b", "c"], &Attr::Known(1), &Attr::Known(7), false);
        assert_eq!(unknown(&graph, &known), ["gateway/c", "subnet/c", "table/c"]);
        let foresight = graph.foresee(&known);
        assert_eq!(foresight.id(&"subnet/a".into()), Attr::Null);
        assert_eq!(
            foresight.id(&"subnet/b".into()),
            Attr::Known("id-subnet/b".to_owned())
        );
    }

    #[test]
    fn a_replacement_says_why() {
        let (_, known) = before();
        let graph = network(&["a", "b"], &Attr::Known(1), &Attr::Known(8), false);
        let fates: Vec<Fate> = graph
            .foresee(&known)
            .going()
            .into_iter()
            .map(|going| going.fate)
            .collect();
        let replaced = |why: &str| Fate::Replaced(why.to_owned());
        let expected = [
            Fate::Removed,
            replaced("within: subnet/a is made anew"),
            replaced("range: is 7, should be 8"),
        ];
        assert_eq!(fates, expected);
    }

    #[test]
    fn tags_are_no_reason_and_the_users_are_not_shown() {
        let (_, known) = before();
        let of = |name: &str, value: &Attr<String>| {
            Attr::Known(BTreeMap::from([(name.to_owned(), value.clone())]))
        };
        let mut graph = network(&["a", "b"], &Attr::Known(1), &Attr::Known(7), false);
        graph.share_tags(&of("cost", &Attr::Unknown), &IgnoredTags::default());
        assert_eq!(unknown(&graph, &known), [""; 0]);
        let shown = graph.shown().into_known().unwrap();
        assert!(shown.values().all(Attr::is_known), "{shown:?}");
        assert!(graph.check_known().is_err());

        graph.share_tags(&of("cost", &"secret".into()), &IgnoredTags::default());
        let shown = format!("{:?}{:?}", graph.shown(), graph.objects());
        assert!(!shown.contains("secret") && shown.contains("Name"), "{shown}");

        let mut graph = network(&["a", "b"], &Attr::Known(1), &Attr::Known(7), false);
        graph.share_tags(&Attr::Unknown, &IgnoredTags::default());
        assert_eq!(unknown(&graph, &known), [""; 0]);
        assert!(graph.shown().into_known().unwrap()["vpc"].is_unknown());

        let mut graph = network(&["a", "b"], &Attr::Known(1), &Attr::Known(7), false);
        let ignored = IgnoredTags {
            keys: vec!["Name".to_owned()],
            ..IgnoredTags::default()
        };
        graph.share_tags(&of("cost", &Attr::Null), &ignored);
        let shown = graph.shown().into_known().unwrap();
        assert!(!shown["vpc"].known().unwrap().contains("Name"));
    }

    #[test]
    fn what_is_not_known_is_refused_at_apply() {
        let graph = network(&["a"], &Attr::Unknown, &Attr::Known(7), true);
        let faults = graph.check_known().unwrap_err();
        let text: Vec<String> = faults
            .iter()
            .map(|fault| format!("{} {}", fault.doing, fault.cause))
            .collect();
        assert_eq!(
            text,
            [
                "declaring vpc it is not known yet: size",
                "declaring endpoint/* it is not known yet which there are"
            ]
        );
    }
}
