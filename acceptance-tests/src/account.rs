//! One emulated account, as tests see it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::control_plane::Kubernetes;
use crate::fault::Fault;
use crate::http;
use crate::wait::until;

/// An account of the emulator. Clones are the same account.
#[derive(Debug, Clone)]
pub struct Account {
    url: String,
    id: String,
    access_key: String,
}

/// One request as the emulator saw it.
#[derive(Debug, Clone, Deserialize)]
pub struct LoggedCall {
    /// Its number in the account's log.
    pub n: usize,
    /// Name of the service's model: `ec2`, `iam`, `logs`, `sts`.
    pub service: String,
    /// For example `CreateNatGateway`.
    pub operation: String,
    /// Region the request was signed for.
    pub region: String,
    /// Whether the operation changes something.
    pub mutating: bool,
    /// Parameters in the shape of the service's model.
    pub params: Value,
    /// HTTP status of the answer; none where there was no answer.
    pub status: Option<u16>,
    /// Error code of the answer.
    pub error: Option<String>,
    /// Message of an error.
    pub message: Option<String>,
    /// Whether it was carried out with success (also where the answer was lost).
    pub applied: bool,
    /// Faults that it met, by action.
    pub faults: Vec<String>,
    /// AWS time in seconds since 1970.
    pub time: f64,
    /// Real seconds from its arrival to its answer.
    #[serde(default)]
    pub seconds: f64,
    /// Request id of the answer.
    pub request_id: String,
    /// Client's `User-Agent`.
    pub user_agent: String,
    /// Made by [`Account::call`] or by a cluster's controllers, not by a program under test.
    pub outside: bool,
    /// What the emulator could not do: a defect of the rig.
    #[serde(default)]
    pub emulator_error: Option<String>,
    /// Process killed by a fault at this call.
    #[serde(default)]
    pub killed: Option<u32>,
}

/// Something that exists in the account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Object {
    /// Name of the service's model.
    pub service: String,
    /// Region; `aws` for global services.
    pub region: String,
    /// For example `nat_gateway`.
    pub kind: String,
    /// AWS id or ARN.
    pub id: String,
    /// Name or description, where it has one.
    pub name: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// An error answer to [`Account::call`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AwsError {
    /// For example `DependencyViolation`.
    pub code: String,
    /// Its text.
    pub message: String,
    /// HTTP status.
    pub status: Option<u16>,
}

/// A program of a controller in a cluster.
#[derive(Debug, Clone, Deserialize)]
pub struct ControllerProgram {
    /// What was asked for: `keda`.
    pub controller: String,
    /// For example `keda-admission-webhooks`.
    pub program: String,
    /// Namespace of the pod in whose place it runs.
    pub namespace: String,
    /// That pod's name.
    pub pod: String,
    /// Id of its supervisor's process.
    pub pid: u32,
    /// Whether it runs.
    pub running: bool,
    /// What it has printed.
    pub log: String,
}

/// Credentials of somebody in the account.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Keys {
    /// Access key.
    pub access_key_id: String,
    /// Secret key.
    pub secret_access_key: String,
    /// Session token of temporary ones.
    pub session_token: Option<String>,
}

impl Account {
    /// How many times as fast as AWS a new account is: a NAT gateway takes half a second.
    pub const DEFAULT_SCALE: f64 = 200.0;
    /// Region of [`Account::ec2`] and of workspaces.
    pub const REGION: &str = "eu-central-1";

    /// A new account with all of this one's snapshots, in which everything is as at this one of them: the same ids, and in ARNs its own
    /// account's. Nothing of what is inside clusters.
    #[must_use]
    pub fn copy(&self, snapshot: &str) -> Self {
        let of = json!({ "of": self.id, "name": snapshot });
        Self::made(&self.url, Some(&of))
    }

    /// A new account of the emulator at `url`.
    pub(crate) fn made(url: &str, of: Option<&Value>) -> Self {
        let made = http::request("POST", &format!("{url}/_ekb/accounts"), of);
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        let account = Self {
            url: url.to_owned(),
            id: text("id"),
            access_key: text("access_key"),
        };
        account.set_time_scale(Self::DEFAULT_SCALE);
        account
    }

    fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        http::request(
            method,
            &format!("{}/_ekb/accounts/{}{path}", self.url, self.id),
            body,
        )
    }

    /// The emulator's address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Twelve digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// An access key of this account.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The secret key that workspaces use: it must never appear in any output.
    #[must_use]
    pub fn secret_key(&self) -> &'static str {
        "ekbSecretThatMustNeverAppear0123456789ab"
    }

    /// What has been asked, in order, without the calls from outside.
    #[must_use]
    pub fn log(&self) -> Vec<LoggedCall> {
        self.log_since(0)
    }

    /// The same from a call's number on.
    ///
    /// # Panics
    /// When the emulator does not answer.
    #[must_use]
    pub fn log_since(&self, n: usize) -> Vec<LoggedCall> {
        let log = self.whole_log(n);
        log.into_iter().filter(|call| !call.outside).collect()
    }

    fn whole_log(&self, n: usize) -> Vec<LoggedCall> {
        let log = self.control("GET", &format!("/log?since={n}"), None);
        serde_json::from_value(log).expect("a log")
    }

    /// The calls that change something.
    #[must_use]
    pub fn mutations(&self) -> Vec<LoggedCall> {
        self.log().into_iter().filter(|call| call.mutating).collect()
    }

    /// Forgets the log; the numbers go on.
    pub fn clear_log(&self) {
        self.control("DELETE", "/log", None);
    }

    /// Everything that exists, listed natively kind by kind (not by tags).
    ///
    /// # Panics
    /// When the emulator does not answer.
    #[must_use]
    pub fn objects(&self) -> Vec<Object> {
        serde_json::from_value(self.control("GET", "/objects", None)).expect("objects")
    }

    /// How many objects of each kind exist.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for object in self.objects() {
            *counts.entry(object.kind).or_default() += 1;
        }
        counts
    }

    /// The leak check.
    ///
    /// # Panics
    /// When something exists.
    #[track_caller]
    pub fn assert_empty(&self) {
        let objects = self.objects();
        assert!(
            objects.is_empty(),
            "left behind in account {}: {objects:#?}",
            self.id
        );
    }

    /// Panics where a call asked for what the emulator cannot do, also one of a cluster's controllers.
    ///
    /// # Panics
    /// See above.
    #[track_caller]
    pub fn assert_understood(&self) {
        let calls: Vec<_> = self
            .whole_log(0)
            .into_iter()
            .filter(|call| call.emulator_error.is_some())
            .collect();
        assert!(calls.is_empty(), "the emulator cannot do: {calls:#?}");
    }

    /// Orders a fault.
    pub fn fault(&self, fault: &Fault) {
        self.control("POST", "/faults", Some(&fault.rule()));
    }

    /// How often faults have fired since they were last cleared.
    #[must_use]
    pub fn faults_fired(&self) -> usize {
        let rules = self.control("GET", "/faults", None);
        let fired = |rule: &Value| usize::try_from(rule["fired"].as_u64().unwrap_or(0)).unwrap_or(0);
        rules.as_array().map_or(0, |rules| rules.iter().map(fired).sum())
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        self.control("DELETE", "/faults", None);
    }

    /// How many AWS seconds pass in a real one. Workspaces hand it to the provider as `EKB_TIME_SCALE`.
    pub fn set_time_scale(&self, scale: f64) {
        self.control("POST", "/settings", Some(&json!({ "time_scale": scale })));
    }

    /// See [`Account::set_time_scale`].
    #[must_use]
    pub fn time_scale(&self) -> f64 {
        self.control("GET", "/settings", None)["time_scale"]
            .as_f64()
            .unwrap_or(1.0)
    }

    /// AWS time jumps ahead.
    pub fn advance(&self, seconds: f64) {
        self.control("POST", "/advance", Some(&json!({ "seconds": seconds })));
    }

    /// What AWS does by itself to an object of [`Account::REGION`]: it gets these values (by their path), and goes through these
    /// states: `["DEGRADED", 60, "ACTIVE"]`. `id` may be its last name too.
    pub fn put(&self, service: &str, kind: &str, id: &str, values: &Value, chain: &Value) {
        let body = json!({
            "service": service, "region": Self::REGION, "kind": kind, "id": id, "values": values, "chain": chain,
        });
        self.control("POST", "/state", Some(&body));
    }

    /// Remembers everything that exists (and how long pending things still take) under a name.
    pub fn snapshot(&self, name: &str) {
        self.control("POST", &format!("/snapshots/{name}"), None);
    }

    /// Makes everything as it was at the snapshot, as often as wanted. The log and the faults stay.
    pub fn restore(&self, name: &str) {
        self.control("POST", &format!("/restore/{name}"), None);
    }

    /// Another AWS service puts a network interface into a subnet of [`Account::REGION`], in use and managed by that service:
    /// `kind` as EC2 names it (`interface`, `network_load_balancer`, `lambda`), for example described `ELB app/shop/0123`.
    /// Gives its id.
    ///
    /// # Panics
    /// When the subnet does not exist.
    #[must_use]
    pub fn foreign_interface(&self, subnet: &str, kind: &str, description: &str) -> String {
        self.foreign_interface_with(subnet, kind, description, &[])
    }

    /// The same with security groups.
    ///
    /// # Panics
    /// When the subnet does not exist.
    #[must_use]
    pub fn foreign_interface_with(
        &self,
        subnet: &str,
        kind: &str,
        description: &str,
        groups: &[&str],
    ) -> String {
        let body = json!({
            "region": Self::REGION, "subnet": subnet, "kind": kind, "description": description, "groups": groups,
        });
        let made = self.control("POST", "/interface", Some(&body));
        made["id"].as_str().expect("an id").to_owned()
    }

    /// The service removes its interface again.
    pub fn remove_foreign_interface(&self, id: &str) {
        self.control(
            "DELETE",
            "/interface",
            Some(&json!({ "region": Self::REGION, "id": id })),
        );
    }

    /// An event of a service of AWS in [`Account::REGION`], for example `EC2 Spot Instance Interruption Warning` of `aws.ec2`. It comes to the
    /// queues of the rules that match, if their policies let `EventBridge` in: to how many.
    #[must_use]
    pub fn event(&self, source: &str, detail_type: &str, detail: &Value) -> u64 {
        let body =
            json!({ "region": Self::REGION, "source": source, "detail_type": detail_type, "detail": detail });
        let sent = self.control("POST", "/event", Some(&body));
        sent["sent"].as_u64().unwrap_or_default()
    }

    /// What EKS finds out about a cluster in [`Account::REGION`], in the shape of `DescribeInsight`; a finding that says nothing else
    /// is an error at the next minor. `refreshed`: only a refresh shows it.
    pub fn insights(&self, cluster: &str, findings: &Value, refreshed: bool) {
        let body = json!({ "cluster": cluster, "region": Self::REGION, "insights": findings, "refreshed": refreshed });
        self.control("POST", "/insights", Some(&body));
    }

    /// The Kubernetes API of an EKS cluster in [`Account::REGION`], with a token that may do everything. Only where the emulator has
    /// control planes ([`crate::Rig::shared_with_clusters`]), and once the cluster is ACTIVE.
    ///
    /// # Panics
    /// Where there is no such cluster.
    #[must_use]
    pub fn cluster(&self, name: &str) -> Kubernetes {
        let behind = self.behind(name);
        let text = |name: &str| behind[name].as_str().expect("a text");
        Kubernetes::new(text("url"), text("ca"), text("token"))
    }

    /// The API server of a cluster in [`Account::REGION`] is gone, for good; EKS knows nothing of it.
    pub fn break_cluster(&self, name: &str) {
        self.control("DELETE", &format!("/clusters/{}/{name}", Self::REGION), None);
    }

    /// The folder of the control plane behind a cluster, and the ids of its supervisors' processes by program.
    ///
    /// # Panics
    /// Where there is no such cluster.
    #[must_use]
    pub fn cluster_processes(&self, name: &str) -> (PathBuf, BTreeMap<String, u32>) {
        let mut behind = self.behind(name);
        let folder = behind["folder"].as_str().expect("a folder").into();
        (
            folder,
            serde_json::from_value(behind["pids"].take()).expect("process ids"),
        )
    }

    /// The real controllers that run in the account's clusters from now on, and no others, each for as long as its pods are there: `keda`,
    /// `karpenter`, `load-balancer-controller`, `metrics-server`. What is left out is broken: its pods are said to be ready, and
    /// nothing happens.
    pub fn run_controllers(&self, names: &[&str]) {
        self.control("POST", "/controllers", Some(&json!({ "run": names })));
    }

    /// The programs of controllers in a cluster of [`Account::REGION`], also those that have ended.
    ///
    /// # Panics
    /// Where there is no such cluster.
    #[must_use]
    pub fn controllers(&self, cluster: &str) -> Vec<ControllerProgram> {
        let path = format!("/controllers/{}/{cluster}", Self::REGION);
        serde_json::from_value(self.control("GET", &path, None)).expect("programs")
    }

    fn behind(&self, name: &str) -> Value {
        self.control("GET", &format!("/clusters/{}/{name}", Self::REGION), None)
    }

    /// The account's own credentials: of `arn:aws:iam::ID:user/rig`.
    #[must_use]
    pub fn keys(&self) -> Keys {
        Keys {
            access_key_id: self.access_key.clone(),
            secret_access_key: self.secret_key().to_owned(),
            session_token: None,
        }
    }

    /// A token as EKS takes it (`aws eks get-token`) for a cluster in [`Account::REGION`].
    ///
    /// # Panics
    /// Where the emulator has no control planes.
    #[must_use]
    pub fn cluster_token(&self, cluster: &str, keys: &Keys) -> String {
        let body = json!({"cluster": cluster, "region": Self::REGION, "access_key": keys.access_key_id,
            "secret_key": keys.secret_access_key, "session_token": keys.session_token});
        let made = self.control("POST", "/token", Some(&body));
        made["token"].as_str().expect("a token").to_owned()
    }

    /// A VPC with subnets in two zones, made by plain calls: their ids.
    ///
    /// # Panics
    /// Where the emulator refuses.
    #[must_use]
    pub fn subnets(&self) -> Vec<String> {
        let vpc = self.ec2("CreateVpc", &json!({"CidrBlock": "10.9.0.0/16"}))["Vpc"]["VpcId"].clone();
        let subnet = |(zone, cidr): (&str, &str)| {
            let zone = format!("{}{zone}", Self::REGION);
            let subnet = json!({"VpcId": vpc, "CidrBlock": cidr, "AvailabilityZone": zone});
            let made = self.ec2("CreateSubnet", &subnet);
            made["Subnet"]["SubnetId"].as_str().expect("an id").to_owned()
        };
        [("a", "10.9.0.0/24"), ("b", "10.9.1.0/24")].map(subnet).into()
    }

    /// A cluster `main` with a control plane behind it, which the provider's identity may enter, and two nodes. What controllers do takes
    /// its own time: the account's clock then runs at twenty times the usual one.
    ///
    /// # Panics
    /// Where the emulator refuses.
    pub fn small_cluster(&self) {
        let subnets = self.subnets();
        self.eks(
            "CreateCluster",
            &json!({
                "name": "main", "version": "1.35", "roleArn": format!("arn:aws:iam::{}:role/cluster", self.id()),
                "resourcesVpcConfig": {"subnetIds": subnets},
                "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": true},
            }),
        );
        self.advance(3600.0);
        until("the cluster", Duration::from_secs(120), || {
            self.eks("DescribeCluster", &json!({"name": "main"}))["cluster"]["status"] == "ACTIVE"
        });
        self.eks(
            "CreateNodegroup",
            &json!({
                "clusterName": "main", "nodegroupName": "nodes", "subnets": subnets, "instanceTypes": ["m7g.large"],
                "nodeRole": format!("arn:aws:iam::{}:role/node", self.id()), "amiType": "AL2023_ARM_64_STANDARD",
                "scalingConfig": {"minSize": 2, "maxSize": 2, "desiredSize": 2},
            }),
        );
        self.set_time_scale(20.0);
    }

    /// Forgets the account, to free the emulator's memory: for sweeps over many accounts.
    pub fn forget(self) {
        self.control("DELETE", "", None);
    }

    /// A call from outside, as another program would make it, with parameters and answer in the shape of the service's model
    /// (boto3's). It meets no faults and is not in [`Account::log`].
    ///
    /// # Errors
    /// What AWS answers.
    ///
    /// # Panics
    /// When the parameters do not fit the model.
    pub fn call(
        &self,
        service: &str,
        region: &str,
        operation: &str,
        params: &Value,
    ) -> Result<Value, AwsError> {
        let body = json!({ "service": service, "region": region, "operation": operation, "params": params });
        let mut answer = self.control("POST", "/call", Some(&body));
        match answer.get("error") {
            Some(error) => Err(serde_json::from_value(error.clone()).expect("an error")),
            None => Ok(answer["result"].take()),
        }
    }

    /// The same for EC2 in [`Account::REGION`]; panics on errors.
    ///
    /// # Panics
    /// On an error answer.
    #[track_caller]
    pub fn ec2(&self, operation: &str, params: &Value) -> Value {
        self.answered("ec2", operation, params)
    }

    /// The same for EKS.
    ///
    /// # Panics
    /// On an error answer.
    #[track_caller]
    pub fn eks(&self, operation: &str, params: &Value) -> Value {
        self.answered("eks", operation, params)
    }

    #[track_caller]
    fn answered(&self, service: &str, operation: &str, params: &Value) -> Value {
        match self.call(service, Self::REGION, operation, params) {
            Ok(result) => result,
            Err(error) => panic!("{operation} {params}: {error:?}"),
        }
    }
}
