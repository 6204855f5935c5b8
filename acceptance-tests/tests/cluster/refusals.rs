//! What a plan refuses: what users read, and that the advice helps.

use acceptance_tests::{Account, Normaliser, Session, Workspace};
use conformance::Resource;
use serde_json::{Value as Json, json};

use crate::{ADDRESS, config, ground, with};

/// The errors and warnings of a plan, for snapshots.
fn messages(workspace: &Workspace, run: &acceptance_tests::Run) -> String {
    let found = run.diagnostics().into_iter();
    let text: Vec<String> = found
        // Behind the last one comes what the command says of the plan.
        .map(|d| {
            format!(
                "{}: {}\n{}",
                d.severity,
                d.summary,
                d.detail.split("\n────").next().unwrap_or_default()
            )
        })
        .collect();
    Normaliser::of(workspace).apply(&text.join("\n\n"))
}

fn write(workspace: &Workspace, arguments: &Json) {
    let mut arguments = arguments.clone();
    if let Some(arguments) = arguments.as_object_mut() {
        arguments.retain(|_, value| !value.is_null());
    }
    let config = json!({ "resource": { "ekb_cluster": { "main": arguments } } });
    workspace.write("main.tf.json", &format!("{config:#}"));
}

/// A configuration that is refused, and what its advice makes of it; null: no advice to follow.
struct Case {
    what: &'static str,
    wrong: Json,
    advice: Json,
}

fn case(what: &'static str, wrong: Json, advice: Json) -> Case {
    Case { what, wrong, advice }
}

fn patched(base: &Json, patch: &Json) -> Json {
    let patch = patch.as_object().cloned().unwrap_or_default();
    patch
        .into_iter()
        .fold(base.clone(), |config, (name, value)| with(&config, &name, value))
}

/// Plans the wrong configurations through the command line, and each advice without. Those that concern other arguments than those
/// before are told together, as users would see them.
fn refused(
    workspace: &Workspace,
    account: &Account,
    base: &Json,
    rounds: Vec<Vec<Case>>,
    resource: &Resource,
) -> String {
    let (mut text, mut advised) = (String::new(), Vec::new());
    for round in rounds {
        let what: Vec<&str> = round.iter().map(|case| case.what).collect();
        let what = what.join("; ");
        let wrong = round
            .iter()
            .fold(base.clone(), |config, case| patched(&config, &case.wrong));
        write(workspace, &wrong);
        let run = workspace.plan_only(&["-refresh=false"]);
        assert_eq!(run.code, 1, "{what} is not refused: {run}");
        let said = run.errors().len();
        assert!(said >= round.len(), "{what}: {said} errors: {run}");
        text.push_str(&format!("## {what}\n{}\n\n", messages(workspace, &run)));
        let advices = |case: &Case| match &case.advice {
            Json::Array(all) => all.clone(),
            one => vec![one.clone()],
        };
        let most = round.iter().map(|case| advices(case).len()).max().unwrap_or(0);
        for n in 0..most {
            let helped = round.iter().fold(base.clone(), |config, case| {
                let advices = advices(case);
                patched(&config, &advices[n.min(advices.len() - 1)])
            });
            advised.push((format!("{what}: advice {n}"), helped));
        }
    }
    let useless = Session::new(account).with(async |core| {
        let mut useless = Vec::new();
        for (what, config) in &advised {
            let config = core.config(&resource.type_name, config)?;
            if let Err(error) = core.plan(resource, &config).await {
                useless.push(format!("{what}: {error}"));
            }
        }
        Ok(useless)
    });
    assert_eq!(useless.unwrap(), [""; 0]);
    text
}

/// Cases of different arguments together; what keeps others from being looked at is alone.
fn together(cases: Vec<Case>, is_alone: impl Fn(&Case) -> bool) -> Vec<Vec<Case>> {
    let arguments = |case: &Case| -> Vec<String> {
        let changed = case.wrong.as_object().into_iter().flatten();
        changed.map(|(name, _)| name.clone()).collect()
    };
    let mut rounds: Vec<Vec<Case>> = Vec::new();
    for case in cases {
        let own = arguments(&case);
        let has_room = |round: &&mut Vec<Case>| {
            let mut others = round.iter();
            others.all(|other| !is_alone(other) && arguments(other).iter().all(|name| !own.contains(name)))
        };
        match rounds.iter_mut().find(has_room).filter(|_| !is_alone(&case)) {
            Some(round) => round.push(case),
            None => rounds.push(vec![case]),
        }
    }
    rounds
}

