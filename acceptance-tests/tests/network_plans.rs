//! What plans of `ekb_network` say: what exists keeps its ids, whatever is not known; what goes is named.

use std::collections::BTreeSet;

use acceptance_tests::cuts::is_sweep;
use acceptance_tests::{Cli, Plan, Workspace};
use serde_json::Value;

const ADDRESS: &str = "ekb_network.main";

/// An argument of `ekb_network`, or one inside of it.
struct Argument {
    /// `flow_logs.destination`
    name: String,
    /// The line that gives it a value that is not known yet.
    line: String,
}

/// Something of any type whose value is known only after apply; as the text `sts`.
const LATER: &str = "jsondecode(terraform_data.later.output)";
const LATER_TEXT: &str = "terraform_data.later.output";

/// Every way in which an argument may be unknown, from the schema: as a whole, an element of it, an attribute in it.
fn arguments(schema: &Value) -> Vec<Argument> {
    let mut found = Vec::new();
    let mut add = |name: String, line: String| found.push(Argument { name, line });
    for (name, attribute) in attributes(schema) {
        if attribute["optional"] != true && attribute["required"] != true {
            continue;
        }
        add(name.clone(), format!("{name} = {LATER}"));
        match attribute["type"][0].as_str() {
            Some("map") if name == "nat_allocation_ids" => add(
                format!("{name}[…]"),
                format!("{name} = {{ \"eu-central-1a\" = {LATER} }}"),
            ),
            Some("map") if name == "interface_endpoint_zones" => add(
                format!("{name}[…]"),
                format!("interface_endpoints = [\"sts\"]\n{name} = {{ sts = {LATER} }}"),
            ),
            Some("map") => add(
                format!("{name}[…]"),
                format!("{name} = {{ known = \"x\", later = {LATER} }}"),
            ),
            Some("list" | "set") => add(format!("{name}[…]"), format!("{name} = [{LATER}]")),
            _ => {}
        }
        let inner = attribute["nested_type"]["attributes"].as_object();
        for one in inner.into_iter().flatten().map(|(one, _)| one) {
            let object = sample(name, one);
            add(format!("{name}.{one}"), format!("{name} = {object}"));
        }
    }
    found
}

/// A nested argument of which one attribute is not known yet.
fn sample(name: &str, unknown: &str) -> String {
    let value = |one: &str, known: &str| {
        let value = if one == unknown { LATER } else { known };
        format!("{one} = {value}")
    };
    match name {
        "flow_logs" => {
            let mut attributes = vec![value("destination", "\"cloudwatch\"")];
            if unknown != "destination" {
                attributes.push(value(unknown, LATER));
            }
            format!("{{ {} }}", attributes.join(", "))
        }
        "subnets" => format!(
            "{{\n \"eu-central-1a\" = {{ {}, {} }}\n \"eu-central-1b\" = {{ public = \"10.20.196.0/22\", private = \
             \"10.20.32.0/19\" }}\n}}",
            value("public", "\"10.20.192.0/22\""),
            value("private", "\"10.20.0.0/19\"")
        ),
        "private_tiers" => {
            let known = if unknown == "slot" { "" } else { "slot = 1, " };
            format!("{{ later = {{ {known}{} }} }}", value(unknown, LATER))
        }
        _ => panic!("a sample of `{name}` is missing here"),
    }
}

fn attributes(schema: &Value) -> Vec<(&String, &Value)> {
    let providers = schema["provider_schemas"].as_object().into_iter().flatten();
    let networks = providers.map(|(_, provider)| &provider["resource_schemas"]["ekb_network"]["block"]);
    networks
        .filter_map(|block| block["attributes"].as_object())
        .flatten()
        .collect()
}

/// What others read, and what follows from arguments alone.
fn outputs(schema: &Value) -> Vec<String> {
    let computed = attributes(schema)
        .into_iter()
        .filter(|(_, attribute)| attribute["computed"] == true);
    computed.map(|(name, _)| name.clone()).collect()
}

