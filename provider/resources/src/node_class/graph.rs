//! The objects of a node class.

use std::collections::{BTreeMap, BTreeSet};

use framework::Attr;
use kubernetes::Manifest;
use reconcile::graph::{Graph, Unknowns};
use reconcile::part::Target;
use serde_json::{Map, Value, json};

use super::classes::class;
use super::model::{Budget, NodeClass, Requirement, Taint};
use crate::cluster::kubelet;

/// The part of the EC2NodeClass.
pub const CLASS: &str = "class";
/// The part of the NodePool.
pub const POOL: &str = "pool";

/// The types of Karpenter.
pub const NODE_POOL: &str = "karpenter.sh/v1/NodePool";
/// See [`NODE_POOL`].
pub const EC2_NODE_CLASS: &str = "karpenter.k8s.aws/v1/EC2NodeClass";

/// The tag by which subnets and security groups of a cluster are found.
const DISCOVERY: &str = "karpenter.sh/discovery";

/// The parts; none while it is not known in which cluster they are, or how they are called.
pub fn graph(model: &NodeClass) -> Option<Graph> {
    let (cluster, name) = (model.cluster.known()?, model.name.known()?);
    let mut graph = Graph::new();
    let mut unknown = Unknowns::default();
    let object = json!({
        "apiVersion": "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": { "name": name },
        "spec": node_class(model, cluster, &mut unknown),
    });
    let class = Manifest::new(Target::Id(cluster.clone()), object);
    let class = graph.part_with(CLASS, class, unknown);
    graph.root(&class);
    let mut unknown = Unknowns::default();
    let object = json!({
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": { "name": name },
        "spec": node_pool(model, name, &mut unknown),
    });
    let pool = Manifest::new(Target::Id(cluster.clone()), object).after(class.ready());
    graph.part_with(POOL, pool, unknown);
    Some(graph)
}

/// The field in which everything is that users choose.
const SPEC: &str = "spec";

/// Puts the value in, where there is one.
fn put<T: Into<Value> + Clone>(
    into: &mut Map<String, Value>,
    name: &str,
    value: &Attr<T>,
    unknown: &mut Unknowns,
) {
    match value {
        Attr::Known(value) => drop(into.insert(name.to_owned(), value.clone().into())),
        Attr::Unknown => unknown.note(SPEC),
        Attr::Null => {}
    }
}

/// What is given, or nothing.
fn given<T: Clone + Default>(value: &Attr<T>, unknown: &mut Unknowns) -> T {
    unknown.take(SPEC, value, T::default())
}

fn node_class(model: &NodeClass, cluster: &str, unknown: &mut Unknowns) -> Value {
    let alias = given(&model.ami_alias, unknown);
    let mut ebs = json!({ "encrypted": true, "volumeType": "gp3", "deleteOnTermination": true });
    ebs["volumeSize"] = format!("{}Gi", given(&model.disk_gib, unknown)).into();
    if let Attr::Known(key) = &model.disk_kms_key_arn {
        ebs["kmsKeyID"] = key.as_str().into();
    } else if model.disk_kms_key_arn.is_unknown() {
        unknown.note(SPEC);
    }
    let mut spec = Map::new();
    spec.insert("amiSelectorTerms".to_owned(), json!([{ "alias": alias }]));
    put(&mut spec, "role", &model.node_role, unknown);
    for (field, ids) in [
        ("subnetSelectorTerms", &model.subnet_ids),
        ("securityGroupSelectorTerms", &model.security_group_ids),
    ] {
        spec.insert(field.to_owned(), selector(ids, cluster, unknown));
    }
    // Bottlerocket keeps what is not its own on a second disk.
    let device = match alias.split('@').next() {
        Some("bottlerocket") => "/dev/xvdb",
        Some(windows) if windows.starts_with("windows") => "/dev/sda1",
        _ => "/dev/xvda",
    };
    spec.insert(
        "blockDeviceMappings".to_owned(),
        json!([{ "deviceName": device, "ebs": ebs, "rootVolume": true }]),
    );
    if device == "/dev/xvdb" {
        spec["blockDeviceMappings"][0]["rootVolume"] = Value::Null;
    }
    spec.insert(
        "metadataOptions".to_owned(),
        json!({
            "httpEndpoint": "enabled",
            "httpProtocolIPv6": "disabled",
            "httpPutResponseHopLimit": given(&model.metadata_hop_limit, unknown),
            "httpTokens": "required",
        }),
    );
    let tags = given(&model.instance_tags, unknown);
    if !tags.is_empty() {
        spec.insert("tags".to_owned(), json!(tags));
    }
    match &model.kubelet {
        Attr::Unknown => unknown.note(SPEC),
        Attr::Known(settings) => put(&mut spec, "kubelet", &kubelet::as_object(settings), unknown),
        Attr::Null => {}
    }
    put(&mut spec, "userData", &model.user_data, unknown);
    spec.into()
}

/// Which subnets or security groups: those of the ids, or those of the cluster's tag.
fn selector(ids: &Attr<BTreeSet<Attr<String>>>, cluster: &str, unknown: &mut Unknowns) -> Value {
    let ids = match ids {
        Attr::Null => return json!([{ "tags": { DISCOVERY: cluster } }]),
        ids => given(ids, unknown),
    };
    let terms = ids.iter().map(|id| json!({ "id": given(id, unknown) }));
    terms.collect()
}

