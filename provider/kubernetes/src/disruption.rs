//! What does not let nodes go: PodDisruptionBudgets that can never be met, and their pods.
//!
//! A budget lets go of no pod where as many have to be healthy as there are (`minAvailable` of all of them, `maxUnavailable` 0),
//! and of a pod that a second budget selects as well (Kubernetes, "Specifying a Disruption Budget"; the eviction is answered
//! with 500). EKS then gives up after 15 minutes (PodEvictionFailure) and names a node only.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use reconcile::failure::Failure;
use serde_json::{Map, Value};

use crate::cluster::{Cluster, encoded};

/// More than that are counted only.
const MOST: usize = 10;

/// What does not let go of pods on the nodes with these labels (a selector), a sentence a budget.
///
/// # Errors
/// No way into the cluster.
pub async fn never_met(cluster: &Cluster, nodes: &str) -> Result<Vec<String>, Failure> {
    Ok(Picture::of(cluster, nodes).await?.never_met())
}

/// What holds pods on these nodes at present, never or for now: for a drain that has failed.
///
/// # Errors
/// No way into the cluster.
pub async fn holding(cluster: &Cluster, nodes: &str) -> Result<Vec<String>, Failure> {
    Ok(Picture::of(cluster, nodes).await?.holding())
}

/// The nodes of a pool of Karpenter's.
pub fn of_pool(name: &str) -> String {
    format!("karpenter.sh/nodepool={name}")
}

