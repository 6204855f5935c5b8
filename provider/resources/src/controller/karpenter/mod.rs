//! `ekb_karpenter`: makes nodes for pods that wait for one.

use async_trait::async_trait;
use aws::eks::{AccessEntry, Holder};
use aws::events::Rule;
use aws::iam::IamRole;
use aws::karpenter::Leftovers;
use aws::partition::{partition, principal, role_arn};
use aws::sqs::Queue;
use framework::{Attr, Diagnostic, Diagnostics, Model, Path, Timeouts, Value};
use kubernetes::Finishes;
use reconcile::graph::Graph;
use reconcile::kinds::Kinds;
use reconcile::part::{Ref, Tags, Target, Text, key};
use reconcile::resource::{Common, Managed};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

use super::identity::{self, Wanted};
use super::model::{Installation, RoleArguments};
use super::versions::{Line, Versions, minor};
use super::{Controller, Facts, argument, images_from, pull_secrets};
use crate::platform::Platform;
use crate::release::values::{from_json, over};

mod policies;

/// Karpenter, which makes nodes for pods that wait for one and takes away those that are not needed: the controller with its role, the
/// role of its nodes, and the queue by which AWS tells of interruptions.
///
/// It runs on the system nodes. Which nodes it makes, `ekb_node_class` says. A destroy waits for node pools and nodes, which only
/// Karpenter can take away. The role by which EC2 runs spot instances is the account's, and stays.
#[derive(Model, Managed, Debug, Clone, Default)]
pub struct Karpenter {
    /// Name among the controllers of the environment. Default: the cluster's.
    #[attribute(optional, computed, keep, replace, validate(length(1..=100)))]
    pub name: Attr<String>,
    /// How many pods the controller has, each on another system node; one of them is at work.
    #[attribute(optional, computed, default = 2, validate(range(1..=10)))]
    pub replicas: Attr<i64>,
    /// ARN of the role of the nodes, which then needs an access entry of its own. Default: one is made.
    #[attribute(optional, validate(pattern("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$")))]
    pub node_role_arn: Attr<String>,
    #[flatten]
    #[expect(missing_docs, reason = "its attributes have their own")]
    pub role: RoleArguments,
    /// ARN of the role that the controller's pods have.
    #[attribute(computed)]
    pub iam_role_arn: Attr<String>,
    /// Name of the role of the nodes, as node classes name it.
    #[attribute(computed)]
    pub node_role_name: Attr<String>,
    /// Name of the queue of interruptions.
    #[attribute(computed)]
    pub queue_name: Attr<String>,
    #[flatten]
    #[expect(missing_docs, reason = "its attributes have their own")]
    pub installation: Installation,
    #[flatten]
    #[expect(missing_docs, reason = "its attributes have their own")]
    pub common: Common,
    /// How long operations may take. Defaults: create 30m, read 10m, update 30m, delete 30m.
    #[block]
    pub timeouts: Attr<Timeouts>,
}

macro_rules! line {
    ($minor:literal, $newest:literal, $until:literal) => {
        Line {
            minor: (1, $minor),
            newest: $newest,
            works_from: 26,
            works_until: Some($until),
            tested: (26, $until),
        }
    };
}

static VERSIONS: Versions = Versions {
    lines: &[
        line!(14, "1.14.1", 36),
        line!(13, "1.13.0", 36),
        line!(12, "1.12.0", 35),
        line!(11, "1.11.0", 35),
        line!(10, "1.10.0", 35),
        line!(9, "1.9.0", 35),
        line!(8, "1.8.0", 34),
        line!(7, "1.7.0", 34),
        line!(6, "1.6.0", 34),
        line!(5, "1.5.0", 33),
    ],
    source: "karpenter.sh/docs, \"Compatibility\", 2026-08",
};

/// In the name of its role.
const COMPONENT: &str = "karpenter";
/// The service account of its pods.
const ACCOUNT: &str = "karpenter";
/// The longest name of a cluster with which all names of ours fit: an IAM role's 64 characters less `-karpenter-node`, an event rule's
/// less the longest of ours.
pub(crate) const LONGEST_CLUSTER: usize = 41;

