//! From what AWS (or the way to it) answered to a failure that the engine can act on and a user can read.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use reconcile::failure::{Class, Failure};

use crate::errors;
use crate::http::variable;
use crate::settings::Settings;

/// Our stable codes of AWS failures.
pub mod codes {
    /// No credentials found.
    pub const NO_CREDENTIALS: &str = "EKB1101";
    /// Credentials have expired.
    pub const EXPIRED: &str = "EKB1102";
    /// Credentials are not accepted.
    pub const NOT_ACCEPTED: &str = "EKB1103";
    /// The account is not one that the provider block allows.
    pub const ACCOUNT: &str = "EKB1104";
    /// No region, or none that exists.
    pub const REGION: &str = "EKB1105";
    /// The endpoint cannot be reached.
    pub const UNREACHABLE: &str = "EKB1106";
    /// A provider argument cannot be used.
    pub const SETTINGS: &str = "EKB1107";
    /// IAM denies the action.
    pub const DENIED: &str = "EKB1108";
    /// A role of the provider block cannot be assumed.
    pub const ASSUME_ROLE: &str = "EKB1109";
    /// Turned away for the rate of calls.
    pub const THROTTLED: &str = "EKB1110";
    /// The service is unavailable.
    pub const UNAVAILABLE: &str = "EKB1111";
    /// No answer: perhaps applied.
    pub const NO_ANSWER: &str = "EKB1112";
    /// In use, or another operation is in progress.
    pub const BUSY: &str = "EKB1113";
    /// What the call refers to is not visible yet.
    pub const NOT_YET: &str = "EKB1114";
    /// Not there.
    pub const NOT_FOUND: &str = "EKB1115";
    /// A quota of the account.
    pub const QUOTA: &str = "EKB1116";
    /// Something of that name or address exists already.
    pub const EXISTS: &str = "EKB1117";
    /// AWS refuses the request as it stands.
    pub const INVALID: &str = "EKB1118";
    /// Everything else.
    pub const OTHER: &str = "EKB1119";
    /// The region has to be enabled for the account.
    pub const OPT_IN: &str = "EKB1120";
    /// Network interfaces keep a subnet or security group in use.
    pub const HELD: &str = "EKB1121";
    /// AWS says that the object is not well.
    pub const UNWELL: &str = "EKB1122";
    /// EKS's insights stand against another version.
    pub const READINESS: &str = "EKB2223";
}
use codes::*;

/// How far a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// Not to AWS.
    Nothing,
    /// Perhaps to AWS; no answer.
    Perhaps,
    /// AWS answered.
    Answer,
}

/// What is known of a failed call.
#[derive(Debug)]
struct Facts<'a> {
    /// `service:Operation`, which is also the IAM action.
    action: &'a str,
    reached: Reached,
    /// AWS's code, for example `DependencyViolation`.
    code: &'a str,
    message: &'a str,
    /// HTTP status; 0 without an answer.
    status: u16,
}

fn classify(facts: &Facts<'_>) -> (Class, &'static str, &'static str) {
    let changes = errors::changes(facts.action);
    let (class, code) = match facts.reached {
        Reached::Nothing => (Class::Transient, UNREACHABLE),
        // A look that got no answer changed nothing.
        Reached::Perhaps if !changes => (Class::Transient, NO_ANSWER),
        Reached::Perhaps => (Class::Unknown, NO_ANSWER),
        Reached::Answer => match errors::find(facts.action, facts.code, facts.message) {
            Some(row) => return (row.class, row.code, row.hint),
            None => match facts.status {
                429 => (Class::Throttled, THROTTLED),
                503 => (Class::Transient, UNAVAILABLE),
                // An internal error or a gateway's time-out says nothing of what was done.
                500.. if changes => (Class::Unknown, NO_ANSWER),
                500.. => (Class::Transient, UNAVAILABLE),
                // Answers to HEAD have no body, so no code.
                404 if !changes => (Class::NotFound, NOT_FOUND),
                401 | 403 => (Class::Denied, DENIED),
                _ => (Class::Other, OTHER),
            },
        },
    };
    (class, code, "")
}

