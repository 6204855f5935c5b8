//! The whole platform in one apply from nothing, with the real controllers, and its end while everything is in use.

use std::time::Duration;

use acceptance_tests::{Account, Kubernetes, Workspace, charts, until};
use serde_json::{Value, json};

use super::PATIENT;

/// Network, cluster, controllers and node classes: nowhere a `depends_on`.
fn platform() -> String {
    let classes = ["general", "compute", "memory", "database", "gpu"].map(|class| {
        format!(
            "resource \"ekb_node_class\" \"{class}\" {{\n  cluster            = ekb_karpenter.main.cluster\n  \
             node_role          = ekb_karpenter.main.node_role_name\n  kubernetes_version = ekb_cluster.main.kubernetes_version\n  \
             class              = \"{class}\"\n{PATIENT}}}\n"
        )
    });
    let controller = |resource: &str, chart: &str, more: &str| {
        format!(
            "resource \"{resource}\" \"main\" {{\n  cluster            = ekb_cluster.main.name\n  \
             kubernetes_version = ekb_cluster.main.kubernetes_version\n  chart              = \"{}\"\n{more}{PATIENT}}}\n",
            charts::folder(chart).display()
        )
    };
    format!(
        r#"resource "ekb_network" "main" {{
  cidr         = "10.20.0.0/16"
  zone_count   = 2
  nat_gateways = "single"
}}

resource "ekb_cluster" "main" {{
  kubernetes_version = "1.35"
  vpc_id             = ekb_network.main.vpc_id
  subnet_ids         = ekb_network.main.private_subnet_ids
  endpoint_access    = {{ public_cidrs = ["0.0.0.0/0"] }}
  # A release of its own in place of the add-on, of which the emulator has no pods.
  addons = {{ metrics-server = {{ enabled = false }} }}
}}

resource "ekb_release" "metrics_server" {{
  name               = "metrics-server"
  namespace          = "kube-system"
  cluster            = ekb_cluster.main.name
  kubernetes_version = ekb_cluster.main.kubernetes_version
  chart              = "{}"
  values             = {{ tolerations = [{{ key = "CriticalAddonsOnly", operator = "Exists" }}] }}
{PATIENT}}}

{}{}{}{}"#,
        charts::folder("metrics-server").display(),
        controller(
            "ekb_load_balancer_controller",
            "aws-load-balancer-controller",
            "  vpc_id = ekb_network.main.vpc_id\n"
        ),
        controller("ekb_keda", "keda", "")
            .replace("ekb_cluster.main.name", "ekb_release.metrics_server.cluster"),
        controller("ekb_karpenter", "karpenter", ""),
        classes.concat()
    )
}

/// A Deployment that wants a node of the general class.
fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "labels": {"app": "shop"}},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}, "annotations": {"ekb.test/cpu": "900m", "ekb.test/memory": "64Mi"}},
                "spec": {
                    "nodeSelector": {"karpenter.sh/nodepool": "general"},
                    "containers": [{"name": "shop", "image": "shop", "resources": {"requests": {"cpu": "500m", "memory": "128Mi"}}}],
                },
            },
        },
    })
}

fn running(api: &Kubernetes) -> i64 {
    let live = api
        .get("/apis/apps/v1/namespaces/default/deployments/shop")
        .unwrap();
    live["status"]["readyReplicas"].as_i64().unwrap_or_default()
}

#[test]
fn the_whole_platform_comes_in_one_apply_and_goes_while_it_is_in_use() {
    Workspace::with_clusters(Some(1), |workspace, account: &Account| {
        account.run_controllers(&["keda", "karpenter", "load-balancer-controller", "metrics-server"]);
        workspace.write("main.tf", &platform());
        let plan = workspace.plan().ok();
        for (address, unknown) in [
            (
                "ekb_load_balancer_controller.main",
                "Deployment.apps/kube-system/aws-load-balancer-controller",
            ),
            ("ekb_keda.main", ""),
            ("ekb_karpenter.main", ""),
        ] {
            let change = plan.change(address);
            let known = change.after["objects"].as_object().unwrap().len();
            assert!(known > 8, "{address}: {known}");
            // Only what follows from the VPC's id is not known.
            let is_unknown = &change.after_unknown["objects"][unknown];
            assert_eq!(
                is_unknown,
                &if unknown.is_empty() {
                    Value::Null
                } else {
                    true.into()
                }
            );
        }
        // What controllers do takes its own time.
        account.set_time_scale(20.0);
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();

        // A pod without a node: Karpenter launches an instance, and the pod runs there.
        let api = account.cluster("test");
        let post = |path: &str, object: &Value| drop(api.request("POST", path, Some(object)).unwrap());
        post("/apis/apps/v1/namespaces/default/deployments", &deployment());
        until("the pod runs", Duration::from_secs(120), || running(&api) == 1);
        // Load: KEDA's HPA makes what the numbers say.
        post(
            "/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects",
            &json!({
                "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "shop"},
                "spec": {
                    "scaleTargetRef": {"name": "shop"}, "minReplicaCount": 1, "maxReplicaCount": 3,
                    "triggers": [{"type": "cpu", "metricType": "Utilization", "metadata": {"value": "60"}}],
                },
            }),
        );
        until("three pods run", Duration::from_secs(180), || running(&api) == 3);
        // A load balancer.
        post(
            "/api/v1/namespaces/default/services",
            &json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop", "annotations": {
                    "service.beta.kubernetes.io/aws-load-balancer-type": "external",
                    "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "ip",
                }},
                "spec": {"type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb", "selector": {"app": "shop"}, "ports": [{"port": 80}]},
            }),
        );
        until("the load balancer", Duration::from_secs(120), || {
            account
                .objects()
                .iter()
                .any(|object| object.kind == "load_balancer")
        });
        workspace.plan().ok().assert_empty();

        // What others made and only a controller can finish is named, and nothing of that controller goes.
        let said = workspace.destroy().failed();
        said.says("EKB1142")
            .says("ScaledObject default/shop")
            .says("Service default/shop");
        api.delete("/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects/shop");
        api.delete("/api/v1/namespaces/default/services/shop");
        workspace.destroy().ok();
        account.assert_empty();
    });
}