/// A consumer of each output, and of some elements: it is replaced when what it reads changes, or may.
fn consumers(outputs: &[String]) -> String {
    let elements = [
        ("first_private", "private_subnet_ids[0]"),
        ("zone_private", "private_subnet_ids_by_zone[\"eu-central-1a\"]"),
        ("zone_nat", "nat_public_ips_by_zone[\"eu-central-1a\"]"),
        ("first_nat", "nat_public_ips[0]"),
    ];
    let there = |(_, what): &(&str, &str)| outputs.iter().any(|name| what.split('[').next() == Some(name));
    let all = outputs.iter().map(|name| (name.as_str(), name.as_str()));
    let all = all.chain(elements.into_iter().filter(there));
    all.map(|(name, what)| {
        format!("resource \"terraform_data\" \"{name}\" {{\n triggers_replace = [{ADDRESS}.{what}]\n}}\n")
    })
    .collect()
}

/// The consumers that the plan replaces.
fn replaced(plan: &Plan) -> BTreeSet<String> {
    let changes = plan.changes();
    let replaced = changes.iter().filter(|(_, change)| change.action() == "replace");
    replaced
        .map(|(address, _)| address.trim_start_matches("terraform_data.").to_owned())
        .collect()
}

/// What may follow from an argument that is not known: all else stays.
fn may_follow(argument: &str) -> Vec<&'static str> {
    // Which parts there are is not known, so neither are the keys of these.
    const PARTS: [&str; 2] = ["ids", "objects"];
    const PUBLIC: [&str; 3] = ["public_subnet_ids", "public_subnet_ids_by_zone", "public_subnets"];
    const PRIVATE: [&str; 6] = [
        "private_subnet_ids",
        "private_subnet_ids_by_zone",
        "private_subnets",
        "private_route_table_ids_by_zone",
        "first_private",
        "zone_private",
    ];
    const NATS: [&str; 4] = [
        "nat_public_ips",
        "nat_public_ips_by_zone",
        "first_nat",
        "zone_nat",
    ];
    const TIERS: [&str; 3] = [
        "private_tier_subnet_ids",
        "private_tier_subnets",
        "private_tier_route_table_ids",
    ];
    let sets: &[&[&str]] = match argument {
        "availability_zones" | "availability_zones[…]" | "zone_count" | "subnets" => {
            &[&PARTS, &PUBLIC, &PRIVATE, &NATS, &["availability_zones"]]
        }
        // A subnet whose range is not known may be made anew, with the gateway in it; its address stays.
        "subnets.public" => &[&PARTS, &PUBLIC],
        "subnets.private" => &[&PARTS, &PRIVATE],
        "nat_gateways" => &[&PARTS, &NATS, &["nat_gateways", "nat_zone"]],
        "nat_zone" => &[&PARTS, &NATS, &["nat_zone"]],
        // Another address is another gateway.
        name if name.starts_with("nat_allocation_ids") => &[&PARTS, &NATS],
        "tags" => &[&PARTS, &["tags_all", "default_tags"]],
        "tags[…]" => &[&["tags_all"]],
        "secondary_cidrs" | "secondary_cidrs[…]" => &[&["objects"]],
        "cluster_name" => &[&["objects", "cluster_name"]],
        name if name.starts_with("private_tiers") => &[&PARTS, &TIERS],
        "s3_endpoint" => &[&PARTS, &["s3_endpoint"]],
        // It changes no part.
        "flow_logs.retain_logs" => &[],
        "flow_logs.retention_days" => &[&["objects"]],
        // What is new says nothing about what there is.
        _ => &[&PARTS],
    };
    sets.iter().flat_map(|set| set.iter().copied()).collect()
}

