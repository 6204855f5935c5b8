//! Every managed field of every part changed from outside, one by one, and every part deleted: shown, mended, or left
//! alone where the user says so.

use std::collections::BTreeSet;

use acceptance_tests::cuts::Tally;
use acceptance_tests::drift::{self, as_many, kind_of, mend, names, play};
use acceptance_tests::{Account, Fault, Rig, Session};
use conformance::{Action, Error, Resource};
use serde_json::{Value as Json, json};

use crate::{config, made, with};

/// A network that has parts of all kinds.
pub fn everything() -> Json {
    json!({
        "cidr": "10.20.0.0/16", "secondary_cidrs": ["100.64.0.0/16"], "zone_count": 1, "tags": { "team": "core" },
        "interface_endpoints": ["ecr.api"], "flow_logs": { "destination": "cloudwatch" },
    })
}

/// Fields that AWS lets nobody change on an object that exists: they are what it was made with. (A route table's and a
/// gateway's `vpc`, a range, a name, what a flow log or a NAT gateway points to.)
const FIXED: [(&str, &[&str]); 12] = [
    ("vpc", &["cidr"]),
    ("default_security_group", &["vpc"]),
    ("public_subnet", &["vpc", "zone", "cidr"]),
    ("private_subnet", &["vpc", "zone", "cidr"]),
    ("public_routes", &["vpc"]),
    ("private_routes", &["vpc"]),
    ("nat_gateway", &["subnet", "address", "gateway"]),
    ("s3_endpoint", &["vpc", "service"]),
    ("endpoint_security_group", &["vpc", "name", "description"]),
    ("interface_endpoint", &["vpc", "service"]),
    ("flow_log_group", &["name"]),
    ("flow_log_role", &["name", "path"]),
];

/// Fields without content here, so that nothing can be missing from them.
const EMPTY: [(&str, &str); 3] = [
    ("flow_log", "bucket"),
    ("flow_log_role", "managed_policies"),
    ("flow_log", "vpc"),
];

pub struct World {
    pub account: Account,
    ids: Json,
}

impl World {
    pub fn id(&self, key: &str) -> &str {
        self.ids[key].as_str().unwrap_or_else(|| panic!("no id of {key}"))
    }

    fn of_kind(&self, kind: &str) -> &str {
        let found = self
            .ids
            .as_object()
            .unwrap()
            .iter()
            .find(|(key, _)| kind_of(key) == kind);
        found
            .and_then(|(_, id)| id.as_str())
            .unwrap_or_else(|| panic!("no {kind}"))
    }

    fn ec2(&self, operation: &str, params: Json) -> Json {
        self.account.ec2(operation, &params)
    }

    pub fn other(&self, service: &str, operation: &str, params: Json) {
        let region = if service == "iam" {
            "us-east-1"
        } else {
            Account::REGION
        };
        self.account
            .call(service, region, operation, &params)
            .unwrap_or_else(|e| panic!("{operation} {params}: {e:?}"));
    }

