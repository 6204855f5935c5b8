//! States that are lost, doubled or foreign; things that AWS shows late; two at once; networks that others built.

use acceptance_tests::{Account, Fault, Rig, Session};
use conformance::{Action, Resource};
use serde_json::{Value as Json, json};

use crate::{config, made, with};

#[test]
fn taint_and_replace_of_a_complete_network_really_replace_it() {
    let (session, account, resource) = made();
    let (counts, vpc) = (account.counts(), resource.get("vpc_id").clone());
    account.snapshot("made");
    for tainted in [true, false] {
        account.restore("made");
        let mut resource = resource.clone();
        if tainted {
            resource.taint();
            session.apply(&mut resource, &config()).unwrap();
        } else {
            session.replace(&mut resource, &config()).unwrap();
        }
        assert_ne!(resource.get("vpc_id"), &vpc, "tainted: {tainted}");
        assert_eq!(account.counts(), counts);
        let ids: Vec<_> = account.objects().into_iter().map(|object| object.id).collect();
        assert!(!ids.contains(&vpc.as_str().unwrap().to_owned()));
        session.expect_empty(&mut resource, &config()).unwrap();
    }
}

/// A complete network that a state does not know is an error with the import line, and nothing changes.
#[test]
fn a_lost_state_a_second_state_and_a_copied_name_never_share_silently() {
    let (session, account, resource) = made();
    let before = account.objects();
    account.clear_log();
    let mut lost = resource.clone();
    lost.forget();
    for mut resource in [lost, Resource::new("ekb_network")] {
        let plan = session.plan(&mut resource, &config()).unwrap();
        let warned = plan
            .warnings
            .iter()
            .any(|said| said.summary.contains("EKB2029") && said.detail.contains("import ADDRESS test/test"));
        assert!(warned, "the plan says so already: {:?}", plan.warnings);
        let error = session
            .apply(&mut resource, &config())
            .expect_err("it is another state's")
            .to_string();
        assert!(
            error.contains("EKB1302") && error.contains("import ADDRESS test/test"),
            "{error}"
        );
        assert!(resource.is_absent());
    }
    assert!(account.mutations().is_empty());
    assert_eq!(account.objects(), before);
}

#[test]
fn another_environment_account_or_region_in_the_provider_block() {
    let (session, account, mut resource) = made();
    let state = resource.clone();
    let copied = Session::new(&account).provider("environment", json!("other"));
    for done in [
        copied.plan(&mut resource, &config()).map(drop),
        copied.destroy(&mut resource),
    ] {
        let error = done.expect_err("the environment is another").to_string();
        assert!(error.contains("EKB2011"), "{error}");
    }
    let elsewhere = Rig::shared().account();
    let other = Session::new(&elsewhere);
    for done in [
        other.plan(&mut resource, &config()).map(drop),
        other.destroy(&mut resource),
    ] {
        let error = done.expect_err("the account is another").to_string();
        assert!(error.contains("EKB2012"), "{error}");
    }
    assert_eq!(resource, state, "the state stays");
    // The state's region counts.
    let moved = Session::new(&account).provider("region", json!("eu-west-1"));
    moved.expect_empty(&mut resource, &config()).unwrap();
    session.destroy(&mut resource).unwrap();
    account.assert_empty();
}

#[test]
fn what_a_newer_provider_wrote_is_refused() {
    let (session, account, mut resource) = made();
    let tag =
        json!({ "Resources": [resource.get("vpc_id")], "Tags": [{ "Key": "ekb:schema", "Value": "99" }] });
    account.ec2("CreateTags", &tag);
    let before = account.objects();
    account.clear_log();
    let changed = with(&config(), "nat_gateways", "none");
    for done in [
        session.apply(&mut resource, &changed).map(drop),
        session.destroy(&mut resource),
    ] {
        let error = done.expect_err("the schema is newer").to_string();
        assert!(error.contains("EKB1301"), "{error}");
    }
    assert!(account.mutations().is_empty());
    assert_eq!(account.objects(), before);
}

