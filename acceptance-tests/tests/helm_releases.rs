//! Release records on a real API server: what `helm::release` writes, helm v4.3.1 lists, shows, rolls back and uninstalls;
//! what helm writes, `helm::release` reads.
#![allow(missing_docs, clippy::expect_used, reason = "tests")]

use std::path::{Path, PathBuf};

use acceptance_tests::{ControlPlane, Namespace};
use helm::release::{Record, Status, stored_chart, stored_hook, stored_manifest};
use helm::{Chart, Release, Rendered, Renderer};
use serde_json::{Value, json};

/// A chart with all that a record keeps: subcharts (one off, one under an alias that exports values), hooks of every kind, a
/// schema, files, notes.
fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts/greeter")
}

fn first_values() -> Value {
    json!({"greeting": "Hi"})
}

fn second_values() -> Value {
    json!({"greeting": "Hey", "extra": "more & <more>", "politeness": {"farewell": "Bye"}, "words": ["one"], "count": null})
}

fn render(namespace: &str, name: &str, revision: i64, values: &Value) -> Rendered {
    let chart = Chart::load(chart()).expect("the chart");
    let mut release = Release::new(name, namespace);
    (release.revision, release.is_upgrade) = (revision, revision > 1);
    Renderer::new(&chart, release).render(values).expect("it renders")
}

/// What we record of a revision.
fn record(namespace: &str, name: &str, revision: i64, status: Status, values: &Value) -> Record {
    let rendered = render(namespace, name, revision, values);
    Record {
        name: name.into(),
        namespace: namespace.into(),
        revision,
        status,
        description: format!("Revision {revision} complete"),
        first_deployed: "2026-01-02T03:04:05.678901234Z".into(),
        last_deployed: format!("2026-01-0{}T03:04:05.678901234Z", revision + 1),
        config: values.clone(),
        chart: stored_chart(&rendered.chart),
        manifest: stored_manifest(&rendered.documents),
        hooks: rendered.documents.all_hooks.iter().map(stored_hook).collect(),
        notes: rendered.notes.unwrap_or_default(),
        apply_method: "ssa".into(),
        labels: [("team".to_owned(), "platform".to_owned())].into(),
        other: serde_json::Map::new(),
    }
}

/// Applies the objects of a revision as helm does: under its name as field manager, with its marks of ownership.
fn apply(namespace: &Namespace<'_>, manager: &str, record: &Record, values: &Value) {
    let rendered = render(&record.namespace, &record.name, record.revision, values);
    for document in &rendered.documents.manifests {
        let mut object = document.json().expect("a document");
        let metadata = &mut object["metadata"];
        metadata["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
        metadata["annotations"]["meta.helm.sh/release-name"] = json!(record.name);
        metadata["annotations"]["meta.helm.sh/release-namespace"] = json!(record.namespace);
        namespace
            .apply("configmaps", manager, &object)
            .unwrap_or_else(|error| panic!("{object}: {error}"));
    }
}

/// A release `demo` of two revisions, written by us: records and objects.
fn written_by_us(namespace: &Namespace<'_>, manager: &str) -> [Record; 2] {
    written_as(namespace, manager, "ssa")
}

/// The same, with what the records say of how the objects were applied.
fn written_as(namespace: &Namespace<'_>, manager: &str, apply_method: &str) -> [Record; 2] {
    let records = [
        (1, Status::Superseded, first_values()),
        (2, Status::Deployed, second_values()),
    ]
    .map(|(revision, status, values)| {
        let mut record = record(namespace.name(), "demo", revision, status, &values);
        record.apply_method = apply_method.into();
        apply(namespace, manager, &record, &values);
        record
    });
    for record in &records {
        let secret = record.secret(1_767_323_045).expect("it fits");
        namespace
            .create("secrets", &secret)
            .expect("the API server takes it");
    }
    records
}

fn helm_json(namespace: &Namespace<'_>, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["-o", "json"]].concat();
    let run = namespace.helm(&arguments).ok();
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"))
}

fn stored(namespace: &Namespace<'_>, name: &str, revision: i64) -> Value {
    namespace
        .get("secrets", &format!("sh.helm.release.v1.{name}.v{revision}"))
        .unwrap_or_else(|| panic!("no record of {name} {revision}"))
}

/// A chart without the times of its files, which helm 4 records and we do not know: charts have no times for us.
fn without_times(chart: &Value) -> Value {
    let mut chart = chart.clone();
    for list in ["/templates", "/files"] {
        for file in chart
            .pointer_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            file.as_object_mut().expect("a file").remove("modtime");
        }
    }
    let fields = chart.as_object_mut().expect("a chart");
    fields.retain(|name, _| name != "modtime" && name != "schemamodtime");
    chart
}

