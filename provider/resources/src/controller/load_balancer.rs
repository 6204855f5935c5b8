//! `ekb_load_balancer_controller`: makes load balancers of Ingresses and Services.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws::partition::partition;
use framework::{Attr, Model, Timeouts, Value};
use kubernetes::Finishes;
use reconcile::graph::Graph;
use reconcile::kinds::Kinds;
use reconcile::part::Ref;
use reconcile::resource::{Common, Managed};
use serde_json::json;

use super::identity::{self, Wanted};
use super::model::{Installation, RoleArguments};
use super::versions::{Line, Versions};
use super::{Controller, Facts, argument, images_from, pull_secrets, tolerations};
use crate::platform::Platform;
use crate::release::values::{from_json, over};

/// The AWS Load Balancer Controller, which makes Application Load Balancers of Ingresses and Network Load Balancers of Services, with
/// its role and the way its pods get it.
///
/// Ingress classes are left to `ekb_ingress`. Services get its load balancers where they ask for them (`spec.loadBalancerClass`). A
/// destroy waits for Ingresses, Services and target groups that only the controller can take away.
#[derive(Model, Managed, Debug, Clone, Default)]
pub struct LoadBalancerController {
    /// Name among the controllers of the environment. Default: the cluster's.
    #[attribute(optional, computed, keep, replace, validate(length(1..=100)))]
    pub name: Attr<String>,
    /// Id of the VPC in which load balancers are made, for example `ekb_network.main.vpc_id`: pods cannot ask the instance for it.
    #[attribute(required, validate(pattern("^vpc-[0-9a-f]+$")))]
    pub vpc_id: Attr<String>,
    /// How many pods the controller has; one of them is at work.
    #[attribute(optional, computed, default = 2, validate(range(1..=10)))]
    pub replicas: Attr<i64>,
    /// Whether every new Service of type LoadBalancer is made this controller's, by a webhook without which then no Service can be made.
    #[attribute(optional, computed, default = false)]
    pub service_mutator_webhook: Attr<bool>,
    #[flatten]
    #[expect(missing_docs, reason = "its attributes have their own")]
    pub role: RoleArguments,
    /// ARN of the role that the controller's pods have.
    #[attribute(computed)]
    pub iam_role_arn: Attr<String>,
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

static VERSIONS: Versions = Versions {
    lines: &[Line {
        minor: (3, 5),
        newest: "3.5.0",
        works_from: 22,
        works_until: None,
        tested: (22, 36),
    }],
    source: "kubernetes-sigs/aws-load-balancer-controller, docs/deploy/installation.md, 2026-08",
};

/// In the name of its role.
const COMPONENT: &str = "load-balancer-controller";
/// The service account of its pods, which the chart calls like the release.
const ACCOUNT: &str = "aws-load-balancer-controller";

#[async_trait]
impl Controller for LoadBalancerController {
    const FACTS: Facts = Facts {
        resource: "ekb_load_balancer_controller",
        title: "load balancer controller",
        release: "aws-load-balancer-controller",
        namespace: "kube-system",
        chart: "aws-load-balancer-controller",
        repository: Some("https://aws.github.io/eks-charts"),
        versions: &VERSIONS,
        finishes: &[
            Finishes {
                of: "networking.k8s.io/v1/Ingress",
                finalizers: &["ingress.k8s.aws/", "group.ingress.k8s.aws/"],
            },
            Finishes {
                of: "v1/Service",
                finalizers: &["service.k8s.aws/"],
            },
            Finishes {
                of: "elbv2.k8s.aws/v1beta1/TargetGroupBinding",
                finalizers: &["elbv2.k8s.aws/"],
            },
        ],
    };

    fn installation(&self) -> &Installation {
        &self.installation
    }

    fn installation_mut(&mut self) -> &mut Installation {
        &mut self.installation
    }