#[test]
fn a_vpc_of_the_same_name_without_our_tags_is_not_touched() {
    let account = Rig::shared().account();
    let session = Session::new(&account);
    let theirs = account.ec2("CreateVpc", &json!({ "CidrBlock": "10.20.0.0/16" }));
    let id = theirs["Vpc"]["VpcId"].as_str().unwrap();
    let tags = json!({ "Resources": [id], "Tags": [{ "Key": "Name", "Value": "test" }] });
    account.ec2("CreateTags", &tags);
    let before = account.objects();
    let error = session
        .apply(&mut Resource::new("ekb_network"), &config())
        .expect_err("the name is taken")
        .to_string();
    assert!(error.contains(&format!("import ADDRESS {id}")), "{error}");
    assert_eq!(account.objects(), before);
}

#[test]
fn what_shows_late_is_not_made_twice() {
    let (_, undisturbed, _) = made();
    let counts = undisturbed.counts();
    for writes in [false, true] {
        let account = Rig::shared().account();
        let session = Session::new(&account);
        let mut resource = Resource::new("ekb_network");
        for operation in ["Create*", "AllocateAddress"] {
            let late = Fault::invisible_for_seconds(15.0).on(operation).always();
            account.fault(&if writes { late.also_for_writes() } else { late });
        }
        session.apply(&mut resource, &config()).unwrap();
        assert_eq!(account.counts(), counts);
        account.clear_faults();
        account.advance(60.0);
        session.expect_empty(&mut resource, &config()).unwrap();
    }
}

/// The process dies right behind the call, and what it made does not show when the next one looks: there is no token and
/// no natural key to find it by. In the end there is one of each.
#[test]
fn what_a_killed_process_made_and_shows_late_is_one_in_the_end() {
    let (_, undisturbed, _) = made();
    let counts = undisturbed.counts();
    let operations = [
        "CreateVpc",
        "CreateInternetGateway",
        "AllocateAddress",
        "CreateNatGateway",
        "CreateSubnet",
        "CreateRouteTable",
        "CreateVpcEndpoint",
    ];
    let run = &|operation: &str, lost: bool| {
        let account = Rig::shared().account();
        // Longer than until the next apply looks, shorter than the 30 s that a new object stays invisible at most.
        account.set_time_scale(8.0);
        let session = Session::new(&account);
        let mut resource = Resource::new("ekb_network");
        account.fault(&Fault::invisible_for_seconds(25.0).on(operation));
        let blow = if lost {
            Fault::lose_response()
        } else {
            Fault::kill_after()
        };
        account.fault(&blow.on(operation));
        let first = session.apply(&mut resource, &config());
        assert!(
            lost || first.as_ref().is_err_and(conformance::Error::died),
            "{operation}: {first:?}"
        );
        account.clear_faults();
        // Where a first VPC shows just while a second is made, it may be that of an apply at the same time: the error says
        // to apply again.
        let apply = |resource: &mut Resource, config: &Json| {
            let mut done = session.apply(resource, config);
            if done
                .as_ref()
                .is_err_and(|error| error.to_string().contains("EKB1308"))
            {
                done = session.apply(resource, config);
            }
            done.unwrap_or_else(|e| panic!("{operation}, lost: {lost}: {e}"));
        };
        apply(&mut resource, &config());
        account.advance(600.0);
        apply(
            &mut resource,
            &with(&config(), "tags", json!({ "then": "again" })),
        );
        assert_eq!(account.counts(), counts, "{operation}, lost: {lost}");
    };
    std::thread::scope(|scope| {
        for operation in operations {
            scope.spawn(move || [false, true].map(|lost| run(operation, lost)));
        }
    });
}

#[test]
fn two_applies_at_once_from_two_states() {
    let (_, undisturbed, _) = made();
    let counts = undisturbed.counts();
    let account = Rig::shared().account();
    let run = || {
        let mut resource = Resource::new("ekb_network");
        let done = Session::new(&account).apply(&mut resource, &config()).map(drop);
        (resource, done)
    };
    let (one, other) = std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(run), scope.spawn(run));
        (one.join().unwrap(), other.join().unwrap())
    });
    let (mut winner, loser) = match (&one.1, &other.1) {
        (Ok(()), Err(_)) => (one.0, other.1),
        (Err(_), Ok(())) => (other.0, one.1),
        both => panic!("one succeeds, the other says why not: {both:?}"),
    };
    let error = loser.unwrap_err().to_string();
    assert!(
        ["EKB1302", "EKB1308", "EKB1307", "EKB1303"]
            .iter()
            .any(|code| error.contains(code)),
        "{error}"
    );
    let session = Session::new(&account);
    // What the other had made beside it (addresses need no VPC) is named by the next plan and removed by its apply.
    session.apply(&mut winner, &config()).unwrap();
    session.expect_empty(&mut winner, &config()).unwrap();
    assert_eq!(account.counts(), counts, "nothing lost, nothing double");
    session.destroy(&mut winner).unwrap();
    account.assert_empty();
}

