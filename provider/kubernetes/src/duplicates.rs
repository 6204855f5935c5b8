//! Entries of one name in a list that has each once: server-side apply refuses them, where client-side helm took the last one.

use serde_json::{Map, Value};

/// Lists of pods and services whose entries have names (Kubernetes `x-kubernetes-list-map-keys`), and defaults of these.
#[rustfmt::skip]
const LISTS: &[(&str, &[(&str, &str)])] = &[
    ("containers", &[("name", "")]),
    ("initContainers", &[("name", "")]),
    ("ephemeralContainers", &[("name", "")]),
    ("env", &[("name", "")]),
    ("volumes", &[("name", "")]),
    ("volumeMounts", &[("mountPath", "")]),
    ("volumeDevices", &[("devicePath", "")]),
    ("imagePullSecrets", &[("name", "")]),
    ("hostAliases", &[("ip", "")]),
    ("topologySpreadConstraints", &[("topologyKey", ""), ("whenUnsatisfiable", "")]),
];
const CONTAINER_PORTS: &[(&str, &str)] = &[("containerPort", ""), ("protocol", "TCP")];
const SERVICE_PORTS: &[(&str, &str)] = &[("port", ""), ("protocol", "TCP")];

/// Where the object has entries of one name, for example
/// `spec.template.spec.containers[name=app].env[name=A]`. Objects of foreign types have lists of their own: only workloads and Services
/// are looked at.
pub fn duplicates(object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if is_known(object) {
        let mut object = object.clone();
        walk(&mut object, "", &mut found, false);
    }
    found
}

/// The object with only the last of entries of one name.
#[must_use]
pub fn last_wins(mut object: Value) -> Value {
    if is_known(&object) {
        walk(&mut object, "", &mut Vec::new(), true);
    }
    object
}

fn is_known(object: &Value) -> bool {
    let group = object["apiVersion"].as_str().unwrap_or_default();
    matches!(group.split('/').next(), Some("v1" | "apps" | "batch"))
}

fn names(field: &str, entry: &Map<String, Value>) -> Option<&'static [(&'static str, &'static str)]> {
    match field {
        "ports" if entry.contains_key("containerPort") => Some(CONTAINER_PORTS),
        "ports" if entry.contains_key("port") => Some(SERVICE_PORTS),
        _ => LISTS
            .iter()
            .find(|(list, _)| *list == field)
            .map(|(_, names)| *names),
    }
}

/// What names the entry: `name=a`.
fn name(field: &str, entry: &Value) -> Option<String> {
    let entry = entry.as_object()?;
    let names = names(field, entry)?.iter().map(|(name, default)| {
        let value = match entry.get(*name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => (*default).to_owned(),
        };
        format!("{name}={value}")
    });
    Some(names.collect::<Vec<_>>().join(","))
}

fn walk(value: &mut Value, path: &str, found: &mut Vec<String>, mends: bool) {
    let Value::Object(fields) = value else {
        return;
    };
    for (field, value) in fields {
        let path = if path.is_empty() {
            field.clone()
        } else {
            format!("{path}.{field}")
        };
        match value {
            Value::Array(list) => {
                let named: Vec<Option<String>> = list.iter().map(|entry| name(field, entry)).collect();
                let is_last = |at: usize| named[at].is_none() || !named[at + 1..].contains(&named[at]);
                let doubled = (0..list.len()).filter(|at| !is_last(*at));
                let mut doubled: Vec<String> = doubled
                    .filter_map(|at| Some(format!("{path}[{}]", named[at].as_ref()?)))
                    .collect();
                doubled.dedup();
                found.extend(doubled);
                if mends {
                    let mut at = 0;
                    list.retain(|_| {
                        at += 1;
                        is_last(at - 1)
                    });
                }
                for entry in list {
                    let path =
                        name(field, entry).map_or_else(|| path.clone(), |name| format!("{path}[{name}]"));
                    walk(entry, &path, found, mends);
                }
            }
            other => walk(other, &path, found, mends),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_of_one_name_are_found_and_the_last_one_wins() {
        let container = json!({"name": "app", "env": [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "A", "value": "2"}],
            "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP", "name": "x"}, {"containerPort": 80, "protocol": "UDP"}]});
        let object =
            json!({"apiVersion": "apps/v1", "spec": {"template": {"spec": {"containers": [container]}}}});
        let at = "spec.template.spec.containers[name=app]";
        assert_eq!(
            duplicates(&object),
            [
                format!("{at}.env[name=A]"),
                format!("{at}.ports[containerPort=80,protocol=TCP]")
            ]
        );
        let mended = last_wins(object);
        assert!(duplicates(&mended).is_empty());
        let container = &mended["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(
            container["env"],
            json!([{"name": "B"}, {"name": "A", "value": "2"}])
        );
        assert_eq!(container["ports"].as_array().unwrap().len(), 2);
        let foreign = json!({"apiVersion": "a.b/v1", "spec": {"env": [{"name": "A"}, {"name": "A"}]}});
        assert!(duplicates(&foreign).is_empty());
    }
}