/// Names and contents of the ConfigMaps that are there.
fn config_maps(namespace: &Namespace<'_>) -> Vec<(String, Value)> {
    let text = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    namespace
        .list("configmaps")
        .iter()
        .map(|object| (text(object), object["data"].clone()))
        .collect()
}

#[test]
fn helm_lists_and_shows_what_we_wrote() {
    let namespace = ControlPlane::shared().namespace();
    let [first, second] = written_by_us(&namespace, "helm");

    let listed = helm_json(&namespace, &["list"]);
    let expected = json!([{
        "name": "demo", "namespace": namespace.name(), "revision": "2", "status": "deployed",
        "updated": "2026-01-03 03:04:05.678901234 +0000 UTC", "chart": "greeter-1.2.3+build.7", "app_version": "2.10",
    }]);
    assert_eq!(listed, expected);
    let by_label = helm_json(&namespace, &["list", "--selector", "team=platform"]);
    assert_eq!(by_label, expected, "our labels are the release's");

    let history = helm_json(&namespace, &["history", "demo"]);
    let row = |revision: i64, day: &str, status: &str| {
        json!({
            "revision": revision, "updated": format!("2026-01-{day}T03:04:05.678901234Z"), "status": status,
            "chart": "greeter-1.2.3+build.7", "app_version": "2.10", "description": format!("Revision {revision} complete"),
        })
    };
    assert_eq!(
        history,
        json!([row(1, "02", "superseded"), row(2, "03", "deployed")])
    );

    for (revision, record, values) in [("1", &first, first_values()), ("2", &second, second_values())] {
        let get = |what: &str| {
            namespace
                .helm(&["get", what, "demo", "--revision", revision])
                .ok()
                .stdout
        };
        // helm ends what it prints with a line end of its own.
        assert_eq!(get("manifest"), format!("{}\n", record.manifest));
        assert_eq!(get("notes"), format!("NOTES:\n{}\n", record.notes));
        assert_eq!(get("hooks").matches("# Source: greeter/templates/").count(), 4);
        assert_eq!(
            helm_json(&namespace, &["get", "values", "demo", "--revision", revision]),
            values
        );
    }
    let all = helm_json(&namespace, &["get", "values", "demo", "--all"]);
    assert_eq!(all, {
        let mut merged = render(namespace.name(), "demo", 2, &second_values()).values;
        // Subcharts see the global values too; helm computes only what the record holds.
        merged["rude"].as_object_mut().expect("values").remove("global");
        merged
    });
    let metadata = helm_json(&namespace, &["get", "metadata", "demo"]);
    assert_eq!(metadata["chart"], "greeter");
    assert_eq!(metadata["applyMethod"], "ssa");
    assert_eq!(metadata["dependencies"][0]["alias"], "politeness");
    assert_eq!(metadata["labels"]["team"], "platform");

    let everything = namespace.helm(&["get", "all", "demo"]).ok().stdout;
    for part in [
        "CHART: greeter",
        "USER-SUPPLIED VALUES:",
        "COMPUTED VALUES:",
        "HOOKS:",
        "MANIFEST:",
        "Hey, world (revision 2)",
    ] {
        assert!(everything.contains(part), "no {part} in {everything}");
    }

    let status = helm_json(&namespace, &["status", "demo"]);
    assert_eq!(status["info"]["status"], "deployed");
    assert_eq!(status["version"], 2);
    let resources = status["info"]["resources"]["v1/ConfigMap"]
        .as_array()
        .expect("the live objects");
    assert_eq!(
        resources.len(),
        4,
        "helm finds all objects of our manifest: {status}"
    );
}

