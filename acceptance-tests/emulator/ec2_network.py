"""EC2 networking where AWS is not regular: network interfaces of services, ranges, NAT gateways, routes. What is regular: ec2.py."""

import ipaddress

from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.utils import add_tag_specification, generic_filter, random_nat_gateway_id, random_private_ip

from .ec2 import refused
from .extend import after, before
from .lifecycle import entered


def service_interface(backend, subnet, kind, description, group_ids=None):
    """A network interface that a service (NAT gateway, endpoint) makes in a subnet and removes itself."""
    taken = {eni.private_ip_address for eni in backend.enis.values() if eni.subnet_id == subnet.id}
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
    # The default group lets its own members in; moto forgets that.
    group = backend.get_default_security_group(vpc.id)
    group.ingress_rules.append(
        SecurityGroupRule(backend, "-1", group.id, None, None, None,
                          source_group={"GroupId": group.id, "OwnerId": context.account.id, "UserId": context.account.id}, is_egress=False))


@before("ec2", "CreateSubnet")
def create_subnet(context):
    zone, cidr = context.params.get("AvailabilityZone"), context.params["CidrBlock"]
    zones = [z.name for z in context.backend.describe_availability_zones()]
    if zone and zone not in zones:
        raise refused(
            "InvalidParameterValue",
            f"Value ({zone}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following "
            f"availability zones: {', '.join(zones)}.")
    network = ipaddress.ip_network(cidr, strict=False)
    there = [r for r in ranges_of(context.backend.get_vpc(context.params["VpcId"])) if r["cidr_block_state"]["state"] == "associated"]
    if not any(network.subnet_of(ipaddress.ip_network(r["cidr_block"])) for r in there):
        raise refused("InvalidSubnet.Range", f"The CIDR '{cidr}' is invalid.")


@after("ec2", "CreateSubnet")
def subnet_created(context, result):
    subnet = result["Subnet"]
    # moto takes the first subnet of a zone for a default subnet.
    subnet.default_for_az = subnet.map_public_ip_on_launch = False


