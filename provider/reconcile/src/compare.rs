//! What is not as it should be, field by field, and the sentences that say so.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::graph::{Node, without_nulls};
use crate::part::{Difference, FieldRule, Key, Refusal, Remedy};

/// Longest value in a sentence.
const SHOWN: usize = 80;

/// A field that is not what it should be, with the places in it.
#[derive(Debug, Clone)]
pub(crate) struct Differing {
    pub difference: Difference,
    pub leaves: Vec<Leaf>,
    /// Places that differ and are left alone.
    ignored: Vec<Leaf>,
}

/// The innermost place of a difference.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leaf {
    /// Field and entries, for example `["routes", "0.0.0.0/0"]`.
    path: Vec<String>,
    is: Option<Value>,
    should: Option<Value>,
    /// Whether the values are the user's, who may not want to read them in a message.
    hidden: bool,
}

impl Differing {
    /// All of it in words.
    pub fn sentences(&self) -> String {
        let sentences: Vec<String> = self.leaves.iter().map(Leaf::sentence).collect();
        sentences.join("; ")
    }

    /// The change that is refused, in words, and why.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.difference.remedy {
            Remedy::Refuse(refusal) => Some(refusal),
            Remedy::Update | Remedy::Replace => None,
        }
    }
}

impl Leaf {
    /// `routes 0.0.0.0/0: missing`
    pub fn sentence(&self) -> String {
        let path = self.path.join(" ");
        match (&self.is, &self.should) {
            (None, _) => format!("{path}: missing"),
            (Some(_), None) if self.hidden => format!("{path}: should not be there"),
            (Some(_), Some(_)) if self.hidden => format!("{path}: is not what it should be"),
            (Some(is), None) => format!("{path}: is {}, should not be there", shown(is)),
            (Some(is), Some(should)) => format!("{path}: is {}, should be {}", shown(is), shown(should)),
        }
    }

    fn is_ignored(&self, key: &Key, ignore: &[String]) -> bool {
        let part = &key.0;
        let field = format!("{part}: {}", self.path[0]);
        let place = format!("{part}: {}", self.path.join(" "));
        ignore.iter().any(|pattern| {
            [part, &field, &place]
                .into_iter()
                .any(|subject| glob(pattern, subject))
        })
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= SHOWN {
        text
    } else {
        text.chars().take(SHOWN).chain(['…']).collect()
    }
}

/// The fields of the part that differ.
///
/// `is` has part keys in place of ids. `applied` is what the state holds: it says which entries are ours, and whether
/// a difference is drift (we applied what we want now) or the user's wish; only drift can be ignored. A field that
/// already is as a later stage wants it is left alone.
pub(crate) fn differences(
    part: &Node,
    is: &Value,
    applied: Option<&Value>,
    later: &[&Node],
    ignore: &[String],
) -> Vec<Differing> {
    differences_from(part, is, applied, applied, later, ignore)
}

/// The same where it is known what was declared before: a difference from that is drift, whatever the state holds since
/// drift was seen.
pub(crate) fn differences_from(
    part: &Node,
    is: &Value,
    applied: Option<&Value>,
    declared: Option<&Value>,
    later: &[&Node],
    ignore: &[String],
) -> Vec<Differing> {
    let mut found = Vec::new();
    let left = left_over(part, applied);
    let fields = part.fields.as_object().into_iter().flatten();
    for (field, should) in fields.chain(left.iter().map(|field| (*field, &Value::Null))) {
        let rule = part.rule(field);
        // No version of a secret: none is declared, so there is nothing to send.
        let is_undeclared = rule == FieldRule::AsApplied && should.is_null();
        if rule == FieldRule::NotCompared || is_undeclared {
            continue;
        }
        let applied = applied.and_then(|applied| applied.get(field));
        let differs = |should: &Value| {
            let is = is.get(field).map_or(Value::Null, without_nulls);
            let should = without_nulls(should);
            let is = if rule == FieldRule::OwnEntries {
                own_entries(&is, &should, applied)
            } else {
                is
            };
            let same = if matches!(rule, FieldRule::OwnEntries | FieldRule::Unordered) {
                same_entries(&is, &should)
            } else {
                is == should
            };
            (!same).then_some((is, should))
        };
        let Some((is, mut should)) = differs(should) else {
            continue;
        };
        if later.iter().any(|part| {
            part.fields
                .get(field)
                .is_some_and(|wanted| differs(wanted).is_none())
        }) {
            continue;
        }
        let mut leaves = Vec::new();
        if part.is_free_form {
            let (is, should) = by_names(&is, &should);
            collect(vec![field.clone()], some(&is), some(&should), rule, &mut leaves);
        } else {
            collect(vec![field.clone()], some(&is), some(&should), rule, &mut leaves);
        }
        for leaf in &mut leaves {
            leaf.hidden = field == "tags" && !leaf.path.get(1).is_some_and(|key| part.is_own_tag(key));
        }
        let before = declared.and_then(|declared| declared.get(field));
        let before = before.map(without_nulls).unwrap_or_default();
        let (ignored, leaves): (Vec<Leaf>, Vec<Leaf>) = leaves.into_iter().partition(|leaf| {
            leaf.should.as_ref() == at(&before, &leaf.path[1..]) && leaf.is_ignored(&part.key, ignore)
        });
        for leaf in &ignored {
            put(&mut should, &leaf.path[1..], leaf.is.clone());
        }
        if leaves.is_empty() {
            continue;
        }
        let remedy = part.change(field, &is, &should);
        found.push(Differing {
            difference: Difference {
                field: field.clone(),
                is,
                should,
                remedy,
            },
            leaves,
            ignored,
        });
    }
    found
}

/// Fields that were applied and are declared no longer, where these are no fixed list.
fn left_over<'a>(part: &Node, applied: Option<&'a Value>) -> Vec<&'a String> {
    let applied = applied.filter(|_| part.is_free_form).and_then(Value::as_object);
    let names = applied.into_iter().flat_map(Map::keys);
    names
        .filter(|name| part.fields.get(name.as_str()).is_none())
        .collect()
}

