"""EC2: kinds of objects, states, refusals. Where AWS is not regular: ec2_network.py, ec2_endpoints.py."""

import ipaddress

from . import rows
from .extend import error
from .lifecycle import entered
from .rows import ABSENT, GONE, THERE, Kind, Refuse, State


def refused(code, message):
    return error("ec2", code, message)


def tags(backend, thing):
    return backend.tags.get(rows.one(thing, "id"))


def forget(backend, thing):
    backend.tags.pop(rows.one(thing, "id"), None)


entered("ec2", "*", GONE)(forget)


def kind(name, at, parameter, not_found="", **more):
    """Named by `VpcId` or `VpcIds`; tagged in one table of moto's."""
    named = more.pop("named", {parameter: more.get("id", "id"), f"{parameter}s": more.get("id", "id")})
    return Kind(name, at, named, not_found=not_found, tags=tags, **more)


def is_aws(prefix_list):
    return prefix_list.prefix_list_name.startswith("com.amazonaws.")


WITHIN = {"within": ("vpc", "vpc_id")}

rows.add("ec2", [
    kind("vpc", "vpcs", "VpcId", "InvalidVpcID.NotFound"),
    kind("vpc_cidr", "vpcs.*._cidr_block_association_set", "AssociationId", id="association_id", state="cidr_block_state.state",
         listed=False),
    kind("subnet", "subnets.*", "SubnetId", "InvalidSubnetID.NotFound"),
    kind("internet_gateway", "internet_gateways", "InternetGatewayId", "InvalidInternetGatewayID.NotFound"),
    kind("egress_only_internet_gateway", "egress_only_internet_gateways", "EgressOnlyInternetGatewayId"),
    kind("address", "addresses", "AllocationId", "InvalidAllocationID.NotFound", id="allocation_id", label="public_ip"),
    kind("nat_gateway", "nat_gateways", "NatGatewayId", "NatGatewayNotFound", over=("deleted",),
         failure={"failure_code": "{code}", "failure_message": "{message}"}),
    kind("route_table", "route_tables", "RouteTableId", "InvalidRouteTableID.NotFound", **WITHIN,
         inherent=lambda table: table.main_association_id is not None),
    kind("security_group", "groups.*", "GroupId", "InvalidGroup.NotFound", label="name", **WITHIN,
         inherent=lambda group: group.is_default),
    kind("network_acl", "network_acls", "NetworkAclId", **WITHIN, inherent=lambda acl: str(acl.default).lower() == "true"),
    kind("network_interface", "enis", "NetworkInterfaceId", "InvalidNetworkInterfaceID.NotFound", label="description",
         state="status"),
    kind("vpc_endpoint", "vpc_end_points", "VpcEndpointId", "InvalidVpcEndpointId.NotFound", label="service_name",
         failure={"last_error": {"Code": "{code}", "Message": "{message}"}}),
    kind("flow_log", "flow_logs", "FlowLogId", "InvalidFlowLogId.NotFound"),
    # Listed as deleted for a while after.
    kind("vpc_peering_connection", "vpc_pcxs", "VpcPeeringConnectionId", state="_status.code", over=("deleted", "rejected", "expired")),
    kind("prefix_list", "managed_prefix_lists", "PrefixListId", label="prefix_list_name", foreign=is_aws),
    kind("instance", "reservations.*.instances", "InstanceId", state="_state.name", over=("terminated",)),
    kind("volume", "volumes", "VolumeId"),
    kind("snapshot", "snapshots", "SnapshotId"),
    kind("launch_template", "launch_templates", "LaunchTemplateId", "InvalidLaunchTemplateId.NotFound", label="name"),
    kind("key_pair", "key_pairs", "KeyName", id="key_name", label="key_name"),
])

# --- states: operation, kind, then state, AWS seconds, state, … (medians) -------------------------------------------

rows.add("ec2", [
    State("CreateVpc", "vpc", "pending", 2, "available"),
    State("DeleteVpc", "vpc", GONE),
    State("AssociateVpcCidrBlock", "vpc_cidr", "associating", 3, "associated"),
    State("DisassociateVpcCidrBlock", "vpc_cidr", "disassociating", 3, GONE),
    State("CreateSubnet", "subnet", "pending", 1, "available"),
    State("DeleteSubnet", "subnet", GONE),
    State("DeleteInternetGateway", "internet_gateway", GONE),
    State("ReleaseAddress", "address", GONE),
    # A deleted NAT gateway stays listed for about an hour, a failed one too.
    State("CreateNatGateway", "nat_gateway", "pending", 100, "available", failed=(20, "failed", 3600, GONE)),
    State("DeleteNatGateway", "nat_gateway", "deleting", 1, "deleted", 3600, GONE, where=("state", "failed")),
    State("DeleteNatGateway", "nat_gateway", "deleting", 60, "deleted", 3600, GONE),
    State("DeleteRouteTable", "route_table", GONE),
    State("DeleteSecurityGroup", "security_group", GONE),
    State("CreateVpcEndpoint", "vpc_endpoint", "pending", 60, "available", where=("vpc_endpoint_type", "Interface"), failed=(60, "failed")),
    State("CreateVpcEndpoint", "vpc_endpoint", "pending", 5, "available", where=("vpc_endpoint_type", "Gateway"), failed=(5, "failed")),
    State("DeleteVpcEndpoints", "vpc_endpoint", "deleting", 60, GONE, where=("vpc_endpoint_type", "Interface")),
    State("DeleteVpcEndpoints", "vpc_endpoint", "deleting", 5, GONE, where=("vpc_endpoint_type", "Gateway")),
    State("DeleteFlowLogs", "flow_log", GONE),
    State("DeleteLaunchTemplate", "launch_template", GONE),
])

