//! Where credentials come from: the provider block, the environment, shared files, web identity, the machine; then the
//! roles that are assumed with them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use reconcile::failure::{Class, Failure};

use crate::failure::{self, codes};
use crate::http::variable;
use crate::settings::{AssumeRole, AssumeRoleWithWebIdentity, MetadataMode, Settings};

const SESSION: &str = "terraform-provider-ekb";

/// The shared files that the settings name, or none to use the usual ones.
pub(crate) fn profile_files(settings: &Settings) -> Option<EnvConfigFiles> {
    if settings.shared_config_files.is_empty() && settings.shared_credentials_files.is_empty() {
        return None;
    }
    let mut files = EnvConfigFiles::builder();
    // A list that is not given keeps its usual file.
    if settings.shared_config_files.is_empty() {
        files = files.include_default_config_file(true);
    }
    if settings.shared_credentials_files.is_empty() {
        files = files.include_default_credentials_file(true);
    }
    for file in &settings.shared_config_files {
        files = files.with_file(EnvConfigFileKind::Config, file);
    }
    for file in &settings.shared_credentials_files {
        files = files.with_file(EnvConfigFileKind::Credentials, file);
    }
    Some(files.build())
}

/// The EC2 metadata service, or none where it is not to be asked.
pub(crate) fn metadata_service(
    settings: &Settings,
    config: &ProviderConfig,
) -> Result<Option<imds::Client>, Failure> {
    if settings.skip_metadata_api_check {
        return Ok(None);
    }
    // Off EC2 nobody answers at that address: missing credentials shall be told in seconds.
    let mut client = imds::Client::builder()
        .configure(config)
        .max_attempts(2)
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(2));
    if let Some(endpoint) = &settings.ec2_metadata_service_endpoint {
        client = client.endpoint(endpoint).map_err(|error| {
            Failure::new(
                Class::Invalid,
                "reading the provider's argument ec2_metadata_service_endpoint",
                error.to_string(),
            )
            .code(codes::SETTINGS)
        })?;
    }
    if let Some(mode) = settings.ec2_metadata_service_endpoint_mode {
        client = client.endpoint_mode(match mode {
            MetadataMode::Ipv4 => imds::client::EndpointMode::IpV4,
            MetadataMode::Ipv6 => imds::client::EndpointMode::IpV6,
        });
    }
    Ok(Some(client.build()))
}

