//! The connection to AWS that all resources share: configuration, clients, account, logs.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableRegionProvider};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use reconcile::clock::Clock;
use reconcile::failure::{Class, Failure};
use tokio::sync::OnceCell;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use crate::credentials::{self, RoleCredentials};
use crate::errors;
use crate::failure::{self, codes};
use crate::http::{SENDING, Sender, Sending, attempts, client as http_client, variable};
use crate::limiter::{Limiter, Limiters};
use crate::partition::partition;
use crate::services;
use crate::settings::{RetryMode, Settings};

/// Retries of a read where nothing else is said, as in the AWS provider.
const MAX_RETRIES: u32 = 25;
/// Attempts where no connection comes about: a wrong endpoint shall be told in seconds.
const MAX_CONNECTS: u32 = 4;
/// Name of the SDK's quota of retries that all clients share.
const PARTITION: &str = "ekb";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer that takes longer is taken for lost: control plane calls answer within seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// The account that calls are made in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id: twelve digits; empty where `skip_requesting_account_id` is set. ARNs are then those that AWS answers.
    pub id: String,
    /// `aws`, `aws-cn`, `aws-us-gov`, …: the second word of its ARNs.
    pub partition: String,
}

/// AWS as one provider block configures it. Cheap to clone; nothing is read or called before the first use.
#[derive(Clone)]
pub struct Aws {
    inner: Arc<Inner>,
    /// Where calls are made; none: in the provider's region.
    region: Option<Arc<str>>,
}

struct Inner {
    settings: Arc<Settings>,
    /// In place of the network's: tests.
    http: Option<SharedHttpClient>,
    clock: Clock,
    connected: OnceCell<Connected>,
    account: OnceCell<Account>,
}

/// Two clients of one service and region that share connections, credentials and limiter.
#[derive(Clone)]
pub(crate) struct Clients<C> {
    /// For calls that change nothing: repeated by the SDK.
    pub(crate) read: C,
    /// For calls that change something: sent once. The engine looks before it repeats.
    pub(crate) write: C,
}

type ByRegion<C> = Mutex<HashMap<String, Clients<C>>>;

struct Connected {
    sdk: SdkConfig,
    region: Option<String>,
    /// None in retry mode standard.
    limiters: Option<Limiters>,
    sender: Sender,
    reads: RetryConfig,
    writes: RetryConfig,
    clients: ServiceClients,
}

/// A client of the service of the table by this name.
macro_rules! client {
    ($sdk:ident, $name:expr, $connected:expr, $settings:expr, $region:expr, $retries:expr) => {{
        let mut config = $sdk::config::Builder::from(&$connected.sdk)
            .region(Region::new($region.to_owned()))
            .retry_config($retries.clone())
            .retry_partition(RetryPartition::new(PARTITION))
            .retry_classifier(FewConnects)
            .interceptor($connected.sender.clone());
        if let Some(url) = endpoint($settings, $name) {
            config = config.endpoint_url(url);
        }
        config
    }};
}

/// The SDK's clients, by the service's name in the table of services.
macro_rules! clients {
    ($($service:ident: $sdk:ident),+ $(,)?) => {
        #[derive(Default)]
        struct ServiceClients {
            $($service: ByRegion<$sdk::Client>,)+
        }

        impl Aws {
            $(pub(crate) async fn $service(&self, region: &str) -> Result<Clients<$sdk::Client>, Failure> {
                let connected = self.connected().await?;
                let build = |retries: &RetryConfig| {
                    let settings = self.settings();
                    let config = client!($sdk, stringify!($service), connected, settings, region, retries);
                    $sdk::Client::from_conf(config.build())
                };
                Ok(cached(&connected.clients.$service, region, || Clients {
                    read: build(&connected.reads),
                    write: build(&connected.writes),
                }))
            })+
        }
    };
}

clients! {
    ec2: aws_sdk_ec2,
    eks: aws_sdk_eks,
    events: aws_sdk_eventbridge,
    iam: aws_sdk_iam,
    kms: aws_sdk_kms,
    logs: aws_sdk_cloudwatchlogs,
    sqs: aws_sdk_sqs,
}

/// The service's address as the provider block says it.
fn endpoint<'s>(settings: &'s Settings, service: &str) -> Option<&'s str> {
    services::find(service)?
        .endpoints
        .iter()
        .find_map(|name| settings.endpoints.get(*name))
        .map(String::as_str)
        .filter(|url| !url.is_empty())
}

