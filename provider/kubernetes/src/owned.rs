//! What of a live object is ours: the fields that are declared, and those that our field manager owns. So a field that
//! somebody else set, or the API by default, is not ours; one that somebody else took over shows as it is; and one that is no
//! longer declared shows as left over.

use serde_json::{Map, Value};

use crate::digest::{self, HIDDEN};
use crate::quantity;

/// Of the live value what is ours. `owned` is the part of `fieldsV1` for it: `{}` is all of it.
pub(crate) fn ours(live: &Value, declared: Option<&Value>, owned: Option<&Value>) -> Value {
    at(live, declared, owned, ("", ""))
}

/// The same at a place: the names of the field and of the one around it.
fn at(live: &Value, declared: Option<&Value>, owned: Option<&Value>, place: (&str, &str)) -> Value {
    let is_whole = owned.and_then(Value::as_object).is_some_and(Map::is_empty);
    // Of what is owned as a whole nobody else can have a part: what is not declared in it are defaults.
    let owned = owned.filter(|_| !is_whole);
    match (live, declared) {
        // Compared by its version beside it.
        (_, Some(declared)) if declared == HIDDEN => declared.clone(),
        (live, None) if is_whole => digest::of_texts(live),
        (Value::Object(live), declared) => Value::Object(entries(live, declared, owned, place)),
        (Value::Array(live), declared) => Value::Array(list(live, declared, owned, place)),
        (live, Some(declared))
            if quantity::is_place(place.0, place.1) && quantity::is_equal(live, declared) =>
        {
            declared.clone()
        }
        // What refers to other parts is compared as it is.
        (Value::String(_), Some(Value::String(declared))) if declared.contains('\0') => live.clone(),
        (live, _) => digest::of_texts(live),
    }
}

/// Maps whose entries the API keeps, whatever they say.
const KEPT: [&str; 7] = [
    "data",
    "binaryData",
    "labels",
    "annotations",
    "matchLabels",
    "nodeSelector",
    "parameters",
];

/// Whether the API leaves the value out: nothing, or what is so without saying.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(says_nothing),
    }
}

fn entries(
    live: &Map<String, Value>,
    declared: Option<&Value>,
    owned: Option<&Value>,
    place: (&str, &str),
) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in live {
        let declared = declared.and_then(|declared| declared.get(name));
        let owned = owned.and_then(|owned| owned.get(format!("f:{name}")));
        if declared.is_some() || owned.is_some() {
            kept.insert(name.clone(), at(value, declared, owned, (place.1, name)));
        }
    }
    for (name, value) in declared.and_then(Value::as_object).into_iter().flatten() {
        let is_left_out = says_nothing(value) && (value.is_object() || !KEPT.contains(&place.1));
        if is_left_out && !live.contains_key(name) {
            kept.insert(name.clone(), value.clone());
        }
    }
    kept
}

/// What names the entries of a list.
enum Names {
    /// Fields of the entries, as the API's schema says.
    Fields(Vec<String>),
    /// The entries themselves.
    Values,
    /// Their order.
    Order,
}

fn list(live: &[Value], declared: Option<&Value>, owned: Option<&Value>, place: (&str, &str)) -> Vec<Value> {
    let nothing = Vec::new();
    let wanted = declared.and_then(Value::as_array).unwrap_or(&nothing);
    match names(live, wanted, owned, place.1) {
        Names::Order if declared.is_some() && wanted.len() == live.len() => {
            let pairs = live.iter().zip(wanted);
            pairs
                .map(|(live, wanted)| at(live, Some(wanted), None, place))
                .collect()
        }
        Names::Order => live.iter().map(digest::of_texts).collect(),
        Names::Values => {
            let is_owned =
                |entry: &Value| owned.is_some_and(|owned| owned.get(format!("v:{entry}")).is_some());
            let kept = live
                .iter()
                .filter(|entry| wanted.contains(entry) || is_owned(entry));
            in_order(kept.map(|entry| (wanted.iter().position(|one| one == entry), entry.clone())))
        }
        Names::Fields(fields) => {
            let kept = live.iter().filter_map(|entry| {
                let index = wanted.iter().position(|wanted| {
                    // What the declaration leaves out of a name is a default (`protocol`).
                    fields.iter().all(|field| {
                        wanted
                            .get(field)
                            .is_none_or(|value| entry.get(field) == Some(value))
                    })
                });
                let owned =
                    owned
                        .and_then(Value::as_object)
                        .into_iter()
                        .flatten()
                        .find_map(|(name, owned)| {
                            let name: Value = serde_json::from_str(name.strip_prefix("k:")?).ok()?;
                            let mut parts = name.as_object()?.iter();
                            parts
                                .all(|(field, value)| entry.get(field) == Some(value))
                                .then_some(owned)
                        });
                let declared = index.and_then(|index| wanted.get(index));
                (declared.is_some() || owned.is_some()).then(|| (index, at(entry, declared, owned, place)))
            });
            in_order(kept)
        }
    }
}

