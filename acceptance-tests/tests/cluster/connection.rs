//! The way to the cluster's API.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use acceptance_tests::{Kubernetes, Stopwatch, Workspace};
use serde_json::{Value, json};

use crate::{ADDRESS, cluster};

/// Leads to this port of the loopback whoever comes; gives its own port. It ends with the test's process.
fn tunnel(to: String) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        let mut bytes = [0; 16384];
        while let Ok(n @ 1..) = from.read(&mut bytes) {
            if to.write_all(&bytes[..n]).is_err() {
                break;
            }
        }
        let _over = to.shutdown(Shutdown::Write);
    };
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let far = TcpStream::connect(&to).expect("the cluster's API");
            let back = (
                far.try_clone().expect("a handle"),
                near.try_clone().expect("a handle"),
            );
            std::thread::spawn(move || copy(near, far));
            std::thread::spawn(move || copy(back.0, back.1));
        }
    });
    port
}

/// The DaemonSet of vpc-cni, made by EKS and edited by somebody.
fn changed_by_hand(kubernetes: &Kubernetes) {
    let path = "/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node";
    let labels = json!({"k8s-app": "aws-node"});
    let node = |env: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "aws-node", "namespace": "kube-system"},
            "spec": {"selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "aws-node", "image": "aws-node", "env": env}]},
            }},
        })
    };
    let env = |value: &str| json!([{"name": "ENABLE_PREFIX_DELEGATION", "value": value}]);
    let made = kubernetes.request(
        "PATCH",
        &format!("{path}?fieldManager=eks"),
        Some(&node(env("false"))),
    );
    made.unwrap_or_else(|error| panic!("{error}"));
    let edit = format!("{path}?fieldManager=kubectl-edit&force=true");
    let edited = kubernetes.request("PATCH", &edit, Some(&node(env("true"))));
    edited.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn an_api_out_of_reach_loses_nothing() {
    Workspace::with_clusters(Some(1), |workspace, account| {
        account.set_time_scale(40.0);
        // It takes connections and says nothing, as the addresses of a VPC do from outside.
        let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let silent = silent.local_addr().expect("an address").port();
        let straight = workspace.read("provider.tf").expect("a provider block");
        let through = |port: u16| {
            let block = format!(
                "provider \"ekb\" {{\n  kubernetes {{\n    cluster = \"test\"\n    host = \"https://127.0.0.1:{port}\"\n  }}\n"
            );
            workspace.write(
                "provider.tf",
                &straight.replacen("provider \"ekb\" {\n", &block, 1),
            );
        };
        workspace.write("main.tf", &cluster(""));
        through(silent);
        let run = workspace.apply().failed().says("EKB1130");
        let said = run.output().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains("the cluster test exists, its API is unreachable from here"),
            "{said}"
        );
        assert!(said.contains("block `kubernetes` of the provider"), "{said}");
        let before = workspace.resource(ADDRESS).expect("the cluster is in the state");
        assert_eq!(before["status"], "incomplete");

        // The next apply, by a tunnel, only makes what is missing.
        account.clear_log();
        let api = account
            .cluster("test")
            .url()
            .trim_start_matches("https://")
            .to_owned();
        through(tunnel(api));
        workspace.apply().ok();
        let calls: Vec<String> = account
            .mutations()
            .into_iter()
            .map(|call| call.operation)
            .collect();
        let is_of_making = |call: &String| {
            ["Create", "Delete", "Terminate"]
                .iter()
                .any(|verb| call.starts_with(verb))
        };
        assert!(!calls.iter().any(is_of_making), "{calls:?}");
        let class = "/apis/storage.k8s.io/v1/storageclasses/gp3";
        assert!(account.cluster("test").get(class).is_some());
        workspace.plan().ok().assert_empty();

        // What others changed of an add-on is named before an update meets it (aws/amazon-vpc-cni-k8s#2607).
        changed_by_hand(&account.cluster("test"));
        let prefixes =
            "addons = { vpc-cni = { configuration = jsonencode({ env = { WARM_IP_TARGET = \"2\" } }) } }";
        workspace.write("main.tf", &cluster(prefixes));
        let said = workspace.plan().ok().run.says("EKB2287").output();
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for what in [
            "env[name=ENABLE_PREFIX_DELEGATION].value belongs to kubectl-edit",
            "set `env.ENABLE_PREFIX_DELEGATION`",
        ] {
            assert!(said.contains(what), "{said}");
        }
        workspace.write("main.tf", &cluster(""));

        // Out of reach again: what is known stays, and is soon told.
        through(silent);
        let watch = Stopwatch::start();
        let plan = workspace.plan_only(&[]).says("EKB1130");
        assert!(watch.elapsed() < Duration::from_secs(60), "{:?}", watch.elapsed());
        assert_eq!(plan.code, 0, "{plan}");
        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}