#[test]
fn mistakes_are_refused_at_plan_before_anything_is_made() {
    Workspace::in_turn(2, |workspace, account| {
        let ground = ground(account);
        let (a, b) = (&ground.subnets[0], &ground.subnets[1]);
        let base = config(&ground);
        account.clear_log();
        let access = |entries: Json| json!({ "access": entries });
        let role = "arn:aws:iam::111122223333:role/team/core";
        let nodes = |nodes: Json| json!({ "system_nodes": nodes });
        let configured = |addon: &str, configuration: Json| json!({ "addons": { addon: { "configuration": configuration.to_string() } } });
        let pinned = |addon: &str, version: &str| json!({ "addons": { addon: { "version": version } } });
        let plain = || json!({});
        let cases = vec![
            case(
                "a version that is none",
                json!({ "kubernetes_version": "1.35.2" }),
                plain(),
            ),
            case(
                "a version that EKS does not have",
                json!({ "kubernetes_version": "1.99" }),
                plain(),
            ),
            case(
                "a version without support",
                json!({ "kubernetes_version": "1.31" }),
                plain(),
            ),
            case(
                "a version without standard support",
                json!({ "kubernetes_version": "1.33", "support": "standard" }),
                json!([{ "support": "standard" }, { "kubernetes_version": "1.33", "support": "extended" }]),
            ),
            case(
                "nobody said who reaches it",
                json!({ "endpoint_access": null }),
                json!([{ "endpoint_access": { "public_cidrs": ["203.0.113.0/24"] } }, { "endpoint_access": { "private_only": true } }]),
            ),
            case(
                "public and private only",
                json!({ "endpoint_access": { "public_cidrs": ["0.0.0.0/0"], "private_only": true } }),
                plain(),
            ),
            case(
                "a range of Services that is not private",
                json!({ "service_cidr": "100.64.0.0/16" }),
                json!({ "service_cidr": "172.20.0.0/16" }),
            ),
            case(
                "a range of Services too small",
                json!({ "service_cidr": "172.20.0.0/25" }),
                json!({ "service_cidr": "172.20.0.0/16" }),
            ),
            case(
                "a range of Services with host bits",
                json!({ "service_cidr": "172.20.1.0/16" }),
                json!({ "service_cidr": "172.20.0.0/16" }),
            ),
            case(
                "Services where a subnet is",
                json!({ "service_cidr": "10.20.0.0/16" }),
                json!({ "service_cidr": "172.20.0.0/16" }),
            ),
            case(
                "Services elsewhere in the VPC",
                json!({ "service_cidr": "10.20.240.0/20" }),
                json!({ "service_cidr": "172.20.0.0/16" }),
            ),
            case(
                "a name too long for what is composed of it",
                json!({ "name": "n".repeat(48) }),
                json!({ "name": "n".repeat(47) }),
            ),
            case(
                "an assumed role",
                access(
                    json!({ "core": { "principal_arn": "arn:aws:sts::111122223333:assumed-role/core/me", "level": "view" } }),
                ),
                access(json!({ "core": { "principal_arn": role, "level": "view" } })),
            ),
            case(
                "a principal that is no ARN",
                access(json!({ "core": { "principal_arn": "core", "level": "view" } })),
                access(json!({ "core": { "principal_arn": role, "level": "view" } })),
            ),
            case(
                "a principal twice",
                access(
                    json!({ "a": { "principal_arn": role, "level": "view" }, "b": { "principal_arn": role, "level": "admin" } }),
                ),
                access(json!({ "a": { "principal_arn": role, "level": "admin" } })),
            ),
            case(
                "rights of nodes",
                access(json!({ "a": { "principal_arn": role, "level": "view", "kind": "EC2_LINUX" } })),
                json!([
                    access(json!({ "a": { "principal_arn": role, "kind": "EC2_LINUX" } })),
                    access(json!({ "a": { "principal_arn": role, "level": "view" } }))
                ]),
            ),
            case(
                "access to nothing",
                access(json!({ "a": { "principal_arn": role } })),
                json!([
                    access(json!({ "a": { "principal_arn": role, "groups": ["readers"] } })),
                    access(json!({ "a": { "principal_arn": role, "level": "admin_view" } }))
                ]),
            ),
            case(
                "fewest above most nodes",
                nodes(json!({ "min": 4, "max": 3 })),
                nodes(json!({ "min": 4, "max": 4 })),
            ),
            case(
                "more nodes wanted than there may be",
                nodes(json!({ "max": 3, "desired": 4 })),
                nodes(json!({ "max": 3, "desired": 3 })),
            ),
            case(
                "Amazon Linux 2",
                nodes(json!({ "ami_type": "AL2_ARM_64" })),
                json!([plain(), nodes(json!({ "ami_type": "BOTTLEROCKET_ARM_64" }))]),
            ),
            case(
                "a machine image of another version",
                nodes(json!({ "release_version": "1.34.0-20261101" })),
                json!([plain(), nodes(json!({ "release_version": "1.35.0-20261101" }))]),
            ),
            case(
                "an instance type that there is not",
                nodes(json!({ "instance_types": ["t4g.huge"] })),
                nodes(json!({ "instance_types": ["t4g.xlarge"] })),
            ),
            case(
                "an instance type of another architecture",
                nodes(json!({ "instance_types": ["m5.large"] })),
                json!([
                    nodes(json!({ "instance_types": ["m5.large"], "architecture": "x86_64" })),
                    nodes(json!({ "instance_types": ["m6g.large"] }))
                ]),
            ),
            case(
                "an instance type that is not offered",
                nodes(json!({ "instance_types": ["g5g.xlarge"] })),
                json!([
                    nodes(json!({ "instance_types": ["g5g.xlarge", "t4g.large"] })),
                    nodes(json!({ "instance_types": ["g5g.xlarge"], "subnet_ids": [ground.third] }))
                ]),
            ),
            case(
                "a subnet that there is not",
                json!({ "subnet_ids": [a, "subnet-0123456789abcdef0"] }),
                plain(),
            ),
            case(
                "a node subnet that there is not",
                nodes(json!({ "subnet_ids": ["subnet-0123456789abcdef0"] })),
                plain(),
            ),
            case(
                "subnets of two VPCs",
                json!({ "vpc_id": ground.vpc, "subnet_ids": [a, ground.foreign] }),
                plain(),
            ),
            case(
                "another VPC than the subnets'",
                json!({ "vpc_id": "vpc-0123456789abcdef0" }),
                json!([plain(), { "vpc_id": ground.vpc }]),
            ),
            case(
                "subnets in one zone",
                json!({ "subnet_ids": [b, ground.beside] }),
                json!({ "subnet_ids": [a, b, ground.beside] }),
            ),
            case(
                "an add-on that EKS does not have",
                json!({ "addons": { "core-dns": {} } }),
                json!({ "addons": { "core-dns": { "enabled": false } } }),
            ),
            case(
                "an add-on's version for another minor",
                pinned("coredns", "v1.11.4-eksbuild.28"),
                json!([plain(), pinned("coredns", "v1.13.1-eksbuild.1")]),
            ),
            case(
                "an add-on's configuration that is no JSON",
                json!({ "addons": { "coredns": { "configuration": "replicaCount: 2" } } }),
                configured("coredns", json!({ "replicaCount": 2 })),
            ),
            case(
                "an unknown key in an add-on's configuration",
                configured("coredns", json!({ "replicas": 2 })),
                configured("coredns", json!({ "replicaCount": 2 })),
            ),
            case(
                "a taint that keeps coredns away",
                configured("coredns", json!({ "tolerations": [] })),
                json!([
                    configured("coredns", json!({ "tolerations": [{ "key": "CriticalAddonsOnly", "operator": "Exists" }] })),
                    configured("coredns", json!({})),
                    { "addons": configured("coredns", json!({ "tolerations": [] }))["addons"], "system_nodes": { "only_system_pods": false } },
                ]),
            ),
            case(
                "a retention that CloudWatch does not have",
                json!({ "logging": { "retention_days": 31 } }),
                json!({ "logging": { "retention_days": 30 } }),
            ),
        ];
        // What is looked at after what these have wrong is not said.
        let is_alone = |case: &Case| {
            ["kubernetes_version", "subnet_ids", "vpc_id"]
                .iter()
                .any(|name| case.wrong.get(name).is_some())
                || case.what == "a node subnet that there is not"
        };
        let rounds = together(cases, is_alone);
        let mut text = refused(workspace, account, &base, rounds, &Resource::new("ekb_cluster"));
        // What is said without being refused.
        for (what, arguments) in [
            (
                "a version in extended support",
                json!({ "kubernetes_version": "1.33" }),
            ),
            ("a single node", nodes(json!({ "min": 1 }))),
            (
                "nodes in one zone",
                nodes(json!({ "subnet_ids": [b, ground.beside] })),
            ),
            (
                "a taint that keeps another add-on away",
                configured("metrics-server", json!({ "tolerations": [] })),
            ),
        ] {
            write(workspace, &patched(&base, &arguments));
            let run = workspace.plan_only(&["-refresh=false"]);
            assert_eq!(run.code, 2, "{what}: {run}");
            text.push_str(&format!("## {what}\n{}\n\n", messages(workspace, &run)));
        }
        insta::assert_snapshot!(format!("refusals_{}", workspace.cli().name), text);
        assert_eq!(account.mutations().len(), 0, "nothing was made");
    });
}

