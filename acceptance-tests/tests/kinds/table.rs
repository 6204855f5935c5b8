//! A row a kind: a part of it, and every field with another value.
//!
//! What the part needs is declared by [`World`], as often as it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use acceptance_tests::Account;
use aws::ec2::{
    ClusterSecurityGroup, DefaultSecurityGroup, Disk, ElasticIp, FlowLog, GatewayEndpoint, InterfaceEndpoint,
    InternetGateway, LaunchTemplate, NatGateway, RouteTable, Rule, SecurityGroup, Subnet, Vpc,
};
use aws::eks::{
    AccessEntry, Addon, Cluster, Healthy, Holder, NodeGroup, PodIdentityAssociation, Taint, Unavailable,
};
use aws::events;
use aws::iam::{IamRole, OidcProvider};
use aws::kms::Key;
use aws::logs::LogGroup;
use aws::sqs::Queue;
use reconcile::graph::{Graph, Handle};
use reconcile::kinds::Kinds;
use reconcile::part::{FieldRule, KindTraits, Object, Part, Ref, Remedy, Tags, Target, Text};
use serde_json::{Value, json};

use crate::stand_in::stand_in;

/// Key of the part that a row is about.
pub const SUBJECT: &str = "subject";

/// All rows.
pub fn rows() -> Vec<Row> {
    vec![
        row::<Vpc, _>(
            |_| vpc("10.30.0.0/16", "10.31.0.0/16"),
            [
                ("cidr", |_, vpc| vpc.cidr = range("10.40.0.0/16")),
                ("secondary_cidrs", |_, vpc| vpc.secondary_cidrs = vec![range("100.64.0.0/16")]),
                // Host names need support.
                ("dns_support", |_, vpc| (vpc.dns_support, vpc.dns_hostnames) = (false, false)),
                ("dns_hostnames", |_, vpc| vpc.dns_hostnames = false),
                ("tags", |_, vpc| mark(&mut vpc.tags)),
            ],
        ),
        row::<DefaultSecurityGroup, _>(
            |world| DefaultSecurityGroup { vpc: world.vpc().made(), closed: true, tags: tags() },
            [
                ("vpc", |world, group| group.vpc = world.other_vpc().made()),
                ("tags", |_, group| mark(&mut group.tags)),
            ],
        )
        .outside("closed", |account, id| {
            let rule = json!({ "IpProtocol": "-1", "IpRanges": [{ "CidrIp": "10.0.0.0/8" }] });
            account.ec2("AuthorizeSecurityGroupIngress", &json!({ "GroupId": id, "IpPermissions": [rule] }));
        })
        .comes_with_its_vpc(),
        row::<SecurityGroup, _>(
            |world| security_group(world.vpc().made(), "subject"),
            [
                ("vpc", |world, group| group.vpc = world.other_vpc().made()),
                ("name", |_, group| group.name = "other".into()),
                ("description", |_, group| group.description = "Something else".into()),
                ("ingress", |_, group| group.ingress = vec![Rule::tcp(8443, range("10.9.0.0/16"), "in")]),
                ("tags", |_, group| mark(&mut group.tags)),
            ],
        ),
        row::<InternetGateway, _>(
            |world| InternetGateway { vpc: world.vpc().made(), tags: tags() },
            [
                ("vpc", |world, gateway| gateway.vpc = world.other_vpc().made()),
                ("tags", |_, gateway| mark(&mut gateway.tags)),
            ],
        ),
        row::<Subnet, _>(
            |world| Subnet { public_ips: true, ..subnet(world.vpc().made(), "a", "10.20.7.0/24") },
            [
                ("vpc", |world, subnet| subnet.vpc = world.other_vpc().made()),
                ("zone", |_, subnet| subnet.zone = zone("b")),
                ("cidr", |_, subnet| subnet.cidr = range("10.20.8.0/24")),
                ("public_ips", |_, subnet| subnet.public_ips = false),
                ("tags", |_, subnet| mark(&mut subnet.tags)),
            ],
        ),
        row::<ElasticIp, _>(|_| ElasticIp { tags: tags() }, [("tags", |_, address| mark(&mut address.tags))]),
        row::<NatGateway, _>(
            |world| NatGateway {
                subnet: world.subnet("a").made(),
                address: Target::Part(world.address("a").made()),
                gateway: world.gateway().ready(),
                tags: tags(),
            },
            [
                ("subnet", |world, nat| nat.subnet = world.subnet("b").made()),
                ("address", |world, nat| nat.address = Target::Part(world.address("b").made())),
                ("gateway", |world, nat| nat.gateway = world.gateway().made()),
                ("tags", |_, nat| mark(&mut nat.tags)),
            ],
        ),
        row::<RouteTable, _>(
            |world| RouteTable {
                vpc: world.vpc().made(),
                subnets: vec![world.subnet("a").made()],
                routes: BTreeMap::from([("0.0.0.0/0".to_owned(), world.gateway().ready())]),
                tags: tags(),
            },
            [
                ("vpc", |world, table| {
                    table.vpc = world.other_vpc().made();
                    (table.subnets, table.routes) = (Vec::new(), BTreeMap::new());
                }),
                ("subnets", |world, table| table.subnets = vec![world.subnet("b").made()]),
                ("routes", |world, table| {
                    table.routes = BTreeMap::from([("192.0.2.0/24".to_owned(), world.gateway().ready())]);
                }),
                ("tags", |_, table| mark(&mut table.tags)),
            ],
        ),
        row::<GatewayEndpoint, _>(
            |world| GatewayEndpoint {
                vpc: world.vpc().made(),
                service: service("s3"),
                route_tables: vec![world.table("a").made()],
                tags: tags(),
            },
            [
                ("vpc", |world, endpoint| {
                    (endpoint.vpc, endpoint.route_tables) = (world.other_vpc().made(), Vec::new());
                }),
                ("service", |_, endpoint| endpoint.service = service("dynamodb")),
                ("route_tables", |world, endpoint| endpoint.route_tables = vec![world.table("b").made()]),
                ("tags", |_, endpoint| mark(&mut endpoint.tags)),
            ],
        ),
        row::<InterfaceEndpoint, _>(
            |world| InterfaceEndpoint {
                vpc: world.vpc().made(),
                service: service("ecr.api"),
                subnets: vec![world.subnet("a").made()],
                security_groups: vec![world.group("a").made()],
                private_dns: true,
                tags: tags(),
            },
            [
                ("vpc", |world, endpoint| {
                    endpoint.vpc = world.other_vpc().made();
                    endpoint.subnets = vec![world.other_subnet().made()];
                    endpoint.security_groups = vec![world.other_group().made()];
                }),
                ("service", |_, endpoint| endpoint.service = service("sts")),
                ("subnets", |world, endpoint| endpoint.subnets = vec![world.subnet("b").made()]),
                ("security_groups", |world, endpoint| endpoint.security_groups = vec![world.group("b").made()]),
                ("private_dns", |_, endpoint| endpoint.private_dns = false),
                ("tags", |_, endpoint| mark(&mut endpoint.tags)),
            ],
        ),
        row::<FlowLog, _>(
            |world| FlowLog {
                vpc: world.vpc().made(),
                bucket: None,
                log_group: Some(world.log_group("/a").made()),
                role: Some(world.role("a").made()),
                tags: tags(),
            },
            [
                ("vpc", |world, log| log.vpc = world.other_vpc().made()),
                ("bucket", |_, log| {
                    log.bucket = Some("arn:aws:s3:::logs".into());
                    (log.log_group, log.role) = (None, None);
                }),
                ("log_group", |world, log| log.log_group = Some(world.log_group("/b").made())),
                ("role", |world, log| log.role = Some(world.role("b").made())),
                ("tags", |_, log| mark(&mut log.tags)),
            ],
        )
        .beside(
            "s3",
            "CreateBucket",
            json!({ "Bucket": "logs", "CreateBucketConfiguration": { "LocationConstraint": Account::REGION } }),
        ),
        row::<IamRole, _>(
            |_| IamRole {
                permissions_boundary: Some(managed("PowerUserAccess")),
                managed_policies: vec![managed("ReadOnlyAccess")],
                ..role("subject").allow("look", &["ec2:DescribeVpcs"], &["*"])
            },
            [
                ("name", |_, role| role.name = "other".into()),
                ("path", |_, role| role.path = "/platform/".into()),
                ("description", |_, role| role.description = "Something else".into()),
                ("permissions_boundary", |_, role| role.permissions_boundary = None),
                ("trust", |_, role| role.trust = role_of("ec2.amazonaws.com").trust),
                ("policies", |_, role| {
                    role.policies.clear();
                    *role = role.clone().allow("write", &["ec2:CreateVpc"], &["*"]);
                }),
                ("managed_policies", |_, role| role.managed_policies = vec![managed("AWSXrayFullAccess")]),
                ("tags", |_, role| mark(&mut role.tags)),
            ],
        ),
        row::<LogGroup, _>(
            |_| LogGroup { name: "/subject".into(), retention_days: 7, tags: tags() },
            [
                ("name", |_, group| group.name = "/other".into()),
                ("retention_days", |_, group| group.retention_days = 14),
                ("tags", |_, group| mark(&mut group.tags)),
            ],
        ),
        row::<Cluster, _>(
            |world| cluster(world, "subject"),
            [
                ("name", |_, cluster| cluster.name = "other".into()),
                ("version", |_, cluster| cluster.version = "1.35".into()),
                ("role_arn", |_, cluster| cluster.role_arn = arn_of_role("other")),
                ("subnets", |world, cluster| {
                    cluster.subnets = ["a", "c"].map(|zone| Target::Part(world.subnet(zone).made())).into();
                }),
                ("security_groups", |world, cluster| {
                    cluster.security_groups = vec![Target::Part(world.group("a").made())];
                }),
                ("endpoint_private", |_, cluster| cluster.endpoint_private = false),
                ("endpoint_public", |_, cluster| {
                    (cluster.endpoint_public, cluster.public_cidrs) = (false, BTreeSet::new());
                }),
                ("public_cidrs", |_, cluster| cluster.public_cidrs = texts(&["192.0.2.0/24"])),
                ("service_cidr", |_, cluster| cluster.service_cidr = "172.21.0.0/16".into()),
                ("logging", |_, cluster| cluster.logging = texts(&["api", "scheduler"])),
                ("encryption_key", |_, cluster| {
                    cluster.encryption_key = Some(Text::from("arn:aws:kms:eu-central-1:1:key/a"));
                }),
                ("authentication_mode", |_, cluster| cluster.authentication_mode = "API".into()),
                ("support", |_, cluster| cluster.support = "EXTENDED".into()),
                ("tier", |_, cluster| cluster.tier = "tier-xl".into()),
                ("zonal_shift", |_, cluster| cluster.zonal_shift = true),
                ("deletion_protection", |_, cluster| cluster.deletion_protection = true),
                ("force_upgrade", |_, cluster| cluster.force_upgrade = true),
                ("after", |world, cluster| cluster.after = vec![world.group("a").made()]),
                ("tags", |_, cluster| mark(&mut cluster.tags)),
            ],
        ),
        row::<AccessEntry, _>(
            |world| AccessEntry {
                cluster: world.cluster().ready().into(),
                principal: Some(Text::from(world.role("one").ready().arn())),
                access_type: "STANDARD".into(),
                groups: texts(&["readers"]),
                username: None,
                policies: BTreeMap::from([
                    (access("AmazonEKSViewPolicy"), texts(&["shop"])),
                    (access("AmazonEKSAdminViewPolicy"), BTreeSet::new()),
                ]),
                holder: Holder,
                tags: tags(),
            },
            [
                ("cluster", |world, entry| entry.cluster = world.other_cluster().ready().into()),
                ("principal", |_, entry| entry.principal = Some(arn_of_role("other"))),
                ("type", |_, entry| {
                    entry.access_type = "EC2_LINUX".into();
                    (entry.groups, entry.policies) = (BTreeSet::new(), BTreeMap::new());
                }),
                ("groups", |_, entry| entry.groups = texts(&["readers", "writers"])),
                ("username", |_, entry| entry.username = Some("one".into())),
                ("policies", |_, entry| {
                    entry.policies = BTreeMap::from([
                        (access("AmazonEKSViewPolicy"), texts(&["shop", "stock"])),
                        (access("AmazonEKSEditPolicy"), BTreeSet::new()),
                    ]);
                }),
                ("tags", |_, entry| mark(&mut entry.tags)),
            ],
        )
        .outside("holder", |account, id| make_role_anew(account, id.rsplit('/').next().unwrap())),
        row::<NodeGroup, _>(
            |world| NodeGroup {
                cluster: world.cluster().ready().into(),
                after: Vec::new(),
                name: "subject".into(),
                role_arn: arn_of_role("nodes"),
                subnets: ["a", "b"].map(|zone| Target::Part(world.subnet(zone).made())).into(),
                instance_types: vec!["m7g.large".into(), "m6g.large".into()],
                ami_type: "AL2023_ARM_64_STANDARD".into(),
                capacity_type: "ON_DEMAND".into(),
                launch_template: Some(world.template("a").made()),
                launch_template_version: Some("1".into()),
                version: "1.33".into(),
                release_version: Some("1.33.1-20261001".into()),
                min: 1,
                max: 3,
                desired: 2,
                labels: BTreeMap::from([("role".into(), "system".into()), ("old".into(), "yes".into())]),
                taints: BTreeSet::from([taint("CriticalAddonsOnly", Some("true")), taint("old", None)]),
                max_unavailable: Unavailable::Nodes(1),
                force_drain: false,
                health: Healthy,
                tags: tags(),
            },
            [
                ("cluster", |world, group| group.cluster = world.other_cluster().ready().into()),
                ("after", |world, group| group.after = vec![world.group("a").made()]),
                ("name", |_, group| group.name = "other".into()),
                ("role_arn", |_, group| group.role_arn = arn_of_role("other")),
                ("subnets", |world, group| group.subnets = vec![Target::Part(world.subnet("c").made())]),
                ("instance_types", |_, group| group.instance_types.reverse()),
                ("ami_type", |_, group| group.ami_type = "BOTTLEROCKET_ARM_64".into()),
                ("capacity_type", |_, group| group.capacity_type = "SPOT".into()),
                ("launch_template", |world, group| group.launch_template = Some(world.template("b").made())),
                ("launch_template_version", |_, group| group.launch_template_version = Some("2".into())),
                ("version", |_, group| group.version = "1.34".into()),
                ("release_version", |_, group| group.release_version = Some("1.33.2-20261101".into())),
                ("min", |_, group| group.min = 3),
                ("max", |_, group| group.max = 1),
                ("desired", |_, group| group.desired = 3),
                ("labels", |_, group| {
                    group.labels = BTreeMap::from([("role".into(), "other".into()), ("new".into(), "yes".into())]);
                }),
                ("taints", |_, group| {
                    group.taints = BTreeSet::from([taint("CriticalAddonsOnly", None), taint("new", Some("x"))]);
                }),
                ("max_unavailable", |_, group| group.max_unavailable = Unavailable::Percent(33)),
                ("force_drain", |_, group| group.force_drain = true),
                ("tags", |_, group| mark(&mut group.tags)),
            ],
        )
        .outside("health", |account, id| unwell(account, "nodegroup", id, "AsgInstanceLaunchFailures")),
        row::<Addon, _>(
            |world| Addon {
                cluster: world.cluster().ready().into(),
                after: Vec::new(),
                name: "vpc-cni".into(),
                version: "v1.20.0-eksbuild.1".into(),
                configuration: json!({ "env": { "ENABLE_PREFIX_DELEGATION": "true" } }),
                service_account_role: Some(arn_of_role("cni")),
                pod_identity: BTreeMap::from([("one".into(), arn_of_role("one"))]),
                overwrite: false,
                health: Healthy,
                tags: tags(),
            },
            [
                ("cluster", |world, addon| addon.cluster = world.other_cluster().ready().into()),
                ("after", |world, addon| addon.after = vec![world.group("a").made()]),
                ("name", |_, addon| {
                    (addon.name, addon.version) = ("kube-proxy".into(), "v1.34.6-eksbuild.2".into());
                    addon.configuration = json!({});
                }),
                ("version", |_, addon| addon.version = "v1.21.0-eksbuild.1".into()),
                ("configuration", |_, addon| addon.configuration = json!({})),
                ("service_account_role", |_, addon| addon.service_account_role = None),
                ("pod_identity", |_, addon| {
                    addon.pod_identity = BTreeMap::from([("aws-node".into(), arn_of_role("cni"))]);
                }),
                ("overwrite", |_, addon| addon.overwrite = true),
                ("tags", |_, addon| mark(&mut addon.tags)),
            ],
        )
        .outside("health", |account, id| unwell(account, "addon", id, "InsufficientNumberOfReplicas")),
        row::<ClusterSecurityGroup, _>(
            |world| ClusterSecurityGroup { group: own_group(&world.cluster()), tags: tags() },
            [
                ("group", |world, group| group.group = own_group(&world.other_cluster())),
                ("tags", |_, group| mark(&mut group.tags)),
            ],
        )
        .comes_with_its_vpc(),
        row::<OidcProvider, _>(
            |_| OidcProvider { url: issuer("ONE"), client_ids: vec!["sts.amazonaws.com".into()], tags: tags() },
            [
                ("url", |_, provider| provider.url = issuer("TWO")),
                ("client_ids", |_, provider| provider.client_ids = vec!["other".into()]),
                ("tags", |_, provider| mark(&mut provider.tags)),
            ],
        ),
        row::<Key, _>(
            |_| Key {
                alias: "alias/subject".into(),
                description: "Contract".into(),
                enabled: true,
                rotation: true,
                policy: Some(owned_by_the_account("subject")),
                deletion_window_days: 30,
                tags: tags(),
            },
            [
                ("alias", |_, key| key.alias = "alias/other".into()),
                ("description", |_, key| key.description = "Something else".into()),
                ("rotation", |_, key| key.rotation = false),
                ("policy", |_, key| key.policy = Some(owned_by_the_account("other"))),
                ("deletion_window_days", |_, key| key.deletion_window_days = 7),
                ("tags", |_, key| mark(&mut key.tags)),
            ],
        )
        .outside("enabled", |account, id| {
            let key = json!({ "KeyId": id });
            account.call("kms", Account::REGION, "ScheduleKeyDeletion", &key).unwrap();
        }),
        row::<LaunchTemplate, _>(
            |_| LaunchTemplate {
                name: "subject".into(),
                disks: BTreeMap::from([("/dev/xvda".to_owned(), Disk::gp3(20))]),
                imdsv2_only: true,
                hop_limit: 1,
                user_data: Some("hello".into()),
                instance_tags: tags(),
                tags: tags(),
            },
            [
                ("name", |_, template| template.name = "other".into()),
                ("disks", |_, template| {
                    let disk = Disk { iops: Some(4000), throughput: Some(250), ..Disk::gp3(30) };
                    template.disks = BTreeMap::from([("/dev/xvdb".to_owned(), disk)]);
                }),
                ("imdsv2_only", |_, template| template.imdsv2_only = false),
                ("hop_limit", |_, template| template.hop_limit = 2),
                ("user_data", |_, template| template.user_data = None),
                ("instance_tags", |_, template| mark(&mut template.instance_tags)),
                ("tags", |_, template| mark(&mut template.tags)),
            ],
        ),
        row::<PodIdentityAssociation, _>(
            |world| PodIdentityAssociation {
                cluster: world.cluster().ready().into(),
                namespace: "kube-system".into(),
                service_account: "subject".into(),
                role_arn: arn_of_role("one"),
                tags: tags(),
            },
            [
                ("cluster", |world, association| association.cluster = world.other_cluster().ready().into()),
                ("namespace", |_, association| association.namespace = "other".into()),
                ("service_account", |_, association| association.service_account = "other".into()),
                ("role_arn", |_, association| association.role_arn = arn_of_role("other")),
                ("tags", |_, association| mark(&mut association.tags)),
            ],
        ),
        row::<Queue, _>(
            |_| queue("subject"),
            [
                ("name", |_, queue| queue.name = "other".into()),
                ("retention_seconds", |_, queue| queue.retention_seconds = 600),
                ("statements", |_, queue| queue.statements.clear()),
                ("tags", |_, queue| mark(&mut queue.tags)),
            ],
        ),
        row::<events::Rule, _>(
            |world| events::Rule {
                name: "subject".into(),
                pattern: json!({ "source": ["aws.ec2"], "detail-type": ["EC2 Instance Rebalance Recommendation"] }),
                receiver: Text::from(world.queue("one").ready().arn()),
                enabled: true,
                tags: tags(),
            },
            [
                ("name", |_, rule| rule.name = "other".into()),
                ("pattern", |_, rule| rule.pattern = json!({ "source": ["aws.health"] })),
                ("receiver", |world, rule| rule.receiver = Text::from(world.queue("two").ready().arn())),
                ("enabled", |_, rule| rule.enabled = false),
                ("tags", |_, rule| mark(&mut rule.tags)),
            ],
        ),
    ]
}