/// The quotas a network meets: AWS's error code, the quota's name and its code in Service Quotas.
const QUOTAS: &[(&str, &str, &str)] = &[
    ("VpcLimitExceeded", "VPCs per Region", "vpc/L-F678F1CE"),
    ("SubnetLimitExceeded", "Subnets per VPC", "vpc/L-407747CB"),
    (
        "InternetGatewayLimitExceeded",
        "Internet gateways per Region",
        "vpc/L-A4707A72",
    ),
    (
        "NatGatewayLimitExceeded",
        "NAT gateways per Availability Zone",
        "vpc/L-FE5A380F",
    ),
    ("AddressLimitExceeded", "EC2-VPC Elastic IPs", "ec2/L-0263D0A3"),
    (
        "RouteTableLimitExceeded",
        "Route tables per VPC",
        "vpc/L-589F43AA",
    ),
    ("RouteLimitExceeded", "Routes per route table", "vpc/L-93826ACB"),
    (
        "SecurityGroupLimitExceeded",
        "VPC security groups per Region",
        "vpc/L-E79EC296",
    ),
    (
        "RulesPerSecurityGroupLimitExceeded",
        "Inbound or outbound rules per security group",
        "vpc/L-0EA8095F",
    ),
    (
        "VpcEndpointLimitExceeded",
        "Interface VPC endpoints per VPC or Gateway VPC endpoints per Region",
        "vpc",
    ),
];

/// What the user can do: `more`, what the row says, or what helps against all failures of the code.
fn hint(code: &'static str, more: &str, facts: &Facts<'_>) -> String {
    let action = facts.action;
    match code {
        _ if !more.is_empty() => more.to_owned(),
        EXPIRED => "Renew the credentials (aws sso login, a new session token, or a new CI token) and run again".into(),
        NOT_ACCEPTED => "Check the access key, secret key and session token of the provider block, of AWS_ACCESS_KEY_ID \
                         and AWS_SECRET_ACCESS_KEY, or of the profile, and this machine's clock"
            .into(),
        OPT_IN => "Enable the region for the account (AWS console, Account, AWS Regions) or choose another one".into(),
        DENIED => format!("Allow {action} to the identity that runs this, also in permissions boundaries and organisation policies"),
        UNREACHABLE => "Check the network, the proxy settings, and the endpoints argument or AWS_ENDPOINT_URL".into(),
        EXISTS => "Remove or rename what is there, or import it where it should belong to this resource".into(),
        QUOTA => match QUOTAS.iter().find(|(error, ..)| *error == facts.code) {
            Some((_, name, quota)) => format!(
                "Raise the quota \"{name}\" in Service Quotas (https://console.aws.amazon.com/servicequotas/home/services/{}) or remove what is unused",
                quota.replacen('/', "/quotas/", 1)
            ),
            None => "Raise the quota in Service Quotas (https://console.aws.amazon.com/servicequotas) or remove what is unused".into(),
        },
        THROTTLED => "The account's rate of calls is used up, perhaps by other programs: run again later".into(),
        _ => String::new(),
    }
}

