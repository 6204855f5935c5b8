//! A provider with one resource that has every kind of attribute, and whose operations each test can replace.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use framework::{
    Applied, Arguments, Attr, Choice, Configured, Context, Create, DataSource, Delete, Diagnostic,
    Diagnostics, Function, FunctionError, HostInfo, Import, Marker, Model, MoveSource, Offers, Plan,
    PrivateState, Provider, Read, Resource, Secret, Set, Timeouts, Update, Value,
};
use serde_json::Value as Json;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Choice)]
pub enum Mode {
    PerZone,
    Single,
    #[choice("none")]
    Off,
}

/// A rule.
#[derive(Debug, Clone, Default, PartialEq, Model)]
pub struct Rule {
    /// Port.
    #[attribute(required, validate(range(1..=65535)))]
    pub port: Attr<i64>,
    /// What is done.
    #[attribute(default = "allow")]
    pub action: Attr<String>,
    /// Made by the service.
    #[attribute(computed, keep)]
    pub rule_id: Attr<String>,
}

/// A door.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Model)]
pub struct Door {
    /// Colour.
    #[attribute(required)]
    pub colour: Attr<String>,
    /// Made by the service.
    #[attribute(computed)]
    pub serial: Attr<String>,
}

/// A ticket.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Model)]
pub struct Ticket {
    /// Row.
    #[attribute(required)]
    pub row: Attr<i64>,
    /// Price.
    #[attribute(default = 5)]
    pub price: Attr<i64>,
}

/// A disk.
#[derive(Debug, Clone, Default, PartialEq, Model)]
pub struct Disk {
    /// Size in GiB.
    #[attribute(required)]
    pub size: Attr<i64>,
    /// Kind of disk.
    #[attribute(optional, replace)]
    pub kind: Attr<String>,
    /// Path of the device.
    #[attribute(computed)]
    pub device: Attr<String>,
}

/// A thing.
///
/// Second paragraph, with `code`.
#[derive(Debug, Clone, Default, PartialEq, Model)]
pub struct Thing {
    /// Name.
    #[attribute(required, replace, validate(length(1..=40), pattern("[a-z-]+")))]
    pub name: Attr<String>,
    /// Size.
    #[attribute(default = 1, validate(range(1..=5)))]
    pub size: Attr<i64>,
    /// Anything.
    #[attribute(optional)]
    pub note: Attr<String>,
    /// Zone; chosen by the service where not set.
    #[attribute(optional, computed)]
    pub zone: Attr<String>,
    /// Mode.
    #[attribute(default = "per_zone")]
    pub mode: Attr<Mode>,
    /// Networks.
    #[attribute(optional, conflicts("note"))]
    pub networks: Attr<Vec<ipnet::Ipv4Net>>,
    /// Password.
    #[attribute(optional, write_only, required_with("password_wo_version"), validate(length(..=20), pattern("[a-z0-9]*")))]
    pub password_wo: Attr<Secret<String>>,
    /// Changes with the password.
    #[attribute(optional)]
    pub password_wo_version: Attr<i64>,
    /// Labels.
    #[attribute(optional)]
    pub labels: Attr<BTreeMap<String, String>>,
    /// Rules.
    #[attribute(optional)]
    pub rules: Attr<Vec<Rule>>,
    /// Doors.
    #[attribute(optional)]
    pub doors: Attr<Set<Door>>,
    /// Tickets.
    #[attribute(optional)]
    pub tickets: Attr<Set<Ticket>>,
    /// Anything at all.
    #[attribute(optional)]
    pub anything: Attr<Value>,
    /// A network that nobody may know.
    #[attribute(optional, sensitive)]
    pub hidden_network: Attr<ipnet::Ipv4Net>,
    /// Disks.
    #[block]
    pub disk: Attr<Vec<Disk>>,
    #[block]
    /// How long operations may take.
    pub timeouts: Attr<Timeouts>,
    /// Id.
    #[attribute(computed, keep)]
    pub id: Attr<String>,
    /// When it was last changed.
    #[attribute(computed)]
    pub stamp: Attr<String>,
    /// What was found to differ.
    #[attribute(computed)]
    pub drift: Attr<Vec<String>>,
}