# --- refusals -------------------------------------------------------------------------------------------------------


def has_public_addresses(context, vpc):
    backend = context.backend
    return any(a.eni is not None and a.eni.vpc_id == vpc.id for a in backend.addresses) or any(
        eni.public_ip for eni in backend.enis.values() if eni.vpc_id == vpc.id)


def holds_subnets(context, cidr):
    vpc = next(vpc for vpc in context.backend.vpcs.values() if cidr["association_id"] in vpc._cidr_block_association_set)
    network = ipaddress.ip_network(cidr["cidr_block"])
    return cidr["cidr_block"] != vpc.cidr_block and any(
        ipaddress.ip_network(subnet.cidr_block).subnet_of(network)
        for zone in context.backend.subnets.values() for subnet in zone.values() if subnet.vpc_id == vpc.id)


def of_a_service(_context, address):
    return address.eni is not None and address.eni.requester_managed


def in_use(_context, address):
    return address.eni is not None or address.instance is not None


DEPENDENCIES = "has dependencies and cannot be deleted."

rows.add("ec2", [
    Refuse("DeleteVpc", "DependencyViolation", f"The vpc '{{id}}' {DEPENDENCIES}", "vpc", used_by=(
        ("subnet", "vpc_id"), ("internet_gateway", "vpc.id"), ("egress_only_internet_gateway", "vpc_id"), ("vpc_endpoint", "vpc_id"),
        ("security_group", "vpc_id"), ("route_table", "vpc_id"), ("network_acl", "vpc_id"), ("network_interface", "vpc_id"))),
    Refuse("DisassociateVpcCidrBlock", "InvalidCidrBlock.InUse", "The vpc CIDR block with association ID {AssociationId} may not be "
           "disassociated. It is in use.", "vpc_cidr", when=holds_subnets),
    Refuse("DeleteSubnet", "DependencyViolation", f"The subnet '{{id}}' {DEPENDENCIES}", "subnet",
           used_by=(("network_interface", "subnet_id"),)),
    Refuse("AttachInternetGateway", "InvalidParameterValue", "Network {VpcId} already has an internet gateway attached", "vpc",
           used_by=(("internet_gateway", "vpc.id"),)),
    Refuse("DetachInternetGateway", "DependencyViolation", "Network {VpcId} has some mapped public address(es). Please unmap those "
           "public address(es) before detaching the gateway.", "vpc", when=has_public_addresses),
    Refuse("ReleaseAddress", "AuthFailure", "You do not have permission to access the specified resource.", "address",
           when=of_a_service),
    Refuse("ReleaseAddress", "InvalidIPAddress.InUse", "Address {public_ip} is in use.", "address", when=in_use),
    Refuse("DisassociateAddress", "OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.", "address",
           named={"AssociationId": "association_id"}, when=of_a_service),
    Refuse("DeleteNetworkInterface", "InvalidParameterValue", "Network interface '{id}' is currently in use.", "network_interface",
           states=("in-use",)),
    Refuse("DeleteNatGateway", "NatGatewayNotFound", "NAT gateway {NatGatewayId} was not found", "nat_gateway",
           states=(ABSENT, "deleted")),
    # Also while it is pending: a route is made when the gateway is available.
    Refuse(["CreateRoute", "ReplaceRoute"], "InvalidNatGatewayID.NotFound", "The natGateway ID '{NatGatewayId}' does not exist",
           "nat_gateway", states=(ABSENT, THERE), not_in=("available",)),
    Refuse("AssociateRouteTable", "Resource.AlreadyAssociated", "the specified association for route table {RouteTableId} conflicts "
           "with an existing association", "subnet", used_by=(("route_table", "_associations.*"),)),
    Refuse("DeleteRouteTable", "DependencyViolation", f"The routeTable '{{id}}' {DEPENDENCIES}", "route_table",
           when=lambda _context, table: table.main_association_id is not None),
    Refuse("DeleteSecurityGroup", "CannotDelete", "the specified group: \"{id}\" name: \"default\" cannot be deleted by a user",
           "security_group", when=lambda _context, group: group.is_default),
    Refuse("DeleteSecurityGroup", "DependencyViolation", "resource {id} has a dependent object", "security_group", used_by=(
        ("network_interface", "group_set.*.id"), ("security_group", "ingress_rules.*.source_group.GroupId"),
        ("security_group", "egress_rules.*.source_group.GroupId"))),
    Refuse("ModifyVpcEndpoint", "InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '{VpcEndpointId}' does not exist",
           "vpc_endpoint", states=(ABSENT, "deleting")),
    Refuse("ModifyVpcEndpoint", "IncorrectState", "The VPC endpoint {id} is in the pending state and cannot be modified",
           "vpc_endpoint", states=("pending",)),
])
