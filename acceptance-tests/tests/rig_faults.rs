//! The rig itself: every fault fires when it should, does what it says, and is in the log. No provider is needed.
#![allow(missing_docs, reason = "tests")]

mod support;

use acceptance_tests::{Account, Fault, Rig, Stopwatch};
use serde_json::{Value, json};
use support::{Network, client, nat_state, refused, text};

fn account() -> Account {
    let account = Rig::shared().account();
    account.set_time_scale(0.001);
    account
}

/// Error codes (null: success) of CreateVpc so often.
fn create_vpcs(account: &Account, times: usize) -> Vec<Value> {
    let script = format!(
        "for n in range({times}): say(attempt(ec2.create_vpc, CidrBlock=f'10.{{n}}.0.0/16').get('error'))"
    );
    client(account, &script).0
}

fn vpcs(account: &Account) -> usize {
    account.counts().get("vpc").copied().unwrap_or(0)
}

#[test]
fn a_fault_meets_the_nth_call_so_often_and_no_other() {
    let account = account();
    account.fault(&Fault::throttle().on("CreateVpc").nth(2).times(2));
    let said = create_vpcs(&account, 5);
    let throttled = json!("RequestLimitExceeded");
    assert_eq!(
        said,
        [
            Value::Null,
            throttled.clone(),
            throttled,
            Value::Null,
            Value::Null
        ]
    );
    assert_eq!((vpcs(&account), account.faults_fired()), (3, 2));
    let fired: Vec<_> = account.log().iter().map(|call| call.faults.len()).collect();
    assert_eq!(fired, [0, 1, 1, 0, 0]);
    assert_eq!(account.log()[1].status, Some(503));
    assert!(!account.log()[1].applied);
    account.clear_faults();
    assert_eq!(create_vpcs(&account, 1), [Value::Null]);
}

#[test]
fn throttling_5xx_and_denial_are_in_each_services_words() {
    let script = "iam, logs = client('iam'), client('logs')\n\
                  for f in [ec2.describe_vpcs, iam.list_roles, client('sts').get_caller_identity, logs.describe_log_groups,\n\
                            client('eks').list_clusters, client('elasticache').describe_replication_groups,\n\
                            client('mq').list_brokers]:\n\
                  \x20   e = attempt(f); say([e.get('error'), e.get('status')])";
    let said = |fault: Fault| {
        let account = account();
        account.fault(&fault.always());
        client(&account, script).0
    };
    assert_eq!(
        said(Fault::throttle()),
        [
            json!(["RequestLimitExceeded", 503]),
            json!(["Throttling", 400]),
            json!(["Throttling", 400]),
            json!(["ThrottlingException", 400]),
            json!(["ThrottlingException", 429]),
            json!(["Throttling", 400]),
            json!(["TooManyRequestsException", 429]),
        ]
    );
    assert_eq!(
        said(Fault::server_error())[..2],
        [json!(["InternalError", 500]), json!(["ServiceUnavailable", 503])]
    );
    assert_eq!(
        said(Fault::deny())[..2],
        [
            json!(["UnauthorizedOperation", 403]),
            json!(["AccessDenied", 403])
        ]
    );
    assert_eq!(
        said(Fault::error("VpcLimitExceeded", 400, "no more"))[0],
        json!(["VpcLimitExceeded", 400])
    );
}

#[test]
fn a_denied_read_denies_only_that_one() {
    let account = account();
    account.fault(&Fault::deny().on("DescribeSubnets").always());
    let script = "say([attempt(ec2.describe_vpcs).get('error'), attempt(ec2.describe_subnets).get('error')])";
    assert_eq!(
        client(&account, script).0,
        [json!([null, "UnauthorizedOperation"])]
    );
}

#[test]
fn a_reset_is_not_applied_and_a_lost_response_is() {
    let account = account();
    account.fault(&Fault::reset().mutating());
    let said = create_vpcs(&account, 1);
    assert_eq!((said, vpcs(&account)), (vec![json!("ConnectionClosedError")], 0));
    account.clear_faults();
    account.fault(&Fault::lose_response().mutating());
    let said = create_vpcs(&account, 1);
    assert_eq!((said, vpcs(&account)), (vec![json!("ConnectionClosedError")], 1));
    let log = account.log();
    assert_eq!((log[0].applied, log[1].applied), (false, true));
    assert_eq!(
        (&log[0].faults[..], &log[1].faults[..]),
        (&["reset".to_owned()][..], &["lose".to_owned()][..])
    );
}

