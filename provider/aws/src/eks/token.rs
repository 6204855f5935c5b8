//! Tokens for a cluster's API: a call of STS `GetCallerIdentity` that is signed and not made. The cluster makes it, and so
//! learns who sent it (kubernetes-sigs/aws-iam-authenticator, "API Authorization from Outside a Cluster").

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_eks::types::Cluster;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reconcile::failure::{Class, Failure};

use crate::client::Aws;
use crate::partition::dns_suffix;
use crate::settings::Secret;

/// How long the cluster takes a token, whatever the URL says.
const VALID_FOR: Duration = Duration::from_secs(15 * 60);
/// What the URL says: what `aws eks get-token` writes there.
const EXPIRES: Duration = Duration::from_secs(60);
/// The signed header that binds a token to one cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";
/// What AWS's signatures leave as it is (RFC 3986, "unreserved").
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A token for the API of one cluster.
#[derive(Debug, Clone)]
pub struct ClusterToken {
    /// The token.
    pub text: Secret,
    made: SystemTime,
    /// How long the cluster takes it.
    pub valid_for: Duration,
}

impl ClusterToken {
    /// When the cluster takes it no longer (RFC 3339).
    pub fn expires_at(&self) -> String {
        let end = DateTime::from(self.made + self.valid_for);
        // Without parts of a second.
        let end = DateTime::from_secs(end.secs());
        end.fmt(Format::DateTime).unwrap_or_default()
    }
}

/// Where a cluster's API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterEndpoint {
    /// Its address.
    pub url: String,
    /// The certificate of its authority, in PEM.
    pub certificate_authority: String,
}

impl Aws {
    /// Where the API of the cluster of this name is.
    ///
    /// # Errors
    /// There is no such cluster, or it has no endpoint yet.
    pub async fn cluster_endpoint(&self, region: &str, cluster: &str) -> Result<ClusterEndpoint, Failure> {
        let doing = format!("looking for the API of the cluster {cluster}");
        let describe = self.eks(region).await?.read.describe_cluster().name(cluster);
        let answer = self
            .in_region(region)
            .call("eks:DescribeCluster", &doing, describe.send())
            .await?;
        let found = answer.cluster.unwrap_or_else(|| Cluster::builder().build());
        let authority = found.certificate_authority.and_then(|authority| authority.data);
        let authority = authority.and_then(|data| aws_smithy_types::base64::decode(data).ok());
        let authority = authority.and_then(|pem| String::from_utf8(pem).ok());
        match (found.endpoint, authority) {
            (Some(url), Some(certificate_authority)) if !url.is_empty() => Ok(ClusterEndpoint {
                url,
                certificate_authority,
            }),
            _ => {
                let status = found
                    .status
                    .map_or_else(|| "unknown".to_owned(), |status| status.as_str().to_owned());
                let cause = format!("it has no endpoint (its status is {status})");
                Err(Failure::new(Class::NotYet, doing, cause).hint("Run again when the cluster is ACTIVE"))
            }
        }
    }

    /// A fresh token for the cluster of this name, for whoever the provider's credentials are. Calls STS only where a role
    /// has to be assumed.
    ///
    /// # Errors
    /// Credentials that are missing or refused.
    pub async fn cluster_token(&self, region: &str, cluster: &str) -> Result<ClusterToken, Failure> {
        let doing = format!("making a token for the cluster {cluster}");
        let credentials = self.credentials(&doing).await?;
        let made = self.clock().wall();
        // It would tell what it signs.
        let quietly = || presigned(&credentials, region, cluster, made);
        let url = tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::new(), quietly)
            .map_err(|error| Failure::new(Class::Other, doing, error))?;
        Ok(ClusterToken {
            text: encoded(&url).into(),
            made,
            valid_for: VALID_FOR,
        })
    }
}

