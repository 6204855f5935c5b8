//! A small provider that keeps every rule: one resource with every kind of attribute, kept in files.
//!
//! Environment: `EXERCISE_DIR` is the folder of its "cloud", one JSON file for each thing. `EXERCISE_KILL=n` ends the
//! process at the n-th change of the cloud, `-n` right after it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use framework::{
    Applied, Arguments, Attr, Configured, Context, Create, DataSource, Delete, Diagnostic, Diagnostics,
    Function, FunctionError, HostInfo, Import, Model, Offers, Plan, PrivateState, Provider, Read, Resource,
    Secret, Set, Update, Value,
};

/// What the binaries say of themselves.
pub const ABOUT: plugin::About = plugin::About {
    name: "exercise",
    version: "1.0.0",
    address: "registry.terraform.io/ekb/exercise",
    summary: "keeps things in files.",
    crates: &[],
};

/// A rule.
#[derive(Debug, Clone, Default, PartialEq, Model)]
pub struct Port {
    /// Number.
    #[attribute(required, validate(range(1..=65535)))]
    pub number: Attr<i64>,
    /// What is done.
    #[attribute(default = "allow")]
    pub action: Attr<String>,
    /// Made by the service.
    #[attribute(computed, keep)]
    pub rule_id: Attr<String>,
}

/// A label.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Model)]
pub struct Door {
    /// Colour.
    #[attribute(required)]
    pub colour: Attr<String>,
    /// Whether it is locked.
    #[attribute(optional)]
    pub locked: Attr<bool>,
    /// Made by the service.
    #[attribute(computed)]
    pub serial: Attr<String>,
}

/// A disk.
#[derive(Debug, Clone, Default, PartialEq, Model)]
pub struct Disk {
    /// Size in GiB.
    #[attribute(required)]
    pub size: Attr<i64>,
    /// Path of the device.
    #[attribute(computed)]
    pub device: Attr<String>,
}

/// A thing in a file.
#[derive(Debug, Clone, Default, PartialEq, Model)]
pub struct Thing {
    /// Name.
    #[attribute(required, replace, validate(length(1..=20), pattern("^[a-z]+$")))]
    pub name: Attr<String>,
    /// Size.
    #[attribute(default = 1, validate(range(1..=5)))]
    pub size: Attr<i64>,
    /// Any text.
    #[attribute(optional)]
    pub note: Attr<String>,
    /// Zone; chosen by the service where not set.
    #[attribute(optional, computed, keep)]
    pub zone: Attr<String>,
    /// Whether it is on.
    #[attribute(optional)]
    pub on: Attr<bool>,
    /// Words.
    #[attribute(optional)]
    pub words: Attr<Vec<String>>,
    /// Labels.
    #[attribute(optional)]
    pub labels: Attr<BTreeMap<String, String>>,
    /// Anything at all.
    #[attribute(optional)]
    pub anything: Attr<Value>,
    /// The first port.
    #[attribute(optional)]
    pub main: Attr<Port>,
    /// Ports.
    #[attribute(optional)]
    pub ports: Attr<Vec<Port>>,
    /// Ports by name.
    #[attribute(optional)]
    pub named: Attr<BTreeMap<String, Port>>,
    /// A port that the service sets where nobody else does.
    #[attribute(optional, computed, keep)]
    pub spare: Attr<Port>,
    /// Doors.
    #[attribute(optional)]
    pub doors: Attr<Set<Door>>,
    /// Password.
    #[attribute(optional, write_only)]
    pub password_wo: Attr<Secret<String>>,
    /// Disks.
    #[block]
    pub disk: Attr<Vec<Disk>>,
    /// Id.
    #[attribute(computed, keep)]
    pub id: Attr<String>,
    /// How often it was changed.
    #[attribute(computed)]
    pub revision: Attr<i64>,
}

/// What identifies a thing.
#[derive(Debug, Clone, PartialEq, Model)]
pub struct ThingIdentity {
    /// Id.
    #[attribute(required)]
    pub id: Attr<String>,
}

/// The folder where things live.
pub struct Cloud {
    folder: PathBuf,
    kill: i64,
    changes: AtomicI64,
}

impl Cloud {
    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    fn load(&self, id: &str) -> Option<Thing> {
        use framework::AttributeType as _;
        let json = serde_json::from_slice(&std::fs::read(self.path(id)).ok()?).ok()?;
        let value = Value::from_json(&json, &Thing::block().ty()).ok()?;
        Thing::decode(&value, &framework::Path::root()).ok()
    }

