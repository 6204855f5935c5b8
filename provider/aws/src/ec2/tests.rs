//! The kinds against a played AWS.

use std::collections::{BTreeMap, BTreeSet};

use reconcile::engine::Engine;
use reconcile::failure::Class;
use reconcile::graph::Graph;
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Key, Kind, Need, Object, Owner, Ref, Remedy, Tags, key,
};
use reconcile::report::Known;
use serde_json::{Value, json};

use super::*;
use crate::Settings;
use crate::eks::catalogue;
use crate::played::{Answer, Asked, Log, aws, identity, settings};

fn owner() -> Owner {
    Owner {
        environment: "staging".into(),
        region: "eu-central-1".into(),
        resource: "network/main".into(),
    }
}

fn place(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (Place, Log) {
    let (aws, log) = aws(settings(), answer);
    (Place::new(&aws, "eu-central-1"), log)
}

/// What a network is made of.
fn all_kinds(aws: &Aws) -> Kinds {
    let region = "eu-central-1";
    kinds(aws, region)
        .and(crate::iam::kinds(aws, region))
        .and(crate::logs::kinds(aws, region))
}

fn ask() -> Ask {
    Ask {
        formerly: Vec::new(),
        owner: owner(),
        known: BTreeMap::new(),
        declared: BTreeMap::new(),
        root: None,
        parents: Vec::new(),
    }
}

fn call(ids: &[(&str, &str)]) -> Call {
    Call {
        key: "part".into(),
        owner: owner(),
        ownership: Tags::from([("ekb:part".to_owned(), "part".to_owned())]),
        shared: Default::default(),
        token: "token-1".into(),
        ids: ids
            .iter()
            .map(|(key, id)| (Key::from(*key), (*id).to_owned()))
            .collect(),
        outputs: BTreeMap::new(),
    }
}

fn made(key: &str) -> Ref {
    Ref {
        key: key.into(),
        need: Need::Made,
        output: None,
    }
}

fn named(name: &str) -> Tags {
    Tags::from([("Name".to_owned(), name.to_owned())])
}

fn object(id: &str, fields: Value, detail: Value) -> Object {
    Object {
        id: id.into(),
        arn: None,
        condition: Condition::Settled,
        fields,
        tags: Tags::new(),
        references: Vec::new(),
        outputs: BTreeMap::new(),
        detail,
    }
}

/// Tags of a part, as EC2 gives them.
fn tag_set(part: &str, name: &str) -> String {
    let pairs = [
        ("ekb:environment", "staging"),
        ("ekb:region", "eu-central-1"),
        ("ekb:resource", "network/main"),
        ("ekb:part", part),
        ("Name", name),
    ];
    let items = pairs.map(|(key, value)| format!("<item><key>{key}</key><value>{value}</value></item>"));
    format!("<tagSet>{}</tagSet>", items.concat())
}

fn subnet_item(id: &str, part: &str, zone: &str, cidr: &str, public: bool) -> String {
    format!(
        "<item><subnetId>{id}</subnetId><state>available</state><vpcId>vpc-1</vpcId><cidrBlock>{cidr}</cidrBlock>\
         <availabilityZone>{zone}</availabilityZone><mapPublicIpOnLaunch>{public}</mapPublicIpOnLaunch>{}</item>",
        tag_set(part, part)
    )
}

/// A network of one zone, as EC2 answers for it: with what AWS itself adds.
fn network(asked: &Asked) -> Answer {
    let zone = "eu-central-1a";
    let group = |id: &str, name: &str, tags: &str, rules: &str| {
        format!(
            "<item><ownerId>1</ownerId><groupId>{id}</groupId><groupName>{name}</groupName>\
             <groupDescription>HTTPS</groupDescription><vpcId>vpc-1</vpcId><ipPermissions>{rules}</ipPermissions>\
             <ipPermissionsEgress/>{tags}</item>"
        )
    };
    let rule = |port: u16| {
        format!(
            "<item><ipProtocol>tcp</ipProtocol><fromPort>{port}</fromPort><toPort>{port}</toPort><ipRanges><item>\
             <cidrIp>10.20.0.0/16</cidrIp><description>in</description></item></ipRanges></item>"
        )
    };
    Answer::Xml(match asked.action() {
        "GetCallerIdentity" => return identity("111122223333"),
        "DescribeVpcs" => format!(
            "<vpcSet><item><vpcId>vpc-1</vpcId><ownerId>1</ownerId><state>available</state>\
             <cidrBlock>10.20.0.0/16</cidrBlock>{}</item></vpcSet>",
            tag_set("vpc", "vpc")
        ),
        "DescribeVpcAttribute" if asked.get("Attribute") == "enableDnsSupport" => {
            "<vpcId>vpc-1</vpcId><enableDnsSupport><value>true</value></enableDnsSupport>".into()
        }
        "DescribeVpcAttribute" => {
            "<vpcId>vpc-1</vpcId><enableDnsHostnames><value>true</value></enableDnsHostnames>".into()
        }
        "DescribeSecurityGroups" => format!(
            "<securityGroupInfo>{}{}</securityGroupInfo>",
            group(
                "sg-0",
                "default",
                &tag_set("default_security_group", "default"),
                ""
            ),
            // Not in the order of the declaration.
            group(
                "sg-1",
                "endpoints",
                &tag_set("endpoint_security_group", "endpoints"),
                &(rule(443) + &rule(80))
            ),
        ),
        "DescribeInternetGateways" => format!(
            "<internetGatewaySet><item><internetGatewayId>igw-1</internetGatewayId><attachmentSet><item>\
             <vpcId>vpc-1</vpcId><state>available</state></item></attachmentSet>{}</item></internetGatewaySet>",
            tag_set("internet_gateway", "gateway")
        ),
        "DescribeSubnets" => format!(
            "<subnetSet>{}{}</subnetSet>",
            subnet_item("subnet-1", "public_subnet/a", zone, "10.20.0.0/24", true),
            subnet_item("subnet-2", "private_subnet/a", zone, "10.20.64.0/19", false),
        ),
        "DescribeAddresses" => format!(
            "<addressesSet><item><allocationId>eipalloc-1</allocationId><publicIp>198.51.100.7</publicIp>\
             <domain>vpc</domain>{}</item></addressesSet>",
            tag_set("nat_address/a", "nat")
        ),
        "DescribeNatGateways" => format!(
            "<natGatewaySet><item><natGatewayId>nat-1</natGatewayId><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>\
             <state>available</state><natGatewayAddressSet><item><allocationId>eipalloc-1</allocationId>\
             <publicIp>198.51.100.7</publicIp></item></natGatewayAddressSet>{tags}</item>\
             <item><natGatewayId>nat-0</natGatewayId><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>\
             <state>deleted</state>{tags}</item></natGatewaySet>",
            tags = tag_set("nat_gateway/a", "nat")
        ),
        "DescribeRouteTables" => {
            let local = "<item><destinationCidrBlock>10.20.0.0/16</destinationCidrBlock><gatewayId>local</gatewayId>\
                         <state>active</state><origin>CreateRouteTable</origin></item>";
            let table = |id: &str, target: &str, subnet: &str, more: &str, tags: &str| {
                format!(
                    "<item><routeTableId>{id}</routeTableId><vpcId>vpc-1</vpcId><ownerId>1</ownerId><routeSet>{local}\
                     <item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock>{target}<state>active</state>\
                     <origin>CreateRoute</origin></item>{more}</routeSet><associationSet><item>\
                     <routeTableAssociationId>rtbassoc-{id}</routeTableAssociationId><subnetId>{subnet}</subnetId>\
                     <main>false</main></item></associationSet>{tags}</item>"
                )
            };
            // Somebody else's route, and the gateway endpoint's.
            let more = "<item><destinationCidrBlock>192.168.0.0/16</destinationCidrBlock>\
                        <vpcPeeringConnectionId>pcx-1</vpcPeeringConnectionId><state>active</state>\
                        <origin>CreateRoute</origin></item><item><destinationPrefixListId>pl-1</destinationPrefixListId>\
                        <gatewayId>vpce-1</gatewayId><state>active</state><origin>CreateRoute</origin></item>";
            let main = format!(
                "<item><routeTableId>rtb-0</routeTableId><vpcId>vpc-1</vpcId><routeSet>{local}</routeSet>\
                 <associationSet><item><routeTableAssociationId>rtbassoc-0</routeTableAssociationId><main>true</main>\
                 </item></associationSet></item>"
            );
            format!(
                "<routeTableSet>{main}{}{}</routeTableSet>",
                table(
                    "rtb-1",
                    "<gatewayId>igw-1</gatewayId>",
                    "subnet-1",
                    "",
                    &tag_set("public_routes", "public")
                ),
                table(
                    "rtb-2",
                    "<natGatewayId>nat-1</natGatewayId>",
                    "subnet-2",
                    more,
                    &tag_set("private_routes/a", "private")
                ),
            )
        }
        "DescribeVpcEndpoints" => format!(
            "<vpcEndpointSet><item><vpcEndpointId>vpce-1</vpcEndpointId><vpcEndpointType>Gateway</vpcEndpointType>\
             <vpcId>vpc-1</vpcId><serviceName>com.amazonaws.eu-central-1.s3</serviceName><state>available</state>\
             <routeTableIdSet><item>rtb-2</item></routeTableIdSet>{}</item><item><vpcEndpointId>vpce-2</vpcEndpointId>\
             <vpcEndpointType>Interface</vpcEndpointType><vpcId>vpc-1</vpcId>\
             <serviceName>com.amazonaws.eu-central-1.sts</serviceName><state>available</state>\
             <subnetIdSet><item>subnet-2</item></subnetIdSet><groupSet><item><groupId>sg-1</groupId></item></groupSet>\
             <privateDnsEnabled>true</privateDnsEnabled>{}</item></vpcEndpointSet>",
            tag_set("s3_endpoint", "s3"),
            tag_set("interface_endpoint/sts", "sts")
        ),
        "DescribeFlowLogs" => format!(
            "<flowLogSet><item><flowLogId>fl-1</flowLogId><resourceId>vpc-1</resourceId>\
             <flowLogStatus>ACTIVE</flowLogStatus><logDestinationType>s3</logDestinationType>\
             <logDestination>arn:aws:s3:::logs</logDestination>{}</item></flowLogSet>",
            tag_set("flow_log", "flow-logs")
        ),
        _ => return Answer::Error(400, "InvalidAction", "not played"),
    })
}

/// The declaration that [`network`] answers for.
fn declared() -> Graph {
    let mut graph = Graph::new();
    let cidr: ipnet::Ipv4Net = "10.20.0.0/16".parse().unwrap();
    let subnet = |vpc: Ref, cidr: &str, public_ips: bool, name: &str| Subnet {
        vpc,
        zone: "eu-central-1a".into(),
        cidr: cidr.parse().unwrap(),
        public_ips,
        tags: named(name),
    };
    let vpc = graph.part(
        "vpc",
        Vpc {
            cidr,
            secondary_cidrs: Vec::new(),
            dns_support: true,
            dns_hostnames: true,
            tags: named("vpc"),
        },
    );
    graph.part(
        "default_security_group",
        DefaultSecurityGroup {
            vpc: vpc.made(),
            closed: true,
            tags: named("default"),
        },
    );
    let gateway = graph.part(
        "internet_gateway",
        InternetGateway {
            vpc: vpc.made(),
            tags: named("gateway"),
        },
    );
    let public = subnet(vpc.made(), "10.20.0.0/24", true, "public_subnet/a");
    let public = graph.part(key("public_subnet", "a"), public);
    let private = subnet(vpc.made(), "10.20.64.0/19", false, "private_subnet/a");
    let private = graph.part(key("private_subnet", "a"), private);
    let address = graph.part(key("nat_address", "a"), ElasticIp { tags: named("nat") });
    let nat = graph.part(
        key("nat_gateway", "a"),
        NatGateway {
            subnet: public.made(),
            address: reconcile::part::Target::Part(address.made()),
            gateway: gateway.ready(),
            tags: named("nat"),
        },
    );
    let anywhere = |target: Ref| BTreeMap::from([("0.0.0.0/0".to_owned(), target)]);
    let routes = |subnet: Ref, target: Ref, name: &str| RouteTable {
        vpc: vpc.made(),
        subnets: vec![subnet],
        routes: anywhere(target),
        tags: named(name),
    };
    graph.part("public_routes", routes(public.made(), gateway.ready(), "public"));
    let table = graph.part(
        key("private_routes", "a"),
        routes(private.made(), nat.ready(), "private"),
    );
    graph.part(
        "s3_endpoint",
        GatewayEndpoint {
            vpc: vpc.made(),
            service: "com.amazonaws.eu-central-1.s3".into(),
            route_tables: vec![table.made()],
            tags: named("s3"),
        },
    );
    let group = graph.part(
        "endpoint_security_group",
        SecurityGroup {
            vpc: vpc.made(),
            name: "endpoints".into(),
            description: "HTTPS".into(),
            ingress: vec![Rule::tcp(80, cidr, "in"), Rule::tcp(443, cidr, "in")],
            tags: named("endpoints"),
        },
    );
    graph.part(
        key("interface_endpoint", "sts"),
        InterfaceEndpoint {
            vpc: vpc.made(),
            service: "com.amazonaws.eu-central-1.sts".into(),
            subnets: vec![private.made()],
            security_groups: vec![group.made()],
            private_dns: true,
            tags: named("sts"),
        },
    );
    let bucket = Some("arn:aws:s3:::logs".to_owned());
    graph.part(
        "flow_log",
        FlowLog {
            vpc: vpc.made(),
            bucket,
            log_group: None,
            role: None,
            tags: named("flow-logs"),
        },
    );
    graph.root(&vpc);
    graph
}

#[tokio::test]
async fn a_network_as_declared_shows_no_drift_in_twelve_calls() {
    let (aws, log) = aws(settings(), network);
    let graph = declared();
    // A kind that a network has no part of is none of its calls.
    let parts = graph.kinds();
    let named: Vec<&str> = parts.values().map(String::as_str).collect();
    let engine = Engine::new(owner(), all_kinds(&aws).only(&named));
    let before = engine.observe(Some(&graph), &Known::default()).await.report();
    let known = before.known().of(&graph);
    let first = log.all().len();
    aws.account(None).await.unwrap();
    let seen = engine.observe(Some(&graph), &known).await.report();
    assert_eq!(seen.drift, [""; 0]);
    assert!(
        seen.warnings.is_empty() && seen.foreign.is_empty(),
        "{:?} {:?}",
        seen.warnings,
        seen.foreign
    );
    assert_eq!(seen.ids.len(), graph.keys().count());
    assert_eq!(seen.ids[&Key::from("nat_gateway/a")], "nat-1");
    assert_eq!(
        seen.found[&Key::from("nat_address/a")].outputs["public_ip"],
        "198.51.100.7"
    );
    assert_eq!(
        seen.arns[&Key::from("vpc")],
        "arn:aws:ec2:eu-central-1:1:vpc/vpc-1"
    );
    let calls = log.actions().split_off(first);
    assert!(calls.len() <= 12, "{calls:?}");
}

#[tokio::test]
async fn what_differs_is_told() {
    let (aws, _) = aws(settings(), |asked| match network(asked) {
        Answer::Xml(xml) => Answer::Xml(
            xml.replace(
                "<natGatewayId>nat-1</natGatewayId><state>active</state>",
                "<natGatewayId>nat-1</natGatewayId><state>blackhole</state>",
            )
            .replace("<fromPort>80</fromPort>", "<fromPort>81</fromPort>")
            .replace(
                "<enableDnsHostnames><value>true",
                "<enableDnsHostnames><value>false",
            ),
        ),
        other => other,
    });
    let graph = declared();
    let engine = Engine::new(owner(), all_kinds(&aws));
    let drift = engine
        .observe(Some(&graph), &Known::default())
        .await
        .report()
        .drift
        .join("\n");
    for part in [
        "vpc: dns_hostnames",
        "endpoint_security_group: ingress",
        "private_routes/a: routes 0.0.0.0/0: is blackhole nat-1",
    ] {
        assert!(drift.contains(part), "{part} is missing in\n{drift}");
    }
}

#[tokio::test]
async fn all_pages_are_read() {
    let (place, log) = place(|asked| {
        let (id, next) = match asked.get("NextToken") {
            "" => ("subnet-1", "<nextToken>more</nextToken>"),
            _ => ("subnet-2", ""),
        };
        let item = subnet_item(id, "public_subnet/a", "eu-central-1a", "10.20.0.0/24", true);
        Answer::Xml(format!("<subnetSet>{item}</subnetSet>{next}"))
    });
    let found = by_filter::<Subnet>(&place).observe(&ask()).await.unwrap();
    assert_eq!(
        found.iter().map(|subnet| subnet.id.as_str()).collect::<Vec<_>>(),
        ["subnet-1", "subnet-2"]
    );
    assert_eq!(log.all()[1].get("NextToken"), "more");
}

#[tokio::test]
async fn a_known_id_that_the_look_misses_is_looked_for_by_itself() {
    let (place, log) = place(|asked| match asked.get("Filter.1.Name") {
        "subnet-id" => {
            let item = subnet_item("subnet-9", "x", "eu-central-1a", "10.20.0.0/24", true);
            Answer::Xml(format!("<subnetSet>{item}</subnetSet>"))
        }
        _ => Answer::Xml("<subnetSet/>".into()),
    });
    let known = BTreeMap::from([(Key::from("public_subnet/a"), "subnet-9".to_owned())]);
    let found = by_filter::<Subnet>(&place)
        .observe(&Ask { known, ..ask() })
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    let filters: Vec<String> = log
        .all()
        .iter()
        .map(|asked| asked.get("Filter.1.Name").to_owned())
        .collect();
    assert_eq!(filters, ["tag:ekb:environment", "subnet-id"]);
}

#[tokio::test]
async fn a_denied_look_is_not_an_absent_part() {
    let (place, _) = place(|_| Answer::Error(403, "UnauthorizedOperation", "You are not authorized"));
    let failure = by_filter::<Subnet>(&place).observe(&ask()).await.unwrap_err();
    assert_eq!(failure.class, Class::Denied);
    assert!(failure.hint.contains("ec2:DescribeSubnets"), "{failure}");
}

fn vpc() -> Vpc {
    Vpc {
        cidr: "10.20.0.0/16".parse().unwrap(),
        secondary_cidrs: Vec::new(),
        dns_support: true,
        dns_hostnames: true,
        tags: named("vpc"),
    }
}

#[tokio::test]
async fn a_creating_call_whose_answer_is_lost_is_sent_once_and_told_as_unknown() {
    let (place, log) = place(|_| Answer::Lost);
    let failure = by_filter::<Vpc>(&place)
        .create(&vpc(), &call(&[]))
        .await
        .unwrap_err();
    assert_eq!(failure.class, Class::Unknown);
    assert_eq!(log.actions(), ["CreateVpc"]);
}

#[tokio::test]
async fn a_throttled_creating_call_is_left_to_the_engine() {
    let (place, log) = place(|_| Answer::Error(503, "RequestLimitExceeded", "slow down"));
    let failure = by_filter::<Vpc>(&place)
        .create(&vpc(), &call(&[]))
        .await
        .unwrap_err();
    assert_eq!(failure.class, Class::Throttled);
    assert_eq!(log.actions(), ["CreateVpc"]);
}

#[tokio::test]
async fn tags_are_in_the_creating_call_and_a_failed_attribute_is_left_to_mend() {
    let (place, log) = place(|asked| match asked.action() {
        "CreateVpc" => {
            Answer::Xml("<vpc><vpcId>vpc-1</vpcId><ownerId>1</ownerId><state>pending</state></vpc>".into())
        }
        _ => Answer::Error(503, "RequestLimitExceeded", "slow down"),
    });
    let made = by_filter::<Vpc>(&place).create(&vpc(), &call(&[])).await.unwrap();
    assert_eq!(made.id, "vpc-1");
    assert!(
        matches!(made.condition, Condition::Changing(_)),
        "{:?}",
        made.condition
    );
    let asked = &log.all()[0];
    let tags: BTreeSet<&str> = ["1", "2"]
        .map(|n| asked.get(&format!("TagSpecification.1.Tag.{n}.Key")))
        .into();
    assert_eq!(tags, BTreeSet::from(["Name", "ekb:part"]));
}

#[tokio::test]
async fn a_token_that_gives_a_deleted_gateway_tells_it_is_dead() {
    let (place, log) = place(|_| {
        Answer::Xml(
            "<natGateway><natGatewayId>nat-0</natGatewayId><state>deleting</state></natGateway>".into(),
        )
    });
    let part = NatGateway {
        subnet: made("subnet"),
        address: reconcile::part::Target::Part(made("address")),
        gateway: made("gateway"),
        tags: Tags::new(),
    };
    let kind = by_filter::<NatGateway>(&place);
    let made = kind
        .create(&part, &call(&[("subnet", "subnet-1"), ("address", "eipalloc-1")]))
        .await
        .unwrap();
    assert_eq!(made.condition, Condition::Dead);
    assert_eq!(log.all()[0].get("ClientToken"), "token-1");
}

#[tokio::test]
async fn a_failed_gateway_says_why() {
    let (place, _) = place(|_| {
        Answer::Xml(
            "<natGatewaySet><item><natGatewayId>nat-1</natGatewayId><state>failed</state>\
             <failureCode>Gateway.NotAttached</failureCode><failureMessage>no internet gateway</failureMessage></item>\
             </natGatewaySet>"
                .into(),
        )
    });
    let found = by_filter::<NatGateway>(&place).observe(&ask()).await.unwrap();
    assert_eq!(
        found[0].condition,
        Condition::Failed("Gateway.NotAttached: no internet gateway".into())
    );
}

#[tokio::test]
async fn only_what_differs_of_the_routes_is_changed() {
    let (place, log) = place(|asked| match asked.action() {
        "CreateRoute" => Answer::Error(400, "RouteAlreadyExists", "exists"),
        _ => Answer::Xml("<return>true</return>".into()),
    });
    let part = RouteTable {
        vpc: made("vpc"),
        subnets: vec![],
        routes: BTreeMap::new(),
        tags: Tags::new(),
    };
    let differences = [
        Difference {
            field: "routes".into(),
            is: json!({ "0.0.0.0/0": "nat-0", "10.0.0.0/8": "nat-0", "172.16.0.0/12": "nat" }),
            should: json!({ "0.0.0.0/0": "nat", "172.16.0.0/12": "nat" }),
            remedy: Remedy::Update,
        },
        Difference {
            field: "subnets".into(),
            is: json!(["subnet-7"]),
            should: json!([]),
            remedy: Remedy::Update,
        },
    ];
    let is = object(
        "rtb-1",
        json!({}),
        json!({ "associations": { "subnet-7": "rtbassoc-7" } }),
    );
    let ids = call(&[("nat", "nat-1")]);
    by_filter::<RouteTable>(&place)
        .update(&part, &is, &differences, &ids)
        .await
        .unwrap();
    assert_eq!(
        log.actions(),
        [
            "CreateRoute",
            "ReplaceRoute",
            "DeleteRoute",
            "DisassociateRouteTable"
        ]
    );
    assert_eq!(log.all()[1].get("NatGatewayId"), "nat-1");
    assert_eq!(log.all()[2].get("DestinationCidrBlock"), "10.0.0.0/8");
    assert_eq!(log.all()[3].get("AssociationId"), "rtbassoc-7");
}

#[tokio::test]
async fn a_subnet_in_use_names_what_uses_it_and_leftovers_go() {
    let interface = |id: &str, description: &str, status: &str| {
        format!(
            "<item><networkInterfaceId>{id}</networkInterfaceId><description>{description}</description>\
             <status>{status}</status></item>"
        )
    };
    let (place, log) = place(move |asked| match asked.action() {
        "DeleteSubnet" => Answer::Error(400, "DependencyViolation", "has dependencies"),
        "DescribeNetworkInterfaces" => Answer::Xml(format!(
            "<networkInterfaceSet>{}{}</networkInterfaceSet>",
            interface("eni-1", "ELB app/web/1", "in-use"),
            interface("eni-2", "aws-K8S-i-0123", "available")
        )),
        _ => Answer::Xml("<return>true</return>".into()),
    });
    let failure = by_filter::<Subnet>(&place)
        .delete(&object("subnet-1", json!({}), json!({})), &call(&[]))
        .await
        .unwrap_err();
    assert_eq!((failure.code, failure.class), ("EKB1121", Class::Busy));
    assert!(
        failure
            .cause
            .contains("eni-1 (\"ELB app/web/1\", a load balancer)"),
        "{failure}"
    );
    assert_eq!(
        log.actions(),
        [
            "DeleteSubnet",
            "DescribeNetworkInterfaces",
            "DeleteNetworkInterface"
        ]
    );
    assert_eq!(log.all()[2].get("NetworkInterfaceId"), "eni-2");
}

#[tokio::test]
async fn without_the_accounts_id_arns_are_those_that_aws_answers() {
    let skip = Settings {
        skip_requesting_account_id: true,
        ..settings()
    };
    let (aws, log) = aws(skip, |asked| {
        match asked.action() {
        "GetRole" => Answer::Xml(
            "<GetRoleResult><Role><Path>/</Path><RoleName>logs</RoleName><RoleId>AROA</RoleId>\
             <Arn>arn:aws:iam::111122223333:role/logs</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></Role></GetRoleResult>"
                .into(),
        ),
        _ => Answer::Xml("<flowLogIdSet><item>fl-1</item></flowLogIdSet>".into()),
    }
    });
    let part = FlowLog {
        vpc: made("vpc"),
        bucket: None,
        log_group: Some(made("group")),
        role: Some(made("role")),
        tags: Tags::new(),
    };
    let ids = call(&[("vpc", "vpc-1"), ("group", "/ekb/x"), ("role", "logs")]);
    by_filter::<FlowLog>(&Place::new(&aws, "eu-central-1"))
        .create(&part, &ids)
        .await
        .unwrap();
    let asked = &log.all()[1];
    assert_eq!(
        asked.get("DeliverLogsPermissionArn"),
        "arn:aws:iam::111122223333:role/logs"
    );
}

#[tokio::test]
async fn what_others_have_in_a_vpc_is_found_before_it_is_deleted() {
    let (place, log) = place(|asked| {
        Answer::Xml(match asked.action() {
            "DescribeNetworkInterfaces" => "<networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId>\
                <description>Interface for NAT Gateway nat-1</description><status>in-use</status></item>\
                <item><networkInterfaceId>eni-2</networkInterfaceId><description>RDSNetworkInterface</description>\
                <status>in-use</status><association><publicIp>192.0.2.7</publicIp></association></item>\
                <item><networkInterfaceId>eni-3</networkInterfaceId><status>in-use</status>\
                <attachment><instanceId>i-1</instanceId></attachment></item></networkInterfaceSet>"
                .into(),
            "DescribeInstances" => "<reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><tagSet><item>\
                <key>karpenter.sh/nodepool</key><value>general</value></item></tagSet></item></instancesSet></item></reservationSet>"
                .into(),
            "DescribeSecurityGroups" if asked.get("Filter.1.Name") == "vpc-id" => "<securityGroupInfo><item><groupId>sg-0</groupId><groupName>default</groupName></item>\
                <item><groupId>sg-1</groupId><groupName>ours</groupName></item></securityGroupInfo>"
                .into(),
            "DescribeTransitGatewayVpcAttachments" => "<transitGatewayVpcAttachments><item><transitGatewayAttachmentId>tgw-attach-1\
                </transitGatewayAttachmentId><transitGatewayId>tgw-1</transitGatewayId><state>available</state></item>\
                </transitGatewayVpcAttachments>"
                .into(),
            "DescribeNatGateways" => "<natGatewaySet><item><natGatewayId>nat-1</natGatewayId><state>available</state></item>\
                <item><natGatewayId>nat-2</natGatewayId><state>deleted</state></item></natGatewaySet>"
                .into(),
            _ => String::new(),
        })
    });
    let objects = ["vpc-1", "nat-1", "sg-1"].map(|id| object(id, json!({}), json!({})));
    let going: Vec<_> = objects.iter().collect();
    let failure = by_filter::<Vpc>(&place)
        .in_the_way(&objects[0], &going, &going)
        .await
        .unwrap_err();
    assert_eq!((failure.code, failure.class), ("EKB1121", Class::Stuck));
    let (_, named) = failure.cause.split_once("In the way: ").unwrap();
    assert_eq!(
        named,
        "instance i-1 (Karpenter, for its node pool general), \
         network interface eni-2 (\"RDSNetworkInterface\", an RDS database, public address 192.0.2.7), \
         transit gateway attachment tgw-attach-1 (\"tgw-1\")"
    );
    assert!(
        failure.hint.contains("kubectl delete nodepool general"),
        "{failure}"
    );
    assert!(log.actions().iter().all(|action| action.starts_with("Describe")));
}

#[tokio::test]
async fn what_uses_a_vpc_is_told() {
    let (aws, log) = aws(settings(), |_| {
        Answer::Xml(
            "<networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId>\
             <description>Amazon EKS staging</description><status>in-use</status></item></networkInterfaceSet>"
                .into(),
        )
    });
    let uses = aws.vpc_in_use_by("eu-central-1", "vpc-1").await.unwrap();
    let expected = Use {
        interface: "eni-1".into(),
        description: "Amazon EKS staging".into(),
        owner: "an EKS cluster".into(),
    };
    assert_eq!(uses, [expected]);
    assert_eq!(
        (
            log.all()[0].get("Filter.1.Name"),
            log.all()[0].get("Filter.1.Value.1")
        ),
        ("vpc-id", "vpc-1")
    );
}

#[tokio::test]
async fn an_address_that_a_leaving_gateway_holds_is_waited_for() {
    let (place, _) = place(|_| {
        Answer::Error(
            400,
            "AuthFailure",
            "You do not have permission to access the resource.",
        )
    });
    let kind = by_filter::<ElasticIp>(&place);
    let failure = kind
        .delete(&object("eipalloc-1", json!({}), json!({})), &call(&[]))
        .await
        .unwrap_err();
    assert_eq!(failure.class, Class::Busy);
}

#[tokio::test]
async fn the_default_group_is_closed_and_never_deleted() {
    let (place, log) = place(|asked| {
        match asked.action() {
        "DescribeSecurityGroups" => Answer::Xml(
            "<securityGroupInfo><item><groupId>sg-0</groupId><groupName>default</groupName><vpcId>vpc-1</vpcId>\
             <ipPermissions><item><ipProtocol>-1</ipProtocol><groups><item><groupId>sg-0</groupId></item></groups>\
             </item></ipPermissions><ipPermissionsEgress><item><ipProtocol>-1</ipProtocol><ipRanges><item>\
             <cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item></ipPermissionsEgress></item></securityGroupInfo>"
                .into(),
        ),
        _ => Answer::Xml("<return>true</return>".into()),
    }
    });
    let kind = by_filter::<DefaultSecurityGroup>(&place);
    let part = DefaultSecurityGroup {
        vpc: made("vpc"),
        closed: true,
        tags: Tags::new(),
    };
    let made = kind.create(&part, &call(&[("vpc", "vpc-1")])).await.unwrap();
    assert_eq!((made.id.as_str(), made.condition), ("sg-0", Condition::Settled));
    let before = log.actions();
    let expected = [
        "DescribeSecurityGroups",
        "CreateTags",
        "RevokeSecurityGroupIngress",
        "RevokeSecurityGroupEgress",
    ];
    assert_eq!(before, expected);
    let deleted = kind
        .delete(&object("sg-0", json!({}), json!({})), &call(&[]))
        .await
        .unwrap();
    assert_eq!((deleted, log.actions()), (Deleted::Gone, before));
}

#[tokio::test]
async fn a_flow_log_refused_inside_of_a_good_answer_is_a_failure() {
    let (place, _) = place(|_| {
        Answer::Xml(
            "<unsuccessful><item><resourceId>vpc-1</resourceId><error><code>Access</code>\
             <message>Unable to assume given IAM role</message></error></item></unsuccessful>"
                .into(),
        )
    });
    let part = FlowLog {
        vpc: made("vpc"),
        bucket: Some("arn:aws:s3:::logs".into()),
        log_group: None,
        role: None,
        tags: Tags::new(),
    };
    let failure = by_filter::<FlowLog>(&place)
        .create(&part, &call(&[("vpc", "vpc-1")]))
        .await
        .unwrap_err();
    assert_eq!(failure.class, Class::NotYet, "{failure}");
}

/// Every call that the sources make is among the IAM actions that the kinds state, so that the generated policy allows it.
#[test]
fn kinds_state_every_action_they_call() {
    // The folders of services, so that a new one is not forgotten.
    let services = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
    let folders = services
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("mod.rs").exists());
    let files = folders
        .filter(|folder| !folder.ends_with("kind"))
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|file| !file.ends_with("tests.rs"));
    let sources: Vec<String> = files.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let (aws, _) = aws(settings(), |_| Answer::Lost);
    let kinds = all_kinds(&aws)
        .and(crate::kms::kinds(&aws, "eu-central-1"))
        .and(crate::eks::kinds(&aws, "eu-central-1"))
        .and(crate::eks::kinds_in_named_clusters(&aws, "eu-central-1"))
        .and(crate::events::kinds(&aws, "eu-central-1"))
        .and(crate::sqs::kinds(&aws, "eu-central-1"));
    let stated: BTreeSet<&str> = kinds
        .traits()
        .flat_map(|kind| kind.reads.iter().chain(kind.writes))
        // What plans look up has no kind.
        .chain(
            [
                catalogue::INSIGHTS,
                catalogue::INSIGHTS_REFRESH,
                catalogue::UPDATES,
            ]
            .iter()
            .flatten(),
        )
        .copied()
        .collect();
    let mut called = 0;
    for source in sources {
        // Calls, and the table of what EC2 lists. Elsewhere actions are stated, not called.
        let calls = source
            .split("call(")
            .skip(1)
            .map(str::trim_start)
            .filter_map(|call| call.strip_prefix('"'));
        let rows = source
            .split("listed! {")
            .skip(1)
            .flat_map(|table| table.split('"'));
        for piece in calls.chain(rows) {
            let action = piece.split('"').next().unwrap_or_default();
            let is_action = action
                .split_once(':')
                .is_some_and(|(_, operation)| operation.starts_with(|c: char| c.is_ascii_uppercase()));
            if is_action {
                called += 1;
                assert!(stated.contains(action), "{action} is stated by no kind");
            }
        }
    }
    assert!(called > 40, "only {called} calls found: the search is wrong");
}
