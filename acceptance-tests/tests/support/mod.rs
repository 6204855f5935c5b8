//! What the tests of the rig share: small networks, and a client that is a process of its own.
#![allow(dead_code, clippy::expect_used, reason = "tests; each file uses some of it")]

use std::process::{Command, Stdio};

use acceptance_tests::{Account, tool};
use serde_json::{Value, json};

pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text, not {value}"))
        .to_owned()
}

/// A VPC with an internet gateway, one subnet and one address.
pub struct Network {
    pub vpc: String,
    pub gateway: String,
    pub subnet: String,
    pub address: String,
}

impl Network {
    pub fn make(account: &Account) -> Self {
        let vpc = text(&account.ec2("CreateVpc", &json!({"CidrBlock": "10.0.0.0/16"}))["Vpc"]["VpcId"]);
        let subnet = json!({"VpcId": vpc, "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "eu-central-1a"});
        let subnet = text(&account.ec2("CreateSubnet", &subnet)["Subnet"]["SubnetId"]);
        let gateway =
            text(&account.ec2("CreateInternetGateway", &json!({}))["InternetGateway"]["InternetGatewayId"]);
        account.ec2(
            "AttachInternetGateway",
            &json!({"InternetGatewayId": gateway, "VpcId": vpc}),
        );
        let address = text(&account.ec2("AllocateAddress", &json!({"Domain": "vpc"}))["AllocationId"]);
        Self {
            vpc,
            gateway,
            subnet,
            address,
        }
    }

    /// A NAT gateway in it; gives its id.
    pub fn nat(&self, account: &Account) -> String {
        let nat = json!({"SubnetId": self.subnet, "AllocationId": self.address});
        text(&account.ec2("CreateNatGateway", &nat)["NatGateway"]["NatGatewayId"])
    }
}

pub fn nat_state(account: &Account, id: &str) -> String {
    text(&account.ec2("DescribeNatGateways", &json!({"NatGatewayIds": [id]}))["NatGateways"][0]["State"])
}

/// The code of the error that this call must give.
pub fn refused(account: &Account, operation: &str, params: &Value) -> String {
    match account.call("ec2", Account::REGION, operation, params) {
        Ok(result) => panic!("{operation} {params} went through: {result}"),
        Err(error) => error.code,
    }
}

const CLIENT: &str = "
import json, os, sys, boto3
from botocore.config import Config
from botocore.exceptions import ClientError, BotoCoreError
def client(service):
    return boto3.client(service, region_name='eu-central-1', endpoint_url=os.environ['URL'], config=Config(retries={'total_max_attempts': 1}))
ec2 = client('ec2')
def attempt(f, **p):
    try:
        r = f(**p); r.pop('ResponseMetadata', None); return r
    except ClientError as e:
        return {'error': e.response['Error']['Code'], 'status': e.response['ResponseMetadata']['HTTPStatusCode']}
    except BotoCoreError as e:
        return {'error': type(e).__name__}
def say(x): print(json.dumps(x, default=str), flush=True)
";

/// Runs Python with boto3 as a client that meets faults; gives each line that `say` printed, and whether it was killed.
pub fn client(account: &Account, script: &str) -> (Vec<Value>, bool) {
    client_with_key(account, account.access_key(), script)
}

pub fn client_with_key(account: &Account, key: &str, script: &str) -> (Vec<Value>, bool) {
    let output = Command::new(tool("venv"))
        .args(["-c", &format!("{CLIENT}{script}")])
        .env("URL", account.url())
        .env("AWS_ACCESS_KEY_ID", key)
        .env("AWS_SECRET_ACCESS_KEY", "unused")
        .stdin(Stdio::null())
        .output()
        .expect("python runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    let killed = std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(9);
    assert!(killed || output.status.success(), "{errors}");
    let lines = String::from_utf8_lossy(&output.stdout);
    (
        lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect(),
        killed,
    )
}

/// Addresses on which a process listens, as the kernel writes them: 127.0.0.1 is `0100007F`.
pub fn listening(process: u32) -> Vec<String> {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .expect("it runs")
        .flatten()
        .filter_map(|entry| {
            std::fs::read_link(entry.path())
                .ok()?
                .into_os_string()
                .into_string()
                .ok()
        })
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut all = Vec::new();
    for table in ["tcp", "tcp6"] {
        let table = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        for row in table.lines().skip(1) {
            let fields: Vec<&str> = row.split_whitespace().collect();
            if fields[3] == "0A" && sockets.iter().any(|inode| inode == fields[9]) {
                all.push(fields[1].to_owned());
            }
        }
    }
    all
}

pub fn children(process: u32) -> Vec<u32> {
    let mut all = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{process}/task"))
        .expect("it runs")
        .flatten()
    {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        all.extend(
            children
                .split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
    }
    all
}