/// What instances have to have: by label, the user's over that of the arguments over the class's.
pub fn requirements(model: &NodeClass, unknown: &mut Unknowns) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let mut require = |key: &str, operator: &str, values: Vec<String>| {
        let value = json!({ "key": key, "operator": operator, "values": values });
        all.insert(key.to_owned(), value);
    };
    let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
    require("kubernetes.io/os", "In", vec!["linux".to_owned()]);
    if let Some(class) = model.class.known().and_then(|name| class(name)) {
        for (key, operator, values) in class.requirements {
            require(key, operator, texts(values));
        }
    }
    for (key, given) in [
        ("karpenter.sh/capacity-type", &model.capacity_types),
        ("kubernetes.io/arch", &model.architectures),
        ("topology.kubernetes.io/zone", &model.zones),
    ] {
        match given {
            Attr::Known(values) => require(key, "In", values.iter().cloned().collect()),
            Attr::Unknown => unknown.note(SPEC),
            Attr::Null => {}
        }
    }
    for (key, one) in given(&model.requirements, unknown) {
        all.insert(key.clone(), requirement(&key, &one, unknown));
    }
    all
}

fn requirement(key: &str, given_one: &Requirement, unknown: &mut Unknowns) -> Value {
    let operator = unknown.take(SPEC, &given_one.operator, "In".to_owned());
    let mut value = json!({ "key": key, "operator": operator });
    let values = given(&given_one.values, unknown);
    if !values.is_empty() {
        value["values"] = json!(values);
    }
    if let Attr::Known(least) = given_one.min_values {
        value["minValues"] = least.into();
    } else if given_one.min_values.is_unknown() {
        unknown.note(SPEC);
    }
    value
}

fn taints(given_ones: BTreeMap<String, Taint>, unknown: &mut Unknowns) -> Value {
    let one = |(key, taint): (String, Taint)| {
        let effect = unknown.take(SPEC, &taint.effect, "NoSchedule".to_owned());
        let mut value = json!({ "key": key, "effect": effect });
        let text = given(&taint.value, unknown);
        if !text.is_empty() {
            value["value"] = text.into();
        }
        value
    };
    given_ones.into_iter().map(one).collect()
}

fn budget(given_one: Budget, unknown: &mut Unknowns) -> Value {
    let mut all = Map::new();
    put(&mut all, "nodes", &given_one.nodes, unknown);
    let reasons = given(&given_one.reasons, unknown);
    if !reasons.is_empty() {
        all.insert("reasons".to_owned(), json!(reasons));
    }
    put(&mut all, "schedule", &given_one.schedule, unknown);
    put(&mut all, "duration", &given_one.duration, unknown);
    all.into()
}

fn node_pool(model: &NodeClass, name: &str, unknown: &mut Unknowns) -> Value {
    let class = model.class.known().and_then(|name| class(name));
    if class.is_none() {
        unknown.note(SPEC);
    }
    let mut labels = BTreeMap::from([("workload".to_owned(), given(&model.class, unknown))]);
    labels.extend(given(&model.labels, unknown));
    let requirements: Vec<Value> = requirements(model, unknown).into_values().collect();
    let mut template = json!({
        "nodeClassRef": { "group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": name },
        "requirements": requirements,
        "expireAfter": given(&model.expire_after, unknown),
    });
    let usual = || -> BTreeMap<String, Taint> {
        let taints = class.map(|class| class.taints).unwrap_or_default().iter();
        let taint = |value: &Option<&str>| Taint {
            value: Attr::from_option(value.map(str::to_owned)),
            effect: Attr::Null,
        };
        taints
            .map(|(key, value)| ((*key).to_owned(), taint(value)))
            .collect()
    };
    let own = match &model.taints {
        Attr::Null => usual(),
        taints => given(taints, unknown),
    };
    for (field, all) in [
        ("taints", own),
        ("startupTaints", given(&model.startup_taints, unknown)),
    ] {
        if !all.is_empty() {
            template[field] = taints(all, unknown);
        }
    }
    if let Attr::Known(grace) = &model.termination_grace_period {
        template["terminationGracePeriod"] = grace.as_str().into();
    } else if model.termination_grace_period.is_unknown() {
        unknown.note(SPEC);
    }
    let mut disruption = json!({
        "consolidationPolicy": given(&model.consolidation_policy, unknown),
        "consolidateAfter": given(&model.consolidate_after, unknown),
    });
    if !model.budgets.is_null() {
        let budgets = given(&model.budgets, unknown).into_iter();
        disruption["budgets"] = budgets.map(|one| budget(one, unknown)).collect();
    }
    let limits = match &model.limits {
        Attr::Null => BTreeMap::from([("cpu".to_owned(), "1000".to_owned())]),
        limits => given(limits, unknown),
    };
    let mut spec = json!({
        "template": { "metadata": { "labels": labels }, "spec": template },
        "disruption": disruption,
    });
    if !limits.is_empty() {
        spec["limits"] = json!(limits);
    }
    if let Attr::Known(weight) = model.weight {
        spec["weight"] = weight.into();
    } else if model.weight.is_unknown() {
        unknown.note(SPEC);
    }
    spec
}
