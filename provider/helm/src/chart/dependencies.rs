//! Which subcharts take part, under which names, and what they export to their parents.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value as Json;

use super::{Chart, Dependency, to_json};
use crate::error::Error;
use crate::functions::semvers::{Constraint, Version};
use crate::value::{Map, Value};
use crate::values;

/// The chart with only the subcharts that are enabled, aliases applied, exported values imported.
///
/// # Errors
/// Values that do not fit.
pub fn process(chart: &Chart, user: &Value) -> Result<Chart, Error> {
    let mut chart = chart.clone();
    enable(&mut chart, user, "")?;
    import(&mut chart)?;
    Ok(chart)
}

/// Names of declared dependencies that are not in `charts/`.
pub fn missing(chart: &Chart) -> Vec<String> {
    chart
        .metadata
        .dependencies
        .iter()
        .filter(|d| !chart.dependencies.iter().any(|c| c.name() == d.name))
        .map(|d| d.name.clone())
        .collect()
}

fn fits(dependency: &Dependency, chart: &Chart) -> bool {
    if dependency.name != chart.name() {
        return false;
    }
    match (
        Constraint::parse(&dependency.version),
        Version::parse(&chart.metadata.version),
    ) {
        (Ok(constraint), Some(version)) => constraint.allows(&version),
        _ => false,
    }
}

fn enable(chart: &mut Chart, user: &Value, path: &str) -> Result<(), Error> {
    if chart.metadata.dependencies.is_empty() {
        for sub in &mut chart.dependencies {
            let path = format!("{path}{}.", sub.name());
            enable(sub, user, &path)?;
        }
        return Ok(());
    }
    let mut declared = chart.metadata.dependencies.clone();
    // Charts that lie in charts/ without being declared stay.
    let mut present: Vec<Chart> = chart
        .dependencies
        .iter()
        .filter(|c| !declared.iter().any(|d| fits(d, c)))
        .cloned()
        .collect();
    for dependency in &mut declared {
        if let Some(found) = chart.dependencies.iter().find(|c| fits(dependency, c)) {
            let mut copy = found.clone();
            if !dependency.alias.is_empty() {
                copy.metadata.name.clone_from(&dependency.alias);
            }
            present.push(copy);
        }
        if !dependency.alias.is_empty() {
            dependency.name.clone_from(&dependency.alias);
        }
        dependency.enabled = true;
    }
    chart.dependencies = present;
    chart.metadata.dependencies = declared;
    let all = values::coalesce(chart, user)?;
    decide_by_tags(&mut chart.metadata.dependencies, &all);
    decide_by_conditions(&mut chart.metadata.dependencies, &all, path);
    let removed: HashSet<String> = chart
        .metadata
        .dependencies
        .iter()
        .filter(|d| !d.enabled)
        .map(|d| d.name.clone())
        .collect();
    chart.dependencies.retain(|c| !removed.contains(c.name()));
    chart.metadata.dependencies.retain(|d| d.enabled);
    for sub in &mut chart.dependencies {
        let path = format!("{path}{}.", sub.name());
        enable(sub, &all, &path)?;
    }
    Ok(())
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

fn import(chart: &mut Chart) -> Result<(), Error> {
    for sub in &mut chart.dependencies {
        import(sub)?;
    }
    if chart
        .metadata
        .dependencies
        .iter()
        .all(|d| d.import_values.is_empty())
    {
        return Ok(());
    }
    let all = values::merge(chart)?;
    let imported = Map::new(Default::default());
    for dependency in &chart.metadata.dependencies {
        for entry in &dependency.import_values {
            let (child, parent) = match entry {
                Json::String(name) => (format!("exports.{name}"), ".".to_owned()),
                Json::Object(map) => (
                    map.get("child")
                        .and_then(Json::as_str)
                        .unwrap_or_default()
                        .to_owned(),
                    map.get("parent")
                        .and_then(Json::as_str)
                        .unwrap_or_default()
                        .to_owned(),
                ),
                _ => continue,
            };
            let Some(Value::Map(found)) = values::at_path(&all, &format!("{}.{child}", dependency.name))
            else {
                continue;
            };
            let mut value = Value::Map(found).deep_copy();
            for part in parent.split('.').rev().filter(|p| !p.is_empty()) {
                value = Value::map([(part.to_owned(), value)]);
            }
            if let Value::Map(value) = value {
                values::merge_tables(&imported, &value);
            }
        }
    }
    if let Value::Map(all) = &all {
        values::merge_tables(all, &imported);
    }
    chart.values = Arc::new(to_json(&all));
    Ok(())
}
