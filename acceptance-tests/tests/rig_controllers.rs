//! The rig itself: the real controllers in a cluster, started by their charts, and what they do in the emulated AWS.
#![allow(missing_docs, clippy::expect_used, reason = "tests")]

mod support;

use std::time::Duration;

use acceptance_tests::{Account, Kubernetes, Rig, Stopwatch, charts, until};
use serde_json::{Value, json};
use support::{children, listening, text};

const MINUTE: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(120);

/// A cluster `main` with two nodes.
struct Cluster {
    account: Account,
    api: Kubernetes,
    vpc: String,
    subnets: Vec<String>,
}

impl Cluster {
    fn make() -> Self {
        let account = Rig::shared_with_clusters().account();
        let subnets = account.subnets();
        let described = account.ec2("DescribeSubnets", &json!({"SubnetIds": subnets}));
        let vpc = text(&described["Subnets"][0]["VpcId"]);
        let arn = |name: &str| format!("arn:aws:iam::{}:role/{name}", account.id());
        account.eks(
            "CreateCluster",
            &json!({"name": "main", "version": "1.35", "roleArn": arn("eks"), "resourcesVpcConfig": {"subnetIds": subnets}}),
        );
        until("the cluster", 5 * MINUTE, || {
            account.eks("DescribeCluster", &json!({"name": "main"}))["cluster"]["status"] == "ACTIVE"
        });
        account.eks(
            "CreateNodegroup",
            &json!({"clusterName": "main", "nodegroupName": "system", "subnets": subnets, "nodeRole": arn("node"),
                "scalingConfig": {"minSize": 2, "maxSize": 2, "desiredSize": 2}, "instanceTypes": ["m7g.large"],
                "amiType": "AL2023_ARM_64_STANDARD"}),
        );
        let group = json!({"clusterName": "main", "nodegroupName": "system"});
        until("the node group", LIMIT, || {
            account.eks("DescribeNodegroup", &group)["nodegroup"]["status"] == "ACTIVE"
        });
        // From now on time is the controllers'.
        account.set_time_scale(1.0);
        let api = account.cluster("main");
        Self {
            account,
            api,
            vpc,
            subnets,
        }
    }

    fn iam(&self, operation: &str, params: &Value) -> Value {
        self.account
            .call("iam", "us-east-1", operation, params)
            .unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    /// A role that the pods of a service account have.
    fn role(&self, name: &str, namespace: &str, service_account: &str) {
        let role = self.iam(
            "CreateRole",
            &json!({"RoleName": name, "AssumeRolePolicyDocument": "{}"}),
        );
        self.account.eks(
            "CreatePodIdentityAssociation",
            &json!({"clusterName": "main", "namespace": namespace, "serviceAccount": service_account,
                "roleArn": role["Role"]["Arn"]}),
        );
    }

    fn tag(&self, ids: &[&str], key: &str, value: &str) {
        self.account.ec2(
            "CreateTags",
            &json!({"Resources": ids, "Tags": [{"Key": key, "Value": value}]}),
        );
    }

    fn install(&self, namespace: &str, chart: &str, values: &[&str]) {
        let folder = charts::folder(chart).display().to_string();
        let mut arguments = vec!["install", chart, &folder, "--create-namespace", "--wait"];
        arguments.extend(values);
        let _installed = self.api.helm(namespace, &arguments).ok();
    }

    fn make_object(&self, path: &str, object: &Value) {
        if let Err(error) = self.api.request("POST", path, Some(object)) {
            panic!("{path}: {error:?}\n{}", self.logs());
        }
    }

    /// Waits, and says in the end what the controllers said.
    fn wait(&self, what: &str, mut yes: impl FnMut() -> bool) {
        let watch = Stopwatch::start();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| until(what, LIMIT, &mut yes)));
        assert!(done.is_ok(), "no {what}\n{}", self.logs());
        eprintln!("{what}: {:.1} s", watch.elapsed().as_secs_f32());
    }

    fn logs(&self) -> String {
        let programs = self.account.controllers("main");
        programs
            .iter()
            .map(|one| {
                let log = one
                    .log
                    .get(one.log.len().saturating_sub(6000)..)
                    .unwrap_or_default();
                format!("== {} (running: {})\n{log}\n", one.program, one.running)
            })
            .collect()
    }

    fn running(&self) -> Vec<String> {
        let programs = self.account.controllers("main");
        let mut names: Vec<_> = programs
            .into_iter()
            .filter(|one| one.running)
            .map(|one| {
                let open: Vec<_> = children(one.pid).iter().flat_map(|pid| listening(*pid)).collect();
                assert!(
                    open.iter().all(|address| address.starts_with("0100007F:")),
                    "{} {open:?}",
                    one.program
                );
                one.program
            })
            .collect();
        names.sort();
        names
    }

    fn kinds(&self, kind: &str) -> usize {
        self.account.counts().get(kind).copied().unwrap_or_default()
    }
}