fn cached<C: Clone>(map: &ByRegion<C>, region: &str, make: impl FnOnce() -> Clients<C>) -> Clients<C> {
    let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
    // Building a client makes the SDK tell its configuration.
    let quietly = || tracing::subscriber::with_default(NoSubscriber::new(), make);
    map.entry(region.to_owned()).or_insert_with(quietly).clone()
}

impl Aws {
    /// AWS as configured. Calls nothing.
    pub fn new(settings: Settings) -> Self {
        Self::with_http(settings, None)
    }

    fn with_http(settings: Settings, http: Option<SharedHttpClient>) -> Self {
        let inner = Inner {
            settings: Arc::new(settings),
            http,
            clock: Clock::from_env(),
            connected: OnceCell::new(),
            account: OnceCell::new(),
        };
        Self {
            inner: Arc::new(inner),
            region: None,
        }
    }

    /// The same, for calls in this region.
    pub(crate) fn in_region(&self, region: &str) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            region: Some(region.into()),
        }
    }

    /// AWS as the given HTTP client plays it.
    #[cfg(test)]
    pub(crate) fn played(settings: Settings, http: SharedHttpClient) -> Self {
        Self::with_http(settings, Some(http))
    }

    /// What it was configured with.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The clock that calls are timed by.
    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The credentials at the end of the chain of roles, as the SDK would sign with.
    ///
    /// # Errors
    /// As for [`Aws::account`].
    pub(crate) async fn credentials(&self, doing: &str) -> Result<Credentials, Failure> {
        let provider = self.connected().await?.sdk.credentials_provider();
        let none = || CredentialsError::not_loaded("no credentials are configured");
        let credentials = async { provider.ok_or_else(none)?.provide_credentials().await };
        let credentials = Box::pin(credentials.with_subscriber(NoSubscriber::new())).await;
        credentials.map_err(|error| failure::without_credentials(&error, doing, &self.inner.settings))
    }

    /// The ARN of the IAM role or user that makes the calls: of an assumed role the role itself, with its path where IAM may be
    /// asked for it.
    ///
    /// # Errors
    /// As for [`Aws::account`].
    pub async fn caller(&self, region: &str, doing: &str) -> Result<String, Failure> {
        let connected = self.connected().await?;
        let sts = sts(
            connected,
            self.settings(),
            region,
            connected.sdk.credentials_provider(),
        );
        let asked = self.call("sts:GetCallerIdentity", doing, sts.get_caller_identity().send());
        let arn = asked.await?.arn.unwrap_or_default();
        let Some((head, name)) = arn.split_once(":assumed-role/").map(|(head, rest)| {
            (
                head.replacen(":sts:", ":iam:", 1),
                rest.split('/').next().unwrap_or_default(),
            )
        }) else {
            return Ok(arn);
        };
        let iam = self.iam(region).await?.read;
        let role = self
            .call("iam:GetRole", doing, iam.get_role().role_name(name).send())
            .await;
        let with_path = role.ok().and_then(|answer| answer.role).map(|role| role.arn);
        Ok(with_path.unwrap_or_else(|| format!("{head}:role/{name}")))
    }

    /// The region for resources that name none: of the provider block, of `AWS_REGION` or `AWS_DEFAULT_REGION`; of the
    /// profile or the machine once [`Aws::connect`] or any call has looked there.
    pub fn region(&self) -> Option<String> {
        let given = || {
            self.inner
                .settings
                .region
                .clone()
                .filter(|region| !region.is_empty())
        };
        let found = || {
            self.inner
                .connected
                .get()
                .and_then(|connected| connected.region.clone())
        };
        found()
            .or_else(given)
            .or_else(|| variable("AWS_REGION"))
            .or_else(|| variable("AWS_DEFAULT_REGION"))
    }

    /// Reads what configures the connection (environment, shared files), so that [`Aws::region`] knows all. Calls no
    /// AWS service but, where no region is given otherwise, the EC2 metadata service.
    ///
    /// # Errors
    /// `EKB1107` where an argument cannot be used.
    pub async fn connect(&self) -> Result<(), Failure> {
        self.connected().await.map(|_| ())
    }

    /// The same as [`Aws::region`], looked for everywhere and checked.
    ///
    /// # Errors
    /// `EKB1105` where none is configured or the name is none of a region.
    pub async fn needed_region(&self) -> Result<String, Failure> {
        let region = self.connected().await?.region.clone().ok_or_else(|| {
            Failure::new(Class::Invalid, "choosing the AWS region", "no region is configured").code(codes::REGION).hint(
                "Set region in the provider block or on the resource, AWS_REGION, or a region for the profile in ~/.aws/config",
            )
        })?;
        self.check_region(&region)?;
        Ok(region)
    }

    /// That the text looks like the name of a region, unless `skip_region_validation` is set. Calls nothing.
    ///
    /// # Errors
    /// `EKB1105`.
    pub fn check_region(&self, region: &str) -> Result<(), Failure> {
        if self.inner.settings.skip_region_validation || looks_like_region(region) {
            return Ok(());
        }
        Err(Failure::new(
            Class::Invalid,
            "choosing the AWS region",
            format!("\"{region}\" is no name of a region"),
        )
        .code(codes::REGION)
        .hint("Write it as eu-central-1 (without a zone's letter), or set skip_region_validation"))
    }

    /// The account and partition. STS is asked once a process, or not at all with `skip_requesting_account_id`.
    ///
    /// `region` is asked where the provider has none: that of the resource.
    ///
    /// # Errors
    /// Missing, expired or refused credentials; an account that is forbidden or not among the allowed ones (`EKB1104`);
    /// an endpoint that cannot be reached.
    pub async fn account(&self, region: Option<&str>) -> Result<Account, Failure> {
        self.inner
            .account
            .get_or_try_init(|| self.ask_account(region))
            .await
            .cloned()
    }

    async fn ask_account(&self, region: Option<&str>) -> Result<Account, Failure> {
        let settings = &self.inner.settings;
        let region = match (region, &self.connected().await?.region) {
            (Some(region), None) => region.to_owned(),
            _ => self.needed_region().await?,
        };
        if settings.skip_requesting_account_id {
            return Ok(Account {
                id: String::new(),
                partition: partition(&region).to_owned(),
            });
        }
        let connected = self.connected().await?;
        let sts = sts(connected, settings, &region, connected.sdk.credentials_provider());
        let doing = "looking up the AWS account";
        let answer = self
            .in_region(settings.sts_region.as_deref().unwrap_or(&region))
            .call("sts:GetCallerIdentity", doing, sts.get_caller_identity().send())
            .await;
        let answer = match answer {
            Err(failure) if settings.skip_credentials_validation && failure.class == Class::Denied => {
                return Ok(Account {
                    id: String::new(),
                    partition: partition(&region).to_owned(),
                });
            }
            other => other?,
        };
        let id = answer.account().unwrap_or_default().to_owned();
        let answered = answer
            .arn()
            .and_then(|arn| arn.split(':').nth(1))
            .filter(|partition| !partition.is_empty());
        let account = Account {
            id,
            partition: answered.unwrap_or_else(|| partition(&region)).to_owned(),
        };
        check_account(settings, &account)?;
        Ok(account)
    }

    /// Makes one call: the SDK's future, with our log event and our failure.
    ///
    /// `action` is `service:Operation`, which is the IAM action too; `doing` says what is attempted.
    pub(crate) async fn call<T, E>(
        &self,
        action: &'static str,
        doing: impl Into<String>,
        send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Failure>
    where
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let doing = doing.into();
        let clock = &self.inner.clock;
        let limiter = self.limiter(action);
        if let Some(limiter) = &limiter {
            limiter.turn(&doing).await?;
        }
        let began = clock.now();
        let counted = async {
            let result = send.await;
            (result, attempts())
        };
        // The SDK's own events show headers and bodies, so they end here. Boxed: its futures are tens of kilobytes.
        let counted = Box::pin(counted.with_subscriber(NoSubscriber::new()));
        let (result, attempts) = SENDING.scope(Sending::new(limiter.clone()), counted).await;
        let ms = clock.now().since(began).as_millis();
        let (service, operation) = action.split_once(':').unwrap_or_default();
        match result {
            Ok(answer) => {
                limiter.iter().for_each(Limiter::succeeded);
                let request_id = answer.request_id().unwrap_or_default();
                tracing::debug!(service, operation, ms, request_id, attempts, "AWS call");
                Ok(answer)
            }
            Err(error) => {
                let failure = failure::of(&error, action, &doing, &self.inner.settings);
                // Where the status did not say so.
                limiter
                    .iter()
                    .filter(|_| failure.class == Class::Throttled)
                    .for_each(Limiter::throttled);
                let request_id = failure.request_id.as_deref().unwrap_or_default();
                let error = failure::aws_code(&failure);
                tracing::debug!(
                    service,
                    operation,
                    ms,
                    request_id,
                    attempts,
                    error,
                    code = failure.code,
                    "AWS call failed"
                );
                Err(failure)
            }
        }
    }

    /// The limiter of such calls.
    fn limiter(&self, action: &str) -> Option<Limiter> {
        let connected = self.inner.connected.get()?;
        let region = self.region.as_deref().or(connected.region.as_deref());
        let limiters = connected.limiters.as_ref()?;
        Some(limiters.of(
            services::find(action)?,
            region.unwrap_or_default(),
            errors::changes(action),
        ))
    }

    async fn connected(&self) -> Result<&Connected, Failure> {
        let connect = || {
            Box::pin(
                connect(&self.inner.settings, self.inner.http.clone(), &self.inner.clock)
                    .with_subscriber(NoSubscriber::new()),
            )
        };
        self.inner.connected.get_or_try_init(connect).await
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Aws").field(&self.inner.settings).finish()
    }
}