#[test]
fn plans_of_the_same_thing_are_byte_equal() {
    let (session, _, resource) = made();
    let larger = json!({ "cidr": "10.20.0.0/16", "zone_count": 3, "interface_endpoints": ["ecr.api", "sts"], "tags": { "b": "2", "a": "1" } });
    for (resource, config) in [
        (Resource::new("ekb_network"), larger.clone()),
        (resource.clone(), larger),
        (resource, config()),
    ] {
        let plans: Vec<_> = (0..5)
            .map(|_| session.plan(&mut resource.clone(), &config).unwrap())
            .collect();
        for plan in &plans[1..] {
            assert!(plan.bytes() == plans[0].bytes(), "{plan}\n{}", plans[0]);
        }
    }
}

/// A network as a script would build it: no tag of ours, one zone.
fn built_by_others(account: &Account) -> String {
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    let call = |operation: &str, params: Json| account.ec2(operation, &params);
    let vpc = text(&call("CreateVpc", json!({ "CidrBlock": "10.20.0.0/16" }))["Vpc"]["VpcId"]);
    for attribute in ["EnableDnsHostnames", "EnableDnsSupport"] {
        call(
            "ModifyVpcAttribute",
            json!({ "VpcId": vpc, attribute: { "Value": true } }),
        );
    }
    let gateway = text(&call("CreateInternetGateway", json!({}))["InternetGateway"]["InternetGatewayId"]);
    call(
        "AttachInternetGateway",
        json!({ "VpcId": vpc, "InternetGatewayId": gateway }),
    );
    let subnet = |cidr: &str| {
        let made = call(
            "CreateSubnet",
            json!({ "VpcId": vpc, "CidrBlock": cidr, "AvailabilityZone": "eu-central-1a" }),
        );
        text(&made["Subnet"]["SubnetId"])
    };
    let (private, public) = (subnet("10.20.0.0/20"), subnet("10.20.128.0/24"));
    call(
        "ModifySubnetAttribute",
        json!({ "SubnetId": public, "MapPublicIpOnLaunch": { "Value": true } }),
    );
    let address = text(&call("AllocateAddress", json!({ "Domain": "vpc" }))["AllocationId"]);
    let nat = call(
        "CreateNatGateway",
        json!({ "SubnetId": public, "AllocationId": address }),
    );
    let nat = text(&nat["NatGateway"]["NatGatewayId"]);
    account.advance(600.0);
    let table = |subnet: &str, target: Json| {
        let id = text(&call("CreateRouteTable", json!({ "VpcId": vpc }))["RouteTable"]["RouteTableId"]);
        let mut route = target;
        route["RouteTableId"] = json!(id);
        route["DestinationCidrBlock"] = json!("0.0.0.0/0");
        call("CreateRoute", route);
        call(
            "AssociateRouteTable",
            json!({ "RouteTableId": id, "SubnetId": subnet }),
        );
        id
    };
    table(&public, json!({ "GatewayId": gateway }));
    let private_table = table(&private, json!({ "NatGatewayId": nat }));
    call(
        "CreateVpcEndpoint",
        json!({ "VpcId": vpc, "ServiceName": "com.amazonaws.eu-central-1.s3", "RouteTableIds": [private_table] }),
    );
    vpc
}

