//! A cloud of files: what a service would keep, one JSON file for each object.

use std::io::ErrorKind;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Loss, Made, Object, Pace, Tags,
};
use serde_json::{Value, json};

use super::parts::CloudPart;

/// The folder of the objects.
#[derive(Debug, Clone)]
pub struct Cloud(pub PathBuf);

impl Cloud {
    fn file(&self, kind: &str, name: &str) -> PathBuf {
        self.0.join(format!("{kind}.{name}.json"))
    }

    fn read(&self, kind: &str) -> Vec<Value> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names
            .filter(|name| name.starts_with(&format!("{kind}.")) && name.ends_with(".json"))
            .collect();
        names.sort();
        let read = |name: &String| serde_json::from_slice(&std::fs::read(self.0.join(name)).ok()?).ok();
        names.iter().filter_map(read).collect()
    }

    fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.read(kind)
            .into_iter()
            .find(|object| object["fields"]["name"] == name)
    }

    fn put(&self, kind: &str, name: &str, object: &Value) -> Result<(), Failure> {
        let written = std::fs::create_dir_all(&self.0)
            .and_then(|()| std::fs::write(self.file(kind, name), format!("{object:#}")));
        written.map_err(|error| Failure::new(Class::Other, format!("writing {name}"), error.to_string()))
    }

    /// Ends the call where a test has written it into the file `refused`, and notes it in `calls.log` where not.
    fn begin(&self, call: &str) -> Result<(), Failure> {
        let refused = std::fs::read_to_string(self.0.join("refused")).unwrap_or_default();
        if refused.lines().any(|line| line == call) {
            return Err(Failure::new(Class::Denied, call, "the test refuses it"));
        }
        let log = self.0.join("calls.log");
        let before = std::fs::read_to_string(&log).unwrap_or_default();
        let noted =
            std::fs::create_dir_all(&self.0).and_then(|()| std::fs::write(log, format!("{before}{call}\n")));
        noted.map_err(|error| Failure::new(Class::Other, call, error.to_string()))
    }
}

/// Objects of one kind.
pub struct Files<P>(pub Cloud, pub PhantomData<fn() -> P>);

impl<P: CloudPart> Files<P> {
    fn object(&self, object: &Value) -> Object {
        let tags: Tags = serde_json::from_value(object["tags"].clone()).unwrap_or_default();
        let mut fields = object["fields"].clone();
        fields["tags"] = json!(tags);
        let name = fields["name"].as_str().unwrap_or_default().to_owned();
        let within = fields.get("cluster").and_then(Value::as_str);
        Object {
            arn: Some(format!("arn:exercise:{}/{name}", P::KIND)),
            condition: Condition::Settled,
            references: within.map(str::to_owned).into_iter().collect(),
            outputs: P::outputs(&name),
            id: name,
            fields,
            tags,
            detail: Value::Null,
        }
    }
}

#[async_trait]
impl<P: CloudPart> Kind for Files<P> {
    type Part = P;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: P::KIND,
            title: P::KIND,
            deletion_order: 0,
            idempotence: Idempotence::NaturalKey,
            invisible_for: Duration::from_secs(1),
            pace: Pace {
                create: Duration::ZERO,
                delete: Duration::ZERO,
                limit: Duration::from_secs(10),
            },
            reads: &[],
            writes: &[],
        }
    }

    fn parent(&self) -> Option<&'static str> {
        P::PARENT
    }

    fn loss(&self) -> Loss {
        P::LOSS
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let doing = format!("listing {}", P::KIND);
        if self.0.0.join(format!("unreachable.{}", P::KIND)).exists() {
            return Err(Failure::new(
                Class::Other,
                doing,
                "there is no route to the cluster",
            ));
        }
        if P::PARENT.is_some() && ask.parents.is_empty() {
            return Err(Failure::new(Class::Other, doing, "asked without a cluster"));
        }
        Ok(self
            .0
            .read(P::KIND)
            .iter()
            .map(|object| self.object(object))
            .collect())
    }

    async fn create(&self, part: &P, call: &Call) -> Result<Made, Failure> {
        let mut fields = call.document(&json!(part))?;
        let own: Tags = serde_json::from_value(fields["tags"].take()).unwrap_or_default();
        let name = fields["name"].as_str().unwrap_or_default().to_owned();
        let doing = format!("create {} {name}", P::KIND);
        if self.0.get(P::KIND, &name).is_some() {
            return Err(Failure::new(Class::Exists, doing, "it exists"));
        }
        self.0.begin(&doing)?;
        let object = json!({"fields": fields, "tags": call.tags(&own)});
        self.0.put(P::KIND, &name, &object)?;
        Ok(Made::settled(name))
    }

    async fn update(
        &self,
        _part: &P,
        is: &Object,
        differences: &[Difference],
        _call: &Call,
    ) -> Result<(), Failure> {
        let doing = format!("update {} {}", P::KIND, is.id);
        self.0.begin(&doing)?;
        let gone = || Failure::new(Class::NotFound, &doing, "it is gone");
        let mut object = self.0.get(P::KIND, &is.id).ok_or_else(gone)?;
        for difference in differences {
            P::allows(difference).map_err(|why| Failure::new(Class::Invalid, &doing, why))?;
            object["fields"][&difference.field] = difference.should.clone();
        }
        self.0.put(P::KIND, &is.id, &object)
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let doing = format!("tag {} {id}", P::KIND);
        self.0.begin(&doing)?;
        let gone = || Failure::new(Class::NotFound, &doing, "it is gone");
        let mut object = self.0.get(P::KIND, id).ok_or_else(gone)?;
        let mut tags: Tags = serde_json::from_value(object["tags"].clone()).unwrap_or_default();
        tags.extend(set.clone());
        tags.retain(|key, _| !remove.contains(key));
        object["tags"] = json!(tags);
        self.0.put(P::KIND, id, &object)
    }

    async fn delete(&self, object: &Object, _call: &Call) -> Result<Deleted, Failure> {
        let doing = format!("delete {} {}", P::KIND, object.id);
        let mut within = self.0.read("addon").into_iter();
        if P::KIND == "cluster" && within.any(|addon| addon["fields"]["cluster"] == object.id) {
            return Err(Failure::new(Class::Busy, doing, "there are add-ons in it"));
        }
        self.0.begin(&doing)?;
        match std::fs::remove_file(self.0.file(P::KIND, &object.id)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::new(Class::Other, doing, error.to_string()))
            }
            _ => Ok(Deleted::Gone),
        }
    }
}
