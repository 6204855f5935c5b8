//! Settings of the kubelet, and how the image of a node is told of them: in the user data of its launch template, which EKS joins
//! with its own (EKS user guide, "Customize managed nodes with launch templates").

use std::collections::BTreeMap;

use framework::{Attr, Diagnostic, Diagnostics, Path};
use serde_json::{Value, json};

use super::model::{Kubelet, SystemNodes};
use super::nodes;

/// What the kubelet sets apart (Kubernetes KubeletConfiguration v1beta1, `systemReserved`).
const RESERVED: [&str; 4] = ["cpu", "memory", "ephemeral-storage", "pid"];

/// What the kubelet watches (Kubernetes, "Node-pressure eviction").
const SIGNALS: [&str; 6] = [
    "memory.available",
    "nodefs.available",
    "nodefs.inodesFree",
    "imagefs.available",
    "imagefs.inodesFree",
    "pid.available",
];

/// Thresholds of EKS's images. A map that says others takes the place of all of them (Kubernetes, "Hard eviction thresholds").
const THRESHOLDS: [(&str, &str); 3] = [
    ("memory.available", "100Mi"),
    ("nodefs.available", "10%"),
    ("nodefs.inodesFree", "5%"),
];

/// How an image takes settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// nodeadm's NodeConfig, in a part of a MIME message.
    NodeConfig,
    /// TOML.
    Bottlerocket,
}

impl Form {
    fn of(ami_type: &str) -> Option<Self> {
        if ami_type.starts_with("AL2023_") {
            Some(Self::NodeConfig)
        } else if ami_type.starts_with("BOTTLEROCKET_") {
            Some(Self::Bottlerocket)
        } else {
            None
        }
    }
}

/// A setting: its name in a NodeConfig, that in Bottlerocket's settings where there is one, its value.
type Setting = (&'static str, Option<&'static str>, Value);

/// The settings that are given; unknown where one of them is.
fn settings(kubelet: &Kubelet) -> Attr<Vec<Setting>> {
    let number = |value: Attr<i64>| value.map(Value::from);
    let map = |value: &Attr<BTreeMap<String, String>>| value.as_ref().map(|map| json!(map));
    let thresholds = kubelet.eviction_hard.as_ref().map(|given| {
        let defaults = THRESHOLDS.map(|(signal, value)| (signal.to_owned(), value.to_owned()));
        let mut all = BTreeMap::from(defaults);
        all.extend(given.clone());
        json!(all)
    });
    let all = [
        ("maxPods", Some("max-pods"), number(kubelet.max_pods)),
        ("podsPerCore", None, number(kubelet.pods_per_core)),
        (
            "systemReserved",
            Some("system-reserved"),
            map(&kubelet.system_reserved),
        ),
        ("kubeReserved", Some("kube-reserved"), map(&kubelet.kube_reserved)),
        ("evictionHard", Some("eviction-hard"), thresholds),
        ("evictionSoft", Some("eviction-soft"), map(&kubelet.eviction_soft)),
        (
            "evictionSoftGracePeriod",
            Some("eviction-soft-grace-period"),
            map(&kubelet.eviction_soft_grace_period),
        ),
        (
            "evictionMaxPodGracePeriod",
            Some("eviction-max-pod-grace-period"),
            number(kubelet.eviction_max_pod_grace_period),
        ),
        (
            "imageGCHighThresholdPercent",
            Some("image-gc-high-threshold-percent"),
            number(kubelet.image_gc_high_threshold_percent),
        ),
        (
            "imageGCLowThresholdPercent",
            Some("image-gc-low-threshold-percent"),
            number(kubelet.image_gc_low_threshold_percent),
        ),
        (
            "cpuCFSQuota",
            Some("cpu-cfs-quota-enforced"),
            kubelet.cpu_cfs_quota.map(Value::from),
        ),
        (
            "clusterDNS",
            Some("cluster-dns-ip"),
            kubelet.cluster_dns.as_ref().map(|all| json!(all)),
        ),
    ];
    if all.iter().any(|(.., value)| value.is_unknown()) {
        return Attr::Unknown;
    }
    let given = all.into_iter();
    Attr::Known(
        given
            .filter_map(|(name, other, value)| Some((name, other, value.into_known()?)))
            .collect(),
    )
}

/// The settings as Karpenter's EC2NodeClass has them, which names them as a NodeConfig does.
pub fn as_object(kubelet: &Kubelet) -> Attr<Value> {
    let entry = |(name, _, value): Setting| (name.to_owned(), value);
    settings(kubelet).map(|all| all.into_iter().map(entry).collect())
}

