//! The provider block: the environment, and the AWS provider's arguments under the AWS provider's names.

use std::collections::{BTreeMap, BTreeSet};

use std::sync::Arc;

use async_trait::async_trait;
use aws::Aws;
use aws::settings::{self, MetadataMode, RetryMode, Settings};
use framework::timeouts::GoDuration;
use framework::{Attr, Configured, Diagnostic, Diagnostics, HostInfo, Model, Offers, Path, Provider};
use reconcile::locks::Locks;

use crate::cluster_access::ClustersByRegion;
use crate::cluster_access::kubeconfig::KubeconfigFunction;
use crate::cluster_access::route::{self, KubernetesBlock};
use crate::cluster_access::token::ClusterTokenResource;
use crate::cluster_access::versions::KubernetesVersionsData;
use crate::network::functions::SubnetsFunction;
use crate::platform::Platform;
use crate::registry;
use crate::release::data::ReleaseData;
use reconcile::resource::GivenTags;
use reconcile::shared_tags::IgnoredTags;

/// The EKB provider declares the EKB platform on AWS: network, cluster, services and data, in about twenty resources.
///
/// Every argument can come from the environment or from AWS's shared files, as with the AWS provider.
#[derive(Model, Debug, Clone)]
pub struct ProviderConfig {
    /// Name of the environment, for example `staging`: prefix of every name, tag on everything. Also from
    /// `EKB_ENVIRONMENT`.
    #[attribute(optional, validate(pattern("^[a-z][a-z0-9-]*[a-z0-9]$"), length(2..=24)))]
    pub environment: Attr<String>,
    /// AWS region. Also from `AWS_REGION`, `AWS_DEFAULT_REGION` or the shared configuration.
    #[attribute(optional)]
    pub region: Attr<String>,
    /// Profile of the shared configuration files. Also from `AWS_PROFILE`.
    #[attribute(optional)]
    pub profile: Attr<String>,
    /// Access key. Also from `AWS_ACCESS_KEY_ID`.
    #[attribute(optional)]
    pub access_key: Attr<String>,
    /// Secret key. Also from `AWS_SECRET_ACCESS_KEY`.
    #[attribute(optional, sensitive)]
    pub secret_key: Attr<String>,
    /// Session token. Also from `AWS_SESSION_TOKEN`.
    #[attribute(optional, sensitive)]
    pub token: Attr<String>,
    /// Shared configuration files. Default: `~/.aws/config`.
    #[attribute(optional)]
    pub shared_config_files: Attr<Vec<String>>,
    /// Shared credentials files. Default: `~/.aws/credentials`.
    #[attribute(optional)]
    pub shared_credentials_files: Attr<Vec<String>>,
    /// Accounts that may be worked in; any other is an error.
    #[attribute(optional, conflicts("forbidden_account_ids"))]
    pub allowed_account_ids: Attr<BTreeSet<String>>,
    /// Accounts that must not be worked in.
    #[attribute(optional)]
    pub forbidden_account_ids: Attr<BTreeSet<String>>,
    /// How often a call is tried at most. Default 25. Also from `AWS_MAX_ATTEMPTS`.
    #[attribute(optional, validate(range(0..=100)))]
    pub max_retries: Attr<i64>,
    /// `standard` or `adaptive`. Also from `AWS_RETRY_MODE`.
    #[attribute(optional, validate(one_of("standard", "adaptive")))]
    pub retry_mode: Attr<String>,
    /// Do not ask STS whether the credentials are good.
    #[attribute(optional)]
    pub skip_credentials_validation: Attr<bool>,
    /// Accept region names that this version does not know.
    #[attribute(optional)]
    pub skip_region_validation: Attr<bool>,
    /// Do not ask for the account's id; what needs it is then unknown.
    #[attribute(optional)]
    pub skip_requesting_account_id: Attr<bool>,
    /// Do not ask the EC2 metadata service for credentials or region.
    #[attribute(optional)]
    pub skip_metadata_api_check: Attr<bool>,
    /// Address of the EC2 metadata service. Also from `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    #[attribute(optional)]
    pub ec2_metadata_service_endpoint: Attr<String>,
    /// `IPv4` or `IPv6`. Also from `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE`.
    #[attribute(optional, validate(one_of("IPv4", "IPv6")))]
    pub ec2_metadata_service_endpoint_mode: Attr<String>,
    /// File with certificates to trust. Also from `AWS_CA_BUNDLE`.
    #[attribute(optional)]
    pub custom_ca_bundle: Attr<String>,
    /// Proxy for HTTP. Also from `HTTP_PROXY`.
    #[attribute(optional)]
    pub http_proxy: Attr<String>,
    /// Proxy for HTTPS. Also from `HTTPS_PROXY`.
    #[attribute(optional)]
    pub https_proxy: Attr<String>,
    /// Hosts reached without a proxy, separated by commas. Also from `NO_PROXY`.
    #[attribute(optional)]
    pub no_proxy: Attr<String>,
    /// Do not verify TLS certificates. For trials only.
    #[attribute(optional)]
    pub insecure: Attr<bool>,
    /// Use FIPS endpoints.
    #[attribute(optional)]
    pub use_fips_endpoint: Attr<bool>,
    /// Use dual-stack endpoints.
    #[attribute(optional)]
    pub use_dualstack_endpoint: Attr<bool>,
    /// Region of STS, where it is not the provider's.
    #[attribute(optional)]
    pub sts_region: Attr<String>,
    /// Address S3 buckets by path.
    #[attribute(optional)]
    pub s3_use_path_style: Attr<bool>,
    /// Roles to assume, one after the other.
    #[block]
    pub assume_role: Vec<AssumeRole>,
    /// Role to assume with a web identity token.
    #[block(max = 1)]
    pub assume_role_with_web_identity: Vec<AssumeRoleWithWebIdentity>,
    /// Tags of everything that the provider makes.
    #[block(max = 1)]
    pub default_tags: Vec<DefaultTags>,
    /// Tags that are left alone.
    #[block(max = 1)]
    pub ignore_tags: Vec<IgnoreTagsBlock>,
    /// Addresses of AWS services, for emulators and private endpoints.
    #[block]
    pub endpoints: BTreeSet<Endpoints>,
    /// Ways to the Kubernetes API of clusters that are not reached directly.
    #[block]
    pub kubernetes: Vec<KubernetesBlock>,
}