#[test]
fn a_kill_ends_the_process_before_or_after_the_call_is_applied() {
    for (fault, expected) in [(Fault::kill_before(), 1), (Fault::kill_after(), 2)] {
        let account = account();
        account.fault(&fault.mutating().nth(2));
        let script = "say(os.getpid())\n\
                      for n in range(3): say(attempt(ec2.create_vpc, CidrBlock=f'10.{n}.0.0/16').get('error'))";
        let (said, killed) = client(&account, script);
        assert!(killed, "{said:?}");
        assert_eq!(said.len(), 2, "its process id, and the answer of the first call");
        assert_eq!(vpcs(&account), expected);
        assert_eq!(
            account.log()[1].killed.map(|process| json!(process)),
            Some(said[0].clone())
        );
        assert_eq!(account.log()[1].applied, expected == 2);
        assert_eq!(
            create_vpcs(&account, 1),
            [Value::Null],
            "the next process is left alone"
        );
    }
}

#[test]
fn of_a_killed_process_nothing_more_is_applied() {
    let account = account();
    account.fault(&Fault::kill_before().mutating().nth(3));
    let script = "from concurrent.futures import ThreadPoolExecutor\n\
                  make = lambda n: attempt(ec2.create_vpc, CidrBlock=f'10.{n}.0.0/16')\n\
                  list(ThreadPoolExecutor(8).map(make, range(8)))";
    let (_, killed) = client(&account, script);
    assert!(killed);
    assert_eq!(vpcs(&account), 2, "of 8 parallel calls, those before the kill");
}

#[test]
fn a_slow_answer_is_slow() {
    let account = account();
    account.fault(&Fault::slow(0.7).on("DescribeVpcs"));
    let watch = Stopwatch::start();
    let script = "import time; t = time.time(); attempt(ec2.describe_vpcs); say(time.time() - t)";
    let took = client(&account, script).0[0].as_f64().expect("a number");
    assert!((0.7..3.0).contains(&took), "{took} ({:?})", watch.elapsed());
}

#[test]
fn a_new_object_can_stay_invisible_to_reads() {
    let account = account();
    account.fault(&Fault::invisible_for_calls(2).on("CreateVpc"));
    let script = "v = ec2.create_vpc(CidrBlock='10.0.0.0/16')['Vpc']['VpcId']\n\
                  say(len(ec2.describe_vpcs()['Vpcs']))\n\
                  say(attempt(ec2.describe_vpcs, VpcIds=[v]).get('error'))\n\
                  say(len(ec2.describe_vpcs(VpcIds=[v])['Vpcs']))";
    assert_eq!(
        client(&account, script).0,
        [json!(0), json!("InvalidVpcID.NotFound"), json!(1)]
    );
}

#[test]
fn invisibility_can_last_for_a_time_and_hold_for_writes_too() {
    let account = account();
    account.fault(
        &Fault::invisible_for_seconds(30.0)
            .also_for_writes()
            .on_any(&["CreateSubnet", "AllocateAddress"])
            .times(2),
    );
    let script = "v = ec2.create_vpc(CidrBlock='10.0.0.0/16')['Vpc']['VpcId']\n\
                  s = ec2.create_subnet(VpcId=v, CidrBlock='10.0.0.0/24')['Subnet']['SubnetId']\n\
                  a = ec2.allocate_address()['AllocationId']\n\
                  say(attempt(ec2.create_nat_gateway, SubnetId=s, ConnectivityType='private').get('error'))\n\
                  say([len(ec2.describe_subnets()['Subnets']), len(ec2.describe_addresses()['Addresses']), len(ec2.describe_vpcs()['Vpcs'])])";
    assert_eq!(
        client(&account, script).0,
        [json!("InvalidSubnetID.NotFound"), json!([0, 0, 1])]
    );
    assert_eq!(account.counts()["address"], 1, "the native list shows it");
    account.advance(30.0);
    let script = "say([len(ec2.describe_subnets()['Subnets']), len(ec2.describe_addresses()['Addresses'])])";
    assert_eq!(client(&account, script).0, [json!([1, 1])]);
}

