//! The rig itself: a real control plane behind each emulated EKS cluster.
#![allow(missing_docs, clippy::expect_used, reason = "tests")]

mod support;

use std::path::Path;
use std::time::Duration;

use acceptance_tests::{Account, Keys, Kubernetes, Rig, Stopwatch, until};
use async_trait::async_trait;
use kubernetes::{Access, Clusters, Endpoint, Manifest, Token};
use reconcile::clock::Clock;
use reconcile::engine::Engine;
use reconcile::failure::Failure;
use reconcile::graph::{Graph, Handle};
use reconcile::ownership::Purpose;
use reconcile::part::{Owner, Target};
use reconcile::report::{Allowed, Known, Outcome};
use serde_json::{Value, json};
use support::{children, listening, text};

const MINUTE: Duration = Duration::from_secs(60);
const VIEW: &str = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy";
const ADMIN: &str = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";

struct Cluster {
    account: Account,
    subnets: Vec<String>,
}

impl Cluster {
    /// Asked for, not ACTIVE yet.
    fn begin(name: &str) -> Self {
        let account = Rig::shared_with_clusters().account();
        let subnets = account.subnets();
        let cluster = json!({"name": name, "version": "1.34", "roleArn": format!("arn:aws:iam::{}:role/eks", account.id()),
            "resourcesVpcConfig": {"subnetIds": subnets}, "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": false}});
        account.eks("CreateCluster", &cluster);
        Self { account, subnets }
    }

    fn status(&self, name: &str) -> String {
        text(&self.account.eks("DescribeCluster", &json!({"name": name}))["cluster"]["status"])
    }

    fn make(name: &str) -> Self {
        let cluster = Self::begin(name);
        until("the cluster", 5 * MINUTE, || cluster.status(name) == "ACTIVE");
        cluster
    }

    fn nodegroup(&self, cluster: &str, extra: &Value) {
        let mut params = json!({"clusterName": cluster, "nodegroupName": "system", "subnets": self.subnets,
            "nodeRole": format!("arn:aws:iam::{}:role/node", self.account.id()),
            "scalingConfig": {"minSize": 1, "maxSize": 4, "desiredSize": 2}, "instanceTypes": ["m7g.large"],
            "amiType": "AL2023_ARM_64_STANDARD"});
        params
            .as_object_mut()
            .expect("an object")
            .extend(extra.as_object().expect("an object").clone());
        self.account.eks("CreateNodegroup", &params);
        self.wait_for_nodegroup(cluster);
    }

    fn wait_for_nodegroup(&self, cluster: &str) {
        let params = json!({"clusterName": cluster, "nodegroupName": "system"});
        until("the node group", 2 * MINUTE, || {
            self.account.eks("DescribeNodegroup", &params)["nodegroup"]["status"] == "ACTIVE"
        });
    }

    /// Updates the node group's version; gives the update once it is over.
    fn update(&self, cluster: &str, version: &str, force: bool) -> Value {
        let params = json!({"clusterName": cluster, "nodegroupName": "system", "version": version, "force": force,
            "releaseVersion": format!("{version}.0-20261120")});
        let id = text(&self.account.eks("UpdateNodegroupVersion", &params)["update"]["id"]);
        let params = json!({"name": cluster, "nodegroupName": "system", "updateId": id});
        let mut update = Value::Null;
        until("the update", 3 * MINUTE, || {
            update = self.account.eks("DescribeUpdate", &params)["update"].clone();
            update["status"] != "InProgress"
        });
        update
    }
}

fn nodes(api: &Kubernetes) -> Vec<Value> {
    api.list("/api/v1/nodes")
}

fn is_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    conditions
        .iter()
        .any(|one| one["type"] == "Ready" && one["status"] == "True")
}

fn versions(api: &Kubernetes) -> Vec<String> {
    nodes(api)
        .iter()
        .map(|node| text(&node["status"]["nodeInfo"]["kubeletVersion"]))
        .collect()
}

