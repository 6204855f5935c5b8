//! The system nodes that are there, and whether a change replaces them.

use std::collections::BTreeMap;

use kubernetes::{Cluster as Connection, disruption};
use reconcile::failure::Failure;
use reconcile::graph::{Graph, without_nulls};
use reconcile::part::Key;
use reconcile::report::Report;
use serde_json::Value;

use super::super::model::Cluster;

/// Of a node group what another value of replaces its nodes (AWS EKS UpdateNodegroupVersion).
const OF_GROUP: [&str; 3] = ["version", "release_version", "launch_template_version"];
/// The same of its launch template: its tags are not rolled.
const OF_TEMPLATE: [&str; 4] = ["disks", "imdsv2_only", "hop_limit", "user_data"];

const TEMPLATE: &str = "launch_template";

/// The code of what does not let pods off their nodes.
pub const HELD: &str = "EKB2240";
/// What helps against it.
pub const HELD_HINT: &str = "Loosen the budget, give its pods more replicas, or move them to other nodes. To take pods off their nodes all \
                             the same set `force_drain = true`.";

/// Node groups of ours and their launch template, as they are.
#[derive(Debug, Default)]
pub struct Nodes(BTreeMap<Key, Value>);

impl Nodes {
    /// Those that an apply finds.
    pub fn of_report(found: &Report) -> Self {
        let objects = found.objects.iter();
        Self::of(objects.map(|(key, fields)| (key.clone(), fields.clone())))
    }

    /// Those that the last refresh found.
    pub fn of_state(state: &Cluster) -> Self {
        Self::of(objects(state))
    }

    /// Those that are declared.
    pub fn of_graph(graph: &Graph) -> Self {
        let fields = |key: &Key| Some((key.clone(), graph.fields(key)?.clone()));
        Self::of(graph.keys().filter_map(fields))
    }

    fn of(objects: impl Iterator<Item = (Key, Value)>) -> Self {
        let is_it = |key: &Key| key.0.starts_with("node_group/") || key.0 == TEMPLATE;
        Self(objects.filter(|(key, _)| is_it(key)).collect())
    }

    fn groups(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.0.iter().filter(|(key, _)| key.0 != TEMPLATE)
    }

    /// By which their nodes are found; none where there are none.
    fn selector(&self) -> Option<String> {
        let names = self.names();
        (!names.is_empty()).then(|| format!("eks.amazonaws.com/nodegroup in ({})", names.join(",")))
    }

    /// What never lets go of pods on them, a sentence each.
    pub async fn never_let_go(&self, cluster: &Connection) -> Result<Vec<String>, Failure> {
        match self.selector() {
            Some(selector) => disruption::never_met(cluster, &selector).await,
            None => Ok(Vec::new()),
        }
    }

    /// What holds pods on them at present, for a drain that has failed.
    pub async fn held(&self, cluster: &Connection) -> Result<Vec<String>, Failure> {
        match self.selector() {
            Some(selector) => disruption::holding(cluster, &selector).await,
            None => Ok(Vec::new()),
        }
    }

    /// The names of the node groups.
    pub fn names(&self) -> Vec<String> {
        let name = |(_, fields): (&Key, &Value)| fields["name"].as_str().map(str::to_owned);
        self.groups().filter_map(name).collect()
    }

    /// Whether what is declared replaces any of them.
    pub fn are_replaced_by(&self, target: &Graph) -> bool {
        // Which groups there will be is not known.
        if !target.keys().any(|key| key.0.starts_with("node_group/")) {
            return false;
        }
        let differs = |key: &Key, is: &Value, fields: &[&str]| match target.fields(key) {
            None => true,
            Some(should) => {
                let (is, should) = (without_nulls(is), without_nulls(should));
                // What is not declared is left to EKS.
                fields.iter().any(|field| {
                    should
                        .get(field)
                        .is_some_and(|should| is.get(field) != Some(should))
                })
            }
        };
        self.groups().any(|(key, is)| differs(key, is, &OF_GROUP))
            || self
                .0
                .get_key_value(&Key::from(TEMPLATE))
                .is_some_and(|(key, is)| differs(key, is, &OF_TEMPLATE))
    }
}

/// The version of the control plane that the last refresh found.
pub fn control_plane(state: &Cluster) -> Option<String> {
    let (_, cluster) = objects(state).find(|(key, _)| key.0 == "cluster")?;
    cluster["version"].as_str().map(str::to_owned)
}

fn objects(state: &Cluster) -> impl Iterator<Item = (Key, Value)> {
    let objects = state.common.objects.known().into_iter().flatten();
    objects.filter_map(|(key, text)| Some((Key(key.clone()), serde_json::from_str(text.known()?).ok()?)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use framework::Attr;

    use super::super::super::graph::graph;
    use super::super::super::model::SystemNodes;
    use super::*;

    fn cluster(version: &str, nodes: SystemNodes) -> Graph {
        let mut model = Cluster {
            name: "test".into(),
            kubernetes_version: version.into(),
            subnet_ids: Attr::Known(BTreeSet::from([Attr::Known("subnet-1".to_owned())])),
            system_nodes: Attr::Known(nodes),
            ..Cluster::default()
        };
        model.common.region = "eu-central-1".into();
        graph(&model).unwrap()
    }

    #[test]
    fn nodes_are_replaced_by_what_they_are_made_of() {
        let there = Nodes::of_graph(&cluster("1.35", SystemNodes::default()));
        let replaced = |version, nodes| there.are_replaced_by(&cluster(version, nodes));
        let nodes = SystemNodes::default;
        assert_eq!(there.names().len(), 1);
        assert!(!replaced("1.35", nodes()));
        assert!(replaced("1.36", nodes()));
        let size = SystemNodes {
            min: Attr::Known(3),
            max_unavailable: Attr::Known(2),
            ..nodes()
        };
        assert!(!replaced("1.35", size));
        let disk = SystemNodes {
            disk_gib: Attr::Known(100),
            ..nodes()
        };
        assert!(replaced("1.35", disk));
        let types = SystemNodes {
            instance_types: Attr::Known(BTreeSet::from(["m7g.large".to_owned()])),
            ..nodes()
        };
        assert!(replaced("1.35", types));
    }
}