#[test]
fn what_has_a_name_of_its_own_can_be_invisible_too() {
    let account = account();
    account.fault(
        &Fault::invisible_for_calls(1)
            .on_any(&["CreateRole", "CreateLogGroup", "CreateFlowLogs"])
            .times(3),
    );
    let script = "iam, logs = client('iam'), client('logs')\n\
                  iam.create_role(RoleName='r', AssumeRolePolicyDocument='{\"Version\": \"2012-10-17\", \"Statement\": []}')\n\
                  say([attempt(iam.get_role, RoleName='r').get('error') for _ in range(2)])\n\
                  logs.create_log_group(logGroupName='/g')\n\
                  say([len(logs.describe_log_groups()['logGroups']) for _ in range(2)])\n\
                  v = ec2.create_vpc(CidrBlock='10.0.0.0/16')['Vpc']['VpcId']\n\
                  ec2.create_flow_logs(ResourceType='VPC', ResourceIds=[v], TrafficType='ALL', LogGroupName='/g', DeliverLogsPermissionArn='arn:aws:iam::1:role/r')\n\
                  say([len(ec2.describe_flow_logs()['FlowLogs']) for _ in range(2)])";
    let (said, _) = client(&account, script);
    assert_eq!(
        said,
        [json!(["NoSuchEntity", null]), json!([0, 1]), json!([0, 1])]
    );
}

#[test]
fn a_nat_gateway_can_be_made_to_fail_with_a_reason() {
    let account = account();
    let network = Network::make(&account);
    account.fault(
        &Fault::fail_later("InsufficientFreeAddressesInSubnet", "no address left").on("CreateNatGateway"),
    );
    let script = format!(
        "say(ec2.create_nat_gateway(SubnetId='{}', AllocationId='{}')['NatGateway']['NatGatewayId'])",
        network.subnet, network.address
    );
    let nat = text(&client(&account, &script).0[0]);
    assert_eq!(nat_state(&account, &nat), "pending");
    assert_eq!(
        refused(
            &account,
            "ReleaseAddress",
            &json!({"AllocationId": network.address})
        ),
        "AuthFailure"
    );
    account.advance(20.0);
    let seen = account.ec2("DescribeNatGateways", &json!({"NatGatewayIds": [nat]}))["NatGateways"][0].clone();
    assert_eq!(
        (&seen["State"], &seen["FailureCode"]),
        (&json!("failed"), &json!("InsufficientFreeAddressesInSubnet"))
    );
    account.ec2("ReleaseAddress", &json!({"AllocationId": network.address}));
    assert_eq!(account.counts().get("network_interface"), None);
}

#[test]
fn faults_can_pick_by_what_a_request_says() {
    let account = account();
    account.fault(
        &Fault::server_error()
            .service("ec2")
            .on("Create*")
            .with("10.1.0.0/16")
            .always(),
    );
    assert_eq!(
        create_vpcs(&account, 3),
        [Value::Null, json!("InternalError"), Value::Null]
    );
}

#[test]
fn calls_from_outside_meet_no_faults_and_are_not_in_the_log() {
    let account = account();
    account.fault(&Fault::deny().always());
    account.ec2("CreateVpc", &json!({"CidrBlock": "10.0.0.0/16"}));
    assert_eq!(
        (vpcs(&account), account.log().len(), account.faults_fired()),
        (1, 0, 0)
    );
}

#[test]
fn the_log_tells_what_was_asked_and_answered() {
    let account = account();
    let script = "v = ec2.create_vpc(CidrBlock='10.0.0.0/16', TagSpecifications=[{'ResourceType': 'vpc', 'Tags': [{'Key': 'a', 'Value': 'b'}]}])\n\
                  attempt(ec2.delete_vpc, VpcId='vpc-00000000000000000')\n\
                  client('logs').create_log_group(logGroupName='/g')\n\
                  client('eks').list_clusters(maxResults=3)";
    client(&account, script);
    let log = account.log();
    let asked: Vec<_> = log
        .iter()
        .map(|call| (call.service.as_str(), call.operation.as_str(), call.mutating))
        .collect();
    assert_eq!(
        asked,
        [
            ("ec2", "CreateVpc", true),
            ("ec2", "DeleteVpc", true),
            ("logs", "CreateLogGroup", true),
            ("eks", "ListClusters", false)
        ]
    );
    assert_eq!(
        log[0].params["TagSpecifications"][0]["Tags"][0],
        json!({"Key": "a", "Value": "b"})
    );
    assert_eq!(
        (log[0].status, &log[0].region[..], log[0].applied),
        (Some(200), "eu-central-1", true)
    );
    assert_eq!(
        (log[1].status, log[1].error.as_deref(), log[1].applied),
        (Some(400), Some("InvalidVpcID.NotFound"), false)
    );
    assert_eq!(
        (&log[2].params["logGroupName"], &log[3].params["maxResults"]),
        (&json!("/g"), &json!(3))
    );
    assert_eq!(account.mutations().len(), 3);
    account.clear_log();
    assert_eq!(account.log().len(), 0);
    account.assert_understood();
}
