//! The services of AWS that the provider calls or will call, as one table.
//!
//! A service more is a row here, a line in [`crate::client`] with its SDK crate, its endpoint's names in the provider block
//! (`resources`, a test compares), and rows in [`crate::errors`] where it says the usual things in words of its own.

/// Whose calls are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Each region's.
    Region,
    /// The whole account's: there is one endpoint in the partition.
    Account,
}

/// A service of AWS.
#[derive(Debug)]
pub struct Service {
    /// Its name in IAM actions: `eks`.
    pub name: &'static str,
    /// What users call it.
    pub title: &'static str,
    /// Its names in `endpoints` of the provider block, as in the AWS provider; the first is the usual one.
    pub endpoints: &'static [&'static str],
    /// What follows `AWS_ENDPOINT_URL_`: its SDK id in capitals (AWS SDKs and tools reference guide, "Service-specific
    /// endpoints").
    pub variable: &'static str,
    /// Whose calls are counted together.
    pub scope: Scope,
    /// Calls a second that AWS allows in the long run, of reading and changing operations: where the limiter begins after
    /// a throttled call.
    pub rates: [f64; 2],
}

const fn service(
    name: &'static str,
    title: &'static str,
    endpoints: &'static [&'static str],
    variable: &'static str,
    scope: Scope,
    rates: [f64; 2],
) -> Service {
    Service {
        name,
        title,
        endpoints,
        variable,
        scope,
        rates,
    }
}

/// What is assumed where AWS documents no rate.
const USUAL: [f64; 2] = [20.0, 10.0];

/// All of them, by name.
pub const SERVICES: &[Service] = &[
    // ACM quotas: 10 DescribeCertificate, 5 RequestCertificate a second.
    service("acm", "ACM", &["acm"], "ACM", Scope::Region, [10.0, 5.0]),
    service("dlm", "DLM", &["dlm"], "DLM", Scope::Region, USUAL),
    service(
        "dynamodb",
        "DynamoDB",
        &["dynamodb"],
        "DYNAMODB",
        Scope::Region,
        [20.0, 10.0],
    ),
    // EC2 developer guide, "Request throttling": buckets refill at 20 and 5 a second.
    service("ec2", "EC2", &["ec2"], "EC2", Scope::Region, [20.0, 5.0]),
    service("eks", "EKS", &["eks"], "EKS", Scope::Region, USUAL),
    service(
        "elasticache",
        "ElastiCache",
        &["elasticache"],
        "ELASTICACHE",
        Scope::Region,
        USUAL,
    ),
    // Elastic Load Balancing API reference, "Throttling": 40 and 20 a second, mutating ones 3.
    service(
        "elasticloadbalancing",
        "Elastic Load Balancing",
        &["elbv2", "elasticloadbalancingv2"],
        "ELASTIC_LOAD_BALANCING_V2",
        Scope::Region,
        [20.0, 3.0],
    ),
    // EventBridge quotas: 50 PutRule and PutTargets a second.
    service(
        "events",
        "EventBridge",
        &["events", "eventbridge", "cloudwatchevents"],
        "EVENTBRIDGE",
        Scope::Region,
        [50.0, 50.0],
    ),
    service("iam", "IAM", &["iam"], "IAM", Scope::Account, [20.0, 10.0]),
    // KMS quotas: 5 CreateKey, CreateAlias, ScheduleKeyDeletion a second.
    service("kms", "KMS", &["kms"], "KMS", Scope::Region, [20.0, 5.0]),
    // CloudWatch Logs quotas: 10 DescribeLogGroups, CreateLogGroup, DeleteLogGroup a second.
    service(
        "logs",
        "CloudWatch Logs",
        &["logs", "cloudwatchlogs", "cloudwatchlog"],
        "CLOUDWATCH_LOGS",
        Scope::Region,
        [10.0, 10.0],
    ),
    service("mq", "Amazon MQ", &["mq"], "MQ", Scope::Region, USUAL),
    // Route 53 developer guide, "Quotas": five requests a second and account, of all operations together.
    service(
        "route53",
        "Route 53",
        &["route53"],
        "ROUTE_53",
        Scope::Account,
        [5.0, 5.0],
    ),
    service("s3", "S3", &["s3", "s3api"], "S3", Scope::Region, [100.0, 50.0]),
    // Secrets Manager quotas: 40 and more a second.
    service(
        "secretsmanager",
        "Secrets Manager",
        &["secretsmanager"],
        "SECRETS_MANAGER",
        Scope::Region,
        [40.0, 40.0],
    ),
    service("sqs", "SQS", &["sqs"], "SQS", Scope::Region, USUAL),
    service("sts", "STS", &["sts"], "STS", Scope::Region, [100.0, 100.0]),
];

/// The service of that name (`eks`), or of an action of it (`eks:CreateCluster`).
pub fn find(action: &str) -> Option<&'static Service> {
    let name = action.split(':').next().unwrap_or(action);
    SERVICES.iter().find(|service| service.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sorted() {
        assert!(SERVICES.windows(2).all(|pair| pair[0].name < pair[1].name));
        let mut names: Vec<_> = SERVICES.iter().flat_map(|service| service.endpoints).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(
            find("events:PutRule").map(|service| service.variable),
            Some("EVENTBRIDGE")
        );
    }
}