@after("ec2", "DeleteSubnet")
def subnet_deleted(context, _result):
    id, backend = context.params["SubnetId"], context.backend
    for table in backend.route_tables.values():
        table._associations = {k: v for k, v in table._associations.items() if v != id}
    for acl in backend.network_acls.values():
        acl._associations = {k: a for k, a in acl._associations.items() if a.subnet_id != id}


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
        raise refused("InvalidVpc.Range", f"The CIDR '{cidr}' is invalid.")
    # Amazon VPC user guide, "IPv4 CIDR block association restrictions".
    private = [ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
    first = ipaddress.ip_network(vpc.cidr_block)
    for block in private:
        if network.subnet_of(block) and not first.subnet_of(block):
            raise refused("InvalidVpc.Range", f"The CIDR '{cidr}' is restricted. Use a CIDR from the same private address range.")
    if any(network.overlaps(ipaddress.ip_network(r["cidr_block"])) for r in ranges_of(vpc)):
        raise refused("InvalidVpc.Range", f"The CIDR '{cidr}' conflicts with another CIDR of the VPC.")


# --- NAT gateways --------------------------------------------------------------------------------------------------


@before("ec2", "CreateNatGateway")
def create_nat_gateway(context):
    parameters, backend = context.params, context.backend
    if parameters.get("AvailabilityMode", "zonal") != "zonal":
        raise NotImplementedError("regional NAT gateways")
    kind = parameters.get("ConnectivityType") or "public"
    if not parameters.get("SubnetId"):
        raise refused("MissingParameter", "The request must contain the parameter subnetId")
    subnet = backend.get_subnet(parameters["SubnetId"])
    address = None
    if kind == "public":
        if not parameters.get("AllocationId"):
            raise refused("MissingParameter", "The request must contain the parameter allocationId")
        address = backend.address_by_allocation([parameters["AllocationId"]])[0]

    nat = NatGateway.__new__(NatGateway)
    nat.id, nat.ec2_backend, nat._created_at = random_nat_gateway_id(), backend, utcnow()
    nat.subnet_id, nat.vpc_id, nat.connectivity_type, nat.availability_mode = subnet.id, subnet.vpc_id, kind, "zonal"
    nat.address_set, nat._eni = [], None
    nat.add_tags(add_tag_specification(parameters.get("TagSpecifications") or []))
    backend.nat_gateways[nat.id] = nat

    works = True
    if context.failure:
        context.failure = (context.failure[0], context.failure[1] or "Network interface could not be created, please try again.")
    elif address is not None and address.eni is not None:
        works = False
        context.failure = ("Resource.AlreadyAssociated", f"Elastic IP address [{address.allocation_id}] is already associated")
    elif address is not None and not any(g.vpc and g.vpc.id == subnet.vpc_id for g in backend.internet_gateways.values()):
        works = False
        context.failure = ("Gateway.NotAttached", f"Network {subnet.vpc_id} has no Internet gateway attached")
    shown = {"isPrimary": True, "status": "succeeded"}
    if address is not None:
        shown |= {"allocationId": address.allocation_id, "publicIp": address.public_ip}
    if works:
        nat._eni = service_interface(backend, subnet, "nat_gateway", f"Interface for NAT Gateway {nat.id}")
        shown |= {"networkInterfaceId": nat._eni.id, "privateIp": nat._eni.private_ip_address}
        if address is not None:
            backend.associate_address(eni=nat._eni, allocation_id=address.allocation_id)
            shown["associationId"] = address.association_id
    nat.address_set.append(shown)
    return {"NatGateway": nat}


@before("ec2", "DeleteNatGateway")
def delete_nat_gateway(context):
    nat = context.backend.nat_gateways[context.params["NatGatewayId"]]
    if nat.state != "deleting":
        nat.delete_time = utcnow()
    return {"NatGatewayId": nat.id}


@before("ec2", "DescribeNatGateways")
def describe_nat_gateways(context):
    backend, ids = context.backend, context.params.get("NatGatewayIds") or []
    for id in ids:
        if id not in backend.nat_gateways:
            raise refused("NatGatewayNotFound", f"NAT gateway {id} was not found")
    found = [nat for nat in backend.nat_gateways.values() if not ids or nat.id in ids]
    filters = {f["Name"]: f.get("Values", []) for f in context.params.get("Filter") or context.params.get("Filters") or []}
    if "nat-gateway-id" in filters:
        wanted = filters.pop("nat-gateway-id")
        found = [nat for nat in found if nat.id in wanted]
    return {"NatGateways": generic_filter(filters, found)}


@entered("ec2", "nat_gateway", "failed", "deleted")
def release_interface(backend, nat):
    for address in backend.addresses:
        if nat._eni is not None and address.eni is nat._eni:
            address.eni = address.instance = address.association_id = None
    if nat._eni is not None:
        backend.enis.pop(nat._eni.id, None)


# --- route tables --------------------------------------------------------------------------------------------------


def route_target(context):
    parameters, backend = context.params, context.backend
    table = backend.get_route_table(parameters["RouteTableId"])
    nat = backend.nat_gateways.get(parameters.get("NatGatewayId"))
    if nat is not None and nat.vpc_id != table.vpc_id:
        raise refused("InvalidParameterValue", f"route table {table.id} and NAT gateway {nat.id} belong to different networks")
    if (parameters.get("GatewayId") or "").startswith("igw-"):
        gateway = backend.get_internet_gateway(parameters["GatewayId"])
        if gateway.vpc is None or gateway.vpc.id != table.vpc_id:
            raise refused(
                "InvalidParameterValue", f"route table {table.id} and network gateway {gateway.id} belong to different networks")


before("ec2", "CreateRoute", "ReplaceRoute")(route_target)


@after("ec2", "DeleteRouteTable")
def route_table_deleted(context, _result):
    id = context.params["RouteTableId"]
    for endpoint in context.backend.vpc_end_points.values():
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
    return {"Unsuccessful": failed}