#[test]
fn what_exists_keeps_its_ids_whichever_argument_is_unknown() {
    Workspace::on_every_cli(|workspace, account| {
        let schema = workspace.schema();
        let consumers = consumers(&outputs(&schema));
        let write = |line: &str, later: bool| {
            // Flow logs that exist: what is unknown in them may make them anew.
            let logs = if line.starts_with("flow_logs") {
                ""
            } else {
                "flow_logs = { destination = \"cloudwatch\" }"
            };
            let cidr = if line.starts_with("cidr") {
                ""
            } else {
                "cidr = \"10.20.0.0/16\""
            };
            let zones = ["availability_zones", "zone_count", "subnets"];
            let zones = if zones.iter().any(|zone| line.starts_with(zone)) {
                ""
            } else {
                "zone_count = 2"
            };
            let later = if later {
                "resource \"terraform_data\" \"later\" {\n input = \"null\"\n}\n"
            } else {
                ""
            };
            workspace.write(
                "main.tf",
                &format!(
                    "{consumers}{later}resource \"ekb_network\" \"main\" {{\n{cidr}\n{zones}\n{logs}\n{line}\n}}\n"
                ),
            );
        };
        write("", false);
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        // Each argument on some command line; on every one in a sweep.
        let is_mine = |n| is_sweep() || Cli::in_turn(n).name == workspace.cli().name;
        let all = arguments(&schema).into_iter().enumerate();
        for (_, Argument { name, line }) in all.filter(|(n, _)| is_mine(*n)) {
            write(&line, true);
            let plan = workspace.plan_with(&["-refresh=false"]).ok();
            let top = name.split(['.', '[']).next().unwrap();
            let is_replace = plan.action(ADDRESS) == "replace";
            assert_eq!(
                is_replace,
                ["cidr", "name", "region"].contains(&top),
                "{name}: {}",
                plan.run.stdout
            );
            if is_replace {
                continue;
            }
            let allowed: BTreeSet<String> = may_follow(&name).into_iter().map(str::to_owned).collect();
            let unexpected: Vec<String> = replaced(&plan).difference(&allowed).cloned().collect();
            assert_eq!(unexpected, [""; 0], "{name} unknown: {}", plan.run.stdout);
        }
        write("", true);
        for (what, provider) in [
            (
                "a default tag",
                format!("default_tags {{\n tags = {{ later = {LATER} }}\n}}"),
            ),
            ("default tags", format!("default_tags {{\n tags = {LATER}\n}}")),
            ("ignored tags", format!("ignore_tags {{\n keys = [{LATER}]\n}}")),
        ] {
            let unknown = Workspace::new(workspace.cli(), account).provider_also(&provider);
            for file in ["main.tf", "terraform.tfstate"] {
                unknown.write(file, &workspace.read(file).unwrap());
            }
            let plan = unknown.plan().ok();
            assert_eq!(plan.action(ADDRESS), "update", "{what}");
            let allowed = may_follow("tags").into_iter().map(str::to_owned).collect();
            let unexpected: Vec<String> = replaced(&plan).difference(&allowed).cloned().collect();
            assert_eq!(unexpected, [""; 0], "{what} unknown: {}", plan.run.stdout);
        }
        workspace.remove("main.tf");
        workspace.apply().ok();
        account.assert_empty();
    });
}

#[test]
fn an_unknown_argument_is_applied_as_it_was_planned() {
    Workspace::in_turn(2, |workspace, account| {
        let network = |arguments: &str| {
            format!(
                "resource \"ekb_network\" \"main\" {{\n cidr = \"10.20.0.0/16\"\n zone_count = 2\n{arguments}\n}}\n"
            )
        };
        workspace.write("main.tf", &network(""));
        workspace.apply().ok();
        let before = workspace.resource(ADDRESS).unwrap();
        let arguments = format!(
            "flow_logs = {{ destination = {LATER_TEXT} == \"sts\" ? \"cloudwatch\" : \"s3\" }}\n interface_endpoints = [{LATER_TEXT}]\n \
             nat_gateways = {LATER_TEXT} == \"sts\" ? \"single\" : \"none\"\n cluster_name = {LATER_TEXT}\n tags = {{ at = \
             timestamp(), gone = {LATER_TEXT} == \"sts\" ? null : \"x\", kept = \"1\" }}\n"
        );
        let later = "resource \"terraform_data\" \"later\" {\n input = \"sts\"\n}\n";
        workspace.write("main.tf", &format!("{later}{}", network(&arguments)));
        let plan = workspace.plan().ok().assert_changes();
        let after = plan.change(ADDRESS).after;
        assert_eq!(after["vpc_id"], before["vpc_id"]);
        assert_eq!(after["private_subnet_ids"], before["private_subnet_ids"]);
        workspace.apply_plan(&plan).ok();
        let state = workspace.resource(ADDRESS).unwrap();
        assert_eq!(state["ids"]["vpc"], before["vpc_id"]);
        assert_eq!(state["nat_public_ips"].as_array().unwrap().len(), 1);
        assert!(state["ids"]["interface_endpoint/sts"].is_string());
        let vpc = account.ec2(
            "DescribeVpcs",
            &serde_json::json!({ "VpcIds": [state["vpc_id"]] }),
        );
        let text = vpc["Vpcs"][0]["Tags"].to_string();
        assert!(text.contains("kept") && !text.contains("gone"), "{text}");
        workspace.destroy().ok();
        account.assert_empty();
    });
}