/// Events by which AWS says that an instance will be taken away or is in trouble: source, type and the name of the rule (Karpenter,
/// cloudformation.yaml). The last since version 1.10.
const EVENTS: [(&str, &str, &str); 5] = [
    ("aws.health", "AWS Health Event", "health"),
    ("aws.ec2", "EC2 Spot Instance Interruption Warning", "spot"),
    ("aws.ec2", "EC2 Instance Rebalance Recommendation", "rebalance"),
    ("aws.ec2", "EC2 Instance State-change Notification", "state"),
    (
        "aws.ec2",
        "EC2 Capacity Reservation Instance Interruption Warning",
        "capacity",
    ),
];
/// Since this minor version the last of the events is listened to.
const LAST_EVENT_SINCE: u32 = 10;

/// The managed policies of a node (Karpenter, cloudformation.yaml).
const NODE_POLICIES: [&str; 4] = [
    "AmazonEKS_CNI_Policy",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonSSMManagedInstanceCore",
];

impl Karpenter {
    fn named(&self, component: &str) -> Option<String> {
        Some(format!("{}-{component}", self.installation.cluster.known()?))
    }

    /// The minor version: of a chart that says none the newest one that is known.
    fn minor(&self) -> Option<u32> {
        let said = |version: &Attr<String>| version.known().and_then(|version| minor(version));
        let found = said(&self.installation.version).or_else(|| said(&self.installation.chart_version));
        match (&self.installation.version, found) {
            (_, Some((_, minor))) => Some(minor),
            (Attr::Unknown, None) => None,
            _ => VERSIONS.lines.first().map(|line| line.minor.1),
        }
    }

    fn node_role(&self, region: &str) -> Option<IamRole> {
        let name = self.named("karpenter-node")?;
        let tags = Tags::from([("Name".to_owned(), name.clone())]);
        let role = IamRole::for_service(name, &principal("ec2", region), tags);
        let managed = |policy: &&str| format!("arn:{}:iam::aws:policy/{policy}", partition(region));
        Some(IamRole {
            path: self
                .role
                .role_path
                .known()
                .cloned()
                .unwrap_or_else(|| "/".to_owned()),
            permissions_boundary: self.role.role_permissions_boundary.known().cloned(),
            managed_policies: NODE_POLICIES.iter().map(managed).collect(),
            ..role
        })
    }

    /// The queue, and the rules that send events to it.
    fn interruptions(&self, graph: &mut Graph, minor: u32) -> Option<Ref> {
        let name = self.named(COMPONENT)?;
        let queue = graph.part(
            "queue",
            Queue {
                name: name.clone(),
                // Older news are no news (Karpenter, cloudformation.yaml).
                retention_seconds: 300,
                statements: vec![
                    json!({
                        "Effect": "Allow",
                        "Principal": { "Service": ["events.amazonaws.com", "sqs.amazonaws.com"] },
                        "Action": "sqs:SendMessage",
                    }),
                    json!({
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "sqs:*",
                        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
                    }),
                ],
                tags: Tags::from([("Name".to_owned(), name.clone())]),
            },
        );
        let count = if minor >= LAST_EVENT_SINCE {
            EVENTS.len()
        } else {
            EVENTS.len() - 1
        };
        for (source, event, rule) in &EVENTS[..count] {
            let name = format!("{name}-{rule}");
            graph.part(
                key("rule", rule),
                Rule {
                    name: name.clone(),
                    pattern: json!({ "source": [source], "detail-type": [event] }),
                    receiver: Text::from(queue.ready().arn()),
                    enabled: true,
                    tags: Tags::from([("Name".to_owned(), name)]),
                },
            );
        }
        Some(queue.ready())
    }
}

#[async_trait]
impl Controller for Karpenter {
    const FACTS: Facts = Facts {
        resource: "ekb_karpenter",
        title: "Karpenter",
        release: "karpenter",
        namespace: "kube-system",
        chart: "oci://public.ecr.aws/karpenter/karpenter",
        repository: None,
        versions: &VERSIONS,
        finishes: &[
            Finishes {
                of: "karpenter.sh/v1/NodeClaim",
                finalizers: &["karpenter.sh/"],
            },
            Finishes {
                of: "karpenter.sh/v1/NodePool",
                finalizers: &["karpenter.sh/"],
            },
            Finishes {
                of: "karpenter.k8s.aws/v1/EC2NodeClass",
                finalizers: &["karpenter.k8s.aws/"],
            },
        ],
    };

    fn installation(&self) -> &Installation {
        &self.installation
    }

    fn installation_mut(&mut self) -> &mut Installation {
        &mut self.installation
    }

