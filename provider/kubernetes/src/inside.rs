//! What is in a namespace, and whose it is: it goes only with all that is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures::StreamExt;
use futures::stream;
use reconcile::failure::Failure;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// How many types are listed at a time.
const AT_A_TIME: usize = 8;
/// How many objects a message names.
const NAMED: usize = 10;

/// An object that is not ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lodger {
    pub(crate) kind: String,
    pub(crate) name: String,
    /// Whose it is by its annotation, where another resource of this provider made it: it may go in the same run.
    pub(crate) of_resource: Option<String>,
    pub(crate) is_leaving: bool,
}

impl Lodger {
    /// The object, as it is listed.
    pub(crate) fn of(object: &Value) -> Self {
        let metadata = &object["metadata"];
        let namespace = metadata["namespace"].as_str().map(|name| format!("{name}/"));
        Self {
            kind: text(&object["kind"]),
            name: format!("{}{}", namespace.unwrap_or_default(), text(&metadata["name"])),
            of_resource: metadata["annotations"]["ekb.io/resource"]
                .as_str()
                .map(str::to_owned),
            is_leaving: metadata["deletionTimestamp"].is_string(),
        }
    }

    /// Whether it may go by itself, or in the same run.
    pub(crate) fn may_go(&self) -> bool {
        self.is_leaving || self.of_resource.is_some()
    }
}

impl fmt::Display for Lodger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)?;
        match &self.of_resource {
            Some(resource) => write!(f, " (of {resource})"),
            None => Ok(()),
        }
    }
}

