//! The rig itself: what the emulator does where moto alone would not. No provider is needed.
#![allow(missing_docs, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use acceptance_tests::{Account, Rig, Stopwatch, tool, until};
use serde_json::{Value, json};
use support::{Network, client_with_key, nat_state, refused, text};

/// An account whose time moves (all but) only by `advance`.
fn account() -> Account {
    let account = Rig::shared().account();
    account.set_time_scale(0.001);
    account
}

fn is_running(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

#[test]
fn it_ends_with_who_started_it() {
    let rig = Rig::start_own();
    let process = rig.pid().expect("our own");
    assert!(is_running(process));
    drop(rig);
    assert!(!is_running(process));
}

#[test]
fn it_ends_also_when_who_started_it_is_killed() {
    let script = "import subprocess, sys, json, time\n\
                  p = subprocess.Popen([sys.executable, '-m', 'emulator'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n\
                  print(json.loads(p.stdout.readline())['pid'], flush=True); time.sleep(60)";
    let mut parent = Command::new(tool("venv"))
        .args(["-c", script])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    let mut line = String::new();
    BufReader::new(parent.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("a line");
    let emulator: u32 = line.trim().parse().expect("a process id");
    assert!(is_running(emulator));
    parent.kill().expect("SIGKILL");
    parent.wait().expect("ended");
    until("the emulator's end", Duration::from_secs(5), || {
        !is_running(emulator)
    });
}

#[test]
fn several_run_at_once_and_know_nothing_of_each_other() {
    let (one, two) = (Rig::start_own(), Rig::start_own());
    assert_ne!(one.url(), two.url());
    let (here, there) = (one.account(), two.account());
    Network::make(&here);
    assert!(!here.objects().is_empty());
    there.assert_empty();
}

#[test]
fn accounts_are_empty_at_first_and_apart() {
    let (one, two) = (account(), account());
    assert_ne!(one.id(), two.id());
    one.assert_empty();
    Network::make(&one);
    let kinds: Vec<_> = one.counts().into_iter().collect();
    let expected = [("address", 1), ("internet_gateway", 1), ("subnet", 1), ("vpc", 1)];
    assert_eq!(kinds, expected.map(|(kind, count)| (kind.to_owned(), count)));
    two.assert_empty();
    assert_eq!(two.ec2("DescribeVpcs", &json!({}))["Vpcs"], json!([]));
    let (lines, _) = client_with_key(
        &one,
        one.access_key(),
        "say(client('sts').get_caller_identity()['Account'])",
    );
    assert_eq!(lines, [json!(one.id())]);
}

#[test]
fn a_nat_gateway_takes_as_long_as_in_aws_divided_by_the_scale() {
    let account = account();
    account.set_time_scale(100.0); // 100 s to create: 1 s here; 60 s to delete: 0.6 s
    assert_eq!(
        (
            Rig::shared().latency("nat_gateway.available"),
            Rig::shared().latency("nat_gateway.deleted")
        ),
        (100.0, 60.0)
    );
    let network = Network::make(&account);
    let watch = Stopwatch::start();
    let nat = network.nat(&account);
    assert_eq!(nat_state(&account, &nat), "pending");
    until("the gateway", Duration::from_secs(5), || {
        nat_state(&account, &nat) == "available"
    });
    let took = watch.elapsed().as_secs_f64();
    assert!((0.95..1.6).contains(&took), "available after {took} s");

    let address = |account: &Account| account.ec2("DescribeAddresses", &json!({}))["Addresses"][0].clone();
    assert!(address(&account).get("AssociationId").is_some());
    let watch = Stopwatch::start();
    account.ec2("DeleteNatGateway", &json!({"NatGatewayId": nat}));
    assert_eq!(nat_state(&account, &nat), "deleting");
    assert!(
        address(&account).get("AssociationId").is_some(),
        "held until the gateway is gone"
    );
    until("its end", Duration::from_secs(5), || {
        nat_state(&account, &nat) == "deleted"
    });
    let took = watch.elapsed().as_secs_f64();
    assert!((0.55..1.2).contains(&took), "deleted after {took} s");
    assert!(address(&account).get("AssociationId").is_none());
    assert_eq!(account.counts().get("network_interface"), None);
    assert_eq!(account.counts().get("nat_gateway"), None);

    account.advance(3700.0);
    assert_eq!(
        refused(&account, "DescribeNatGateways", &json!({"NatGatewayIds": [nat]})),
        "NatGatewayNotFound"
    );
}

#[test]
fn a_nat_gateway_that_cannot_work_fails_later() {
    let account = account();
    let network = Network::make(&account);
    account.ec2(
        "DetachInternetGateway",
        &json!({"InternetGatewayId": network.gateway, "VpcId": network.vpc}),
    );
    let nat = network.nat(&account);
    assert_eq!(nat_state(&account, &nat), "pending");
    account.advance(30.0);
    let seen = account.ec2("DescribeNatGateways", &json!({"NatGatewayIds": [nat]}));
    assert_eq!(seen["NatGateways"][0]["State"], "failed");
    assert_eq!(seen["NatGateways"][0]["FailureCode"], "Gateway.NotAttached");
    account.ec2("ReleaseAddress", &json!({"AllocationId": network.address}));
}

#[test]
fn the_same_token_gives_the_same_object_dead_or_alive() {
    let account = account();
    let network = Network::make(&account);
    let request = json!({"SubnetId": network.subnet, "AllocationId": network.address, "ClientToken": "t1"});
    let made = |request: &Value| account.ec2("CreateNatGateway", request)["NatGateway"].clone();
    let first = made(&request);
    assert_eq!(made(&request)["NatGatewayId"], first["NatGatewayId"]);
    assert_eq!(account.counts()["nat_gateway"], 1);

    let mut other = request.clone();
    other["ConnectivityType"] = json!("private");
    assert_eq!(
        refused(&account, "CreateNatGateway", &other),
        "IdempotentParameterMismatch"
    );

    account.advance(100.0);
    account.ec2(
        "DeleteNatGateway",
        &json!({"NatGatewayId": first["NatGatewayId"]}),
    );
    account.advance(60.0);
    assert_eq!(nat_state(&account, &text(&first["NatGatewayId"])), "deleted");
    let again = made(&request);
    assert_eq!(
        (&again["NatGatewayId"], &again["State"]),
        (&first["NatGatewayId"], &json!("deleted"))
    );
    let mut fresh = request;
    fresh["ClientToken"] = json!("t2");
    assert_ne!(made(&fresh)["NatGatewayId"], first["NatGatewayId"]);

    let table = json!({"VpcId": network.vpc, "ClientToken": "t"});
    let id = |result: &Value| text(&result["RouteTable"]["RouteTableId"]);
    assert_eq!(
        id(&account.ec2("CreateRouteTable", &table)),
        id(&account.ec2("CreateRouteTable", &table))
    );
    let endpoint =
        json!({"VpcId": network.vpc, "ServiceName": "com.amazonaws.eu-central-1.s3", "ClientToken": "t"});
    let id = |result: &Value| text(&result["VpcEndpoint"]["VpcEndpointId"]);
    assert_eq!(
        id(&account.ec2("CreateVpcEndpoint", &endpoint)),
        id(&account.ec2("CreateVpcEndpoint", &endpoint))
    );
    let log = json!({"ResourceType": "VPC", "ResourceIds": [network.vpc], "TrafficType": "ALL", "ClientToken": "t",
        "LogGroupName": "g", "DeliverLogsPermissionArn": "arn:aws:iam::1:role/r"});
    let id = |result: &Value| text(&result["FlowLogIds"][0]);
    assert_eq!(
        id(&account.ec2("CreateFlowLogs", &log)),
        id(&account.ec2("CreateFlowLogs", &log))
    );
    assert_eq!(
        (
            account.counts()["route_table"],
            account.counts()["vpc_endpoint"],
            account.counts()["flow_log"]
        ),
        (1, 1, 1)
    );
}

#[test]
fn what_is_used_cannot_be_deleted_and_the_right_order_leaves_nothing() {
    let account = account();
    let network = Network::make(&account);
    let nat = network.nat(&account);
    account.advance(200.0);
    let group = json!({"GroupName": "g", "Description": "d", "VpcId": network.vpc});
    let group = text(&account.ec2("CreateSecurityGroup", &group)["GroupId"]);
    let other = json!({"GroupName": "h", "Description": "d", "VpcId": network.vpc});
    let other = text(&account.ec2("CreateSecurityGroup", &other)["GroupId"]);
    let rule = json!([{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]);
    account.ec2(
        "AuthorizeSecurityGroupIngress",
        &json!({"GroupId": other, "IpPermissions": rule}),
    );
    let endpoint = json!({"VpcId": network.vpc, "ServiceName": "com.amazonaws.eu-central-1.sts", "VpcEndpointType": "Interface",
        "SubnetIds": [network.subnet], "SecurityGroupIds": [other], "PrivateDnsEnabled": false});
    let endpoint = text(&account.ec2("CreateVpcEndpoint", &endpoint)["VpcEndpoint"]["VpcEndpointId"]);
    let table =
        text(&account.ec2("CreateRouteTable", &json!({"VpcId": network.vpc}))["RouteTable"]["RouteTableId"]);
    let association = json!({"RouteTableId": table, "SubnetId": network.subnet});
    let association = text(&account.ec2("AssociateRouteTable", &association)["AssociationId"]);

    let release = json!({"AllocationId": network.address});
    let detach = json!({"InternetGatewayId": network.gateway, "VpcId": network.vpc});
    let subnet = json!({"SubnetId": network.subnet});
    assert_eq!(refused(&account, "ReleaseAddress", &release), "AuthFailure");
    assert_eq!(
        refused(&account, "DetachInternetGateway", &detach),
        "DependencyViolation"
    );
    assert_eq!(refused(&account, "DeleteSubnet", &subnet), "DependencyViolation");
    assert_eq!(
        refused(&account, "DeleteVpc", &json!({"VpcId": network.vpc})),
        "DependencyViolation"
    );
    assert_eq!(
        refused(&account, "DeleteSecurityGroup", &json!({"GroupId": group})),
        "DependencyViolation",
        "named by a rule"
    );
    assert_eq!(
        refused(&account, "DeleteSecurityGroup", &json!({"GroupId": other})),
        "DependencyViolation",
        "on an interface"
    );
    assert_eq!(
        refused(&account, "DeleteRouteTable", &json!({"RouteTableId": table})),
        "DependencyViolation"
    );
    assert_eq!(
        refused(
            &account,
            "DeleteInternetGateway",
            &json!({"InternetGatewayId": network.gateway})
        ),
        "DependencyViolation"
    );
    let interfaces = account.ec2("DescribeNetworkInterfaces", &json!({}))["NetworkInterfaces"].clone();
    let described: BTreeSet<_> = interfaces
        .as_array()
        .expect("a list")
        .iter()
        .map(|eni| text(&eni["Description"]))
        .collect();
    let expected = [
        format!("Interface for NAT Gateway {nat}"),
        format!("VPC Endpoint Interface {endpoint}"),
    ];
    assert_eq!(described, BTreeSet::from(expected));
    let taken = json!({"NetworkInterfaceId": interfaces[0]["NetworkInterfaceId"]});
    assert_eq!(
        refused(&account, "DeleteNetworkInterface", &taken),
        "InvalidParameterValue"
    );

    account.ec2("DeleteNatGateway", &json!({"NatGatewayId": nat}));
    account.ec2("DeleteVpcEndpoints", &json!({"VpcEndpointIds": [endpoint]}));
    assert_eq!(
        refused(&account, "DeleteSubnet", &subnet),
        "DependencyViolation",
        "still going"
    );
    account.advance(60.0);
    account.ec2("ReleaseAddress", &release);
    account.ec2("DetachInternetGateway", &detach);
    account.ec2(
        "DeleteInternetGateway",
        &json!({"InternetGatewayId": network.gateway}),
    );
    account.ec2("DisassociateRouteTable", &json!({"AssociationId": association}));
    account.ec2("DeleteRouteTable", &json!({"RouteTableId": table}));
    account.ec2("DeleteSecurityGroup", &json!({"GroupId": other}));
    account.ec2("DeleteSecurityGroup", &json!({"GroupId": group}));
    account.ec2("DeleteSubnet", &subnet);
    account.ec2("DeleteVpc", &json!({"VpcId": network.vpc}));
    account.assert_empty();
}

#[test]
fn an_address_of_a_network_interface_is_in_use() {
    let account = account();
    let network = Network::make(&account);
    let eni = account.ec2("CreateNetworkInterface", &json!({"SubnetId": network.subnet}));
    let eni = text(&eni["NetworkInterface"]["NetworkInterfaceId"]);
    account.ec2(
        "AssociateAddress",
        &json!({"AllocationId": network.address, "NetworkInterfaceId": eni}),
    );
    assert_eq!(
        refused(
            &account,
            "ReleaseAddress",
            &json!({"AllocationId": network.address})
        ),
        "InvalidIPAddress.InUse"
    );
}

#[test]
fn an_interface_of_another_service_holds_its_subnet() {
    let account = account();
    let network = Network::make(&account);
    let interface = account.foreign_interface(&network.subnet, "interface", "ELB app/shop/0123456789abcdef");
    let seen = account.ec2(
        "DescribeNetworkInterfaces",
        &json!({"NetworkInterfaceIds": [interface]}),
    );
    let seen = &seen["NetworkInterfaces"][0];
    assert_eq!(
        (&seen["Description"], &seen["Status"]),
        (&json!("ELB app/shop/0123456789abcdef"), &json!("in-use"))
    );
    assert_eq!(seen["RequesterManaged"], true);
    let subnet = json!({"SubnetId": network.subnet});
    assert_eq!(refused(&account, "DeleteSubnet", &subnet), "DependencyViolation");
    account.remove_foreign_interface(&interface);
    account.ec2("DeleteSubnet", &subnet);
}

#[test]
fn a_request_that_the_model_does_not_allow_is_refused() {
    let account = account();
    let script = "import botocore.validate\n\
                  botocore.validate.ParamValidator.validate = lambda *a: botocore.validate.ValidationErrors()\n\
                  say(attempt(ec2.create_tags, Resources=['vpc-1']).get('error'))\n\
                  say(attempt(ec2.create_vpc, CidrBlock='10.0.0.0/16').get('error'))";
    let (said, _) = client_with_key(&account, account.access_key(), script);
    assert_eq!(said, [json!("MissingParameter"), Value::Null]);
}

#[test]
fn a_forgotten_account_is_empty() {
    let account = account();
    Network::make(&account);
    account.clone().forget();
    account.assert_empty();
}

#[test]
fn pages_and_filters_work_for_what_moto_gives_whole() {
    let account = account();
    let vpc = text(&account.ec2("CreateVpc", &json!({"CidrBlock": "10.0.0.0/16"}))["Vpc"]["VpcId"]);
    let tags = |kind: &str, n: usize| {
        let tags = json!([{"Key": "n", "Value": n.to_string()}, {"Key": "of", "Value": "test"}]);
        json!([{"ResourceType": kind, "Tags": tags}])
    };
    for n in 0..7 {
        account.ec2(
            "CreateSubnet",
            &json!({"VpcId": vpc, "CidrBlock": format!("10.0.{n}.0/24"), "AvailabilityZone": "eu-central-1b",
                "TagSpecifications": tags("subnet", n)}),
        );
        account.ec2(
            "CreateRouteTable",
            &json!({"VpcId": vpc, "TagSpecifications": tags("route-table", n)}),
        );
    }
    for (operation, list, expected) in [
        ("DescribeSubnets", "Subnets", 7),
        ("DescribeRouteTables", "RouteTables", 8),
    ] {
        let (mut seen, mut pages, mut token) = (BTreeSet::new(), 0, Value::Null);
        loop {
            let mut request = json!({"MaxResults": 5});
            if !token.is_null() {
                request["NextToken"] = token.clone();
            }
            let page = account.ec2(operation, &request);
            seen.extend(
                page[list]
                    .as_array()
                    .expect("a list")
                    .iter()
                    .map(ToString::to_string),
            );
            pages += 1;
            token = page["NextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!((seen.len(), pages), (expected, 2), "{operation}");
        let some = json!({"Filters": [{"Name": "tag:n", "Values": ["2", "4"]}, {"Name": "tag-key", "Values": ["of"]}]});
        assert_eq!(
            account.ec2(operation, &some)[list].as_array().map(Vec::len),
            Some(2),
            "{operation}"
        );
        let none = json!({"Filters": [{"Name": "tag:of", "Values": ["others"]}]});
        assert_eq!(account.ec2(operation, &none)[list], json!([]), "{operation}");
    }
    assert_eq!(
        refused(
            &account,
            "DescribeSubnets",
            &json!({"MaxResults": 5, "NextToken": "nonsense"})
        ),
        "InvalidNextToken"
    );

    let network = Network::make(&account);
    let nat = json!({"SubnetId": network.subnet, "AllocationId": network.address, "TagSpecifications": tags("natgateway", 1)});
    account.ec2("CreateNatGateway", &nat);
    let count = |filter: Value| {
        account.ec2("DescribeNatGateways", &json!({"Filter": [filter]}))["NatGateways"]
            .as_array()
            .map(Vec::len)
    };
    assert_eq!(count(json!({"Name": "tag:n", "Values": ["1"]})), Some(1));
    assert_eq!(count(json!({"Name": "tag:n", "Values": ["2"]})), Some(0));
    assert_eq!(
        count(json!({"Name": "state", "Values": ["pending", "available"]})),
        Some(1)
    );
    assert_eq!(count(json!({"Name": "vpc-id", "Values": [vpc]})), Some(0));
}

#[test]
fn a_gateway_endpoint_makes_routes_and_takes_them_along() {
    let account = account();
    let network = Network::make(&account);
    let table = || {
        text(&account.ec2("CreateRouteTable", &json!({"VpcId": network.vpc}))["RouteTable"]["RouteTableId"])
    };
    let (one, two) = (table(), table());
    let request =
        json!({"VpcId": network.vpc, "ServiceName": "com.amazonaws.eu-central-1.s3", "RouteTableIds": [one]});
    let endpoint = text(&account.ec2("CreateVpcEndpoint", &request)["VpcEndpoint"]["VpcEndpointId"]);
    let targets = |table: &str| {
        let routes = account.ec2("DescribeRouteTables", &json!({"RouteTableIds": [table]}))["RouteTables"][0]
            ["Routes"]
            .clone();
        let ids = routes
            .as_array()
            .expect("a list")
            .iter()
            .map(|route| text(&route["GatewayId"]));
        ids.filter(|id| id.starts_with("vpce-")).collect::<Vec<_>>()
    };
    assert_eq!((targets(&one), targets(&two)), (vec![endpoint.clone()], vec![]));
    assert_eq!(
        refused(&account, "CreateVpcEndpoint", &request),
        "RouteAlreadyExists"
    );
    let change = json!({"VpcEndpointId": endpoint, "AddRouteTableIds": [two], "RemoveRouteTableIds": [one]});
    assert_eq!(
        refused(&account, "ModifyVpcEndpoint", &change),
        "IncorrectState",
        "still pending"
    );
    account.advance(10.0);
    account.ec2("ModifyVpcEndpoint", &change);
    assert_eq!((targets(&one), targets(&two)), (vec![], vec![endpoint.clone()]));
    account.ec2("DeleteVpcEndpoints", &json!({"VpcEndpointIds": [endpoint]}));
    assert_eq!(targets(&two), Vec::<String>::new());
    account.advance(10.0);
    assert_eq!(
        refused(
            &account,
            "DescribeVpcEndpoints",
            &json!({"VpcEndpointIds": [endpoint]})
        ),
        "InvalidVpcEndpointId.NotFound"
    );
}

#[test]
fn an_interface_endpoint_needs_what_aws_needs() {
    let account = account();
    let network = Network::make(&account);
    let request = json!({"VpcId": network.vpc, "ServiceName": "com.amazonaws.eu-central-1.ecr.api",
        "VpcEndpointType": "Interface", "SubnetIds": [network.subnet]});
    assert_eq!(
        refused(&account, "CreateVpcEndpoint", &request),
        "InvalidParameter",
        "private DNS without DNS host names"
    );
    account.ec2(
        "ModifyVpcAttribute",
        &json!({"VpcId": network.vpc, "EnableDnsHostnames": {"Value": true}}),
    );
    let endpoint = account.ec2("CreateVpcEndpoint", &request)["VpcEndpoint"].clone();
    assert_eq!(
        (
            &endpoint["State"],
            endpoint["NetworkInterfaceIds"].as_array().map(Vec::len)
        ),
        (&json!("pending"), Some(1))
    );
    assert_eq!(
        refused(&account, "CreateVpcEndpoint", &request),
        "InvalidParameter",
        "a second one for the same name"
    );
    let mut unknown = request;
    unknown["ServiceName"] = json!("com.amazonaws.eu-central-1.nonsense");
    assert_eq!(
        refused(&account, "CreateVpcEndpoint", &unknown),
        "InvalidServiceName"
    );
    account.advance(60.0);
    let seen = account.ec2("DescribeVpcEndpoints", &json!({}));
    assert_eq!(seen["VpcEndpoints"][0]["State"], "available");
}

#[test]
fn routes_want_a_gateway_that_works() {
    let account = account();
    let network = Network::make(&account);
    let nat = network.nat(&account);
    let table =
        text(&account.ec2("CreateRouteTable", &json!({"VpcId": network.vpc}))["RouteTable"]["RouteTableId"]);
    let route = json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": nat});
    assert_eq!(
        refused(&account, "CreateRoute", &route),
        "InvalidNatGatewayID.NotFound",
        "pending"
    );
    account.advance(100.0);
    account.ec2("CreateRoute", &route);
    let state = || {
        let seen = account.ec2("DescribeRouteTables", &json!({"RouteTableIds": [table]}));
        text(&seen["RouteTables"][0]["Routes"][1]["State"])
    };
    assert_eq!(state(), "active");
    account.ec2("DeleteNatGateway", &json!({"NatGatewayId": nat}));
    assert_eq!(state(), "blackhole");

    let other = json!({"CidrBlock": "10.1.0.0/16"});
    let other = text(&account.ec2("CreateVpc", &other)["Vpc"]["VpcId"]);
    let foreign =
        text(&account.ec2("CreateRouteTable", &json!({"VpcId": other}))["RouteTable"]["RouteTableId"]);
    let route =
        json!({"RouteTableId": foreign, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": network.gateway});
    assert_eq!(refused(&account, "CreateRoute", &route), "InvalidParameterValue");

    account.ec2(
        "AssociateRouteTable",
        &json!({"RouteTableId": table, "SubnetId": network.subnet}),
    );
    let second =
        text(&account.ec2("CreateRouteTable", &json!({"VpcId": network.vpc}))["RouteTable"]["RouteTableId"]);
    let again = json!({"RouteTableId": second, "SubnetId": network.subnet});
    assert_eq!(
        refused(&account, "AssociateRouteTable", &again),
        "Resource.AlreadyAssociated"
    );
}

#[test]
fn security_groups_are_as_aws_makes_them() {
    let account = account();
    let network = Network::make(&account);
    let groups = account.ec2(
        "DescribeSecurityGroups",
        &json!({"Filters": [{"Name": "vpc-id", "Values": [network.vpc]}]}),
    );
    let default = &groups["SecurityGroups"][0];
    assert_eq!(default["GroupName"], "default");
    assert_eq!(
        default["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"],
        default["GroupId"]
    );
    assert_eq!(
        default["IpPermissionsEgress"][0]["IpRanges"][0]["CidrIp"],
        "0.0.0.0/0"
    );
    assert_eq!(
        refused(
            &account,
            "DeleteSecurityGroup",
            &json!({"GroupId": default["GroupId"]})
        ),
        "CannotDelete"
    );
    let remove = |list: &str, operation: &str| {
        account.ec2(
            operation,
            &json!({"GroupId": default["GroupId"], "IpPermissions": default[list]}),
        );
    };
    remove("IpPermissions", "RevokeSecurityGroupIngress");
    remove("IpPermissionsEgress", "RevokeSecurityGroupEgress");
    let rules = json!({"Filters": [{"Name": "group-id", "Values": [default["GroupId"]]}]});
    assert_eq!(
        account.ec2("DescribeSecurityGroupRules", &rules)["SecurityGroupRules"],
        json!([])
    );

    let made = account.ec2(
        "CreateSecurityGroup",
        &json!({"GroupName": "g", "Description": "d", "VpcId": network.vpc,
            "TagSpecifications": [{"ResourceType": "security-group", "Tags": [{"Key": "a", "Value": "b"}]}]}),
    );
    assert_eq!(made["Tags"], json!([{"Key": "a", "Value": "b"}]));
    let rule = |port: u16| json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]});
    let two = json!({"GroupId": made["GroupId"], "IpPermissions": [rule(443), rule(80)]});
    let added = account.ec2("AuthorizeSecurityGroupIngress", &two);
    assert_eq!(added["SecurityGroupRules"].as_array().map(Vec::len), Some(2));
}

#[test]
fn zones_say_what_they_are_and_subnets_stay_in_their_region() {
    let account = account();
    let zones = account.ec2("DescribeAvailabilityZones", &json!({}))["AvailabilityZones"].clone();
    let seen: Vec<_> = zones
        .as_array()
        .expect("a list")
        .iter()
        .map(|zone| (text(&zone["ZoneType"]), text(&zone["OptInStatus"])))
        .collect();
    assert_eq!(
        seen.iter()
            .filter(|(kind, opt)| kind == "availability-zone" && opt == "opt-in-not-required")
            .count(),
        3
    );
    assert_eq!(
        seen.iter()
            .filter(|(kind, opt)| kind == "local-zone" && opt == "opted-in")
            .count(),
        1
    );
    let network = Network::make(&account);
    let far = json!({"VpcId": network.vpc, "CidrBlock": "10.0.9.0/24", "AvailabilityZone": "us-east-1a"});
    assert_eq!(refused(&account, "CreateSubnet", &far), "InvalidParameterValue");
    let seen = account.ec2("DescribeSubnets", &json!({}))["Subnets"][0].clone();
    assert_eq!(
        (&seen["MapPublicIpOnLaunch"], &seen["DefaultForAz"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(seen["AvailableIpAddressCount"], 251);
}

#[test]
fn tags_go_only_onto_what_the_call_makes() {
    let account = account();
    let wrong = json!({"CidrBlock": "10.0.0.0/16",
        "TagSpecifications": [{"ResourceType": "subnet", "Tags": [{"Key": "a", "Value": "b"}]}]});
    assert_eq!(refused(&account, "CreateVpc", &wrong), "InvalidParameterValue");
    account.assert_empty();
}

#[test]
fn the_list_of_what_exists_has_other_services_too() {
    let account = account();
    let trust = r#"{"Version": "2012-10-17", "Statement": []}"#;
    let call = |service: &str, operation: &str, params: Value| {
        account
            .call(service, Account::REGION, operation, &params)
            .unwrap_or_else(|error| panic!("{error:?}"))
    };
    call(
        "iam",
        "CreateRole",
        json!({"RoleName": "r", "AssumeRolePolicyDocument": trust, "Tags": [{"Key": "a", "Value": "b"}]}),
    );
    call(
        "logs",
        "CreateLogGroup",
        json!({"logGroupName": "/g", "tags": {"c": "d"}}),
    );
    let objects = account.objects();
    let seen: Vec<_> = objects
        .iter()
        .map(|object| (object.kind.as_str(), object.name.as_str(), object.tags.len()))
        .collect();
    assert_eq!(seen, [("role", "r", 1), ("log_group", "/g", 1)]);
    call("iam", "DeleteRole", json!({"RoleName": "r"}));
    call("logs", "DeleteLogGroup", json!({"logGroupName": "/g"}));
    account.assert_empty();
}

#[test]
fn a_snapshot_brings_everything_back_as_often_as_wanted() {
    let account = account();
    let network = Network::make(&account);
    let nat = network.nat(&account);
    account.advance(90.0);
    account.snapshot("half");
    let before = account.objects();
    for _ in 0..2 {
        account.advance(100.0);
        assert_eq!(nat_state(&account, &nat), "available");
        account.ec2("DeleteNatGateway", &json!({"NatGatewayId": nat}));
        account.advance(60.0);
        account.ec2("DeleteSubnet", &json!({"SubnetId": network.subnet}));
        let watch = Stopwatch::start();
        account.restore("half");
        assert!(
            watch.elapsed() < Duration::from_secs(2),
            "a restore took {:?}",
            watch.elapsed()
        );
        assert_eq!(account.objects(), before);
        assert_eq!(nat_state(&account, &nat), "pending", "as pending as it was");
    }
    let tags = json!({"Resources": [nat], "Tags": [{"Key": "later", "Value": "yes"}]});
    account.ec2("CreateTags", &tags);
    account.restore("half");
    let seen = account.ec2("DescribeNatGateways", &json!({}));
    assert_eq!(
        seen["NatGateways"][0].get("Tags").unwrap_or(&json!([])),
        &json!([]),
        "the copy shares nothing"
    );
}

#[test]
fn a_copy_of_an_account_has_all_of_it_and_goes_its_own_way() {
    let account = account();
    let network = Network::make(&account);
    let nat = network.nat(&account);
    let iam = |account: &Account, operation: &str| {
        let role = json!({"RoleName": "main", "AssumeRolePolicyDocument": "{}"});
        let role = if operation == "GetRole" {
            json!({"RoleName": "main"})
        } else {
            role
        };
        let made = account
            .call("iam", "us-east-1", operation, &role)
            .expect("a role");
        text(&made["Role"]["Arn"]).to_owned()
    };
    let arn = iam(&account, "CreateRole");
    account.snapshot("made");
    let copy = account.copy("made");
    copy.set_time_scale(0.001);
    assert_eq!(iam(&copy, "GetRole"), arn.replace(account.id(), copy.id()));
    let ids = |account: &Account| -> Vec<String> {
        let objects = account.objects().into_iter();
        objects
            .map(|object| object.id.replace(account.id(), "ID"))
            .collect()
    };
    assert_eq!(ids(&copy), ids(&account));
    assert_eq!(nat_state(&copy, &nat), "pending", "as pending as it was");
    // A read is answered as before only while nothing has changed.
    copy.advance(200.0);
    assert_eq!(nat_state(&copy, &nat), "available");
    copy.ec2("DeleteNatGateway", &json!({"NatGatewayId": nat}));
    assert_eq!(nat_state(&copy, &nat), "deleting");
    assert_eq!(nat_state(&account, &nat), "pending");
    copy.restore("made");
    assert_eq!(nat_state(&copy, &nat), "pending");
}

#[test]
fn bad_credentials_are_refused_in_each_services_words() {
    let account = account();
    let script = "say([attempt(client('sts').get_caller_identity), attempt(ec2.describe_vpcs), \
                  attempt(client('logs').describe_log_groups)])";
    let (lines, _) = client_with_key(&account, "AKIAINVALID000000000", script);
    let codes = |line: &Value| {
        line.as_array()
            .expect("a list")
            .iter()
            .map(|one| text(&one["error"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        codes(&lines[0]),
        [
            "InvalidClientTokenId",
            "AuthFailure",
            "UnrecognizedClientException"
        ]
    );
    let (lines, _) = client_with_key(&account, "AKIAEXPIRED000000000", script);
    assert_eq!(
        codes(&lines[0]),
        ["ExpiredToken", "RequestExpired", "ExpiredTokenException"]
    );
}

#[test]
fn the_answers_fit_the_models_of_botocore() {
    let account = account();
    let output = Command::new(tool("venv"))
        .args([
            "-m",
            "emulator.check_answers",
            account.url(),
            account.access_key(),
        ])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .expect("python runs");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    account.assert_understood();
}

#[test]
fn a_vpc_has_one_internet_gateway() {
    let account = account();
    let network = Network::make(&account);
    let second =
        text(&account.ec2("CreateInternetGateway", &json!({}))["InternetGateway"]["InternetGatewayId"]);
    let attach = json!({"InternetGatewayId": second, "VpcId": network.vpc});
    assert_eq!(
        refused(&account, "AttachInternetGateway", &attach),
        "InvalidParameterValue"
    );
}
