//! The parts of a cluster, and how they hang together.

use std::collections::{BTreeMap, BTreeSet};

use aws::ec2::ClusterSecurityGroup;
use aws::eks::inside::FORCE_DESTROY;
use aws::eks::{AccessEntry, Cluster as EksCluster, Holder};
use aws::iam::{IamRole, OidcProvider};
use aws::kms::Key as KmsKey;
use aws::logs::LogGroup;
use aws::partition::{partition, principal};
use framework::Attr;
use reconcile::graph::{Graph, Handle, Unknowns};
use reconcile::part::{Tags, Target, Text, key};

use super::addons::{self, add_ons};
use super::model::{Access, Cluster};
use super::nodes::system_nodes;
use super::storage;

/// The part of the identity that creates the cluster.
pub const CREATOR: &str = "access_entry/creator";

/// How long the control plane's logs are kept where the user says nothing.
pub const RETENTION_DAYS: i64 = 30;

/// The logs of the control plane that there are where the user says nothing.
pub fn log_types() -> BTreeSet<String> {
    ["api", "audit", "authenticator"].map(str::to_owned).into()
}

/// The tag by which Karpenter finds security groups.
const DISCOVERY: &str = "karpenter.sh/discovery";

/// What names are made of.
pub struct Naming<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// The region.
    pub region: &'a str,
}

impl Naming<'_> {
    /// The name of a component: `<cluster>-<component>`.
    pub fn of(&self, component: &str) -> String {
        format!("{}-{component}", self.cluster)
    }

    /// The name of the log group, which EKS prescribes.
    pub fn log_group(&self) -> String {
        format!("/aws/eks/{}/cluster", self.cluster)
    }

    /// The alias of the key.
    pub fn alias(&self) -> String {
        format!("alias/{}", self.of("eks"))
    }

    /// The ARN of a policy of AWS.
    pub fn managed(&self, policy: &str) -> String {
        format!("arn:{}:iam::aws:policy/{policy}", partition(self.region))
    }

    /// The tags of a component.
    pub(super) fn tags(&self, component: &str) -> Tags {
        Tags::from([("Name".to_owned(), self.of(component))])
    }
}

/// The parts; `None` while what all of them follow from is not known.
pub fn graph(model: &Cluster) -> Option<Graph> {
    graph_with(model, None)
}