/// What holds pods on the nodes of a pool of Karpenter's: budgets, and what their owners say, which Karpenter heeds too. True where
/// some of it never lets go.
pub(crate) async fn holding_pool(cluster: &Cluster, name: &str) -> Result<(Vec<String>, bool), Failure> {
    let there = Picture::of(cluster, &of_pool(name)).await?;
    let is_protected = |pod: &&Value| pod["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "true";
    let protected: Vec<String> = there.pods.iter().filter(is_protected).map(place).collect();
    let mut said = there.holding();
    let is_for_ever = !protected.is_empty() || !there.never_met().is_empty();
    if !protected.is_empty() {
        said.push(format!(
            "pods that may not be disturbed (karpenter.sh/do-not-disrupt): {}",
            listed(&protected)
        ));
    }
    Ok((said, is_for_ever))
}

/// Budgets, and the pods on the nodes in question that have to be evicted.
struct Picture {
    budgets: Vec<Value>,
    pods: Vec<Value>,
}

impl Picture {
    async fn of(cluster: &Cluster, nodes: &str) -> Result<Self, Failure> {
        let doing = format!(
            "looking for PodDisruptionBudgets in the cluster {}",
            cluster.name()
        );
        let budgets = cluster
            .list(&doing, "/apis/policy/v1/poddisruptionbudgets", "")
            .await?;
        let selector = format!("&labelSelector={}", encoded(nodes));
        let nodes = cluster.list(&doing, "/api/v1/nodes", &selector).await?;
        let names = nodes.iter().filter_map(|node| node["metadata"]["name"].as_str());
        let pods = names.map(|name| {
            let doing = doing.clone();
            async move {
                let on_node = format!("&fieldSelector=spec.nodeName%3D{name}");
                cluster.list(&doing, "/api/v1/pods", &on_node).await
            }
        });
        let pods = try_join_all(pods).await?.into_iter().flatten();
        Ok(Self {
            budgets,
            pods: pods.filter(is_evicted).collect(),
        })
    }

    fn pods_of(&self, budget: &Value) -> Vec<&Value> {
        self.pods.iter().filter(|pod| selects(budget, pod)).collect()
    }

    fn holding(&self) -> Vec<String> {
        let mut said = self.never_met();
        let for_now = self.budgets.iter().filter(|budget| {
            never(budget).is_none() && budget["status"]["disruptionsAllowed"].as_i64() == Some(0)
        });
        said.extend(for_now.filter_map(|budget| {
            let status = &budget["status"];
            let why = format!(
                "{} of its {} pods are healthy, {} have to be",
                status["currentHealthy"], status["expectedPods"], status["desiredHealthy"]
            );
            sentence(budget, &why, &self.pods_of(budget))
        }));
        said
    }

    fn never_met(&self) -> Vec<String> {
        let mut said: Vec<String> = self
            .budgets
            .iter()
            .filter_map(|budget| sentence(budget, &never(budget)?, &self.pods_of(budget)))
            .collect();
        let mut twice: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pod in &self.pods {
            let budgets: Vec<String> = self
                .budgets
                .iter()
                .filter(|budget| selects(budget, pod))
                .map(name)
                .collect();
            if budgets.len() > 1 {
                twice.entry(budgets.join(" and ")).or_default().push(place(pod));
            }
        }
        said.extend(twice.into_iter().map(|(budgets, pods)| {
            format!(
                "PodDisruptionBudgets {budgets} select the same pods, which Kubernetes then never evicts: {}",
                listed(&pods)
            )
        }));
        said
    }
}

/// Why the budget never lets go of a pod.
fn never(budget: &Value) -> Option<String> {
    let (spec, status) = (&budget["spec"], &budget["status"]);
    let number = |name: &str| status[name].as_i64();
    if number("disruptionsAllowed").is_some_and(|allowed| allowed > 0) {
        return None;
    }
    let is = |value: &Value, number: i64, percent: &str| value.as_i64() == Some(number) || value == percent;
    if is(&spec["maxUnavailable"], 0, "0%") {
        return Some("`maxUnavailable` is 0".to_owned());
    }
    // How the API's controller counted; not yet, where it has not seen the last change.
    let is_seen = number("observedGeneration") >= budget["metadata"]["generation"].as_i64();
    match (number("desiredHealthy"), number("expectedPods")) {
        (Some(wanted), Some(pods)) if is_seen && pods > 0 && wanted >= pods => {
            let given = match &spec["minAvailable"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            Some(format!("`minAvailable` is {given} of {pods} pods"))
        }
        _ => None,
    }
}

/// `PodDisruptionBudget shop/db (`maxUnavailable` is 0) does not let go of db-0 on ip-10-20-1-4…`; none where it is about no pod here.
fn sentence(budget: &Value, why: &str, pods: &[&Value]) -> Option<String> {
    let pods: Vec<String> = pods.iter().map(|pod| place(pod)).collect();
    (!pods.is_empty()).then(|| {
        format!(
            "PodDisruptionBudget {} ({why}) does not let go of {}",
            name(budget),
            listed(&pods)
        )
    })
}

fn listed(pods: &[String]) -> String {
    let more = pods.len().saturating_sub(MOST);
    let shown = pods.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}

fn name(object: &Value) -> String {
    let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

fn place(pod: &Value) -> String {
    format!(
        "{} on {}",
        pod["metadata"]["name"].as_str().unwrap_or_default(),
        pod["spec"]["nodeName"].as_str().unwrap_or_default()
    )
}

/// Whether a drain evicts it: not those of DaemonSets and static ones, nor those that have ended.
fn is_evicted(pod: &Value) -> bool {
    let metadata = &pod["metadata"];
    let mut owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    let is_of_node = owners.any(|owner| owner["kind"] == "DaemonSet" || owner["kind"] == "Node");
    let has_ended = ["Succeeded", "Failed"]
        .iter()
        .any(|phase| pod["status"]["phase"] == *phase);
    !is_of_node && !has_ended && metadata["deletionTimestamp"].is_null()
}

/// Whether the budget is about the pod. An empty selector is about all of its namespace (policy/v1).
fn selects(budget: &Value, pod: &Value) -> bool {
    if budget["metadata"]["namespace"] != pod["metadata"]["namespace"] {
        return false;
    }
    let selector = &budget["spec"]["selector"];
    if selector.is_null() {
        return false;
    }
    let nothing = Map::new();
    let labels = pod["metadata"]["labels"].as_object().unwrap_or(&nothing);
    let same = |(key, value): (&String, &Value)| labels.get(key) == Some(value);
    let mut wanted = selector["matchLabels"].as_object().into_iter().flatten();
    let mut expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    wanted.all(same)
        && expressions.all(|expression| {
            let label = expression["key"].as_str().and_then(|key| labels.get(key));
            let values = expression["values"].as_array();
            let is_in = || label.is_some_and(|label| values.is_some_and(|values| values.contains(label)));
            match expression["operator"].as_str() {
                Some("In") => is_in(),
                Some("NotIn") => !is_in(),
                Some("Exists") => label.is_some(),
                Some("DoesNotExist") => label.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn budget(spec: Value, allowed: i64, wanted: i64, pods: i64) -> Value {
        json!({
            "metadata": { "namespace": "shop", "name": "db", "generation": 1 }, "spec": spec,
            "status": { "disruptionsAllowed": allowed, "desiredHealthy": wanted, "expectedPods": pods, "observedGeneration": 1 },
        })
    }

    fn pod(labels: Value) -> Value {
        json!({ "metadata": { "namespace": "shop", "name": "db-0", "labels": labels }, "spec": { "nodeName": "ip-10-0-0-4" } })
    }

    #[test]
    fn a_budget_that_can_never_be_met() {
        let why = |spec, allowed, wanted, pods| never(&budget(spec, allowed, wanted, pods));
        assert!(why(json!({ "maxUnavailable": 0 }), 0, 2, 2).is_some());
        assert!(why(json!({ "maxUnavailable": "0%" }), 0, 2, 2).is_some());
        assert_eq!(
            why(json!({ "minAvailable": "100%" }), 0, 3, 3).as_deref(),
            Some("`minAvailable` is 100% of 3 pods")
        );
        assert!(why(json!({ "minAvailable": 5 }), 0, 5, 3).is_some());
        assert_eq!(why(json!({ "minAvailable": 1 }), 1, 1, 2), None);
        assert_eq!(
            why(json!({ "minAvailable": 1 }), 0, 1, 2),
            None,
            "for now only: one is not healthy"
        );
        assert_eq!(why(json!({ "minAvailable": 1 }), 0, 1, 0), None, "no pods");
    }

    #[test]
    fn two_budgets_on_a_pod_are_named_with_it() {
        let of = |name: &str, selector: Value| {
            let mut budget = budget(json!({ "maxUnavailable": 1, "selector": selector }), 1, 1, 2);
            budget["metadata"]["name"] = name.into();
            budget
        };
        let there = Picture {
            budgets: vec![
                of("a", json!({ "matchLabels": { "app": "db" } })),
                of(
                    "b",
                    json!({ "matchExpressions": [{ "key": "app", "operator": "In", "values": ["db", "web"] }] }),
                ),
                of(
                    "c",
                    json!({ "matchExpressions": [{ "key": "app", "operator": "NotIn", "values": ["db"] }] }),
                ),
                of("d", Value::Null),
            ],
            pods: vec![pod(json!({ "app": "db" }))],
        };
        let said = there.never_met();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].contains("shop/a and shop/b") && said[0].ends_with("db-0 on ip-10-0-0-4"),
            "{said:?}"
        );
    }

    #[test]
    fn what_a_drain_leaves_is_not_named() {
        let with = |change: Value| {
            let mut pod = pod(json!({}));
            for (path, value) in change.as_object().into_iter().flatten() {
                pod["metadata"][path] = value.clone();
            }
            pod
        };
        assert!(is_evicted(&with(json!({}))));
        assert!(!is_evicted(&with(
            json!({ "ownerReferences": [{ "kind": "DaemonSet" }] })
        )));
        assert!(!is_evicted(
            &json!({ "metadata": {}, "status": { "phase": "Succeeded" } })
        ));
    }
}
