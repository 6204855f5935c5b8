//! What runs of the add-ons, and why it does not.

use std::collections::BTreeSet;

use framework::Attr;
use kubernetes::Cluster as Connection;
use reconcile::failure::Failure;
use serde_json::Value;

use super::model::Cluster;
use crate::platform::Platform;

/// A Deployment or DaemonSet of an add-on in kube-system.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// The add-on.
    pub addon: &'static str,
    /// Its type, as paths have it.
    pub plural: &'static str,
    /// Its name.
    pub name: &'static str,
}

const fn workload(addon: &'static str, plural: &'static str, name: &'static str) -> Workload {
    Workload { addon, plural, name }
}

static ALL: [Workload; 8] = [
    workload("vpc-cni", "daemonsets", "aws-node"),
    workload("kube-proxy", "daemonsets", "kube-proxy"),
    workload("eks-pod-identity-agent", "daemonsets", "eks-pod-identity-agent"),
    workload("coredns", "deployments", "coredns"),
    workload("aws-ebs-csi-driver", "deployments", "ebs-csi-controller"),
    workload("aws-ebs-csi-driver", "daemonsets", "ebs-csi-node"),
    workload("metrics-server", "deployments", "metrics-server"),
    workload("snapshot-controller", "deployments", "snapshot-controller"),
];

/// Those of an add-on.
pub fn of(addon: &str) -> impl Iterator<Item = &'static Workload> {
    ALL.iter().filter(move |one| one.addon == addon)
}

impl Workload {
    /// It, as it is.
    ///
    /// # Errors
    /// There is none (class `NotFound`), or no way into the cluster.
    pub async fn get(&self, cluster: &Connection) -> Result<Value, Failure> {
        let Self { plural, name, .. } = self;
        let doing = format!("looking at the {plural} {name} in the cluster {}", cluster.name());
        let path = format!("/apis/apps/v1/namespaces/kube-system/{plural}/{name}");
        cluster.get(&doing, &path).await
    }
}

/// How EKS says that pods are missing. It does not say why; the pods do.
const TOO_FEW: &str = "InsufficientNumberOfReplicas";

/// Says why pods of the add-on that failed do not run, where the cluster tells.
pub async fn explain(context: &Platform, model: &Cluster, failure: Failure) -> Failure {
    let (Attr::Known(region), Attr::Known(cluster)) = (&model.common.region, &model.name) else {
        return failure;
    };
    let Some((_, addon)) = failure.doing.split_once(&format!("add-on {cluster}/")) else {
        return failure;
    };
    if !failure.cause.contains(TOO_FEW) {
        return failure;
    }
    let connection = context.clusters(region).get(cluster);
    let mut said = Vec::new();
    for workload in of(addon) {
        // Whatever stands in the way of looking, EKS's own words are there.
        if let Ok(live) = workload.get(&connection).await
            && let Ok(pods) = pods(&connection, &live).await
        {
            said.extend(sentence(workload.name, &live["status"], &pods));
        }
    }
    if said.is_empty() {
        return failure;
    }
    Failure {
        cause: format!("{}. {}", failure.cause.trim_end_matches('.'), said.join("; ")),
        ..failure
    }
}

async fn pods(cluster: &Connection, live: &Value) -> Result<Vec<Value>, Failure> {
    let labels = live["spec"]["selector"]["matchLabels"].as_object();
    let labels = labels.into_iter().flatten();
    let labels = labels.map(|(name, value)| format!("{name}%3D{}", value.as_str().unwrap_or_default()));
    let selector = labels.collect::<Vec<_>>().join(",");
    let doing = format!("looking for pods in the cluster {}", cluster.name());
    let query = format!("&labelSelector={selector}");
    cluster
        .list(&doing, "/api/v1/namespaces/kube-system/pods", &query)
        .await
}

/// How many of its pods run, and what keeps the others; none where all run.
fn sentence(name: &str, status: &Value, pods: &[Value]) -> Option<String> {
    let number = |names: [&str; 2]| names.iter().find_map(|name| status[*name].as_i64()).unwrap_or(0);
    let wanted = number(["replicas", "desiredNumberScheduled"]);
    let ready = number(["readyReplicas", "numberReady"]);
    if ready >= wanted {
        return None;
    }
    let reasons: BTreeSet<String> = pods.iter().filter_map(reason).collect();
    let reasons: Vec<String> = reasons.into_iter().take(3).collect();
    let why = if reasons.is_empty() {
        String::new()
    } else {
        format!(": {}", reasons.join("; "))
    };
    Some(format!("{ready} of {wanted} pods of {name} are ready{why}"))
}

/// Why a pod does not run.
fn reason(pod: &Value) -> Option<String> {
    let status = &pod["status"];
    let list = |name: &str| status[name].as_array().into_iter().flatten();
    let unscheduled =
        list("conditions").find(|one| one["type"] == "PodScheduled" && one["status"] == "False");
    if let Some(condition) = unscheduled {
        let phase = status["phase"].as_str().unwrap_or("Pending");
        return Some(format!(
            "{phase}, {}",
            condition["message"].as_str().unwrap_or("not scheduled")
        ));
    }
    let waiting = list("initContainerStatuses").chain(list("containerStatuses"));
    let waiting = waiting
        .map(|one| &one["state"]["waiting"])
        .find(|waiting| waiting.is_object())?;
    let word = waiting["reason"].as_str().unwrap_or("waiting");
    Some(match waiting["message"].as_str() {
        Some(message) => format!("{word}, {message}"),
        None => word.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_that_do_not_run_say_why() {
        let pending = json!({"status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available: 2 Insufficient cpu."}]}});
        let crashing = json!({"status": {"phase": "Running", "containerStatuses": [
            {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}});
        let well = json!({"status": {"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}});
        let status = json!({"replicas": 4, "readyReplicas": 1});
        assert_eq!(
            sentence("coredns", &status, &[pending.clone(), pending, crashing, well]).unwrap(),
            "1 of 4 pods of coredns are ready: CrashLoopBackOff; Pending, 0/2 nodes are available: 2 Insufficient cpu."
        );
        assert_eq!(
            sentence("coredns", &json!({"replicas": 2, "readyReplicas": 2}), &[]),
            None
        );
        let nowhere = json!({"desiredNumberScheduled": 2, "numberReady": 0});
        assert_eq!(
            sentence("aws-node", &nowhere, &[]).unwrap(),
            "0 of 2 pods of aws-node are ready"
        );
        assert_eq!(of("aws-ebs-csi-driver").count(), 2);
    }
}