/// The same while the control plane still has another version than the nodes shall have.
pub fn graph_with(model: &Cluster, control_plane: Option<&str>) -> Option<Graph> {
    let region = model.common.region.known()?.as_str();
    let naming = Naming {
        cluster: model.name.known()?,
        region,
    };
    let mut graph = Graph::new();

    let cluster_role = role(
        &mut graph,
        model,
        &model.cluster_role_arn,
        "cluster_role",
        IamRole::for_service(
            naming.of("cluster"),
            &principal("eks", region),
            naming.tags("cluster"),
        )
        .attach(naming.managed("AmazonEKSClusterPolicy")),
    );
    let encryption_key = encryption_key(&mut graph, model, &naming);
    let log_group = log_group(&mut graph, model, &naming);

    let mut unknown = Unknowns::default();
    if cluster_role.is_unknown {
        unknown.note("role_arn");
    }
    if encryption_key.is_unknown {
        unknown.note("encryption_key");
    }
    let version = match control_plane {
        Some(version) => version.to_owned(),
        None => unknown.take("version", &model.kubernetes_version, String::new()),
    };
    let (subnet_ids, is_unknown) = ids(&model.subnet_ids);
    if is_unknown {
        unknown.note("subnets");
    }
    let (groups, is_unknown) = ids(&model.security_group_ids);
    if is_unknown {
        unknown.note("security_groups");
    }
    let public_cidrs = match &model.endpoint_access {
        Attr::Known(access) => access.public_cidrs.clone(),
        other => other.as_ref().map(|_| BTreeSet::new()),
    };
    if public_cidrs.is_unknown() {
        unknown.note("endpoint_public");
    }
    let public_cidrs = unknown.take("public_cidrs", &public_cidrs, BTreeSet::new());
    let types = match &model.logging {
        Attr::Known(logging) => logging.types.clone(),
        other => other.as_ref().map(|_| BTreeSet::new()),
    };
    let logging = unknown.take("logging", &types, log_types());
    let forced = unknown.take("tags", &model.force_destroy, false);
    let cluster = graph.part_with(
        "cluster",
        EksCluster {
            name: naming.cluster.to_owned(),
            version,
            role_arn: cluster_role.arn.unwrap_or_default(),
            subnets: subnet_ids.into_iter().map(Target::Id).collect(),
            security_groups: groups.into_iter().map(Target::Id).collect(),
            endpoint_private: true,
            endpoint_public: !public_cidrs.is_empty(),
            public_cidrs: public_cidrs.iter().map(ToString::to_string).collect(),
            service_cidr: unknown.take(
                "service_cidr",
                &model.service_cidr.map(|range| range.to_string()),
                String::new(),
            ),
            logging,
            encryption_key: encryption_key.arn,
            authentication_mode: unknown.take(
                "authentication_mode",
                &model.authentication_mode,
                "API".to_owned(),
            ),
            support: unknown
                .take("support", &model.support, String::new())
                .to_uppercase(),
            tier: unknown.take("tier", &model.control_plane_tier, String::new()),
            zonal_shift: unknown.take("zonal_shift", &model.zonal_shift, false),
            deletion_protection: unknown.take("deletion_protection", &model.deletion_protection, false),
            force_upgrade: model.force_insights == Attr::Known(true),
            after: log_group.iter().map(Handle::ready).collect(),
            tags: forced
                .then(|| (FORCE_DESTROY.to_owned(), "true".to_owned()))
                .into_iter()
                .collect(),
        },
        unknown,
    );
    graph.root(&cluster);
    graph.part(
        "cluster_security_group",
        ClusterSecurityGroup {
            group: cluster.ready().output("cluster_security_group_id"),
            tags: Tags::from([(DISCOVERY.to_owned(), naming.cluster.to_owned())]),
        },
    );
    let issuer = graph.part(
        "oidc_provider",
        OidcProvider {
            url: Text::from(cluster.ready().output("oidc_issuer")),
            client_ids: vec![principal("sts", region)],
            tags: naming.tags("irsa"),
        },
    );
    let creator = match model.creator_access {
        Attr::Known(false) => None,
        _ => Some(graph.part(
            CREATOR,
            AccessEntry {
                cluster: cluster.ready().into(),
                principal: None,
                access_type: "STANDARD".to_owned(),
                groups: BTreeSet::new(),
                username: None,
                policies: BTreeMap::from([(access_policy(region, "admin"), BTreeSet::new())]),
                holder: Holder,
                tags: Tags::new(),
            },
        )),
    };
    let entries = access(&mut graph, model, &cluster, region);
    let first = add_ons(
        &mut graph,
        model,
        &naming,
        &cluster,
        &issuer,
        addons::When::BeforeNodes,
        &[],
    );
    let nodes = system_nodes(&mut graph, model, &naming, &cluster, first);
    add_ons(
        &mut graph,
        model,
        &naming,
        &cluster,
        &issuer,
        addons::When::WithNodes,
        &nodes,
    );
    match model.default_storage_class {
        Attr::Unknown => graph.open("storage_class"),
        Attr::Known(true) => drop(graph.part(
            "storage_class",
            storage::default_class(&cluster, creator.iter().chain(&entries)),
        )),
        _ => {}
    }
    Some(graph)
}

/// What stands in another part's field: given, or of a part of ours; none where there is none.
pub(super) struct Given {
    pub arn: Option<Text>,
    pub is_unknown: bool,
}

/// The role that is given, or one that is made.
pub(super) fn role(
    graph: &mut Graph,
    model: &Cluster,
    given: &Attr<String>,
    part: &str,
    role: IamRole,
) -> Given {
    match given {
        Attr::Known(arn) => Given {
            arn: Some(Text::from(arn)),
            is_unknown: false,
        },
        Attr::Unknown => {
            graph.open(part);
            Given {
                arn: None,
                is_unknown: true,
            }
        }
        Attr::Null => Given {
            arn: Some(Text::from(made_role(graph, model, part, role).ready().arn())),
            is_unknown: false,
        },
    }
}

/// A role of ours, with the path and the boundary that all have.
pub(super) fn made_role(graph: &mut Graph, model: &Cluster, part: &str, role: IamRole) -> Handle {
    let mut unknown = Unknowns::default();
    let path = unknown.take("path", &model.role_path, "/".to_owned());
    let boundary = model.role_permissions_boundary.known().cloned();
    if model.role_permissions_boundary.is_unknown() {
        unknown.note("permissions_boundary");
    }
    let role = IamRole {
        path,
        permissions_boundary: boundary,
        ..role
    };
    graph.part_with(part, role, unknown)
}

