//! Fields of a live object that somebody else took over.

use serde_json::{Map, Value};

/// A field of an object, and who has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Foreign {
    /// Where it is, for example `spec.template.spec.containers[name=aws-node].env[name=A].value`.
    pub path: String,
    /// The field manager.
    pub manager: String,
}

/// The fields of the object that other managers have than `makers`, without what is reported of it (its status).
pub fn fields_of_others(live: &Value, makers: &[&str]) -> Vec<Foreign> {
    let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut found = Vec::new();
    for entry in entries.filter(|entry| entry["subresource"].is_null()) {
        let manager = entry["manager"].as_str().unwrap_or_default();
        if makers.contains(&manager) {
            continue;
        }
        let mut paths = Vec::new();
        leaves(&entry["fieldsV1"], "", &mut paths);
        found.extend(paths.into_iter().map(|path| Foreign {
            path,
            manager: manager.to_owned(),
        }));
    }
    found.retain(|one| one.path != "status" && !one.path.starts_with("status."));
    found.sort();
    found
}

/// The places that a `fieldsV1` names, without those around them.
fn leaves(fields: &Value, path: &str, out: &mut Vec<String>) {
    let below = || fields.as_object().into_iter().flatten();
    let mut named = below().filter(|(name, _)| *name != ".").peekable();
    if named.peek().is_none() {
        if !path.is_empty() {
            out.push(path.to_owned());
        }
        return;
    }
    for (name, fields) in named {
        let path = match name.split_once(':') {
            Some(("f", field)) if path.is_empty() => field.to_owned(),
            Some(("f", field)) => format!("{path}.{field}"),
            Some(("k", key)) => format!("{path}[{}]", key_of(key)),
            Some((_, value)) => format!("{path}[{value}]"),
            None => path.to_owned(),
        };
        leaves(fields, &path, out);
    }
}

/// What names an entry of a list: `name=a` of `{"name":"a"}`.
fn key_of(key: &str) -> String {
    let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
    let parts = key.iter().map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    });
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_of_others_are_named_with_their_managers() {
        let env = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"aws-node\"}": {"f:env": {
            "k:{\"name\":\"A\"}": {".": {}, "f:value": {}}}}}}}}});
        let live = json!({"metadata": {"managedFields": [
            {"manager": "eks", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": env},
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {"f:replicas": {}}}},
            {"manager": "old", "operation": "Update", "fieldsV1": {"f:status": {"f:replicas": {}}}},
        ]}});
        let found = fields_of_others(&live, &["eks"]);
        let expected = Foreign {
            path: "spec.template.spec.containers[name=aws-node].env[name=A].value".to_owned(),
            manager: "kubectl-edit".to_owned(),
        };
        assert_eq!(found, [expected]);
        assert_eq!(fields_of_others(&json!({}), &[]), []);
    }
}
