//! Which subcharts take part, under which names, and what they export to their parents.
//!
//! helm changes charts in place here, and charts and their `Chart.yaml` may be reached from two places once an alias has
//! copied a chart: the same is done here, in one list of charts that name each other by index.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{Chart, Dependency, to_json};
use crate::chart::error::Error;
use crate::chart::values::{self, Defaults};
use crate::value::semver::{Constraint, Version};
use crate::value::{Map, Value};

/// The chart with only the subcharts that are enabled, aliases applied, exported values imported, and every chart's
/// [`Chart::path`] set.
///
/// # Errors
/// Values that do not fit.
pub fn process(chart: &Chart, user: &Value) -> Result<Chart, Error> {
    let mut tree = Tree::default();
    let root = tree.add(chart, None);
    tree.enable(root, user, "")?;
    tree.import(root)?;
    Ok(tree.chart(root))
}

/// Names of declared dependencies that are not in `charts/`.
pub fn missing(chart: &Chart) -> Vec<String> {
    chart
        .metadata
        .dependencies
        .iter()
        .flatten()
        .filter(|d| !chart.dependencies.iter().any(|c| c.name() == d.name))
        .map(|d| d.name.clone())
        .collect()
}

/// Charts that refer to each other.
#[derive(Default)]
struct Tree {
    charts: Vec<Node>,
    metadata: Vec<Metadata>,
}

#[derive(Clone)]
struct Node {
    /// What does not change, without its subcharts.
    chart: Chart,
    /// Index of its metadata, which copies may share.
    metadata: usize,
    values: Value,
    subcharts: Vec<usize>,
    /// The chart that it was put into last.
    parent: Option<usize>,
}

#[derive(Clone)]
struct Metadata {
    name: String,
    version: String,
    dependencies: Option<Vec<Dependency>>,
    /// Whether they have been imported from: it happens once, even where charts share the list.
    imported: bool,
}

impl Tree {
    fn add(&mut self, chart: &Chart, parent: Option<usize>) -> usize {
        let index = self.charts.len();
        self.charts.push(Node {
            chart: Chart {
                dependencies: Vec::new(),
                ..chart.clone()
            },
            metadata: self.metadata.len(),
            values: Value::from_json(&chart.values),
            subcharts: Vec::new(),
            parent,
        });
        self.metadata.push(Metadata {
            name: chart.metadata.name.clone(),
            version: chart.metadata.version.clone(),
            dependencies: chart.metadata.dependencies.clone(),
            imported: false,
        });
        let subcharts = chart.dependencies.iter().map(|sub| self.add(sub, Some(index)));
        let subcharts = subcharts.collect();
        self.charts[index].subcharts = subcharts;
        index
    }

    fn metadata(&mut self, chart: usize) -> &mut Metadata {
        &mut self.metadata[self.charts[chart].metadata]
    }

    fn name(&self, chart: usize) -> &str {
        &self.metadata[self.charts[chart].metadata].name
    }

    fn fits(&self, dependency: &Dependency, chart: usize) -> bool {
        let found = &self.metadata[self.charts[chart].metadata];
        if dependency.name != found.name {
            return false;
        }
        match (
            Constraint::parse(&dependency.version),
            Version::parse(&found.version),
        ) {
            (Ok(constraint), Some(version)) => constraint.allows(&version),
            _ => false,
        }
    }

    fn put(&mut self, subcharts: Vec<usize>, parent: usize) {
        for sub in &subcharts {
            self.charts[*sub].parent = Some(parent);
        }
        self.charts[parent].subcharts = subcharts;
    }

    /// A copy under its alias. Its subcharts are copied too, but not their metadata and nothing beneath them.
    fn copy(&mut self, chart: usize, alias: &str) -> usize {
        let index = self.charts.len();
        let mut copy = self.charts[chart].clone();
        let mut metadata = self.metadata[copy.metadata].clone();
        if !alias.is_empty() {
            alias.clone_into(&mut metadata.name);
        }
        copy.metadata = self.metadata.len();
        self.metadata.push(metadata);
        self.charts.push(copy);
        let mut subcharts = Vec::new();
        for sub in self.charts[chart].subcharts.clone() {
            subcharts.push(self.charts.len());
            self.charts.push(self.charts[sub].clone());
        }
        self.put(subcharts, index);
        index
    }

