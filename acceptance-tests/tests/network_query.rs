//! `terraform query` and generated configurations for `ekb_network`: what exists is found, and can be taken over.
#![expect(
    clippy::expect_used,
    reason = "helpers of tests fail by panicking, as the tests do"
)]

use acceptance_tests::{Account, Cli, Fault, Rig, Session, Workspace};
use conformance::Resource;
use serde_json::{Value, json};

fn network(arguments: &str) -> String {
    format!("resource \"ekb_network\" \"main\" {{\n{arguments}\n}}\n")
}

fn list(arguments: &str) -> String {
    format!("list \"ekb_network\" \"all\" {{\n  provider = ekb\n{arguments}\n}}\n")
}

/// A command line that has `query`.
fn workspace() -> (Workspace, Account) {
    let cli = Cli::named("terraform-1.15").expect("only Terraform 1.14 and newer has query");
    let account = Rig::shared().account();
    (Workspace::new(&cli, &account), account)
}

fn query(workspace: &Workspace, arguments: &str) -> String {
    workspace.write("all.tfquery.hcl", &list(arguments));
    workspace.run(&["query", "-no-color"]).ok().stdout
}

/// A network of this name in the account, and no state of it.
fn leave(workspace: &Workspace, name: &str, arguments: &str, interrupted_at: Option<usize>) {
    workspace.write("main.tf", &network(&format!("name = \"{name}\"\n{arguments}")));
    match interrupted_at {
        Some(call) => {
            workspace
                .account()
                .fault(&Fault::kill_before().mutating().nth(call));
            workspace.apply().failed();
            workspace.account().clear_faults();
        }
        None => {
            workspace.apply().ok();
        }
    }
    workspace.remove("terraform.tfstate");
    workspace.remove("main.tf");
}

const SMALL: &str = "cidr = \"10.20.0.0/16\"\nzone_count = 1\nnat_gateways = \"none\"";

#[test]
fn query_lists_what_exists_and_what_an_interrupted_run_left() {
    let (w, _account) = workspace();
    leave(&w, "whole", SMALL, None);
    leave(&w, "half", SMALL, Some(4));
    let text = query(&w, "");
    assert!(text.contains("name=whole,region=eu-central-1"), "{text}");
    assert!(text.contains("name=half,region=eu-central-1"), "{text}");
    assert!(
        text.contains(" half vpc-") && text.contains(" incomplete"),
        "{text}"
    );
    assert!(
        text.contains("EKB2024") && text.contains("Import it as test/half"),
        "{text}"
    );

    let text = query(&w, "config {\n  status = \"complete\"\n}");
    assert!(text.contains("whole") && !text.contains("half"), "{text}");
    let text = query(&w, "limit = 1");
    assert!(
        text.contains("half") && !text.contains("whole"),
        "sorted by name: {text}"
    );
    let text = query(&w, "config {\n  region = \"eu-west-1\"\n}");
    assert!(
        !text.contains("half") && !text.contains("whole"),
        "another region: {text}"
    );
    w.write("all.tfquery.hcl", &list("config {\n  region = \"nowhere\"\n}"));
    let refused = w.run(&["query", "-no-color"]).failed();
    assert!(format!("{refused}").contains("nowhere"), "{refused}");
}

#[test]
fn what_an_interrupted_run_left_is_imported_from_the_query_and_completed() {
    let (w, account) = workspace();
    leave(&w, "half", SMALL, Some(8));
    w.write("all.tfquery.hcl", &list("config {\n  status = \"incomplete\"\n}"));
    w.run(&["query", "-no-color", "-generate-config-out=found.tf"])
        .ok();
    w.remove("all.tfquery.hcl");
    let found = w.read("found.tf").expect("a configuration was generated");
    let applied = w.apply().ok();
    assert!(applied.stdout.contains("1 imported"), "{found}\n{applied}");
    w.plan().assert_empty();
    w.destroy().ok();
    account.assert_empty();
}

/// What plain AWS calls build, as others do: no tag of ours.
struct Built<'a> {
    account: &'a Account,
    vpc: String,
    gateway: String,
}

impl<'a> Built<'a> {
    fn call(account: &Account, operation: &str, params: Value, id: &str) -> String {
        let made = account.ec2(operation, &params);
        made.pointer(id)
            .and_then(Value::as_str)
            .expect("an id")
            .to_owned()
    }