/// The fields of a declared part as they are, for the state: those that we own. What is ignored shows as applied.
pub(crate) fn view(
    part: &Node,
    is: &Value,
    applied: Option<&Value>,
    declared: Option<&Value>,
    ignore: &[String],
) -> Value {
    let mut view = Map::new();
    let differing = differences_from(part, is, applied, declared, &[], ignore);
    for (field, should) in part.fields.as_object().into_iter().flatten() {
        let before = applied.and_then(|applied| applied.get(field));
        let value = if let Some(found) = differing.iter().find(|found| found.difference.field == *field) {
            let mut is = found.difference.is.clone();
            for leaf in &found.ignored {
                put(&mut is, &leaf.path[1..], leaf.should.clone());
            }
            is
        } else if part.rule(field) == FieldRule::NotCompared {
            // Not readable: what was applied, so that a change shows.
            before.unwrap_or(should).clone()
        } else {
            should.clone()
        };
        if !value.is_null() {
            view.insert(field.clone(), without_nulls(&value));
        }
    }
    Value::Object(view)
}

/// Of what is, the entries that we declare, or applied before.
fn own_entries(is: &Value, should: &Value, applied: Option<&Value>) -> Value {
    match is {
        Value::Object(entries) => {
            let ours =
                |name: &String| should.get(name).is_some() || applied.is_some_and(|a| a.get(name).is_some());
            Value::Object(
                entries
                    .iter()
                    .filter(|(name, _)| ours(name))
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect(),
            )
        }
        Value::Array(entries) => {
            let lists = [should.as_array(), applied.and_then(Value::as_array)];
            let ours = |entry: &&Value| lists.into_iter().flatten().any(|list| list.contains(entry));
            Value::Array(entries.iter().filter(ours).cloned().collect())
        }
        other => other.clone(),
    }
}

/// Equality where the order of a list says nothing, and nothing there is the same as no entries.
fn same_entries(is: &Value, should: &Value) -> bool {
    match (is, should) {
        (Value::Array(is), Value::Array(should)) => {
            is.iter().all(|entry| should.contains(entry)) && should.iter().all(|entry| is.contains(entry))
        }
        _ => is == should || (is_empty(is) && is_empty(should)),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(entries) => entries.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        _ => false,
    }
}

fn some(value: &Value) -> Option<&Value> {
    (!value.is_null()).then_some(value)
}

