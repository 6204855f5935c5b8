//! The way into a cluster as users have it: `ekb_cluster_token`, `kubeconfig`. The cluster is made by plain AWS calls.

use std::time::Duration;

use acceptance_tests::{Account, Cli, Rig, Workspace, token_to_file, until};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// An ACTIVE cluster of this name.
fn cluster(account: &Account, name: &str) -> Value {
    let subnets = account.subnets();
    let role = format!("arn:aws:iam::{}:role/cluster", account.id());
    account.eks(
        "CreateCluster",
        &json!({
            "name": name, "version": "1.35", "roleArn": role, "resourcesVpcConfig": {"subnetIds": subnets},
            "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": false},
        }),
    );
    account.advance(3600.0);
    account.eks("DescribeCluster", &json!({"name": name}))["cluster"].clone()
}

#[test]
fn a_token_is_made_for_the_cluster_and_stays_nowhere() {
    Workspace::on_every_cli(|w, account| {
        let found = cluster(account, "dev-main");
        assert_eq!(found["status"], "ACTIVE", "{found}");
        w.write("main.tf", &token_to_file("\"dev-main\""));
        let run = w.apply().ok();
        let text = w.read("token.txt").unwrap();
        let [token, endpoint, expires] = text.lines().collect::<Vec<_>>()[..] else {
            panic!("{text}")
        };
        assert_eq!(endpoint, found["endpoint"]);
        assert!(expires.ends_with('Z') && expires.starts_with("20"), "{expires}");
        let url = URL_SAFE_NO_PAD
            .decode(token.strip_prefix("k8s-aws-v1.").unwrap())
            .unwrap();
        let url = String::from_utf8(url).unwrap();
        let host = format!("https://sts.{}.amazonaws.com/?", Account::REGION);
        assert!(url.starts_with(&host), "STS itself, not the emulator: {url}");
        assert!(
            url.contains("X-Amz-SignedHeaders=host%3Bx-k8s-aws-id") && url.contains("X-Amz-Expires=60&"),
            "{url}"
        );
        assert!(
            url.contains(&format!("X-Amz-Credential={}%2F", account.access_key())),
            "{url}"
        );
        let state = w.read("terraform.tfstate").unwrap();
        for text in [state, run.output()] {
            assert!(
                !text.contains("k8s-aws-v1") && !text.contains("X-Amz-Signature"),
                "{text}"
            );
        }

        w.write(
            "main.tf",
            &w.read("main.tf").unwrap().replace("dev-main", "other"),
        );
        let said = w.apply().failed().output();
        assert!(
            said.contains("other") && said.contains("ResourceNotFoundException") && said.contains(".id"),
            "{said}"
        );
    });
}

/// The token on a real API server, which asks the real aws-iam-authenticator whose it is.
#[test]
fn the_token_opens_the_cluster_to_whom_an_entry_lets_in() {
    let account = Rig::shared_with_clusters().account();
    cluster(&account, "main");
    until("the cluster", Duration::from_secs(120), || {
        account.eks("DescribeCluster", &json!({"name": "main"}))["cluster"]["status"] == "ACTIVE"
    });
    let w = Workspace::new(&Cli::any(), &account);
    w.write("main.tf", &token_to_file("\"main\""));
    w.apply().ok();
    let text = w.read("token.txt").unwrap();
    let api = account.cluster("main").with_token(text.lines().next().unwrap());
    let look = || {
        api.request("GET", "/api/v1/nodes", None)
            .map_err(|error| error.code)
    };
    assert_eq!(look(), Err(401), "without an entry");
    let principal = format!("arn:aws:iam::{}:user/rig", account.id());
    account.eks(
        "CreateAccessEntry",
        &json!({"clusterName": "main", "principalArn": principal}),
    );
    account.eks(
        "AssociateAccessPolicy",
        &json!({
            "clusterName": "main", "principalArn": principal, "accessScope": {"type": "cluster"},
            "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
        }),
    );
    until("the entry", Duration::from_secs(60), || look().is_ok());
}

#[test]
fn a_kubeconfig_holds_no_secret() {
    Workspace::on_every_cli(|w, _account| {
        w.write(
            "main.tf",
            r#"
output "config" {
  value = jsondecode(provider::ekb::kubeconfig("dev-main", "https://abc.eks.amazonaws.com",
    "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n", "eu-central-1", null, "dev"))
}
"#,
        );
        w.apply().ok();
        let config = &w.outputs()["config"];
        let user = &config["users"][0]["user"]["exec"];
        assert_eq!(
            user["args"],
            json!(
                "eks get-token --output json --region eu-central-1 --cluster-name dev-main"
                    .split(' ')
                    .collect::<Vec<_>>()
            )
        );
        assert_eq!(config["current-context"], "dev-main");
    });
}

#[test]
fn versions_have_the_ends_of_their_support() {
    Workspace::in_turn(1, |w, _account| {
        w.write(
            "main.tf",
            "data \"ekb_kubernetes_versions\" \"all\" {}\n\noutput \"all\" {\n  value = data.ekb_kubernetes_versions.all\n}\n",
        );
        w.apply().ok();
        let all = &w.outputs()["all"];
        let versions = all["versions"].as_array().unwrap();
        let supported = versions.iter().filter(|version| version["support"] == "standard");
        assert!(supported.clone().count() > 1, "{all}");
        for version in supported {
            let ends =
                ["standard_support_ends", "extended_support_ends"].map(|end| version[end].as_str().unwrap());
            assert!(
                ends[0] < ends[1] && ends[0].len() == "2026-01-01".len(),
                "{version}"
            );
        }
        assert_eq!(versions[0]["version"], all["latest"]);
        assert!(
            versions
                .iter()
                .any(|version| version["version"] == all["default"]),
            "{all}"
        );
    });
}