/// As declared; what is not declared comes last.
fn in_order(entries: impl Iterator<Item = (Option<usize>, Value)>) -> Vec<Value> {
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(|(index, _)| index.unwrap_or(usize::MAX));
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn names(live: &[Value], wanted: &[Value], owned: Option<&Value>, field: &str) -> Names {
    for name in owned
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
    {
        if name.starts_with("v:") {
            return Names::Values;
        }
        let named = name
            .strip_prefix("k:")
            .and_then(|name| serde_json::from_str::<Value>(name).ok());
        if let Some(Value::Object(named)) = named {
            return Names::Fields(named.keys().cloned().collect());
        }
    }
    // Of a list that is not ours the schema is not known: nearly all that have names are named by them.
    let by: &[&str] = match field {
        "ports" => &["containerPort", "port", "protocol"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        "hostAliases" => &["ip"],
        "ownerReferences" => &["uid"],
        _ => &["name"],
    };
    let has = |entry: &Value| by.iter().any(|name| entry.get(name).is_some());
    if !live.is_empty() && live.iter().all(has) && wanted.iter().all(has) {
        return Names::Fields(by.iter().map(|name| (*name).to_owned()).collect());
    }
    Names::Order
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_declared_or_owned_counts() {
        let live = json!({"a": 1, "b": 2, "c": {"d": 3, "e": 4}, "f": {"g": 5}, "h": 6});
        let declared = json!({"a": 0, "c": {"d": 3}, "empty": {}, "none": []});
        let owned = json!({"f:b": {}, "f:f": {}, "f:c": {"f:d": {}}});
        let found = ours(&live, Some(&declared), Some(&owned));
        let expected = json!({"a": 1, "b": 2, "c": {"d": 3}, "f": {"g": 5}, "empty": {}, "none": []});
        assert_eq!(found, expected);
    }

    #[test]
    fn entries_of_a_list_are_found_by_what_names_them() {
        let live = json!([
            {"containerPort": 1, "protocol": "UDP", "hostPort": 7},
            {"containerPort": 80, "protocol": "TCP", "name": "web"},
            {"containerPort": 90, "protocol": "TCP"},
        ]);
        let declared = json!([{"containerPort": 80, "name": "web"}]);
        let owned = json!({
            r#"k:{"containerPort":80,"protocol":"TCP"}"#: {".": {}, "f:containerPort": {}, "f:name": {}},
            r#"k:{"containerPort":90,"protocol":"TCP"}"#: {".": {}, "f:containerPort": {}},
        });
        let found = ours(&live, Some(&declared), Some(&owned));
        assert_eq!(
            found,
            json!([{"containerPort": 80, "name": "web"}, {"containerPort": 90}])
        );
        // The order is that of the declaration.
        let live = json!([{"name": "b", "x": 1}, {"name": "a"}, {"name": "foreign"}]);
        let declared = json!([{"name": "a"}, {"name": "b"}]);
        assert_eq!(ours(&live, Some(&declared), None), declared);
    }

    #[test]
    fn a_list_that_is_one_value_shows_without_defaults() {
        let live = json!([{"key": "a", "effect": "NoSchedule", "operator": "Equal"}]);
        let declared = json!([{"key": "a", "effect": "NoExecute"}]);
        let found = ours(&live, Some(&declared), Some(&json!({})));
        assert_eq!(found, json!([{"key": "a", "effect": "NoSchedule"}]));
        assert_eq!(ours(&live, Some(&json!([])), Some(&json!({}))), live);
        let sets = json!(["a", "b", "foreign"]);
        let owned = json!({"v:\"a\"": {}, "v:\"b\"": {}});
        assert_eq!(ours(&sets, Some(&json!(["b"])), Some(&owned)), json!(["b", "a"]));
    }

    #[test]
    fn what_the_api_leaves_out_is_no_difference() {
        let live = json!({"env": [{"name": "A"}], "spec": {"x": 1}, "data": {"a": "1"}});
        let declared = json!({
            "env": [{"name": "A", "value": ""}],
            "spec": {"x": 1, "hostNetwork": false, "security": {"on": false, "ids": []}},
            "data": {"a": "1", "empty": ""},
        });
        let found = ours(&live, Some(&declared), None);
        assert_eq!(
            (&found["env"], &found["spec"]),
            (&declared["env"], &declared["spec"])
        );
        assert_eq!(
            found["data"],
            json!({"a": "1"}),
            "an entry of data is kept by the API"
        );
    }

    #[test]
    fn hidden_values_and_long_texts_are_compared_by_what_stands_for_them() {
        let long = "x".repeat(3000);
        let live = json!({"a": "secret of the cluster", "b": long, "c": long});
        let declared = json!({"a": HIDDEN, "b": digest::of_texts(&json!(long)), "c": format!("\0{long}")});
        let found = ours(&live, Some(&declared), Some(&json!({"f:a": {}})));
        assert_eq!((&found["a"], &found["b"]), (&declared["a"], &declared["b"]));
        assert_eq!(
            found["c"],
            long.as_str(),
            "the graph finds in it what it refers to"
        );
    }

    #[test]
    fn quantities_show_as_they_are_declared() {
        let live = json!({"resources": {"limits": {"cpu": "1", "memory": "512Mi"}}, "env": [{"name": "A", "value": "1"}]});
        let declared = json!({"resources": {"limits": {"cpu": "1000m", "memory": "1Gi"}}, "env": [{"name": "A", "value": "1000m"}]});
        let found = ours(&live, Some(&declared), None);
        assert_eq!(
            found["resources"]["limits"],
            json!({"cpu": "1000m", "memory": "512Mi"})
        );
        assert_eq!(found["env"][0]["value"], "1");
    }
}
