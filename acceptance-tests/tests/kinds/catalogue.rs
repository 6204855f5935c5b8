//! What plans look up for a cluster, on the emulator.

use std::collections::{BTreeMap, BTreeSet};

use acceptance_tests::{Account, Rig};
use aws::eks::catalogue::{self, Category, Refresh, Status, Support};
use serde_json::json;

use crate::stage::aws_of;

const REGION: &str = Account::REGION;

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn versions_and_add_ons_are_what_eks_says() {
    let aws = aws_of(&Rig::shared().account());
    let versions = catalogue::versions(&aws, REGION).await.unwrap();
    let of = |name: &str| versions.iter().find(|version| version.version == name).unwrap();
    assert_eq!(versions.first().unwrap().version, "1.36");
    assert_eq!(
        [of("1.34"), of("1.33"), of("1.30")].map(|version| version.support),
        [Support::Standard, Support::Extended, Support::No]
    );
    assert_eq!(of("1.34").standard_until.as_deref(), Some("2026-12-02"));
    let defaults = versions.iter().filter(|version| version.is_default);
    assert_eq!(
        defaults.map(|version| &version.version).collect::<Vec<_>>(),
        ["1.35"]
    );

    let addons = catalogue::addon_versions(&aws, REGION, &names(&["coredns", "absent"]), "1.34")
        .await
        .unwrap();
    let coredns: Vec<(&str, bool)> = addons["coredns"]
        .iter()
        .map(|addon| (addon.version.as_str(), addon.is_default))
        .collect();
    assert_eq!(
        coredns,
        [
            ("v1.13.1-eksbuild.1", false),
            ("v1.12.4-eksbuild.1", true),
            ("v1.12.3-eksbuild.1", false)
        ]
    );
    assert!(addons["absent"].is_empty());
    let schema = catalogue::addon_schema(&aws, REGION, "coredns", "v1.12.4-eksbuild.1")
        .await
        .unwrap();
    assert!(schema.contains("replicaCount"), "{schema}");
    let failure = catalogue::addon_schema(&aws, REGION, "coredns", "v0")
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("add-on coredns v0"), "{failure}");
}

#[tokio::test]
async fn findings_come_whole_and_a_refresh_brings_new_ones() {
    let account = Rig::shared().account();
    // A refresh ends when the test says so.
    account.set_time_scale(1.0);
    let aws = aws_of(&account);
    let vpc = account.ec2("CreateVpc", &json!({ "CidrBlock": "10.0.0.0/16" }))["Vpc"]["VpcId"].clone();
    let subnets = ["a", "b"].map(|zone| {
        let cidr = format!("10.0.{}.0/24", u8::from(zone == "b"));
        let subnet =
            json!({ "VpcId": vpc, "CidrBlock": cidr, "AvailabilityZone": format!("{REGION}{zone}") });
        account.ec2("CreateSubnet", &subnet)["Subnet"]["SubnetId"]
            .as_str()
            .unwrap()
            .to_owned()
    });
    let cluster = json!({ "name": "one", "version": "1.34", "roleArn": "arn:aws:iam::123456789012:role/eks",
        "resourcesVpcConfig": { "subnetIds": subnets } });
    account.call("eks", REGION, "CreateCluster", &cluster).unwrap();
    account.advance(600.0);

    let insights = async || {
        catalogue::insights(&aws, REGION, "one", Category::Upgrade)
            .await
            .unwrap()
    };
    assert!(
        insights()
            .await
            .iter()
            .all(|insight| insight.status == Status::Passing)
    );
    let finding = json!({
        "name": "Deprecated APIs removed in Kubernetes v1.35", "recommendation": "Update manifests.",
        "insightStatus": { "status": "ERROR", "reason": "Calls were seen in the last 30 days." },
        "resources": [{ "kubernetesResourceUri": "/apis/a/v1/b", "insightStatus": { "status": "ERROR", "reason": "old" } }],
        "categorySpecificSummary": { "deprecationDetails": [{ "usage": "/apis/a/v1/b", "replacedWith": "/apis/a/v2/b",
            "stopServingVersion": "1.35", "clientStats": [{ "userAgent": "kubectl" }] }] },
    });
    let later = json!({ "name": "A", "kubernetesVersion": "1.36", "insightStatus": { "status": "WARNING" } });
    account.insights("one", &json!([later, finding]), false);
    let found = insights().await;
    assert_eq!(
        found.iter().map(|insight| insight.status).collect::<Vec<_>>(),
        [Status::Error, Status::Warning]
    );
    assert_eq!(found[0].resources, ["/apis/a/v1/b (old)"]);
    assert_eq!(found[0].deprecations[0].clients, ["kubectl"]);
    assert_eq!(
        [&found[0].kubernetes_version, &found[1].kubernetes_version],
        ["1.35", "1.36"]
    );
    assert!(
        catalogue::insights(&aws, REGION, "one", Category::Rollback)
            .await
            .unwrap()
            .is_empty()
    );

    account.insights("one", &json!([]), true);
    assert_eq!(
        catalogue::refresh_insights(&aws, REGION, "one").await.unwrap(),
        Refresh::InProgress
    );
    assert_eq!(insights().await.len(), 2);
    account.advance(130.0);
    assert_eq!(
        catalogue::insights_refresh(&aws, REGION, "one").await.unwrap(),
        Refresh::Completed
    );
    assert!(insights().await.is_empty());
    let failure = catalogue::insights(&aws, REGION, "absent", Category::Upgrade)
        .await
        .unwrap_err();
    assert!(
        failure.to_string().contains("insights of cluster absent"),
        "{failure}"
    );

    let ids = names(&[&subnets[0], "subnet-00000000000000000"]);
    let facts = catalogue::subnets(&aws, REGION, &ids).await.unwrap();
    assert_eq!(facts.keys().collect::<Vec<_>>(), [&subnets[0]]);
    let facts = &facts[&subnets[0]];
    assert_eq!(
        (facts.zone.as_str(), Some(facts.vpc.as_str())),
        ("eu-central-1a", vpc.as_str())
    );
    assert!((200..252).contains(&facts.free_addresses), "{facts:?}");
}

#[tokio::test]
async fn instance_types_say_what_they_run_and_where() {
    let aws = aws_of(&Rig::shared().account());
    let types = names(&["m7g.large", "m6i.large", "x9.absent"]);
    let found = catalogue::instance_types(&aws, REGION, &types).await.unwrap();
    let architectures: BTreeMap<&str, &[String]> = found
        .iter()
        .map(|(name, found)| (name.as_str(), &found.architectures[..]))
        .collect();
    assert_eq!(
        architectures,
        BTreeMap::from([
            ("m6i.large", &["x86_64".to_owned()][..]),
            ("m7g.large", &["arm64".to_owned()][..])
        ])
    );
    let zones = names(&["eu-central-1a", "eu-central-1b"]);
    let offered = catalogue::offered(&aws, REGION, &types, &zones).await.unwrap();
    assert!(offered["m6i.large"].contains("eu-central-1a"), "{offered:?}");
    assert!(!offered.contains_key("x9.absent") && offered["m6i.large"].is_subset(&zones));
}