    pub fn associations(&self, table: &str) -> Vec<String> {
        let found = self.ec2("DescribeRouteTables", json!({ "RouteTableIds": [table] }));
        let all = found["RouteTables"][0]["Associations"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        all.iter()
            .map(|one| one["RouteTableAssociationId"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Changes the field of the part from outside. `false`: the table does not know how.
    pub fn change(&self, key: &str, field: &str) -> bool {
        let id = self.id(key);
        match (kind_of(key), field) {
            ("flow_log_group", "tags") => self.other(
                "logs",
                "UntagLogGroup",
                json!({ "logGroupName": id, "tags": ["team"] }),
            ),
            ("flow_log_role", "tags") => {
                self.other("iam", "UntagRole", json!({ "RoleName": id, "TagKeys": ["team"] }))
            }
            (_, "tags") => {
                self.ec2(
                    "CreateTags",
                    json!({ "Resources": [id], "Tags": [{ "Key": "team", "Value": "theirs" }] }),
                );
            }
            ("vpc", "secondary_cidrs") => {
                let vpcs = self.ec2("DescribeVpcs", json!({ "VpcIds": [id] }));
                let ranges = vpcs["Vpcs"][0]["CidrBlockAssociationSet"].as_array().unwrap();
                let further = ranges.iter().find(|range| range["CidrBlock"] == "100.64.0.0/16");
                let association = &further.unwrap()["AssociationId"];
                self.ec2(
                    "DisassociateVpcCidrBlock",
                    json!({ "AssociationId": association }),
                );
            }
            ("vpc", "dns_support") => {
                // Host names need it: both go.
                self.ec2(
                    "ModifyVpcAttribute",
                    json!({ "VpcId": id, "EnableDnsHostnames": { "Value": false } }),
                );
                self.ec2(
                    "ModifyVpcAttribute",
                    json!({ "VpcId": id, "EnableDnsSupport": { "Value": false } }),
                );
            }
            ("vpc", "dns_hostnames") => {
                self.ec2(
                    "ModifyVpcAttribute",
                    json!({ "VpcId": id, "EnableDnsHostnames": { "Value": false } }),
                );
            }
            ("default_security_group", "closed") => {
                let rule = json!([{ "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] }]);
                self.ec2(
                    "AuthorizeSecurityGroupIngress",
                    json!({ "GroupId": id, "IpPermissions": rule }),
                );
            }
            ("internet_gateway", "vpc") => {
                let addresses = self.without_addresses();
                self.ec2(
                    "DetachInternetGateway",
                    json!({ "InternetGatewayId": id, "VpcId": addresses }),
                );
            }
            ("public_subnet", "public_ips") => self.public_ips(id, false),
            ("private_subnet", "public_ips") => self.public_ips(id, true),
            ("public_routes" | "private_routes", "subnets") => {
                for association in self.associations(id) {
                    self.ec2("DisassociateRouteTable", json!({ "AssociationId": association }));
                }
            }
            ("public_routes" | "private_routes", "routes") => {
                self.ec2(
                    "DeleteRoute",
                    json!({ "RouteTableId": id, "DestinationCidrBlock": "0.0.0.0/0" }),
                );
            }
            ("s3_endpoint", "route_tables") => {
                self.ec2(
                    "ModifyVpcEndpoint",
                    json!({ "VpcEndpointId": id, "RemoveRouteTableIds": [self.of_kind("private_routes")] }),
                );
            }
            ("endpoint_security_group", "ingress") => {
                let rule = json!([{ "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{ "CidrIp": "10.20.0.0/16" }] }]);
                self.ec2(
                    "RevokeSecurityGroupIngress",
                    json!({ "GroupId": id, "IpPermissions": rule }),
                );
            }
            ("interface_endpoint", "subnets") => {
                self.ec2(
                    "ModifyVpcEndpoint",
                    json!({ "VpcEndpointId": id, "RemoveSubnetIds": [self.of_kind("private_subnet")] }),
                );
            }
            ("interface_endpoint", "security_groups") => {
                // One has to stay.
                let (own, other) = (
                    self.id("endpoint_security_group"),
                    self.id("default_security_group"),
                );
                self.ec2("ModifyVpcEndpoint", json!({ "VpcEndpointId": id, "AddSecurityGroupIds": [other], "RemoveSecurityGroupIds": [own] }));
            }
            ("interface_endpoint", "private_dns") => {
                self.ec2(
                    "ModifyVpcEndpoint",
                    json!({ "VpcEndpointId": id, "PrivateDnsEnabled": false }),
                );
            }
            ("flow_log_group", "retention_days") => {
                self.other(
                    "logs",
                    "PutRetentionPolicy",
                    json!({ "logGroupName": id, "retentionInDays": 90 }),
                );
            }
            ("flow_log_role", "trust") => {
                let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole" }] });
                self.other(
                    "iam",
                    "UpdateAssumeRolePolicy",
                    json!({ "RoleName": id, "PolicyDocument": policy.to_string() }),
                );
            }
            ("flow_log_role", "description") => {
                let change = json!({ "RoleName": id, "Description": "theirs" });
                self.other("iam", "UpdateRole", change);
            }
            ("flow_log_role", "policies") => {
                self.other(
                    "iam",
                    "DeleteRolePolicy",
                    json!({ "RoleName": id, "PolicyName": "write" }),
                );
            }
            ("flow_log", "role" | "log_group") => {
                // What it points to cannot be changed: another one in its place is another object, see the deletions.
                return true;
            }
            _ => return false,
        }
        self.account.advance(600.0);
        true
    }

    fn public_ips(&self, subnet: &str, on: bool) {
        self.ec2(
            "ModifySubnetAttribute",
            json!({ "SubnetId": subnet, "MapPublicIpOnLaunch": { "Value": on } }),
        );
    }

    /// A gateway can be detached only once nothing in the VPC has a public address. Gives the VPC's id.
    fn without_addresses(&self) -> String {
        self.delete("nat_gateway/eu-central-1a");
        self.id("vpc").to_owned()
    }

    /// Deletes the part from outside, and first what AWS wants gone before.
    fn delete(&self, key: &str) {
        let id = self.id(key);
        match kind_of(key) {
            "internet_gateway" => {
                let vpc = self.without_addresses();
                self.ec2(
                    "DetachInternetGateway",
                    json!({ "InternetGatewayId": id, "VpcId": vpc }),
                );
                self.ec2("DeleteInternetGateway", json!({ "InternetGatewayId": id }));
            }
            "public_subnet" => {
                self.delete("nat_gateway/eu-central-1a");
                self.unlink("public_routes");
                self.ec2("DeleteSubnet", json!({ "SubnetId": id }));
            }
            "private_subnet" => {
                self.delete("interface_endpoint/ecr.api");
                self.unlink("private_routes/eu-central-1a");
                self.ec2("DeleteSubnet", json!({ "SubnetId": id }));
            }
            "public_routes" | "private_routes" => {
                self.unlink(key);
                if kind_of(key) == "private_routes" {
                    self.ec2(
                        "DeleteVpcEndpoints",
                        json!({ "VpcEndpointIds": [self.id("s3_endpoint")] }),
                    );
                    self.account.advance(600.0);
                }
                self.ec2("DeleteRouteTable", json!({ "RouteTableId": id }));
            }
            "nat_address" => {
                self.delete("nat_gateway/eu-central-1a");
                self.ec2("ReleaseAddress", json!({ "AllocationId": id }));
            }
            "nat_gateway" => {
                self.ec2("DeleteNatGateway", json!({ "NatGatewayId": id }));
            }
            "s3_endpoint" | "interface_endpoint" => {
                self.ec2("DeleteVpcEndpoints", json!({ "VpcEndpointIds": [id] }));
            }
            "endpoint_security_group" => {
                self.delete("interface_endpoint/ecr.api");
                self.ec2("DeleteSecurityGroup", json!({ "GroupId": id }));
            }
            "flow_log" => {
                self.ec2("DeleteFlowLogs", json!({ "FlowLogIds": [id] }));
            }
            "flow_log_group" => self.other("logs", "DeleteLogGroup", json!({ "logGroupName": id })),
            "flow_log_role" => {
                self.other(
                    "iam",
                    "DeleteRolePolicy",
                    json!({ "RoleName": id, "PolicyName": "write" }),
                );
                self.other("iam", "DeleteRole", json!({ "RoleName": id }));
            }
            other => panic!("how is a {other} deleted?"),
        }
        self.account.advance(600.0);
    }

    fn unlink(&self, key: &str) {
        for association in self.associations(self.id(key)) {
            self.ec2("DisassociateRouteTable", json!({ "AssociationId": association }));
        }
    }
}

pub fn network(config: &Json) -> (Session, World, Resource) {
    let account = Rig::shared().account();
    let session = Session::new(&account);
    let mut resource = Resource::new("ekb_network");
    session.apply(&mut resource, config).unwrap();
    session.expect_empty(&mut resource, config).unwrap();
    account.snapshot("made");
    let world = World {
        account,
        ids: resource.get("ids").clone(),
    };
    (session, world, resource)
}

/// Part and field of all that can be changed. Panics where the table does not say what a field is.
pub fn fields(resource: &Resource) -> Vec<(String, String)> {
    drift::fields(resource, |key, field, value| {
        let fixed = FIXED
            .iter()
            .any(|(kind, fields)| *kind == kind_of(key) && fields.contains(&field));
        let empty = EMPTY.contains(&(kind_of(key), field));
        if empty && kind_of(key) != "flow_log" {
            assert!(
                value.as_array().is_some_and(Vec::is_empty),
                "{key}: {field} is not empty: {value}"
            );
        }
        fixed || empty
    })
}

/// The fields in rounds: a gateway without its VPC takes the NAT gateway along.
pub fn rounds(fields: &[(String, String)]) -> Vec<Vec<(String, String)>> {
    drift::rounds(fields, |key, field| key == "internet_gateway" && field == "vpc")
}

/// What a plan says: arguments, `objects` and `drift` before and after.
fn shown(session: &Session, resource: &mut Resource, config: &Json) -> Result<(Action, String), String> {
    let plan = session.plan(resource, config).map_err(|e| format!("plan: {e}"))?;
    Ok((plan.action, plan.to_string()))
}

#[test]
fn every_field_changed_outside_is_shown_and_mended() {
    let config = everything();
    let (session, world, made) = network(&config);
    let counts = world.account.counts();
    let fields: Vec<_> = (fields(&made).into_iter())
        .filter(|(key, field)| !matches!((kind_of(key), field.as_str()), ("flow_log", "role" | "log_group")))
        .collect();
    let tally = play(
        &world.account,
        rounds(&fields),
        |key, field| world.change(key, field),
        |round| {
            mend(&session, &mut made.clone(), &config, &names(round))?;
            as_many(&world.account, &counts, &[])
        },
    );
    tally.report("drift of fields");
    tally.assert_good();
}

#[test]
fn every_field_is_left_alone_where_the_user_says_so() {
    let config = with(&everything(), "ignore_drift", json!(["*"]));
    let (session, world, made) = network(&config);
    let fields: Vec<_> = (fields(&made).into_iter())
        // A gateway without its VPC takes the NAT gateway along: that is a part gone, not a field.
        .filter(|(key, field)| {
            !matches!(
                (kind_of(key), field.as_str()),
                ("flow_log", "role" | "log_group") | ("internet_gateway", "vpc")
            )
        })
        .collect();
    let tally = play(
        &world.account,
        rounds(&fields),
        |key, field| world.change(key, field),
        |_| {
            let mut resource = made.clone();
            session.expect_empty(&mut resource, &config)?;
            let wish = with(&config, "private_tiers", json!({ "database": {} }));
            session
                .apply(&mut resource, &wish)
                .map_err(|e| format!("apply of something else: {e}"))?;
            session.expect_empty(&mut resource, &wish)
        },
    );
    tally.report("ignored drift of fields");
    tally.assert_good();
}

#[test]
fn every_part_deleted_outside_is_shown_and_made_again() {
    let config = everything();
    let (session, world, made) = network(&config);
    let counts = world.account.counts();
    let keys: BTreeSet<String> = world.ids.as_object().unwrap().keys().cloned().collect();
    let mut tally = Tally::default();
    for key in &keys {
        if ["vpc", "default_security_group"].contains(&key.as_str()) {
            continue;
        }
        world.account.restore("made");
        world.delete(key);
        let mut resource = made.clone();
        let mended = mend(&session, &mut resource, &config, &[key])
            .and_then(|()| as_many(&world.account, &counts, &[]));
        tally.count(key, mended);
    }
    // With its VPC everything is gone.
    world.account.restore("made");
    session.destroy(&mut made.clone()).unwrap();
    let mut resource = made.clone();
    let again = shown(&session, &mut resource, &config).and_then(|(action, text)| {
        if action != Action::Create {
            return Err(text);
        }
        session.apply(&mut resource, &config).map_err(|e| e.to_string())?;
        session.expect_empty(&mut resource, &config)
    });
    tally.count("vpc", again);
    assert_eq!(world.account.counts(), counts);
    tally.report("parts deleted outside");
    tally.assert_good();
}

/// Between a saved plan and its apply a part goes: our own error, never core's "bug in the provider"; then all is well.
#[test]
fn a_part_that_goes_between_plan_and_apply_is_our_error() {
    let config = everything();
    let (session, world, made) = network(&config);
    let changed = with(&config, "tags", json!({ "team": "other" }));
    let mut tally = Tally::default();
    for key in world.ids.as_object().unwrap().keys() {
        if ["vpc", "default_security_group"].contains(&key.as_str()) {
            continue;
        }
        world.account.restore("made");
        let mut resource = made.clone();
        let plan = session.plan(&mut resource, &changed).unwrap();
        world.delete(key);
        let before = world.account.objects();
        let done = match session.apply_plan(&mut resource, &plan) {
            Err(Error::Failed { diagnostics, .. }) => {
                let text: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
                let text = text.join("\n");
                let after = world.account.objects();
                if !text.contains(key.as_str()) || !text.contains("EKB13") {
                    Err(format!("not said: {text}"))
                } else if after != before {
                    Err("something was changed".to_owned())
                } else {
                    session
                        .apply(&mut resource, &changed)
                        .map_err(|e| format!("next apply: {e}"))
                        .and_then(|_| session.expect_empty(&mut resource, &changed))
                }
            }
            other => Err(format!("{other:?}")),
        };
        tally.count(key, done);
    }
    tally.report("parts gone between plan and apply");
    tally.assert_good();
}

#[test]
fn foreign_routes_and_tags_survive() {
    let (session, account, mut resource) = made();
    let (vpc, table) = (
        resource.get("vpc_id").clone(),
        resource.get("ids")["public_routes"].clone(),
    );
    let gateway = resource.get("ids")["internet_gateway"].clone();
    account.ec2(
        "CreateRoute",
        &json!({ "RouteTableId": table, "DestinationCidrBlock": "192.168.0.0/16", "GatewayId": gateway }),
    );
    account.ec2(
        "CreateTags",
        &json!({ "Resources": [vpc], "Tags": [{ "Key": "theirs", "Value": "1" }] }),
    );
    session.expect_empty(&mut resource, &config()).unwrap();
    session
        .apply(&mut resource, &with(&config(), "tags", json!({ "team": "core" })))
        .unwrap();
    let routes = account
        .ec2("DescribeRouteTables", &json!({ "RouteTableIds": [table] }))
        .to_string();
    assert!(routes.contains("192.168.0.0/16"), "{routes}");
    let tags = account
        .ec2("DescribeVpcs", &json!({ "VpcIds": [vpc] }))
        .to_string();
    assert!(tags.contains("theirs"), "{tags}");
}

/// What may not be read is warned about by name, keeps its last known value, and is not planned to be made again.
#[test]
fn what_may_not_be_read_is_not_planned_to_be_made_again() {
    let config = everything();
    let (session, world, made) = network(&config);
    world.account.clear_log();
    session.expect_empty(&mut made.clone(), &config).unwrap();
    let asked: BTreeSet<String> = world
        .account
        .log()
        .into_iter()
        .filter(|call| !call.mutating && call.service != "sts")
        .map(|call| call.operation)
        .collect();
    assert!(asked.len() > 8, "{asked:?}");
    let mut tally = Tally::default();
    for operation in &asked {
        world.account.clear_faults();
        world.account.fault(&Fault::deny().on(operation).always());
        let planned = session
            .plan(&mut made.clone(), &config)
            .map_err(|e| e.to_string())
            .and_then(|plan| {
                let warnings: Vec<String> = plan.warnings.iter().map(ToString::to_string).collect();
                if !plan.is_empty() {
                    Err(format!("not empty: {plan}"))
                } else if !warnings.iter().any(|warning| warning.contains(operation)) {
                    Err(format!("no warning names it: {warnings:?}"))
                } else {
                    Ok(())
                }
            });
        tally.count(operation, planned);
    }
    world.account.clear_faults();
    tally.report("reads denied");
    tally.assert_good();
}

#[test]
fn an_identity_that_may_only_read_can_plan() {
    let (session, account, resource) = made();
    account.clear_log();
    account.fault(&Fault::deny().mutating().always());
    session.expect_empty(&mut resource.clone(), &config()).unwrap();
    let larger = with(&config(), "zone_count", 2);
    let plan = session.plan(&mut resource.clone(), &larger).unwrap();
    assert_eq!(plan.action, Action::Update);
    let plan = session
        .plan(&mut Resource::new("ekb_network"), &with(&config(), "name", "new"))
        .unwrap();
    assert_eq!(plan.action, Action::Create);
    assert!(account.mutations().is_empty(), "{:#?}", account.mutations());
}
