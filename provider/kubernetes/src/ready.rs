//! Whether an object is what was asked for, as its controller says (the rules of kstatus and of the controllers themselves), and
//! what it waits for, in words.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::types::Type;

/// How far an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ready {
    Yes,
    /// What it waits for.
    Waiting(String),
    /// Why it will not be.
    Never(String),
}

use Ready::{Never, Waiting, Yes};

/// How far the object is.
pub(crate) fn ready(of: &Type, live: &Value) -> Ready {
    let (spec, status) = (&live["spec"], &live["status"]);
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    let of_condition = |name: &str| condition(live, name);
    let is_seen = number(&status["observedGeneration"]) >= number(&live["metadata"]["generation"]);
    let unseen = || Waiting("its controller has not seen it yet".to_owned());
    let some = |have: &Value, want: i64, what: &str| {
        let have = number(have);
        (have < want).then(|| Waiting(format!("{have} of {want} {what}")))
    };
    let first = |all: Vec<Option<Ready>>| all.into_iter().flatten().next().unwrap_or(Yes);
    match (of.group.as_str(), of.kind.as_str()) {
        ("apps", "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet") if !is_seen => unseen(),
        ("apps", "Deployment") => {
            let want = spec["replicas"].as_i64().unwrap_or(1);
            if let Some(late) =
                of_condition("Progressing").filter(|one| one["reason"] == "ProgressDeadlineExceeded")
            {
                return Never(said(late));
            }
            let refused = of_condition("ReplicaFailure").filter(|one| one["status"] == "True");
            let updated = number(&status["updatedReplicas"]);
            let old = number(&status["replicas"]) - updated;
            first(vec![
                refused.map(|one| Waiting(said(one))),
                some(&status["updatedReplicas"], want, "replicas updated"),
                some(&status["availableReplicas"], want, "replicas ready"),
                (old > 0).then(|| Waiting(format!("{old} old replicas are still there"))),
            ])
        }
        ("apps", "ReplicaSet") | ("", "ReplicationController") => {
            let want = spec["replicas"].as_i64().unwrap_or(1);
            first(vec![some(&status["availableReplicas"], want, "replicas ready")])
        }
        ("apps", "StatefulSet") => {
            let want = spec["replicas"].as_i64().unwrap_or(1);
            let strategy = &spec["updateStrategy"];
            let rolls = strategy["type"] != "OnDelete";
            let kept = number(&strategy["rollingUpdate"]["partition"]);
            let is_whole = rolls && kept == 0 && status["updateRevision"] != status["currentRevision"];
            first(vec![
                some(&status["readyReplicas"], want, "replicas ready"),
                some(
                    &status["updatedReplicas"],
                    if rolls { want - kept } else { 0 },
                    "replicas updated",
                ),
                is_whole.then(|| Waiting("the old revision still runs".to_owned())),
                some(&status["availableReplicas"], want, "replicas available"),
            ])
        }
        ("apps", "DaemonSet") => {
            let want = number(&status["desiredNumberScheduled"]);
            let rolls = spec["updateStrategy"]["type"] != "OnDelete";
            first(vec![
                some(
                    &status["updatedNumberScheduled"],
                    if rolls { want } else { 0 },
                    "pods updated",
                ),
                some(&status["numberAvailable"], want, "pods ready"),
            ])
        }
        ("batch", "Job") => match (of_condition("Complete"), of_condition("Failed")) {
            (_, Some(failed)) if failed["status"] == "True" => Never(format!("it failed: {}", said(failed))),
            (Some(done), _) if done["status"] == "True" => Yes,
            _ if spec["suspend"] == true => Yes,
            _ => {
                let count = |name: &str| number(&status[name]);
                Waiting(format!(
                    "it runs ({} active, {} succeeded, {} failed)",
                    count("active"),
                    count("succeeded"),
                    count("failed")
                ))
            }
        },
        ("", "Pod") => match status["phase"].as_str() {
            Some("Succeeded") => Yes,
            Some("Failed") => Never(format!("it failed: {}", said(status))),
            _ => match of_condition("Ready") {
                Some(one) if one["status"] == "True" => Yes,
                _ => Waiting(pod_reason(live).unwrap_or_else(|| "it is not ready".to_owned())),
            },
        },
        // Pending is fine: it may wait for its first pod, which then says what is amiss.
        ("", "PersistentVolumeClaim") if status["phase"] == "Lost" => Never("its volume is lost".to_owned()),
        ("", "Service") if spec["type"] == "LoadBalancer" => {
            let has = status["loadBalancer"]["ingress"]
                .as_array()
                .is_some_and(|all| !all.is_empty());
            if has {
                Yes
            } else {
                Waiting("it has no load balancer yet".to_owned())
            }
        }
        ("apiregistration.k8s.io", "APIService") => is_true(live, "Available", "nobody has said so yet"),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            match of_condition("NamesAccepted").filter(|one| one["status"] == "False") {
                Some(one) => Never(format!("its names are not accepted: {}", said(one))),
                None => is_true(live, "Established", "it is not established"),
            }
        }
        ("karpenter.sh", "NodePool") | ("karpenter.k8s.aws", "EC2NodeClass") => {
            is_true(live, "Ready", "Karpenter has not looked at it yet")
        }
        _ if of.known().is_none() => of_foreign(live),
        _ => Yes,
    }
}