async fn connect(
    settings: &Arc<Settings>,
    http: Option<SharedHttpClient>,
    clock: &Clock,
) -> Result<Connected, Failure> {
    let http = http.map_or_else(|| http_client(settings), Ok)?;
    let sleep = SharedAsyncSleep::new(TokioSleep::new());
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let config = ProviderConfig::without_region()
        .with_http_client(http.clone())
        .with_sleep_impl(sleep.clone());
    let metadata = credentials::metadata_service(settings, &config)?;

    let region = region(settings, &config, metadata.clone()).await;
    let config = config.with_region(region.clone());
    let base = credentials::base(settings, &config, metadata)?;

    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region.clone())
        .http_client(http)
        .sleep_impl(sleep)
        .timeout_config(timeouts)
        .credentials_provider(base.clone());
    if let Some(name) = &settings.profile {
        loader = loader.profile_name(name);
    }
    if let Some(files) = credentials::profile_files(settings) {
        loader = loader.profile_files(files);
    }
    if settings.use_fips_endpoint {
        loader = loader.use_fips(true);
    }
    if settings.use_dualstack_endpoint {
        loader = loader.use_dual_stack(true);
    }
    let sdk = loader.load().await;

    let (retries, adaptive) = retries(settings)?;
    let mut connected = Connected {
        sdk,
        region: region.as_ref().map(ToString::to_string),
        limiters: adaptive.then(|| Limiters::new(clock.clone())),
        sender: Sender::new(settings),
        reads: RetryConfig::standard().with_max_attempts(retries.saturating_add(1)),
        writes: RetryConfig::standard().with_max_attempts(1),
        clients: ServiceClients::default(),
    };
    let credentials = assumed(settings, &connected, base);
    connected.sdk = connected
        .sdk
        .into_builder()
        .credentials_provider(credentials)
        .build();
    Ok(connected)
}