/// The user data of the nodes; null where nothing is set.
pub fn user_data(nodes: &SystemNodes) -> Attr<String> {
    let settings = match &nodes.kubelet {
        Attr::Null => return Attr::Null,
        Attr::Unknown => return Attr::Unknown,
        Attr::Known(kubelet) => settings(kubelet),
    };
    let (Attr::Known(settings), Attr::Known(ami)) = (settings, nodes::ami_type(nodes)) else {
        return Attr::Unknown;
    };
    match Form::of(&ami) {
        // The checks refuse it.
        None => Attr::Null,
        Some(_) if settings.is_empty() => Attr::Null,
        Some(Form::NodeConfig) => Attr::Known(node_config(&settings)),
        Some(Form::Bottlerocket) => Attr::Known(bottlerocket(&settings)),
    }
}

/// A MIME message with a NodeConfig (nodeadm's API reference, `node.eks.aws/v1alpha1`). JSON within is YAML too.
fn node_config(settings: &[Setting]) -> String {
    let lines: Vec<String> = settings
        .iter()
        .map(|(name, _, value)| format!("      {name}: {value}\n"))
        .collect();
    format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"EKB\"\n\n--EKB\nContent-Type: application/node.eks.aws\n\n\
         ---\napiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  kubelet:\n    config:\n{}\n--EKB--\n",
        lines.concat()
    )
}

/// Bottlerocket's settings (Bottlerocket, "settings.kubernetes"). Tables come after what is none, as TOML has it.
fn bottlerocket(settings: &[Setting]) -> String {
    let mut text = "[settings.kubernetes]\n".to_owned();
    let mut tables = String::new();
    for (_, name, value) in settings {
        let Some(name) = name else { continue };
        match value {
            Value::Object(entries) => {
                tables += &format!("\n[settings.kubernetes.{name}]\n");
                for (key, value) in entries {
                    tables += &format!("\"{key}\" = {value}\n");
                }
            }
            // Bottlerocket takes percentages as texts.
            Value::Number(percent) if name.ends_with("-percent") => {
                text += &format!("{name} = \"{percent}\"\n");
            }
            value => text += &format!("{name} = {value}\n"),
        }
    }
    text + &tables
}

/// Refuses what the kubelet would not start with.
pub fn check(nodes: &SystemNodes, out: &mut Diagnostics) {
    let Attr::Known(kubelet) = &nodes.kubelet else {
        return;
    };
    let at = |name: &str| Path::from("system_nodes").attribute("kubelet").attribute(name);
    check_image(nodes, kubelet, out);
    for (name, given, known) in [
        ("system_reserved", &kubelet.system_reserved, RESERVED.as_slice()),
        ("kube_reserved", &kubelet.kube_reserved, RESERVED.as_slice()),
        ("eviction_hard", &kubelet.eviction_hard, SIGNALS.as_slice()),
        ("eviction_soft", &kubelet.eviction_soft, SIGNALS.as_slice()),
        (
            "eviction_soft_grace_period",
            &kubelet.eviction_soft_grace_period,
            SIGNALS.as_slice(),
        ),
    ] {
        for key in given.known().into_iter().flat_map(BTreeMap::keys) {
            if !known.contains(&key.as_str()) {
                out.push(
                    invalid(format!("The kubelet knows no {key} in `{name}`."))
                        .hint(format!("Take some of {}.", known.join(", ")))
                        .at(at(name)),
                );
            }
        }
    }
    let keys = |given: &Attr<BTreeMap<String, String>>| match given {
        Attr::Unknown => None,
        given => Some(
            given
                .known()
                .into_iter()
                .flat_map(BTreeMap::keys)
                .cloned()
                .collect::<Vec<_>>(),
        ),
    };
    if let (Some(soft), Some(grace)) = (
        keys(&kubelet.eviction_soft),
        keys(&kubelet.eviction_soft_grace_period),
    ) && soft != grace
    {
        out.push(
            invalid("`eviction_soft` and `eviction_soft_grace_period` name different signals: the kubelet does not start.".to_owned())
                .hint("Give each signal of one of them in the other, too.")
                .at(at("eviction_soft_grace_period")),
        );
    }
    // Kubernetes KubeletConfiguration: 85 and 80 by itself.
    if let (Attr::Known(high), Attr::Known(low)) = (
        kubelet.image_gc_high_threshold_percent.or(85),
        kubelet.image_gc_low_threshold_percent.or(80),
    ) && low >= high
    {
        out.push(
            invalid(format!("Images would be removed from {high} % of the disk on, down to {low} %."))
                .hint("Take an `image_gc_low_threshold_percent` (default 80) below `image_gc_high_threshold_percent` (default 85).")
                .at(at("image_gc_low_threshold_percent")),
        );
    }
}

fn invalid(detail: String) -> Diagnostic {
    Diagnostic::error("EKB2280", "Invalid settings of the kubelet", detail)
}

