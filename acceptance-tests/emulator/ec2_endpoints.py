"""VPC endpoints where AWS is not regular: zones, routes, network interfaces, private names. What is regular: ec2.py."""

import json

from moto.ec2.models.vpcs import AWS_ENDPOINT_SERVICES, VPCEndPoint
from moto.ec2.utils import add_tag_specification, create_dns_entries, random_vpc_ep_id

from .ec2 import refused
from .ec2_network import service_interface
from .extend import before
from .lifecycle import enter_as, entered
from .rows import GONE


def service_exists(region, name):
    prefix = f"com.amazonaws.{region}."
    name = name.removeprefix(prefix) if name.startswith(prefix) else ""
    return name in (*AWS_ENDPOINT_SERVICES, "ecr.api", "ecr.dkr", "s3", "dynamodb", "eks", "ec2", "sts", "logs")


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
        raise refused("InvalidServiceName", f"The Vpc Endpoint Service '{set(names) - set(there)}' does not exist")

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
            raise refused(
                "InvalidParameter",
                f"The VPC endpoint service {service} does not support the availability zone of the subnet: {subnet.id}.")


@before("ec2", "CreateVpcEndpoint")
def create_vpc_endpoint(context):
    parameters, backend = context.params, context.backend
    kind, service = parameters.get("VpcEndpointType") or "Gateway", parameters["ServiceName"]
    vpc = backend.get_vpc(parameters["VpcId"])
    suffix = service.rsplit(".", 1)[-1]
    if not service_exists(context.call.region, service) or (kind == "Gateway" and suffix not in ("s3", "dynamodb")):
        raise refused("InvalidServiceName", f"The Vpc Endpoint Service '{service}' does not exist")
    tables = [backend.get_route_table(id).id for id in parameters.get("RouteTableIds") or []]
    subnets = [backend.get_subnet(id) for id in parameters.get("SubnetIds") or []]
    zones_are_offered(service, subnets)
    private_dns = kind == "Interface" and parameters.get("PrivateDnsEnabled") not in (False, "false")
    groups = list(parameters.get("SecurityGroupIds") or [])
    for group in groups:
        if backend.get_security_group_from_id(group) is None:
            raise refused("InvalidSecurityGroupId.NotFound", f"The security group '{group}' does not exist")
    if private_dns:
        if not (truth(vpc.enable_dns_support) and truth(vpc.enable_dns_hostnames)):
            raise refused(
                "InvalidParameter",
                "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for "
                f"{vpc.id}")
        for other in backend.vpc_end_points.values():
            if other.vpc_id == vpc.id and other.service_name == service and other.private_dns_enabled:
                raise refused(
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
            raise refused(
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
            raise refused(
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
    endpoint = backend.vpc_end_points[parameters["VpcEndpointId"]]
    if truth(parameters.get("ResetPolicy")):
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
        enter_as(context, "CreateVpcEndpoint", "vpc_endpoint", endpoint)
    return {"Return": True}


@before("ec2", "DeleteVpcEndpoints")
def delete_vpc_endpoints(context):
    backend, failed = context.backend, []
    for id in context.params.get("VpcEndpointIds") or []:
        endpoint = backend.vpc_end_points.get(id)
        if endpoint is None:
            failed.append({"ResourceId": id, "Error": {
                "Code": "InvalidVpcEndpointId.NotFound", "Message": f"The Vpc Endpoint Id '{id}' does not exist"}})
        else:
            remove_tables(backend, endpoint, list(endpoint.route_table_ids))
    return {"Unsuccessful": failed}


@entered("ec2", "vpc_endpoint", GONE)
def remove_interfaces(backend, endpoint):
    for id in endpoint.network_interface_ids:
        backend.enis.pop(id, None)
