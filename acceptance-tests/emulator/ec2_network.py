"""EC2 networking as AWS does it where moto does not: pending states, dependencies, network interfaces of services."""


import ipaddress

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.models.vpcs import AWS_ENDPOINT_SERVICES, VPCEndPoint
from moto.ec2.utils import (
    add_tag_specification,
    create_dns_entries,
    generic_filter,
    random_nat_gateway_id,
    random_private_ip,
    random_vpc_ep_id,
)

from .extend import after, before, settle
from .latency import SECONDS


def dependency(kind, id):
    return EC2ClientError("DependencyViolation", f"The {kind} '{id}' has dependencies and cannot be deleted.")


def interfaces(backend, **where):
    return [eni for eni in backend.enis.values() if all(getattr(eni, name) == value for name, value in where.items())]


def service_interface(backend, subnet, kind, description, group_ids=None):
    """A network interface that a service (NAT gateway, endpoint) makes in a subnet and removes itself."""
    taken = {eni.private_ip_address for eni in interfaces(backend, subnet_id=subnet.id)}
    address = next(ip for ip in iter(lambda: random_private_ip(subnet.cidr_block), None) if ip not in taken)
    eni = backend.create_network_interface(subnet, address, group_ids=group_ids, description=description)
    if group_ids is None:
        eni._group_set = []
    eni.requester_managed, eni.interface_type, eni.status = True, kind, "in-use"
    return eni


def foreign_interface(account, region, subnet, kind, description, groups=None):
    """What a load balancer, a cluster or a function of another owner puts into a subnet."""
    backend = ec2_backends[account.id][region]
    return service_interface(backend, backend.get_subnet(subnet), kind, description, groups or None).id


def remove_foreign_interface(account, region, id):
    ec2_backends[account.id][region].enis.pop(id)


# --- VPC, subnets --------------------------------------------------------------------------------------------------


@after("ec2", "CreateVpc")
def vpc_created(context, result):
    vpc, backend = result["Vpc"], context.backend
    vpc.state, vpc.ekb_ready = "pending", context.now() + SECONDS["vpc.available"]
    # The default group lets its own members in; moto forgets that.
    group = backend.get_default_security_group(vpc.id)
    group.ingress_rules.append(
        SecurityGroupRule(backend, "-1", group.id, None, None, None,
                          source_group={"GroupId": group.id, "OwnerId": context.account.id, "UserId": context.account.id}, is_egress=False))


@before("ec2", "DeleteVpc")
def delete_vpc(context):
    id, backend = context.params["VpcId"], context.backend
    backend.get_vpc(id)
    blocked = (
        backend.describe_subnets(filters={"vpc-id": [id]})
        or [g for g in backend.internet_gateways.values() if g.vpc and g.vpc.id == id]
        or [g for g in backend.egress_only_internet_gateways.values() if g.vpc_id == id]
        or [e for e in backend.vpc_end_points.values() if e.vpc_id == id]
        or [g for g in backend.groups.get(id, {}).values() if not g.is_default]
        or [t for t in backend.route_tables.values() if t.vpc_id == id and t.main_association_id is None]
        or [a for a in backend.network_acls.values() if a.vpc_id == id and str(a.default).lower() != "true"]
        or interfaces(backend, vpc_id=id)
    )
    if blocked:
        raise dependency("vpc", id)


@after("ec2", "DeleteVpc")
def vpc_deleted(context, _result):
    id, backend = context.params["VpcId"], context.backend
    backend.network_acls = {k: a for k, a in backend.network_acls.items() if a.vpc_id != id}
    backend.route_tables = {k: t for k, t in backend.route_tables.items() if t.vpc_id != id}
    backend.groups.pop(id, None)
    backend.tags.pop(id, None)


@before("ec2", "AttachInternetGateway")
def attach_internet_gateway(context):
    id, vpc = context.params["InternetGatewayId"], context.params["VpcId"]
    others = (g for g in context.backend.internet_gateways.values() if g.id != id)
    if any(gateway.vpc and gateway.vpc.id == vpc for gateway in others):
        raise EC2ClientError(
            "InvalidParameterValue", f"Network {vpc} already has an internet gateway attached")