#[test]
fn a_network_that_plain_aws_calls_built_is_taken_over() {
    let account = Rig::shared().account();
    let vpc = built_by_others(&account);
    let before: Vec<_> = account.objects().into_iter().map(|object| object.id).collect();
    let session = Session::new(&account);
    let mut resource = Resource::new("ekb_network");
    session.import(&mut resource, &vpc).unwrap();
    let zone = "eu-central-1a";
    let config = json!({
        "cidr": "10.20.0.0/16",
        "subnets": { zone: { "public": "10.20.128.0/24", "private": "10.20.0.0/20" } },
        // What AWS gives a new VPC: an open default security group. Taking it over closes it.
    });
    let plan = session.plan(&mut resource, &config).unwrap();
    assert_eq!(plan.action, Action::Update, "{plan}");
    let text = plan.to_string();
    let allowed = [
        "tags",
        "drift",
        "objects",
        "incarnation",
        "default_security_group",
    ];
    for (path, before, after) in plan.changes() {
        let path = path.to_string();
        assert!(
            allowed.iter().any(|part| path.contains(part)),
            "{path}: {before:?} → {after:?}\n{text}"
        );
        // Apart from tags an object stays as it is.
        if path.starts_with("objects") && !path.contains("default_security_group") {
            let fields = |value: &conformance::Value| {
                let mut object: Json = serde_json::from_str(value.as_str().unwrap()).unwrap();
                object.as_object_mut().unwrap().remove("tags");
                object
            };
            assert_eq!(fields(&before), fields(&after), "{path}");
        }
    }
    session.apply_plan(&mut resource, &plan).unwrap();
    let after: Vec<_> = account.objects().into_iter().map(|object| object.id).collect();
    assert_eq!(after, before, "nothing was made or destroyed");
    session.expect_empty(&mut resource, &config).unwrap();
    // From now on it is ours: found without its state's ids, and destroyed wholly.
    let mut again = Resource::new("ekb_network");
    session.import(&mut again, "test/test").unwrap();
    session.expect_empty(&mut again, &config).unwrap();
    session.destroy(&mut resource).unwrap();
    account.assert_empty();
}

#[test]
fn an_import_by_id_takes_that_object_or_none() {
    let (session, account, resource) = made();
    let imported = |id: &str| {
        let mut other = Resource::new("ekb_network");
        let result = session.import(&mut other, id);
        result.map(|()| other).map_err(|error| error.to_string())
    };
    let vpc = resource.get("vpc_id").as_str().unwrap().to_owned();
    assert_eq!(imported(&vpc).unwrap().get("vpc_id"), resource.get("vpc_id"));
    let error = imported("vpc-0123456789abcdef0").unwrap_err();
    assert!(error.contains("EKB2031") && error.contains(&vpc), "{error}");

    let other = built_by_others(&account);
    let error = imported(&other).unwrap_err();
    assert!(error.contains(&format!("test/NAME/{other}")), "{error}");
    let under_its_name = imported(&format!("test/legacy/{other}")).unwrap();
    assert_eq!(under_its_name.get("vpc_id"), &json!(other));
    assert_eq!(under_its_name.get("name"), "legacy");
    for nonsense in ["/", "a/b/c", "", "a/"] {
        let error = imported(nonsense).unwrap_err();
        assert!(error.contains("EKB2025"), "{nonsense}: {error}");
    }
}

#[test]
fn a_root_that_others_have_tagged_as_theirs_is_said_at_once() {
    let (session, account, mut resource) = made();
    let vpc = resource.get("vpc_id").as_str().unwrap().to_owned();
    let tag = |environment: &str| {
        let tags = json!([{ "Key": "ekb:environment", "Value": environment }]);
        account.ec2("CreateTags", &json!({ "Resources": [vpc], "Tags": tags }));
    };
    tag("prod");
    let error = session.plan(&mut resource, &config()).unwrap_err().to_string();
    assert!(
        error.contains("EKB1304") && error.contains("environment prod"),
        "{error}"
    );
    tag("test");
    session.expect_empty(&mut resource, &config()).unwrap();
}

