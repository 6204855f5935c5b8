//! AWS played in memory, for tests: what is asked, and what is answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;

use crate::{Aws, Settings};

/// A call as it came in: `Action` and the other parameters of EC2, IAM and STS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked(pub(crate) BTreeMap<String, String>);

impl Asked {
    pub(crate) fn action(&self) -> &str {
        self.get("Action")
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// What comes back.
pub(crate) enum Answer {
    /// The inside of the response element, for EC2.
    Xml(String),
    /// Status, code, message.
    Error(u16, &'static str, &'static str),
    /// The connection breaks after the call has been sent.
    Lost,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Asked>>>);

impl Log {
    pub(crate) fn all(&self) -> Vec<Asked> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn actions(&self) -> Vec<String> {
        self.all().iter().map(|asked| asked.action().to_owned()).collect()
    }

    pub(crate) fn count(&self, action: &str) -> usize {
        self.all().iter().filter(|asked| asked.action() == action).count()
    }
}

struct Player<F> {
    answer: F,
    log: Log,
}

impl<F> std::fmt::Debug for Player<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Player")
    }
}

impl<F: Fn(&Asked) -> Answer + Send + Sync> HttpConnector for Player<F> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(&text.replace('+', " "))
                .decode_utf8_lossy()
                .into_owned()
        };
        let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        let asked = Asked(pairs.map(|(name, value)| (decode(name), decode(value))).collect());
        let answer = (self.answer)(&asked);
        let action = asked.action().to_owned();
        self.log.0.lock().unwrap().push(asked);
        let respond = |status: u16, body: String| {
            let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            response.headers_mut().insert("x-amzn-requestid", "req-1");
            HttpConnectorFuture::new(async {
                // An answer takes its time: calls made at once are under way together.
                tokio::task::yield_now().await;
                Ok(response)
            })
        };
        match answer {
            Answer::Xml(inside) if action == "GetCallerIdentity" => respond(200, inside),
            Answer::Xml(inside) => respond(
                200,
                format!("<{action}Response>{inside}<requestId>req-1</requestId></{action}Response>"),
            ),
            Answer::Error(status, code, message) => respond(
                status,
                // EC2 reads the first form, STS and IAM the second.
                if ["GetCallerIdentity", "AssumeRole"].contains(&action.as_str()) {
                    format!(
                        "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
                    )
                } else {
                    format!(
                        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
                         <RequestID>req-1</RequestID></Response>"
                    )
                },
            ),
            Answer::Lost => {
                HttpConnectorFuture::ready(Err(ConnectorError::io("connection reset by peer".into())))
            }
        }
    }
}

/// The answer of STS for this account.
pub(crate) fn identity(account: &str) -> Answer {
    Answer::Xml(format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/test</Arn>\
         <Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    ))
}

pub(crate) const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCY";

pub(crate) fn settings() -> Settings {
    Settings {
        region: Some("eu-central-1".into()),
        access_key: Some("AKIDPLAYED".into()),
        secret_key: Some(SECRET.into()),
        token: Some("FwoGZXIvYXdzEPLAYED".into()),
        skip_metadata_api_check: true,
        ..Settings::default()
    }
}

/// AWS that answers so, and the log of what it was asked.
pub(crate) fn aws(
    settings: Settings,
    answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
) -> (Aws, Log) {
    let log = Log::default();
    let player = SharedHttpConnector::new(Player {
        answer,
        log: log.clone(),
    });
    let http: SharedHttpClient = http_client_fn(move |_, _| player.clone());
    (Aws::played(settings, http), log)
}

mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use reconcile::failure::Class;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[tokio::test]
    async fn the_account_is_asked_for_once() {
        let (aws, log) = aws(settings(), |_| identity("111122223333"));
        for _ in 0..2 {
            let account = aws.account(None).await.unwrap();
            assert_eq!(
                (account.id.as_str(), account.partition.as_str()),
                ("111122223333", "aws")
            );
        }
        assert_eq!(log.actions(), ["GetCallerIdentity"]);
    }

    #[tokio::test]
    async fn the_account_is_not_asked_for_where_that_is_to_be_skipped() {
        let settings = Settings {
            skip_requesting_account_id: true,
            region: Some("cn-north-1".into()),
            ..settings()
        };
        let (aws, log) = aws(settings, |_| Answer::Lost);
        assert_eq!(aws.account(None).await.unwrap().partition, "aws-cn");
        assert_eq!(log.actions(), [""; 0]);
    }

    #[tokio::test]
    async fn a_resources_own_region_is_enough_to_know_the_account() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = vec![file.path().to_str().unwrap().to_owned()];
        let settings = || Settings {
            region: None,
            shared_config_files: path.clone(),
            shared_credentials_files: path.clone(),
            ..settings()
        };
        let (aws, _) = self::aws(settings(), |_| identity("111122223333"));
        assert_eq!(aws.account(None).await.unwrap_err().code, "EKB1105");
        let (aws, _) = self::aws(settings(), |_| identity("111122223333"));
        assert_eq!(aws.account(Some("eu-west-1")).await.unwrap().id, "111122223333");
        let skip = Settings {
            skip_requesting_account_id: true,
            ..settings()
        };
        let (aws, _) = self::aws(skip, |_| Answer::Lost);
        assert_eq!(aws.account(Some("cn-north-1")).await.unwrap().partition, "aws-cn");
    }

    #[tokio::test]
    async fn nothing_is_called_before_the_first_use() {
        let (aws, log) = aws(settings(), |_| Answer::Lost);
        assert_eq!(aws.region().as_deref(), Some("eu-central-1"));
        aws.connect().await.unwrap();
        drop(crate::ec2::kinds(&aws, "eu-central-1"));
        assert_eq!(log.actions(), [""; 0]);
    }

    #[tokio::test]
    async fn bad_credentials_say_what_to_do() {
        let cases = [
            ("ExpiredToken", "EKB1102", "Renew"),
            ("InvalidClientTokenId", "EKB1103", "access key"),
            ("SignatureDoesNotMatch", "EKB1103", "access key"),
            ("AccessDenied", "EKB1108", "sts:GetCallerIdentity"),
        ];
        for (answer, code, hint) in cases {
            let (aws, _) = aws(settings(), move |_| Answer::Error(403, answer, "no"));
            let failure = aws.account(None).await.unwrap_err();
            assert_eq!((failure.code, failure.class), (code, Class::Denied), "{failure}");
            assert!(failure.hint.contains(hint), "{failure}");
            assert_eq!(failure.request_id.as_deref(), Some("req-1"));
        }
    }

    #[tokio::test]
    async fn a_profile_that_is_not_there_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let settings = Settings {
            access_key: None,
            secret_key: None,
            token: None,
            profile: Some("nobody".into()),
            shared_config_files: vec![path.clone()],
            shared_credentials_files: vec![path],
            ..settings()
        };
        let (aws, log) = aws(settings, |_| identity("111122223333"));
        let failure = aws.account(None).await.unwrap_err();
        assert_eq!(failure.code, "EKB1101", "{failure}");
        assert!(failure.to_string().contains("nobody"), "{failure}");
        assert_eq!(log.actions(), [""; 0]);
    }

    #[tokio::test]
    async fn a_role_that_cannot_be_assumed_is_named_with_its_trust_policy() {
        let role = crate::settings::AssumeRole {
            role_arn: "arn:aws:iam::111122223333:role/deploy".into(),
            session_name: Some("ci".into()),
            source_identity: Some("alice".into()),
            transitive_tag_keys: vec!["team".into()],
            ..Default::default()
        };
        let settings = Settings {
            assume_role: vec![role],
            ..settings()
        };
        let (aws, log) = aws(settings, |_| {
            Answer::Error(403, "AccessDenied", "not authorized to perform: sts:AssumeRole")
        });
        let failure = aws.account(None).await.unwrap_err();
        // A refusal, not a role that is about to become visible.
        assert_eq!(failure.code, "EKB1109", "{failure}");
        assert!(failure.doing.contains("role/deploy"), "{failure}");
        assert!(failure.hint.contains("trust policy"), "{failure}");
        let asked = &log.all()[0];
        assert_eq!(
            (asked.action(), asked.get("RoleSessionName")),
            ("AssumeRole", "ci")
        );
        assert_eq!(
            (
                asked.get("SourceIdentity"),
                asked.get("TransitiveTagKeys.member.1")
            ),
            ("alice", "team")
        );
    }

    #[tokio::test]
    async fn no_connection_is_told_as_unreachable() {
        // Nobody listens on a port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let endpoint = ("sts".to_owned(), format!("http://127.0.0.1:{port}"));
        let aws = Aws::new(Settings {
            endpoints: [endpoint].into(),
            max_retries: Some(0),
            ..settings()
        });
        let failure = aws.account(None).await.unwrap_err();
        assert_eq!(
            (failure.code, failure.class),
            ("EKB1106", Class::Transient),
            "{failure}"
        );
        assert!(failure.cause.contains("cannot reach sts"), "{failure}");
    }

    #[tokio::test]
    async fn a_throttled_look_is_repeated() {
        let calls = AtomicUsize::new(0);
        let (aws, log) = aws(
            Settings {
                max_retries: Some(2),
                ..settings()
            },
            move |_| match calls.fetch_add(1, Ordering::Relaxed) {
                0 => Answer::Error(503, "RequestLimitExceeded", "slow down"),
                _ => Answer::Xml("<availabilityZoneInfo/>".into()),
            },
        );
        assert_eq!(aws.zones("eu-central-1").await.unwrap(), []);
        assert_eq!(log.count("DescribeAvailabilityZones"), 2);
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Written {
        type Writer = Self;
        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[tokio::test]
    async fn at_trace_the_log_tells_the_call_and_no_credentials() {
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(written.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let (aws, _) = aws(settings(), |_| identity("111122223333"));
        aws.account(None).await.unwrap();
        let log = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        for part in ["GetCallerIdentity", "req-1", "attempts", "ms"] {
            assert!(log.contains(part), "{part} is missing in {log}");
        }
        for secret in [
            SECRET,
            "FwoGZXIvYXdzEPLAYED",
            "AKIDPLAYED",
            "Signature",
            "uthorization",
        ] {
            assert!(!log.contains(secret), "{secret} shows in {log}");
        }
    }
}