/// The key that encrypts Secrets.
fn encryption_key(graph: &mut Graph, model: &Cluster, naming: &Naming<'_>) -> Given {
    let unknown = |graph: &mut Graph| {
        graph.open("encryption_key");
        Given {
            arn: None,
            is_unknown: true,
        }
    };
    let (enabled, given) = match &model.encryption {
        Attr::Unknown => return unknown(graph),
        Attr::Null => (Attr::Null, Attr::Null),
        Attr::Known(encryption) => (encryption.enabled, encryption.kms_key_arn.clone()),
    };
    match (enabled, given) {
        (Attr::Unknown, _) | (_, Attr::Unknown) => unknown(graph),
        (Attr::Known(false), _) => Given {
            arn: None,
            is_unknown: false,
        },
        (_, Attr::Known(arn)) => Given {
            arn: Some(Text::from(arn)),
            is_unknown: false,
        },
        (_, Attr::Null) => {
            let key = KmsKey {
                alias: naming.alias(),
                description: format!("Secrets of the Kubernetes cluster {}", naming.cluster),
                enabled: true,
                rotation: true,
                policy: None,
                deletion_window_days: 30,
                tags: naming.tags("eks"),
            };
            let key = graph.part("encryption_key", key);
            Given {
                arn: Some(Text::from(key.ready().arn())),
                is_unknown: false,
            }
        }
    }
}

/// The log group of the control plane. EKS would make it, and keep logs for ever.
fn log_group(graph: &mut Graph, model: &Cluster, naming: &Naming<'_>) -> Option<Handle> {
    let (days, retain) = match &model.logging {
        Attr::Unknown => {
            graph.open("log_group");
            return None;
        }
        Attr::Null => (Attr::Null, Attr::Null),
        Attr::Known(logging) => (logging.retention_days, logging.retain_logs),
    };
    if retain == Attr::Known(true) {
        graph.keep("log_group", "`retain_logs` is true");
    }
    let mut unknown = Unknowns::default();
    let group = LogGroup {
        name: naming.log_group(),
        retention_days: unknown.take("retention_days", &days, RETENTION_DAYS),
        tags: naming.tags("control-plane-logs"),
    };
    // EKS makes it by itself, and makes it again for the last logs of a cluster that is gone.
    graph.take_over("log_group");
    Some(graph.part_with("log_group", group, unknown))
}

/// The ARN of the access policy of EKS for a level.
pub fn access_policy(region: &str, level: &str) -> String {
    let policy = match level {
        "admin" => "AmazonEKSClusterAdminPolicy",
        "edit" => "AmazonEKSEditPolicy",
        "admin_view" => "AmazonEKSAdminViewPolicy",
        _ => "AmazonEKSViewPolicy",
    };
    format!(
        "arn:{}:eks::aws:cluster-access-policy/{policy}",
        partition(region)
    )
}

fn access(graph: &mut Graph, model: &Cluster, cluster: &Handle, region: &str) -> Vec<Handle> {
    let entries = match &model.access {
        Attr::Unknown => {
            graph.open("access_entry/");
            return Vec::new();
        }
        Attr::Null => return Vec::new(),
        Attr::Known(entries) => entries,
    };
    let mut parts = Vec::new();
    for (name, entry) in entries {
        let Access {
            principal_arn,
            level,
            namespaces,
            policies,
            groups,
            username,
            kind,
        } = entry;
        let mut unknown = Unknowns::default();
        let namespaces = unknown.take("policies", namespaces, BTreeSet::new());
        let mut all = unknown.take("policies", policies, BTreeSet::new());
        match level {
            Attr::Known(level) => drop(all.insert(access_policy(region, level))),
            Attr::Unknown => unknown.note("policies"),
            Attr::Null => {}
        }
        if username.is_unknown() {
            unknown.note("username");
        }
        let part = AccessEntry {
            cluster: cluster.ready().into(),
            principal: Some(Text::from(unknown.take(
                "principal",
                principal_arn,
                String::new(),
            ))),
            access_type: unknown.take("type", kind, "STANDARD".to_owned()),
            groups: unknown.take("groups", groups, BTreeSet::new()),
            username: username.known().cloned(),
            policies: all
                .into_iter()
                .map(|policy| (policy, namespaces.clone()))
                .collect(),
            holder: Holder,
            tags: Tags::new(),
        };
        // What an earlier bootstrap or another tool made for the principal: EKS has one entry for it.
        graph.take_over(key("access_entry", name));
        parts.push(graph.part_with(key("access_entry", name), part, unknown));
    }
    parts
}

/// The ids, among which some may not be known, and whether that is so.
pub(super) fn ids(given: &Attr<BTreeSet<Attr<String>>>) -> (BTreeSet<String>, bool) {
    let known = given.known().into_iter().flatten();
    let ids = known.clone().filter_map(|id| id.known().cloned()).collect();
    (ids, given.is_unknown() || known.into_iter().any(Attr::is_unknown))
}