/// The signed URL. STS's own address, whatever the provider block says: the cluster takes no other one.
fn presigned(
    credentials: &Credentials,
    region: &str,
    cluster: &str,
    time: SystemTime,
) -> Result<String, String> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(time)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let mut url = format!(
        "https://sts.{region}.{}/?Action=GetCallerIdentity&Version=2011-06-15",
        dns_suffix(region)
    );
    let headers = [(CLUSTER_HEADER, cluster)].into_iter();
    let request = SignableRequest::new("GET", &url, headers, SignableBody::Bytes(&[]))
        .map_err(|error| error.to_string())?;
    let signed = sign(request, &params).map_err(|error| error.to_string())?;
    let (instructions, _) = signed.into_parts();
    for (name, value) in instructions.params() {
        url.push_str(&format!("&{name}={}", utf8_percent_encode(value, RESERVED)));
    }
    Ok(url)
}

/// The URL as a bearer token: base64 for URLs, without padding.
fn encoded(url: &str) -> String {
    let base64 = aws_smithy_types::base64::encode(url);
    let base64 = base64.trim_end_matches('=').replace('+', "-").replace('/', "_");
    format!("k8s-aws-v1.{base64}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn url(region: &str, cluster: &str, session: Option<&str>) -> String {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIDEXAMPLE", secret, session.map(str::to_owned), None, "test");
        // 2026-11-27T12:34:56Z
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_782_896);
        presigned(&credentials, region, cluster, time).unwrap()
    }

    /// The URL by parts: the order of parameters means nothing.
    fn parts(url: &str) -> (&str, BTreeMap<&str, &str>) {
        let (host, query) = url.split_once('?').unwrap();
        (
            host,
            query
                .split('&')
                .map(|pair| pair.split_once('=').unwrap())
                .collect(),
        )
    }

    /// What botocore 1.43.11 (`RequestSigner.generate_presigned_url`) makes of the same.
    #[test]
    fn the_url_is_that_of_botocore() {
        let plain = "https://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261127%2Feu-central-1%2Fsts%2Faws4_request&X-Amz-Date=20261127T123456Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=332ccf0b13dc81e2d09e173d14d7f23a8da68bb2b90c0b5cfc8c62a193dbb041";
        assert_eq!(parts(&url("eu-central-1", "dev-main", None)), parts(plain));
        let session = "https://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261127%2Feu-central-1%2Fsts%2Faws4_request&X-Amz-Date=20261127T123456Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Security-Token=FwoGZXIvYXdzE%2BA%2Fb%3D%3D&X-Amz-Signature=1f2dc05c640d4666bb3badb17eaad49bdcdd4265aa04c47e336e3921df8444e4";
        assert_eq!(
            parts(&url("eu-central-1", "dev-main", Some("FwoGZXIvYXdzE+A/b=="))),
            parts(session)
        );
        let china = "https://sts.cn-north-1.amazonaws.com.cn/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261127%2Fcn-north-1%2Fsts%2Faws4_request&X-Amz-Date=20261127T123456Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=ac8e8e4208262e87d4ea8a821d33ec9b7cfd06e0cc5a3c3a4dc80f08caa7e99a";
        assert_eq!(parts(&url("cn-north-1", "x", None)), parts(china));
    }

    #[test]
    fn a_token_is_the_url_in_base64_for_urls() {
        let token = encoded("https://x/?a=~~~???>>>");
        assert_eq!(token, "k8s-aws-v1.aHR0cHM6Ly94Lz9hPX5-fj8_Pz4-Pg");
    }

    #[tokio::test]
    async fn a_token_shows_nowhere() {
        let settings = crate::Settings {
            access_key: Some("AKIDEXAMPLE".into()),
            secret_key: Some("wJalrXUtnFEMI".into()),
            region: Some("eu-central-1".into()),
            skip_metadata_api_check: true,
            ..Default::default()
        };
        let token = Aws::new(settings)
            .cluster_token("eu-central-1", "main")
            .await
            .unwrap();
        assert!(token.text.reveal().starts_with("k8s-aws-v1."));
        assert!(!format!("{token:?}").contains("k8s-aws-v1"));
        assert_eq!(token.valid_for, Duration::from_secs(900));
        assert!(
            token.expires_at().ends_with('Z') && token.expires_at().len() == 20,
            "{}",
            token.expires_at()
        );
    }
}