/// The failure of an SDK call. Secrets of the settings are cut out of the text, whatever else put them there.
pub(crate) fn of<E>(
    error: &SdkError<E, HttpResponse>,
    action: &str,
    doing: &str,
    settings: &Settings,
) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if let Some(credentials) = source::<CredentialsError>(error) {
        return scrub(of_credentials(credentials, doing, settings), settings.secrets());
    }
    let (metadata, status) = match error {
        SdkError::ServiceError(service) => (Some(service.err().meta()), service.raw().status().as_u16()),
        SdkError::ResponseError(response) => (None, response.raw().status().as_u16()),
        _ => (None, 0),
    };
    let reached = match error {
        SdkError::ServiceError(_) => Reached::Answer,
        // A 5xx whose body is no AWS answer (a gateway's page) and a 2xx cut short.
        SdkError::ResponseError(_) if status >= 400 => Reached::Answer,
        SdkError::ResponseError(_) | SdkError::TimeoutError(_) => Reached::Perhaps,
        SdkError::ConstructionFailure(_) => Reached::Nothing,
        _ if never_connected(error) => Reached::Nothing,
        _ => Reached::Perhaps,
    };
    let text;
    let message = match metadata.and_then(|metadata| metadata.message()) {
        Some(message) => message,
        None => {
            text = innermost(error);
            &text
        }
    };
    // EC2 adds an encoded text of hundreds of characters.
    let message = message
        .split(" Encoded authorization failure message")
        .next()
        .unwrap_or(message);
    let facts = Facts {
        action,
        reached,
        code: metadata.and_then(|metadata| metadata.code()).unwrap_or_default(),
        message,
        status,
    };
    let (class, code, more) = match error {
        // The SDK refused to build the request: nothing to wait for.
        SdkError::ConstructionFailure(_) => (Class::Invalid, INVALID, ""),
        _ => classify(&facts),
    };
    let cause = match facts.code {
        "" if code == UNREACHABLE => format!(
            "cannot reach {}: {message}",
            action.split(':').next().unwrap_or(action)
        ),
        "" => message.to_owned(),
        code => format!("{code}: {message}"),
    };
    let mut failure = Failure::new(class, doing, cause)
        .code(code)
        .hint(hint(code, more, &facts));
    let request_id = error
        .request_id()
        .or_else(|| metadata.and_then(RequestId::request_id));
    failure.request_id = request_id.map(str::to_owned);
    scrub(failure, settings.secrets())
}

/// AWS's code of a failed call, for the few places where one code means something of its own.
pub(crate) fn aws_code(failure: &Failure) -> &str {
    failure.cause.split(':').next().unwrap_or_default()
}

/// The failure of one item of a call that answers item by item.
pub(crate) fn of_item(action: &str, doing: &str, code: &str, message: &str) -> Failure {
    let facts = Facts {
        action,
        reached: Reached::Answer,
        code,
        message,
        status: 400,
    };
    let (class, ours, more) = classify(&facts);
    Failure::new(class, doing, format!("{code}: {message}"))
        .code(ours)
        .hint(hint(ours, more, &facts))
}

/// The failure of whoever asks for credentials alone.
pub(crate) fn without_credentials(error: &CredentialsError, doing: &str, settings: &Settings) -> Failure {
    scrub(of_credentials(error, doing, settings), settings.secrets())
}

/// A failure while credentials were looked for.
fn of_credentials(error: &CredentialsError, doing: &str, settings: &Settings) -> Failure {
    // A role of the provider block brings its own failure along.
    if let Some(failure) = source::<Failure>(error) {
        return failure.clone();
    }
    let cause = innermost(error);
    match error {
        CredentialsError::CredentialsNotLoaded(_) => Failure::new(Class::Denied, doing, none_found(settings))
            .code(NO_CREDENTIALS)
            .hint(
                "Set AWS_PROFILE or profile (and run aws sso login where it uses SSO), AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY, or run where a role is attached",
            ),
        CredentialsError::InvalidConfiguration(_) => Failure::new(Class::Denied, doing, cause)
            .code(NO_CREDENTIALS)
            .hint("Check the profile's name and the shared config and credentials files"),
        _ if cause.to_lowercase().contains("expired") => Failure::new(Class::Denied, doing, cause)
            .code(EXPIRED)
            .hint("Renew the credentials, for example by aws sso login, and run again"),
        _ => Failure::new(Class::Denied, doing, cause)
            .code(NO_CREDENTIALS)
            .hint("The credentials' source was found but gave none: check the profile, its credential_process or its role"),
    }
}