    fn vpc(account: &'a Account, cidr: &str) -> Self {
        let vpc = Self::call(account, "CreateVpc", json!({ "CidrBlock": cidr }), "/Vpc/VpcId");
        let id = "/InternetGateway/InternetGatewayId";
        let gateway = Self::call(account, "CreateInternetGateway", json!({}), id);
        let attach = json!({ "VpcId": vpc, "InternetGatewayId": gateway });
        account.ec2("AttachInternetGateway", &attach);
        Self {
            account,
            vpc,
            gateway,
        }
    }

    fn names(self) -> Self {
        let on = json!({ "VpcId": self.vpc, "EnableDnsHostnames": { "Value": true } });
        self.account.ec2("ModifyVpcAttribute", &on);
        self
    }

    fn subnet(&self, zone: &str, cidr: &str, gives_addresses: bool) -> String {
        let zone = format!("{}{zone}", Account::REGION);
        let params = json!({ "VpcId": self.vpc, "CidrBlock": cidr, "AvailabilityZone": zone });
        let subnet = Self::call(self.account, "CreateSubnet", params, "/Subnet/SubnetId");
        if gives_addresses {
            let on = json!({ "SubnetId": subnet, "MapPublicIpOnLaunch": { "Value": true } });
            self.account.ec2("ModifySubnetAttribute", &on);
        }
        subnet
    }

    fn nat(&self, subnet: &str) -> String {
        let address = Self::call(
            self.account,
            "AllocateAddress",
            json!({ "Domain": "vpc" }),
            "/AllocationId",
        );
        let params = json!({ "SubnetId": subnet, "AllocationId": address });
        Self::call(
            self.account,
            "CreateNatGateway",
            params,
            "/NatGateway/NatGatewayId",
        )
    }

    /// A route table of these subnets that leads out by the target, if there is one.
    fn table(&self, subnets: &[&String], target: Option<&String>) -> String {
        let params = json!({ "VpcId": self.vpc });
        let table = Self::call(
            self.account,
            "CreateRouteTable",
            params,
            "/RouteTable/RouteTableId",
        );
        if let Some(target) = target {
            let kind = if target.starts_with("nat-") {
                "NatGatewayId"
            } else {
                "GatewayId"
            };
            let route = json!({ "RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", kind: target });
            self.account.ec2("CreateRoute", &route);
        }
        for subnet in subnets {
            self.account.ec2(
                "AssociateRouteTable",
                &json!({ "RouteTableId": table, "SubnetId": subnet }),
            );
        }
        table
    }

    fn gateway_endpoint(&self, service: &str, tables: &[&String]) {
        let name = format!("com.amazonaws.{}.{service}", Account::REGION);
        let params = json!({ "VpcId": self.vpc, "ServiceName": name, "RouteTableIds": tables });
        self.account.ec2("CreateVpcEndpoint", &params);
    }
}

/// As the console's "VPC and more": two zones, a NAT gateway in each, an endpoint for S3.
fn by_the_console(account: &Account) -> String {
    let built = Built::vpc(account, "10.0.0.0/16").names();
    let (mut public, mut private) = (Vec::new(), Vec::new());
    for (n, zone) in ["a", "b"].iter().enumerate() {
        public.push(built.subnet(zone, &format!("10.0.{}.0/20", n * 16), false));
        private.push(built.subnet(zone, &format!("10.0.{}.0/20", 128 + n * 16), false));
    }
    let nats: Vec<String> = public.iter().map(|subnet| built.nat(subnet)).collect();
    account.advance(600.0);
    built.table(&public.iter().collect::<Vec<_>>(), Some(&built.gateway));
    let tables: Vec<String> = private
        .iter()
        .zip(&nats)
        .map(|(subnet, nat)| built.table(&[subnet], Some(nat)))
        .collect();
    built.gateway_endpoint("s3", &tables.iter().collect::<Vec<_>>());
    built.vpc
}

/// As eksctl: three zones, one NAT gateway, a private route table for each zone.
fn by_eksctl(account: &Account) -> String {
    let built = Built::vpc(account, "192.168.0.0/16").names();
    let (mut public, mut private) = (Vec::new(), Vec::new());
    for (n, zone) in ["a", "b", "c"].iter().enumerate() {
        public.push(built.subnet(zone, &format!("192.168.{}.0/19", n * 32), true));
        private.push(built.subnet(zone, &format!("192.168.{}.0/19", 96 + n * 32), false));
    }
    let nat = built.nat(&public[1]);
    account.advance(600.0);
    built.table(&public.iter().collect::<Vec<_>>(), Some(&built.gateway));
    private
        .iter()
        .for_each(|subnet| _ = built.table(&[subnet], Some(&nat)));
    built.vpc
}

