//! The provider's AWS arguments as plain data, with the names of the AWS provider.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

/// A text that never shows in logs or messages.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text, for the call that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sensitive)")
    }
}

/// How reads are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryMode {
    /// Exponential backoff with jitter.
    Standard,
    /// The same, and a rate limiter on our side that throttling answers tighten. The default.
    Adaptive,
}

/// Whether the EC2 metadata service is reached by IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataMode {
    /// `http://169.254.169.254`.
    Ipv4,
    /// `http://[fd00:ec2::254]`.
    Ipv6,
}

/// One link of the `assume_role` chain.
#[derive(Debug, Clone, Default)]
pub struct AssumeRole {
    /// ARN of the role.
    pub role_arn: String,
    /// How long the session lasts: 15 minutes to 12 hours; AWS's default is one hour.
    pub duration: Option<Duration>,
    /// External id that the role's trust policy asks for.
    pub external_id: Option<String>,
    /// Session policy (JSON).
    pub policy: Option<String>,
    /// Managed session policies.
    pub policy_arns: Vec<String>,
    /// Name of the session, in CloudTrail.
    pub session_name: Option<String>,
    /// Source identity, in CloudTrail.
    pub source_identity: Option<String>,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
    /// Session tags that later roles of the chain inherit.
    pub transitive_tag_keys: Vec<String>,
}

/// `assume_role_with_web_identity`.
#[derive(Debug, Clone, Default)]
pub struct AssumeRoleWithWebIdentity {
    /// ARN of the role.
    pub role_arn: String,
    /// How long the session lasts.
    pub duration: Option<Duration>,
    /// Session policy (JSON).
    pub policy: Option<String>,
    /// Managed session policies.
    pub policy_arns: Vec<String>,
    /// Name of the session.
    pub session_name: Option<String>,
    /// The token itself …
    pub web_identity_token: Option<Secret>,
    /// … or the file that holds it, read anew for every session.
    pub web_identity_token_file: Option<String>,
}

/// The AWS arguments of the provider block. What is absent comes from the environment and the shared files, as in the
/// AWS provider and the AWS CLI.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `region`; else `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile, the EC2 metadata service.
    pub region: Option<String>,
    /// `profile`; else `AWS_PROFILE`. An explicit one goes before credentials of the environment.
    pub profile: Option<String>,
    /// `access_key`; else `AWS_ACCESS_KEY_ID`.
    pub access_key: Option<Secret>,
    /// `secret_key`; else `AWS_SECRET_ACCESS_KEY`.
    pub secret_key: Option<Secret>,
    /// `token`; else `AWS_SESSION_TOKEN`.
    pub token: Option<Secret>,
    /// `shared_config_files`; else `AWS_CONFIG_FILE`, `~/.aws/config`.
    pub shared_config_files: Vec<String>,
    /// `shared_credentials_files`; else `AWS_SHARED_CREDENTIALS_FILE`, `~/.aws/credentials`.
    pub shared_credentials_files: Vec<String>,
    /// `assume_role` blocks, each assumed with the credentials of the one before.
    pub assume_role: Vec<AssumeRole>,
    /// `assume_role_with_web_identity`.
    pub assume_role_with_web_identity: Option<AssumeRoleWithWebIdentity>,
    /// `allowed_account_ids`; empty allows all.
    pub allowed_account_ids: Vec<String>,
    /// `forbidden_account_ids`.
    pub forbidden_account_ids: Vec<String>,
    /// `endpoints`: URL by service (`ec2`, `sts`, `iam`, `logs`, …); else `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`.
    pub endpoints: BTreeMap<String, String>,
    /// `max_retries`; else `AWS_MAX_ATTEMPTS` less one; else 25.
    pub max_retries: Option<u32>,
    /// `retry_mode`; else `AWS_RETRY_MODE`; else adaptive.
    pub retry_mode: Option<RetryMode>,
    /// `skip_credentials_validation`: a refused look at the account is no error until a call fails.
    pub skip_credentials_validation: bool,
    /// `skip_region_validation`: region names need not look like AWS's.
    pub skip_region_validation: bool,
    /// `skip_requesting_account_id`: STS is not called; the account id stays empty.
    pub skip_requesting_account_id: bool,
    /// `skip_metadata_api_check`: the EC2 metadata service is not asked; also `AWS_EC2_METADATA_DISABLED`.
    pub skip_metadata_api_check: bool,
    /// `ec2_metadata_service_endpoint`; else `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    pub ec2_metadata_service_endpoint: Option<String>,
    /// `ec2_metadata_service_endpoint_mode`; else `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE`.
    pub ec2_metadata_service_endpoint_mode: Option<MetadataMode>,
    /// `custom_ca_bundle`: PEM file, trusted instead of the system's authorities; else `AWS_CA_BUNDLE`.
    pub custom_ca_bundle: Option<String>,
    /// `http_proxy`; else `HTTP_PROXY`. May hold a password.
    pub http_proxy: Option<Secret>,
    /// `https_proxy`; else `HTTPS_PROXY`. May hold a password.
    pub https_proxy: Option<Secret>,
    /// `no_proxy`; else `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// `insecure`: TLS certificates are not checked.
    pub insecure: bool,
    /// `use_fips_endpoint`; else `AWS_USE_FIPS_ENDPOINT`.
    pub use_fips_endpoint: bool,
    /// `use_dualstack_endpoint`; else `AWS_USE_DUALSTACK_ENDPOINT`.
    pub use_dualstack_endpoint: bool,
    /// `sts_region`; else the region.
    pub sts_region: Option<String>,
    /// `s3_use_path_style`.
    pub s3_use_path_style: bool,
    /// Version of the CLI, for the user agent; the host tells it when it configures the provider.
    pub terraform_version: Option<String>,
}

impl Settings {
    /// Every secret text in it, so that messages of others can be searched for them.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let web = self
            .assume_role_with_web_identity
            .iter()
            .filter_map(|web| web.web_identity_token.as_ref());
        [&self.secret_key, &self.token, &self.http_proxy, &self.https_proxy]
            .into_iter()
            .filter_map(Option::as_ref)
            .chain(web)
            .map(Secret::reveal)
            .filter(|secret| !secret.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let settings = Settings {
            access_key: Some("AKIDEXAMPLE".into()),
            secret_key: Some("wJalrXUtnFEMI".into()),
            token: Some("FwoGZXIvYXdz".into()),
            https_proxy: Some("http://user:hunter2@proxy:3128".into()),
            assume_role_with_web_identity: Some(AssumeRoleWithWebIdentity {
                web_identity_token: Some("eyJhbGciOi".into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let shown = format!("{settings:?}");
        for secret in [
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI",
            "FwoGZXIvYXdz",
            "hunter2",
            "eyJhbGciOi",
        ] {
            assert!(!shown.contains(secret), "{secret} shows in {shown}");
        }
        assert_eq!(settings.secrets().count(), 4);
    }
}