/// What identifies a thing.
#[derive(Debug, Clone, PartialEq, Model)]
pub struct ThingIdentity {
    /// Id.
    #[attribute(required)]
    pub id: Attr<String>,
    /// Region.
    #[attribute(optional)]
    pub region: Attr<String>,
}

pub type Hook<In, Out> = Mutex<Option<Box<dyn Fn(In) -> Out + Send + Sync>>>;

type PlanHook = Box<dyn Fn(&mut Plan<Thing>) + Send + Sync>;

/// The world: what the operations do, and what they were asked.
#[derive(Default)]
pub struct World {
    pub log: Mutex<Vec<String>>,
    pub create: Hook<Create<Thing>, Applied<Thing>>,
    pub read: Hook<Read<Thing, ThingIdentity>, Applied<Thing>>,
    pub update: Hook<Update<Thing>, Applied<Thing>>,
    pub delete: Hook<Delete<Thing>, Applied<Thing>>,
    pub plan: Mutex<Option<PlanHook>>,
    pub kinds: Mutex<Vec<framework::PlanKind>>,
    pub markers: Mutex<Vec<(Marker, PrivateState)>>,
    pub passwords: Mutex<Vec<Attr<Secret<String>>>>,
}

impl World {
    pub fn on_create(&self, hook: impl Fn(Create<Thing>) -> Applied<Thing> + Send + Sync + 'static) {
        *self.create.lock().unwrap() = Some(Box::new(hook));
    }

    pub fn on_update(&self, hook: impl Fn(Update<Thing>) -> Applied<Thing> + Send + Sync + 'static) {
        *self.update.lock().unwrap() = Some(Box::new(hook));
    }

    pub fn on_delete(&self, hook: impl Fn(Delete<Thing>) -> Applied<Thing> + Send + Sync + 'static) {
        *self.delete.lock().unwrap() = Some(Box::new(hook));
    }

    pub fn on_read(
        &self,
        hook: impl Fn(Read<Thing, ThingIdentity>) -> Applied<Thing> + Send + Sync + 'static,
    ) {
        *self.read.lock().unwrap() = Some(Box::new(hook));
    }

    pub fn on_plan(&self, hook: impl Fn(&mut Plan<Thing>) + Send + Sync + 'static) {
        *self.plan.lock().unwrap() = Some(Box::new(hook));
    }
}

/// What a well-behaved service makes of a planned thing.
pub fn filled(mut thing: Thing) -> Thing {
    let fill = |attr: &mut Attr<String>, value: &str| {
        if !attr.is_known() {
            *attr = Attr::Known(value.to_owned());
        }
    };
    fill(&mut thing.id, "t-1");
    fill(&mut thing.zone, "zone-a");
    fill(&mut thing.stamp, "now");
    if thing.drift.is_unknown() {
        thing.drift = Attr::Known(Vec::new());
    }
    if let Attr::Known(rules) = &mut thing.rules {
        rules
            .iter_mut()
            .enumerate()
            .for_each(|(i, rule)| fill(&mut rule.rule_id, &format!("r-{i}")));
    }
    if let Attr::Known(doors) = &mut thing.doors {
        let all = std::mem::take(doors).into_iter();
        *doors = all
            .map(|door| Door {
                serial: Attr::from("serial"),
                ..door
            })
            .collect();
    }
    if let Attr::Known(disks) = &mut thing.disk {
        disks.iter_mut().for_each(|disk| fill(&mut disk.device, "/dev/x"));
    }
    thing
}

/// A secret where none may be.
fn leaked() -> Attr<Secret<String>> {
    Attr::Known("leaked".to_owned().into())
}

pub struct ThingResource(pub Arc<World>);

#[async_trait]
impl Resource<World> for ThingResource {
    type Model = Thing;
    type Identity = ThingIdentity;

    const NAME: &'static str = "test_thing";
    const VERSION: i64 = 2;
    const IDENTITY_VERSION: i64 = 2;