fn is_true(object: Option<&Value>, condition: &str) -> bool {
    let conditions = object.and_then(|object| object["status"]["conditions"].as_array());
    conditions.is_some_and(|all| {
        all.iter()
            .any(|one| one["type"] == condition && one["status"] == "True")
    })
}

fn deployment(name: &str, replicas: u32, pod: &Value) -> Value {
    let mut template = json!({"metadata": {"labels": {"app": name}}, "spec": {
        "containers": [{"name": "main", "image": "web", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}]}});
    for part in ["metadata", "spec"] {
        let more = pod[part].as_object().cloned().unwrap_or_default();
        template[part].as_object_mut().expect("an object").extend(more);
    }
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}})
}

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

#[test]
fn the_load_balancer_controller_makes_load_balancers_and_holds_them_while_it_is_broken() {
    let cluster = Cluster::make();
    let (account, api) = (&cluster.account, &cluster.api);
    let subnets: Vec<&str> = cluster.subnets.iter().map(String::as_str).collect();
    cluster.tag(&subnets, "kubernetes.io/role/elb", "1");
    cluster.role("controller", "kube-system", "aws-load-balancer-controller");
    account.run_controllers(&["load-balancer-controller"]);
    let vpc = format!("vpcId={}", cluster.vpc);
    let region = format!("region={}", Account::REGION);
    let values = [
        "--set",
        "clusterName=main,createIngressClassResource=false",
        "--set",
        &vpc,
        "--set",
        &region,
    ];
    cluster.install("kube-system", "aws-load-balancer-controller", &values);
    cluster.wait("running program", || {
        cluster.running() == ["aws-load-balancer-controller"]
    });

    cluster.make_object(
        "/apis/networking.k8s.io/v1/ingressclasses",
        &json!({"metadata": {"name": "alb"}, "spec": {"controller": "ingress.k8s.aws/alb"}}),
    );
    cluster.make_object(
        "/api/v1/namespaces/default/services",
        &json!({"metadata": {"name": "web"}, "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]}}),
    );
    // Its webhook is asked through the Service, with the certificate of the chart.
    let ingresses = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
    let ingress = json!({"metadata": {"name": "web", "annotations": {"alb.ingress.kubernetes.io/scheme": "internet-facing"}},
        "spec": {"ingressClassName": "alb", "rules": [{"http": {"paths": [{"path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}});
    let mut wrong = ingress.clone();
    wrong["spec"]["ingressClassName"] = json!("nowhere");
    let mut said = String::new();
    cluster.wait("answer of the webhook", || {
        said = api
            .request("POST", &format!("{ingresses}?dryRun=All"), Some(&wrong))
            .expect_err("there is no such class")
            .message;
        !said.contains("failed calling webhook")
    });
    assert!(said.contains("invalid ingress class"), "{said}");

    cluster.make_object(ingresses, &ingress);
    let path = format!("{ingresses}/web");
    cluster.wait("load balancer", || {
        api.get(&path)
            .is_some_and(|it| it["status"]["loadBalancer"]["ingress"][0]["hostname"].is_string())
    });
    assert_eq!(
        (cluster.kinds("load_balancer"), cluster.kinds("target_group")),
        (1, 1)
    );

    // Broken: what it alone can finish waits, though its pods are said to be ready.
    account.run_controllers(&[]);
    cluster.wait("end of the program", || cluster.running().is_empty());
    assert!(api.delete(&path));
    acceptance_tests::pause(Duration::from_secs(2));
    assert!(
        api.get(&path)
            .is_some_and(|it| it["metadata"]["deletionTimestamp"].is_string())
    );
    // Without its role it can do nothing either.
    cluster.iam("DeleteRole", &json!({"RoleName": "controller"}));
    account.run_controllers(&["load-balancer-controller"]);
    cluster.wait("running program", || cluster.running().len() == 1);
    acceptance_tests::pause(Duration::from_secs(2));
    assert!(api.get(&path).is_some() && cluster.kinds("load_balancer") == 1);
    cluster.iam(
        "CreateRole",
        &json!({"RoleName": "controller", "AssumeRolePolicyDocument": "{}"}),
    );
    cluster.wait("end of the ingress", || api.get(&path).is_none());
    assert_eq!(
        (cluster.kinds("load_balancer"), cluster.kinds("target_group")),
        (0, 0)
    );
    account.assert_understood();
    // The program ends with its pods.
    let _removed = api
        .helm("kube-system", &["uninstall", "aws-load-balancer-controller"])
        .ok();
    cluster.wait("end of the program", || cluster.running().is_empty());
    cluster.account.forget();
}

#[test]
fn keda_scales_by_what_pods_are_said_to_use() {
    let cluster = Cluster::make();
    let (account, api) = (&cluster.account, &cluster.api);
    account.run_controllers(&["keda", "metrics-server"]);
    cluster.install("kube-system", "metrics-server", &[]);
    cluster.install("keda", "keda", &[]);
    for service in ["v1beta1.metrics.k8s.io", "v1beta1.external.metrics.k8s.io"] {
        let path = format!("/apis/apiregistration.k8s.io/v1/apiservices/{service}");
        cluster.wait(service, || is_true(api.get(&path).as_ref(), "Available"));
    }
    assert_eq!(
        cluster.running(),
        [
            "keda-adapter",
            "keda-admission-webhooks",
            "keda-operator",
            "metrics-server"
        ]
    );

    let used = json!({"metadata": {"annotations": {"ekb.test/cpu": "20m"}}});
    cluster.make_object(DEPLOYMENTS, &deployment("web", 1, &used));
    let scaled = json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"name": "web"}, "minReplicaCount": 2, "maxReplicaCount": 4,
            "triggers": [{"type": "cpu", "metricType": "Utilization", "metadata": {"value": "70"}}]}});
    let objects = "/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects";
    cluster.make_object(objects, &scaled);
    let replicas = || {
        api.get(&format!("{DEPLOYMENTS}/web"))
            .map(|it| it["spec"]["replicas"].clone())
    };
    cluster.wait("ScaledObject", || {
        is_true(api.get(&format!("{objects}/web")).as_ref(), "Ready") && replicas() == Some(json!(2))
    });
    // Its webhook answers: a workload has one ScaledObject.
    let mut second = scaled.clone();
    second["metadata"]["name"] = json!("again");
    let refused = api
        .request("POST", objects, Some(&second))
        .expect_err("the workload is scaled by another");
    assert!(
        refused.message.contains("vscaledobject.kb.io"),
        "{}",
        refused.message
    );
    // 90 of 100 millicores are more than 70 %.
    let used = json!({"spec": {"template": {"metadata": {"annotations": {"ekb.test/cpu": "90m"}}}}});
    api.merge(&format!("{DEPLOYMENTS}/web"), &used).expect("changed");
    cluster.wait("four replicas", || replicas() == Some(json!(4)));

    assert!(api.delete(&format!("{objects}/web")));
    cluster.wait("end of the ScaledObject", || {
        api.get(&format!("{objects}/web")).is_none()
    });
    let _removed = api.helm("keda", &["uninstall", "keda"]).ok();
    cluster.wait("end of the programs", || cluster.running() == ["metrics-server"]);
    cluster.account.forget();
}

#[test]
fn karpenter_launches_instances_that_become_nodes_and_drains_one_that_is_interrupted() {
    let cluster = Cluster::make();
    let (account, api) = (&cluster.account, &cluster.api);
    let mut tagged: Vec<&str> = cluster.subnets.iter().map(String::as_str).collect();
    let described = account.eks("DescribeCluster", &json!({"name": "main"}));
    let group = text(&described["cluster"]["resourcesVpcConfig"]["clusterSecurityGroupId"]);
    tagged.push(&group);
    cluster.tag(&tagged, "karpenter.sh/discovery", "main");
    cluster.role("karpenter", "kube-system", "karpenter");
    cluster.iam(
        "CreateRole",
        &json!({"RoleName": "node", "AssumeRolePolicyDocument": "{}"}),
    );
    let call = |service: &str, operation: &str, params: &Value| {
        account
            .call(service, Account::REGION, operation, params)
            .unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    };
    let queue = call("sqs", "CreateQueue", &json!({"QueueName": "main"}));
    let arn = format!("arn:aws:sqs:{}:{}:main", Account::REGION, account.id());
    let spot = "EC2 Spot Instance Interruption Warning";
    let pattern = json!({"source": ["aws.ec2"], "detail-type": [spot]}).to_string();
    call(
        "events",
        "PutRule",
        &json!({"Name": "spot", "EventPattern": pattern}),
    );
    let targets = json!([{"Id": "queue", "Arn": arn}]);
    call(
        "events",
        "PutTargets",
        &json!({"Rule": "spot", "Targets": targets}),
    );
    account.run_controllers(&["karpenter"]);
    cluster.install("kube-system", "karpenter-crd", &[]);
    let values = [
        "--set",
        "settings.clusterName=main,settings.interruptionQueue=main",
    ];
    cluster.install("kube-system", "karpenter", &values);

    let terms = json!([{"tags": {"karpenter.sh/discovery": "main"}}]);
    cluster.make_object(
        "/apis/karpenter.k8s.aws/v1/ec2nodeclasses",
        &json!({"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass", "metadata": {"name": "general"},
            "spec": {"role": "node", "amiSelectorTerms": [{"alias": "al2023@v20261120"}],
                "subnetSelectorTerms": terms, "securityGroupSelectorTerms": terms}}),
    );
    let requirement = |key: &str, values: &Value| json!({"key": key, "operator": "In", "values": values});
    cluster.make_object(
        "/apis/karpenter.sh/v1/nodepools",
        &json!({"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "general"},
            "spec": {"template": {"spec": {
                "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "general"},
                "requirements": [requirement("karpenter.sh/capacity-type", &json!(["spot"])),
                    requirement("kubernetes.io/arch", &json!(["arm64"])),
                    requirement("node.kubernetes.io/instance-type", &json!(["m7g.large", "c7g.large"]))]}}}}),
    );
    cluster.wait("NodePool", || {
        is_true(
            api.get("/apis/karpenter.sh/v1/nodepools/general").as_ref(),
            "Ready",
        )
    });
    let pool = json!({"spec": {"nodeSelector": {"karpenter.sh/nodepool": "general"}}});
    cluster.make_object(DEPLOYMENTS, &deployment("web", 1, &pool));
    let running = || {
        let pods = api.list("/api/v1/namespaces/default/pods");
        pods.into_iter()
            .find(|pod| pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null())
    };
    cluster.wait("pod on a node of Karpenter's", || running().is_some());
    let node_of = |pod: &Value| {
        api.get(&format!("/api/v1/nodes/{}", text(&pod["spec"]["nodeName"])))
            .expect("its node")
    };
    let node = node_of(&running().expect("it runs"));
    let labels = &node["metadata"]["labels"];
    assert_eq!(labels["karpenter.sh/capacity-type"], "spot");
    assert_eq!(labels["karpenter.sh/registered"], "true", "{labels}");
    let instance = text(&node["spec"]["providerID"]);
    let instance = instance.rsplit('/').next().expect("an id").to_owned();
    let state = || {
        let found = account.ec2("DescribeInstances", &json!({"InstanceIds": [instance]}));
        text(&found["Reservations"][0]["Instances"][0]["State"]["Name"])
    };
    assert_eq!(state(), "running");
    let found = account.ec2("DescribeInstances", &json!({"InstanceIds": [instance]}));
    let groups = &found["Reservations"][0]["Instances"][0]["SecurityGroups"];
    assert_eq!(groups[0]["GroupId"], group, "{groups}");

    // Two minutes before AWS takes it back; the queue's policy must let EventBridge in.
    let detail = json!({"instance-id": instance, "instance-action": "terminate"});
    assert_eq!(account.event("aws.ec2", spot, &detail), 0);
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn,
        "Principal": {"Service": ["events.amazonaws.com", "sqs.amazonaws.com"]}}]});
    let attributes = json!({"QueueUrl": queue["QueueUrl"], "Attributes": {"Policy": policy.to_string()}});
    call("sqs", "SetQueueAttributes", &attributes);
    assert_eq!(account.event("aws.ec2", spot, &detail), 1);
    let name = node["metadata"]["name"].clone();
    cluster.wait("pod on another node", || {
        running().is_some_and(|pod| pod["spec"]["nodeName"] != name)
    });
    cluster.wait("end of the instance", || state() == "terminated");
    cluster.wait("end of the node", || {
        api.get(&format!("/api/v1/nodes/{}", text(&name))).is_none()
    });

    // Without its classes nothing is left of what it made.
    assert!(api.delete(&format!("{DEPLOYMENTS}/web")));
    for path in [
        "/apis/karpenter.sh/v1/nodepools/general",
        "/apis/karpenter.k8s.aws/v1/ec2nodeclasses/general",
    ] {
        assert!(api.delete(path));
        cluster.wait(path, || api.get(path).is_none());
    }
    let left = account.counts();
    assert_eq!(
        left.get("instance"),
        Some(&2),
        "those of the node group: {left:?}"
    );
    assert_eq!(
        (left.get("launch_template"), left.get("instance_profile")),
        (None, None)
    );
    account.assert_understood();
    cluster.account.forget();
}