#[test]
fn helm_rolls_back_what_we_wrote() {
    let namespace = ControlPlane::shared().namespace();
    let [first, second] = written_by_us(&namespace, "helm");
    let before = config_maps(&namespace);
    assert!(
        before.iter().any(|(_, data)| data["text"] == "Hey, world"),
        "{before:?}"
    );

    for kind in ["client", "server"] {
        let dry_run = format!("--dry-run={kind}");
        let run = namespace.helm(&["rollback", "demo", "1", &dry_run]).ok();
        assert!(run.stdout.contains("Rollback was a success"), "{run}");
        assert_eq!(config_maps(&namespace), before, "{dry_run} changes nothing");
        assert_eq!(namespace.list("secrets").len(), 2, "{dry_run} records nothing");
    }

    let _done = namespace.helm(&["rollback", "demo", "1"]).ok();
    let after = config_maps(&namespace);
    let greeting = after
        .iter()
        .find(|(name, _)| name == "demo-greeting")
        .expect("there");
    assert_eq!(greeting.1["text"], "Hi, world");
    assert_eq!(greeting.1["count"], "3");
    assert!(
        !after.iter().any(|(name, _)| name == "demo-extra"),
        "only revision 2 had it: {after:?}"
    );
    assert!(
        after.iter().any(|(name, _)| name == "demo-back"),
        "the post-rollback hook of our record ran: {after:?}"
    );

    let third = Record::from_secret(&stored(&namespace, "demo", 3)).expect("a record");
    assert_eq!((third.revision, third.status), (3, Status::Deployed));
    assert_eq!(third.description, "Rollback to 1");
    assert_eq!(third.manifest, first.manifest);
    assert_eq!(without_times(&third.chart), first.chart);
    assert_eq!(third.config, first.config);
    assert_eq!(third.other["info"]["rollback_revision"], 1);
    let superseded = Record::from_secret(&stored(&namespace, "demo", 2)).expect("a record");
    assert_eq!(superseded.status, Status::Superseded);
    assert_eq!(superseded.manifest, second.manifest);
}

#[test]
fn helm_upgrades_and_uninstalls_what_we_wrote() {
    let namespace = ControlPlane::shared().namespace();
    let _records = written_by_us(&namespace, "helm");
    let chart = chart();
    let chart = chart.to_str().expect("a path of text");
    let _done = namespace
        .helm(&[
            "upgrade",
            "demo",
            chart,
            "--reuse-values",
            "--set",
            "global.who=all",
        ])
        .ok();
    let third = Record::from_secret(&stored(&namespace, "demo", 3)).expect("a record");
    let mut values = second_values();
    values["global"] = json!({"who": "all"});
    assert_eq!(third.config, values, "our values, reused");
    assert_eq!(
        third.labels,
        [("team".to_owned(), "platform".to_owned())].into(),
        "our labels, kept"
    );
    assert_eq!(third.first_deployed, "2026-01-02T03:04:05.678901234Z");

    let _done = namespace.helm(&["uninstall", "demo"]).ok();
    assert!(namespace.list("secrets").is_empty());
    let left: Vec<String> = config_maps(&namespace)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn helm_meets_the_fields_of_another_manager() {
    let namespace = ControlPlane::shared().namespace();
    let [first, _] = written_by_us(&namespace, "ekb");
    let before = config_maps(&namespace);
    let refused = namespace.helm(&["rollback", "demo", "1"]).failed();
    assert!(refused.stderr.contains("conflict with \"ekb\""), "{refused}");
    assert_eq!(config_maps(&namespace), before);
    let failed = Record::from_secret(&stored(&namespace, "demo", 3)).expect("a record");
    assert_eq!(failed.status, Status::Failed);

    let _done = namespace
        .helm(&["rollback", "demo", "1", "--force-conflicts"])
        .ok();
    let fourth = Record::from_secret(&stored(&namespace, "demo", 4)).expect("a record");
    assert_eq!(
        (fourth.status, fourth.manifest),
        (Status::Deployed, first.manifest)
    );
    assert_ne!(config_maps(&namespace), before);
}

/// Where the records say that the client applied, helm patches, and no manager is asked. Its fields are then helm's, so that
/// our next apply has to force.
#[test]
fn helm_rolls_back_on_the_client_what_another_manager_applied() {
    let namespace = ControlPlane::shared().namespace();
    let [first, second] = written_as(&namespace, "ekb", "csa");
    let before = config_maps(&namespace);
    let _done = namespace.helm(&["rollback", "demo", "1"]).ok();
    let third = Record::from_secret(&stored(&namespace, "demo", 3)).expect("a record");
    assert_eq!(
        (third.status, third.manifest, third.apply_method.as_str()),
        (Status::Deployed, first.manifest, "csa")
    );
    let after = config_maps(&namespace);
    assert_ne!(after, before);

    let rendered = render(namespace.name(), "demo", second.revision, &second_values());
    let refused = rendered.documents.manifests.iter().any(|document| {
        let object = document.json().expect("a document");
        match namespace.apply("configmaps", "ekb", &object) {
            Ok(_) => false,
            Err(error) => error.to_string().contains("conflict with \"helm\""),
        }
    });
    assert!(refused, "what helm changed is helm's");
}

#[test]
fn we_read_what_helm_wrote() {
    let namespace = ControlPlane::shared().namespace();
    let folder = tempfile::tempdir().expect("a folder");
    let chart = chart();
    let chart = chart.to_str().expect("a path of text");
    let values = |name: &str, values: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, values.to_string()).expect("written");
        path.into_os_string().into_string().expect("a path of text")
    };
    let (first, second) = (
        values("first", &first_values()),
        values("second", &second_values()),
    );
    let _done = namespace
        .helm(&[
            "install",
            "demo",
            chart,
            "-f",
            &first,
            "--labels",
            "team=platform",
        ])
        .ok();
    let _done = namespace.helm(&["upgrade", "demo", chart, "-f", &second]).ok();
    let revisions = [
        (1, Status::Superseded, first_values()),
        (2, Status::Deployed, second_values()),
    ];
    for (revision, status, values) in &revisions {
        let secret = stored(&namespace, "demo", *revision);
        let read = Record::from_secret(&secret).expect("a record");
        let ours = record(namespace.name(), "demo", *revision, *status, values);
        assert_eq!(
            (&read.name, &read.namespace, read.revision),
            (&ours.name, &ours.namespace, ours.revision)
        );
        assert_eq!(
            (read.status, &read.config, &read.notes),
            (ours.status, &ours.config, &ours.notes)
        );
        assert_eq!(read.manifest, ours.manifest);
        assert_eq!(without_times(&read.chart), ours.chart);
        assert_eq!(
            (&read.apply_method, &read.labels),
            (&ours.apply_method, &ours.labels)
        );
        assert_eq!(read.hooks.len(), ours.hooks.len());
        for (read, ours) in read.hooks.iter().zip(&ours.hooks) {
            assert_eq!(&as_before_it_ran(read, ours), ours);
        }
        assert_eq!(
            read.description,
            if *revision == 1 {
                "Install complete"
            } else {
                "Upgrade complete"
            }
        );
        assert!(read.first_deployed <= read.last_deployed && read.first_deployed.ends_with('Z'));

        let modified = secret["metadata"]["labels"]["modifiedAt"]
            .as_str()
            .expect("a time");
        let again = read.secret(modified.parse().expect("seconds")).expect("it fits");
        for field in [
            "/metadata/name",
            "/metadata/namespace",
            "/metadata/labels",
            "/type",
        ] {
            assert_eq!(again.pointer(field), secret.pointer(field), "{field}");
        }
    }
}

