//! A create that failed half way, and everything a user may do next.

use acceptance_tests::session::created_before_destroyed;
use acceptance_tests::{Account, Fault, Object, Rig, Session};
use conformance::{Action, Error, Resource};
use serde_json::{Value as Json, json};

use crate::{config, with};

/// A network whose NAT gateway could not be made: what the user has then. Everything that is there has been made by it.
fn failed_create(resource: Resource) -> (Session, Account, Resource, Vec<Object>) {
    let account = Rig::shared().account();
    let session = Session::new(&account);
    let mut resource = resource;
    account.fault(&Fault::deny().on("CreateNatGateway").always());
    let error = session
        .apply(&mut resource, &config())
        .expect_err("no NAT gateway can be made");
    account.clear_faults();
    let text = error.to_string();
    for expected in [
        "CreateNatGateway",
        "EKB1108",
        "Apply again to continue",
        "nothing that exists is destroyed",
        "terraform untaint ADDRESS",
        "prevent_destroy",
    ] {
        assert!(text.contains(expected), "{expected} is not in: {text}");
    }
    assert!(resource.is_tainted(), "core taints what a failed create leaves");
    assert_eq!(resource.get("status"), "incomplete");
    let objects = account.objects();
    assert!(objects.len() > 5, "siblings were finished: {objects:#?}");
    account.clear_log();
    (session, account, resource, objects)
}

fn cidr_of(account: &Account) -> Vec<String> {
    let vpcs = account.ec2("DescribeVpcs", &json!({}));
    let vpcs = vpcs["Vpcs"].as_array().unwrap().iter();
    vpcs.map(|vpc| vpc["CidrBlock"].as_str().unwrap().to_owned())
        .collect()
}

/// What a network of these arguments is made of, where nothing went wrong.
fn undisturbed(config: &Json) -> std::collections::BTreeMap<String, usize> {
    let account = Rig::shared().account();
    Session::new(&account)
        .apply(&mut Resource::new("ekb_network"), config)
        .unwrap();
    account.counts()
}

fn assert_kept(account: &Account, before: &[Object]) {
    let after = account.objects();
    for object in before {
        assert!(
            after.iter().any(|other| other.id == object.id),
            "{} {} was destroyed",
            object.kind,
            object.id
        );
    }
    let deleted: Vec<_> = account
        .mutations()
        .into_iter()
        .filter(|call| {
            ["Delete", "Release", "Detach", "Disassociate", "Revoke"]
                .iter()
                .any(|verb| call.operation.starts_with(verb))
                && !call.operation.starts_with("DeleteTags")
        })
        .collect();
    assert!(deleted.is_empty(), "{deleted:#?}");
}

#[test]
fn destroy_leaves_nothing() {
    let (session, account, mut resource, _) = failed_create(Resource::new("ekb_network"));
    session.destroy(&mut resource).unwrap();
    assert!(resource.is_absent());
    account.assert_empty();
}

#[test]
fn apply_goes_on_and_destroys_nothing() {
    for resource in [
        Resource::new("ekb_network"),
        created_before_destroyed("ekb_network"),
    ] {
        let (session, account, mut resource, before) = failed_create(resource);
        let plan = session.apply(&mut resource, &config()).unwrap();
        assert_eq!(
            plan.action,
            Action::Replace,
            "so core plans it; nothing is destroyed"
        );
        assert_kept(&account, &before);
        assert_eq!(account.counts(), undisturbed(&config()));
        assert!(!resource.is_tainted() && resource.deposed.is_empty());
        session.expect_empty(&mut resource, &config()).unwrap();
        session.destroy(&mut resource).unwrap();
        account.assert_empty();
    }
}

#[test]
fn untaint_plans_an_update() {
    for mut resource in [
        Resource::new("ekb_network"),
        created_before_destroyed("ekb_network"),
    ] {
        resource.lifecycle.prevent_destroy = true;
        let (session, account, mut resource, before) = failed_create(resource);
        let prevented = session.plan(&mut resource, &config());
        assert!(matches!(prevented, Err(Error::Prevented(_))), "{prevented:?}");
        resource.untaint();
        let plan = session.plan(&mut resource, &config()).unwrap();
        assert_eq!(plan.action, Action::Update, "{plan}");
        session.apply_plan(&mut resource, &plan).unwrap();
        assert_kept(&account, &before);
        assert_eq!(account.counts(), undisturbed(&config()));
        assert_eq!(resource.get("status"), "complete");
        session.expect_empty(&mut resource, &config()).unwrap();
    }
}