/// An object of a foreign type: by the conditions that most controllers set.
fn of_foreign(live: &Value) -> Ready {
    let generation = live["metadata"]["generation"].as_i64();
    let is_old = |value: &Value| {
        value["observedGeneration"]
            .as_i64()
            .is_some_and(|seen| Some(seen) < generation)
    };
    if is_old(&live["status"]) {
        return Waiting("its controller has not seen it yet".to_owned());
    }
    if let Some(stalled) = condition(live, "Stalled").filter(|one| one["status"] == "True") {
        return Waiting(said(stalled));
    }
    for name in ["Ready", "Available"] {
        if let Some(one) = condition(live, name) {
            return match one["status"].as_str() {
                _ if is_old(one) => Waiting("its controller has not seen it yet".to_owned()),
                Some("True") => Yes,
                _ => Waiting(format!("not {name}: {}", said(one))),
            };
        }
    }
    Yes
}

fn is_true(live: &Value, name: &str, otherwise: &str) -> Ready {
    match condition(live, name) {
        Some(one) if one["status"] == "True" => Yes,
        Some(one) => Waiting(format!("not {name}: {}", said(one))),
        None => Waiting(format!("not {name}: {otherwise}")),
    }
}

fn condition<'a>(live: &'a Value, name: &str) -> Option<&'a Value> {
    let mut all = live["status"]["conditions"].as_array().into_iter().flatten();
    all.find(|one| one["type"] == name)
}

/// Reason and message.
fn said(one: &Value) -> String {
    let text = |name: &str| one[name].as_str().filter(|text| !text.is_empty());
    match (text("reason"), text("message")) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => "no reason is given".to_owned(),
    }
}

/// Why a pod is not ready; none where it is.
fn pod_reason(pod: &Value) -> Option<String> {
    let status = &pod["status"];
    if condition(pod, "Ready").is_some_and(|one| one["status"] == "True") || status["phase"] == "Succeeded" {
        return None;
    }
    let containers = ["initContainerStatuses", "containerStatuses"];
    let containers = containers
        .into_iter()
        .filter_map(|name| status[name].as_array())
        .flatten();
    for one in containers {
        let (waiting, ended) = (&one["state"]["waiting"], &one["lastState"]["terminated"]);
        let restarts = one["restartCount"].as_i64().unwrap_or_default();
        match waiting["reason"].as_str() {
            None | Some("PodInitializing" | "ContainerCreating") => {}
            Some("CrashLoopBackOff") => {
                let exit = ended["exitCode"]
                    .as_i64()
                    .map(|code| format!(", exit code {code}"));
                let why = ended["reason"]
                    .as_str()
                    .filter(|why| *why != "Error")
                    .map(|why| format!(", {why}"));
                return Some(format!(
                    "CrashLoopBackOff: container {} was started {} times{}{}",
                    one["name"].as_str().unwrap_or_default(),
                    restarts + 1,
                    exit.unwrap_or_default(),
                    why.unwrap_or_default()
                ));
            }
            Some(_) => return Some(said(waiting)),
        }
    }
    match condition(pod, "PodScheduled") {
        Some(one) if one["status"] == "False" => Some(format!(
            "FailedScheduling: {}",
            one["message"].as_str().unwrap_or_default()
        )),
        _ if status["phase"] == "Failed" => Some(said(status)),
        _ => condition(pod, "Ready")
            .filter(|one| one["message"].is_string())
            .map(said),
    }
}