/// The credentials at the end of the chain of roles.
fn assumed(
    settings: &Arc<Settings>,
    connected: &Connected,
    base: SharedCredentialsProvider,
) -> SharedCredentialsProvider {
    // Without any region STS is asked at its oldest endpoint; `Aws::region` will complain soon enough.
    let region = connected.region.as_deref().unwrap_or("us-east-1");
    let mut credentials = base;
    if let Some(role) = &settings.assume_role_with_web_identity {
        let client = sts(connected, settings, region, None);
        credentials =
            SharedCredentialsProvider::new(RoleCredentials::web(client, role.clone(), settings.clone()));
    }
    for role in &settings.assume_role {
        let client = sts(connected, settings, region, Some(credentials));
        credentials =
            SharedCredentialsProvider::new(RoleCredentials::chained(client, role.clone(), settings.clone()));
    }
    credentials
}

fn sts(
    connected: &Connected,
    settings: &Settings,
    region: &str,
    credentials: Option<SharedCredentialsProvider>,
) -> aws_sdk_sts::Client {
    let region = settings.sts_region.as_deref().unwrap_or(region);
    let mut config = client!(aws_sdk_sts, "sts", connected, settings, region, connected.reads);
    config.set_credentials_provider(credentials);
    aws_sdk_sts::Client::from_conf(config.build())
}

async fn region(
    settings: &Settings,
    config: &ProviderConfig,
    metadata: Option<aws_config::imds::Client>,
) -> Option<Region> {
    if let Some(region) = settings.region.as_ref().filter(|region| !region.is_empty()) {
        return Some(Region::new(region.clone()));
    }
    let mut profile = ProfileFileRegionProvider::builder().configure(config);
    if let Some(name) = &settings.profile {
        profile = profile.profile_name(name);
    }
    if let Some(files) = credentials::profile_files(settings) {
        profile = profile.profile_files(files);
    }
    let chain =
        RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(profile.build());
    match metadata {
        Some(client) => {
            chain
                .or_else(
                    ImdsRegionProvider::builder()
                        .configure(config)
                        .imds_client(client)
                        .build(),
                )
                .region()
                .await
        }
        None => chain.region().await,
    }
}