fn collect(
    path: Vec<String>,
    is: Option<&Value>,
    should: Option<&Value>,
    rule: FieldRule,
    leaves: &mut Vec<Leaf>,
) {
    let deeper = |name: &str| path.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
    let nothing = Map::new();
    let entries = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    match (entries(is), entries(should)) {
        (Some(is), should) if should.is_some() || rule == FieldRule::OwnEntries => {
            let should = should.unwrap_or_else(|| nothing.clone());
            let names: BTreeSet<&String> = is.keys().chain(should.keys()).collect();
            for name in names {
                collect(
                    deeper(name),
                    is.get(name),
                    should.get(name),
                    FieldRule::Exact,
                    leaves,
                );
            }
        }
        (None, Some(should)) if is.is_none() && !should.is_empty() && path.len() == 1 => {
            for (name, value) in &should {
                collect(deeper(name), None, Some(value), FieldRule::Exact, leaves);
            }
        }
        _ => {
            let is_set = matches!(rule, FieldRule::OwnEntries | FieldRule::Unordered);
            if let (true, Some(Value::Array(should))) = (is_set, should) {
                let empty = Vec::new();
                let is = is.and_then(Value::as_array).unwrap_or(&empty);
                for entry in should.iter().filter(|entry| !is.contains(entry)) {
                    leaves.push(Leaf {
                        path: deeper(&shown(entry)),
                        is: None,
                        should: Some(entry.clone()),
                        hidden: false,
                    });
                }
                for entry in is.iter().filter(|entry| !should.contains(entry)) {
                    leaves.push(Leaf {
                        path: deeper(&shown(entry)),
                        is: Some(entry.clone()),
                        should: None,
                        hidden: false,
                    });
                }
            } else if is != should {
                leaves.push(Leaf {
                    path,
                    is: is.cloned(),
                    should: should.cloned(),
                    hidden: false,
                });
            }
        }
    }
}

/// Both with maps in place of lists whose entries have names, in the same order: what differs is then said of an entry.
fn by_names(is: &Value, should: &Value) -> (Value, Value) {
    let name = |entry: &Value| entry.get("name").and_then(Value::as_str).map(str::to_owned);
    match (is, should) {
        (Value::Object(is), Value::Object(should)) => {
            let (mut left, mut right) = (is.clone(), should.clone());
            for (name, value) in is {
                if let Some(other) = should.get(name) {
                    let (one, two) = by_names(value, other);
                    left.insert(name.clone(), one);
                    right.insert(name.clone(), two);
                }
            }
            (left.into(), right.into())
        }
        (Value::Array(one), Value::Array(two)) => {
            let names = |list: &[Value]| list.iter().map(name).collect::<Option<Vec<String>>>();
            let (Some(left), Some(right)) = (names(one), names(two)) else {
                return (is.clone(), should.clone());
            };
            let unique = |names: &[String]| names.iter().collect::<BTreeSet<_>>().len() == names.len();
            let of = |names: &[String], others: &[String]| -> Vec<String> {
                names
                    .iter()
                    .filter(|name| others.contains(name))
                    .cloned()
                    .collect()
            };
            if !unique(&left) || !unique(&right) || of(&left, &right) != of(&right, &left) {
                return (is.clone(), should.clone());
            }
            let map = |list: &[Value], names: &[String]| {
                let entries = names.iter().cloned().zip(list.iter().cloned());
                Value::Object(entries.collect())
            };
            by_names(&map(one, &left), &map(two, &right))
        }
        _ => (is.clone(), should.clone()),
    }
}

/// Whether this names an entry of a list: its text, or its name.
fn is_named(entry: &Value, name: &str) -> bool {
    shown(entry) == name || entry.get("name").is_some_and(|own| own == name)
}

fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    match path {
        [] => some(value),
        [name, rest @ ..] => match value {
            Value::Object(map) => at(map.get(name)?, rest),
            Value::Array(list) => at(list.iter().find(|entry| is_named(entry, name))?, rest),
            _ => None,
        },
    }
}

/// Puts the value (none: removes it) at the place.
fn put(target: &mut Value, path: &[String], value: Option<Value>) {
    let [name, rest @ ..] = path else {
        *target = value.unwrap_or_default();
        return;
    };
    match target {
        Value::Array(list) if rest.is_empty() => {
            list.retain(|entry| !is_named(entry, name));
            list.extend(value);
        }
        Value::Array(list) => {
            if let Some(entry) = list.iter_mut().find(|entry| is_named(entry, name)) {
                put(entry, rest, value);
            }
        }
        _ => {
            if !target.is_object() {
                *target = Value::Object(Map::new());
            }
            let Value::Object(map) = target else { return };
            if rest.is_empty() && value.is_none() {
                map.shift_remove(name);
            } else {
                put(map.entry(name.clone()).or_insert(Value::Null), rest, value);
            }
        }
    }
}