/// A hook without what helm notes when it runs it: when, how it went, and the policy that it then assumes.
fn as_before_it_ran(hook: &Value, ours: &Value) -> Value {
    let mut hook = hook.clone();
    hook["last_run"] = json!({"phase": ""});
    if ours["delete_policies"].is_null() && hook["delete_policies"] == json!(["before-hook-creation"]) {
        hook.as_object_mut().expect("a hook").remove("delete_policies");
    }
    hook
}

#[test]
fn what_we_read_and_write_back_is_the_same_to_helm() {
    let namespace = ControlPlane::shared().namespace();
    let chart = chart();
    let chart = chart.to_str().expect("a path of text");
    let _done = namespace
        .helm(&[
            "install",
            "demo",
            chart,
            "--description",
            "<first> & only",
            "--labels",
            "a=b",
        ])
        .ok();
    let _done = namespace
        .helm(&[
            "upgrade",
            "demo",
            chart,
            "--set",
            "ratio=0.25,large=12345678901234567890",
        ])
        .ok();
    let shown = || {
        let [one, two] = ["1", "2"].map(|revision| {
            namespace
                .helm(&["get", "all", "demo", "--revision", revision])
                .ok()
                .stdout
        });
        [
            one,
            two,
            namespace.helm(&["list", "-o", "json"]).ok().stdout,
            namespace.helm(&["history", "demo"]).ok().stdout,
        ]
    };
    let before = shown();
    for revision in [1, 2] {
        let mut secret = stored(&namespace, "demo", revision);
        let record = Record::from_secret(&secret).expect("a record");
        let text = |secret: &Value| {
            use base64::Engine;
            let decode = |text: &[u8]| {
                base64::engine::general_purpose::STANDARD
                    .decode(text)
                    .expect("base64")
            };
            let packed = decode(&decode(
                secret["data"]["release"].as_str().expect("a text").as_bytes(),
            ));
            let mut plain = String::new();
            std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut plain)
                .expect("gzip");
            serde_json::from_str::<Value>(&plain).expect("JSON")
        };
        let again = record.secret(1).expect("it fits");
        assert_eq!(text(&again), text(&secret), "nothing is lost, nothing is added");
        secret["data"] = again["data"].clone();
        let name = record.secret_name();
        namespace.replace("secrets", &name, &secret).expect("replaced");
    }
    assert_eq!(shown(), before);
    let _done = namespace.helm(&["rollback", "demo", "1"]).ok();
}

