"""The table of services: a row each. What a row does not say is the default below."""

from dataclasses import dataclass


LACKING = "lacking"


@dataclass(frozen=True)
class Service:
    # moto's response class (or LACKING, where moto has no such service), and our modules of tables and code. Without: the service is
    # moto's alone, only faults are ours.
    moto: str = ""
    modules: tuple = ()
    # What it says on demand (faults.py): (code, HTTP status).
    throttled: tuple = ("ThrottlingException", 400)
    broken: tuple = ("InternalFailure", 500)
    denied: tuple = ("AccessDeniedException", 400)
    # A request that its model does not allow; a client token with other parameters; an object that is not visible yet.
    invalid: str = "ValidationError"
    mismatch: str = "IdempotentParameterMismatch"
    not_found: str = "ResourceNotFoundException"


# What services of the query protocol say.
QUERY = {"throttled": ("Throttling", 400), "denied": ("AccessDenied", 403)}

SERVICES = {
    "acm": Service("moto.acm.responses:AWSCertificateManagerResponse", ("acm",)),
    "dlm": Service(LACKING, ("dlm",)),
    "ec2": Service("moto.ec2.responses:EC2Response", ("ec2", "ec2_moto", "ec2_network", "ec2_endpoints", "ec2_templates"),
                   throttled=("RequestLimitExceeded", 503), broken=("InternalError", 500), denied=("UnauthorizedOperation", 403),
                   invalid="MissingParameter"),
    "eks": Service("moto.eks.responses:EKSResponse", ("eks", "eks_catalog"), throttled=("ThrottlingException", 429),
                   broken=("ServerException", 500), denied=("AccessDeniedException", 403),
                   invalid="InvalidParameterException", mismatch="InvalidRequestException"),
    "elasticache": Service("moto.elasticache.responses:ElastiCacheResponse", ("elasticache",), **QUERY),
    "elbv2": Service("moto.elbv2.responses:ELBV2Response", ("elbv2",), **QUERY),
    "events": Service("moto.events.responses:EventsHandler", ("events",)),
    "iam": Service("moto.iam.responses:IamResponse", ("iam",), broken=("ServiceUnavailable", 503), not_found="NoSuchEntity", **QUERY),
    "kms": Service("moto.kms.responses:KmsResponse", ("kms",), broken=("KMSInternalException", 500), not_found="NotFoundException"),
    "logs": Service("moto.logs.responses:LogsResponse", ("logs",), broken=("ServiceUnavailableException", 503)),
    "mq": Service("moto.mq.responses:MQResponse", ("mq",), throttled=("TooManyRequestsException", 429), broken=("InternalServerErrorException", 500),
                  mismatch="ConflictException", not_found="NotFoundException"),
    "pricing": Service(LACKING, ("pricing",)),
    "route53": Service(**QUERY),
    "sqs": Service("moto.sqs.responses:SQSResponse", ("sqs",), throttled=("RequestThrottled", 403), denied=("AccessDenied", 403),
                   invalid="InvalidParameterValue", not_found="AWS.SimpleQueueService.NonExistentQueue"),
    "ssm": Service("moto.ssm.responses:SimpleSystemManagerResponse", ("ssm",)),
    "sts": Service("moto.sts.responses:TokenResponse", ("sts",), **QUERY),
}


def of(name):
    return SERVICES.get(name, Service())