/// As terraform-aws-vpc with one NAT gateway: one private route table, further private subnets for databases, a further
/// range, flow logs to a log group of its own name, endpoints behind a group of their own.
fn by_a_module(account: &Account) -> String {
    let built = Built::vpc(account, "10.40.0.0/16").names();
    account.ec2(
        "AssociateVpcCidrBlock",
        &json!({ "VpcId": built.vpc, "CidrBlock": "100.64.0.0/16" }),
    );
    account.advance(60.0);
    let (mut public, mut private) = (Vec::new(), Vec::new());
    for (n, zone) in ["a", "b"].iter().enumerate() {
        private.push(built.subnet(zone, &format!("10.40.{}.0/24", n + 1), false));
        public.push(built.subnet(zone, &format!("10.40.{}.0/24", n + 101), false));
    }
    let databases: Vec<String> = ["a", "b"]
        .iter()
        .enumerate()
        .map(|(n, zone)| built.subnet(zone, &format!("10.40.{}.0/24", n + 21), false))
        .collect();
    let nat = built.nat(&public[0]);
    account.advance(600.0);
    built.table(&public.iter().collect::<Vec<_>>(), Some(&built.gateway));
    let all: Vec<&String> = private.iter().chain(&databases).collect();
    let table = built.table(&all, Some(&nat));
    built.gateway_endpoint("s3", &[&table]);
    built.gateway_endpoint("dynamodb", &[&table]);
    let group = json!({ "VpcId": built.vpc, "GroupName": "vpc-endpoints", "Description": "theirs" });
    let group = Built::call(account, "CreateSecurityGroup", group, "/GroupId");
    let endpoint = json!({ "VpcId": built.vpc, "ServiceName": format!("com.amazonaws.{}.ecr.api", Account::REGION),
        "VpcEndpointType": "Interface", "SubnetIds": private, "SecurityGroupIds": [group], "PrivateDnsEnabled": true });
    account.ec2("CreateVpcEndpoint", &endpoint);
    account
        .call(
            "logs",
            Account::REGION,
            "CreateLogGroup",
            &json!({ "logGroupName": "/aws/vpc-flow-log/theirs" }),
        )
        .expect("a log group");
    let logs = json!({ "ResourceIds": [built.vpc], "ResourceType": "VPC", "TrafficType": "ALL",
        "LogGroupName": "/aws/vpc-flow-log/theirs", "DeliverLogsPermissionArn": "arn:aws:iam::123456789012:role/theirs" });
    account.ec2("CreateFlowLogs", &logs);
    built.vpc
}

/// Networks of ours that differ in every argument which an import has to find out.
fn ours(address: &str) -> Vec<(&'static str, Value)> {
    let zones =
        |zones: &[&str]| -> Vec<String> { zones.iter().map(|z| format!("{}{z}", Account::REGION)).collect() };
    let z = |zone: &str| format!("{}{zone}", Account::REGION);
    vec![
        ("basic", json!({ "cidr": "10.20.0.0/16", "zone_count": 2 })),
        (
            "explicit",
            json!({
                "cidr": "10.20.0.0/16", "nat_gateways": "single", "cluster_name": "blue", "s3_endpoint": false,
                "interface_endpoints": ["ecr.api", "ecr.dkr"], "tags": { "team": "platform" },
                "flow_logs": { "destination": "cloudwatch", "retention_days": 30 },
                "subnets": {
                    z("a"): { "public": "10.20.1.0/24", "private": "10.20.16.0/20" },
                    z("b"): { "public": "10.20.2.0/24", "private": "10.20.32.0/20" },
                },
            }),
        ),
        (
            "private-zones",
            json!({
                "cidr": "10.20.0.0/16", "flow_logs": { "destination": "arn:aws:s3:::logs" },
                "subnets": {
                    z("a"): { "public": "10.20.1.0/24", "private": "10.20.16.0/20" },
                    z("b"): { "private": "10.20.32.0/20" },
                },
            }),
        ),
        (
            "tiers",
            json!({
                "cidr": "10.20.0.0/16", "availability_zones": zones(&["a", "c"]), "nat_gateways": "single", "nat_zone": z("c"),
                "nat_allocation_ids": { z("c"): address }, "interface_endpoints": ["sts"],
                "interface_endpoint_zones": { "sts": zones(&["c"]) }, "secondary_cidrs": ["100.64.0.0/16"],
                "private_tiers": {
                    "database": {}, "vault": { "slot": 1, "nat_route": false },
                    "pods": { "subnets": { z("a"): "100.64.0.0/18", z("c"): "100.64.64.0/18" } },
                },
            }),
        ),
    ]
}

