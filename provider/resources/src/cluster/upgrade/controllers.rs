//! Controllers that run in a cluster and do not work with every version of Kubernetes: read from the images of their Deployments.

use framework::{Attr, Diagnostic, Diagnostics, Path};
use kubernetes::Cluster as Connection;
use reconcile::failure::Failure;
use serde_json::Value;

use super::super::model::Cluster;
use super::super::versions::minor;

/// A controller, and from which version on it works with which minor of Kubernetes.
struct Controller {
    name: &'static str,
    /// The last parts of its image's name.
    image: &'static str,
    /// Its label `app.kubernetes.io/name`, where the image was copied to another name.
    label: &'static str,
    /// Minor of Kubernetes, and the earliest version for it.
    needs: &'static [(u32, &'static str)],
    source: &'static str,
}

const CONTROLLERS: [Controller; 2] = [
    Controller {
        name: "Karpenter",
        image: "karpenter/controller",
        label: "karpenter",
        needs: &[
            (31, "1.0.5"),
            (32, "1.2"),
            (33, "1.5"),
            (34, "1.6"),
            (35, "1.9"),
            (36, "1.13"),
        ],
        source: "karpenter.sh/docs/upgrading/compatibility, August 2026",
    },
    // The versions that its makers test with that minor.
    Controller {
        name: "KEDA",
        image: "keda",
        label: "keda-operator",
        needs: &[
            (31, "2.16"),
            (32, "2.17"),
            (33, "2.18"),
            (34, "2.19"),
            (35, "2.20"),
            (36, "2.21"),
        ],
        source: "keda.sh/docs/2.22/operate/cluster, November 2026",
    },
];

/// Refuses a version that a controller in the cluster is too old for.
///
/// # Errors
/// No way into the cluster.
pub async fn check(
    cluster: &Connection,
    to: &str,
    planned: &Cluster,
    out: &mut Diagnostics,
) -> Result<(), Failure> {
    let doing = format!("looking for controllers in the cluster {}", cluster.name());
    let deployments = cluster.list(&doing, "/apis/apps/v1/deployments", "").await?;
    let sentences: Vec<String> = deployments
        .iter()
        .filter_map(|deployment| too_old(deployment, to))
        .collect();
    if sentences.is_empty() {
        return Ok(());
    }
    let detail = sentences.join("\n");
    let at = Path::from("kubernetes_version");
    out.push(if planned.force_insights == Attr::Known(true) {
        Diagnostic::warning("EKB2242", "A controller is too old for the version", detail)
            .hint("`force_insights` is true: remove it afterwards.")
            .at(at)
    } else {
        Diagnostic::error("EKB2242", "A controller is too old for the version", detail)
            .hint("Upgrade it first. To go on all the same set `force_insights = true`.")
            .at(at)
    });
    Ok(())
}

/// `upgrade Karpenter (kube-system/karpenter, 1.6.1) to at least 1.9 first: …`, where the Deployment is a controller that is older
/// than this version of Kubernetes needs.
fn too_old(deployment: &Value, kubernetes: &str) -> Option<String> {
    let (controller, is) = recognised(deployment)?;
    let wanted = minor(kubernetes)?;
    let (_, needed) = controller.needs.iter().find(|(minor, _)| *minor == wanted)?;
    if numbers(&is) >= numbers(needed) {
        return None;
    }
    let text = |name: &str| deployment["metadata"][name].as_str().unwrap_or_default();
    Some(format!(
        "Upgrade {} ({}/{}, version {is}) to at least {needed} first: Kubernetes {kubernetes} needs that ({}).",
        controller.name,
        text("namespace"),
        text("name"),
        controller.source
    ))
}

/// The controller that the Deployment is, and its version.
fn recognised(deployment: &Value) -> Option<(&'static Controller, String)> {
    let labels = &deployment["metadata"]["labels"];
    let template = &deployment["spec"]["template"];
    let containers = template["spec"]["containers"].as_array()?;
    for image in containers.iter().filter_map(|one| one["image"].as_str()) {
        let (name, tag) = parts(image);
        let is_it = |controller: &&Controller| {
            let image = controller.image;
            let has_image = name == image || name.ends_with(&format!("/{image}"));
            has_image || labels["app.kubernetes.io/name"] == controller.label
        };
        let Some(controller) = CONTROLLERS.iter().find(is_it) else {
            continue;
        };
        let said = || labels["app.kubernetes.io/version"].as_str();
        let version = tag.filter(|tag| !numbers(tag).is_empty()).or_else(said)?;
        return Some((controller, version.trim_start_matches('v').to_owned()));
    }
    None
}

/// Name and tag of an image: `public.ecr.aws/karpenter/controller` and `1.9.0`.
fn parts(image: &str) -> (&str, Option<&str>) {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        // A port of the registry is no tag.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, None),
    }
}

/// The numbers of a version, which order it; none where it does not begin with one (`latest`).
fn numbers(version: &str) -> Vec<u64> {
    let version = version.trim_start_matches('v');
    let release = version.split(['-', '+']).next().unwrap_or_default();
    release
        .split('.')
        .map_while(|number| number.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(image: &str, labels: Value) -> Value {
        json!({
            "metadata": { "namespace": "kube-system", "name": "it", "labels": labels },
            "spec": { "template": { "spec": { "containers": [{ "image": image }] } } },
        })
    }

    #[test]
    fn controllers_are_known_by_image_or_label() {
        let said = |image: &str| too_old(&deployment(image, json!({})), "1.35");
        let karpenter = said("public.ecr.aws/karpenter/controller:1.6.1@sha256:0123").unwrap();
        assert!(
            karpenter.starts_with("Upgrade Karpenter (kube-system/it, version 1.6.1) to at least 1.9 first"),
            "{karpenter}"
        );
        assert_eq!(
            said("localhost:5000/karpenter/controller:v1.10.0"),
            None,
            "1.10 comes after 1.9"
        );
        assert!(said("ghcr.io/kedacore/keda:2.19.0").is_some());
        assert_eq!(said("ghcr.io/kedacore/keda:2.20.0"), None);
        assert_eq!(said("ghcr.io/kedacore/keda-metrics-apiserver:2.1.0"), None);
        assert_eq!(said("ghcr.io/kedacore/keda:latest"), None, "nobody knows");
        let by_label = deployment(
            "registry.example.com/copies/autoscaler@sha256:0123",
            json!({ "app.kubernetes.io/name": "keda-operator", "app.kubernetes.io/version": "2.18.1" }),
        );
        assert!(
            too_old(&by_label, "1.36")
                .unwrap()
                .contains("to at least 2.21 first")
        );
        assert_eq!(too_old(&by_label, "1.33"), None);
    }
}
