//! The rig itself: a Kubernetes API on loopback.
#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use acceptance_tests::{ControlPlane, until};
use serde_json::{Value, json};
use support::{children, listening};

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "value"}})
}

fn is_running(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

#[test]
fn it_is_kubernetes_and_it_listens_on_loopback_only() {
    let plane = ControlPlane::shared();
    eprintln!("ready after {:?}", plane.took());
    let version = plane.request("GET", "/version", None).expect("a version");
    assert_eq!(version["gitVersion"], "v1.37.2");
    assert_eq!(
        (&version["major"], &version["minor"]),
        (&json!("1"), &json!("37"))
    );
    assert!(plane.url().starts_with("https://127.0.0.1:"));
    let mut programs = Vec::new();
    for supervisor in plane.pids() {
        programs.extend(children(supervisor));
    }
    assert_eq!(programs.len(), 2, "etcd and kube-apiserver");
    let listening: Vec<String> = programs.iter().flat_map(|pid| listening(*pid)).collect();
    assert!(listening.len() >= 2, "{listening:?}");
    assert!(
        listening.iter().all(|address| address.starts_with("0100007F:")),
        "{listening:?}"
    );
}

#[test]
fn each_test_has_a_namespace_of_its_own() {
    let plane = ControlPlane::shared();
    let (one, two) = (plane.namespace(), plane.namespace());
    assert_ne!(one.name(), two.name());
    one.create("configmaps", &config_map("thing")).expect("made");
    assert_eq!(
        one.get("configmaps", "thing").expect("there")["data"]["key"],
        "value"
    );
    assert!(two.get("configmaps", "thing").is_none());
    assert!(two.list("configmaps").is_empty());

    let twice = one
        .create("configmaps", &config_map("thing"))
        .expect_err("refused");
    assert_eq!((twice.code, twice.reason.as_str()), (409, "AlreadyExists"));

    let mut changed = one.list("configmaps").remove(0);
    changed["data"]["key"] = json!("other");
    one.replace("configmaps", "thing", &changed).expect("replaced");
    assert_eq!(
        one.get("configmaps", "thing").expect("there")["data"]["key"],
        "other"
    );
    one.delete("configmaps", "thing").expect("deleted");
    assert!(one.list("configmaps").is_empty());
}

#[test]
fn objects_are_validated_and_defaulted() {
    let namespace = ControlPlane::shared().namespace();
    let pod =
        json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}});
    let mut deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": pod},
    });
    let made = namespace
        .create("apps/v1/deployments", &deployment)
        .expect("made");
    assert_eq!(made["spec"]["replicas"], 1, "defaulted");
    deployment["metadata"]["name"] = json!("b");
    deployment["spec"]["selector"]["matchLabels"]["app"] = json!("b");
    let refused = namespace
        .create("apps/v1/deployments", &deployment)
        .expect_err("the selector does not fit");
    assert_eq!(refused.code, 422);
    assert!(refused.message.contains("`selector` does not match"), "{refused}");
}

#[test]
fn several_run_at_once_and_nothing_is_left_of_them() {
    let (one, two) = (ControlPlane::start(), ControlPlane::start());
    assert_ne!(one.url(), two.url());
    let namespace = one.namespace();
    namespace
        .create("configmaps", &config_map("thing"))
        .expect("made");
    let there = two.namespace();
    assert_eq!(namespace.name(), there.name(), "each counts for itself");
    assert!(there.list("configmaps").is_empty());

    let pids = one.pids();
    let folders = one.folders().map(Path::to_path_buf);
    assert!(pids.iter().all(|pid| is_running(*pid)) && folders.iter().all(|folder| folder.is_dir()));
    drop(one);
    assert!(!pids.iter().any(|pid| is_running(*pid)));
    assert!(!folders.iter().any(|folder| folder.exists()));
    assert!(there.list("configmaps").is_empty(), "the other one goes on");
}

#[test]
fn it_ends_also_when_the_test_process_is_killed() {
    const MARK: &str = "EKB_WAITS_TO_BE_KILLED";
    if std::env::var_os(MARK).is_some() {
        return say_what_there_is_and_wait(&ControlPlane::start());
    }
    let mut parent = Command::new(std::env::current_exe().expect("a test knows its own path"))
        .args([
            "--exact",
            "--nocapture",
            "it_ends_also_when_the_test_process_is_killed",
        ])
        .env(MARK, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let (mut pids, mut folders) = (Vec::new(), Vec::new());
    for line in BufReader::new(parent.stdout.take().expect("piped")).lines() {
        let line = line.expect("a line");
        match line.split_once(' ') {
            Some(("pid", pid)) => pids.push(pid.parse::<u32>().expect("a process id")),
            Some(("folder", folder)) => folders.push(PathBuf::from(folder)),
            _ if line == "ready" => break,
            _ => {}
        }
    }
    assert_eq!((pids.len(), folders.len()), (4, 2));
    assert!(pids.iter().all(|pid| is_running(*pid)) && folders.iter().all(|folder| folder.is_dir()));
    parent.kill().expect("SIGKILL");
    parent.wait().expect("ended");
    until("the end of all that it started", Duration::from_secs(10), || {
        !pids.iter().any(|pid| is_running(*pid)) && !folders.iter().any(|folder| folder.exists())
    });
}

fn say_what_there_is_and_wait(plane: &ControlPlane) {
    for supervisor in plane.pids() {
        println!("\npid {supervisor}");
        for program in children(supervisor) {
            println!("pid {program}");
        }
    }
    for folder in plane.folders() {
        println!("folder {}", folder.display());
    }
    println!("ready");
    acceptance_tests::pause(Duration::from_secs(60));
}