#[test]
fn every_state_is_helms_own_word() {
    let namespace = ControlPlane::shared().namespace();
    let states = [
        Status::Deployed,
        Status::Superseded,
        Status::Failed,
        Status::PendingInstall,
        Status::PendingUpgrade,
        Status::PendingRollback,
        Status::Uninstalling,
        Status::Uninstalled,
        Status::Unknown,
    ];
    for status in states {
        let record = record(namespace.name(), status.name(), 1, status, &first_values());
        let secret = record.secret(1).expect("it fits");
        namespace
            .create("secrets", &secret)
            .expect("the API server takes it");
        assert_eq!(
            helm_json(&namespace, &["status", status.name()])["info"]["status"],
            status.name()
        );
        let read = Record::from_secret(&stored(&namespace, status.name(), 1)).expect("a record");
        assert_eq!(read.status, status);
    }
    let filters = [
        ("--deployed", vec!["deployed"]),
        ("--failed", vec!["failed"]),
        (
            "--pending",
            vec!["pending-install", "pending-rollback", "pending-upgrade"],
        ),
        ("--superseded", vec!["superseded"]),
        ("--uninstalled", vec!["uninstalled"]),
        ("--uninstalling", vec!["uninstalling"]),
    ];
    for (filter, expected) in filters {
        let listed = helm_json(&namespace, &["list", filter]);
        let names: Vec<&str> = listed
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|release| release["name"].as_str())
            .collect();
        assert_eq!(names, expected, "{filter}");
    }
}

#[test]
fn karpenters_charts_are_recorded_as_helm_records_them() {
    let namespace = ControlPlane::shared().namespace();
    let folder = acceptance_tests::tool("karpenter-charts").join("github.com/aws/karpenter-provider-aws");
    for (name, values) in [
        ("karpenter-crd", json!({})),
        ("karpenter", json!({"settings": {"clusterName": "main"}})),
    ] {
        let path = folder.join(name);
        let set = "settings.clusterName=main";
        let path_text = path.to_str().expect("a path of text");
        let mut arguments = vec!["install", name, path_text];
        if name == "karpenter" {
            arguments.extend(["--set", set]);
        }
        let _done = namespace.helm(&arguments).ok();
        let read = Record::from_secret(&stored(&namespace, name, 1)).expect("a record");

        let chart = Chart::load(&path).expect("the chart");
        let rendered = Renderer::new(&chart, Release::new(name, namespace.name()))
            .render(&values)
            .expect("it renders");
        assert_eq!(read.manifest, stored_manifest(&rendered.documents), "{name}");
        assert_eq!(
            without_times(&read.chart),
            stored_chart(&rendered.chart),
            "{name}"
        );
        assert_eq!(read.notes, rendered.notes.unwrap_or_default());
        assert!(read.hooks.is_empty() && rendered.documents.all_hooks.is_empty());
        let stated = if read.config.is_null() {
            json!({})
        } else {
            read.config
        };
        assert_eq!(stated, values);
    }
}

/// Notes that do not shrink: hexadecimal digits of a sequence without a pattern.
fn noise(length: usize) -> String {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from_digit((state >> 40) as u32 & 15, 16).expect("a digit")
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_record_may_be_as_large_as_a_secret() {
    let namespace = ControlPlane::shared().namespace();
    let mut large = record(namespace.name(), "large", 1, Status::Deployed, &first_values());
    large.notes = noise(1_500_000);
    let error = large.secret(1).expect_err("refused").to_string();
    assert!(error.contains("a Secret holds 1048576"), "{error}");
    let packed = large.encode().expect("it packs").len();
    large.notes = noise(1_500_000 * 1_048_300 / packed);
    let secret = large.secret(1).expect("it fits");
    let length = |secret: &Value| secret["data"]["release"].as_str().unwrap_or_default().len() / 4 * 3;
    assert!(
        length(&secret) > 1_048_000,
        "close to the limit: {}",
        length(&secret)
    );
    namespace
        .create("secrets", &secret)
        .expect("the API server takes it");
    assert_eq!(helm_json(&namespace, &["get", "values", "large"]), first_values());

    // The limit is the API server's own.
    let mut more = secret;
    more["metadata"]["name"] = json!("more");
    more["data"]["other"] =
        json!("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh".repeat(20));
    let refused = namespace
        .create("secrets", &more)
        .expect_err("one kilobyte more is too large");
    assert!(
        refused.message.contains("may not be more than 1048576 bytes"),
        "{refused}"
    );
}