    fn validate(&self, config: &Thing, out: &mut Diagnostics) {
        if config.note.known().is_some_and(|note| note == "forbidden") {
            out.error("T001", "note", "Forbidden note", "This note is forbidden.");
            out.warning("T002", "name", "Odd name", "Be careful.");
        }
    }

    async fn plan(&self, _cx: &Context<World>, plan: &mut Plan<Thing>) {
        self.0.kinds.lock().unwrap().push(plan.kind);
        if let Some(hook) = &*self.0.plan.lock().unwrap() {
            hook(plan);
        }
    }

    async fn create(&self, cx: &Context<World>, request: Create<Thing>) -> Applied<Thing> {
        self.0.log.lock().unwrap().push("create".to_owned());
        if request.config.note == Attr::from("wait") {
            cx.cancel().cancelled().await;
        }
        if cx.cancel().is_cancelled() {
            let stopped = Diagnostic::error("T400", "Interrupted", "Stopped while waiting.");
            return Applied::failed(Some(request.planned), request.private, stopped);
        }
        self.0
            .passwords
            .lock()
            .unwrap()
            .push(request.config.password_wo.clone());
        self.0
            .markers
            .lock()
            .unwrap()
            .push((request.marker.clone(), request.private.clone()));
        match &*self.0.create.lock().unwrap() {
            Some(hook) => hook(request),
            None => {
                let mut private = request.private;
                private.set("made", "yes");
                Applied::done(filled(request.planned), private)
            }
        }
    }

    async fn read(&self, _cx: &Context<World>, request: Read<Thing, ThingIdentity>) -> Applied<Thing> {
        match &*self.0.read.lock().unwrap() {
            Some(hook) => hook(request),
            None => Applied::done(request.state, request.private),
        }
    }

    async fn update(&self, _cx: &Context<World>, request: Update<Thing>) -> Applied<Thing> {
        self.0.log.lock().unwrap().push("update".to_owned());
        self.0
            .passwords
            .lock()
            .unwrap()
            .push(request.config.password_wo.clone());
        match &*self.0.update.lock().unwrap() {
            Some(hook) => hook(request),
            None => Applied::done(filled(request.planned), request.private),
        }
    }

    async fn delete(&self, _cx: &Context<World>, request: Delete<Thing>) -> Applied<Thing> {
        self.0.log.lock().unwrap().push("delete".to_owned());
        self.0
            .markers
            .lock()
            .unwrap()
            .push((request.marker.clone(), request.private.clone()));
        match &*self.0.delete.lock().unwrap() {
            Some(hook) => hook(request),
            None => Applied::gone(),
        }
    }

    async fn import(&self, _cx: &Context<World>, from: Import<ThingIdentity>) -> Applied<Thing> {
        let id = match from {
            Import::Id(id) if id == "missing" => return Applied::gone(),
            Import::Id(id) => Attr::Known(id),
            Import::Identity(identity) => identity.id,
        };
        Applied::done(
            Thing {
                id,
                password_wo: leaked(),
                ..Thing::default()
            },
            PrivateState::new(),
        )
    }

    fn identity(&self, state: &Thing) -> Option<ThingIdentity> {
        Some(ThingIdentity {
            id: state.id.clone(),
            region: Attr::Null,
        })
    }

    fn upgrade(&self, version: i64, mut state: Json) -> Result<Json, Diagnostics> {
        match version {
            // Version 0 called the name "title"; version 1 had the size as a word.
            0 => state["name"] = state["title"].take(),
            1 => state["size"] = Json::from(if state["size"] == "small" { 1 } else { 5 }),
            _ => return Err(Diagnostic::error("T003", "No way", "").into()),
        }
        Ok(state)
    }

    fn upgrade_identity(&self, version: i64, mut identity: Json) -> Result<Json, Diagnostics> {
        match version {
            0 => identity["number"] = identity["no"].take(),
            _ => identity["id"] = Json::from(format!("t-{}", identity["number"])),
        }
        Ok(identity)
    }

