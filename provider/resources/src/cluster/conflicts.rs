//! What others changed of the objects of add-ons, said before an update meets it.

use framework::{Attr, Diagnostic, Diagnostics, Path};
use kubernetes::{Foreign, fields_of_others};
use reconcile::failure::{Class, Failure};

use super::model::{Addon, Cluster};
use super::{addons, workloads};
use crate::platform::Platform;

/// EKS itself, and what counts the versions of a Deployment.
const MAKERS: [&str; 2] = ["eks", "kube-controller-manager"];

/// What `kubectl rollout restart` leaves behind: nothing that an update would lose.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// Looks at the objects of the add-ons whose version or configuration changes.
pub async fn check(context: Option<&Platform>, prior: &Cluster, planned: &Cluster, out: &mut Diagnostics) {
    let (Some(context), Attr::Known(region), Attr::Known(name)) =
        (context, &planned.common.region, &planned.name)
    else {
        return;
    };
    let (Some(before), Some(wanted)) = (addons::wanted(prior), addons::wanted(planned)) else {
        return;
    };
    let version = |cluster: &Cluster, name: &str| cluster.addon_versions.known()?.get(name)?.known().cloned();
    let changes = |name: &String, addon: &Addon| {
        before.get(name).is_some_and(|before| {
            version(prior, name) != version(planned, name) || before.configuration != addon.configuration
        })
    };
    let connection = context.clusters(region).get(name);
    for (addon, given) in wanted.iter().filter(|(name, addon)| changes(name, addon)) {
        for workload in workloads::of(addon) {
            let foreign = match workload.get(&connection).await {
                Ok(live) => fields_of_others(&live, &MAKERS),
                Err(failure) if failure.class == Class::NotFound => continue,
                Err(failure) => return out.push(not_seen(&failure)),
            };
            say(addon, given, workload.name, &foreign, out);
        }
    }
}

/// A plan may be made where the cluster cannot be entered.
fn not_seen(failure: &Failure) -> Diagnostic {
    Diagnostic::warning(
        "EKB2288",
        "It was not seen whether others changed an add-on",
        format!("{failure}."),
    )
    .hint("The update leaves what others changed as it is, unless `resolve_conflicts` is `overwrite`.")
    .at(Path::from("addons"))
}

fn say(addon: &str, given: &Addon, object: &str, foreign: &[Foreign], out: &mut Diagnostics) {
    let foreign: Vec<&Foreign> = foreign
        .iter()
        .filter(|one| !one.path.contains(RESTARTED))
        .collect();
    if foreign.is_empty() {
        return;
    }
    let fields: Vec<String> = foreign
        .iter()
        .map(|one| format!("{} belongs to {}", one.path, one.manager))
        .collect();
    let overwrites = given.resolve_conflicts == Attr::Known("overwrite".to_owned());
    let (becomes, other) = if overwrites {
        ("The update takes it back", "preserve")
    } else {
        ("The update leaves it as it is", "overwrite")
    };
    let mut keys: Vec<String> = foreign
        .iter()
        .filter_map(|one| configuration_key(addon, object, &one.path))
        .collect();
    keys.dedup();
    let keep = if keys.is_empty() {
        String::new()
    } else {
        format!(
            "To keep it whatever comes, set `{}` in the add-on's `configuration`. ",
            keys.join("`, `")
        )
    };
    out.push(
        Diagnostic::warning(
            "EKB2287",
            "Others changed an add-on",
            format!(
                "{addon}: of {object} in kube-system {}. {becomes}.",
                fields.join(", ")
            ),
        )
        .hint(format!(
            "{keep}For the other way set `resolve_conflicts = \"{other}\"`."
        ))
        .at(Path::from("addons").key(addon)),
    );
}

/// What of the add-on's configuration sets this field (AWS EKS `DescribeAddonConfiguration`).
fn configuration_key(addon: &str, object: &str, path: &str) -> Option<String> {
    let within = match object {
        "ebs-csi-controller" => "controller.",
        "ebs-csi-node" => "node.",
        _ => "",
    };
    if let Some((_, variable)) = path.split_once(".env[name=") {
        let (name, _) = variable.split_once(']')?;
        return (addon == "vpc-cni").then(|| format!("env.{name}"));
    }
    let fields = [
        (".tolerations", "tolerations"),
        (".affinity", "affinity"),
        (".nodeSelector", "nodeSelector"),
        (".resources", "resources"),
        (".topologySpreadConstraints", "topologySpreadConstraints"),
        (
            ".replicas",
            if addon == "metrics-server" {
                "replicas"
            } else {
                "replicaCount"
            },
        ),
    ];
    let (_, key) = fields.iter().find(|(field, _)| path.contains(field))?;
    Some(format!("{within}{key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_another_is_told_with_the_key_that_keeps_it() {
        let foreign = |path: &str| Foreign {
            path: path.to_owned(),
            manager: "kubectl-edit".to_owned(),
        };
        let said = |addon: &str, given: &Addon, object: &str, path: &str| {
            let mut out = Diagnostics::new();
            say(addon, given, object, &[foreign(path)], &mut out);
            format!("{out:?}")
        };
        let none = Addon::default();
        let env = "spec.template.spec.containers[name=aws-node].env[name=ENABLE_PREFIX_DELEGATION].value";
        let text = said("vpc-cni", &none, "aws-node", env);
        assert!(
            text.contains("EKB2287") && text.contains("belongs to kubectl-edit"),
            "{text}"
        );
        assert!(
            text.contains("`env.ENABLE_PREFIX_DELEGATION`") && text.contains("leaves it"),
            "{text}"
        );
        let overwrite = Addon {
            resolve_conflicts: "overwrite".into(),
            ..Addon::default()
        };
        let text = said(
            "aws-ebs-csi-driver",
            &overwrite,
            "ebs-csi-controller",
            "spec.replicas",
        );
        assert!(
            text.contains("`controller.replicaCount`") && text.contains("takes it back"),
            "{text}"
        );
        let restarted = "spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt";
        assert_eq!(
            said("coredns", &none, "coredns", restarted),
            format!("{:?}", Diagnostics::new())
        );
    }
}