    fn change(&self, change: impl FnOnce()) {
        let count = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        if count == self.kill {
            std::process::abort();
        }
        change();
        if count == -self.kill {
            std::process::abort();
        }
    }

    fn save(&self, thing: &Thing) {
        use framework::AttributeType as _;
        let id = thing.id.known().cloned().unwrap_or_default();
        let json = thing.encode().unknown_as_null().to_json(&Thing::block().ty());
        let text = json.map(|json| json.to_string()).unwrap_or_default();
        self.change(|| drop(std::fs::write(self.path(&id), text)));
    }
}

fn fill(attr: &mut Attr<String>, text: &str) {
    if !attr.is_known() && !attr.is_null() {
        *attr = Attr::from(text);
    }
}

/// What only the service knows.
fn made(mut thing: Thing, revision: i64) -> Thing {
    let id = format!("t-{}", thing.name.known().cloned().unwrap_or_default());
    fill(&mut thing.id, &id);
    fill(&mut thing.zone, "zone-a");
    thing.revision = if thing.revision.is_unknown() {
        Attr::from(revision)
    } else {
        thing.revision
    };
    if let Attr::Known(port) = &mut thing.main {
        fill(&mut port.rule_id, "r-main");
    }
    if thing.spare.is_unknown() {
        thing.spare = Attr::Known(Port {
            number: Attr::from(9),
            action: Attr::from("allow"),
            rule_id: Attr::from("r-own"),
        });
    }
    if let Attr::Known(port) = &mut thing.spare {
        fill(&mut port.rule_id, "r-spare");
    }
    if let Attr::Known(doors) = &mut thing.doors {
        let serial = |mut door: Door| {
            let colour = door.colour.known().cloned().unwrap_or_default();
            fill(&mut door.serial, &format!("s-{colour}"));
            door
        };
        *doors = std::mem::take(doors).into_iter().map(serial).collect();
    }
    if let Attr::Known(ports) = &mut thing.ports {
        ports
            .iter_mut()
            .enumerate()
            .for_each(|(i, port)| fill(&mut port.rule_id, &format!("r-{i}")));
    }
    if let Attr::Known(ports) = &mut thing.named {
        ports
            .iter_mut()
            .for_each(|(name, port)| fill(&mut port.rule_id, &format!("r-{name}")));
    }
    if let Attr::Known(disks) = &mut thing.disk {
        disks
            .iter_mut()
            .enumerate()
            .for_each(|(i, disk)| fill(&mut disk.device, &format!("/dev/{i}")));
    }
    thing
}

struct ThingResource;

#[async_trait]
impl Resource<Cloud> for ThingResource {
    type Model = Thing;
    type Identity = ThingIdentity;

    const NAME: &'static str = "exercise_thing";
    const VERSION: i64 = 1;

    fn validate(&self, config: &Thing, out: &mut Diagnostics) {
        if config.note.known().is_some_and(|note| note == "forbidden") {
            out.error("T001", "note", "Forbidden note", "This note is forbidden.");
        }
    }

    async fn plan(&self, _cx: &Context<Cloud>, plan: &mut Plan<Thing>) {
        if plan.kind != framework::PlanKind::Destroy {
            plan.private.set("planned", "yes");
        }
    }

    async fn create(&self, cx: &Context<Cloud>, request: Create<Thing>) -> Applied<Thing> {
        let cloud = match cx.configured() {
            Ok(cloud) => cloud,
            Err(errors) => return Applied::failed(None, request.private, errors),
        };
        let mut private = request.private;
        private.set("made", "yes");
        let fails = request.config.note.known().is_some_and(|note| note == "half");
        let thing = made(request.planned, 1);
        cloud.save(&thing);
        if fails {
            return Applied::failed(
                Some(thing),
                private,
                Diagnostic::error("T002", "Half made", "As asked."),
            );
        }
        cloud.save(&thing);
        Applied::done(thing, private)
    }

    async fn read(&self, cx: &Context<Cloud>, request: Read<Thing, ThingIdentity>) -> Applied<Thing> {
        match cx.configured() {
            Ok(cloud) => match request.state.id.known().and_then(|id| cloud.load(id)) {
                Some(found) => Applied::done(found, request.private),
                None => Applied::gone(),
            },
            Err(errors) => Applied::failed(Some(request.state), request.private, errors),
        }
    }