/// How long an image may not be there: a registry or a pull secret may come.
const PULL: Duration = Duration::from_secs(120);
/// How long a quota may stand in the way.
const QUOTA: Duration = Duration::from_secs(60);
/// How often a container may crash.
const CRASHES: i64 = 5;
/// How many pods and events are named.
const NAMED: usize = 3;

/// What the pods of a workload and the events about it say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reasons {
    /// For example `pod web-1: ImagePullBackOff: …`.
    pub texts: Vec<String>,
    /// Among them what ends a wait.
    pub hopeless: Option<String>,
}

/// What holds up the workload `name`. `pods` are those of its newest template, `events` the warnings of the namespace.
pub(crate) fn reasons(name: &str, pods: &[Value], events: &[Value], waited: Duration) -> Reasons {
    let mut found = Reasons::default();
    let mut said_of = BTreeSet::new();
    for pod in pods {
        let Some(reason) = pod_reason(pod) else { continue };
        let text = format!(
            "pod {}: {reason}",
            pod["metadata"]["name"].as_str().unwrap_or_default()
        );
        let kind = reason.split(':').next().unwrap_or_default();
        let crashes = ["initContainerStatuses", "containerStatuses"].into_iter();
        let crashes = crashes
            .filter_map(|name| pod["status"][name].as_array())
            .flatten();
        let crashes = crashes
            .filter_map(|one| one["restartCount"].as_i64())
            .max()
            .unwrap_or_default();
        let ends = match kind {
            "InvalidImageName" => true,
            "ImagePullBackOff" | "ErrImagePull" | "ErrImageNeverPull" | "CreateContainerConfigError" => {
                waited > PULL
            }
            "CrashLoopBackOff" => crashes >= CRASHES,
            _ => false,
        };
        if ends && found.hopeless.is_none() {
            found.hopeless = Some(text.clone());
        }
        // Twenty pods with one reason are one line.
        if said_of.insert(kind.to_owned()) && found.texts.len() < NAMED {
            found.texts.push(text);
        }
    }
    let is_about = |event: &&Value| {
        let about = event["involvedObject"]["name"].as_str().unwrap_or_default();
        about == name || about.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
    };
    let at = |event: &Value| {
        let names = ["lastTimestamp", "eventTime"];
        let mut times = names
            .into_iter()
            .filter_map(|name| event[name].as_str().map(str::to_owned));
        times
            .next()
            .or_else(|| event["metadata"]["creationTimestamp"].as_str().map(str::to_owned))
    };
    let mut events: Vec<&Value> = events.iter().filter(is_about).collect();
    events.sort_by_key(|event| std::cmp::Reverse(at(event)));
    for event in events {
        let reason = event["reason"].as_str().unwrap_or_default();
        let message = event["message"].as_str().unwrap_or_default();
        // What the pods say already.
        if matches!(reason, "BackOff" | "Failed" | "FailedScheduling") && !found.texts.is_empty() {
            continue;
        }
        let text = format!("event {reason}: {message}");
        if message.contains("exceeded quota") && waited > QUOTA && found.hopeless.is_none() {
            found.hopeless = Some(text.clone());
        }
        if said_of.insert(format!("event {reason}")) && found.texts.len() < NAMED {
            found.texts.push(text);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn waits(of: &str, live: Value) -> String {
        match ready(&Type::parse(of), &live) {
            Yes => "ready".to_owned(),
            Waiting(text) => text,
            Never(text) => format!("never: {text}"),
        }
    }

    #[test]
    fn a_workload_is_ready_when_its_controller_says_so_of_this_generation() {
        let deployment =
            |status: Value| json!({"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status});
        let of = "apps/v1/Deployment";
        let table = [
            (json!({}), "its controller has not seen it yet"),
            (
                json!({"observedGeneration": 1, "updatedReplicas": 3, "availableReplicas": 3, "replicas": 3}),
                "its controller has not seen it yet",
            ),
            (
                json!({"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 3, "replicas": 4}),
                "1 of 3 replicas updated",
            ),
            (
                json!({"observedGeneration": 2, "updatedReplicas": 3, "availableReplicas": 2, "replicas": 3}),
                "2 of 3 replicas ready",
            ),
            (
                json!({"observedGeneration": 2, "updatedReplicas": 3, "availableReplicas": 3, "replicas": 4}),
                "1 old replicas are still there",
            ),
            (
                json!({"observedGeneration": 2, "updatedReplicas": 3, "availableReplicas": 3, "replicas": 3}),
                "ready",
            ),
            (
                json!({"observedGeneration": 2, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}]}),
                "never: ProgressDeadlineExceeded: timed out",
            ),
            (
                json!({"observedGeneration": 2, "conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}]}),
                "FailedCreate: exceeded quota",
            ),
        ];
        for (status, said) in table {
            assert_eq!(waits(of, deployment(status.clone())), said, "{status}");
        }
        let set = |strategy: Value, status: Value| json!({"metadata": {"generation": 1}, "spec": {"replicas": 2, "updateStrategy": strategy}, "status": status});
        let of = "apps/v1/StatefulSet";
        let rolls = json!({"type": "RollingUpdate"});
        let status = |ready: u32, updated: u32| json!({"observedGeneration": 1, "readyReplicas": ready, "availableReplicas": ready, "updatedReplicas": updated, "updateRevision": "b", "currentRevision": if updated == 2 { "b" } else { "a" }});
        assert_eq!(
            waits(of, set(rolls.clone(), status(1, 2))),
            "1 of 2 replicas ready"
        );
        assert_eq!(
            waits(of, set(rolls.clone(), status(2, 1))),
            "1 of 2 replicas updated"
        );
        assert_eq!(waits(of, set(rolls, status(2, 2))), "ready");
        let kept = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
        assert_eq!(waits(of, set(kept, status(2, 1))), "ready");
        assert_eq!(waits(of, set(json!({"type": "OnDelete"}), status(2, 0))), "ready");
        let daemons = |ready: u32| json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": ready}});
        assert_eq!(waits("apps/v1/DaemonSet", daemons(1)), "1 of 2 pods ready");
        assert_eq!(waits("apps/v1/DaemonSet", daemons(2)), "ready");
    }

    #[test]
    fn other_kinds_have_rules_of_their_own() {
        let with = |kind: &str, status: &str| json!({"status": {"conditions": [{"type": kind, "status": status, "reason": "R", "message": "m"}]}});
        assert_eq!(
            waits("batch/v1/Job", json!({"status": {"active": 1}})),
            "it runs (1 active, 0 succeeded, 0 failed)"
        );
        assert_eq!(waits("batch/v1/Job", with("Complete", "True")), "ready");
        assert_eq!(
            waits("batch/v1/Job", with("Failed", "True")),
            "never: it failed: R: m"
        );
        assert_eq!(
            waits(
                "v1/PersistentVolumeClaim",
                json!({"status": {"phase": "Pending"}})
            ),
            "ready"
        );
        assert_eq!(
            waits("v1/PersistentVolumeClaim", json!({"status": {"phase": "Lost"}})),
            "never: its volume is lost"
        );
        assert_eq!(
            waits("apiregistration.k8s.io/v1/APIService", with("Available", "False")),
            "not Available: R: m"
        );
        assert_eq!(
            waits("apiregistration.k8s.io/v1/APIService", with("Available", "True")),
            "ready"
        );
        let definition = "apiextensions.k8s.io/v1/CustomResourceDefinition";
        assert_eq!(
            waits(definition, json!({})),
            "not Established: it is not established"
        );
        assert_eq!(
            waits(definition, with("NamesAccepted", "False")),
            "never: its names are not accepted: R: m"
        );
        assert_eq!(waits(definition, with("Established", "True")), "ready");
        let service =
            |ingress: Value| json!({"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": ingress}});
        assert_eq!(
            waits("v1/Service", service(json!({}))),
            "it has no load balancer yet"
        );
        assert_eq!(
            waits("v1/Service", service(json!({"ingress": [{"hostname": "a"}]}))),
            "ready"
        );
        assert_eq!(
            waits("v1/Service", json!({"spec": {"type": "ClusterIP"}})),
            "ready"
        );
        let foreign = "keda.sh/v1alpha1/ScaledObject";
        assert_eq!(waits(foreign, json!({})), "ready", "nobody says anything");
        assert_eq!(waits(foreign, with("Ready", "False")), "not Ready: R: m");
        assert_eq!(waits(foreign, with("Ready", "True")), "ready");
        let old = json!({"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]}});
        assert_eq!(waits(foreign, old), "its controller has not seen it yet");
        assert_eq!(waits("v1/ConfigMap", json!({})), "ready");
    }

    #[test]
    fn pods_say_what_holds_them_up_and_what_will_not_end() {
        let pod = |name: &str, waiting: &str, restarts: u32| {
            json!({
                "metadata": {"name": name},
                "status": {"containerStatuses": [{"name": "app", "restartCount": restarts,
                    "state": {"waiting": {"reason": waiting, "message": "Back-off pulling image \"x\""}},
                    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]},
            })
        };
        let (minute, long) = (Duration::from_secs(60), Duration::from_secs(300));
        let pods = [
            pod("web-1", "ImagePullBackOff", 0),
            pod("web-2", "ImagePullBackOff", 0),
        ];
        let found = reasons("web", &pods, &[], minute);
        assert_eq!(
            found.texts,
            ["pod web-1: ImagePullBackOff: Back-off pulling image \"x\""]
        );
        assert_eq!(found.hopeless, None, "it may come");
        assert!(reasons("web", &pods, &[], long).hopeless.is_some());
        let crashing = reasons("web", &[pod("web-1", "CrashLoopBackOff", 2)], &[], long);
        assert_eq!(
            crashing.texts,
            ["pod web-1: CrashLoopBackOff: container app was started 3 times, exit code 137, OOMKilled"]
        );
        assert_eq!(crashing.hopeless, None);
        assert!(
            reasons("web", &[pod("web-1", "CrashLoopBackOff", 6)], &[], minute)
                .hopeless
                .is_some()
        );
        let unplaced = json!({"metadata": {"name": "web-1"}, "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}]}});
        let found = reasons("web", &[unplaced], &[], Duration::from_secs(3000));
        assert_eq!(
            (found.texts, found.hopeless),
            (vec!["pod web-1: FailedScheduling: 0/3 nodes".to_owned()], None)
        );
        let event = |about: &str, reason: &str, message: &str| json!({"involvedObject": {"name": about}, "reason": reason, "message": message, "lastTimestamp": "2026-01-01T00:00:00Z"});
        let events = [
            event("web-abc", "FailedCreate", "exceeded quota: pods"),
            event("webber", "Other", "not of it"),
        ];
        let found = reasons("web", &[], &events, long);
        assert_eq!(found.texts, ["event FailedCreate: exceeded quota: pods"]);
        assert!(found.hopeless.is_some());
    }
}