    fn move_from(&self, source: &MoveSource) -> Option<Applied<Thing>> {
        if source.type_name != "other_thing" {
            return None;
        }
        let name = source.state["title"].as_str().map(str::to_owned);
        Some(Applied::done(
            Thing {
                name: Attr::from_option(name),
                id: Attr::from("t-9"),
                password_wo: leaked(),
                ..Thing::default()
            },
            PrivateState::new(),
        ))
    }
}

/// Finds things.
#[derive(Debug, Clone, PartialEq, Model)]
pub struct Lookup {
    /// Name.
    #[attribute(required)]
    pub name: Attr<String>,
    /// How many at most.
    #[attribute(default = 10)]
    pub limit: Attr<i64>,
    /// Ids found.
    #[attribute(computed)]
    pub ids: Attr<Vec<String>>,
}

pub struct LookupSource;

#[async_trait]
impl DataSource<World> for LookupSource {
    type Model = Lookup;

    const NAME: &'static str = "test_things";

    async fn read(
        &self,
        cx: &Context<World>,
        config: Lookup,
        warnings: &mut Diagnostics,
    ) -> Result<Lookup, Diagnostics> {
        cx.configured()?;
        warnings.warning("T010", "name", "Slow", "This may take a while.");
        match config.name.known().map(String::as_str) {
            Some("nothing") => Err(Diagnostic::error("T011", "Not found", "Nothing of that name.")
                .at("name")
                .into()),
            Some("broken") => Ok(Lookup {
                ids: Attr::Unknown,
                ..config
            }),
            _ => Ok(Lookup {
                ids: Attr::Known(vec![format!("limit-{}", config.limit.known().unwrap())]),
                ..config
            }),
        }
    }
}

#[derive(Arguments)]
pub struct JoinArguments {
    /// Between the parts.
    separator: String,
    /// At the front, if at all.
    prefix: Option<String>,
    /// What is joined.
    #[argument(variadic)]
    parts: Vec<String>,
}

pub struct Join;

impl Function for Join {
    type Arguments = JoinArguments;
    type Return = String;

    const NAME: &'static str = "join";
    const SUMMARY: &'static str = "Joins texts.";

    fn call(&self, arguments: JoinArguments) -> Result<String, FunctionError> {
        if let Some(i) = arguments.parts.iter().position(|part| part == "bad") {
            return Err(FunctionError::of_argument(i + 2, "a bad part"));
        }
        Ok(format!(
            "{}{}",
            arguments.prefix.unwrap_or_default(),
            arguments.parts.join(&arguments.separator)
        ))
    }
}

/// The test provider.
#[derive(Debug, Clone, PartialEq, Model)]
pub struct Config {
    /// Region.
    #[attribute(default = "here")]
    pub region: Attr<String>,
    /// Token.
    #[attribute(optional, sensitive)]
    pub token: Attr<Secret<String>>,
}

pub struct TestProvider(pub Arc<World>);

#[async_trait]
impl Provider for TestProvider {
    type Config = Config;
    type Context = World;

    fn validate(&self, config: &Config, out: &mut Diagnostics) {
        if config.region.known().is_some_and(|r| r == "nowhere") {
            out.error(
                "T020",
                "region",
                "No such region",
                "There is no region `nowhere`.",
            );
        }
    }

    async fn configure(
        &self,
        config: Config,
        _host: &HostInfo,
        warnings: &mut Diagnostics,
    ) -> Result<Configured<World>, Diagnostics> {
        if config.region == Attr::from("warn") {
            warnings.warning("T021", "region", "Odd region", "Odd.");
        }
        if config.region.is_unknown() {
            Ok(Configured::Unknown)
        } else {
            Ok(Arc::clone(&self.0).into())
        }
    }

    fn offers(&self) -> Offers<World> {
        Offers::new()
            .resource(ThingResource(Arc::clone(&self.0)))
            .data_source(LookupSource)
            .function(Join)
            .ephemeral_resource(crate::extras::TokenResource(Arc::clone(&self.0)))
            .list_resource(crate::extras::ThingList(Arc::clone(&self.0)))
            .action(crate::extras::RestartAction)
    }
}
