//! Names that earlier versions gave to parts and resources: what bears them is found, and gets the new ones.

use serde_json::Value;

use crate::part::{Key, Owner};
use crate::report::Known;

/// The type in an owner's name, of a resource of this name.
pub(crate) fn owner_type(name: &'static str) -> &'static str {
    name.split_once('_').map_or(name, |(_, rest)| rest)
}

/// Names of earlier versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Formerly {
    /// Names of the resource (`ekb_net`): a `moved` block leads from them.
    pub names: &'static [&'static str],
    /// Keys of parts, or what stands before the `/` in them: as they were, and as they are now.
    pub parts: &'static [(&'static str, &'static str)],
}

impl Formerly {
    /// The owners' names under which things of this owner may be found.
    pub(crate) fn resources(&self, owner: &Owner) -> Vec<String> {
        let name = owner.resource.split_once('/').map_or("", |(_, name)| name);
        self.types().map(|of| format!("{of}/{name}")).collect()
    }

    /// The types by which owners were named.
    pub(crate) fn types(&self) -> impl Iterator<Item = &'static str> {
        self.names.iter().map(|name| owner_type(name))
    }

    /// The key as it is now; none where it has not changed.
    fn renamed(&self, key: &str) -> Option<String> {
        self.parts.iter().find_map(|(old, new)| {
            let rest = key.strip_prefix(old)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{new}{rest}"))
        })
    }

    /// The key as it is now.
    pub(crate) fn key(&self, key: Key) -> Key {
        self.renamed(&key.0).map_or(key, Key)
    }

    /// What the state says, with the keys as they are now, in references too.
    pub(crate) fn rename(&self, known: Known) -> Known {
        if self.parts.is_empty() {
            return known;
        }
        let objects = known.objects.into_iter();
        Known {
            ids: known
                .ids
                .into_iter()
                .map(|(key, id)| (self.key(key), id))
                .collect(),
            objects: objects
                .map(|(key, fields)| (self.key(key), self.references(fields)))
                .collect(),
            kinds: known
                .kinds
                .into_iter()
                .map(|(key, kind)| (self.key(key), kind))
                .collect(),
            outputs: known
                .outputs
                .into_iter()
                .map(|(key, of)| (self.key(key), of))
                .collect(),
            kept: known
                .kept
                .into_iter()
                .map(|(key, why)| (self.key(key), why))
                .collect(),
            ..known
        }
    }

    fn references(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.renamed(&text).unwrap_or(text)),
            Value::Array(list) => list.into_iter().map(|value| self.references(value)).collect(),
            Value::Object(map) => map
                .into_iter()
                .map(|(name, value)| (name, self.references(value)))
                .collect(),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::part::key;
    use crate::report::Allowed;
    use crate::simulated::{FAULTS, Fault, ROUTES, SUBNET, Sim, VPC, World};
    use crate::tests::{made_in, texts, update};

    const FORMERLY: Formerly = Formerly {
        names: &["ekb_net"],
        parts: &[("zone", "subnet"), ("table", "routes/all")],
    };

    /// A network with its keys as they were, or as they are.
    fn network(subnet: &str, routes: &str) -> Graph {
        let mut graph = Graph::new();
        let vpc = graph.part("vpc", Sim::<VPC>::default());
        for (index, zone) in ["a", "b"].into_iter().enumerate() {
            let of = Sim::<SUBNET> {
                cidr: index as u32,
                within: vec![vpc.made()],
                ..Sim::default()
            };
            graph.part(key(subnet, zone), of);
        }
        let table = Sim::<ROUTES> {
            within: vec![vpc.made()],
            ..Sim::default()
        };
        graph.part(routes, table);
        graph
    }

    #[test]
    fn keys_are_renamed_whole_or_before_their_position() {
        let renamed = ["zone/a", "zones/a", "zone", "table", "table/x"].map(|key| FORMERLY.key(key.into()).0);
        assert_eq!(
            renamed,
            ["subnet/a", "zones/a", "subnet", "routes/all", "routes/all/x"]
        );
    }

    /// The next version of the provider on what an earlier one made, interrupted at every call.
    #[tokio::test(start_paused = true)]
    async fn what_an_earlier_version_made_is_kept_and_renamed() {
        let (before, after) = (network("zone", "table"), network("subnet", "routes/all"));
        let (origin, known) = made_in(World::hasty(), &before).await;
        origin.rest().await;
        // The type had another name too.
        origin.with(|state| {
            for thing in state.things.values_mut() {
                thing.tags.insert("ekb:resource".into(), "net/main".into());
            }
        });
        let known = FORMERLY.rename(known).of(&after);
        assert!(after.changes(&known).is_empty(), "{:?}", after.changes(&known));
        let expected = {
            let (world, _) = made_in(World::hasty(), &after).await;
            world.rest().await;
            world.picture()
        };
        let mut cases = 0;
        for fault in FAULTS.into_iter().filter(|fault| *fault != Fault::MadeFails) {
            for at in 0.. {
                let case = format!("{fault:?} at call {at}");
                let mut world = origin.snapshot();
                let calls = world.calls();
                world.plan(at, fault);
                let upgrade = async |mut engine: crate::engine::Engine| {
                    engine.formerly = FORMERLY;
                    let stages = [after.clone()];
                    engine
                        .reconcile(&stages, &known, &Allowed::none(), &update("one"))
                        .await
                };
                world.process(upgrade).await;
                if !world.with(|state| state.fired) {
                    break;
                }
                cases += 1;
                world.with(|state| state.fault = None);
                let outcome = world.process(upgrade).await.unwrap();
                assert!(outcome.is_done(), "{case}: {}", texts(&outcome));
                assert!(outcome.report.drift.is_empty(), "{case}");
                let log = world.with(|state| state.log[calls..].join("\n"));
                assert!(
                    !log.contains("create") && !log.contains("delete"),
                    "{case}: {log}"
                );
                assert_eq!(world.picture(), expected, "{case}");
                assert!(!world.process(upgrade).await.unwrap().changed, "{case}");
            }
        }
        assert!(cases >= 4 * 8, "{cases}");
        // Half of it under the old names, half under the new ones: all goes.
        let mut world = origin.snapshot();
        world.meddle("zone/a", |thing| {
            _ = thing.tags.insert("ekb:part".into(), "subnet/a".into())
        });
        let destroyed = world
            .process(async |mut engine| {
                engine.formerly = FORMERLY;
                engine.destroy(Some(&after), &known, Some("one")).await
            })
            .await
            .unwrap();
        assert!(
            destroyed.is_done() && world.picture().is_empty(),
            "{}",
            texts(&destroyed)
        );
    }
}