/// How often reads are repeated, and whether throttling slows everything down.
fn retries(settings: &Settings) -> Result<(u32, bool), Failure> {
    let wrong = |name: &str, value: &str, hint: &'static str| {
        Failure::new(
            Class::Invalid,
            format!("reading {name}"),
            format!("\"{value}\" cannot be used"),
        )
        .code(codes::SETTINGS)
        .hint(hint)
    };
    let retries = match (settings.max_retries, variable("AWS_MAX_ATTEMPTS")) {
        (Some(retries), _) => retries,
        (None, Some(text)) => match text.parse::<u32>() {
            Ok(attempts) if attempts > 0 => attempts - 1,
            _ => return Err(wrong("AWS_MAX_ATTEMPTS", &text, "Set a number, one or more")),
        },
        (None, None) => MAX_RETRIES,
    };
    let mode = match (settings.retry_mode, variable("AWS_RETRY_MODE")) {
        (Some(mode), _) => mode,
        (None, None) => RetryMode::Adaptive,
        (None, Some(text)) => match text.as_str() {
            "standard" | "legacy" => RetryMode::Standard,
            "adaptive" => RetryMode::Adaptive,
            _ => return Err(wrong("AWS_RETRY_MODE", &text, "Set standard or adaptive")),
        },
    };
    Ok((retries, mode == RetryMode::Adaptive))
}

/// Ends the retries early where no connection comes about.
#[derive(Debug)]
struct FewConnects;

impl ClassifyRetry for FewConnects {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let refused = context
            .output_or_error()
            .and_then(Result::err)
            .and_then(|error| error.as_connector_error())
            .is_some_and(|error| failure::never_connected(error));
        if refused && attempts() >= MAX_CONNECTS {
            RetryAction::RetryForbidden
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "FewConnects"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

fn check_account(settings: &Settings, account: &Account) -> Result<(), Failure> {
    let refuse = |cause: String, argument: &str| {
        Err(Failure::new(Class::Denied, "checking the AWS account", cause).code(codes::ACCOUNT).hint(format!(
            "Use credentials of the account that is meant (AWS_PROFILE), or change {argument} in the provider block"
        )))
    };
    let id = &account.id;
    if settings.forbidden_account_ids.contains(id) {
        return refuse(format!("account {id} is forbidden"), "forbidden_account_ids");
    }
    let allowed = &settings.allowed_account_ids;
    if !allowed.is_empty() && !allowed.contains(id) {
        return refuse(
            format!("account {id} is not allowed, only {}", allowed.join(", ")),
            "allowed_account_ids",
        );
    }
    Ok(())
}

/// `eu-central-1`, `us-gov-west-1`, `us-isob-east-1`.
fn looks_like_region(text: &str) -> bool {
    let words: Vec<&str> = text.split('-').collect();
    let letters = |word: &&str| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase());
    match words.split_last() {
        Some((number, names)) => {
            (2..=3).contains(&names.len())
                && names.iter().all(letters)
                && !number.is_empty()
                && number.chars().all(|digit| digit.is_ascii_digit())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_regions_are_told_from_zones() {
        for region in [
            "eu-central-1",
            "us-gov-west-1",
            "us-isob-east-1",
            "ap-southeast-10",
            "eusc-de-east-1",
        ] {
            assert!(looks_like_region(region), "{region}");
        }
        for other in ["eu-central-1a", "frankfurt", "", "eu-central", "EU-central-1"] {
            assert!(!looks_like_region(other), "{other}");
        }
    }

    #[test]
    fn a_forbidden_account_is_told_with_the_argument_to_change() {
        let account = Account {
            id: "111122223333".into(),
            partition: "aws".into(),
        };
        let settings = Settings {
            allowed_account_ids: vec!["444455556666".into()],
            ..Default::default()
        };
        let failure = check_account(&settings, &account).unwrap_err();
        assert_eq!(failure.code, "EKB1104");
        assert!(failure.to_string().contains("444455556666"), "{failure}");
        assert!(failure.hint.contains("allowed_account_ids"), "{failure}");
        let settings = Settings {
            forbidden_account_ids: vec!["111122223333".into()],
            ..Default::default()
        };
        assert!(
            check_account(&settings, &account)
                .unwrap_err()
                .hint
                .contains("forbidden_account_ids")
        );
    }
}
