//! helm works beside us on the same release.

use std::time::UNIX_EPOCH;

use acceptance_tests::{Kubernetes, Workspace};
use helm::release::{Record, Status};
use reconcile::clock::Clock;
use serde_json::{Value, json};

use crate::{chart_folder, cluster, helm_json, release, statuses};

const SECRETS: &str = "/api/v1/namespaces/web/secrets";

/// Another revision, as a helm left it that was killed so many seconds ago.
fn stuck(api: &Kubernetes, revision: i64, age: i64) {
    let last = format!("{SECRETS}/sh.helm.release.v1.web.v{}", revision - 1);
    let record = Record::from_secret(&api.get(&last).unwrap()).unwrap();
    let record = Record {
        revision,
        status: Status::PendingUpgrade,
        description: "Preparing upgrade".into(),
        ..record
    };
    let now = Clock::from_env()
        .wall()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let secret = record.secret(i64::try_from(now).unwrap() - age).unwrap();
    let path = format!("{SECRETS}/{}", record.secret_name());
    api.delete(&path);
    api.request("POST", SECRETS, Some(&secret)).unwrap();
}

fn greeting(api: &Kubernetes) -> Value {
    api.get("/api/v1/namespaces/web/configmaps/web").unwrap()["data"]["greeting"].clone()
}

#[test]
fn what_helm_does_is_told_and_answered() {
    Workspace::with_clusters(Some(0), |workspace, account| {
        cluster(account);
        let api = account.cluster("main");
        let outputs = "output \"told\" {\n  value = [ekb_release.web.revision, ekb_release.web.release_status, ekb_release.web.notes]\n}\n";
        let declared = release("values = { replicas = 1, host = \"web.example.com\" }");
        workspace.write("main.tf", &format!("{declared}{outputs}"));
        let plan = workspace.plan().ok();
        let after = plan.change("ekb_release.web").after;
        assert_eq!(after["hosts"], json!(["web.example.com"]));
        workspace.apply_plan(&plan).ok();
        assert_eq!(
            workspace.outputs()["told"],
            json!([1, "deployed", "web greets with hello."])
        );
        workspace.plan().ok().assert_empty();

        // An upgrade by hand, with another object.
        let folder = chart_folder();
        let by_hand = [
            "upgrade",
            "web",
            &folder,
            "--set",
            "replicas=1,greeting=ciao,debug=true",
        ];
        api.helm("web", &by_hand).ok();
        let told = workspace.plan().ok().run.output();
        for words in [
            "EKB2408",
            "revision 2 of helm (Upgrade complete)",
            "ConfigMap/web/web-debug",
            "ciao",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        assert_eq!(statuses(&api), ["superseded", "superseded", "deployed"]);
        assert_eq!(greeting(&api), "hello");
        assert!(api.get("/api/v1/namespaces/web/configmaps/web-debug").is_none());
        assert_eq!(workspace.outputs()["told"][0], json!(3));

        api.helm("web", &["rollback", "web", "2"]).ok();
        assert_eq!(greeting(&api), "ciao");
        workspace
            .plan()
            .ok()
            .run
            .says("revision 4 of helm (Rollback to 2)");
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        assert_eq!(greeting(&api), "hello");

        // A helm may be at work; one that was killed long ago is not.
        stuck(&api, 6, 20);
        workspace
            .apply()
            .failed()
            .says("EKB2409")
            .says("helm seems to be at work");
        assert_eq!(statuses(&api).last().unwrap(), "pending-upgrade");
        stuck(&api, 6, 2 * 3600);
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        assert_eq!(statuses(&api)[4..], ["superseded", "failed", "deployed"]);
        let history = helm_json(&api, "web", &["history", "web"]);
        assert_eq!(history[6]["description"], "Upgrade complete", "{history}");
        api.helm(
            "web",
            &["upgrade", "web", &folder, "--set", "replicas=1,greeting=salut"],
        )
        .ok();
        workspace.apply().ok();

        // Of what helm takes away nothing is left but its history.
        api.helm("web", &["uninstall", "web", "--keep-history", "--wait"])
            .ok();
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        assert_eq!(greeting(&api), "hello");
        assert_eq!(workspace.outputs()["told"][0], json!(10));
        api.helm("web", &["uninstall", "web", "--wait"]).ok();
        let data = "data \"ekb_release\" \"web\" {\n  name = \"web\"\n  cluster = \"main\"\n  depends_on = [ekb_release.web]\n}\n\
                    output \"read\" {\n  value = [data.ekb_release.web.revision, data.ekb_release.web.release_status, data.ekb_release.web.hosts]\n}\n";
        workspace.write("main.tf", &format!("{declared}{data}"));
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        assert_eq!(
            workspace.outputs()["read"],
            json!([1, "deployed", ["web.example.com"]])
        );
        assert_eq!(statuses(&api), ["deployed"]);
        workspace.destroy().ok();
    });
}