    fn values(&self) -> Value {
        let plain = from_json(&json!({
            "serviceAccount": { "name": ACCOUNT },
            "tolerations": tolerations(),
            // The certificate of its webhooks stays when it is upgraded (aws-load-balancer-controller#4572).
            "keepTLSSecret": true,
            // `ekb_ingress` makes it.
            "createIngressClassResource": false,
            "ingressClassParams": { "create": false },
            // Without this a pod waits for its targets up to 16 minutes (aws-load-balancer-controller#3622).
            "targetgroupbindingMaxExponentialBackoffDelay": "30s",
        }));
        let annotations = identity::annotations(self, &self.role, COMPONENT);
        let arguments = Value::object([
            ("clusterName", argument(&self.installation.cluster)),
            ("region", argument(&Managed::common(self).region)),
            ("vpcId", argument(&self.vpc_id)),
            ("replicaCount", argument(&self.replicas)),
            (
                "enableServiceMutatorWebhook",
                argument(&self.service_mutator_webhook),
            ),
            ("serviceAccount", Value::object([("annotations", annotations)])),
            ("imagePullSecrets", pull_secrets(&self.installation)),
        ]);
        let all = over(plain, arguments);
        match images_from(&self.installation, "/eks/aws-load-balancer-controller") {
            None => all,
            Some(from) => over(
                all,
                Value::object([("image", Value::object([("repository", from)]))]),
            ),
        }
    }

    fn parts(&self, graph: &mut Graph) -> Option<Vec<Ref>> {
        let region = Managed::common(self).region.known()?;
        let wanted = Wanted {
            component: COMPONENT,
            account: ACCOUNT.to_owned(),
            policies: BTreeMap::from([("load-balancers".to_owned(), policy(partition(region)))]),
        };
        identity::add(graph, self, &self.role, &wanted)
    }

    fn kinds(context: &Platform, region: &str) -> Kinds {
        identity::kinds(context, region)
    }