/// A role to assume.
#[derive(Model, Debug, Clone)]
pub struct AssumeRole {
    /// ARN of the role.
    #[attribute(required, validate(arn))]
    pub role_arn: Attr<String>,
    /// How long the session lasts, as a Go duration between `15m` and `12h`.
    #[attribute(optional)]
    pub duration: Attr<GoDuration>,
    /// External id that the role's trust policy asks for.
    #[attribute(optional)]
    pub external_id: Attr<String>,
    /// Policy in JSON that narrows the session.
    #[attribute(optional)]
    pub policy: Attr<String>,
    /// ARNs of policies that narrow the session.
    #[attribute(optional)]
    pub policy_arns: Attr<BTreeSet<String>>,
    /// Name of the session.
    #[attribute(optional)]
    pub session_name: Attr<String>,
    /// Source identity.
    #[attribute(optional)]
    pub source_identity: Attr<String>,
    /// Session tags.
    #[attribute(optional)]
    pub tags: Attr<BTreeMap<String, String>>,
    /// Keys of session tags that are passed on to further roles.
    #[attribute(optional)]
    pub transitive_tag_keys: Attr<BTreeSet<String>>,
}

/// A role to assume with a web identity token.
#[derive(Model, Debug, Clone)]
pub struct AssumeRoleWithWebIdentity {
    /// ARN of the role. Also from `AWS_ROLE_ARN`.
    #[attribute(optional, validate(arn))]
    pub role_arn: Attr<String>,
    /// How long the session lasts, as a Go duration between `15m` and `12h`.
    #[attribute(optional)]
    pub duration: Attr<GoDuration>,
    /// Policy in JSON that narrows the session.
    #[attribute(optional)]
    pub policy: Attr<String>,
    /// ARNs of policies that narrow the session.
    #[attribute(optional)]
    pub policy_arns: Attr<BTreeSet<String>>,
    /// Name of the session. Also from `AWS_ROLE_SESSION_NAME`.
    #[attribute(optional)]
    pub session_name: Attr<String>,
    /// The token.
    #[attribute(optional, sensitive, conflicts("web_identity_token_file"))]
    pub web_identity_token: Attr<String>,
    /// File that holds the token. Also from `AWS_WEB_IDENTITY_TOKEN_FILE`.
    #[attribute(optional)]
    pub web_identity_token_file: Attr<String>,
}

/// Tags of everything that the provider makes.
#[derive(Model, Debug, Clone)]
pub struct DefaultTags {
    /// The tags; null ones are left out. Keys that begin with `ekb:` are the provider's own and refused.
    #[attribute(optional)]
    pub tags: Attr<GivenTags>,
}