/// The fields of an object without its tags.
fn without_tags(text: &Value) -> Value {
    let mut object: Value = serde_json::from_str(text.as_str().unwrap_or("{}")).expect("JSON");
    object.as_object_mut().and_then(|fields| fields.remove("tags"));
    object
}

/// Terraform 1.14 and newer asks the provider for the configuration; the others derive it from the state. It is valid, and
/// changes nothing but tags of what others built, unless the import says what.
#[test]
fn a_generated_configuration_of_every_shape_is_valid_and_plans_no_change() {
    let account = Rig::shared().account();
    let bucket =
        json!({ "Bucket": "logs", "CreateBucketConfiguration": { "LocationConstraint": Account::REGION } });
    account
        .call("s3", Account::REGION, "CreateBucket", &bucket)
        .expect("a bucket");
    let address = Built::call(
        &account,
        "AllocateAddress",
        json!({ "Domain": "vpc" }),
        "/AllocationId",
    );
    let ours = ours(&address);
    std::thread::scope(|scope| {
        for (name, config) in &ours {
            let account = &account;
            scope.spawn(move || {
                let mut config = config.clone();
                config["name"] = json!(name);
                let mut resource = Resource::new("ekb_network");
                Session::new(account)
                    .apply(&mut resource, &config)
                    .expect("it is made");
            });
        }
    });
    let mut imports: Vec<(String, String)> = ours
        .iter()
        .map(|(name, _)| ((*name).to_owned(), format!("test/{name}")))
        .collect();
    for (name, vpc) in [
        ("console", by_the_console(&account)),
        ("eksctl", by_eksctl(&account)),
        ("module", by_a_module(&account)),
    ] {
        imports.push((name.to_owned(), format!("test/{name}/{vpc}")));
    }
    account.advance(600.0);
    // So many looks at once take longer than a scaled time-out allows.
    account.set_time_scale(10.0);
    let imports: String = imports
        .iter()
        .map(|(name, id)| format!("import {{\n  to = ekb_network.{name}\n  id = \"{id}\"\n}}\n"))
        .collect();
    for cli in Cli::all() {
        let w = Workspace::new(&cli, &account);
        w.write("main.tf", &imports);
        let run = w.plan_only(&["-generate-config-out=generated.tf"]);
        let generated = w.read("generated.tf").unwrap_or_default();
        assert!(matches!(run.code, 0 | 2), "{}: {generated}\n{run}", cli.name);
        let plan = w.plan().ok();
        let said = plan.run.to_string();
        for (name, _) in &ours {
            let change = plan.change(&format!("ekb_network.{name}"));
            assert_eq!(
                change.action(),
                "no-op",
                "{}: {name}: {generated}\n{said}",
                cli.name
            );
        }
        for name in ["console", "eksctl", "module"] {
            let change = plan.change(&format!("ekb_network.{name}"));
            assert_eq!(change.action(), "update", "{}: {name}: {said}", cli.name);
            let drift = change.before["drift"].to_string();
            let (before, after) = (&change.before["objects"], &change.after["objects"]);
            for (key, object) in after.as_object().expect("objects are known") {
                let is_same = without_tags(&before[key]) == without_tags(object);
                assert!(
                    is_same || drift.contains(&format!("\"{key}: ")),
                    "{name}: {key}: {object}\n{drift}"
                );
                // Only what is a matter of this network's own: no gateway, address or subnet is made or goes.
                let kind = key.split('/').next().unwrap_or_default();
                assert!(
                    !before[key].is_null()
                        || (name == "module"
                            && ["private_routes", "endpoint_security_group"].contains(&kind)),
                    "{name}: {key} is made: {said}"
                );
            }
            let gone: Vec<_> = before
                .as_object()
                .expect("objects")
                .keys()
                .filter(|key| after[*key].is_null())
                .collect();
            assert!(gone.is_empty(), "{name}: {gone:?} go: {said}");
        }
        assert!(!said.contains("EKB2045"), "something of others goes: {said}");
        let text = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for what in [
            "(10.40.21.0/24 in eu-central-1a)",
            "(10.40.22.0/24 in eu-central-1b)",
            "log group /aws/vpc-flow-log/theirs",
            "for com.amazonaws.eu-central-1.dynamodb",
            "serves several zones: it stays that of eu-central-1a",
            "security groups of the interface endpoints",
        ] {
            assert!(text.contains(what), "{}: {what}: {text}", cli.name);
        }
    }
}