    async fn update(&self, cx: &Context<Cloud>, request: Update<Thing>) -> Applied<Thing> {
        match cx.configured() {
            Ok(cloud) => {
                let revision = request.prior.revision.known().copied().unwrap_or_default() + 1;
                let thing = made(request.planned, revision);
                cloud.save(&thing);
                Applied::done(thing, request.private)
            }
            Err(errors) => Applied::failed(Some(request.prior), request.private, errors),
        }
    }

    async fn delete(&self, cx: &Context<Cloud>, request: Delete<Thing>) -> Applied<Thing> {
        match cx.configured() {
            Ok(cloud) => {
                let id = request.prior.id.known().cloned().unwrap_or_default();
                cloud.change(|| drop(std::fs::remove_file(cloud.path(&id))));
                Applied::gone()
            }
            Err(errors) => Applied::failed(Some(request.prior), request.private, errors),
        }
    }

    async fn import(&self, cx: &Context<Cloud>, from: Import<ThingIdentity>) -> Applied<Thing> {
        let id = match from {
            Import::Id(id) => id,
            Import::Identity(identity) => identity.id.known().cloned().unwrap_or_default(),
        };
        match cx.configured() {
            Ok(cloud) => cloud
                .load(&id)
                .map_or_else(Applied::gone, |t| Applied::done(t, PrivateState::new())),
            Err(errors) => Applied::failed(None, PrivateState::new(), errors),
        }
    }

    fn identity(&self, state: &Thing) -> Option<ThingIdentity> {
        Some(ThingIdentity { id: state.id.clone() })
    }

    fn upgrade(&self, _version: i64, mut state: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        // Version 0 called the name "title".
        state["name"] = state["title"].take();
        Ok(state)
    }
}

/// Counts letters.
#[derive(Debug, Clone, PartialEq, Model)]
pub struct Letters {
    /// Text.
    #[attribute(required)]
    pub text: Attr<String>,
    /// How many.
    #[attribute(computed)]
    pub count: Attr<i64>,
}

struct LettersSource;

#[async_trait]
impl DataSource<Cloud> for LettersSource {
    type Model = Letters;

    const NAME: &'static str = "exercise_letters";

    async fn read(
        &self,
        _cx: &Context<Cloud>,
        config: Letters,
        _: &mut Diagnostics,
    ) -> Result<Letters, Diagnostics> {
        let count = config.text.known().map_or(0, |text| text.chars().count());
        Ok(Letters {
            count: Attr::from(i64::try_from(count).unwrap_or(i64::MAX)),
            ..config
        })
    }
}

#[derive(Arguments)]
struct JoinArguments {
    /// Between the parts.
    separator: String,
    /// What is joined.
    #[argument(variadic)]
    parts: Vec<String>,
}

struct Join;

impl Function for Join {
    type Arguments = JoinArguments;
    type Return = String;

    const NAME: &'static str = "join";
    const SUMMARY: &'static str = "Joins texts.";

    fn call(&self, arguments: JoinArguments) -> Result<String, FunctionError> {
        if arguments.parts.iter().any(|part| part == "bad") {
            return Err(FunctionError::of_argument(1, "a bad part"));
        }
        Ok(arguments.parts.join(&arguments.separator))
    }
}

/// The exercise provider.
#[derive(Debug, Clone, PartialEq, Model)]
pub struct Config {
    /// Region.
    #[attribute(default = "here")]
    pub region: Attr<String>,
}

/// The provider.
pub struct Exercise;

#[async_trait]
impl Provider for Exercise {
    type Config = Config;
    type Context = Cloud;

    async fn configure(
        &self,
        config: Config,
        _host: &HostInfo,
        warnings: &mut Diagnostics,
    ) -> Result<Configured<Cloud>, Diagnostics> {
        if config.region == Attr::from("odd") {
            warnings.warning("T003", "region", "Odd region", "Odd.");
        }
        let folder = std::env::var_os("EXERCISE_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let kill = std::env::var("EXERCISE_KILL")
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        Ok(std::sync::Arc::new(Cloud {
            folder,
            kill,
            changes: AtomicI64::new(0),
        })
        .into())
    }

    fn offers(&self) -> Offers<Cloud> {
        Offers::new()
            .resource(ThingResource)
            .data_source(LettersSource)
            .function(Join)
    }
}
