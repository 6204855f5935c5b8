//! What the error codes of AWS mean, as rows of service, operation, code and message.
//!
//! Codes are those of the services' models (each operation's "Errors" in its API reference). Where the same code means
//! several things, the message decides; its source stands at the row. The first row that fits decides, so what a service
//! means by a code stands before what all of them mean.

use reconcile::failure::Class;

use crate::failure::codes::*;

/// Which operations a row is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Calls {
    All,
    /// That change something.
    Changing,
    /// That change something and remove nothing.
    Making,
    Removing,
    Only(&'static [&'static str]),
}
use Calls::{All, Changing, Making, Only, Removing};

/// What an answer means.
#[derive(Debug)]
pub(crate) struct Row {
    /// As in IAM actions (`eks`); `*` for every service.
    service: &'static str,
    calls: Calls,
    /// AWS's codes; `*` stands for any text.
    codes: &'static [&'static str],
    /// Parts of the message in lower case, one of which it must hold; empty for any message.
    messages: &'static [&'static str],
    pub(crate) class: Class,
    /// Our code.
    pub(crate) code: &'static str,
    /// What the user can do, where it is more than the code's usual hint.
    pub(crate) hint: &'static str,
}

const fn row(
    service: &'static str,
    calls: Calls,
    codes: &'static [&'static str],
    messages: &'static [&'static str],
    class: Class,
) -> Row {
    let code = match class {
        Class::Throttled => THROTTLED,
        Class::Transient => UNAVAILABLE,
        Class::Unknown => NO_ANSWER,
        Class::Busy | Class::Stuck | Class::TimedOut => BUSY,
        Class::NotYet => NOT_YET,
        Class::Denied => DENIED,
        Class::Invalid => INVALID,
        Class::Exists => EXISTS,
        Class::NotFound => NOT_FOUND,
        Class::Quota => QUOTA,
        Class::Cancelled | Class::Other => OTHER,
    };
    Row {
        service,
        calls,
        codes,
        messages,
        class,
        code,
        hint: "",
    }
}

impl Row {
    const fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    const fn code(self, code: &'static str) -> Self {
        Self { code, ..self }
    }

    fn fits(&self, action: &str, code: &str, message: &str) -> bool {
        let (service, operation) = split(action);
        (self.service == "*" || self.service == service)
            && match self.calls {
                All => true,
                Changing => changes(action),
                Making => changes(action) && !removes(action),
                Removing => removes(action),
                Only(operations) => operations.contains(&operation),
            }
            && self.codes.iter().any(|pattern| matches(pattern, code))
            && (self.messages.is_empty() || self.messages.iter().any(|part| message.contains(part)))
    }
}

/// The row that says what this answer means.
pub(crate) fn find(action: &str, code: &str, message: &str) -> Option<&'static Row> {
    let message = message.to_lowercase();
    ROWS.iter().find(|row| row.fits(action, code, &message))
}

fn split(action: &str) -> (&str, &str) {
    action.split_once(':').unwrap_or(("", action))
}

fn begins_with(action: &str, verbs: &[&str]) -> bool {
    verbs.iter().any(|verb| split(action).1.starts_with(verb))
}

/// Whether the operation changes anything.
pub(crate) fn changes(action: &str) -> bool {
    const READS: &[&str] = &[
        "Describe", "Get", "List", "Head", "Assume", "BatchGet", "Search", "Query", "Scan", "Lookup",
        "Select", "Simulate", "Decode", "Test",
    ];
    !begins_with(action, READS)
}

/// Whether the operation takes something away, so that what is not there is as it should be.
pub(crate) fn removes(action: &str) -> bool {
    const REMOVALS: &[&str] = &[
        "Delete",
        "Detach",
        "Release",
        "Revoke",
        "Disassociate",
        "Remove",
        "Untag",
        "Terminate",
        "Deregister",
        "Disable",
        "Cancel",
        "Unassign",
        "ScheduleKeyDeletion",
        "Purge",
        "Reject",
        "Deactivate",
        "Unsubscribe",
        "Deprovision",
        "Retire",
        "BatchDelete",
        "AbortMultipartUpload",
    ];
    begins_with(action, REMOVALS)
}

/// Whether the code fits; `*` stands for any text.
fn matches(pattern: &str, code: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = code.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let Some(end) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(end)
}

/// An update or a creation that has not ended.
const UNDER_WAY: &[&str] = &[
    "progress",
    "not in active",
    "not active",
    "is not running",
    "currently",
    "being updated",
    "being created",
    "being deleted",
    "creating",
    "updating",
    "deleting",
    "pending",
];
/// IAM's answers reach the services after seconds (IAM user guide, "Changes that I make are not always immediately
/// visible"); these are the words of those that check a role or principal which they do not see yet.
const NOT_SEEN_YET: &[&str] = &[
    // EC2 CreateFlowLogs; terraform-provider-aws waits for all of these up to two minutes.
    "unable to assume",
    "sts:assumerole",
    // IAM, KMS, S3, SQS, Secrets Manager: policies that name a role made a moment ago.
    "invalid principal",
    "unsupported principal",
    // EKS CreateCluster, CreateNodegroup (aws/containers-roadmap and terraform-provider-aws): "Role with arn … could not
    // be assumed because it does not exist or the trusted entity is not correct".
    "cannot be assumed",
    "can not be assumed",
    "could not be assumed",
    "can't be assumed",
    "not be assumed by",
    "not authorized to assume",
    "trusted entity is not correct",
    // EC2 RunInstances, launch templates.
    "invalid iam instance profile",
    // CloudWatch Logs PutSubscriptionFilter.
    "permission to assume",
    "permissions to assume",
    // DLM CreateLifecyclePolicy, EventBridge PutTargets.
    "role not found",
    "role does not exist",
];
/// What a refusal says that names a protection to be switched off first.
const PROTECTED: &[&str] = &[
    "deletion protection",
    "deletionprotection",
    "protected against deletion",
    "termination protection",
];
const UNPROTECT: &str = "Switch its deletion protection off first; nothing was deleted";