@before("ec2", "CreateSubnet")
def create_subnet(context):
    zone = context.params.get("AvailabilityZone")
    zones = [z.name for z in context.backend.describe_availability_zones()]
    if zone and zone not in zones:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Value ({zone}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following "
            f"availability zones: {', '.join(zones)}.")


@after("ec2", "CreateSubnet")
def subnet_created(context, result):
    subnet = result["Subnet"]
    # moto takes the first subnet of a zone for a default subnet.
    subnet.default_for_az = subnet.map_public_ip_on_launch = False
    subnet.state, subnet.ekb_ready = "pending", context.now() + SECONDS["subnet.available"]


@before("ec2", "DeleteSubnet")
def delete_subnet(context):
    id, backend = context.params["SubnetId"], context.backend
    backend.get_subnet(id)
    if interfaces(backend, subnet_id=id):
        raise dependency("subnet", id)


@after("ec2", "DeleteSubnet")
def subnet_deleted(context, _result):
    id, backend = context.params["SubnetId"], context.backend
    for table in backend.route_tables.values():
        table._associations = {k: v for k, v in table._associations.items() if v != id}
    for acl in backend.network_acls.values():
        acl._associations = {k: a for k, a in acl._associations.items() if a.subnet_id != id}
    backend.tags.pop(id, None)


# --- peerings ------------------------------------------------------------------------------------------------------


@after("ec2", "DescribeVpcPeeringConnections")
def peerings_by_filter(context, result):
    """moto ignores the filters: a peering was listed for both of its ends."""
    ends = {"requester-vpc-info.vpc-id": "requester_vpc_info", "accepter-vpc-info.vpc-id": "accepter_vpc_info"}
    found = result["VpcPeeringConnections"]
    for one in context.params.get("Filters") or context.params.get("Filter") or []:
        if one["Name"] not in ends:
            raise NotImplementedError(one["Name"])
        found = [p for p in found if getattr(p, ends[one["Name"]])["VpcId"] in one["Values"]]
    return {"VpcPeeringConnections": found}


# --- further ranges of a VPC --------------------------------------------------------------------------------------


def ranges_of(vpc):
    return [r for r in vpc._cidr_block_association_set.values()
            if "." in r["cidr_block"] and r["cidr_block_state"]["state"] != "disassociated"]


