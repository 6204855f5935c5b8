//! The rig itself: charts of the platform's controllers, as helm and the provider get them.
#![allow(missing_docs, clippy::expect_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

use acceptance_tests::{charts, tool};

const CHARTS: [(&str, &str); 7] = [
    ("aws-ebs-csi-driver", ""),
    ("aws-load-balancer-controller", ""),
    ("cert-manager", "crds.enabled=true"),
    ("karpenter", "settings.clusterName=main"),
    ("karpenter-crd", ""),
    ("keda", ""),
    ("metrics-server", ""),
];

fn helm(home: &Path, arguments: &[&str]) -> String {
    let authority = home.join("authority.crt");
    std::fs::write(&authority, charts::served().authority()).expect("the folder is writable");
    let output = Command::new(tool("helm"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("SSL_CERT_FILE", authority)
        .output()
        .expect("helm runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "helm {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_chart_comes_from_a_folder_an_archive_a_repository_and_a_registry() {
    let home = tempfile::tempdir().expect("a folder");
    let served = charts::served();
    for (name, set) in CHARTS {
        let rendered = |arguments: &[&str]| {
            let mut all = vec![
                "template",
                "it",
                "--namespace=system",
                "--include-crds",
                "--no-hooks",
            ];
            all.extend(arguments);
            if name == "aws-load-balancer-controller" {
                all.extend([
                    "--set=clusterName=main",
                    "--api-versions=none",
                    "--show-only=templates/deployment.yaml",
                ]);
            } else if !set.is_empty() {
                all.extend(["--set", set]);
            }
            helm(home.path(), &all)
        };
        let folder = charts::folder(name);
        let from_folder = rendered(&[&folder.display().to_string()]);
        assert!(from_folder.contains("kind: "), "{name}: {from_folder}");
        let archive = charts::archive(name);
        assert_eq!(
            rendered(&[&archive.display().to_string()]),
            from_folder,
            "{name}, archive"
        );
        let repository = format!("--repo={}", served.repository());
        assert_eq!(rendered(&[name, &repository]), from_folder, "{name}, repository");
        let registry = format!("{}/{name}", served.registry());
        let version = format!("--version={}", charts::version(name));
        assert_eq!(rendered(&[&registry, &version]), from_folder, "{name}, registry");
        assert!(charts::digest(name).starts_with("sha256:"));
    }
    // An earlier version.
    let repository = format!("--repo={}", served.repository());
    let constraint = ["template", "it", "keda", &repository, "--version=~2.20"];
    let folder = charts::earlier("keda").display().to_string();
    let from_folder = helm(home.path(), &["template", "it", &folder]);
    assert_eq!(helm(home.path(), &constraint), from_folder);
    assert!(!from_folder.contains("initialCooldownPeriod") && from_folder.contains("kedacore/keda:2.20.0"));
}

#[test]
fn the_chart_of_keda_has_the_form_of_the_public_one() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = charts::folder("keda").display().to_string();
    let rendered = helm(
        home.path(),
        &[
            "template",
            "keda",
            &folder,
            "--namespace=system",
            "--set=operator.replicaCount=2,crds.install=false",
            "--set-json=tolerations=[{\"key\":\"CriticalAddonsOnly\",\"operator\":\"Exists\"}]",
        ],
    );
    for name in [
        "keda-operator",
        "keda-operator-metrics-apiserver",
        "keda-admission-webhooks",
        "v1beta1.external.metrics.k8s.io",
    ] {
        assert!(
            rendered.contains(&format!("name: {name}\n")),
            "{name}: {rendered}"
        );
    }
    assert!(!rendered.contains("kind: CustomResourceDefinition"));
    assert!(rendered.contains("replicas: 2\n"), "{rendered}");
    assert_eq!(rendered.matches("CriticalAddonsOnly").count(), 3, "{rendered}");
    assert!(
        !rendered.contains("namespace: keda\n"),
        "all is in the release's namespace"
    );
    assert!(rendered.contains(&format!("kedacore/keda:{}", charts::version("keda"))));
}
