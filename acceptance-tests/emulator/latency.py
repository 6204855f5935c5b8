"""How long AWS takes, in AWS seconds (medians). The only such table: everything that becomes ready later reads it here.

Real time = AWS seconds / the account's time scale.
"""

SECONDS = {
    "vpc.available": 2,
    "vpc.cidr.associated": 3,
    "vpc.cidr.disassociated": 3,
    "subnet.available": 1,
    "nat_gateway.available": 100,
    "nat_gateway.failed": 20,
    "nat_gateway.deleted": 60,
    # A deleted NAT gateway stays listed for about an hour, a failed one too.
    "nat_gateway.forgotten": 3600,
    "vpc_endpoint.interface.available": 60,
    "vpc_endpoint.gateway.available": 5,
    "vpc_endpoint.interface.deleted": 60,
    "vpc_endpoint.gateway.deleted": 5,
}
