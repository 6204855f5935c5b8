"""The price list: what instances cost on demand, by their size."""

import json

from moto.ec2.models.instance_types import INSTANCE_TYPES

from .extend import before

# US dollars an hour for a virtual CPU and for a GiB of memory; about what m7g costs.
OF_CPU, OF_MEMORY = 0.03, 0.004


@before("pricing", "GetProducts")
def products(context):
    wanted = {one["Field"]: one["Value"] for one in context.params.get("Filters", [])}
    is_metal = "metal" in wanted.get("productFamily", "")
    return {"FormatVersion": "aws_v1", "PriceList": [
        product(name, kind) for name, kind in INSTANCE_TYPES.items() if name.endswith("metal") == is_metal]}


def product(name, kind):
    price = kind["VCpuInfo"]["DefaultVCpus"] * OF_CPU + kind["MemoryInfo"]["SizeInMiB"] / 1024 * OF_MEMORY
    unit = {"unit": "Hrs", "pricePerUnit": {"USD": f"{price:.4f}", "CNY": f"{7 * price:.4f}"}}
    return json.dumps({"product": {"productFamily": "Compute Instance", "attributes": {"instanceType": name}},
                       "serviceCode": "AmazonEC2", "terms": {"OnDemand": {name: {"priceDimensions": {name: unit}}}}})
