//! The system nodes: a node group with its launch template and role.

use std::collections::{BTreeMap, BTreeSet};

use aws::ec2::{Disk, LaunchTemplate};
use aws::eks::{Healthy, NodeGroup, Taint, Unavailable};
use aws::iam::IamRole;
use aws::partition::principal;
use framework::{Attr, Diagnostic, Diagnostics, Path};
use reconcile::graph::{Graph, Handle, Unknowns};
use reconcile::part::{Ref, Tags, Target, Text, key};

use super::graph::{Naming, ids, role};
use super::kubelet;
use super::model::{Cluster, SystemNodes};

/// Fewest nodes where the user says nothing: one may go.
pub const DEFAULT_MIN: i64 = 2;
/// Size of the disk where the user says nothing.
pub const DISK_GIB: i64 = 50;
/// AWS's policies that nodes need: EKS, images of ECR, a shell by SSM.
pub const POLICIES: [&str; 3] = [
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonSSMManagedInstanceCore",
];
/// The taint that keeps all but the system's own pods away.
pub const TAINT: &str = "CriticalAddonsOnly";

/// The arguments; defaults where the user gives none, `None` while nothing of them is known.
pub fn declared(model: &Cluster) -> Option<SystemNodes> {
    match &model.system_nodes {
        Attr::Known(nodes) => Some(nodes.clone()),
        Attr::Null => Some(SystemNodes::default()),
        Attr::Unknown => None,
    }
}

/// The architecture: `arm64` unless said otherwise.
pub fn architecture(nodes: &SystemNodes) -> Attr<String> {
    nodes.architecture.clone().or("arm64".to_owned())
}

/// The instance types.
pub fn instance_types(nodes: &SystemNodes) -> Attr<Vec<String>> {
    match &nodes.instance_types {
        Attr::Known(types) => Attr::Known(types.iter().cloned().collect()),
        Attr::Unknown => Attr::Unknown,
        Attr::Null => architecture(nodes).map(|architecture| {
            let default = if architecture == "arm64" {
                "t4g.large"
            } else {
                "t3.large"
            };
            vec![default.to_owned()]
        }),
    }
}

/// EKS's type of the machine image.
pub fn ami_type(nodes: &SystemNodes) -> Attr<String> {
    match &nodes.ami_type {
        Attr::Null => architecture(nodes).map(|architecture| {
            let word = if architecture == "arm64" {
                "ARM_64"
            } else {
                "x86_64"
            };
            format!("AL2023_{word}_STANDARD")
        }),
        given => given.clone(),
    }
}