/// Tags that are left alone.
#[derive(Model, Debug, Clone)]
pub struct IgnoreTagsBlock {
    /// Their keys.
    #[attribute(optional)]
    pub keys: Attr<BTreeSet<String>>,
    /// What their keys begin with.
    #[attribute(optional)]
    pub key_prefixes: Attr<BTreeSet<String>>,
}

/// The block `endpoints`: an argument for each name of `aws::services`.
macro_rules! endpoints {
    ($($name:ident: $says:tt,)+) => {
        /// Addresses of AWS services, by the AWS provider's names of them.
        #[derive(Model, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct Endpoints {
            $(
                #[doc = $says]
                #[attribute(optional)]
                pub $name: Attr<String>,
            )+
        }

        impl Endpoints {
            /// Those that are given, by name.
            fn known(self) -> BTreeMap<String, String> {
                let given = [$((stringify!($name), self.$name.into_known()),)+].into_iter();
                given.filter_map(|(name, url)| Some((name.to_owned(), url?))).collect()
            }

            #[cfg(test)]
            const SAYS: &[(&str, &str)] = &[$((stringify!($name), $says),)+];
        }
    };
}

endpoints! {
    acm: "Address of ACM. Also from `AWS_ENDPOINT_URL_ACM`.",
    cloudwatchevents: "Another name of `events`.",
    cloudwatchlog: "Another name of `logs`.",
    cloudwatchlogs: "Another name of `logs`.",
    dlm: "Address of DLM. Also from `AWS_ENDPOINT_URL_DLM`.",
    dynamodb: "Address of DynamoDB. Also from `AWS_ENDPOINT_URL_DYNAMODB`.",
    ec2: "Address of EC2. Also from `AWS_ENDPOINT_URL_EC2`.",
    eks: "Address of EKS. Also from `AWS_ENDPOINT_URL_EKS`.",
    elasticache: "Address of ElastiCache. Also from `AWS_ENDPOINT_URL_ELASTICACHE`.",
    elasticloadbalancingv2: "Another name of `elbv2`.",
    elbv2: "Address of Elastic Load Balancing. Also from `AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2`.",
    eventbridge: "Another name of `events`.",
    events: "Address of EventBridge. Also from `AWS_ENDPOINT_URL_EVENTBRIDGE`.",
    iam: "Address of IAM. Also from `AWS_ENDPOINT_URL_IAM`.",
    kms: "Address of KMS. Also from `AWS_ENDPOINT_URL_KMS`.",
    logs: "Address of CloudWatch Logs. Also from `AWS_ENDPOINT_URL_CLOUDWATCH_LOGS`.",
    mq: "Address of Amazon MQ. Also from `AWS_ENDPOINT_URL_MQ`.",
    route53: "Address of Route 53. Also from `AWS_ENDPOINT_URL_ROUTE_53`.",
    s3: "Address of S3. Also from `AWS_ENDPOINT_URL_S3`.",
    s3api: "Another name of `s3`.",
    secretsmanager: "Address of Secrets Manager. Also from `AWS_ENDPOINT_URL_SECRETS_MANAGER`.",
    sqs: "Address of SQS. Also from `AWS_ENDPOINT_URL_SQS`.",
    sts: "Address of STS. Also from `AWS_ENDPOINT_URL_STS`.",
}

/// The provider `ekb`.
#[derive(Debug, Default)]
pub struct Ekb;

#[async_trait]
impl Provider for Ekb {
    type Config = ProviderConfig;
    type Context = Platform;

