"""Systems Manager: AWS's own parameters, which name the images for nodes (Amazon Linux and Bottlerocket for EKS); and these images."""

import datetime
import hashlib
import re

from .extend import before

# AWS EKS user guide, "Retrieve Amazon Linux AMI IDs", "Retrieve Bottlerocket AMI IDs".
AMAZON_LINUX = re.compile(
    r"/aws/service/eks/optimized-ami/(?P<minor>1\.\d+)/amazon-linux-2023/(?P<arch>x86_64|arm64)/(?P<variant>standard|nvidia|neuron)/"
    r"(?P<release>recommended|amazon-eks-node-al2023-(?P=arch)-(?P=variant)-(?P=minor)-(?P<version>v\d{8}))/image_id")
BOTTLEROCKET = re.compile(
    r"/aws/service/bottlerocket/aws-k8s-(?P<minor>1\.\d+)(?P<variant>-nvidia|)/(?P<arch>x86_64|arm64)/(?P<version>latest|\d+\.\d+\.\d+)/image_id")
EKS_IMAGES = re.compile(r"amazon-eks-node-al2023-(?P<arch>x86_64|arm64)-standard-(?P<minor>1\.\d+)-[v*]+")
NEWEST, EARLIER = "v20261120", "v20261015"


def image(name):
    """The image that a parameter names, in the shape of DescribeImages; none where it is no parameter of ours."""
    if found := AMAZON_LINUX.fullmatch(name):
        version = found["version"] or NEWEST
        said = f"amazon-eks-node-al2023-{found['arch']}-{found['variant']}-{found['minor']}-{version}"
        day = version[1:]
    elif found := BOTTLEROCKET.fullmatch(name):
        said, day = f"bottlerocket-aws-k8s-{found['minor']}{found['variant']}-{found['arch']}-{found['version']}", NEWEST[1:]
    else:
        return None
    return {
        "ImageId": f"ami-{hashlib.sha256(said.encode()).hexdigest()[:17]}", "Name": said, "Architecture": found["arch"],
        "CreationDate": datetime.datetime.strptime(day, "%Y%m%d"), "State": "available", "Public": True, "OwnerId": "602401143452",
        "ImageType": "machine", "RootDeviceType": "ebs", "RootDeviceName": "/dev/xvda", "VirtualizationType": "hvm", "Hypervisor": "xen"}


@before("ssm", "GetParameter")
def parameter(context):
    name = context.params["Name"]
    if not (found := image(name)):
        return None
    context.account.table("images")[found["ImageId"]] = found
    return {"Parameter": {"Name": name, "Type": "String", "Value": found["ImageId"], "Version": 1, "DataType": "aws:ec2:image",
                          "ARN": f"arn:aws:ssm:{context.call.region}::parameter{name}"}}


@before("ec2", "DescribeImages")
def images(context):
    """Those that a parameter has named, and those of EKS by the beginning of their names."""
    filters = {one["Name"]: one["Values"] for one in context.params.get("Filters", [])}
    known = context.account.table("images")
    wanted = context.params.get("ImageIds") or filters.get("image-id", [])
    found = [known[id] for id in wanted if id in known]
    for name in filters.get("name", []):
        if of := EKS_IMAGES.fullmatch(name):
            minor, parameter = of["minor"], f"/aws/service/eks/optimized-ami/{of['minor']}/amazon-linux-2023/{of['arch']}/standard/"
            names = [f"amazon-eks-node-al2023-{of['arch']}-standard-{minor}-{release}" for release in (EARLIER, NEWEST)]
            found += [image(f"{parameter}{one}/image_id") for one in names]
    return {"Images": found} if found else None
