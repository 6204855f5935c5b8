"""`python -m emulator.check_answers URL ACCESS_KEY`: every operation of the extension once through boto3, requests and answers
checked against botocore's models. Ends with 1 and says what does not fit.

botocore checks requests by itself (ParamValidator). Answers it takes as they come, so the raw XML or JSON is walked beside the model here:
every element must be a member, of the right type, and an enum's value must be one of the enum's (without regard to case and
underscores, which AWS itself does not keep to).
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

wrong, seen = [], set()


# Where AWS's answers are not what its model says.
AWS_SAYS_SO = {("DescribeInternetGateways.internetGatewaySet[].attachmentSet[].state", "available")}


def plain(text):
    return text.lower().replace("_", "")


def local(element):
    return element.tag.rsplit("}", 1)[-1]


def check(path, element, shape):
    text = (element.text or "").strip()
    match shape.type_name:
        case "structure":
            names = {}
            for name, member in shape.members.items():
                serialised = member.serialization
                names[serialised.get("name", name)] = member
                if serialised.get("flattened") and member.type_name == "list":
                    names[member.member.serialization.get("name", name)] = member.member
            for child in element:
                member = names.get(local(child))
                if member is None:
                    wrong.append(f"{path}: no member {local(child)}")
                else:
                    check(f"{path}.{local(child)}", child, member)
        case "list":
            for child in element:
                check(f"{path}[]", child, shape.member)
        case "boolean" if text not in ("true", "false"):
            wrong.append(f"{path}: not a boolean: {text!r}")
        case "integer" | "long" if not re.fullmatch(r"-?\d+", text):
            wrong.append(f"{path}: not a number: {text!r}")
        case "timestamp" if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text):
            wrong.append(f"{path}: not a time: {text!r}")
        case "string":
            values = [plain(value) for value in getattr(shape, "enum", None) or []]
            if values and plain(text) not in values and (path, text) not in AWS_SAYS_SO:
                wrong.append(f"{path}: {text!r} is none of {values}")


def check_json(path, value, shape):
    kinds = {"structure": dict, "map": dict, "list": list, "string": str, "boolean": bool, "integer": int, "long": int,
             "timestamp": (int, float), "double": (int, float), "float": (int, float)}
    if value is None:
        return
    if not isinstance(value, kinds.get(shape.type_name, object)):
        wrong.append(f"{path}: not a {shape.type_name}: {value!r}")
    elif shape.type_name == "structure":
        for name, inner in value.items():
            if name not in shape.members:
                wrong.append(f"{path}: no member {name}")
            else:
                check_json(f"{path}.{name}", inner, shape.members[name])
    elif shape.type_name == "map":
        for name, inner in value.items():
            check_json(f"{path}.{name}", inner, shape.value)
    elif shape.type_name == "list":
        for inner in value:
            check_json(f"{path}[]", inner, shape.member)
    elif shape.type_name == "string":
        values = [plain(one) for one in getattr(shape, "enum", None) or []]
        if values and plain(value) not in values:
            wrong.append(f"{path}: {value!r} is none of {values}")


def on_answer(http_response, model, **_):
    seen.add(model.name)
    if http_response.status_code >= 400 or model.output_shape is None:
        return
    protocol = model.service_model.metadata["protocol"]
    if protocol in ("json", "rest-json"):
        check_json(model.name, json.loads(http_response.content or b"{}"), model.output_shape)
        return
    root = ElementTree.fromstring(http_response.content)
    if protocol == "query":
        wrapper = model.output_shape.serialization.get("resultWrapper")
        root = next((child for child in root if local(child) == wrapper), ElementTree.Element("none"))
    for child in list(root):
        if local(child) in ("requestId", "RequestId", "return"):
            root.remove(child)
    check(model.name, root, model.output_shape)


def main(url, key):
    def client(service):
        made = boto3.client(service, region_name="eu-central-1", endpoint_url=url, aws_access_key_id=key,
                            aws_secret_access_key="unused", config=Config(retries={"total_max_attempts": 1}))
        made.meta.events.register("after-call", lambda http_response, model, **_: on_answer(http_response, model))
        return made

    ec2, logs, iam = client("ec2"), client("logs"), client("iam")

    def tags(kind):
        return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": kind}]}]

    def refused(function, code, **parameters):
        try:
            function(**parameters)
            wrong.append(f"{function.__name__} should have been refused with {code}")
        except ClientError as error:
            if error.response["Error"]["Code"] != code or not error.response["Error"]["Message"]:
                wrong.append(f"{function.__name__}: {error}, not {code}")

    client("sts").get_caller_identity()
    ec2.describe_regions()
    ec2.describe_availability_zones(Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}])
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=tags("vpc"))["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    for attribute in ("enableDnsHostnames", "enableDnsSupport"):
        if ec2.describe_vpc_attribute(VpcId=vpc, Attribute=attribute)[attribute[0].upper() + attribute[1:]] != {"Value": True}:
            wrong.append(f"{attribute} is not on")
    ec2.describe_vpcs(VpcIds=[vpc], Filters=[{"Name": "tag:Name", "Values": ["vpc"]}])
    further = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="100.64.0.0/16")["CidrBlockAssociation"]["AssociationId"]
    ec2.disassociate_vpc_cidr_block(AssociationId=further)
    other = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)
    ec2.describe_vpc_peering_connections(Filters=[{"Name": "requester-vpc-info.vpc-id", "Values": [vpc]}])
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24", AvailabilityZone="eu-central-1a",
                               TagSpecifications=tags("subnet"))["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    if not ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"]:
        wrong.append("MapPublicIpOnLaunch is not on")
    gateway = ec2.create_internet_gateway(TagSpecifications=tags("internet-gateway"))["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip"))["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, ClientToken="a",
                                 TagSpecifications=tags("natgateway"))["NatGateway"]["NatGatewayId"]
    ec2.describe_nat_gateways(Filter=[{"Name": "tag:Name", "Values": ["natgateway"]}], MaxResults=5)
    ec2.describe_addresses(AllocationIds=[address])
    ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    table = ec2.create_route_table(VpcId=vpc, ClientToken="a", TagSpecifications=tags("route-table"))["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.replace_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    other = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    association = ec2.replace_route_table_association(AssociationId=association, RouteTableId=other)["NewAssociationId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc, TagSpecifications=tags("security-group"))["GroupId"]
    rule = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.9.0.0/16", "Description": "in"}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=rule)
    ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=rule)
    endpoints = [
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.eu-central-1.s3", RouteTableIds=[table], ClientToken="a",
                                TagSpecifications=tags("vpc-endpoint"))["VpcEndpoint"]["VpcEndpointId"],
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.eu-central-1.ecr.dkr", VpcEndpointType="Interface",
                                SubnetIds=[subnet], SecurityGroupIds=[group])["VpcEndpoint"]["VpcEndpointId"],
    ]
    ec2.describe_vpc_endpoints(VpcEndpointIds=endpoints)
    ec2.describe_vpc_endpoint_services(ServiceNames=["com.amazonaws.eu-central-1.s3"])
    ec2.describe_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": ["com.amazonaws.eu-central-1.s3"]}])
    refused(ec2.modify_vpc_endpoint, "IncorrectState", VpcEndpointId=endpoints[1], PolicyDocument="{}")
    ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    logs.create_log_group(logGroupName="/flow", tags={"a": "b"})
    logs.put_retention_policy(logGroupName="/flow", retentionInDays=7)
    arn = logs.describe_log_groups(logGroupNamePrefix="/flow")["logGroups"][0]["logGroupArn"]
    logs.list_tags_for_resource(resourceArn=arn)
    trust = ('{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
             '"Principal": {"Service": "vpc-flow-logs.amazonaws.com"}}]}')
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}'
    role = iam.create_role(RoleName="flow", AssumeRolePolicyDocument=trust, Tags=[{"Key": "a", "Value": "b"}])["Role"]["Arn"]
    iam.put_role_policy(RoleName="flow", PolicyName="p", PolicyDocument=policy)
    iam.get_role_policy(RoleName="flow", PolicyName="p")
    flow = ec2.create_flow_logs(ResourceType="VPC", ResourceIds=[vpc], TrafficType="ALL", LogDestinationType="cloud-watch-logs",
                                LogDestination=arn, DeliverLogsPermissionArn=role, ClientToken="a",
                                TagSpecifications=tags("vpc-flow-log"))["FlowLogIds"]
    if ec2.describe_flow_logs(FlowLogIds=flow)["FlowLogs"][0]["DeliverLogsStatus"] != "SUCCESS":
        wrong.append("the flow log does not find its log group")
    ec2.create_tags(Resources=[vpc, nat], Tags=[{"Key": "more", "Value": "yes"}])
    ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [vpc]}])
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "more"}])

    refused(ec2.create_nat_gateway, "IdempotentParameterMismatch", SubnetId=subnet, ClientToken="a", ConnectivityType="private")
    refused(ec2.delete_subnet, "DependencyViolation", SubnetId=subnet)
    refused(ec2.release_address, "AuthFailure", AllocationId=address)
    refused(ec2.describe_vpcs, "InvalidVpcID.NotFound", VpcIds=["vpc-00000000000000000"])
    refused(ec2.describe_nat_gateways, "NatGatewayNotFound", NatGatewayIds=["nat-00000000000000000"])
    refused(iam.get_role, "NoSuchEntity", RoleName="absent")
    refused(logs.put_retention_policy, "ResourceNotFoundException", logGroupName="/absent", retentionInDays=7)

    ec2.delete_flow_logs(FlowLogIds=flow)
    ec2.delete_vpc_endpoints(VpcEndpointIds=endpoints)
    ec2.disassociate_route_table(AssociationId=association)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.describe_nat_gateways(NatGatewayIds=[nat])
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")

    extension(ec2)
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


def extension(_client):
    """Every operation with a hook of ours must have been called above."""
    from . import extend

    extend.install()
    ours = {operation for service, operation in [*extend.BEFORE, *extend.AFTER] if service == "ec2"}
    # Called by the tests in Rust, in states that need time.
    elsewhere = {"DeleteVpc", "DetachInternetGateway", "DeleteInternetGateway", "DisassociateAddress", "DeleteNetworkInterface",
                 "DeleteRouteTable", "DeleteSecurityGroup", "CreateNetworkInterface"}
    for operation in sorted(ours - seen - elsewhere):
        wrong.append(f"{operation} is not checked here")


main(*sys.argv[1:])