/// Adds the node group with what it needs. `before`: what has to be there for nodes to become ready. Gives what waits for
/// nodes something to wait for; nothing while it is not known which group there is.
pub fn system_nodes(
    graph: &mut Graph,
    model: &Cluster,
    naming: &Naming<'_>,
    cluster: &Handle,
    before: Vec<Ref>,
) -> Vec<Ref> {
    let Some(nodes) = declared(model) else {
        for part in ["node_role", "launch_template", "node_group/"] {
            graph.open(part);
        }
        return Vec::new();
    };
    let mut managed: Vec<String> = POLICIES.map(|policy| naming.managed(policy)).into();
    managed.extend(nodes.policies.known().into_iter().flatten().cloned());
    let node_role = managed.into_iter().fold(
        IamRole::for_service(
            naming.of("node"),
            &principal("ec2", naming.region),
            naming.tags("node"),
        ),
        IamRole::attach,
    );
    let node_role = role(graph, model, &model.node_role_arn, "node_role", node_role);

    let mut unknown = Unknowns::default();
    let disk = Disk {
        gib: i32::try_from(unknown.take("disks", &nodes.disk_gib, DISK_GIB)).unwrap_or(i32::MAX),
        kind: "gp3".to_owned(),
        iops: None,
        throughput: None,
        encrypted: true,
        kms_key: None,
    };
    let ami_type = ami_type(&nodes);
    if ami_type.is_unknown() {
        unknown.note("disks");
    }
    let user_data = kubelet::user_data(&nodes);
    if user_data.is_unknown() {
        unknown.note("user_data");
    }
    let template = LaunchTemplate {
        name: naming.of("system"),
        disks: BTreeMap::from([(device(ami_type.known().map(String::as_str)).to_owned(), disk)]),
        imdsv2_only: true,
        hop_limit: 1,
        user_data: user_data.into_known().map(Text::from),
        instance_tags: naming.tags("system"),
        tags: naming.tags("system"),
    };
    let template = graph.part_with("launch_template", template, unknown);

    let mut unknown = Unknowns::default();
    let (own, is_own_unknown) = ids(&nodes.subnet_ids);
    let (shared, is_shared_unknown) = ids(&model.subnet_ids);
    let is_own = !nodes.subnet_ids.is_null();
    let (subnet_ids, is_unknown) = if is_own {
        (own, is_own_unknown)
    } else {
        (shared, is_shared_unknown)
    };
    if is_unknown {
        unknown.note("subnets");
    }
    if node_role.is_unknown {
        unknown.note("role_arn");
    }
    let min = unknown.take("min", &nodes.min, DEFAULT_MIN);
    let max = match nodes.max {
        Attr::Null => {
            if nodes.min.is_unknown() {
                unknown.note("max");
            }
            min + 1
        }
        max => unknown.take("max", &max, min + 1),
    };
    let tainted = unknown.take("taints", &nodes.only_system_pods, true);
    let taint = Taint {
        key: TAINT.to_owned(),
        value: Some("true".to_owned()),
        effect: "NO_SCHEDULE".to_owned(),
    };
    let group = NodeGroup {
        cluster: cluster.ready().into(),
        name: naming.of("system"),
        role_arn: node_role.arn.unwrap_or_default(),
        subnets: subnet_ids.into_iter().map(Target::Id).collect(),
        instance_types: unknown.take("instance_types", &instance_types(&nodes), Vec::new()),
        ami_type: unknown.take("ami_type", &ami_type, String::new()),
        capacity_type: unknown
            .take("capacity_type", &nodes.capacity_type, "on_demand".to_owned())
            .to_uppercase(),
        launch_template: Some(template.ready()),
        launch_template_version: Some(Text::from(template.ready().output("version"))),
        version: unknown.take("version", &model.kubernetes_version, String::new()),
        release_version: nodes.release_version.known().cloned(),
        min,
        max,
        desired: unknown.take("desired", &nodes.desired, min),
        labels: unknown.take("labels", &nodes.labels, BTreeMap::new()),
        taints: tainted.then_some(taint).into_iter().collect::<BTreeSet<_>>(),
        max_unavailable: Unavailable::Nodes(
            i32::try_from(unknown.take("max_unavailable", &nodes.max_unavailable, 1)).unwrap_or(1),
        ),
        force_drain: model.force_drain == Attr::Known(true),
        health: Healthy,
        after: before,
        tags: Tags::new(),
    };
    // Another group takes the place of one whose fields cannot be changed: it is made beside it, and then the old one goes.
    let place = place(&group);
    if is_unknown
        || ["instance_types", "ami_type", "capacity_type", "role_arn"]
            .iter()
            .any(|field| unknown.has(field))
    {
        graph.open("node_group/");
        return Vec::new();
    }
    let name = format!("{}-{place}", naming.of("system"));
    let group = NodeGroup { name, ..group };
    vec![
        graph
            .part_with(key("node_group", format!("system-{place}")), group, unknown)
            .ready(),
    ]
}

/// The device of the disk on which the pods' own files and images lie: Bottlerocket has one of its own for them (Bottlerocket,
/// "Volumes").
pub fn device(ami_type: Option<&str>) -> &'static str {
    match ami_type {
        Some(ami) if ami.starts_with("BOTTLEROCKET_") => "/dev/xvdb",
        _ => "/dev/xvda",
    }
}

/// Says which changes replace the nodes: new settings are only for new machines.
pub fn say_replacement(prior: &Cluster, planned: &Cluster, out: &mut Diagnostics) {
    let (Some(before), Some(nodes)) = (declared(prior), declared(planned)) else {
        return;
    };
    let differs = |before: &Attr<String>, after: &Attr<String>| !after.is_unknown() && before != after;
    let disk = |nodes: &SystemNodes| nodes.disk_gib.or(DISK_GIB).map(|gib| gib.to_string());
    let changed: Vec<&str> = [
        ("disk_gib", differs(&disk(&before), &disk(&nodes))),
        (
            "kubelet",
            differs(&kubelet::user_data(&before), &kubelet::user_data(&nodes)),
        ),
        (
            "release_version",
            nodes.release_version.is_known() && before.release_version != nodes.release_version,
        ),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect();
    if changed.is_empty() {
        return;
    }
    let at_once = nodes.max_unavailable.unwrap_or(1);
    out.push(
        Diagnostic::warning(
            "EKB2282",
            "The system nodes are replaced",
            format!(
                "{} of `system_nodes` changes: new nodes take the place of the old ones, {at_once} at a time. Their pods move; what \
                 a PodDisruptionBudget keeps holds the change up.",
                changed.join(", ")
            ),
        )
        .hint("To see what may hold it up: `kubectl get poddisruptionbudgets --all-namespaces`.")
        .at(Path::from("system_nodes")),
    );
}

/// Eight hexadecimal digits of what cannot be changed of a node group (AWS EKS UpdateNodegroupConfig has no word for it).
fn place(group: &NodeGroup) -> String {
    let fields = serde_json::json!([
        group.role_arn,
        group.subnets,
        group.instance_types,
        group.ami_type,
        group.capacity_type,
    ]);
    // FNV-1a: a name, not a secret.
    let digest = fields.to_string().bytes().fold(0x811c_9dc5_u32, |digest, byte| {
        (digest ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{digest:08x}")
}