/// AWS refuses a subnet whose range overlaps another's: the old one goes first, whatever is in between.
#[test]
fn an_explicit_range_moves_to_another_zone() {
    let account = Rig::shared().account();
    let session = Session::new(&account);
    let mut resource = Resource::new("ekb_network");
    let zones = |zones: &[(&str, u8, u8)]| {
        let one = |(zone, public, private): &(&str, u8, u8)| {
            let ranges = json!({ "public": format!("10.20.{public}.0/24"), "private": format!("10.20.{private}.0/20") });
            (format!("eu-central-1{zone}"), ranges)
        };
        json!({ "cidr": "10.20.0.0/16", "nat_gateways": "single", "subnets": zones.iter().map(one).collect::<serde_json::Map<_, _>>() })
    };
    for wanted in [
        zones(&[("a", 0, 16), ("b", 1, 32)]),
        // To another zone, between zones, and the zone of the NAT gateway to another.
        zones(&[("a", 0, 16), ("c", 1, 32)]),
        zones(&[("a", 0, 32), ("c", 1, 16)]),
        zones(&[("b", 0, 32), ("c", 1, 16)]),
    ] {
        session.apply(&mut resource, &wanted).unwrap();
        session.expect_empty(&mut resource, &wanted).unwrap();
    }
    session.destroy(&mut resource).unwrap();
    account.assert_empty();
}

/// `retain_logs`: the log group outlives flow logs and network, is nobody's, and is taken back by who asks for it.
#[test]
fn a_log_group_that_is_retained_outlives_flow_logs_and_network() {
    let account = Rig::shared().account();
    let session = Session::new(&account);
    let logs = |retain: Option<bool>| {
        let network = with(&config(), "nat_gateways", "none");
        let logs = json!({ "destination": "cloudwatch", "retain_logs": retain });
        with(&network, "flow_logs", logs)
    };
    let groups = || {
        let objects = account.objects().into_iter();
        let groups = objects.filter(|object| object.kind == "log_group");
        groups.map(|group| group.tags).collect::<Vec<_>>()
    };
    let kept = || {
        let tags = groups().pop().unwrap();
        tags.contains_key("ekb:kept") && !tags.contains_key("ekb:resource")
    };
    let mut resource = Resource::new("ekb_network");
    session.apply(&mut resource, &logs(Some(true))).unwrap();
    // Flow logs are removed, and the removal fails at first: the state has lost the argument by then.
    account.fault(&Fault::deny().on("TagResource"));
    let without = with(&config(), "nat_gateways", "none");
    let plan = session.plan(&mut resource, &without).unwrap();
    let said = format!("{:?}", plan.warnings);
    assert!(
        said.contains("EKB2051") && said.contains("flow_log_group") && said.contains("retain_logs"),
        "{said}"
    );
    session.apply_plan(&mut resource, &plan).unwrap_err();
    account.clear_faults();
    session.apply(&mut resource, &without).unwrap();
    assert!(kept(), "{:?}", groups());
    session.expect_empty(&mut resource, &without).unwrap();
    // Nobody takes it by the way.
    let plan = session.plan(&mut resource, &logs(None)).unwrap();
    assert!(
        format!("{:?}", plan.warnings).contains("EKB2033"),
        "{:?}",
        plan.warnings
    );
    let refused = session.apply_plan(&mut resource, &plan).unwrap_err().to_string();
    assert!(
        refused.contains("EKB1304") && refused.contains("adopt = true"),
        "{refused}"
    );
    // Whoever would keep it, does; a replacement keeps it for itself.
    let plan = session.apply(&mut resource, &logs(Some(true))).unwrap();
    assert!(
        !format!("{:?}", plan.warnings).contains("EKB2033"),
        "{:?}",
        plan.warnings
    );
    assert!(!kept(), "{:?}", groups());
    session.expect_empty(&mut resource, &logs(Some(true))).unwrap();
    session
        .apply(&mut resource, &with(&logs(Some(true)), "cidr", "10.30.0.0/16"))
        .unwrap();
    session
        .expect_empty(&mut resource, &with(&logs(Some(true)), "cidr", "10.30.0.0/16"))
        .unwrap();
    // A destroy leaves it, and says so.
    session.destroy(&mut resource).unwrap();
    assert_eq!(
        account.counts().into_iter().collect::<Vec<_>>(),
        [("log_group".to_owned(), 1)]
    );
    assert!(kept());
    let adopting = with(&logs(None), "adopt", true);
    let mut again = Resource::new("ekb_network");
    session.apply(&mut again, &adopting).unwrap();
    session.expect_empty(&mut again, &adopting).unwrap();
    session.destroy(&mut again).unwrap();
    account.assert_empty();
}