/// The first of them in words.
pub(crate) fn named(all: &[Lodger]) -> String {
    let first: Vec<String> = all.iter().take(NAMED).map(ToString::to_string).collect();
    let more = all.len().saturating_sub(NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", first.join(", "))
}

/// All that is in the namespace, by kind. What may not be listed, or whose server does not answer, is not seen.
pub(crate) async fn all_in(
    cluster: &Cluster,
    doing: &str,
    namespace: &str,
) -> Result<Vec<(String, Value)>, Failure> {
    let groups = cluster.get(doing, "/apis").await?;
    let groups = groups["groups"].as_array().into_iter().flatten();
    let versions = groups.filter_map(|group| group["preferredVersion"]["groupVersion"].as_str());
    let paths = versions.map(|version| format!("/apis/{version}"));
    let paths: Vec<String> = paths.chain(["/api/v1".to_owned()]).collect();
    let lists = stream::iter(paths.into_iter().map(|path| async move {
        let list = cluster.get(doing, &path).await.ok()?;
        let resources = list["resources"].as_array().into_iter().flatten();
        let types = resources.filter(|one| is_listed(one)).map(|one| {
            let (kind, plural) = (text(&one["kind"]), text(&one["name"]));
            (kind, format!("{path}/namespaces/{namespace}/{plural}"))
        });
        Some(types.collect::<Vec<_>>())
    }));
    let types: Vec<_> = lists.buffer_unordered(AT_A_TIME).collect().await;
    let types = types.into_iter().flatten().flatten();
    let found = stream::iter(types.map(|(kind, path)| async move {
        let items = cluster.list(doing, &path, "").await.unwrap_or_default();
        items.into_iter().map(move |item| (kind.clone(), item))
    }));
    let found: Vec<_> = found.buffer_unordered(AT_A_TIME).collect().await;
    Ok(found.into_iter().flatten().collect())
}

impl Cluster {
    /// Deletes the namespace where it carries this annotation and holds nothing but `ours` (uids), what every namespace has, and what
    /// is on its way to gone: true where it is deleted.
    ///
    /// # Errors
    /// It cannot be looked at or deleted.
    pub async fn end_namespace(
        &self,
        doing: &str,
        name: &str,
        annotation: &str,
        ours: &BTreeSet<&str>,
    ) -> Result<bool, Failure> {
        let path = format!("/api/v1/namespaces/{name}");
        let live = self.get(doing, &path).await?;
        if live["metadata"]["annotations"][annotation].is_null() {
            return Ok(false);
        }
        let all = all_in(self, doing, name).await?;
        let others = of_others(&all, ours, &|_| false, true);
        if let Some(other) = others.iter().find(|other| !other.is_leaving) {
            tracing::info!(namespace = name, %other, "the namespace stays: others have objects in it");
            return Ok(false);
        }
        let body = json!({"preconditions": {"uid": live["metadata"]["uid"]}});
        self.delete(doing, &path, &body).await.map(|_| true)
    }
}

fn is_listed(resource: &Value) -> bool {
    let mut verbs = resource["verbs"].as_array().into_iter().flatten();
    let can_list = verbs.any(|verb| verb == "list");
    // Events tell of what is there; metrics are measured, not made.
    let is_said = matches!(resource["kind"].as_str(), Some("Event" | "PodMetrics"));
    resource["namespaced"] == true && can_list && !is_said
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Of all that is in a namespace, what is not ours: neither among `ours` (uids), nor with our mark, nor owned by such an object,
/// nor what every namespace has. When ours are gone (`is_last`), what they owned goes too: its owner is not there any more.
pub(crate) fn of_others(
    all: &[(String, Value)],
    ours: &BTreeSet<&str>,
    is_marked: &dyn Fn(&Value) -> bool,
    is_last: bool,
) -> Vec<Lodger> {
    let uid = |object: &Value| text(&object["metadata"]["uid"]);
    let mut known: BTreeSet<String> = ours.iter().map(|uid| (*uid).to_owned()).collect();
    let mut left: BTreeMap<String, &(String, Value)> = BTreeMap::new();
    for one in all {
        if is_marked(&one.1) || is_of_every_namespace(&one.0, &one.1) {
            known.insert(uid(&one.1));
        }
        left.insert(uid(&one.1), one);
    }
    loop {
        let before = known.len();
        for (uid, (_, object)) in &left {
            let mut owners = object["metadata"]["ownerReferences"]
                .as_array()
                .into_iter()
                .flatten();
            if owners.any(|owner| {
                let owner = owner["uid"].as_str().unwrap_or_default();
                known.contains(owner) || is_last && !left.contains_key(owner)
            }) {
                known.insert(uid.clone());
            }
        }
        if known.len() == before {
            break;
        }
    }
    let services: BTreeSet<String> = all
        .iter()
        .filter(|(kind, _)| kind == "Service")
        .map(|(_, object)| text(&object["metadata"]["name"]))
        .collect();
    let mut others: Vec<Lodger> = left
        .into_iter()
        .filter(|(uid, _)| !known.contains(uid))
        .map(|(_, (kind, object))| Lodger {
            kind: kind.clone(),
            name: text(&object["metadata"]["name"]),
            ..Lodger::of(object)
        })
        // The API makes them for a Service.
        .filter(|one| one.kind != "Endpoints" || !services.contains(&one.name))
        .collect();
    others.sort();
    others
}

fn is_of_every_namespace(kind: &str, object: &Value) -> bool {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    match kind {
        "ConfigMap" => name == "kube-root-ca.crt",
        "ServiceAccount" => name == "default",
        "Secret" => object["metadata"]["annotations"]["kubernetes.io/service-account.name"] == "default",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_namespace_has_and_what_ours_own_is_not_of_others() {
        let one = |kind: &str, name: &str, owner: &str, resource: Option<&str>| {
            let owners = if owner.is_empty() {
                json!([])
            } else {
                json!([{"uid": owner}])
            };
            let object = json!({"metadata": {"name": name, "uid": format!("uid-{name}"), "ownerReferences": owners,
                "annotations": {"ekb.io/resource": resource}}});
            (kind.to_owned(), object)
        };
        let all = [
            one("ConfigMap", "kube-root-ca.crt", "", None),
            one("ServiceAccount", "default", "", None),
            one("Deployment", "web", "", None),
            one("Pod", "web-1-a", "uid-web-1", None),
            one("ReplicaSet", "web-1", "uid-web", None),
            one("Service", "web-svc", "", Some("release/web")),
            one("Endpoints", "web-svc", "", None),
            one("ConfigMap", "theirs", "", None),
            one("Secret", "other", "", Some("release/other")),
        ];
        let ours = BTreeSet::from(["uid-web"]);
        let is_marked =
            |object: &Value| object["metadata"]["annotations"]["ekb.io/resource"] == "release/web";
        let others = of_others(&all, &ours, &is_marked, false);
        assert_eq!(
            named(&others),
            "ConfigMap theirs, Secret other (of release/other)"
        );
        let many: Vec<Lodger> = std::iter::repeat_n(others[0].clone(), 12).collect();
        assert!(named(&many).ends_with(" and 2 more"));
    }
}