#[test]
fn lists_and_maps_grow_and_shrink_around_known_elements() {
    Workspace::in_turn(0, |workspace, account| {
        let zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"];
        let write = |zones: &[&str], more: &str| {
            workspace.write(
                "main.tf",
                &format!(
                    "resource \"ekb_network\" \"main\" {{\n cidr = \"10.20.0.0/16\"\n availability_zones = {zones:?}\n{more}\n}}\n\
                     resource \"terraform_data\" \"zone\" {{\n for_each = {ADDRESS}.private_subnet_ids_by_zone\n \
                     triggers_replace = [each.value, {ADDRESS}.nat_public_ips_by_zone[each.key], \
                     {ADDRESS}.public_subnet_ids_by_zone[each.key], {ADDRESS}.private_route_table_ids_by_zone[each.key]]\n}}\n\
                     resource \"terraform_data\" \"first\" {{\n triggers_replace = [{ADDRESS}.private_subnet_ids[0], \
                     {ADDRESS}.public_subnet_ids[0], {ADDRESS}.nat_public_ips[0]]\n}}\n"
                ),
            );
        };
        write(&zones[..2], "");
        workspace.apply().ok();
        for (what, zones, changed) in [
            (
                "grow",
                &zones[..],
                vec!["create terraform_data.zone[\"eu-central-1c\"]"],
            ),
            (
                "shrink",
                &zones[..2],
                vec!["delete terraform_data.zone[\"eu-central-1c\"]"],
            ),
            (
                "shrink at the beginning",
                &zones[1..2],
                vec![
                    "replace terraform_data.first",
                    "delete terraform_data.zone[\"eu-central-1a\"]",
                ],
            ),
        ] {
            write(zones, "");
            let plan = workspace.plan().ok().assert_changes();
            let changes = plan.changes();
            let found: Vec<String> = changes
                .iter()
                .filter(|(address, change)| *address != ADDRESS && change.action() != "no-op")
                .map(|(address, change)| format!("{} {address}", change.action()))
                .collect();
            assert_eq!(found, changed, "{what}");
            let text = plan.run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
            if zones.len() < 3 {
                let lost = "Parts of the network are deleted";
                assert!(
                    text.contains(lost) && text.contains("Its public address is lost"),
                    "{text}"
                );
            }
            workspace.apply_plan(&plan).ok();
            workspace.plan().ok().assert_empty();
        }
        for endpoints in ["[\"sts\"]", "[\"ecr.api\", \"sts\"]", "[\"ecr.api\"]"] {
            let before = workspace.resource(ADDRESS).unwrap();
            write(&zones[1..2], &format!("interface_endpoints = {endpoints}"));
            let plan = workspace.plan().ok().assert_changes();
            let ids = plan.change(ADDRESS).after["ids"].clone();
            for (key, id) in ids.as_object().unwrap().iter().filter(|(_, id)| id.is_string()) {
                assert_eq!(before["ids"][key], *id);
            }
            let known = ids
                .as_object()
                .unwrap()
                .keys()
                .filter(|key| before["ids"][*key].is_string())
                .count();
            let still: Vec<&String> = before["ids"].as_object().unwrap().keys().collect();
            let gone = still
                .iter()
                .filter(|key| plan.change(ADDRESS).after["objects"].get(key.as_str()).is_none());
            assert_eq!(known, still.len() - gone.count(), "{endpoints}: {ids}");
            workspace.apply_plan(&plan).ok();
        }
        workspace.destroy().ok();
        account.assert_empty();
    });
}