fn none_found(settings: &Settings) -> String {
    match settings.profile.clone().or_else(|| variable("AWS_PROFILE")) {
        Some(profile) => format!("no AWS credentials found; the profile is \"{profile}\""),
        None => "no AWS credentials found".to_owned(),
    }
}

fn scrub<'s>(mut failure: Failure, secrets: impl Iterator<Item = &'s str>) -> Failure {
    for secret in secrets {
        if failure.cause.contains(secret) {
            failure.cause = failure.cause.replace(secret, "(sensitive)");
        }
    }
    failure
}

/// Whether no connection came about: nothing can have been applied.
pub(crate) fn never_connected(error: &(dyn Error + 'static)) -> bool {
    source::<hyper_util::client::legacy::Error>(error)
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
}

/// The first error of that type in the chain of causes.
fn source<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    chain(error).find_map(<dyn Error>::downcast_ref)
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

/// The text at the end of the chain of causes: the outer ones say only that something failed.
fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts<'a>(action: &'a str, code: &'a str, message: &'a str, status: u16) -> Facts<'a> {
        Facts {
            action,
            reached: Reached::Answer,
            code,
            message,
            status,
        }
    }

    #[test]
    fn an_answer_without_a_known_code_is_judged_by_its_status() {
        for (action, status, class) in [
            ("ec2:CreateVpc", 500, Class::Unknown),
            ("ec2:CreateVpc", 502, Class::Unknown),
            ("ec2:DescribeVpcs", 500, Class::Transient),
            ("ec2:CreateVpc", 503, Class::Transient),
            ("ec2:CreateVpc", 429, Class::Throttled),
            ("s3:HeadBucket", 404, Class::NotFound),
            ("s3:HeadBucket", 403, Class::Denied),
            ("ec2:CreateVpc", 400, Class::Other),
        ] {
            assert_eq!(
                classify(&facts(action, "SomethingNew", "", status)).0,
                class,
                "{action} {status}"
            );
        }
    }

    #[test]
    fn a_call_without_an_answer_is_unknown_only_where_it_changes_something() {
        let without = |action, reached| {
            classify(&Facts {
                action,
                reached,
                code: "",
                message: "",
                status: 0,
            })
            .0
        };
        assert_eq!(without("ec2:CreateVpc", Reached::Perhaps), Class::Unknown);
        assert_eq!(without("ec2:DescribeVpcs", Reached::Perhaps), Class::Transient);
        assert_eq!(without("ec2:CreateVpc", Reached::Nothing), Class::Transient);
    }

    #[test]
    fn a_denied_call_names_the_action_and_a_quota_where_to_raise_it() {
        assert!(
            hint(
                DENIED,
                "",
                &facts("ec2:CreateVpc", "UnauthorizedOperation", "", 403)
            )
            .contains("Allow ec2:CreateVpc")
        );
        let quota = hint(
            QUOTA,
            "",
            &facts("ec2:AllocateAddress", "AddressLimitExceeded", "", 400),
        );
        assert!(quota.contains("EC2-VPC Elastic IPs"), "{quota}");
        assert!(quota.contains("services/ec2/quotas/L-0263D0A3"), "{quota}");
    }

    #[test]
    fn a_row_says_what_to_do_where_it_knows_more() {
        let failure = of_item(
            "s3:DeleteBucket",
            "deleting bucket x",
            "BucketNotEmpty",
            "The bucket is not empty",
        );
        assert!(failure.hint.contains("objects"), "{failure}");
    }

    #[test]
    fn secrets_are_cut_out_of_other_peoples_messages() {
        let failure = scrub(
            Failure::new(Class::Other, "looking", "bad proxy http://u:hunter2@p"),
            ["hunter2"].into_iter(),
        );
        assert_eq!(failure.cause, "bad proxy http://u:(sensitive)@p");
    }
}