#[test]
fn another_range_or_name_leaves_no_orphan() {
    for (change, value) in [("cidr", "10.40.0.0/16"), ("name", "other")] {
        let changed = with(&config(), change, value);
        let (session, account, mut resource, _) = failed_create(Resource::new("ekb_network"));
        session.apply(&mut resource, &changed).unwrap();
        assert_eq!(
            account.counts(),
            undisturbed(&changed),
            "after a change of {change}"
        );
        assert_eq!(cidr_of(&account), [changed["cidr"].as_str().unwrap()]);
        session.expect_empty(&mut resource, &changed).unwrap();
        session.destroy(&mut resource).unwrap();
        account.assert_empty();
    }
}

#[test]
fn another_name_leaves_no_orphan_with_create_before_destroy() {
    let changed = with(&config(), "name", "other");
    let (session, account, mut resource, _) = failed_create(created_before_destroyed("ekb_network"));
    session.apply(&mut resource, &changed).unwrap();
    assert_eq!(account.counts(), undisturbed(&changed));
    assert!(resource.deposed.is_empty());
    session.expect_empty(&mut resource, &changed).unwrap();
    session.destroy(&mut resource).unwrap();
    account.assert_empty();
}

#[test]
fn another_range_with_create_before_destroy_is_an_error_before_anything_changes() {
    let changed = with(&config(), "cidr", "10.40.0.0/16");
    let (session, account, mut resource, before) = failed_create(created_before_destroyed("ekb_network"));
    let state = resource.current.clone();
    let error = session
        .apply(&mut resource, &changed)
        .expect_err("the VPC would have to go first")
        .to_string();
    assert!(error.contains("create_before_destroy"), "{error}");
    assert!(account.mutations().is_empty(), "{:#?}", account.mutations());
    assert_eq!(account.objects(), before);
    assert_eq!(
        resource
            .current
            .map(|instance| instance.attributes["vpc_id"].clone()),
        state.map(|instance| instance.attributes["vpc_id"].clone()),
        "the state is what it was"
    );
}

#[test]
fn a_genuine_replacement_with_create_before_destroy_is_refused() {
    let account = Rig::shared().account();
    let session = Session::new(&account);
    let mut resource = created_before_destroyed("ekb_network");
    session.apply(&mut resource, &config()).unwrap();
    let (before, vpc) = (account.objects(), resource.get("vpc_id").clone());
    account.clear_log();
    let changed = with(&config(), "cidr", "10.40.0.0/16");
    let error = session
        .apply(&mut resource, &changed)
        .expect_err("it is refused")
        .to_string();
    assert!(error.contains("create_before_destroy"), "{error}");
    assert_eq!(account.objects(), before);
    assert!(account.mutations().is_empty());
    assert_eq!(resource.get("vpc_id"), &vpc);
    assert!(resource.deposed.is_empty() && !resource.is_tainted());
    session.expect_empty(&mut resource, &config()).unwrap();
}

#[test]
fn an_interrupted_destroy_of_the_deposed_object_destroys_nothing() {
    // The apply that continues asks so often; each of the later questions is where the process may die.
    let (session, account, resource, before) = failed_create(created_before_destroyed("ekb_network"));
    account.snapshot("failed");
    let mut going_on = resource.clone();
    session.apply(&mut going_on, &config()).unwrap();
    let complete = account.counts();
    let reads = account
        .log()
        .iter()
        .filter(|call| call.operation == "DescribeVpcs")
        .count();
    assert!(
        reads >= 3,
        "refresh, create and the destroy of the deposed object look: {reads}"
    );
    let mut interrupted = 0;
    for n in 1..=reads {
        account.restore("failed");
        let mut resource = resource.clone();
        account.fault(&Fault::kill_before().on("DescribeVpcs").nth(n));
        let died = session.apply(&mut resource, &config());
        assert!(died.is_err(), "killed at question {n}");
        account.clear_faults();
        account.clear_log();
        interrupted += usize::from(!resource.deposed.is_empty() && resource.current.is_some());
        session
            .apply(&mut resource, &config())
            .unwrap_or_else(|e| panic!("after a kill at question {n}: {e}"));
        assert_kept(&account, &before);
        assert_eq!(account.counts(), complete, "killed at question {n}");
        assert!(resource.deposed.is_empty());
        session.expect_empty(&mut resource, &config()).unwrap();
    }
    assert!(
        interrupted > 0,
        "no case left a deposed object beside the complete one"
    );
}