    fn check(&self, out: &mut Diagnostics) {
        let Some(cluster) = self.installation.cluster.known() else {
            return;
        };
        if cluster.len() > LONGEST_CLUSTER {
            let why = format!(
                "Names of IAM roles and event rules have 64 characters at most; with the cluster's name, {cluster} ({} characters), they \
                 would have more.",
                cluster.len()
            );
            out.push(
                Diagnostic::error("EKB2433", "The cluster's name is too long for Karpenter", why)
                    .hint(format!(
                        "A cluster's name may have {LONGEST_CLUSTER} characters here."
                    ))
                    .at(Path::from("cluster")),
            );
        }
    }

    fn values(&self) -> Value {
        let plain = from_json(&json!({ "serviceAccount": { "name": ACCOUNT } }));
        let annotations = identity::annotations(self, &self.role, COMPONENT);
        let arguments = Value::object([
            ("replicas", argument(&self.replicas)),
            (
                "settings",
                Value::object([
                    ("clusterName", argument(&self.installation.cluster)),
                    (
                        "interruptionQueue",
                        argument(&Attr::from_option(self.named(COMPONENT))),
                    ),
                ]),
            ),
            ("serviceAccount", Value::object([("annotations", annotations)])),
            ("imagePullSecrets", pull_secrets(&self.installation)),
        ]);
        let all = over(plain, arguments);
        match images_from(&self.installation, "/karpenter/controller") {
            None => all,
            Some(from) => {
                let image = Value::object([("image", Value::object([("repository", from)]))]);
                over(all, Value::object([("controller", image)]))
            }
        }
    }

    fn parts(&self, graph: &mut Graph) -> Option<Vec<Ref>> {
        let common = Managed::common(self);
        let region = common.region.known()?;
        let (account, cluster) = (common.account_id.known()?, self.installation.cluster.known()?);
        let minor = self.minor()?;
        let queue = self.interruptions(graph, minor)?;
        let mut first = vec![queue];
        let mut of_nodes = Vec::new();
        let node_role_arn = match &self.node_role_arn {
            Attr::Known(arn) => arn.clone(),
            // All that Karpenter may do follows from it.
            Attr::Unknown => return None,
            Attr::Null => {
                let role = self.node_role(region)?;
                let arn = role_arn(region, account, &role.path, &role.name);
                let role = graph.part("node_role", role);
                // What a managed node group gets by itself: without it nodes never join (awslabs/ai-on-eks#111).
                let entry = AccessEntry {
                    cluster: Target::Id(cluster.clone()),
                    principal: Some(Text::from(role.ready().arn())),
                    access_type: "EC2_LINUX".to_owned(),
                    groups: BTreeSet::new(),
                    username: None,
                    policies: BTreeMap::new(),
                    holder: Holder,
                    tags: Tags::new(),
                };
                of_nodes.push(role.ready());
                of_nodes.push(graph.part("node_access", entry).ready());
                arn
            }
        };
        let queue_arn = format!(
            "arn:{}:sqs:{region}:{account}:{}",
            partition(region),
            self.named(COMPONENT)?
        );
        let wanted = Wanted {
            component: COMPONENT,
            account: ACCOUNT.to_owned(),
            policies: policies::policies(&policies::Scope {
                region,
                account,
                cluster,
                node_role_arn: &node_role_arn,
                queue_arn: &queue_arn,
                minor,
            }),
        };
        first.extend(identity::add(graph, self, &self.role, &wanted)?);
        // The controller goes before it, so that nothing is made any more, and the nodes' role after it.
        let leftovers = Leftovers {
            cluster: cluster.clone(),
            after: of_nodes,
        };
        first.push(graph.part("leftovers", leftovers).ready());
        Some(first)
    }

    fn kinds(context: &Platform, region: &str) -> Kinds {
        identity::kinds(context, region)
            .and(aws::sqs::kinds(&context.aws, region))
            .and(aws::events::kinds(&context.aws, region))
            .and(aws::karpenter::kinds(&context.aws, region))
    }

    fn outputs(&mut self, _: &reconcile::resource::Outputs<'_>) {
        self.iam_role_arn = identity::role_arn(self, &self.role, COMPONENT);
        self.queue_name = Attr::from_option(self.named(COMPONENT));
        self.node_role_name = match &self.node_role_arn {
            Attr::Known(arn) => Attr::from_option(arn.rsplit('/').next().map(str::to_owned)),
            Attr::Unknown => Attr::Unknown,
            Attr::Null => Attr::from_option(self.named("karpenter-node")),
        };
    }
}