/// Operations of EKS that make something with a name.
const EKS_MAKES: Calls = Only(&[
    "CreateCluster",
    "CreateNodegroup",
    "CreateAddon",
    "CreateAccessEntry",
    "CreatePodIdentityAssociation",
    "CreateFargateProfile",
    "AssociateIdentityProviderConfig",
]);

const ROWS: &[Row] = &[
    // ------------------------------------------------------------------------------------------------ every service
    row(
        "*",
        All,
        &[
            "RequestLimitExceeded",
            "Throttl*",
            "TooManyRequests*",
            "RequestThrottled*",
            "BandwidthLimitExceeded",
            "EC2ThrottledException",
            "PriorRequestNotComplete",
            "SlowDown",
            "ProvisionedThroughputExceeded*",
            "APICallRate*Exceeded*",
            "KmsThrottled",
        ],
        &[],
        Class::Throttled,
    ),
    row("*", All, &["ExpiredToken*", "RequestExpired"], &[], Class::Denied).code(EXPIRED),
    row("*", All, &["OptInRequired", "RegionDisabled*"], &[], Class::Denied).code(OPT_IN),
    row("*", Making, &["*"], NOT_SEEN_YET, Class::NotYet),
    row("*", Removing, &["*"], PROTECTED, Class::Invalid).hint(UNPROTECT),
    // -------------------------------------------------------------------------------------------------------- EC2
    // VPC user guide, "NAT gateway basics": the address of a gateway that was just deleted is let go a moment later.
    row(
        "ec2",
        Only(&["ReleaseAddress", "DisassociateAddress"]),
        &["AuthFailure", "OperationNotPermitted"],
        &["do not have permission to access", "not allowed to manage"],
        Class::Busy,
    ),
    row(
        "ec2",
        All,
        &["InvalidGroup.Duplicate", "InvalidPermission.Duplicate", "InvalidSubnet.Conflict", "Resource.AlreadyAssociated"],
        &[],
        Class::Exists,
    ),
    row("ec2", All, &["Gateway.NotAttached"], &[], Class::NotFound),
    // hashicorp/terraform#21256: a range that was just added to the VPC is there a moment later.
    row("ec2", Only(&["CreateSubnet"]), &["InvalidSubnet.Range"], &[], Class::NotYet),
    row("ec2", Making, &["Insufficient*Capacity*"], &[], Class::Transient)
        .hint("AWS has no capacity of that type in that zone now: choose another zone or type, or run again later"),
    // -------------------------------------------------------------------------------------------------------- EKS
    // aws/containers-roadmap#2570, eksctl-io/eksctl#7124: for hours while AWS repairs something.
    row("eks", All, &["ServiceUnavailable*"], &["updates in the cell are disabled"], Class::Transient)
        .hint("AWS has paused updates of EKS clusters here; nothing was changed: run again later"),
    // EKS API reference, "ResourcePropagationDelayException": a role or policy that is not visible yet.
    row("eks", All, &["ResourcePropagationDelay*"], &[], Class::NotYet),
    // terraform-provider-aws CreatePodIdentityAssociation, AssociateAccessPolicy, CreateAccessEntry.
    row(
        "eks",
        Making,
        &["InvalidParameter*", "InvalidRequest*", "ResourceNotFound*"],
        &["role provided in the request", "principalarn could not be found", "principalarn is invalid", "trust policy"],
        Class::NotYet,
    ),
    // UpdateClusterConfig: what it asks for is so already (eksctl-io/eksctl, terraform-provider-aws).
    row(
        "eks",
        Making,
        &["InvalidParameter*", "InvalidRequest*"],
        &["already at the desired configuration", "no changes needed"],
        Class::Exists,
    ),
    // What an earlier try whose answer was lost has done.
    row("eks", Only(&["AssociateEncryptionConfig"]), &["InvalidRequest*", "InvalidParameter*"], &["already"], Class::Exists),
    // eksctl-io/eksctl, "Nodegroups must be updated to match cluster version before updating cluster version".
    row("eks", Only(&["UpdateClusterVersion"]), &["InvalidRequest*", "InvalidParameter*"], &["nodegroups must be"], Class::Invalid)
        .hint("Bring all managed node groups to the cluster's version first, those of others too"),
    // cloudposse/terraform-aws-eks-cluster#252: the roles of an add-on are made with it.
    row("eks", Only(&["CreateAddon", "UpdateAddon"]), &["ResourceInUse*"], &["association already exists"], Class::Invalid)
        .hint("The add-on makes its pod identity association itself: give the add-on that role (`role_arn`), or delete the association (aws eks delete-pod-identity-association)"),
    // aws-controllers-k8s/community#1192, rancher/eks-operator#547: "Cannot VersionUpdate because cluster … currently has
    // update … in progress"; aws/karpenter-provider-aws#133: "Nodegroup cannot be updated as it is currently not in Active State".
    row("eks", All, &["ResourceInUse*", "InvalidRequest*", "InvalidState*"], &["in progress", "not in active", "is not active"], Class::Busy),
    // "NodeGroup already exists with name …", "Cluster already exists with name: …", "Addon already exists.", "The specified
    // access entry resource is already in use", "Association already exists: a-…" (aws-controllers-k8s/community#2684).
    row("eks", EKS_MAKES, &["ResourceInUse*"], &[], Class::Exists),
    row("eks", All, &["ResourceInUse*"], &[], Class::Busy),
    // hashicorp/terraform-provider-aws#42031.
    row("eks", All, &["InvalidState*"], &["upgrade readiness", "rollback readiness"], Class::Invalid)
        .code(READINESS)
        .hint("`aws eks list-insights --cluster-name NAME` shows what stands against it"),
    // "The request is invalid given the state of the cluster" (EKS API reference, InvalidRequestException).
    row("eks", All, &["InvalidRequest*"], UNDER_WAY, Class::Busy),
    row("eks", All, &["UnsupportedAvailabilityZone*"], &[], Class::Invalid)
        .hint("Leave out the subnets of that zone; the message names those that EKS can use"),
    row("eks", All, &["ClientException", "BadRequest*"], &[], Class::Invalid),
    // ------------------------------------------------------------------------------------------------ ElastiCache
    // "The requested replication group is not in the available state" (ElastiCache API reference), and its brothers.
    row(
        "elasticache",
        All,
        &[
            "InvalidReplicationGroupState*",
            "InvalidCacheClusterState*",
            "InvalidGlobalReplicationGroupState*",
            "InvalidServerlessCacheState*",
            "InvalidSnapshotState*",
            "InvalidCacheParameterGroupState*",
            "InvalidCacheSecurityGroupState*",
            "InvalidUserState*",
            "InvalidUserGroupState*",
            "CacheSubnetGroupInUse*",
            "SubnetInUse*",
        ],
        &[],
        Class::Busy,
    ),
    row("elasticache", All, &["ServiceLinkedRoleNotFound*"], &[], Class::NotYet),
    row("elasticache", All, &["DuplicateUserName*"], &[], Class::Exists),
    row("elasticache", All, &["NoOperation*"], &[], Class::Exists),
    row("elasticache", All, &["*QuotaFor*", "QuotaExceeded*", "*QuotaPer*"], &[], Class::Quota),
    row("elasticache", Making, &["InsufficientCacheClusterCapacity*"], &[], Class::Transient)
        .hint("AWS has no capacity of that node type in those zones now: choose another type or zone, or run again later"),
    row("elasticache", All, &["DefaultUser*", "SubnetNotAllowed*", "SnapshotFeatureNotSupported*"], &[], Class::Invalid),
    // --------------------------------------------------------------------------------------------------------- MQ
    // Amazon MQ API reference: ConflictException is "this broker name already exists" at CreateBroker and
    // CreateConfiguration, and "concurrent modification" elsewhere.
    row("mq", Only(&["CreateBroker", "CreateConfiguration", "CreateUser"]), &["Conflict*"], &[], Class::Exists),
    row("mq", All, &["Conflict*"], &[], Class::Busy),
    // aws-controllers-k8s/community#703: a broker can be changed and deleted only while RUNNING.
    row("mq", Changing, &["BadRequest*"], &["_in_progress", "in state", "not in running", "must be running"], Class::Busy),
    row("mq", All, &["BadRequest*"], &[], Class::Invalid),
    row("mq", All, &["Forbidden*"], &[], Class::Denied),
    row("mq", All, &["Unauthorized*"], &[], Class::Denied).code(NOT_ACCEPTED),
    // -------------------------------------------------------------------------------------------------------- ACM
    // GetCertificate, ResendValidationEmail: "the certificate request is in process".
    row("acm", All, &["RequestInProgress*"], &[], Class::Busy),
    row("acm", All, &["TooManyTags*", "TagPolicy*", "InvalidTag*"], &[], Class::Invalid),
    // ---------------------------------------------------------------------------------------------------- Route 53
    // ChangeResourceRecordSets: "Tried to create resource record set […] but it already exists"; "Tried to delete […] but it
    // was not found"; "[…] but the values provided do not match the current values": what is there is not what we made.
    row("route53", All, &["InvalidChangeBatch*"], &["but it already exists"], Class::Exists)
        .hint("A record of that name and type is there already: remove it, or import it"),
    row("route53", All, &["InvalidChangeBatch*"], &["was not found", "do not match the current values"], Class::NotFound),
    row("route53", All, &["HostedZoneNotEmpty*"], &[], Class::Busy)
        .hint("Remove the records that others made in the zone (all but its NS and SOA), then run again"),
    row("route53", All, &["ConflictingDomainExists*", "DelegationSetAlready*"], &[], Class::Exists),
    row("route53", Making, &["InvalidVPCId*"], &[], Class::NotYet),
    row("route53", All, &["*InUse*"], &[], Class::Busy),
    row("route53", All, &["LimitsExceeded*", "TooMany*"], &[], Class::Quota),
    // ------------------------------------------------------------------------------------------- Elastic Load Balancing
    row(
        "elasticloadbalancing",
        All,
        &["DuplicateLoadBalancerName*", "DuplicateTargetGroupName*", "DuplicateListener*", "DuplicateTrustStoreName*", "PriorityInUse*"],
        &[],
        Class::Exists,
    ),
    row("elasticloadbalancing", All, &["ResourceInUse*", "TrustStoreInUse*", "CapacityReservationPending*", "TrustStoreNotReady*"], &[], Class::Busy),
    row("elasticloadbalancing", All, &["TooManyTags*", "DuplicateTagKeys*"], &[], Class::Invalid),
    row("elasticloadbalancing", All, &["TooMany*", "TargetGroupAssociationLimit*"], &[], Class::Quota),
    row("elasticloadbalancing", All, &["OperationNotPermitted*", "IncompatibleProtocols*", "AvailabilityZoneNotSupported*"], &[], Class::Invalid),
    // A certificate of ACM is usable some seconds after it is issued (CreateListener).
    row("elasticloadbalancing", Making, &["UnsupportedCertificate*"], &[], Class::NotYet),
    // -------------------------------------------------------------------------------------------------------- SQS
    // CreateQueue: "You must wait 60 seconds after deleting a queue before you can create another with the same name."
    row("sqs", All, &["*QueueDeletedRecently*", "*PurgeQueueInProgress*"], &[], Class::Busy),
    row("sqs", All, &["QueueAlreadyExists*", "QueueNameExists*"], &[], Class::Exists),
    row("sqs", Making, &["*NonExistentQueue*", "*QueueDoesNotExist*"], &[], Class::NotYet),
    row("sqs", All, &["*NonExistentQueue*", "*QueueDoesNotExist*"], &[], Class::NotFound),
    row("sqs", All, &["OverLimit*"], &[], Class::Quota),
    // terraform-provider-aws SetQueueAttributes: a policy that names a role made a moment ago.
    row("sqs", Making, &["InvalidAttributeValue*"], &["parameter policy"], Class::NotYet),
    row("sqs", All, &["*UnsupportedOperation*"], &[], Class::Invalid),
    // -------------------------------------------------------------------------------------------------- EventBridge
    // DeleteRule: "Rule can't be deleted since it has targets."
    row("events", Removing, &["Validation*"], &["has targets", "has associated"], Class::Busy),
    row("events", All, &["ManagedRule*", "PolicyLengthExceeded*", "OperationDisabled*", "IllegalStatus*"], &[], Class::Invalid),
    // -------------------------------------------------------------------------------------------------------- KMS
    // A key that is scheduled for deletion is gone as far as we are concerned.
    row("kms", Removing, &["KMSInvalidState*"], &["pending deletion", "pendingdeletion"], Class::NotFound),
    row("kms", All, &["KMSInvalidState*"], &["pending deletion", "pendingdeletion"], Class::Invalid)
        .hint("The key is scheduled for deletion: `aws kms cancel-key-deletion` and `enable-key` bring it back while its waiting period lasts"),
    row("kms", All, &["KMSInvalidState*"], &[], Class::Busy),
    row("kms", All, &["DependencyTimeout*", "KeyUnavailable*"], &[], Class::Transient),
    row("kms", All, &["Disabled*"], &[], Class::Invalid).hint("Enable the key (aws kms enable-key)"),
    // --------------------------------------------------------------------------------------------------------- S3
    row("s3", All, &["BucketAlreadyOwnedByYou"], &[], Class::Exists),
    row("s3", All, &["BucketAlreadyExists"], &[], Class::Exists)
        .hint("Names of buckets are taken once for all accounts of the world: choose another name"),
    // CreateBucket, DeleteBucket: "A conflicting conditional operation is currently in progress against this resource."
    row("s3", All, &["OperationAborted", "InvalidBucketState", "ConditionalRequestConflict"], &[], Class::Busy),
    row("s3", All, &["BucketNotEmpty"], &[], Class::Invalid)
        .hint("Remove the bucket's objects and all their versions first (the console's \"Empty\"), or keep the bucket"),
    row("s3", All, &["TooManyBuckets"], &[], Class::Quota),
    row("s3", All, &["PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint*"], &[], Class::Invalid)
        .hint("The bucket is in another region: set `region`"),
    row("s3", All, &["RequestTimeout", "ServiceUnavailable"], &[], Class::Transient),
    // --------------------------------------------------------------------------------------------------- DynamoDB
    // "Table already exists" at CreateTable; "Attempt to change a resource which is still in use" elsewhere.
    row("dynamodb", Only(&["CreateTable", "CreateGlobalTable"]), &["ResourceInUse*"], &["already exists"], Class::Exists),
    // "Subscriber limit exceeded": too many tables are created, updated or deleted at once (API reference, LimitExceededException).
    row("dynamodb", All, &["LimitExceeded*"], &["simultaneous", "concurrent", "at the same time", "at a time"], Class::Busy),
    row("dynamodb", All, &["ContinuousBackupsUnavailable*", "TableInUse*", "BackupInUse*", "TransactionConflict*", "ReplicatedWriteConflict*"], &[], Class::Busy),
    // UpdateTimeToLive, which may be asked once in an hour.
    row("dynamodb", Changing, &["Validation*"], &["timetolive is already"], Class::Exists),
    row("dynamodb", Changing, &["Validation*"], &["time to live has been modified multiple times"], Class::Busy),
    row("dynamodb", All, &["ConditionalCheckFailed*"], &[], Class::Exists),
    // -------------------------------------------------------------------------------------------------------- DLM
    row("dlm", Making, &["InvalidRequest*"], &["role"], Class::NotYet),
    // ---------------------------------------------------------------------------------------------- Secrets Manager
    row("secretsmanager", All, &["ResourceExists*"], &[], Class::Exists),
    // A secret deleted without recovery goes after a moment; with it, after 7 to 30 days (API reference, DeleteSecret).
    row("secretsmanager", Only(&["CreateSecret"]), &["InvalidRequest*"], &["scheduled for deletion", "marked for deletion"], Class::NotYet)
        .hint("A secret of that name waits for its deletion: `aws secretsmanager restore-secret` brings it back (then import \
               it), `delete-secret --force-delete-without-recovery` frees the name"),
    row("secretsmanager", All, &["InvalidRequest*"], &["marked for deletion", "scheduled for deletion"], Class::NotFound),
    row("secretsmanager", All, &["PublicPolicy*", "PreconditionNotMet*"], &[], Class::Invalid),
    row("secretsmanager", All, &["EncryptionFailure*", "DecryptionFailure*"], &[], Class::Invalid)
        .hint("Allow the KMS key to the identity that runs this (kms:GenerateDataKey, kms:Decrypt), and check that it is enabled"),
    // -------------------------------------------------------------------------------------------------------- IAM
    // CreateServiceLinkedRole: "Service role name … has been taken in this account".
    row("iam", Making, &["InvalidInput*"], &["has been taken"], Class::Exists),
    // "The user/role … cannot be modified. Try again later" (IAM API reference, EntityTemporarilyUnmodifiable).
    row("iam", All, &["EntityTemporarilyUnmodifiable*", "DeleteConflict*"], &[], Class::Busy),
    row("iam", All, &["UnmodifiableEntity*", "PolicyNotAttachable*"], &[], Class::Invalid),
    // -------------------------------------------------------------------------------------------------------- STS
    row("sts", All, &["IDPCommunicationError*"], &[], Class::Transient),
    row("sts", All, &["InvalidIdentityToken*", "IDPRejectedClaim*"], &[], Class::Denied).code(NOT_ACCEPTED),
    row("sts", All, &["PackedPolicyTooLarge*"], &[], Class::Invalid)
        .hint("Shorten the session policy or take session tags away (assume_role in the provider block)"),
    // ------------------------------------------------------------------------------------------------ every service
    row("*", All, &["ServiceUnavailable*", "Unavailable", "Insufficient*Capacity*"], &[], Class::Transient),
    row(
        "*",
        All,
        &[
            "AuthFailure",
            "InvalidClientTokenId",
            "UnrecognizedClient*",
            "SignatureDoesNotMatch",
            "InvalidSignature*",
            "InvalidAccessKeyId",
            "IncompleteSignature*",
            "MissingAuthenticationToken*",
        ],
        &[],
        Class::Denied,
    )
    .code(NOT_ACCEPTED),
    row("*", All, &["UnauthorizedOperation", "AccessDenied*", "NotAuthorized*"], &[], Class::Denied),
    row("*", All, &["*AlreadyExists*"], &[], Class::Exists),
    row(
        "*",
        All,
        &[
            "DependencyViolation",
            "ResourceInUse*",
            "*.InUse",
            "*IncorrectState*",
            "Incorrect*State",
            "DeleteConflict*",
            "OperationAborted*",
            "*ConcurrentModification*",
            "ConflictException",
            "ResourceConflict*",
            "VolumeInUse",
            "*OperationInProgress*",
        ],
        &[],
        Class::Busy,
    ),
    row(
        "*",
        All,
        &["*LimitExceeded*", "ServiceQuotaExceeded*", "*QuotaExceeded*", "*MaxLimit*"],
        &[],
        Class::Quota,
    ),
    // Making or changing something: what it refers to was made a moment ago and is not visible everywhere yet.
    row("*", Making, &["*NotFound*", "NoSuch*"], &[], Class::NotYet),
    row("*", All, &["*NotFound*", "NoSuch*"], &[], Class::NotFound),
    row(
        "*",
        All,
        &["Invalid*", "Validation*", "Malformed*", "Missing*", "Unsupported*", "IdempotentParameterMismatch"],
        &[],
        Class::Invalid,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Service and operation, code, message, class: as AWS answers, from API references and public issues.
    const ANSWERS: &[(&str, &str, &str, Class)] = &[
        ("ec2:CreateVpc", "RequestLimitExceeded", "", Class::Throttled),
        (
            "logs:CreateLogGroup",
            "ThrottlingException",
            "Rate exceeded",
            Class::Throttled,
        ),
        ("iam:CreateRole", "Throttling", "", Class::Throttled),
        (
            "mq:CreateBroker",
            "TooManyRequestsException",
            "",
            Class::Throttled,
        ),
        (
            "route53:ChangeResourceRecordSets",
            "PriorRequestNotComplete",
            "",
            Class::Throttled,
        ),
        (
            "dynamodb:PutItem",
            "ProvisionedThroughputExceededException",
            "",
            Class::Throttled,
        ),
        ("iam:CreateRole", "ServiceUnavailable", "", Class::Transient),
        ("ec2:CreateVpc", "Unavailable", "", Class::Transient),
        (
            "ec2:RunInstances",
            "InsufficientInstanceCapacity",
            "",
            Class::Transient,
        ),
        ("ec2:DeleteSubnet", "DependencyViolation", "", Class::Busy),
        ("ec2:ReleaseAddress", "InvalidIPAddress.InUse", "", Class::Busy),
        (
            "ec2:ReleaseAddress",
            "AuthFailure",
            "You do not have permission to access the specified resource.",
            Class::Busy,
        ),
        ("ec2:DeleteVpcEndpoints", "IncorrectState", "", Class::Busy),
        ("ec2:StopInstances", "IncorrectInstanceState", "", Class::Busy),
        ("ec2:DescribeVpcs", "InvalidVpcID.NotFound", "", Class::NotFound),
        ("ec2:DeleteVpc", "InvalidVpcID.NotFound", "", Class::NotFound),
        ("ec2:CreateSubnet", "InvalidVpcID.NotFound", "", Class::NotYet),
        (
            "ec2:CreateRoute",
            "InvalidNatGatewayID.NotFound",
            "",
            Class::NotYet,
        ),
        (
            "ec2:DetachInternetGateway",
            "Gateway.NotAttached",
            "",
            Class::NotFound,
        ),
        (
            "ec2:TerminateInstances",
            "InvalidInstanceID.NotFound",
            "",
            Class::NotFound,
        ),
        ("ec2:CreateVpc", "UnauthorizedOperation", "", Class::Denied),
        (
            "ec2:CreateVpc",
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
            Class::Denied,
        ),
        ("ec2:CreateVpc", "VpcLimitExceeded", "", Class::Quota),
        ("ec2:AllocateAddress", "AddressLimitExceeded", "", Class::Quota),
        ("ec2:CreateSubnet", "InvalidSubnet.Conflict", "", Class::Exists),
        ("ec2:CreateVpc", "InvalidParameterValue", "", Class::Invalid),
        (
            "ec2:CreateFlowLogs",
            "InvalidParameter",
            "Unable to assume given IAM role",
            Class::NotYet,
        ),
        (
            "ec2:RunInstances",
            "InvalidParameterValue",
            "Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
            Class::NotYet,
        ),
        // EKS
        (
            "eks:CreateCluster",
            "ResourceInUseException",
            "Cluster already exists with name: staging",
            Class::Exists,
        ),
        (
            "eks:CreateNodegroup",
            "ResourceInUseException",
            "NodeGroup already exists with name system and cluster name x",
            Class::Exists,
        ),
        (
            "eks:CreateAddon",
            "ResourceInUseException",
            "Addon already exists.",
            Class::Exists,
        ),
        (
            "eks:CreateAccessEntry",
            "ResourceInUseException",
            "The specified access entry resource is already in use on this cluster.",
            Class::Exists,
        ),
        (
            "eks:CreatePodIdentityAssociation",
            "ResourceInUseException",
            "Association already exists: a-9njjin9gfghecgocd",
            Class::Exists,
        ),
        (
            "eks:CreateNodegroup",
            "ResourceInUseException",
            "Cannot create because cluster x currently has update 1 in progress",
            Class::Busy,
        ),
        (
            "eks:UpdateClusterConfig",
            "ResourceInUseException",
            "Cannot EndpointAccessUpdate because cluster x currently has update 408c0738 in progress",
            Class::Busy,
        ),
        (
            "eks:UpdateNodegroupConfig",
            "ResourceInUseException",
            "Nodegroup cannot be updated as it is currently not in Active State",
            Class::Busy,
        ),
        (
            "eks:DeleteCluster",
            "ResourceInUseException",
            "Cluster has nodegroups attached",
            Class::Busy,
        ),
        (
            "eks:CreateAddon",
            "InvalidRequestException",
            "The cluster is not in ACTIVE status",
            Class::Busy,
        ),
        (
            "eks:CreateNodegroup",
            "InvalidRequestException",
            "Cluster 'x' is not in ACTIVE status",
            Class::Busy,
        ),
        (
            "eks:UpdateAddon",
            "InvalidRequestException",
            "Addon is currently updating",
            Class::Busy,
        ),
        (
            "eks:DeleteCluster",
            "InvalidRequestException",
            "Cluster has deletion protection enabled",
            Class::Invalid,
        ),
        (
            "eks:UpdateClusterVersion",
            "InvalidStateException",
            "Upgrade readiness issues detected",
            Class::Invalid,
        ),
        (
            "eks:UpdateClusterVersion",
            "ServiceUnavailableException",
            "Updates in the cell are disabled",
            Class::Transient,
        ),
        (
            "eks:UpdateClusterConfig",
            "InvalidParameterException",
            "Cluster is already at the desired configuration with endpointPublicAccess: true",
            Class::Exists,
        ),
        (
            "eks:AssociateEncryptionConfig",
            "InvalidRequestException",
            "Encryption is already enabled for the cluster",
            Class::Exists,
        ),
        (
            "eks:AssociateEncryptionConfig",
            "ResourceInUseException",
            "Cannot associate: cluster x currently has update 1 in progress",
            Class::Busy,
        ),
        (
            "eks:UpdateClusterVersion",
            "InvalidRequestException",
            "Nodegroups must be updated to match cluster version 1.34 before updating cluster version",
            Class::Invalid,
        ),
        (
            "eks:CreateAddon",
            "ResourceInUseException",
            "Association already exists: a-9njjin9gfghecgocd",
            Class::Invalid,
        ),
        (
            "eks:CreateCluster",
            "InvalidParameterException",
            "Role with arn: arn:aws:iam::1:role/x, could not be assumed because it does not exist or the trusted entity is not correct",
            Class::NotYet,
        ),
        (
            "eks:CreatePodIdentityAssociation",
            "InvalidParameterException",
            "Role provided in the request does not exist.",
            Class::NotYet,
        ),
        (
            "eks:AssociateAccessPolicy",
            "ResourceNotFoundException",
            "The specified principalArn could not be found. You must specify a valid principalArn.",
            Class::NotYet,
        ),
        (
            "eks:CreateAccessEntry",
            "InvalidParameterException",
            "The specified principalArn is invalid: invalid principal.",
            Class::NotYet,
        ),
        (
            "eks:CreateAddon",
            "ResourcePropagationDelayException",
            "",
            Class::NotYet,
        ),
        (
            "eks:CreateAddon",
            "InvalidParameterException",
            "ConfigurationValue provided in request is not supported",
            Class::Invalid,
        ),
        (
            "eks:CreateNodegroup",
            "ResourceLimitExceededException",
            "",
            Class::Quota,
        ),
        (
            "eks:CreateCluster",
            "UnsupportedAvailabilityZoneException",
            "",
            Class::Invalid,
        ),
        // ElastiCache
        (
            "elasticache:ModifyReplicationGroup",
            "InvalidReplicationGroupState",
            "",
            Class::Busy,
        ),
        (
            "elasticache:DeleteReplicationGroup",
            "InvalidReplicationGroupStateFault",
            "",
            Class::Busy,
        ),
        (
            "elasticache:DeleteCacheCluster",
            "InvalidCacheClusterState",
            "",
            Class::Busy,
        ),
        (
            "elasticache:DeleteCacheSubnetGroup",
            "CacheSubnetGroupInUse",
            "",
            Class::Busy,
        ),
        (
            "elasticache:CreateReplicationGroup",
            "ReplicationGroupAlreadyExists",
            "",
            Class::Exists,
        ),
        (
            "elasticache:CreateReplicationGroup",
            "NodeQuotaForCustomerExceeded",
            "",
            Class::Quota,
        ),
        (
            "elasticache:AddTagsToResource",
            "TagQuotaPerResourceExceeded",
            "",
            Class::Quota,
        ),
        (
            "elasticache:CreateReplicationGroup",
            "InvalidVPCNetworkStateFault",
            "",
            Class::Invalid,
        ),
        // MQ
        (
            "mq:CreateBroker",
            "ConflictException",
            "Broker name [x] already exists",
            Class::Exists,
        ),
        ("mq:UpdateBroker", "ConflictException", "", Class::Busy),
        (
            "mq:DeleteBroker",
            "BadRequestException",
            "Can't delete broker [b-1] while in state [CREATION_IN_PROGRESS]",
            Class::Busy,
        ),
        (
            "mq:CreateBroker",
            "BadRequestException",
            "Specify exactly one user",
            Class::Invalid,
        ),
        ("mq:DeleteBroker", "NotFoundException", "", Class::NotFound),
        ("mq:CreateBroker", "ForbiddenException", "", Class::Denied),
        // ACM, Route 53, load balancers
        ("acm:DeleteCertificate", "ResourceInUseException", "", Class::Busy),
        (
            "acm:GetCertificate",
            "RequestInProgressException",
            "",
            Class::Busy,
        ),
        (
            "acm:RequestCertificate",
            "LimitExceededException",
            "",
            Class::Quota,
        ),
        (
            "route53:ChangeResourceRecordSets",
            "InvalidChangeBatch",
            "[Tried to create resource record set [name='_x', type='CNAME'] but it already exists]",
            Class::Exists,
        ),
        (
            "route53:ChangeResourceRecordSets",
            "InvalidChangeBatch",
            "[Tried to delete resource record set [name='x', type='A'] but it was not found]",
            Class::NotFound,
        ),
        (
            "route53:ChangeResourceRecordSets",
            "InvalidChangeBatch",
            "[Tried to delete resource record set [name='x'] but the values provided do not match the current values]",
            Class::NotFound,
        ),
        ("route53:DeleteHostedZone", "HostedZoneNotEmpty", "", Class::Busy),
        ("route53:CreateHostedZone", "TooManyHostedZones", "", Class::Quota),
        (
            "elasticloadbalancing:CreateLoadBalancer",
            "DuplicateLoadBalancerName",
            "",
            Class::Exists,
        ),
        (
            "elasticloadbalancing:CreateRule",
            "PriorityInUse",
            "",
            Class::Exists,
        ),
        (
            "elasticloadbalancing:DeleteTargetGroup",
            "ResourceInUse",
            "",
            Class::Busy,
        ),
        (
            "elasticloadbalancing:DeleteLoadBalancer",
            "OperationNotPermitted",
            "Load balancer 'x' cannot be deleted because deletion protection is enabled",
            Class::Invalid,
        ),
        (
            "elasticloadbalancing:RegisterTargets",
            "TooManyTargets",
            "",
            Class::Quota,
        ),
        ("elasticloadbalancing:AddTags", "TooManyTags", "", Class::Invalid),
        (
            "elasticloadbalancing:CreateListener",
            "CertificateNotFound",
            "",
            Class::NotYet,
        ),
        (
            "elasticloadbalancing:DeregisterTargets",
            "TargetGroupNotFound",
            "",
            Class::NotFound,
        ),
        // SQS, EventBridge
        (
            "sqs:CreateQueue",
            "AWS.SimpleQueueService.QueueDeletedRecently",
            "You must wait 60 seconds",
            Class::Busy,
        ),
        ("sqs:CreateQueue", "QueueAlreadyExists", "", Class::Exists),
        (
            "sqs:GetQueueUrl",
            "AWS.SimpleQueueService.NonExistentQueue",
            "",
            Class::NotFound,
        ),
        ("sqs:DeleteQueue", "QueueDoesNotExist", "", Class::NotFound),
        (
            "sqs:SetQueueAttributes",
            "InvalidAttributeValue",
            "Invalid value for the parameter Policy.",
            Class::NotYet,
        ),
        (
            "events:DeleteRule",
            "ValidationException",
            "Rule can't be deleted since it has targets.",
            Class::Busy,
        ),
        (
            "events:PutRule",
            "ConcurrentModificationException",
            "",
            Class::Busy,
        ),
        (
            "events:DisableRule",
            "ResourceNotFoundException",
            "",
            Class::NotFound,
        ),
        // KMS, S3, DynamoDB
        (
            "kms:ScheduleKeyDeletion",
            "KMSInvalidStateException",
            "arn is pending deletion.",
            Class::NotFound,
        ),
        (
            "kms:ScheduleKeyDeletion",
            "NotFoundException",
            "",
            Class::NotFound,
        ),
        ("kms:CreateAlias", "AlreadyExistsException", "", Class::Exists),
        (
            "kms:PutKeyPolicy",
            "MalformedPolicyDocumentException",
            "Policy contains a statement with one or more invalid principals.",
            Class::NotYet,
        ),
        (
            "kms:EnableKeyRotation",
            "KMSInvalidStateException",
            "arn is pending import",
            Class::Busy,
        ),
        ("s3:CreateBucket", "BucketAlreadyOwnedByYou", "", Class::Exists),
        ("s3:CreateBucket", "OperationAborted", "", Class::Busy),
        ("s3:DeleteBucket", "BucketNotEmpty", "", Class::Invalid),
        (
            "s3:PutBucketPolicy",
            "MalformedPolicy",
            "Invalid principal in policy",
            Class::NotYet,
        ),
        (
            "s3:GetBucketEncryption",
            "ServerSideEncryptionConfigurationNotFoundError",
            "",
            Class::NotFound,
        ),
        ("s3:PutBucketVersioning", "NoSuchBucket", "", Class::NotYet),
        ("s3:PutObject", "SlowDown", "", Class::Throttled),
        (
            "dynamodb:CreateTable",
            "ResourceInUseException",
            "Table already exists: locks",
            Class::Exists,
        ),
        (
            "dynamodb:UpdateTable",
            "ResourceInUseException",
            "Attempt to change a resource which is still in use: Table is being updated",
            Class::Busy,
        ),
        (
            "dynamodb:CreateTable",
            "LimitExceededException",
            "Subscriber limit exceeded: Only 10 tables can be created, updated, or deleted simultaneously",
            Class::Busy,
        ),
        (
            "dynamodb:CreateTable",
            "LimitExceededException",
            "Number of tables exceeds the limit",
            Class::Quota,
        ),
        (
            "dynamodb:DeleteTable",
            "ValidationException",
            "Resource cannot be deleted as it is currently protected against deletion.",
            Class::Invalid,
        ),
        (
            "dynamodb:UpdateTimeToLive",
            "ValidationException",
            "TimeToLive is already enabled",
            Class::Exists,
        ),
        // DLM, Secrets Manager, IAM, logs, STS
        (
            "dlm:CreateLifecyclePolicy",
            "InvalidRequestException",
            "Invalid Role Arn",
            Class::NotYet,
        ),
        (
            "secretsmanager:CreateSecret",
            "ResourceExistsException",
            "",
            Class::Exists,
        ),
        (
            "secretsmanager:CreateSecret",
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
            Class::NotYet,
        ),
        (
            "secretsmanager:DeleteSecret",
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was marked for deletion.",
            Class::NotFound,
        ),
        (
            "secretsmanager:PutResourcePolicy",
            "MalformedPolicyDocumentException",
            "This resource policy contains an unsupported principal.",
            Class::NotYet,
        ),
        (
            "iam:CreateRole",
            "MalformedPolicyDocument",
            "Invalid principal in policy: \"AWS\":\"arn:aws:iam::1:role/x\"",
            Class::NotYet,
        ),
        (
            "iam:PutRolePolicy",
            "MalformedPolicyDocument",
            "Syntax errors in policy.",
            Class::Invalid,
        ),
        (
            "iam:CreateServiceLinkedRole",
            "InvalidInput",
            "Service role name AWSServiceRoleForEC2Spot has been taken in this account",
            Class::Exists,
        ),
        ("iam:DeleteRole", "DeleteConflict", "", Class::Busy),
        ("iam:UpdateRole", "EntityTemporarilyUnmodifiable", "", Class::Busy),
        ("iam:CreateRole", "ConcurrentModification", "", Class::Busy),
        ("iam:GetRole", "NoSuchEntity", "", Class::NotFound),
        ("iam:CreateRole", "EntityAlreadyExists", "", Class::Exists),
        (
            "iam:CreateRole",
            "AccessDenied",
            "not authorized to perform: iam:PassRole on resource x",
            Class::Denied,
        ),
        (
            "logs:CreateLogGroup",
            "ResourceAlreadyExistsException",
            "",
            Class::Exists,
        ),
        (
            "logs:PutRetentionPolicy",
            "OperationAbortedException",
            "A conflicting operation is currently in progress",
            Class::Busy,
        ),
        ("logs:CreateLogGroup", "LimitExceededException", "", Class::Quota),
        ("sts:GetCallerIdentity", "ExpiredToken", "", Class::Denied),
        (
            "sts:AssumeRoleWithWebIdentity",
            "IDPCommunicationError",
            "",
            Class::Transient,
        ),
        (
            "sts:AssumeRole",
            "AccessDenied",
            "User: x is not authorized to perform: sts:AssumeRole",
            Class::Denied,
        ),
    ];

    #[test]
    fn every_answer_has_its_class() {
        let wrong: Vec<_> = ANSWERS
            .iter()
            .filter_map(|(action, code, message, class)| {
                let is = find(action, code, message).map(|row| row.class);
                (is != Some(*class)).then(|| format!("{action} {code} {message:?}: {is:?}, not {class:?}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_row_is_of_a_service_of_the_table_and_its_messages_are_lower_case() {
        for row in ROWS {
            assert!(
                row.service == "*" || crate::services::find(row.service).is_some(),
                "{row:?}"
            );
            assert!(
                row.messages.iter().all(|part| *part == part.to_lowercase()),
                "{row:?}"
            );
        }
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, code) in [
            ("a*c*", "abcd"),
            ("*b*", "abc"),
            ("*", ""),
            ("a*", "a"),
            ("*.InUse", "X.InUse"),
            ("a", "a"),
        ] {
            assert!(matches(pattern, code), "{pattern} {code}");
        }
        for (pattern, code) in [("a*c", "abcd"), ("a", "ab"), ("b*", "ab"), ("a*b*c", "acb")] {
            assert!(!matches(pattern, code), "{pattern} {code}");
        }
    }

    #[test]
    fn what_takes_something_away_and_what_only_reads_is_known_by_its_verb() {
        for action in [
            "kms:ScheduleKeyDeletion",
            "events:RemoveTargets",
            "ec2:TerminateInstances",
            "kms:RetireGrant",
            "iam:UntagRole",
        ] {
            assert!(removes(action) && changes(action), "{action}");
        }
        for action in [
            "acm:SearchCertificates",
            "dynamodb:Query",
            "s3:HeadBucket",
            "ec2:DescribeVpcs",
        ] {
            assert!(!changes(action), "{action}");
        }
    }
}