/// Whether the drift of a whole part is to be left alone.
pub(crate) fn is_part_ignored(key: &Key, ignore: &[String]) -> bool {
    ignore.iter().any(|pattern| glob(pattern, &key.0))
}

/// Whether the pattern could match something of the parts: a part, a field, or an entry of a field.
pub(crate) fn could_match<'a>(pattern: &str, mut parts: impl Iterator<Item = &'a Arc<Node>>) -> bool {
    // What follows the field names an entry, which only what is there can say.
    let field = match pattern.split_once(": ") {
        Some((part, rest)) => format!("{part}: {}", rest.split(' ').next().unwrap_or_default()),
        None => pattern.to_owned(),
    };
    parts.any(|part| {
        let mut fields = part.fields.as_object().into_iter().flatten();
        glob(pattern, &part.key.0) || fields.any(|(name, _)| glob(&field, &format!("{}: {name}", part.key)))
    })
}

/// Whether the text matches the pattern, in which `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        let Some(place) = rest.find(piece) else {
            return false;
        };
        rest = &rest[place + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::json;

    use super::*;
    use crate::graph::Graph;
    use crate::part::{Part, Remedy};

    #[derive(Debug, Clone, Serialize)]
    struct Table {
        cidr: &'static str,
        dns: Option<bool>,
        routes: Value,
        rules: Value,
        zones: Value,
        secret: &'static str,
        tags: Value,
    }

    impl Part for Table {
        const KIND: &'static str = "table";

        fn rule(field: &str) -> FieldRule {
            match field {
                "routes" | "rules" => FieldRule::OwnEntries,
                "zones" => FieldRule::Unordered,
                "secret" => FieldRule::NotCompared,
                _ => FieldRule::Exact,
            }
        }

        fn remedy(field: &str) -> Remedy {
            if field == "cidr" {
                Remedy::Replace
            } else {
                Remedy::Update
            }
        }
    }

    fn table() -> Graph {
        let mut graph = Graph::new();
        let (routes, tags) = (
            json!({"0.0.0.0/0": "nat", "::/0": "egress"}),
            json!({"Name": "x"}),
        );
        graph.part(
            "t",
            Table {
                cidr: "10.0.0.0/16",
                dns: None,
                routes,
                rules: json!(["a", "b"]),
                zones: json!(["x", "y"]),
                secret: "s",
                tags,
            },
        );
        graph
    }

    fn is() -> Value {
        json!({"cidr": "10.0.0.0/16", "rules": ["b", "a", "foreign"], "zones": ["y", "x"], "tags": {"Name": "x", "theirs": "y"},
               "routes": {"0.0.0.0/0": "nat", "::/0": "egress", "10.0.0.0/8": "peering"}, "more": 1})
    }

    fn sentences(is: &Value, applied: Option<&Value>, ignore: &[&str]) -> Vec<String> {
        let graph = table();
        let part = graph.get(&"t".into()).unwrap();
        let ignore: Vec<String> = ignore.iter().map(|text| (*text).to_owned()).collect();
        let found = differences(part, is, applied, &[], &ignore);
        found
            .iter()
            .flat_map(|found| found.leaves.iter().map(Leaf::sentence))
            .collect()
    }

    #[test]
    fn foreign_entries_order_and_unreadable_fields_are_no_difference() {
        assert_eq!(sentences(&is(), None, &[]), Vec::<String>::new());
    }

    #[test]
    fn every_difference_has_its_sentence() {
        let mut is = is();
        is["cidr"] = json!("10.1.0.0/16");
        is["dns"] = json!(true);
        is["routes"] = json!({"0.0.0.0/0": "gateway"});
        is["rules"] = json!(["a"]);
        is["zones"] = json!(["y", "z"]);
        is["tags"] = json!({});
        let expected = [
            "cidr: is 10.1.0.0/16, should be 10.0.0.0/16",
            "dns: is true, should not be there",
            "routes 0.0.0.0/0: is gateway, should be nat",
            "routes ::/0: missing",
            "rules b: missing",
            "zones x: missing",
            "zones z: is z, should not be there",
            "tags Name: missing",
        ];
        assert_eq!(sentences(&is, None, &[]), expected);
    }

    #[test]
    fn what_was_applied_and_is_no_longer_declared_goes() {
        let applied = json!({"routes": {"10.0.0.0/8": "peering"}, "rules": ["foreign"]});
        let expected = [
            "routes 10.0.0.0/8: is peering, should not be there",
            "rules foreign: is foreign, should not be there",
        ];
        assert_eq!(sentences(&is(), Some(&applied), &[]), expected);
    }

    #[test]
    fn drift_can_be_ignored_but_not_a_wish() {
        let mut is = is();
        is["routes"] = json!({"0.0.0.0/0": "gateway"});
        let applied = table().objects().remove(&Key::from("t")).unwrap();
        let ignored = |pattern| sentences(&is, Some(&applied), &[pattern]);
        assert_eq!(ignored("t: routes"), Vec::<String>::new());
        assert_eq!(ignored("t: routes 0*"), ["routes ::/0: missing"]);
        assert_eq!(ignored("*"), Vec::<String>::new());
        assert_eq!(ignored("u: *").len(), 2);
        let wish = json!({"routes": {"0.0.0.0/0": "gateway"}});
        assert_eq!(
            sentences(&is, Some(&wish), &["*"]).len(),
            2,
            "the user wants another value than was applied"
        );
    }

    #[test]
    fn a_part_of_a_field_that_is_ignored_stays_as_it_is() {
        let mut is = is();
        is["routes"] = json!({"0.0.0.0/0": "gateway"});
        let graph = table();
        let applied = graph.objects().remove(&Key::from("t")).unwrap();
        let part = graph.get(&"t".into()).unwrap();
        let found = differences(part, &is, Some(&applied), &[], &["t: routes 0*".to_owned()]);
        assert_eq!(
            found[0].difference.should,
            json!({"0.0.0.0/0": "gateway", "::/0": "egress"})
        );
    }

    #[test]
    fn the_state_shows_our_entries_as_they_are() {
        let mut is = is();
        is["routes"]["0.0.0.0/0"] = json!("gateway");
        let graph = table();
        let view = view(
            graph.get(&"t".into()).unwrap(),
            &is,
            Some(&json!({"secret": "before"})),
            None,
            &[],
        );
        assert_eq!(view["routes"], json!({"0.0.0.0/0": "gateway", "::/0": "egress"}));
        assert_eq!(view["tags"], json!({"Name": "x"}));
        assert_eq!(view["secret"], "before");
        assert!(view.get("more").is_none() && view.get("dns").is_none());
    }

    #[test]
    fn globs() {
        for (pattern, text, matches) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*", "b", false),
            ("*b*", "abc", true),
            ("abc", "abcd", false),
            ("*", "", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn what_differs_in_a_list_of_named_entries_is_said_of_the_entry() {
        #[derive(Debug, Clone, Serialize)]
        struct Free(Value);
        impl Part for Free {
            const KIND: &'static str = "free";
            fn is_free_form() -> bool {
                true
            }
        }
        let pod = |image: &str, env: Value| json!({"spec": {"containers": [{"name": "proxy", "image": "p:1"}, {"name": "app", "image": image, "env": env}]}});
        let mut graph = Graph::new();
        graph.part("web", Free(pod("app:2", json!([{"name": "A", "value": "1"}]))));
        let node = graph.get(&"web".into()).unwrap();
        let is = pod(
            "app:1",
            json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]),
        );
        let sentences = |ignore: &[String]| {
            let found = differences(node, &is, Some(&node.fields), &[], ignore);
            found
                .iter()
                .flat_map(|one| &one.leaves)
                .map(Leaf::sentence)
                .collect::<Vec<_>>()
        };
        let b = r#"spec containers app env B: is {"name":"B","value":"2"}, should not be there"#;
        assert_eq!(
            sentences(&[]),
            [b, "spec containers app image: is app:1, should be app:2"]
        );
        let ignored = [
            "web: spec containers app image".to_owned(),
            "web: spec containers app env *".to_owned(),
        ];
        assert_eq!(sentences(&ignored[..1]), [b]);
        assert!(sentences(&ignored).is_empty());
        // A field that was applied and is declared no longer.
        let mut applied = node.fields.clone();
        applied["data"] = json!({"a": "1"});
        let mut is = node.fields.clone();
        is["data"] = json!({"a": "1"});
        let left = differences(node, &is, Some(&applied), &[], &[]);
        assert_eq!(left[0].sentences(), r#"data: is {"a":"1"}, should not be there"#);
        assert!(
            differences(node, &is, Some(&node.fields), &[], &[]).is_empty(),
            "of others"
        );
        // The order of init containers says something.
        let mut turned = node.fields.clone();
        turned["spec"]["containers"].as_array_mut().unwrap().reverse();
        assert_eq!(differences(node, &turned, Some(&node.fields), &[], &[]).len(), 1);
    }
}