fn check_image(nodes: &SystemNodes, kubelet: &Kubelet, out: &mut Diagnostics) {
    let Attr::Known(ami) = nodes::ami_type(nodes) else {
        return;
    };
    let at = Path::from("system_nodes").attribute("kubelet");
    match Form::of(&ami) {
        Some(Form::NodeConfig) => {}
        Some(Form::Bottlerocket) if kubelet.pods_per_core.is_null() => {}
        Some(Form::Bottlerocket) => out.push(
            Diagnostic::error(
                "EKB2281",
                "A setting that the image does not have",
                "Bottlerocket has no setting for `pods_per_core`.",
            )
            .hint("Set `max_pods`.")
            .at(at.attribute("pods_per_core")),
        ),
        None => out.push(
            Diagnostic::error(
                "EKB2281",
                "Settings that the image does not take",
                format!("Images of the type {ami} take no settings of the kubelet from a launch template that leaves the image to EKS."),
            )
            .hint("Take a type of Amazon Linux 2023 or Bottlerocket, or remove `kubelet`.")
            .at(at),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> Attr<BTreeMap<String, String>> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Attr::Known(entries.iter().map(owned).collect())
    }

    fn nodes(ami_type: &str, kubelet: Kubelet) -> SystemNodes {
        SystemNodes {
            ami_type: ami_type.into(),
            kubelet: kubelet.into(),
            ..SystemNodes::default()
        }
    }

    fn given() -> Kubelet {
        Kubelet {
            max_pods: 58.into(),
            system_reserved: map(&[("cpu", "100m"), ("memory", "200Mi")]),
            eviction_hard: map(&[("memory.available", "5%")]),
            image_gc_high_threshold_percent: 70.into(),
            image_gc_low_threshold_percent: 60.into(),
            ..Kubelet::default()
        }
    }

    fn complaints(nodes: &SystemNodes) -> String {
        let mut out = Diagnostics::default();
        check(nodes, &mut out);
        format!("{out:?}")
    }

    #[test]
    fn amazon_linux_2023_takes_a_node_config() {
        let text = user_data(&nodes("AL2023_ARM_64_STANDARD", given()))
            .into_known()
            .unwrap();
        assert_eq!(
            text,
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"EKB\"\n\n--EKB\nContent-Type: application/node.eks.aws\n\n\
             ---\napiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  kubelet:\n    config:\n      maxPods: 58\n      \
             systemReserved: {\"cpu\":\"100m\",\"memory\":\"200Mi\"}\n      evictionHard: \
             {\"memory.available\":\"5%\",\"nodefs.available\":\"10%\",\"nodefs.inodesFree\":\"5%\"}\n      \
             imageGCHighThresholdPercent: 70\n      imageGCLowThresholdPercent: 60\n\n--EKB--\n"
        );
    }

    #[test]
    fn bottlerocket_takes_toml() {
        let text = user_data(&nodes("BOTTLEROCKET_ARM_64", given()))
            .into_known()
            .unwrap();
        assert_eq!(
            text,
            "[settings.kubernetes]\nmax-pods = 58\nimage-gc-high-threshold-percent = \"70\"\n\
             image-gc-low-threshold-percent = \"60\"\n\n[settings.kubernetes.system-reserved]\n\"cpu\" = \"100m\"\n\
             \"memory\" = \"200Mi\"\n\n[settings.kubernetes.eviction-hard]\n\"memory.available\" = \"5%\"\n\
             \"nodefs.available\" = \"10%\"\n\"nodefs.inodesFree\" = \"5%\"\n"
        );
    }

    #[test]
    fn nothing_set_is_no_user_data() {
        assert_eq!(user_data(&SystemNodes::default()), Attr::Null);
        assert_eq!(
            user_data(&nodes("AL2023_ARM_64_STANDARD", Kubelet::default())),
            Attr::Null
        );
        let unknown = Kubelet {
            max_pods: Attr::Unknown,
            ..Kubelet::default()
        };
        assert_eq!(
            user_data(&nodes("AL2023_ARM_64_STANDARD", unknown)),
            Attr::Unknown
        );
    }

    #[test]
    fn what_the_kubelet_would_not_start_with_is_refused() {
        assert_eq!(
            complaints(&nodes("AL2023_ARM_64_STANDARD", given())),
            format!("{:?}", Diagnostics::default())
        );
        for (what, kubelet) in [
            (
                "no gpu in `system_reserved`",
                Kubelet {
                    system_reserved: map(&[("gpu", "1")]),
                    ..Kubelet::default()
                },
            ),
            (
                "different signals",
                Kubelet {
                    eviction_soft: map(&[("memory.available", "10%")]),
                    ..Kubelet::default()
                },
            ),
            (
                "down to 90 %",
                Kubelet {
                    image_gc_low_threshold_percent: 90.into(),
                    ..Kubelet::default()
                },
            ),
        ] {
            let said = complaints(&nodes("AL2023_ARM_64_STANDARD", kubelet));
            assert!(said.contains("EKB2280") && said.contains(what), "{said}");
        }
        assert!(complaints(&nodes("AL2_x86_64", given())).contains("EKB2281"));
        let cores = Kubelet {
            pods_per_core: 4.into(),
            ..Kubelet::default()
        };
        assert!(complaints(&nodes("BOTTLEROCKET_x86_64", cores)).contains("pods_per_core"));
    }
}