/// The credentials that roles are assumed with, or that are used as they are.
pub(crate) fn base(
    settings: &Settings,
    config: &ProviderConfig,
    metadata: Option<imds::Client>,
) -> Result<SharedCredentialsProvider, Failure> {
    match (&settings.access_key, &settings.secret_key) {
        (Some(key), Some(secret)) => {
            let token = settings.token.as_ref().map(|token| token.reveal().to_owned());
            let credentials = Credentials::new(key.reveal(), secret.reveal(), token, None, "provider block");
            return Ok(SharedCredentialsProvider::new(credentials));
        }
        (None, None) => {}
        _ => {
            return Err(Failure::new(
                Class::Invalid,
                "reading the provider's credentials",
                "access_key and secret_key belong together, one of them is missing",
            )
            .code(codes::SETTINGS));
        }
    }
    let mut profile = ProfileFileCredentialsProvider::builder().configure(config);
    if let Some(name) = &settings.profile {
        profile = profile.profile_name(name);
    }
    if let Some(files) = profile_files(settings) {
        profile = profile.profile_files(files);
    }
    let profile = profile.build();
    if settings.profile.is_some() {
        // An explicit profile goes before whatever the environment holds, as in the AWS provider.
        return Ok(SharedCredentialsProvider::new(profile));
    }
    let chain =
        CredentialsProviderChain::first_try("environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("shared files", profile)
            .or_else(
                "web identity",
                WebIdentityTokenCredentialsProvider::builder()
                    .configure(config)
                    .build(),
            )
            .or_else(
                "container",
                EcsCredentialsProvider::builder().configure(config).build(),
            );
    Ok(SharedCredentialsProvider::new(match metadata {
        Some(client) => chain.or_else(
            "EC2 metadata service",
            ImdsCredentialsProvider::builder()
                .configure(config)
                .imds_client(client)
                .build(),
        ),
        None => chain,
    }))
}

/// Which role is assumed, and how.
enum Role {
    Chained(AssumeRole),
    Web(AssumeRoleWithWebIdentity),
}

/// Credentials of an assumed role. The SDK's own provider knows neither source identity nor transitive tags.
pub(crate) struct RoleCredentials {
    sts: aws_sdk_sts::Client,
    role: Role,
    settings: Arc<Settings>,
}

impl RoleCredentials {
    pub(crate) fn chained(sts: aws_sdk_sts::Client, role: AssumeRole, settings: Arc<Settings>) -> Self {
        Self {
            sts,
            role: Role::Chained(role),
            settings,
        }
    }

    pub(crate) fn web(
        sts: aws_sdk_sts::Client,
        role: AssumeRoleWithWebIdentity,
        settings: Arc<Settings>,
    ) -> Self {
        Self {
            sts,
            role: Role::Web(role),
            settings,
        }
    }

    async fn assume(&self) -> Result<Option<aws_sdk_sts::types::Credentials>, Failure> {
        match &self.role {
            Role::Chained(role) => {
                let tags = role
                    .tags
                    .iter()
                    .map(|(key, value)| tag(key, value))
                    .collect::<Result<Vec<_>, _>>()?;
                self.sts
                    .assume_role()
                    .role_arn(&role.role_arn)
                    .role_session_name(role.session_name.as_deref().unwrap_or(SESSION))
                    .set_duration_seconds(seconds(role.duration))
                    .set_external_id(role.external_id.clone())
                    .set_policy(role.policy.clone())
                    .set_policy_arns(policies(&role.policy_arns))
                    .set_source_identity(role.source_identity.clone())
                    .set_tags(some(tags))
                    .set_transitive_tag_keys(some(role.transitive_tag_keys.clone()))
                    .send()
                    .await
                    .map(|answer| answer.credentials)
                    .map_err(|error| self.refused(&error, "sts:AssumeRole", &role.role_arn))
            }
            Role::Web(role) => {
                let token = web_identity_token(role)?;
                self.sts
                    .assume_role_with_web_identity()
                    .role_arn(&role.role_arn)
                    .role_session_name(role.session_name.as_deref().unwrap_or(SESSION))
                    .set_duration_seconds(seconds(role.duration))
                    .set_policy(role.policy.clone())
                    .set_policy_arns(policies(&role.policy_arns))
                    .web_identity_token(token)
                    .send()
                    .await
                    .map(|answer| answer.credentials)
                    .map_err(|error| self.refused(&error, "sts:AssumeRoleWithWebIdentity", &role.role_arn))
            }
        }
    }

    fn refused<E>(&self, error: &aws_sdk_sts::error::SdkError<E>, action: &'static str, arn: &str) -> Failure
    where
        E: aws_sdk_sts::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let failure = failure::of(error, action, &format!("assuming role {arn}"), &self.settings);
        if failure.code != codes::DENIED {
            return failure;
        }
        failure.code(codes::ASSUME_ROLE).hint(format!(
            "Allow {action} on the role to the identity that runs this, and name that identity (and the external id) in the role's trust policy"
        ))
    }
}

fn tag(key: &str, value: &str) -> Result<Tag, Failure> {
    Tag::builder().key(key).value(value).build().map_err(|error| {
        Failure::new(
            Class::Invalid,
            "reading the provider's argument assume_role",
            error.to_string(),
        )
        .code(codes::SETTINGS)
    })
}

fn web_identity_token(role: &AssumeRoleWithWebIdentity) -> Result<String, Failure> {
    if let Some(token) = &role.web_identity_token {
        return Ok(token.reveal().to_owned());
    }
    let problem = |cause: String| {
        Failure::new(
            Class::Denied,
            format!("reading the web identity token for role {}", role.role_arn),
            cause,
        )
        .code(codes::NO_CREDENTIALS)
        .hint("Set web_identity_token or web_identity_token_file (AWS_WEB_IDENTITY_TOKEN_FILE)")
    };
    let file = role
        .web_identity_token_file
        .clone()
        .or_else(|| variable("AWS_WEB_IDENTITY_TOKEN_FILE"));
    let file = file.ok_or_else(|| problem("no token and no file is given".to_owned()))?;
    let token = std::fs::read_to_string(&file).map_err(|error| problem(format!("{file}: {error}")))?;
    Ok(token.trim().to_owned())
}

fn seconds(duration: Option<Duration>) -> Option<i32> {
    duration.and_then(|duration| i32::try_from(duration.as_secs()).ok())
}

fn policies(arns: &[String]) -> Option<Vec<PolicyDescriptorType>> {
    some(
        arns.iter()
            .map(|arn| PolicyDescriptorType::builder().arn(arn).build())
            .collect(),
    )
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

impl fmt::Debug for RoleCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoleCredentials")
    }
}

impl ProvideCredentials for RoleCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let credentials = self.assume().await.map_err(CredentialsError::provider_error)?;
            let credentials =
                credentials.ok_or_else(|| CredentialsError::unhandled("STS answered without credentials"))?;
            provider::Result::Ok(Credentials::new(
                credentials.access_key_id,
                credentials.secret_access_key,
                Some(credentials.session_token),
                credentials.expiration.try_into().ok(),
                "assumed role",
            ))
        })
    }
}