fn is_running(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

fn status_of(api: &Kubernetes, method: &str, path: &str, body: Option<&Value>) -> u16 {
    api.request(method, path, body)
        .map_or_else(|error| error.code, |_| 200)
}

#[test]
fn each_cluster_has_a_control_plane_of_its_own() {
    let watch = Stopwatch::start();
    let (one, two) = (Cluster::begin("one"), Cluster::begin("two"));
    // A jump of AWS's time does not help: what is ACTIVE answers.
    one.account.advance(600.0);
    two.account.advance(600.0);
    until("the clusters", 5 * MINUTE, || {
        one.status("one") == "ACTIVE" && two.status("two") == "ACTIVE"
    });
    eprintln!("two clusters are ACTIVE after {:?}", watch.elapsed());
    let described = one.account.eks("DescribeCluster", &json!({"name": "one"}));
    let api = one.account.cluster("one");
    assert_eq!(described["cluster"]["endpoint"], api.url());
    assert!(api.url().starts_with("https://127.0.0.1:"));
    let ca = text(&described["cluster"]["certificateAuthority"]["data"]);
    assert!(ca.len() > 100);
    assert_ne!(api.ca(), two.account.cluster("two").ca());
    // The controllers are at work.
    api.request(
        "POST",
        "/api/v1/namespaces",
        Some(&json!({"metadata": {"name": "here"}})),
    )
    .expect("made");
    assert!(
        two.account
            .cluster("two")
            .get("/api/v1/namespaces/here")
            .is_none()
    );
    until("the service account of a new namespace", MINUTE, || {
        api.get("/api/v1/namespaces/here/serviceaccounts/default")
            .is_some()
    });

    // What nothing answers for any more would be in the way of all namespaces.
    let dead = "/apis/apiregistration.k8s.io/v1/apiservices";
    let service = json!({"metadata": {"name": "v1beta1.external.metrics.k8s.io"}, "spec": {"group": "external.metrics.k8s.io",
        "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": true,
        "service": {"name": "nobody", "namespace": "here"}}});
    api.request("POST", dead, Some(&service)).expect("made");

    // It is kept for the next cluster, as new.
    let (folder, pids) = one.account.cluster_processes("one");
    assert_eq!(pids.len(), 6, "{pids:?}");
    assert!(pids.values().all(|pid| is_running(*pid)) && folder.is_dir());
    for (program, supervisor) in &pids {
        let listening: Vec<String> = children(*supervisor)
            .iter()
            .flat_map(|pid| listening(*pid))
            .collect();
        assert!(
            listening.iter().all(|address| address.starts_with("0100007F:")),
            "{program} {listening:?}"
        );
    }
    one.account.eks("DeleteCluster", &json!({"name": "one"}));
    one.account.advance(200.0);
    until("the end of who checks tokens", MINUTE, || {
        !is_running(pids["aws-iam-authenticator"])
    });
    let watch = Stopwatch::start();
    let api = loop {
        let next = Cluster::make("next");
        eprintln!("another cluster is ACTIVE after {:?}", watch.elapsed());
        if next.account.cluster_processes("next").0 == folder {
            break next.account.cluster("next");
        }
        assert!(watch.elapsed() < 2 * MINUTE, "it is not used again");
    };
    let namespaces = api.list("/api/v1/namespaces");
    assert_eq!(namespaces.len(), 4, "{namespaces:?}");
    let dead = format!("{dead}/v1beta1.external.metrics.k8s.io");
    assert!(api.get(&dead).is_none());
    assert!(
        two.account
            .cluster("two")
            .get("/api/v1/namespaces/default")
            .is_some(),
        "the other one goes on"
    );
    two.account.forget();
}

#[test]
fn nothing_is_left_of_clusters_when_the_emulator_ends() {
    let rig = Rig::start_with_clusters();
    let account = rig.account();
    let cluster = json!({"name": "one", "roleArn": "arn:aws:iam::123456789012:role/eks",
        "resourcesVpcConfig": {"subnetIds": account.subnets()}});
    account.eks("CreateCluster", &cluster);
    until("the cluster", 5 * MINUTE, || {
        account.eks("DescribeCluster", &json!({"name": "one"}))["cluster"]["status"] == "ACTIVE"
    });
    // Who made it is an administrator, where that is not forbidden.
    let api = account.cluster("one");
    let own = api.with_token(&account.cluster_token("one", &account.keys()));
    until("the creator's rights", MINUTE, || {
        status_of(&own, "GET", "/api/v1/nodes", None) == 200
    });
    let (folder, pids) = account.cluster_processes("one");
    drop(rig);
    until("the end of all programs", MINUTE, || {
        !pids.values().any(|pid| is_running(*pid)) && !folder.exists()
    });
}

#[test]
fn who_has_an_access_entry_comes_in_and_may_do_what_its_policies_allow() {
    let cluster = Cluster::make("main");
    let account = &cluster.account;
    let admin = account.cluster("main");
    let user = |name: &str| -> (String, Keys) {
        let iam = |operation: &str| {
            account
                .call("iam", "us-east-1", operation, &json!({"UserName": name}))
                .expect("made")
        };
        let arn = text(&iam("CreateUser")["User"]["Arn"]);
        let keys = serde_json::from_value(iam("CreateAccessKey")["AccessKey"].clone()).expect("keys");
        (arn, keys)
    };
    let entry = |arn: &str, policy: &str, scope: &Value| {
        account.eks(
            "CreateAccessEntry",
            &json!({"clusterName": "main", "principalArn": arn}),
        );
        // EKS does not find a new entry at once.
        account.advance(5.0);
        let params =
            json!({"clusterName": "main", "principalArn": arn, "policyArn": policy, "accessScope": scope});
        account.eks("AssociateAccessPolicy", &params);
    };
    let (viewer, viewers_keys) = user("viewer");
    let (_, strangers_keys) = user("stranger");
    let everywhere = json!({"type": "cluster"});

    // The rig's own identity, by default nobody, as an administrator.
    let own = admin.with_token(&account.cluster_token("main", &account.keys()));
    assert_eq!(status_of(&own, "GET", "/api/v1/nodes", None), 401);
    entry(
        &format!("arn:aws:iam::{}:user/rig", account.id()),
        ADMIN,
        &everywhere,
    );
    until("an entry in force", MINUTE, || {
        status_of(&own, "GET", "/api/v1/nodes", None) == 200
    });
    let config_map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "thing"}});
    let config_maps = "/api/v1/namespaces/default/configmaps";
    own.request("POST", config_maps, Some(&config_map))
        .expect("an administrator writes");

    // A viewer reads, but no Secrets and no nodes, and writes nothing.
    entry(
        &viewer,
        VIEW,
        &json!({"type": "namespace", "namespaces": ["def*"]}),
    );
    let view = admin.with_token(&account.cluster_token("main", &viewers_keys));
    until("an entry in force", MINUTE, || {
        status_of(&view, "GET", config_maps, None) == 200
    });
    assert_eq!(status_of(&view, "POST", config_maps, Some(&config_map)), 403);
    assert_eq!(
        status_of(&view, "GET", "/api/v1/namespaces/default/secrets", None),
        403
    );
    assert_eq!(
        status_of(&view, "GET", "/api/v1/namespaces/kube-system/configmaps", None),
        403
    );

    // Who has no entry, a wrong key, or a token for another cluster stays outside.
    let stranger = admin.with_token(&account.cluster_token("main", &strangers_keys));
    assert_eq!(status_of(&stranger, "GET", config_maps, None), 401);
    let forged = Keys {
        secret_access_key: "not the key".to_owned(),
        ..viewers_keys.clone()
    };
    let forged = admin.with_token(&account.cluster_token("main", &forged));
    assert_eq!(status_of(&forged, "GET", config_maps, None), 401);
    let other = admin.with_token(&account.cluster_token("other", &viewers_keys));
    assert_eq!(status_of(&other, "GET", config_maps, None), 401);

    // A role's session; a role made anew under the same name is another.
    let role =
        |operation: &str, params: &Value| account.call("iam", "us-east-1", operation, params).expect("done");
    let new_role = json!({"RoleName": "deploy", "Path": "/ci/", "AssumeRolePolicyDocument": "{}"});
    let arn = text(&role("CreateRole", &new_role)["Role"]["Arn"]);
    entry(&arn, ADMIN, &everywhere);
    let session = || {
        let params = json!({"RoleArn": arn, "RoleSessionName": "run-7"});
        let made = account
            .call("sts", Account::REGION, "AssumeRole", &params)
            .expect("assumed");
        let keys: Keys = serde_json::from_value(made["Credentials"].clone()).expect("keys");
        admin.with_token(&account.cluster_token("main", &keys))
    };
    let first = session();
    until("an entry in force", MINUTE, || {
        status_of(&first, "GET", "/api/v1/nodes", None) == 200
    });
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let who = first
        .request(
            "POST",
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            Some(&review),
        )
        .expect("said");
    assert_eq!(
        who["status"]["userInfo"]["username"],
        format!("arn:aws:sts::{}:assumed-role/deploy/run-7", account.id())
    );
    role("DeleteRole", &json!({"RoleName": "deploy"}));
    role("CreateRole", &new_role);
    assert_eq!(status_of(&session(), "GET", "/api/v1/nodes", None), 401);

    // Without its entry the viewer is nobody again.
    account.eks(
        "DeleteAccessEntry",
        &json!({"clusterName": "main", "principalArn": viewer}),
    );
    until("an entry revoked", MINUTE, || {
        status_of(&view, "GET", config_maps, None) == 401
    });
    cluster.account.forget();
}