    async fn configure(
        &self,
        config: ProviderConfig,
        host: &HostInfo,
        _warnings: &mut Diagnostics,
    ) -> Result<Configured<Platform>, Diagnostics> {
        let mut wrong = Diagnostics::new();
        for tags in &config.default_tags {
            let keys = tags.tags.known().into_iter().flat_map(BTreeMap::keys);
            refuse_own(keys, "default_tags", &mut wrong);
        }
        for tags in &config.ignore_tags {
            let keys = tags
                .keys
                .known()
                .into_iter()
                .flatten()
                .chain(tags.key_prefixes.known().into_iter().flatten());
            refuse_own(keys, "ignore_tags", &mut wrong);
        }
        two_names(&config.endpoints, &mut wrong);
        route::check(&config.kubernetes, &mut wrong);
        wrong.into_result()?;
        let unknown = [
            &config.environment,
            &config.region,
            &config.profile,
            &config.access_key,
            &config.secret_key,
            &config.token,
        ];
        let ignored_unknown =
            |block: &IgnoreTagsBlock| block.keys.is_unknown() || block.key_prefixes.is_unknown();
        let blocks_unknown = config.ignore_tags.iter().any(ignored_unknown)
            || config.assume_role.iter().any(|role| role.role_arn.is_unknown())
            || config.kubernetes.iter().any(KubernetesBlock::is_unknown);
        if blocks_unknown || unknown.iter().any(|argument| argument.is_unknown()) {
            return Ok(Configured::Unknown);
        }
        let from_environment = || {
            std::env::var("EKB_ENVIRONMENT")
                .ok()
                .filter(|text| !text.is_empty())
        };
        let environment = config.environment.known().cloned().or_else(from_environment);
        // Unknown ones make tags unknown, and nothing else.
        let default_tags = config
            .default_tags
            .first()
            .map_or(Attr::Null, |block| block.tags.clone());
        let list = |keys: &Attr<BTreeSet<String>>| keys.known().into_iter().flatten().cloned().collect();
        let ignored_tags = config.ignore_tags.first().map(|block| IgnoredTags {
            keys: list(&block.keys),
            prefixes: list(&block.key_prefixes),
        });
        let clusters = ClustersByRegion::reached(config.kubernetes.clone());
        let settings = settings(config, host);
        Ok(Configured::Ready(Arc::new(Platform {
            environment,
            default_tags,
            ignored_tags: ignored_tags.unwrap_or_default(),
            locks: Locks::default(),
            clusters,
            aws: Aws::new(settings),
        })))
    }

    fn offers(&self) -> Offers<Platform> {
        registry::offers()
            .function(SubnetsFunction)
            .function(KubeconfigFunction)
            .ephemeral_resource(ClusterTokenResource)
            .data_source(KubernetesVersionsData)
            .data_source(ReleaseData)
    }
}

/// Refuses the tags that say whose things are.
fn refuse_own<'a>(keys: impl Iterator<Item = &'a String>, block: &'static str, out: &mut Diagnostics) {
    for key in keys.filter(|key| key.starts_with("ekb:")) {
        let text = format!("Tags that begin with `ekb:` are the provider's own: {key}.");
        out.push(
            Diagnostic::error("EKB2001", "Reserved tag", text)
                .hint(format!("Take it out of `{block}`."))
                .at(Path::from(block)),
        );
    }
}

/// Refuses two addresses of one service, under two of its names.
fn two_names(blocks: &BTreeSet<Endpoints>, out: &mut Diagnostics) {
    let given: BTreeMap<_, _> = blocks.iter().cloned().flat_map(Endpoints::known).collect();
    for service in aws::services::SERVICES {
        let urls = service
            .endpoints
            .iter()
            .filter_map(|name| Some((*name, given.get(*name)?)));
        let urls: Vec<_> = urls.filter(|(_, url)| !url.is_empty()).collect();
        if let [(first, url), (second, other), ..] = urls[..]
            && url != other
        {
            let text = format!(
                "`{first}` and `{second}` are names of one service, {}, with two addresses.",
                service.title
            );
            out.push(
                Diagnostic::error("EKB2060", "Two addresses of one service", text)
                    .hint(format!("Leave one of them, best `{}`.", service.endpoints[0]))
                    .at(Path::from("endpoints")),
            );
        }
    }
}

