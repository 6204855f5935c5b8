"""Certificate Manager: certificates."""

from . import rows
from .rows import Kind, Refuse

rows.add("acm", [
    Kind("certificate", "_certificates", {"CertificateArn": "arn"}, id="arn", label="common_name", state="status"),
    Refuse("DeleteCertificate", "ResourceInUseException", "Certificate {CertificateArn} is in use.", "certificate",
           used_by=(("elbv2:listener", "certificates.*"),)),
])
