"""EC2 networking, with the roles and log groups of its flow logs."""


def tags(kind):
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": kind}]}]


def check(checker):
    ec2, logs, iam = checker.client("ec2"), checker.client("logs"), checker.client("iam")
    checker.client("sts").get_caller_identity()
    ec2.describe_regions()
    ec2.describe_availability_zones(Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}])
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=tags("vpc"))["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    for attribute in ("enableDnsHostnames", "enableDnsSupport"):
        is_ = ec2.describe_vpc_attribute(VpcId=vpc, Attribute=attribute)[attribute[0].upper() + attribute[1:]]
        checker.same(attribute, is_, {"Value": True})
    ec2.describe_vpcs(VpcIds=[vpc], Filters=[{"Name": "tag:Name", "Values": ["vpc"]}])
    further = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="100.64.0.0/16")["CidrBlockAssociation"]["AssociationId"]
    ec2.disassociate_vpc_cidr_block(AssociationId=further)
    other = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)
    ec2.describe_vpc_peering_connections(Filters=[{"Name": "requester-vpc-info.vpc-id", "Values": [vpc]}])
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24", AvailabilityZone="eu-central-1a",
                               TagSpecifications=tags("subnet"))["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    checker.same("MapPublicIpOnLaunch", ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"], True)
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
    checker.refused(ec2.modify_vpc_endpoint, "IncorrectState", VpcEndpointId=endpoints[1], PolicyDocument="{}")
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
    checker.same("the flow log's delivery", ec2.describe_flow_logs(FlowLogIds=flow)["FlowLogs"][0]["DeliverLogsStatus"], "SUCCESS")
    ec2.create_tags(Resources=[vpc, nat], Tags=[{"Key": "more", "Value": "yes"}])
    ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [vpc]}])
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "more"}])

    checker.refused(ec2.create_nat_gateway, "IdempotentParameterMismatch", SubnetId=subnet, ClientToken="a", ConnectivityType="private")
    checker.refused(ec2.delete_subnet, "DependencyViolation", SubnetId=subnet)
    checker.refused(ec2.release_address, "AuthFailure", AllocationId=address)
    checker.refused(ec2.describe_vpcs, "InvalidVpcID.NotFound", VpcIds=["vpc-00000000000000000"])
    checker.refused(ec2.describe_nat_gateways, "NatGatewayNotFound", NatGatewayIds=["nat-00000000000000000"])
    checker.refused(iam.get_role, "NoSuchEntity", RoleName="absent")
    checker.refused(logs.put_retention_policy, "ResourceNotFoundException", logGroupName="/absent", retentionInDays=7)

    ec2.delete_flow_logs(FlowLogIds=flow)
    logs.delete_log_group(logGroupName="/flow")
    ec2.delete_vpc_endpoints(VpcEndpointIds=endpoints)
    ec2.disassociate_route_table(AssociationId=association)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.describe_nat_gateways(NatGatewayIds=[nat])
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    # In states that need time.
    checker.called_elsewhere("ec2", "DeleteVpc", "DetachInternetGateway", "DeleteInternetGateway", "DisassociateAddress",
                             "DeleteNetworkInterface", "DeleteRouteTable", "DeleteSecurityGroup", "CreateNetworkInterface",
                             "TerminateInstances")