/// The block's arguments as plain data.
fn settings(config: ProviderConfig, host: &HostInfo) -> Settings {
    let yes = |argument: &Attr<bool>| argument.known().copied().unwrap_or(false);
    let list = |argument: Attr<Vec<String>>| argument.into_known().unwrap_or_default();
    let set = |argument: Attr<BTreeSet<String>>| -> Vec<String> {
        argument.into_known().unwrap_or_default().into_iter().collect()
    };
    let map = |argument: Attr<BTreeMap<String, String>>| argument.into_known().unwrap_or_default();
    let secret = |argument: Attr<String>| argument.into_known().map(settings::Secret::from);
    let duration = |argument: &Attr<GoDuration>| argument.known().map(GoDuration::duration);

    Settings {
        region: config.region.into_known(),
        profile: config.profile.into_known(),
        access_key: secret(config.access_key),
        secret_key: secret(config.secret_key),
        token: secret(config.token),
        shared_config_files: list(config.shared_config_files),
        shared_credentials_files: list(config.shared_credentials_files),
        assume_role: config
            .assume_role
            .into_iter()
            .map(|role| settings::AssumeRole {
                duration: duration(&role.duration),
                role_arn: role.role_arn.into_known().unwrap_or_default(),
                external_id: role.external_id.into_known(),
                policy: role.policy.into_known(),
                policy_arns: set(role.policy_arns),
                session_name: role.session_name.into_known(),
                source_identity: role.source_identity.into_known(),
                tags: map(role.tags),
                transitive_tag_keys: set(role.transitive_tag_keys),
            })
            .collect(),
        assume_role_with_web_identity: config
            .assume_role_with_web_identity
            .into_iter()
            .next()
            .map(|role| settings::AssumeRoleWithWebIdentity {
                duration: duration(&role.duration),
                role_arn: role.role_arn.into_known().unwrap_or_default(),
                policy: role.policy.into_known(),
                policy_arns: set(role.policy_arns),
                session_name: role.session_name.into_known(),
                web_identity_token: secret(role.web_identity_token),
                web_identity_token_file: role.web_identity_token_file.into_known(),
            }),
        allowed_account_ids: set(config.allowed_account_ids),
        forbidden_account_ids: set(config.forbidden_account_ids),
        endpoints: config.endpoints.into_iter().flat_map(Endpoints::known).collect(),
        max_retries: config
            .max_retries
            .into_known()
            .and_then(|n| u32::try_from(n).ok()),
        retry_mode: config.retry_mode.known().map(|mode| match mode.as_str() {
            "standard" => RetryMode::Standard,
            _ => RetryMode::Adaptive,
        }),
        skip_credentials_validation: yes(&config.skip_credentials_validation),
        skip_region_validation: yes(&config.skip_region_validation),
        skip_requesting_account_id: yes(&config.skip_requesting_account_id),
        skip_metadata_api_check: yes(&config.skip_metadata_api_check),
        ec2_metadata_service_endpoint: config.ec2_metadata_service_endpoint.into_known(),
        ec2_metadata_service_endpoint_mode: config.ec2_metadata_service_endpoint_mode.known().map(|mode| {
            if mode == "IPv6" {
                MetadataMode::Ipv6
            } else {
                MetadataMode::Ipv4
            }
        }),
        custom_ca_bundle: config.custom_ca_bundle.into_known(),
        http_proxy: secret(config.http_proxy),
        https_proxy: secret(config.https_proxy),
        no_proxy: config.no_proxy.into_known(),
        insecure: yes(&config.insecure),
        use_fips_endpoint: yes(&config.use_fips_endpoint),
        use_dualstack_endpoint: yes(&config.use_dualstack_endpoint),
        sts_region: config.sts_region.into_known(),
        s3_use_path_style: yes(&config.s3_use_path_style),
        terraform_version: Some(host.terraform_version.clone()).filter(|version| !version.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_has_every_name_of_the_table_of_services() {
        let mut expected = Vec::new();
        for service in aws::services::SERVICES {
            for (index, name) in service.endpoints.iter().enumerate() {
                let says = match index {
                    0 => format!(
                        "Address of {}. Also from `AWS_ENDPOINT_URL_{}`.",
                        service.title, service.variable
                    ),
                    _ => format!("Another name of `{}`.", service.endpoints[0]),
                };
                expected.push((*name, says));
            }
        }
        expected.sort();
        let has: Vec<_> = Endpoints::SAYS
            .iter()
            .map(|(name, says)| (*name, (*says).to_owned()))
            .collect();
        assert_eq!(has, expected);
    }

    #[test]
    fn two_addresses_under_two_names_of_a_service_are_refused() {
        let none = || Endpoints {
            acm: Attr::Null,
            cloudwatchevents: Attr::Null,
            cloudwatchlog: Attr::Null,
            cloudwatchlogs: Attr::Null,
            dlm: Attr::Null,
            dynamodb: Attr::Null,
            ec2: Attr::Null,
            eks: Attr::Null,
            elasticache: Attr::Null,
            elasticloadbalancingv2: Attr::Null,
            elbv2: Attr::Null,
            eventbridge: Attr::Null,
            events: Attr::Null,
            iam: Attr::Null,
            kms: Attr::Null,
            logs: Attr::Null,
            mq: Attr::Null,
            route53: Attr::Null,
            s3: Attr::Null,
            s3api: Attr::Null,
            secretsmanager: Attr::Null,
            sqs: Attr::Null,
            sts: Attr::Null,
        };
        let refused = |block: Endpoints| {
            let mut wrong = Diagnostics::new();
            two_names(&BTreeSet::from([block]), &mut wrong);
            wrong.into_result().is_err()
        };
        let at = |url: &str| Attr::Known(url.to_owned());
        assert!(!refused(none()));
        assert!(!refused(Endpoints {
            logs: at("http://a"),
            cloudwatchlogs: at("http://a"),
            ..none()
        }));
        assert!(refused(Endpoints {
            logs: at("http://a"),
            cloudwatchlogs: at("http://b"),
            ..none()
        }));
    }
}