@before("ec2", "AssociateVpcCidrBlock")
def associate_range(context):
    vpc, cidr = context.backend.get_vpc(context.params["VpcId"]), context.params.get("CidrBlock")
    if not cidr:
        return
    network = ipaddress.ip_network(cidr)
    if not 16 <= network.prefixlen <= 28:
        raise EC2ClientError("InvalidVpc.Range", f"The CIDR '{cidr}' is invalid.")
    # Amazon VPC user guide, "IPv4 CIDR block association restrictions".
    private = [ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
    first = ipaddress.ip_network(vpc.cidr_block)
    for block in private:
        if network.subnet_of(block) and not first.subnet_of(block):
            raise EC2ClientError("InvalidVpc.Range", f"The CIDR '{cidr}' is restricted. Use a CIDR from the same private address range.")
    if any(network.overlaps(ipaddress.ip_network(r["cidr_block"])) for r in ranges_of(vpc)):
        raise EC2ClientError("InvalidVpc.Range", f"The CIDR '{cidr}' conflicts with another CIDR of the VPC.")


@after("ec2", "AssociateVpcCidrBlock")
def range_associated(context, result):
    for vpc in context.backend.vpcs.values():
        for range in ranges_of(vpc):
            if vpc.id == context.params["VpcId"] and range["cidr_block"] == context.params.get("CidrBlock"):
                range["cidr_block_state"]["state"] = "associating"
                range["ekb_ready"] = context.now() + SECONDS["vpc.cidr.associated"]


@before("ec2", "DisassociateVpcCidrBlock")
def disassociate_range(context):
    backend, id = context.backend, context.params["AssociationId"]
    for vpc in backend.vpcs.values():
        range = vpc._cidr_block_association_set.get(id)
        if range is None or range["cidr_block"] == vpc.cidr_block:
            continue
        network = ipaddress.ip_network(range["cidr_block"])
        lodgers = backend.describe_subnets(filters={"vpc-id": [vpc.id]})
        if any(ipaddress.ip_network(s.cidr_block).subnet_of(network) for s in lodgers):
            raise EC2ClientError(
                "InvalidCidrBlock.InUse", f"The vpc CIDR block with association ID {id} may not be disassociated. It is in use.")
        range["cidr_block_state"]["state"] = "disassociating"
        range["ekb_ready"] = context.now() + SECONDS["vpc.cidr.disassociated"]
        shown = {"AssociationId": id, "CidrBlock": range["cidr_block"], "CidrBlockState": {"State": "disassociating"}}
        return {"VpcId": vpc.id, "CidrBlockAssociation": shown}


@before("ec2", "CreateSubnet")
def subnet_lies_in_a_range(context):
    vpc = context.backend.get_vpc(context.params["VpcId"])
    network = ipaddress.ip_network(context.params["CidrBlock"], strict=False)
    there = [r for r in ranges_of(vpc) if r["cidr_block_state"]["state"] == "associated"]
    if not any(network.subnet_of(ipaddress.ip_network(r["cidr_block"])) for r in there):
        raise EC2ClientError("InvalidSubnet.Range", f"The CIDR '{context.params['CidrBlock']}' is invalid.")


# --- internet gateways, addresses ----------------------------------------------------------------------------------


@before("ec2", "DetachInternetGateway")
def detach_internet_gateway(context):
    vpc_id, backend = context.params["VpcId"], context.backend
    mapped = [a for a in backend.addresses if a.eni is not None and a.eni.vpc_id == vpc_id]
    if mapped or [eni for eni in interfaces(backend, vpc_id=vpc_id) if eni.public_ip]:
        raise EC2ClientError(
            "DependencyViolation",
            f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.")


@after("ec2", "DeleteInternetGateway")
def internet_gateway_deleted(context, _result):
    context.backend.tags.pop(context.params["InternetGatewayId"], None)


@before("ec2", "ReleaseAddress")
def release_address(context):
    backend, id = context.backend, context.params.get("AllocationId")
    for address in backend.addresses:
        if id and address.allocation_id == id and (address.eni is not None or address.instance is not None):
            if address.eni is not None and address.eni.requester_managed:
                raise EC2ClientError("AuthFailure", "You do not have permission to access the specified resource.")
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")


@after("ec2", "ReleaseAddress")
def address_released(context, _result):
    context.backend.tags.pop(context.params.get("AllocationId"), None)


@before("ec2", "DisassociateAddress")
def disassociate_address(context):
    for address in context.backend.addresses:
        if address.association_id and address.association_id == context.params.get("AssociationId"):
            if address.eni is not None and address.eni.requester_managed:
                raise EC2ClientError("OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.")


@before("ec2", "DeleteNetworkInterface")
def delete_network_interface(context):
    eni = context.backend.get_network_interface(context.params["NetworkInterfaceId"])
    if eni.status == "in-use":
        raise EC2ClientError("InvalidParameterValue", f"Network interface '{eni.id}' is currently in use.")


# --- NAT gateways --------------------------------------------------------------------------------------------------


@before("ec2", "CreateNatGateway")
def create_nat_gateway(context):
    parameters, backend, call = context.params, context.backend, context.call
    if parameters.get("AvailabilityMode", "zonal") != "zonal":
        raise NotImplementedError("regional NAT gateways")
    kind = parameters.get("ConnectivityType") or "public"
    if not parameters.get("SubnetId"):
        raise EC2ClientError("MissingParameter", "The request must contain the parameter subnetId")
    subnet = backend.get_subnet(parameters["SubnetId"])
    address = None
    if kind == "public":
        if not parameters.get("AllocationId"):
            raise EC2ClientError("MissingParameter", "The request must contain the parameter allocationId")
        address = backend.address_by_allocation([parameters["AllocationId"]])[0]

    nat = NatGateway.__new__(NatGateway)
    nat.id, nat.ec2_backend, nat._created_at = random_nat_gateway_id(), backend, utcnow()
    nat.subnet_id, nat.vpc_id, nat.connectivity_type, nat.availability_mode = subnet.id, subnet.vpc_id, kind, "zonal"
    nat.state, nat.address_set, nat._eni = "pending", [], None
    nat.ekb_ready, nat.ekb_failure = context.now() + SECONDS["nat_gateway.available"], None
    nat.add_tags(add_tag_specification(parameters.get("TagSpecifications") or []))
    backend.nat_gateways[nat.id] = nat

    if call.fail_later:
        nat.ekb_failure = (
            call.fail_later.get("code", "InternalError"),
            call.fail_later.get("message", "Network interface could not be created, please try again."))
    elif address is not None and address.eni is not None:
        nat.ekb_failure = ("Resource.AlreadyAssociated", f"Elastic IP address [{address.allocation_id}] is already associated")
    elif address is not None and not any(g.vpc and g.vpc.id == subnet.vpc_id for g in backend.internet_gateways.values()):
        nat.ekb_failure = ("Gateway.NotAttached", f"Network {subnet.vpc_id} has no Internet gateway attached")
    if nat.ekb_failure:
        nat.ekb_ready = context.now() + SECONDS["nat_gateway.failed"]
    shown = {"isPrimary": True, "status": "succeeded"}
    if address is not None:
        shown |= {"allocationId": address.allocation_id, "publicIp": address.public_ip}
    if not nat.ekb_failure or call.fail_later:
        nat._eni = service_interface(backend, subnet, "nat_gateway", f"Interface for NAT Gateway {nat.id}")
        shown |= {"networkInterfaceId": nat._eni.id, "privateIp": nat._eni.private_ip_address}
        if address is not None:
            backend.associate_address(eni=nat._eni, allocation_id=address.allocation_id)
            shown["associationId"] = address.association_id
    nat.address_set.append(shown)
    return {"NatGateway": nat}


@before("ec2", "DeleteNatGateway")
def delete_nat_gateway(context):
    id, backend = context.params["NatGatewayId"], context.backend
    nat = backend.nat_gateways.get(id)
    if nat is None or nat.state == "deleted":
        raise EC2ClientError("NatGatewayNotFound", f"NAT gateway {id} was not found")
    if nat.state != "deleting":
        failed = nat.state == "failed"
        nat.state, nat.delete_time = "deleting", utcnow()
        nat.ekb_ready = context.now() + (1 if failed else SECONDS["nat_gateway.deleted"])
    return {"NatGatewayId": id}


@before("ec2", "DescribeNatGateways")
def describe_nat_gateways(context):
    backend, ids = context.backend, context.params.get("NatGatewayIds") or []
    for id in ids:
        if id not in backend.nat_gateways:
            raise EC2ClientError("NatGatewayNotFound", f"NAT gateway {id} was not found")
    found = [nat for nat in backend.nat_gateways.values() if not ids or nat.id in ids]
    filters = {f["Name"]: f.get("Values", []) for f in context.params.get("Filter") or context.params.get("Filters") or []}
    if "nat-gateway-id" in filters:
        wanted = filters.pop("nat-gateway-id")
        found = [nat for nat in found if nat.id in wanted]
    return {"NatGateways": generic_filter(filters, found)}


def release_interface(backend, eni):
    for address in backend.addresses:
        if address.eni is eni:
            address.eni = address.instance = address.association_id = None
    backend.enis.pop(eni.id, None)


# --- route tables --------------------------------------------------------------------------------------------------


def route_target(context):
    parameters, backend = context.params, context.backend
    table = backend.get_route_table(parameters["RouteTableId"])
    if parameters.get("NatGatewayId"):
        id = parameters["NatGatewayId"]
        nat = backend.nat_gateways.get(id)
        # Also while it is pending: a route is made when the gateway is available.
        if nat is None or nat.state != "available":
            raise EC2ClientError("InvalidNatGatewayID.NotFound", f"The natGateway ID '{id}' does not exist")
        if nat.vpc_id != table.vpc_id:
            raise EC2ClientError("InvalidParameterValue", f"route table {table.id} and NAT gateway {id} belong to different networks")
    if (parameters.get("GatewayId") or "").startswith("igw-"):
        gateway = backend.get_internet_gateway(parameters["GatewayId"])
        if gateway.vpc is None or gateway.vpc.id != table.vpc_id:
            raise EC2ClientError(
                "InvalidParameterValue", f"route table {table.id} and network gateway {gateway.id} belong to different networks")


before("ec2", "CreateRoute", "ReplaceRoute")(route_target)


@before("ec2", "AssociateRouteTable")
def associate_route_table(context):
    subnet_id, backend = context.params.get("SubnetId"), context.backend
    for table in backend.route_tables.values():
        if subnet_id and table.id != context.params["RouteTableId"] and subnet_id in table._associations.values():
            raise EC2ClientError(
                "Resource.AlreadyAssociated",
                f"the specified association for route table {context.params['RouteTableId']} conflicts with an existing association")


@before("ec2", "DeleteRouteTable")
def delete_route_table(context):
    table = context.backend.get_route_table(context.params["RouteTableId"])
    if table.main_association_id is not None:
        raise dependency("routeTable", table.id)


@after("ec2", "DeleteRouteTable")
def route_table_deleted(context, _result):
    id, backend = context.params["RouteTableId"], context.backend
    backend.tags.pop(id, None)
    for endpoint in backend.vpc_end_points.values():
        endpoint.route_table_ids = [t for t in endpoint.route_table_ids if t != id]


@before("ec2", "DescribeRouteTables")
def blackholes(context):
    for table in context.backend.route_tables.values():
        for route in table._routes.values():
            dead_nat = route.nat_gateway is not None and route.nat_gateway.state in ("deleting", "deleted", "failed")
            gateway = route.gateway
            dead_gateway = gateway is not None and gateway.id.startswith("igw-") and (
                gateway.id not in context.backend.internet_gateways or gateway.vpc is None)
            type(route).state = property(lambda r: getattr(r, "ekb_state", "active"))
            route.ekb_state = "blackhole" if dead_nat or dead_gateway else "active"


# --- security groups -----------------------------------------------------------------------------------------------


@after("ec2", "CreateSecurityGroup")
def security_group_created(context, result):
    tags = context.backend.tags.get(result["GroupId"]) or {}
    result["Tags"] = [{"Key": k, "Value": v} for k, v in tags.items()]


@before("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def remember_rules(context):
    context.rules = {rule.id for rule in rules_of(context)}


@after("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def all_new_rules(context, result):
    result["SecurityGroupRules"] = [rule for rule in rules_of(context) if rule.id not in context.rules]


def rules_of(context):
    group = context.backend.get_security_group_from_id(context.params.get("GroupId"))
    if group is None:
        return []
    return group.ingress_rules if context.call.operation.endswith("Ingress") else group.egress_rules


@before("ec2", "DeleteSecurityGroup")
def delete_security_group(context):
    id, backend = context.params.get("GroupId"), context.backend
    group = backend.get_security_group_from_id(id)
    if group is None:
        return
    if group.is_default:
        raise EC2ClientError("CannotDelete", f'the specified group: "{id}" name: "default" cannot be deleted by a user')
    used = [eni for eni in backend.enis.values() if any(g.id == id for g in eni.group_set)]
    named = [
        other
        for groups in backend.groups.values()
        for other in groups.values()
        if other.id != id
        for rule in [*other.ingress_rules, *other.egress_rules]
        if (rule.source_group or {}).get("GroupId") == id
    ]
    if used or named:
        raise EC2ClientError("DependencyViolation", f"resource {id} has a dependent object")


@after("ec2", "DeleteSecurityGroup")
def security_group_deleted(context, _result):
    context.backend.tags.pop(context.params.get("GroupId"), None)


# --- VPC endpoints -------------------------------------------------------------------------------------------------


def service_exists(region, name):
    prefix = f"com.amazonaws.{region}."
    return name.startswith(prefix) and name.removeprefix(prefix) in (*AWS_ENDPOINT_SERVICES, "ecr.api", "ecr.dkr", "s3", "dynamodb", "eks", "ec2", "sts", "logs")


# Services that AWS does not offer in every zone.
WITHOUT_ZONES = {"com.amazonaws.eu-central-1.transcribe": ["eu-central-1c"]}


@before("ec2", "DescribeVpcEndpointServices")
def describe_endpoint_services(context):
    region = context.call.region
    zones = [z.name for z in context.backend.describe_availability_zones() if z.zone_type == "availability-zone"]
    filters = context.params.get("Filters") or context.params.get("Filter") or []
    wanted = context.params.get("ServiceNames") or []
    for one in filters:
        if one["Name"] != "service-name":
            raise NotImplementedError(one["Name"])
        wanted = one.get("Values") or one.get("Value") or []
    names = wanted or [f"com.amazonaws.{region}.{name}" for name in AWS_ENDPOINT_SERVICES]
    there = [name for name in names if service_exists(region, name)]
    if len(there) < len(names) and not filters:
        raise EC2ClientError("InvalidServiceName", f"The Vpc Endpoint Service '{set(names) - set(there)}' does not exist")

    def details(name):
        kinds = ["Gateway", "Interface"] if name.endswith((".s3", ".dynamodb")) else ["Interface"]
        offered = [zone for zone in zones if zone not in WITHOUT_ZONES.get(name, [])]
        return [
            {"ServiceName": name, "ServiceType": [{"ServiceType": kind}], "AvailabilityZones": offered, "Owner": "amazon"}
            for kind in kinds
        ]

    return {"ServiceNames": there, "ServiceDetails": [one for name in there for one in details(name)]}


def zones_are_offered(service, subnets):
    for subnet in subnets:
        if subnet.availability_zone in WITHOUT_ZONES.get(service, []):
            raise EC2ClientError(
                "InvalidParameter",
                f"The VPC endpoint service {service} does not support the availability zone of the subnet: {subnet.id}.")


@before("ec2", "CreateVpcEndpoint")
def create_vpc_endpoint(context):
    parameters, backend = context.params, context.backend
    kind, service = parameters.get("VpcEndpointType") or "Gateway", parameters["ServiceName"]
    vpc = backend.get_vpc(parameters["VpcId"])
    suffix = service.rsplit(".", 1)[-1]
    if not service_exists(context.call.region, service) or (kind == "Gateway" and suffix not in ("s3", "dynamodb")):
        raise EC2ClientError("InvalidServiceName", f"The Vpc Endpoint Service '{service}' does not exist")
    tables = [backend.get_route_table(id).id for id in parameters.get("RouteTableIds") or []]
    subnets = [backend.get_subnet(id) for id in parameters.get("SubnetIds") or []]
    zones_are_offered(service, subnets)
    private_dns = kind == "Interface" and parameters.get("PrivateDnsEnabled") not in (False, "false")
    groups = list(parameters.get("SecurityGroupIds") or [])
    for group in groups:
        if backend.get_security_group_from_id(group) is None:
            raise EC2ClientError("InvalidSecurityGroupId.NotFound", f"The security group '{group}' does not exist")
    if private_dns:
        if not (truth(vpc.enable_dns_support) and truth(vpc.enable_dns_hostnames)):
            raise EC2ClientError(
                "InvalidParameter",
                "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for "
                f"{vpc.id}")
        for other in backend.vpc_end_points.values():
            if other.vpc_id == vpc.id and other.service_name == service and other.private_dns_enabled:
                raise EC2ClientError(
                    "InvalidParameter",
                    f"private-dns-enabled cannot be set because there is already a conflicting DNS domain for "
                    f"{suffix}.{context.call.region}.amazonaws.com in the VPC {vpc.id}")
    if kind == "Interface" and not groups:
        groups = [backend.get_default_security_group(vpc.id).id]
    prefix_list = None
    if kind == "Gateway":
        prefix_list = next((p for p in backend.managed_prefix_lists.values() if p.prefix_list_name == service), None)
    id = random_vpc_ep_id()
    endpoint = VPCEndPoint(
        backend, id, vpc.id, service, kind, parameters.get("PolicyDocument"), [], [], [],
        dns_entries=[create_dns_entries(service, id)] if kind == "Interface" else [],
        security_group_ids=groups, tags=add_tag_specification(parameters.get("TagSpecifications") or []),
        private_dns_enabled=private_dns, destination_prefix_list_id=prefix_list.id if prefix_list else None)
    endpoint.state, endpoint.ekb_failure = "pending", None
    endpoint.ekb_ready = context.now() + SECONDS[f"vpc_endpoint.{kind.lower()}.available"]
    if context.call.fail_later:
        endpoint.ekb_failure = (context.call.fail_later.get("code", "InternalError"), context.call.fail_later.get("message", ""))
    add_tables(backend, endpoint, tables)
    add_subnets(backend, endpoint, subnets)
    backend.vpc_end_points[endpoint.id] = endpoint
    return {"VpcEndpoint": endpoint}


def truth(value):
    return str(value).lower() == "true"


def add_tables(backend, endpoint, tables):
    for id in tables:
        if id in endpoint.route_table_ids:
            continue
        table = backend.get_route_table(id)
        if any(route.destination_prefix_list_id == endpoint.destination_prefix_list_id for route in table._routes.values()):
            raise EC2ClientError(
                "RouteAlreadyExists",
                f"route table {id} already has a route with destination-prefix-list-id {endpoint.destination_prefix_list_id}")
        backend.vpc_end_points[endpoint.id] = endpoint  # moto looks it up as the route's target
        backend.create_route(id, None, destination_prefix_list_id=endpoint.destination_prefix_list_id, gateway_id=endpoint.id)
        endpoint.route_table_ids.append(id)


def remove_tables(backend, endpoint, tables):
    for id in tables:
        table = backend.route_tables.get(id)
        if table is not None:
            table._routes = {k: r for k, r in table._routes.items() if getattr(r.gateway, "id", None) != endpoint.id}
        endpoint.route_table_ids = [t for t in endpoint.route_table_ids if t != id]


def add_subnets(backend, endpoint, subnets):
    zones = {backend.get_subnet(id).availability_zone for id in endpoint.subnet_ids}
    for subnet in subnets:
        if subnet.availability_zone in zones:
            raise EC2ClientError(
                "DuplicateSubnetsInSameZone",
                f"Found another VPC endpoint subnet in the availability zone of {subnet.id}. VPC endpoint subnets should be in "
                "different availability zones supported by the VPC endpoint service.")
        zones.add(subnet.availability_zone)
    for subnet in subnets:
        eni = service_interface(
            backend, subnet, "vpc_endpoint", f"VPC Endpoint Interface {endpoint.id}", endpoint.security_group_ids)
        endpoint.subnet_ids.append(subnet.id)
        endpoint.network_interface_ids.append(eni.id)


def remove_subnets(backend, endpoint, ids):
    for eni_id in list(endpoint.network_interface_ids):
        eni = backend.enis.get(eni_id)
        if eni is None or eni.subnet_id in ids:
            endpoint.network_interface_ids.remove(eni_id)
            backend.enis.pop(eni_id, None)
    endpoint.subnet_ids = [s for s in endpoint.subnet_ids if s not in ids]


@before("ec2", "ModifyVpcEndpoint")
def modify_vpc_endpoint(context):
    parameters, backend = context.params, context.backend
    endpoint = backend.vpc_end_points.get(parameters["VpcEndpointId"])
    if endpoint is None or endpoint.state == "deleting":
        raise EC2ClientError("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{parameters['VpcEndpointId']}' does not exist")
    if endpoint.state == "pending":
        raise EC2ClientError("IncorrectState", f"The VPC endpoint {endpoint.id} is in the pending state and cannot be modified")
    if truth(parameters.get("ResetPolicy")):
        import json

        endpoint.policy_document = json.dumps(VPCEndPoint.DEFAULT_POLICY)
    if parameters.get("PolicyDocument"):
        endpoint.policy_document = parameters["PolicyDocument"]
    if parameters.get("PrivateDnsEnabled") is not None:
        endpoint.private_dns_enabled = truth(parameters["PrivateDnsEnabled"])
    remove_tables(backend, endpoint, parameters.get("RemoveRouteTableIds") or [])
    add_tables(backend, endpoint, parameters.get("AddRouteTableIds") or [])
    groups = [g for g in endpoint.security_group_ids if g not in (parameters.get("RemoveSecurityGroupIds") or [])]
    endpoint.security_group_ids = groups + [g for g in parameters.get("AddSecurityGroupIds") or [] if g not in groups]
    for eni_id in endpoint.network_interface_ids:
        if eni_id in backend.enis:
            backend.enis[eni_id]._group_set = [backend.get_security_group_from_id(g) for g in endpoint.security_group_ids]
    remove_subnets(backend, endpoint, parameters.get("RemoveSubnetIds") or [])
    added = [backend.get_subnet(id) for id in parameters.get("AddSubnetIds") or [] if id not in endpoint.subnet_ids]
    zones_are_offered(endpoint.service_name, added)
    if added:
        add_subnets(backend, endpoint, added)
        endpoint.state, endpoint.ekb_ready = "pending", context.now() + SECONDS["vpc_endpoint.interface.available"]
    return {"Return": True}


@before("ec2", "DeleteVpcEndpoints")
def delete_vpc_endpoints(context):
    backend, failed = context.backend, []
    for id in context.params.get("VpcEndpointIds") or []:
        endpoint = backend.vpc_end_points.get(id)
        if endpoint is None:
            failed.append({"ResourceId": id, "Error": {
                "Code": "InvalidVpcEndpointId.NotFound", "Message": f"The Vpc Endpoint Id '{id}' does not exist"}})
        elif endpoint.state != "deleting":
            remove_tables(backend, endpoint, list(endpoint.route_table_ids))
            endpoint.state = "deleting"
            endpoint.ekb_ready = context.now() + SECONDS[f"vpc_endpoint.{endpoint.vpc_endpoint_type.lower()}.deleted"]
    return {"Unsuccessful": failed}


# --- flow logs -----------------------------------------------------------------------------------------------------


@after("ec2", "CreateFlowLogs")
def flow_logs_created(context, result):
    from moto.logs.models import logs_backends

    for id in result["FlowLogIds"]:
        flow_log = context.backend.flow_logs[id]
        if flow_log.log_destination_type == "cloud-watch-logs" and flow_log.log_destination:
            # moto looks only for the older LogGroupName.
            flow_log.log_group_name = flow_log.log_destination.split(":log-group:")[-1].removesuffix(":*")
            groups = logs_backends[context.account.id][context.call.region].groups
            if flow_log.log_group_name in groups:
                flow_log.deliver_logs_status, flow_log.deliver_logs_error_message = "SUCCESS", None


@before("ec2", "DeleteFlowLogs")
def delete_flow_logs(context):
    """AWS names what it did not find in `Unsuccessful`; moto answers with an error."""
    failed = []
    for id in context.params.get("FlowLogIds") or []:
        if context.backend.flow_logs.pop(id, None) is None:
            failed.append({"ResourceId": id, "Error": {
                "Code": "InvalidFlowLogId.NotFound", "Message": f"These flow log ids in the input list are not found: [{id}]"}})
        context.backend.tags.pop(id, None)
    return {"Unsuccessful": failed}


# --- time ----------------------------------------------------------------------------------------------------------


@settle("ec2")
def settle_network(backend, account):
    now = account.now()
    for vpc in backend.vpcs.values():
        if vpc.state == "pending" and now >= vpc.ekb_ready:
            vpc.state = "available"
        for id, range in list(vpc._cidr_block_association_set.items()):
            state = range["cidr_block_state"]
            if state["state"] == "associating" and now >= range["ekb_ready"]:
                state["state"] = "associated"
            elif state["state"] == "disassociating" and now >= range["ekb_ready"]:
                del vpc._cidr_block_association_set[id]
    for zone in backend.subnets.values():
        for subnet in zone.values():
            if subnet.state == "pending" and now >= subnet.ekb_ready:
                subnet.state = "available"
    for nat in list(backend.nat_gateways.values()):
        if now < nat.ekb_ready:
            continue
        if nat.state == "pending" and nat.ekb_failure:
            nat.state, (nat.failure_code, nat.failure_message) = "failed", nat.ekb_failure
            nat.ekb_ready += SECONDS["nat_gateway.forgotten"]
            if nat._eni is not None:
                release_interface(backend, nat._eni)
        elif nat.state == "pending":
            nat.state, nat.ekb_ready = "available", float("inf")
        elif nat.state == "deleting":
            nat.state = "deleted"
            nat.ekb_ready += SECONDS["nat_gateway.forgotten"]
            if nat._eni is not None:
                release_interface(backend, nat._eni)
        elif nat.state in ("deleted", "failed"):
            del backend.nat_gateways[nat.id]
            backend.tags.pop(nat.id, None)
    for endpoint in list(backend.vpc_end_points.values()):
        if endpoint.state == "pending" and now >= endpoint.ekb_ready:
            endpoint.state = "failed" if endpoint.ekb_failure else "available"
            if endpoint.ekb_failure:
                endpoint.last_error = {"Code": endpoint.ekb_failure[0], "Message": endpoint.ekb_failure[1]}
        elif endpoint.state == "deleting" and now >= endpoint.ekb_ready:
            for eni_id in endpoint.network_interface_ids:
                backend.enis.pop(eni_id, None)
            del backend.vpc_end_points[endpoint.id]
            backend.tags.pop(endpoint.id, None)