#[test]
fn node_groups_have_nodes_and_a_disruption_budget_blocks_their_update() {
    let cluster = Cluster::make("main");
    let account = &cluster.account;
    let api = account.cluster("main");
    cluster.nodegroup(
        "main",
        &json!({"labels": {"role": "system"},
            "taints": [{"key": "CriticalAddonsOnly", "value": "true", "effect": "NO_SCHEDULE"}]}),
    );
    let there = nodes(&api);
    assert_eq!(there.len(), 2);
    assert!(there.iter().all(is_ready), "{there:?}");
    let mut zones = Vec::new();
    for node in &there {
        let labels = &node["metadata"]["labels"];
        assert_eq!(labels["eks.amazonaws.com/nodegroup"], "system");
        assert_eq!(labels["kubernetes.io/arch"], "arm64");
        assert_eq!(labels["node.kubernetes.io/instance-type"], "m7g.large");
        assert_eq!(labels["role"], "system");
        zones.push(text(&labels["topology.kubernetes.io/zone"]));
        let taints = node["spec"]["taints"].as_array().expect("taints");
        assert!(taints.iter().any(|taint| taint["key"] == "CriticalAddonsOnly"));
        let instance = text(&node["spec"]["providerID"]);
        let instance = instance.rsplit('/').next().expect("an id");
        let found = account.ec2("DescribeInstances", &json!({"InstanceIds": [instance]}));
        assert_eq!(
            found["Reservations"][0]["Instances"][0]["State"]["Name"],
            "running"
        );
    }
    zones.sort();
    assert_eq!(zones, ["eu-central-1a", "eu-central-1b"]);
    assert!(versions(&api).iter().all(|version| version.starts_with("v1.34.")));

    // Two pods that must both be there always.
    let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "a"}],
        "tolerations": [{"operator": "Exists"}]}});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "a"}}, "template": template}});
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    api.request("POST", deployments, Some(&deployment)).expect("made");
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "a"},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "a"}}}});
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    api.request("POST", budgets, Some(&budget)).expect("made");
    until("the deployment", MINUTE, || {
        api.get(&format!("{deployments}/a"))
            .is_some_and(|it| it["status"]["readyReplicas"] == 2)
    });

    let version = json!({"name": "main", "version": "1.35"});
    account.eks("UpdateClusterVersion", &version);
    until("the cluster's update", MINUTE, || {
        cluster.status("main") == "ACTIVE"
    });
    let update = cluster.update("main", "1.35", false);
    assert_eq!(update["status"], "Failed", "{update}");
    assert_eq!(update["errors"][0]["errorCode"], "PodEvictionFailure");
    cluster.wait_for_nodegroup("main");
    let group = json!({"clusterName": "main", "nodegroupName": "system"});
    let group = account.eks("DescribeNodegroup", &group)["nodegroup"].take();
    assert_eq!(group["version"], "1.34");
    until("the surplus node's end", MINUTE, || nodes(&api).len() == 2);

    // One may be missing for a while: now they move, one after the other.
    let one = json!({"spec": {"minAvailable": 1}});
    api.merge(&format!("{budgets}/a"), &one).expect("changed");
    let update = cluster.update("main", "1.35", false);
    assert_eq!(update["status"], "Successful", "{update}");
    let now = versions(&api);
    assert_eq!(now.len(), 2);
    assert!(now.iter().all(|version| version.starts_with("v1.35.")), "{now:?}");
    cluster.wait_for_nodegroup("main");

    // Size and labels follow.
    let config = json!({"clusterName": "main", "nodegroupName": "system", "labels": {"addOrUpdateLabels": {"role": "other"}},
        "scalingConfig": {"minSize": 1, "maxSize": 4, "desiredSize": 3}});
    account.eks("UpdateNodegroupConfig", &config);
    until("a third node", MINUTE, || {
        let there = nodes(&api);
        there.len() == 3
            && there
                .iter()
                .all(|node| is_ready(node) && node["metadata"]["labels"]["role"] == "other")
    });
    cluster.wait_for_nodegroup("main");

    let group = json!({"clusterName": "main", "nodegroupName": "system"});
    account.eks("DeleteNodegroup", &group);
    account.advance(200.0);
    until("the nodes' end", MINUTE, || nodes(&api).is_empty());
    let left = account.objects();
    assert!(!left.iter().any(|object| object.kind == "instance"), "{left:?}");

    // A cluster whose API is gone: EKS goes on, and deletes what it knows of.
    cluster.nodegroup("main", &json!({}));
    account.break_cluster("main");
    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| api.get("/version")));
    assert!(answer.is_err(), "{answer:?}");
    account.eks("DeleteNodegroup", &group);
    account.advance(200.0);
    let kinds = || {
        let mut kinds: Vec<_> = account.counts().into_keys().collect();
        kinds.retain(|kind| ["instance", "nodegroup", "cluster"].contains(&kind.as_str()));
        kinds
    };
    until("the node group's end", MINUTE, || kinds() == ["cluster"]);
    account.eks("DeleteCluster", &json!({"name": "main"}));
    account.advance(200.0);
    until("the cluster's end", MINUTE, || kinds().is_empty());
    cluster.account.forget();
}