/// What cannot be changed of a cluster that is there.
#[test]
fn changes_that_cannot_be_are_refused() {
    Workspace::in_turn(0, |workspace, account| {
        let ground = ground(account);
        let open = json!({ "public_cidrs": ["0.0.0.0/0"] });
        let bare = json!({ "coredns": { "configuration": json!({ "tolerations": [] }).to_string() } });
        let base = json!({
            "kubernetes_version": "1.34", "subnet_ids": ground.subnets, "endpoint_access": open, "default_storage_class": false,
            "deletion_protection": true, "addons": bare, "system_nodes": { "only_system_pods": false },
        });
        let session = Session::new(account);
        let mut resource = Resource::new("ekb_cluster");
        session.apply(&mut resource, &base).unwrap();
        workspace.take_over(ADDRESS, &resource);
        let a = &ground.subnets[0];
        let own = resource.get("encryption_key_arn").clone();
        let own = json!(own.as_str().unwrap_or_default());
        let finding = json!([{ "name": "Deprecated APIs removed in Kubernetes v1.35", "insightStatus": { "status": "ERROR", "reason":
            "flowcontrol v1beta3 is still called" }, "recommendation": "Move to v1." }]);
        account.insights("test", &finding, false);
        let other_role = format!("arn:aws:iam::{}:role/other", account.id());
        let other_key = format!(
            "arn:aws:kms:eu-central-1:{}:key/0a1b2c3d-0000-4000-8000-000000000000",
            account.id()
        );
        let cases = vec![
            case(
                "two versions back",
                json!({ "kubernetes_version": "1.32" }),
                json!({}),
            ),
            case(
                "a version back",
                json!({ "kubernetes_version": "1.33" }),
                json!({}),
            ),
            case(
                "a version that EKS's insights stand against",
                json!({ "kubernetes_version": "1.35" }),
                json!({ "kubernetes_version": "1.35", "force_insights": true }),
            ),
            case(
                "a control plane in other zones",
                json!({ "subnet_ids": [a, ground.third] }),
                json!([{ "subnet_ids": [a, ground.beside] }, { "system_nodes": { "only_system_pods": false, "subnet_ids": [ground.third] } }]),
            ),
            case(
                "a VPC that is not the subnets'",
                json!({ "vpc_id": "vpc-0123456789abcdef0" }),
                json!([{}, { "vpc_id": ground.vpc }]),
            ),
            case(
                "no encryption any more",
                json!({ "encryption": { "enabled": false } }),
                json!({}),
            ),
            case(
                "another key",
                json!({ "encryption": { "kms_key_arn": other_key } }),
                json!({}),
            ),
            case(
                "its own key, named",
                json!({ "encryption": { "kms_key_arn": own } }),
                json!({}),
            ),
            case(
                "another range of Services",
                json!({ "service_cidr": "10.100.0.0/16" }),
                json!({ "service_cidr": "172.20.0.0/16" }),
            ),
            case(
                "another role of the cluster",
                json!({ "cluster_role_arn": other_role }),
                json!({}),
            ),
            case(
                "a taint that keeps coredns away, as it is configured",
                json!({ "system_nodes": { "only_system_pods": true } }),
                json!([{ "system_nodes": {}, "addons": {} }, {}]),
            ),
            case(
                "other instance types that are not offered",
                json!({ "system_nodes": { "only_system_pods": false, "instance_types": ["g5g.xlarge"] } }),
                json!({ "system_nodes": { "only_system_pods": false, "instance_types": ["g5g.xlarge", "t4g.large"] } }),
            ),
        ];
        let rounds = together(cases, |_| true);
        let mut text = refused(workspace, account, &base, rounds, &resource);
        write(workspace, &base);
        let protected = workspace.plan_only(&["-destroy"]);
        assert_eq!(protected.code, 1, "{protected}");
        text.push_str(&format!("## protected\n{}\n\n", messages(workspace, &protected)));
        insta::assert_snapshot!(format!("refused_changes_{}", workspace.cli().name), text);
        session
            .apply(&mut resource, &with(&base, "deletion_protection", false))
            .unwrap();
        session.destroy(&mut resource).unwrap();
    });
}

/// What could not be known at plan is refused before anything of the cluster is made.
#[test]
fn what_is_known_late_is_refused_before_anything_is_made() {
    Workspace::in_turn(1, |workspace, account| {
        let text = crate::cluster("default_storage_class = false");
        let one_zone = text.replace("zone_count = 2", "zone_count = 1");
        workspace.write("main.tf", &one_zone);
        workspace.plan().ok().assert_changes();
        workspace.apply().failed().says("EKB2233");
        let calls = account.mutations().into_iter();
        let others: Vec<String> = calls
            .filter(|call| call.service != "ec2")
            .map(|call| call.operation)
            .collect();
        assert_eq!(others, [""; 0]);
        workspace.write("main.tf", &text);
        workspace.plan().ok().assert_changes();
        workspace.destroy().ok();
        account.assert_empty();
    });
}