/// What makes a field another.
type Set<P> = fn(&mut World, &mut P);

/// Declares the part with what it needs; the field of this name is another.
type Declare = dyn Fn(&mut World, Option<&str>) + Send + Sync;

/// What somebody else does to the object of this id.
type Outside = fn(&Account, &str);

/// A row of the table.
pub struct Row {
    pub kind: &'static str,
    /// The fields that the part declares.
    pub declared: Vec<String>,
    /// Those that have another value here.
    pub fields: Vec<Field>,
    /// It cannot be deleted or made alone: it comes and goes with its VPC or its cluster.
    pub stays: bool,
    /// What somebody else made beforehand: service, operation, parameters.
    pub others: Option<(&'static str, &'static str, Value)>,
    declare: Box<Declare>,
}

/// A field with another value.
pub struct Field {
    pub name: &'static str,
    pub rule: FieldRule,
    pub remedy: Remedy,
    /// In place of another declaration: what is done from outside to make the object another.
    pub outside: Option<Outside>,
}

fn row<P: Part, const N: usize>(sample: fn(&mut World) -> P, others: [(&'static str, Set<P>); N]) -> Row {
    let part = serde_json::to_value(sample(&mut World::new())).unwrap();
    let field = |(name, _): &(&'static str, Set<P>)| Field {
        name,
        rule: P::rule(name),
        remedy: P::remedy(name),
        outside: None,
    };
    Row {
        kind: P::KIND,
        declared: part.as_object().unwrap().keys().cloned().collect(),
        fields: others.iter().map(field).collect(),
        stays: false,
        others: None,
        declare: Box::new(move |world, changed| {
            let mut part = sample(world);
            for (name, set) in others {
                // What the other values need is there all along.
                let mut other = part.clone();
                set(world, &mut other);
                if changed == Some(name) {
                    part = other;
                }
            }
            if world.has_subject {
                world.graph.part(SUBJECT, part);
            }
        }),
    }
}

impl Row {
    /// A field that is not declared otherwise: what somebody else changes is changed back.
    fn outside(mut self, name: &'static str, change: Outside) -> Self {
        self.fields.push(Field {
            name,
            rule: FieldRule::Exact,
            remedy: Remedy::Update,
            outside: Some(change),
        });
        self
    }

    fn beside(self, service: &'static str, operation: &'static str, parameters: Value) -> Self {
        Self {
            others: Some((service, operation, parameters)),
            ..self
        }
    }

    fn comes_with_its_vpc(self) -> Self {
        Self { stays: true, ..self }
    }

    /// The part with what it needs; this field is another.
    pub fn graph(&self, changed: Option<&str>) -> Graph {
        let mut world = World::new();
        (self.declare)(&mut world, changed);
        world.graph
    }

    /// What it needs alone, and what stands in for the kinds of that.
    pub fn needs(&self) -> (Graph, BTreeMap<&'static str, StandIn>) {
        let mut world = World::new();
        world.has_subject = false;
        (self.declare)(&mut world, None);
        (world.graph, world.stand_ins)
    }
}

/// What parts need. Each is declared once, when it is first asked for; the VPC is the root and always there.
pub struct World {
    graph: Graph,
    made: BTreeMap<String, Handle>,
    stand_ins: BTreeMap<&'static str, StandIn>,
    has_subject: bool,
}

/// What adds a kind that stands in for one of what is needed ([`stand_in`]).
pub type StandIn = fn(Kinds, KindTraits, Vec<Object>) -> Kinds;

impl World {
    fn new() -> Self {
        let mut world = Self {
            graph: Graph::new(),
            made: BTreeMap::new(),
            stand_ins: BTreeMap::new(),
            has_subject: true,
        };
        world.vpc();
        world
    }

    fn part<P: Part>(&mut self, key: &str, part: impl FnOnce(&mut Self) -> P) -> Handle {
        if let Some(made) = self.made.get(key) {
            return made.clone();
        }
        let part = part(self);
        self.stand_ins.insert(P::KIND, stand_in::<P>);
        let made = self.graph.part(key, part);
        self.made.insert(key.to_owned(), made.clone());
        made
    }

    fn vpc(&mut self) -> Handle {
        self.part("vpc", |_| Vpc {
            secondary_cidrs: Vec::new(),
            ..vpc("10.20.0.0/16", "10.21.0.0/16")
        })
    }

    fn other_vpc(&mut self) -> Handle {
        self.part("other_vpc", |_| Vpc {
            secondary_cidrs: Vec::new(),
            ..vpc("10.20.0.0/16", "10.21.0.0/16")
        })
    }

    fn subnet(&mut self, letter: &str) -> Handle {
        let cidr = match letter {
            "a" => "10.20.0.0/24",
            "b" => "10.20.1.0/24",
            _ => "10.20.2.0/24",
        };
        self.part(&format!("subnet/{letter}"), |world| {
            subnet(world.vpc().made(), letter, cidr)
        })
    }

    fn other_subnet(&mut self) -> Handle {
        self.part("other_subnet", |world| {
            subnet(world.other_vpc().made(), "a", "10.20.0.0/24")
        })
    }

    fn gateway(&mut self) -> Handle {
        self.part("gateway", |world| InternetGateway {
            vpc: world.vpc().made(),
            tags: tags(),
        })
    }

    fn address(&mut self, letter: &str) -> Handle {
        self.part(&format!("address/{letter}"), |_| ElasticIp { tags: tags() })
    }

    fn table(&mut self, letter: &str) -> Handle {
        self.part(&format!("table/{letter}"), |world| RouteTable {
            vpc: world.vpc().made(),
            subnets: vec![world.subnet(letter).made()],
            routes: BTreeMap::new(),
            tags: tags(),
        })
    }

    fn group(&mut self, letter: &str) -> Handle {
        self.part(&format!("group/{letter}"), |world| {
            security_group(world.vpc().made(), letter)
        })
    }

    fn other_group(&mut self) -> Handle {
        self.part("other_group", |world| {
            security_group(world.other_vpc().made(), "a")
        })
    }

    fn log_group(&mut self, name: &str) -> Handle {
        self.part(&format!("log_group{name}"), |_| LogGroup {
            name: name.to_owned(),
            retention_days: 7,
            tags: tags(),
        })
    }

    fn queue(&mut self, name: &str) -> Handle {
        self.part(&format!("queue/{name}"), |_| queue(name))
    }

    fn role(&mut self, name: &str) -> Handle {
        self.part(&format!("role/{name}"), |_| role(name))
    }

    /// Stands for a launch template: the emulated EKS takes any id.
    fn template(&mut self, letter: &str) -> Handle {
        self.group(letter)
    }

    fn cluster(&mut self) -> Handle {
        self.part("cluster", |world| cluster(world, "one"))
    }

    fn other_cluster(&mut self) -> Handle {
        self.part("other_cluster", |world| cluster(world, "two"))
    }
}

fn tags() -> Tags {
    Tags::from([("Purpose".to_owned(), "contract".to_owned())])
}

/// Another tag, and one that is there no more.
fn mark(tags: &mut Tags) {
    *tags = Tags::from([("Marked".to_owned(), "yes".to_owned())]);
}

fn range<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn zone(letter: &str) -> String {
    format!("{}{letter}", Account::REGION)
}

fn service(name: &str) -> String {
    format!("com.amazonaws.{}.{name}", Account::REGION)
}

fn managed(name: &str) -> String {
    format!("arn:aws:iam::aws:policy/{name}")
}

fn vpc(cidr: &str, further: &str) -> Vpc {
    Vpc {
        cidr: range(cidr),
        secondary_cidrs: vec![range(further)],
        dns_support: true,
        dns_hostnames: true,
        tags: tags(),
    }
}

fn subnet(vpc: Ref, letter: &str, cidr: &str) -> Subnet {
    Subnet {
        vpc,
        zone: zone(letter),
        cidr: range(cidr),
        public_ips: false,
        tags: tags(),
    }
}

fn security_group(vpc: Ref, name: &str) -> SecurityGroup {
    let ingress = vec![
        Rule::tcp(443, range("10.20.0.0/16"), "in"),
        Rule::tcp(80, range("10.20.0.0/16"), "in"),
    ];
    SecurityGroup {
        vpc,
        name: name.to_owned(),
        description: "Contract".into(),
        ingress,
        tags: tags(),
    }
}

fn texts(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn arn_of_role(name: &str) -> Text {
    Text::from(format!("arn:aws:iam::123456789012:role/{name}"))
}

fn access(policy: &str) -> String {
    format!("arn:aws:eks::aws:cluster-access-policy/{policy}")
}

fn taint(key: &str, value: Option<&str>) -> Taint {
    Taint {
        key: key.to_owned(),
        value: value.map(str::to_owned),
        effect: "NO_SCHEDULE".into(),
    }
}

/// Another role takes the name of one that nothing is attached to.
fn make_role_anew(account: &Account, name: &str) {
    let iam = |operation: &str, role: Value| account.call("iam", "us-east-1", operation, &role).unwrap();
    iam("DeleteRole", json!({ "RoleName": name }));
    iam(
        "CreateRole",
        json!({ "RoleName": name, "AssumeRolePolicyDocument": "{}" }),
    );
}

/// For two minutes it is not well.
fn unwell(account: &Account, kind: &str, id: &str, code: &str) {
    let issue = json!({ "code": code, "message": "It is not well.", "resourceIds": [] });
    let (_, name) = id.split_once('/').unwrap();
    let chain = json!(["DEGRADED", 120, "ACTIVE"]);
    account.put(
        "eks",
        kind,
        name,
        &json!({ "health": { "issues": [issue] } }),
        &chain,
    );
}

fn queue(name: &str) -> Queue {
    Queue {
        name: name.to_owned(),
        retention_seconds: 300,
        statements: vec![json!({
            "Effect": "Allow",
            "Principal": { "Service": ["events.amazonaws.com"] },
            "Action": "sqs:SendMessage",
        })],
        tags: tags(),
    }
}

fn cluster(world: &mut World, name: &str) -> Cluster {
    Cluster {
        name: name.to_owned(),
        version: "1.34".into(),
        role_arn: arn_of_role("cluster"),
        subnets: ["a", "b"]
            .map(|zone| Target::Part(world.subnet(zone).made()))
            .into(),
        security_groups: Vec::new(),
        endpoint_private: true,
        endpoint_public: true,
        public_cidrs: texts(&["0.0.0.0/0"]),
        service_cidr: "172.20.0.0/16".into(),
        logging: texts(&["api", "audit"]),
        encryption_key: None,
        authentication_mode: "API_AND_CONFIG_MAP".into(),
        support: "STANDARD".into(),
        tier: "standard".into(),
        zonal_shift: false,
        deletion_protection: false,
        force_upgrade: false,
        after: Vec::new(),
        tags: tags(),
    }
}

/// The security group that EKS makes for a cluster.
fn own_group(cluster: &Handle) -> Ref {
    cluster.ready().output("cluster_security_group_id")
}

/// The address of an EKS cluster's issuer.
fn issuer(cluster: &str) -> Text {
    Text::from(format!(
        "https://oidc.eks.{}.amazonaws.com/id/{cluster}",
        Account::REGION
    ))
}

/// The usual policy of a key, with this name.
fn owned_by_the_account(id: &str) -> Value {
    let statement =
        json!({ "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "kms:*", "Resource": "*" });
    json!({ "Version": "2012-10-17", "Id": id, "Statement": [statement] })
}

fn role(name: &str) -> IamRole {
    IamRole::for_service(name, "vpc-flow-logs.amazonaws.com", tags())
}

fn role_of(service: &str) -> IamRole {
    IamRole::for_service("unused", service, tags())
}