    fn outputs(&mut self, _: &reconcile::resource::Outputs<'_>) {
        self.iam_role_arn = identity::role_arn(self, &self.role, COMPONENT);
    }
}

/// What the controller does in AWS, version 3.5 and those before it (aws-load-balancer-controller, docs/install/iam_policy.json).
fn policy(partition: &str) -> serde_json::Value {
    let (ec2, elb) = ("ec2:", "elasticloadbalancing:");
    let all = |prefix: &str, names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("{prefix}{name}")).collect()
    };
    let arn = |of: &str| format!("arn:{partition}:{of}");
    let allow = |actions: Vec<String>, resources: Vec<String>, condition: serde_json::Value| {
        let mut statement = json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
        if !condition.is_null() {
            statement["Condition"] = condition;
        }
        statement
    };
    let any = || vec!["*".to_owned()];
    let without = || serde_json::Value::Null;
    // The tag by which the controller knows what is its own: given in the call, or already there.
    const ASKED: &str = "aws:RequestTag/elbv2.k8s.aws/cluster";
    const THERE: &str = "aws:ResourceTag/elbv2.k8s.aws/cluster";
    let asked = || json!({ "Null": { ASKED: "false" } });
    let there = || json!({ "Null": { THERE: "false" } });
    let changed = || json!({ "Null": { ASKED: "true", THERE: "false" } });
    let groups = vec![arn("ec2:*:*:security-group/*")];
    let target_groups = arn("elasticloadbalancing:*:*:targetgroup/*/*");
    let balancers: Vec<String> = [target_groups.clone()]
        .into_iter()
        .chain(["net", "app"].map(|kind| arn(&format!("elasticloadbalancing:*:*:loadbalancer/{kind}/*/*"))))
        .collect();
    let listeners: Vec<String> = ["listener", "listener-rule"]
        .iter()
        .flat_map(|of| ["net", "app"].map(|kind| arn(&format!("elasticloadbalancing:*:*:{of}/{kind}/*/*/*"))))
        .collect();
    let looks = [
        all(
            ec2,
            &[
                "DescribeAccountAttributes",
                "DescribeAddresses",
                "DescribeAvailabilityZones",
                "DescribeCoipPools",
                "DescribeInstances",
                "DescribeInternetGateways",
                "DescribeIpamPools",
                "DescribeNetworkInterfaces",
                "DescribeRouteTables",
                "DescribeSecurityGroups",
                "DescribeSubnets",
                "DescribeTags",
                "DescribeVpcPeeringConnections",
                "DescribeVpcs",
                "GetCoipPoolUsage",
                "GetSecurityGroupsForVpc",
            ],
        ),
        all(
            elb,
            &[
                "DescribeCapacityReservation",
                "DescribeListenerAttributes",
                "DescribeListenerCertificates",
                "DescribeListeners",
                "DescribeLoadBalancerAttributes",
                "DescribeLoadBalancers",
                "DescribeRules",
                "DescribeSSLPolicies",
                "DescribeTags",
                "DescribeTargetGroupAttributes",
                "DescribeTargetGroups",
                "DescribeTargetHealth",
                "DescribeTrustStores",
            ],
        ),
        all("acm:", &["DescribeCertificate", "ListCertificates"]),
        all("iam:", &["GetServerCertificate", "ListServerCertificates"]),
        all("cognito-idp:", &["DescribeUserPoolClient"]),
    ]
    .concat();
    let web_acls = ["waf-regional:", "wafv2:"].map(|service| {
        all(
            service,
            &[
                "AssociateWebACL",
                "DisassociateWebACL",
                "GetWebACL",
                "GetWebACLForResource",
            ],
        )
    });
    let shield = all(
        "shield:",
        &[
            "CreateProtection",
            "DeleteProtection",
            "DescribeProtection",
            "GetSubscriptionState",
        ],
    );
    let rules = ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"];
    let created = json!({
        "StringEquals": { "elasticloadbalancing:CreateAction": ["CreateTargetGroup", "CreateLoadBalancer"] },
        "Null": { ASKED: "false" },
    });
    json!({
        "Version": "2012-10-17",
        "Statement": [
            allow(all("iam:", &["CreateServiceLinkedRole"]), any(), json!({
                "StringEquals": { "iam:AWSServiceName": "elasticloadbalancing.amazonaws.com" },
            })),
            allow(looks, any(), without()),
            allow([web_acls.concat(), shield].concat(), any(), without()),
            allow(all(ec2, &["CreateSecurityGroup"]), any(), without()),
            allow(all(ec2, &rules), any(), without()),
            allow(all(ec2, &["DeleteSecurityGroup"]), any(), there()),
            allow(all(ec2, &["CreateTags"]), groups.clone(), json!({
                "StringEquals": { "ec2:CreateAction": "CreateSecurityGroup" },
                "Null": { ASKED: "false" },
            })),
            allow(all(ec2, &["CreateTags", "DeleteTags"]), groups, changed()),
            allow(all(elb, &["CreateLoadBalancer", "CreateTargetGroup"]), any(), asked()),
            allow(
                all(elb, &["CreateListener", "CreateRule", "DeleteListener", "DeleteRule"]),
                any(),
                without(),
            ),
            allow(all(elb, &["AddTags"]), balancers.clone(), created),
            allow(all(elb, &["AddTags", "RemoveTags"]), balancers, changed()),
            allow(all(elb, &["AddTags", "RemoveTags"]), listeners, without()),
            allow(
                all(
                    elb,
                    &[
                        "DeleteLoadBalancer",
                        "DeleteTargetGroup",
                        "ModifyCapacityReservation",
                        "ModifyIpPools",
                        "ModifyListenerAttributes",
                        "ModifyLoadBalancerAttributes",
                        "ModifyTargetGroup",
                        "ModifyTargetGroupAttributes",
                        "SetIpAddressType",
                        "SetSecurityGroups",
                        "SetSubnets",
                    ],
                ),
                any(),
                there(),
            ),
            allow(
                all(elb, &["DeregisterTargets", "RegisterTargets"]),
                vec![target_groups],
                without(),
            ),
            allow(
                all(
                    elb,
                    &[
                        "AddListenerCertificates",
                        "ModifyListener",
                        "ModifyRule",
                        "RemoveListenerCertificates",
                        "SetRulePriorities",
                        "SetWebAcl",
                    ],
                ),
                any(),
                without(),
            ),
        ],
    })
}