#[test]
fn ignored_tags_are_left_alone() {
    Workspace::in_turn(1, |workspace, account| {
        let network = |tags: &str| {
            format!(
                "resource \"ekb_network\" \"main\" {{\n cidr = \"10.20.0.0/16\"\n zone_count = 1\n nat_gateways = \"none\"\n tags = {tags}\n}}\n"
            )
        };
        let tags = "{ cost = \"42\", team = \"core\", \"audit/by\" = \"us\" }";
        workspace.write("main.tf", &network(tags));
        workspace.apply().ok();
        let state = workspace.resource(ADDRESS).unwrap();
        let all: Vec<String> = ["vpc", "private_subnet/eu-central-1a", "public_routes"]
            .map(|key| state["ids"][key].as_str().unwrap().to_owned())
            .into();
        let changed = serde_json::json!([
            { "Key": "cost", "Value": "43" }, { "Key": "audit/by", "Value": "them" }, { "Key": "Name", "Value": "theirs" }
        ]);
        account.ec2(
            "CreateTags",
            &serde_json::json!({ "Resources": all, "Tags": changed }),
        );
        let ignoring = Workspace::new(workspace.cli(), account)
            .provider_also("ignore_tags {\n keys = [\"cost\", \"Name\"]\n key_prefixes = [\"audit/\"]\n}");
        let theirs = || {
            let found = account.ec2("DescribeSubnets", &serde_json::json!({ "SubnetIds": [all[1]] }));
            let vpc = account.ec2("DescribeVpcs", &serde_json::json!({ "VpcIds": [all[0]] }));
            for text in [
                found["Subnets"][0]["Tags"].to_string(),
                vpc["Vpcs"][0]["Tags"].to_string(),
            ] {
                for value in ["\"43\"", "\"them\"", "\"theirs\""] {
                    assert!(text.contains(value), "{value} in {text}");
                }
            }
        };
        ignoring.write("terraform.tfstate", &workspace.read("terraform.tfstate").unwrap());
        // Declared still, taken away, and taken away together with a tag that is not ignored.
        for tags in [tags, "{ team = \"core\" }", "{}"] {
            ignoring.write("main.tf", &network(tags));
            ignoring.apply().ok();
            theirs();
            ignoring.plan().ok().assert_empty();
        }
        account.clear_log();
        ignoring.destroy().ok();
        account.assert_empty();
    });
}

#[test]
fn the_users_tags_are_shown_nowhere_and_their_drift_is_mended() {
    Workspace::in_turn(2, |workspace, account| {
        let write = |value: &str, more: &str| {
            workspace.write(
                "main.tf",
                &format!(
                    "variable \"tag\" {{\n default = \"{value}\"\n sensitive = true\n}}\n\
                     resource \"ekb_network\" \"main\" {{\n cidr = \"10.20.0.0/16\"\n zone_count = 1\n nat_gateways = \
                     \"none\"\n tags = {{ secret = var.tag, nothing = null{more} }}\n}}\n"
                ),
            );
        };
        let hidden = |plan: &Plan| {
            let text = format!("{}", plan.run);
            assert!(!text.contains("s3cret"), "{text}");
        };
        write("s3cret-1", "");
        let plan = workspace.plan().ok();
        hidden(&plan);
        let run = workspace.apply_plan(&plan).ok();
        assert!(!format!("{run}").contains("s3cret"), "{run}");
        workspace.plan().ok().assert_empty();
        let state = workspace.resource(ADDRESS).unwrap();
        assert!(!state["objects"].to_string().contains("s3cret"));
        let vpc = state["vpc_id"].clone();
        let tags = || {
            account.ec2("DescribeVpcs", &serde_json::json!({ "VpcIds": [vpc] }))["Vpcs"][0]["Tags"]
                .to_string()
        };
        assert!(
            tags().contains("s3cret-1") && !tags().contains("nothing"),
            "{}",
            tags()
        );

        let outside = serde_json::json!([{ "Key": "secret", "Value": "other" }]);
        account.ec2(
            "CreateTags",
            &serde_json::json!({ "Resources": [vpc], "Tags": outside }),
        );
        let plan = workspace.plan().ok().assert_changes();
        hidden(&plan);
        let drift = plan.change(ADDRESS).before["drift"].to_string();
        assert!(
            drift.contains("vpc: tags secret: is not what it should be"),
            "{drift}"
        );
        workspace.apply_plan(&plan).ok();
        assert!(tags().contains("s3cret-1"), "{}", tags());

        // One more tag is one line of the plan, and no part's.
        write("s3cret-2", ", more = \"x\"");
        let plan = workspace.plan().ok().assert_changes();
        hidden(&plan);
        let change = plan.change(ADDRESS);
        assert_eq!(change.before["objects"], change.after["objects"]);
        workspace.apply_plan(&plan).ok();
        assert!(
            tags().contains("s3cret-2") && tags().contains("more"),
            "{}",
            tags()
        );
        write("s3cret-2", "");
        workspace.apply().ok();
        assert!(!tags().contains("more"), "{}", tags());
        workspace.destroy().ok();
        account.assert_empty();
    });
}