    /// Takes out what is not enabled. Beneath a chart that declares no dependencies nothing is decided.
    fn enable(&mut self, chart: usize, user: &Value, path: &str) -> Result<(), Error> {
        let Some(declared) = self.metadata(chart).dependencies.clone() else {
            return Ok(());
        };
        let present = self.charts[chart].subcharts.clone();
        // Charts that lie in charts/ without being declared stay.
        let mut taken: Vec<usize> = present
            .iter()
            .copied()
            .filter(|sub| !declared.iter().any(|d| self.fits(d, *sub)))
            .collect();
        for dependency in &declared {
            if let Some(found) = present.iter().find(|sub| self.fits(dependency, **sub)) {
                taken.push(self.copy(*found, &dependency.alias));
            }
        }
        self.put(taken, chart);
        let mut declared = declared;
        for dependency in &mut declared {
            if !dependency.alias.is_empty() {
                dependency.name.clone_from(&dependency.alias);
            }
            dependency.enabled = true;
        }
        let all = values::coalesce(&self.defaults(chart), user)?;
        decide_by_tags(&mut declared, &all);
        decide_by_conditions(&mut declared, &all, path);
        let (kept, removed): (Vec<_>, Vec<_>) = declared.into_iter().partition(|d| d.enabled);
        let removed: HashSet<String> = removed.into_iter().map(|d| d.name).collect();
        let mut subcharts = self.charts[chart].subcharts.clone();
        subcharts.retain(|sub| !removed.contains(self.name(*sub)));
        for sub in &subcharts {
            let path = format!("{path}{}.", self.name(*sub));
            self.enable(*sub, &all, &path)?;
        }
        let kept: Vec<_> = kept.into_iter().filter(|d| !removed.contains(&d.name)).collect();
        self.metadata(chart).dependencies = (!kept.is_empty()).then_some(kept);
        self.put(subcharts, chart);
        Ok(())
    }

    /// Gives every chart that declares dependencies the defaults of all charts in it as its own, nulls kept, and what it
    /// imports of them.
    fn import(&mut self, chart: usize) -> Result<(), Error> {
        for sub in self.charts[chart].subcharts.clone() {
            self.import(sub)?;
        }
        let metadata = self.metadata(chart);
        let again = std::mem::replace(&mut metadata.imported, true);
        let Some(mut declared) = metadata.dependencies.clone() else {
            return Ok(());
        };
        let all = Value::Map(values::merge(&self.defaults(chart))?);
        let imported = Map::new(Default::default());
        for dependency in &mut declared {
            let mut done = Vec::new();
            for import in std::mem::take(&mut dependency.import_values) {
                let Some((child, parent)) = child_and_parent(&import).filter(|_| !again) else {
                    continue;
                };
                done.push(json!({"child": child, "parent": parent}));
                let path = format!("{}.{child}", dependency.name);
                let Some(Value::Map(mut found)) = values::at_path(&all, &path) else {
                    continue;
                };
                // What is empty is not shared.
                if found.is_empty() {
                    found = Map::new(Default::default());
                }
                if parent != "." {
                    for part in parent.rsplit('.') {
                        let outer = Map::new(Default::default());
                        outer.set(part, Value::Map(found));
                        found = outer;
                    }
                }
                values::merge_tables(&imported, &found)?;
                // It may contain itself now, and would be merged for ever.
                values::unshared(&all)?;
            }
            dependency.import_values = done;
        }
        self.metadata(chart).dependencies = Some(declared);
        let all = values::unshared(&all)?;
        if let Value::Map(all) = &all {
            values::merge_tables(all, &imported)?;
        }
        self.charts[chart].values = values::unshared(&all)?;
        Ok(())
    }

    fn defaults(&self, chart: usize) -> Defaults {
        let node = &self.charts[chart];
        Defaults {
            name: self.name(chart).to_owned(),
            values: node.values.clone(),
            subcharts: node.subcharts.iter().map(|sub| self.defaults(*sub)).collect(),
        }
    }

    fn path(&self, chart: usize) -> String {
        match self.charts[chart].parent {
            Some(parent) => format!("{}/charts/{}", self.path(parent), self.name(chart)),
            None => self.name(chart).to_owned(),
        }
    }

    fn chart(&self, chart: usize) -> Chart {
        let node = &self.charts[chart];
        let metadata = &self.metadata[node.metadata];
        let mut out = node.chart.clone();
        out.metadata.name.clone_from(&metadata.name);
        out.metadata.dependencies.clone_from(&metadata.dependencies);
        out.values = Arc::new(to_json(&node.values));
        out.path = self.path(chart);
        out.dependencies = node.subcharts.iter().map(|sub| self.chart(*sub)).collect();
        out
    }
}

/// What an entry of `import-values` takes from where to where.
fn child_and_parent(import: &Json) -> Option<(String, String)> {
    match import {
        Json::String(name) => Some((format!("exports.{name}"), ".".to_owned())),
        Json::Object(map) => {
            let path =
                |key: &str| crate::value::gofmt::text(&map.get(key).map_or(Value::Nil, Value::from_json));
            Some((path("child"), path("parent")))
        }
        _ => None,
    }
}

fn decide_by_tags(dependencies: &mut [Dependency], all: &Value) {
    let Some(Value::Map(tags)) = values::at_path(all, "tags") else {
        return;
    };
    for dependency in dependencies {
        let decisions: Vec<bool> = dependency
            .tags
            .iter()
            .filter_map(|tag| match tags.get(tag) {
                Some(Value::Bool(b)) => Some(b),
                _ => None,
            })
            .collect();
        if !decisions.is_empty() {
            dependency.enabled = decisions.contains(&true);
        }
    }
}

fn decide_by_conditions(dependencies: &mut [Dependency], all: &Value, path: &str) {
    for dependency in dependencies {
        for condition in dependency.condition.trim().split(',').filter(|c| !c.is_empty()) {
            if let Some(Value::Bool(b)) = values::at_path(all, &format!("{path}{condition}")) {
                dependency.enabled = b;
                break;
            }
        }
    }
}