/// Ranges of a VPC as AWS shows them, but the first.
fn further_ranges(account: &Account, vpc: &str) -> Vec<String> {
    let vpcs = account.ec2("DescribeVpcs", &json!({ "VpcIds": [vpc] }));
    let ranges = vpcs["Vpcs"][0]["CidrBlockAssociationSet"].as_array().unwrap();
    let mut ranges: Vec<String> = ranges
        .iter()
        .map(|range| range["CidrBlock"].as_str().unwrap().to_owned())
        .collect();
    ranges.retain(|range| *range != vpcs["Vpcs"][0]["CidrBlock"]);
    ranges.sort();
    ranges
}

#[test]
fn further_ranges_come_go_and_are_left_to_others() {
    let account = Rig::shared().account();
    let session = Session::new(&account);
    let zone = "eu-central-1a";
    let network = |ranges: &[&str], private: &str, tier: Option<&str>| {
        let mut config = json!({
            "cidr": "10.20.0.0/16", "nat_gateways": "none", "interface_endpoints": ["sts"], "secondary_cidrs": ranges,
            "subnets": { zone: { "private": private } },
        });
        if let Some(tier) = tier {
            config["private_tiers"] = json!({ "pods": { "subnets": { zone: tier } } });
        }
        config
    };
    let mut resource = Resource::new("ekb_network");
    for config in [
        network(&["100.64.0.0/16"], "10.20.0.0/20", Some("100.64.0.0/17")),
        // Another one, and what lies in the first moves to it; the endpoint lets go meanwhile.
        network(
            &["10.21.0.0/16", "100.64.0.0/16"],
            "100.64.128.0/17",
            Some("100.64.0.0/17"),
        ),
        network(&["10.21.0.0/16"], "10.21.0.0/20", Some("10.21.128.0/20")),
        // A tier goes with its range.
        network(
            &["10.21.0.0/16", "10.22.0.0/16"],
            "10.21.0.0/20",
            Some("10.22.0.0/20"),
        ),
        network(&["10.21.0.0/16"], "10.21.0.0/20", None),
    ] {
        session.apply(&mut resource, &config).unwrap();
        session.expect_empty(&mut resource, &config).unwrap();
        let vpc = resource.get("vpc_id").as_str().unwrap();
        let should: Vec<&str> = config["secondary_cidrs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r.as_str().unwrap())
            .collect();
        assert_eq!(further_ranges(&account, vpc), should);
    }
    let vpc = resource.get("vpc_id").as_str().unwrap().to_owned();
    let config = network(&["10.21.0.0/16"], "10.21.0.0/20", None);
    // What others add stays, also when ours changes.
    account.ec2(
        "AssociateVpcCidrBlock",
        &json!({ "VpcId": vpc, "CidrBlock": "100.65.0.0/16" }),
    );
    session.expect_empty(&mut resource, &config).unwrap();
    let more = network(&["10.21.0.0/16", "10.22.0.0/16"], "10.21.0.0/20", None);
    session.apply(&mut resource, &more).unwrap();
    assert_eq!(
        further_ranges(&account, &vpc),
        ["10.21.0.0/16", "10.22.0.0/16", "100.65.0.0/16"]
    );
    // An import takes all that there are.
    for id in ["test/test", vpc.as_str()] {
        let mut imported = Resource::new("ekb_network");
        session.import(&mut imported, id).unwrap();
        assert_eq!(
            imported.get("secondary_cidrs"),
            &json!(["10.21.0.0/16", "10.22.0.0/16", "100.65.0.0/16"])
        );
    }
    let refusal = |resource: &mut Resource, config: &Json| match session.plan(resource, config) {
        Ok(plan) => panic!("it is not refused: {plan}"),
        Err(error) => error.to_string(),
    };
    // A range in which others have subnets is not taken away; which ones, the plan says.
    let subnet = account.ec2(
        "CreateSubnet",
        &json!({ "VpcId": vpc, "CidrBlock": "10.22.0.0/24", "TagSpecifications":
            [{ "ResourceType": "subnet", "Tags": [{ "Key": "Name", "Value": "theirs" }] }] }),
    );
    let subnet = subnet["Subnet"]["SubnetId"].as_str().unwrap();
    let refused = refusal(&mut resource, &config);
    assert!(
        refused.contains("EKB2126") && refused.contains(subnet) && refused.contains("\"theirs\""),
        "{refused}"
    );
    account.ec2("DeleteSubnet", &json!({ "SubnetId": subnet }));
    // So is one in which ours are to stay.
    let refused = refusal(&mut resource, &network(&["10.22.0.0/16"], "10.21.0.0/20", None));
    assert!(
        refused.contains("EKB2126") && refused.contains("the private subnet of eu-central-1a"),
        "{refused}"
    );
    session.destroy(&mut resource).unwrap();
    account.assert_empty();
}

#[test]
fn an_endpoint_has_addresses_where_its_service_is_offered() {
    let account = Rig::shared().account();
    let session = Session::new(&account);
    let network = |services: &[&str], chosen: Json| {
        json!({ "cidr": "10.20.0.0/16", "nat_gateways": "none", "availability_zones": ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
            "interface_endpoints": services,
            "interface_endpoint_zones": chosen })
    };
    let (a, b, c) = ("eu-central-1a", "eu-central-1b", "eu-central-1c");
    let mut resource = Resource::new("ekb_network");
    let refused =
        |resource: &mut Resource, config: &Json| session.plan(resource, config).unwrap_err().to_string();
    let said = refused(&mut resource, &network(&["transcribe", "sts"], Json::Null));
    assert!(
        said.contains("EKB2125")
            && said.contains("not offer `transcribe` in eu-central-1c, only in eu-central-1a, eu-central-1b")
            && said.contains(
                r#"`interface_endpoint_zones = { "transcribe" = ["eu-central-1a", "eu-central-1b"] }`"#
            ),
        "{said}"
    );
    let said = refused(&mut resource, &network(&["trascribe"], Json::Null));
    assert!(said.contains("EKB2123") && said.contains("`trascribe`"), "{said}");
    let said = refused(
        &mut resource,
        &network(&["sts"], json!({ "logs": [a], "sts": ["eu-central-1z"] })),
    );
    assert!(
        said.contains("EKB2124") && said.contains("`logs`") && said.contains("eu-central-1z"),
        "{said}"
    );
    let addresses = |resource: &Resource, service: &str| {
        let id = &resource.get("ids")[format!("interface_endpoint/{service}")];
        let found = account.ec2("DescribeVpcEndpoints", &json!({ "VpcEndpointIds": [id] }));
        (
            id.clone(),
            found["VpcEndpoints"][0]["SubnetIds"].as_array().unwrap().len(),
        )
    };
    let config = network(&["transcribe", "sts"], json!({ "transcribe": [a, b] }));
    session.apply(&mut resource, &config).unwrap();
    session.expect_empty(&mut resource, &config).unwrap();
    let (id, count) = addresses(&resource, "transcribe");
    assert_eq!((count, addresses(&resource, "sts").1), (2, 3));
    // What the state has is not looked up again, also where the service has gone from a zone since.
    account.clear_log();
    let tagged = with(&config, "tags", json!({ "a": "1" }));
    session.plan(&mut resource, &tagged).unwrap();
    let asked = account
        .log()
        .iter()
        .any(|call| call.operation == "DescribeVpcEndpointServices");
    assert!(!asked);
    // It shrinks and grows in place; an import knows its zones.
    for (chosen, counts) in [
        (json!({ "transcribe": [b], "sts": [a, c] }), (1, 2)),
        (json!({ "transcribe": [a, b] }), (2, 3)),
    ] {
        let config = network(&["transcribe", "sts"], chosen.clone());
        session.apply(&mut resource, &config).unwrap();
        session.expect_empty(&mut resource, &config).unwrap();
        let now = addresses(&resource, "transcribe");
        assert_eq!((now.1, addresses(&resource, "sts").1), counts);
        assert_eq!(now.0, id);
        let mut imported = Resource::new("ekb_network");
        session.import(&mut imported, "test/test").unwrap();
        assert_eq!(imported.get("interface_endpoint_zones"), &chosen);
        session.expect_empty(&mut imported, &config).unwrap();
    }
    session.destroy(&mut resource).unwrap();
    account.assert_empty();
}