/// The way into a control plane of the rig.
struct Way(Kubernetes);

#[async_trait]
impl Access for Way {
    async fn endpoint(&self, _cluster: &str) -> Result<Endpoint, Failure> {
        Ok(Endpoint {
            url: self.0.url().to_owned(),
            certificate_authority: self.0.ca().to_owned(),
        })
    }

    async fn token(&self, _cluster: &str) -> Result<Token, Failure> {
        Ok(Token {
            text: self.0.token().to_owned().into(),
            valid_for: Duration::from_secs(900),
        })
    }
}

/// Objects of a chart where controllers are at work: waited for, said why not ready, and gone with their namespace.
#[tokio::test(flavor = "multi_thread")]
async fn objects_are_ready_when_their_controllers_say_so_and_a_namespace_goes_with_them() {
    let (cluster, api) = tokio::task::spawn_blocking(|| {
        let cluster = Cluster::make("charts");
        cluster.nodegroup("charts", &json!({}));
        let api = cluster.account.cluster("charts");
        (cluster, api)
    })
    .await
    .expect("a cluster");
    let owner = Owner {
        environment: "dev".into(),
        region: "eu-central-1".into(),
        resource: "release/web".into(),
    };
    let clusters = Clusters::new(Way(api.clone()));
    let mut engine = Engine::new(owner, kubernetes::any_kind(&clusters, "cluster"));
    // Under load the controllers take their time.
    engine.clock = Clock::scaled(4.0);
    engine.timeout = Duration::from_secs(1200);
    let chart = |replicas: u32, quota: &str| {
        let mut graph = Graph::new();
        let mut add = |object: Value, after: Option<&Handle>| {
            let manifest = Manifest::new(Target::Id("charts".to_owned()), object).manager("helm");
            let manifest = match after {
                Some(after) => manifest.after(after.ready()),
                None => manifest,
            };
            graph.part(manifest.key(), manifest)
        };
        let namespace = add(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}),
            None,
        );
        let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "all", "namespace": "web"},
            "spec": {"hard": {"pods": quota}}});
        let quota = add(quota, Some(&namespace));
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "a"}],
            "tolerations": [{"operator": "Exists"}]}});
        let selector = json!({"matchLabels": {"app": "web"}});
        add(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "web"},
            "spec": {"replicas": replicas, "selector": selector, "template": template}}),
            Some(&quota),
        );
        add(
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
            Some(&namespace),
        );
        graph
    };
    let said = |outcome: &Outcome| {
        let all = outcome.errors.iter().map(ToString::to_string);
        all.collect::<Vec<_>>().join("\n")
    };
    let (first, second) = (chart(2, "10"), chart(6, "3"));
    let create = Purpose::Create {
        incarnation: "one".into(),
    };
    let update = Purpose::Update {
        incarnation: Some("one".into()),
    };
    let stages = std::slice::from_ref(&first);
    let outcome = engine
        .reconcile(stages, &Known::default(), &Allowed::All, &create)
        .await;
    assert!(outcome.is_done(), "{}", said(&outcome));
    assert_eq!(outcome.report.objects, first.objects());
    let path = "/apis/apps/v1/namespaces/web/deployments/web";
    assert_eq!(
        api.get(path).expect("it is there")["status"]["availableReplicas"],
        2
    );
    let known = outcome.report.known().of(&first);
    let stages = std::slice::from_ref(&second);
    let outcome = engine.reconcile(stages, &known, &Allowed::All, &update).await;
    let why = said(&outcome);
    assert!(why.contains("EKB1139") && why.contains("exceeded quota"), "{why}");
    let known = outcome.report.known().of(&second);
    let outcome = engine.destroy(Some(&second), &known, Some("one")).await;
    assert!(
        outcome.is_done() && outcome.report.is_empty(),
        "{}",
        said(&outcome)
    );
    assert!(api.get("/api/v1/namespaces/web").is_none());
    cluster.account.forget();
}
