//! From a graph of parts to a resource of the framework: what all resources have in common, written once.
//!
//! A resource implements [`Declared`]: its arguments, the graph that follows from them, and the kinds of its parts.
//! [`Reconciled`] makes a [`framework::Resource`] of it: markers, incarnation, ownership, `objects`, `ids`, `drift`,
//! import, partial state.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use framework::path::Step;
use framework::{
    Applied, Attr, AttributeType, Context, Create, Delete, Diagnostic, Diagnostics, Import, Listed, Listing,
    Model, Path, Plan, PlanKind, PrivateState, Read, Resource, Timeouts, Update,
};

use crate::clock::Clock;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::graph::Graph;
use crate::kinds::Kinds;
use crate::locks::Locks;
use crate::ownership::{PREFIX, Phase, Purpose};
use crate::part::{Key, Owner, Tags};
use crate::report::{Allowed, Change, Known, Outcome, Report, Unclaimed, Why};

/// The private key under which an import leaves what [`Resource::read`] needs.
const IMPORTED: &str = "imported";
/// Most tags of an AWS object (AWS EC2 and most services), the engine's among them.
const MOST_TAGS: usize = 50;
/// How many tags the engine puts on an object at most: four of ownership, `made`, and four on the root.
const OWN_TAGS: usize = 9;

/// What every declared resource has beside its own arguments.
#[derive(Model, Debug, Clone, Default)]
pub struct Common {
    /// AWS region. Default: the provider's.
    #[attribute(optional, computed, replace, keep)]
    pub region: Attr<String>,
    /// Tags of everything that the resource makes, beside the provider's `default_tags`. Keys that begin with `ekb:`
    /// are the provider's own and refused.
    #[attribute(optional)]
    pub tags: Attr<BTreeMap<String, String>>,
    /// Drift to leave alone: patterns for the sentences of `drift`, up to any colon, with `*` for any text. For
    /// example `private_routes/*: routes`.
    #[attribute(optional)]
    pub ignore_drift: Attr<Vec<String>>,
    /// All tags: those of `tags` and of the provider's `default_tags`.
    #[attribute(computed, keep)]
    pub tags_all: Attr<BTreeMap<String, String>>,
    /// The environment it belongs to.
    #[attribute(computed, keep)]
    pub environment: Attr<String>,
    /// The AWS account it lies in.
    #[attribute(computed, keep)]
    pub account_id: Attr<String>,
    /// Which creation of it this state knows; a tag on its root object says the same.
    #[attribute(computed, keep)]
    pub incarnation: Attr<String>,
    /// `complete`, or `incomplete` where creating ended half way: apply again to continue.
    #[attribute(computed, keep)]
    pub status: Attr<String>,
    /// Ids of its parts.
    #[attribute(computed, keep)]
    pub ids: Attr<BTreeMap<String, Attr<String>>>,
    /// Its parts, as JSON: the fields that the provider manages, as they shall be (plan) or are (refresh).
    #[attribute(computed, keep)]
    pub objects: Attr<BTreeMap<String, String>>,
    /// What was found to differ from the declaration; the next apply mends it.
    #[attribute(computed, keep)]
    pub drift: Attr<Vec<String>>,
}

/// What identifies a declared resource.
#[derive(Model, Debug, Clone, Default)]
pub struct Identity {
    /// The environment.
    #[attribute(required)]
    pub environment: Attr<String>,
    /// Its name within the environment.
    #[attribute(required)]
    pub name: Attr<String>,
    /// AWS region. Default: the provider's.
    #[attribute(optional)]
    pub region: Attr<String>,
}

/// What the provider's context tells the adapter.
#[async_trait]
pub trait Surroundings: Send + Sync + 'static {
    /// The environment of the provider block.
    fn environment(&self) -> Option<&str>;
    /// The region of the provider block, or what stands for it.
    async fn region(&self) -> Result<String, Failure>;
    /// Whether there is such a region.
    ///
    /// # Errors
    /// Where its name is none of AWS's.
    fn check_region(&self, region: &str) -> Result<(), Failure>;
    /// The account; empty where it is not to be asked for.
    async fn account(&self) -> Result<String, Failure>;
    /// Tags of everything.
    fn default_tags(&self) -> &Tags;
    /// Whether a tag is to be left alone.
    fn ignores_tag(&self, key: &str) -> bool;
    /// The locks of the process.
    fn locks(&self) -> &Locks;
}

/// How long the operations of a resource may take where the user says nothing.
#[derive(Debug, Clone, Copy)]
pub struct DefaultTimeouts {
    /// Creating.
    pub create: Duration,
    /// Refreshing and planning.
    pub read: Duration,
    /// Updating.
    pub update: Duration,
    /// Deleting.
    pub delete: Duration,
}

/// A resource that is a graph of parts.
#[async_trait]
pub trait Declared<C: Surroundings>: Send + Sync + 'static {
    /// Its arguments and attributes; `common()` of it is a flattened [`Common`].
    type Model: Model;

    /// Its full name, for example `ekb_network`; without the prefix the type in the tag `ekb:resource`.
    const NAME: &'static str;
    /// What users call it, for example `network`.
    const TITLE: &'static str;
    /// Version of its graph's form, written on the root object; newer ones are refused.
    const SCHEMA: u32 = 1;
    /// IAM actions of what it looks up beside its parts (zones, versions).
    const LOOKS_UP: &'static [&'static str] = &[];
    /// Time-outs where the user sets none.
    const TIMEOUTS: DefaultTimeouts;

    /// The common attributes.
    fn common(model: &Self::Model) -> &Common;
    /// The common attributes, to be changed.
    fn common_mut(model: &mut Self::Model) -> &mut Common;
    /// Its name within the environment.
    fn name(model: &Self::Model) -> &Attr<String>;
    /// Its name, to be changed.
    fn name_mut(model: &mut Self::Model) -> &mut Attr<String>;
    /// Its time-outs.
    fn timeouts(model: &Self::Model) -> &Attr<Timeouts>;

    /// Checks what is planned, each refusal at the path of its argument. Pure; values may be unknown. Refusals of
    /// arguments that do not change are dropped: a plan without changes, and so a destroy, is never blocked.
    fn check(&self, _planned: &Self::Model, _out: &mut Diagnostics) {}

    /// Sets the computed attributes that follow from arguments. Looks up only what the prior state does not have, and
    /// what hardly ever changes (zones); what cannot be known yet stays unknown. Without a context the provider's
    /// configuration is not known yet.
    async fn complete(
        &self,
        context: Option<&C>,
        config: &Self::Model,
        prior: Option<&Self::Model>,
        planned: &mut Self::Model,
        out: &mut Diagnostics,
    );

    /// The parts that follow from the attributes; `None` while one that matters is unknown. Pure.
    fn graph(&self, model: &Self::Model) -> Option<Graph>;

    /// The kinds of all parts that it may have, declared now or not.
    fn kinds(&self, context: &C, region: &str) -> Kinds;

    /// Sets the computed attributes that AWS invents. What is not in the report becomes null.
    fn outputs(&self, model: &mut Self::Model, report: &Report);

    /// Marks the attributes of [`Declared::outputs`] unknown that the making or going of parts changes; `touched` tells
    /// it for a beginning of keys.
    fn unsettle(&self, planned: &mut Self::Model, touched: &dyn Fn(&str) -> bool);

    /// Warnings of a plan that replaces the resource.
    fn on_replace(&self, _prior: &Self::Model, _out: &mut Diagnostics) {}

    /// Whether an import's text is an id of the root object, given by AWS (`vpc-…`).
    fn is_root_id(&self, _text: &str) -> bool {
        false
    }

    /// The key of the root part.
    fn root_key(&self) -> Key;

    /// The parts that unclaimed objects (built by others) stand for, as far as [`Declared::adopt`] needs them to find
    /// the arguments; what follows from the arguments is matched by [`crate::part::Kind::stands_for`].
    fn recognise<'a>(&self, _report: &'a Report) -> Vec<(Key, &'a Unclaimed)> {
        Vec::new()
    }

    /// Sets arguments that are one field of AWS to its real value, where it is there: so a plan shows a difference as
    /// that of the argument, and `ignore_changes` leaves it alone. All else is said by `objects` and `drift`.
    fn read_arguments(&self, _model: &mut Self::Model, _report: &Report) {}

    /// Sets the arguments from what is there: import and data source.
    fn adopt(&self, model: &mut Self::Model, report: &Report);

    /// An empty model.
    fn blank() -> Self::Model;
}

/// [`Declared`] as a resource of the framework.
#[derive(Debug, Default)]
pub struct Reconciled<D>(pub D);

impl Failure {
    /// As a message to the user.
    pub fn diagnostic(&self) -> Diagnostic {
        let mut summary = self.doing.clone();
        if let Some(first) = summary.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        let mut detail = self.cause.clone();
        if let Some(id) = &self.request_id {
            detail.push_str(&format!("\n\nAWS request id: {id}"));
        }
        let diagnostic = Diagnostic::error(self.code, summary, detail);
        if self.hint.is_empty() {
            diagnostic
        } else {
            diagnostic.hint(self.hint.clone())
        }
    }

    fn warning(&self) -> Diagnostic {
        let error = self.diagnostic();
        Diagnostic {
            severity: framework::Severity::Warning,
            ..error
        }
    }
}

/// What a stub of an import says.
#[derive(serde::Serialize, serde::Deserialize)]
struct Imported {
    /// The root object's id, where the user gave that.
    root: Option<String>,
}

impl<D> Reconciled<D> {
    fn engine<C: Surroundings>(
        &self,
        cx: &Context<C>,
        context: &C,
        model: &D::Model,
        timeout: Duration,
    ) -> Result<Engine, Diagnostic>
    where
        D: Declared<C>,
    {
        let common = D::common(model);
        let (Some(environment), Some(region), Some(name)) = (
            common.environment.known(),
            common.region.known(),
            D::name(model).known(),
        ) else {
            return Err(Diagnostic::error(
                "EKB2010",
                format!("The {} has no place", D::TITLE),
                "Its environment, region or name is not known.",
            ));
        };
        if let Some(ours) = context.environment().filter(|ours| ours != environment) {
            return Err(Diagnostic::error(
                "EKB2011",
                "Another environment",
                format!(
                    "The {} {name} belongs to the environment {environment}; the provider is configured for {ours}.",
                    D::TITLE
                ),
            )
            .hint("Set `environment` of the provider block back, or use the state of the other environment."));
        }
        let owner = Owner {
            environment: environment.clone(),
            region: region.clone(),
            resource: format!("{}/{name}", owner_type::<C, D>()),
        };
        let mut engine = Engine::new(owner, self.0.kinds(context, region));
        engine.cancel = cx.cancel().clone();
        engine.locks = context.locks().clone();
        engine.schema = D::SCHEMA;
        engine.ignore_drift = common.ignore_drift.known().cloned().unwrap_or_default();
        engine.timeout = timeout;
        Ok(engine)
    }

    /// Refuses another account than the state's: an object that is "not there" would be a silent "to add".
    async fn same_account<C: Surroundings>(&self, context: &C, model: &D::Model) -> Result<String, Diagnostic>
    where
        D: Declared<C>,
    {
        let account = context.account().await.map_err(|failure| failure.diagnostic())?;
        match D::common(model).account_id.known() {
            Some(known) if !account.is_empty() && !known.is_empty() && *known != account => {
                Err(Diagnostic::error(
                    "EKB2012",
                    "Another account",
                    format!(
                        "The {} lies in account {known}; the credentials are those of account {account}.",
                        D::TITLE
                    ),
                )
                .hint("Use credentials of that account."))
            }
            _ => Ok(account),
        }
    }

    /// What the state says of the parts.
    fn known<C: Surroundings>(&self, model: &D::Model) -> Known
    where
        D: Declared<C>,
    {
        let common = D::common(model);
        let ids = common.ids.known().into_iter().flatten();
        let objects = common.objects.known().into_iter().flatten();
        let known = Known {
            ids: ids
                .filter_map(|(key, id)| Some((Key(key.clone()), id.known()?.clone())))
                .collect(),
            objects: objects
                .filter_map(|(key, text)| Some((Key(key.clone()), serde_json::from_str(text).ok()?)))
                .collect(),
            ..Known::default()
        };
        match self.0.graph(model) {
            Some(graph) => known.of(&graph),
            None => known,
        }
    }

    /// Puts what is there into the state.
    fn fill<C: Surroundings>(&self, model: &mut D::Model, report: &Report)
    where
        D: Declared<C>,
    {
        self.0.outputs(model, report);
        let common = D::common_mut(model);
        common.ids = Attr::Known(
            report
                .ids
                .iter()
                .map(|(key, id)| (key.0.clone(), Attr::Known(id.clone())))
                .collect(),
        );
        common.objects = Attr::Known(texts(report.objects.iter()));
        common.drift = Attr::Known(report.drift.clone());
    }

    /// State and messages after a create or an update.
    fn applied<C: Surroundings>(
        &self,
        mut state: D::Model,
        prior: Option<D::Model>,
        private: PrivateState,
        outcome: Outcome,
        incarnation: Option<String>,
    ) -> Applied<D::Model>
    where
        D: Declared<C>,
    {
        let create = prior.is_none();
        let mut messages: Diagnostics = outcome.report.warnings.iter().map(Failure::warning).collect();
        messages.extend(outcome.kept.iter().map(kept));
        if outcome.is_done() {
            let objects = D::common(&state).objects.clone();
            self.fill(&mut state, &outcome.report);
            let common = D::common_mut(&mut state);
            // What the plan promised; the next refresh says where reality disagrees.
            common.objects = objects;
            common.drift = Attr::Known(Vec::new());
            common.status = "complete".into();
            if let Some(incarnation) = incarnation {
                common.incarnation = incarnation.into();
            }
            return Applied::done(state, private).with(messages);
        }
        messages.extend(outcome.errors.iter().map(Failure::diagnostic));
        if outcome.refused {
            // Nothing was changed: nothing is to be remembered that was not before.
            return Applied::failed(prior, private, messages);
        }
        self.fill(&mut state, &outcome.report);
        let status = prior.as_ref().map_or(Attr::Known("incomplete".to_owned()), |p| {
            D::common(p).status.clone()
        });
        let common = D::common_mut(&mut state);
        common.status = status;
        if let Some(incarnation) = incarnation {
            common.incarnation = incarnation.into();
        }
        if create {
            messages.push(Diagnostic::warning(
                "EKB2020",
                format!("The {} is incomplete", D::TITLE),
                "What was made so far is kept in the state.",
            )
            .hint(
                "Apply again to continue. The plan will speak of a replacement, but nothing that exists is destroyed. \
                 With `terraform untaint ADDRESS` first, the plan is a plain update (this also helps under \
                 prevent_destroy).",
            ));
        }
        Applied::failed(Some(state), private, messages)
    }

    async fn look<C: Surroundings>(
        &self,
        cx: &Context<C>,
        context: &C,
        mut state: D::Model,
        imported: Option<Imported>,
    ) -> Result<(Option<D::Model>, Diagnostics), Diagnostic>
    where
        D: Declared<C>,
    {
        let account = self.same_account(context, &state).await?;
        let timeout = D::timeouts(&state).read(D::TIMEOUTS.read);
        let engine = self.engine(cx, context, &state, timeout)?;
        let mut known = self.known(&state);
        let mut seen = 0;
        if let Some(imported) = &imported {
            if let Some(root) = &imported.root {
                known.ids.insert(self.0.root_key(), root.clone());
                known.root = Some(self.0.root_key());
                known.import = true;
            }
            let mut report = engine.observe(None, &known).await.report();
            if report.is_empty() {
                return Ok((None, report.warnings.iter().map(Failure::warning).collect()));
            }
            let recognised = self.0.recognise(&report);
            if !recognised.is_empty() {
                for (key, part) in recognised {
                    known.ids.insert(key.clone(), part.object.id.clone());
                    known.kinds.insert(key, part.kind.to_owned());
                }
                report = engine.observe(None, &known).await.report();
            }
            self.0.adopt(&mut state, &report);
            split_tags(D::common_mut(&mut state), context.default_tags());
            seen = report.ids.len();
        }
        let mut observation = engine.observe(self.0.graph(&state).as_ref(), &known).await;
        let mut report = observation.report();
        if imported.is_none() {
            self.0.read_arguments(&mut state, &report);
            observation.declare(self.0.graph(&state));
            report = observation.report();
        } else if report.ids.len() > seen {
            // What is found by a fixed name and not by tags (a log group) shows only once the name is known.
            self.0.adopt(&mut state, &report);
            split_tags(D::common_mut(&mut state), context.default_tags());
            report = engine
                .observe(self.0.graph(&state).as_ref(), &known)
                .await
                .report();
        }
        let mut messages: Diagnostics = report.warnings.iter().map(Failure::warning).collect();
        if report.is_empty() {
            return Ok((None, messages));
        }
        messages.extend(report.foreign.iter().map(Failure::warning));
        self.fill(&mut state, &report);
        let common = D::common_mut(&mut state);
        if common.account_id.is_null() && !account.is_empty() {
            common.account_id = account.into();
        }
        if let Some(root) = &report.root {
            match (common.incarnation.known(), &root.incarnation) {
                (None, Some(found)) => common.incarnation = found.clone().into(),
                (Some(ours), Some(theirs)) if ours != theirs && !root.superseded.contains(ours) => {
                    messages.push(Diagnostic::warning(
                        "EKB2021",
                        format!("The {} belongs to another state", D::TITLE),
                        format!("Its root object says that it was created anew ({theirs}) since this state saw it ({ours})."),
                    ));
                }
                _ => {}
            }
            if common.status.is_null() {
                common.status = if root.phase == Some(Phase::Making) {
                    "incomplete"
                } else {
                    "complete"
                }
                .into();
            }
        } else if common.status.is_null() {
            common.status = "complete".into();
        }
        Ok((Some(state), messages))
    }
}

/// The type in the tag `ekb:resource`.
fn owner_type<C: Surroundings, D: Declared<C>>() -> &'static str {
    D::NAME.split_once('_').map_or(D::NAME, |(_, name)| name)
}

fn texts<'a>(objects: impl Iterator<Item = (&'a Key, &'a serde_json::Value)>) -> BTreeMap<String, String> {
    objects
        .map(|(key, fields)| (key.0.clone(), fields.to_string()))
        .collect()
}

fn kept(kept: &crate::report::Kept) -> Diagnostic {
    let why = match &kept.why {
        Why::Kept(reason) => reason.clone(),
        Why::FinalSnapshot => "it is the final snapshot".to_owned(),
    };
    Diagnostic::warning(
        "EKB2022",
        format!("Kept {}", kept.id),
        format!("{} remains: {why}.", kept.key),
    )
}

/// The tags of everything: the provider's defaults under those of the resource, without the ignored ones.
fn all_tags<C: Surroundings>(
    context: Option<&C>,
    tags: &Attr<BTreeMap<String, String>>,
) -> Attr<BTreeMap<String, String>> {
    let Some(context) = context else {
        return Attr::Unknown;
    };
    let own = match tags {
        Attr::Unknown => return Attr::Unknown,
        Attr::Null => BTreeMap::new(),
        Attr::Known(tags) => tags.clone(),
    };
    let mut all = context.default_tags().clone();
    all.extend(own);
    all.retain(|key, _| !context.ignores_tag(key));
    Attr::Known(all)
}

/// What was found on all objects is `tags_all`; `tags` is what does not come from the provider block.
fn split_tags(common: &mut Common, defaults: &Tags) {
    let all = common.tags.known().cloned().unwrap_or_default();
    let own: BTreeMap<_, _> = all
        .iter()
        .filter(|(key, value)| defaults.get(*key) != Some(value))
        .collect();
    common.tags = Attr::from_option((!own.is_empty()).then(|| {
        own.into_iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }));
    common.tags_all = Attr::Known(all);
}

/// Refuses tags that cannot be.
fn check_tags(all: &Attr<BTreeMap<String, String>>, out: &mut Diagnostics) {
    let Some(all) = all.known() else { return };
    let at = Path::from("tags_all");
    for key in all.keys().filter(|key| key.starts_with(PREFIX)) {
        out.push(
            Diagnostic::error(
                "EKB2013",
                "Reserved tag",
                format!("Tags that begin with `{PREFIX}` are the provider's own: {key}."),
            )
            .hint("Give the tag another key, in `tags` or in `default_tags` of the provider.")
            .at(at.clone()),
        );
    }
    if all.len() > MOST_TAGS - OWN_TAGS - 4 {
        out.push(Diagnostic::error(
            "EKB2014",
            "Too many tags",
            format!(
                "{} tags are given. AWS allows {MOST_TAGS} on an object, of which up to {} are the provider's.",
                all.len(),
                OWN_TAGS + 4
            ),
        )
        .hint(format!("Give at most {}, `default_tags` of the provider included.", MOST_TAGS - OWN_TAGS - 4))
        .at(at));
    }
}

#[async_trait]
impl<C: Surroundings, D: Declared<C>> Resource<C> for Reconciled<D> {
    type Model = D::Model;
    type Identity = Identity;

    const NAME: &'static str = D::NAME;

    async fn plan(&self, cx: &Context<C>, plan: &mut Plan<D::Model>) {
        let context = cx.ready().map(|context| &**context);
        if let (Some(context), Some(prior)) = (context, &plan.prior) {
            let same = self.same_account(context, prior).await.map(|_| ());
            if let Err(error) =
                same.and_then(|()| self.engine(cx, context, prior, Duration::ZERO).map(|_| ()))
            {
                plan.diagnostics.push(error);
                return;
            }
        }
        let (Some(config), Some(planned)) = (&plan.config, &mut plan.planned) else {
            // What is incomplete may be a deposed object whose parts the one that is made anew has taken over.
            if let Some(prior) = plan.prior.as_ref().filter(|prior| !self.is_incomplete(prior)) {
                self.claim_move(cx, prior, &mut plan.diagnostics);
            }
            return;
        };
        let (prior, out) = (plan.prior.as_ref(), &mut plan.diagnostics);
        if let Err(error) = self.plan_arguments(context, config, prior, planned, out).await {
            out.push(error);
            return;
        }
        match self.0.graph(planned) {
            Some(graph) => self.plan_parts(&graph, prior, planned, out),
            None => {
                let common = D::common_mut(planned);
                common.objects = Attr::Unknown;
                common.ids = Attr::Unknown;
                self.0.unsettle(planned, &|_| true);
            }
        }
        self.refuse(prior, planned, out);
        if let Some(prior) = prior.filter(|_| !plan.replace.is_empty()) {
            self.0.on_replace(prior, out);
        }
        if plan.kind == PlanKind::Create {
            self.claim_move(cx, planned, out);
        }
        if plan.kind != PlanKind::Replace
            && let (Attr::Known(name), Attr::Known(region)) = (D::name(planned), &D::common(planned).region)
            && !cx.claim(&format!("{region}/{}/{name}", D::NAME))
        {
            out.push(
                Diagnostic::error(
                    "EKB2016",
                    format!("Two {}s of the same name", D::TITLE),
                    format!("Another {} of this configuration has the name {name} in {region} too.", D::NAME),
                )
                .hint("Give one of them another `name`. If it is the same one under a new address, add a `moved` block.")
                .at(Path::from("name")),
            );
        }
    }

    async fn create(&self, cx: &Context<C>, request: Create<D::Model>) -> Applied<D::Model> {
        let planned = request.planned;
        let prepared = self
            .prepare(cx, &planned, D::timeouts(&planned).create(D::TIMEOUTS.create))
            .await;
        let (engine, graph) = match prepared {
            Ok(prepared) => prepared,
            Err(errors) => return Applied::failed(None, request.private, errors),
        };
        let incarnation = Clock::from_env().id();
        let purpose = Purpose::Create {
            incarnation: incarnation.clone(),
        };
        let outcome = engine
            .reconcile(&[graph], &Known::default(), &Allowed::All, &purpose)
            .await;
        self.applied(planned, None, request.private, outcome, Some(incarnation))
    }

    async fn read(&self, cx: &Context<C>, request: Read<D::Model, Identity>) -> Applied<D::Model> {
        let mut private = request.private;
        let imported: Option<Imported> = private.get_json(IMPORTED);
        private.remove(IMPORTED);
        let looked = match cx.configured() {
            Ok(context) => self.look(cx, context, request.state.clone(), imported).await,
            Err(error) => Err(error),
        };
        match looked {
            Ok((Some(state), messages)) => Applied::done(state, private).with(messages),
            Ok((None, messages)) => Applied::gone().with(messages),
            Err(error) => Applied::failed(Some(request.state), private, error),
        }
    }

    async fn update(&self, cx: &Context<C>, request: Update<D::Model>) -> Applied<D::Model> {
        let planned = request.planned;
        let prepared = self
            .prepare(cx, &planned, D::timeouts(&planned).update(D::TIMEOUTS.update))
            .await;
        let (engine, graph) = match prepared {
            Ok(prepared) => prepared,
            Err(errors) => return Applied::failed(Some(request.prior), request.private, errors),
        };
        let known = self.known(&request.prior);
        let allowed = Allowed::of(&graph.changes(&known));
        // An imported thing that others made has no incarnation yet: it gets one here.
        let fresh = D::common(&request.prior)
            .incarnation
            .is_null()
            .then(|| Clock::from_env().id());
        let incarnation = D::common(&request.prior)
            .incarnation
            .known()
            .cloned()
            .or_else(|| fresh.clone());
        let outcome = engine
            .reconcile(&[graph], &known, &allowed, &Purpose::Update { incarnation })
            .await;
        self.applied(planned, Some(request.prior), request.private, outcome, fresh)
    }

    async fn delete(&self, cx: &Context<C>, request: Delete<D::Model>) -> Applied<D::Model> {
        let prior = request.prior;
        if self.is_incomplete(&prior) && request.marker.same_place(&prior) {
            // The create that follows finds the parts and goes on.
            return Applied::gone();
        }
        let context = match cx.configured() {
            Ok(context) => context,
            Err(error) => return Applied::failed(Some(prior), request.private, error),
        };
        if let Err(error) = self.same_account(context, &prior).await {
            return Applied::failed(Some(prior), request.private, error);
        }
        let timeout = D::timeouts(&prior).delete(D::TIMEOUTS.delete);
        let engine = match self.engine(cx, context, &prior, timeout) {
            Ok(engine) => engine,
            Err(error) => return Applied::failed(Some(prior), request.private, error),
        };
        let known = self.known(&prior);
        let graph = self.0.graph(&prior);
        let incarnation = D::common(&prior).incarnation.known().cloned();
        let outcome = engine
            .destroy(graph.as_ref(), &known, incarnation.as_deref())
            .await;
        let mut messages: Diagnostics = outcome.report.warnings.iter().map(Failure::warning).collect();
        messages.extend(outcome.kept.iter().map(kept));
        if outcome.is_done() {
            return Applied::gone().with(messages);
        }
        messages.extend(outcome.errors.iter().map(Failure::diagnostic));
        let mut state = prior;
        if !outcome.refused {
            self.fill(&mut state, &outcome.report);
        }
        Applied::failed(Some(state), request.private, messages)
    }

    async fn import(&self, cx: &Context<C>, from: Import<Identity>) -> Applied<D::Model> {
        let fail = |error: Diagnostic| Applied::failed(None, PrivateState::new(), error);
        let context = match cx.configured() {
            Ok(context) => context,
            Err(error) => return fail(error),
        };
        let ours = context.environment().map(str::to_owned);
        let (environment, name, region, root) = match from {
            Import::Identity(id) => (
                id.environment.into_known(),
                id.name.into_known(),
                id.region.into_known(),
                None,
            ),
            Import::Id(text) if self.0.is_root_id(&text) => (ours.clone(), ours.clone(), None, Some(text)),
            Import::Id(text) => match text.split_once('/') {
                Some((environment, name)) => {
                    (Some(environment.to_owned()), Some(name.to_owned()), None, None)
                }
                None => (ours.clone(), Some(text), None, None),
            },
        };
        let mut state = D::blank();
        *D::name_mut(&mut state) = Attr::from_option(name);
        let common = D::common_mut(&mut state);
        common.environment = Attr::from_option(environment.or(ours));
        common.region = match region_or_default(&**context, region).await {
            Ok(region) => region.into(),
            Err(error) => return fail(error),
        };
        let mut private = PrivateState::new();
        private.set_json(IMPORTED, &Imported { root });
        Applied::done(state, private)
    }

    fn identity(&self, state: &D::Model) -> Option<Identity> {
        let common = D::common(state);
        let known = common.environment.is_known() && D::name(state).is_known() && common.region.is_known();
        known.then(|| Identity {
            environment: common.environment.clone(),
            name: D::name(state).clone(),
            region: common.region.clone(),
        })
    }
}

/// The region given, or the provider's.
async fn region_or_default<C: Surroundings>(
    context: &C,
    given: Option<String>,
) -> Result<String, Diagnostic> {
    let region = match given {
        Some(region) => context.check_region(&region).map(|()| region),
        None => context.region().await,
    };
    region.map_err(|failure| failure.diagnostic())
}

fn no_environment() -> Diagnostic {
    Diagnostic::error("EKB2015", "No environment", "The provider has no `environment`.")
        .hint("Set `environment` in the provider block, or the variable EKB_ENVIRONMENT.")
}

/// Where a new thing will be: environment, account and region of the provider, unknown while that is not configured.
async fn settle_place<C: Surroundings>(context: Option<&C>, common: &mut Common) -> Result<(), Diagnostic> {
    let Some(context) = context else {
        common.environment = Attr::Unknown;
        common.account_id = Attr::Unknown;
        if common.region.is_null() {
            common.region = Attr::Unknown;
        }
        return Ok(());
    };
    let environment = context.environment().ok_or_else(no_environment)?;
    common.environment = environment.into();
    match &common.region {
        Attr::Known(region) => context.check_region(region),
        Attr::Unknown => Ok(()),
        Attr::Null => context.region().await.map(|region| common.region = region.into()),
    }
    .map_err(|failure| failure.diagnostic())?;
    let account = context.account().await.map_err(|failure| failure.diagnostic())?;
    common.account_id = Attr::from_option(Some(account).filter(|id| !id.is_empty()));
    Ok(())
}

impl<D> Reconciled<D> {
    fn is_incomplete<C: Surroundings>(&self, state: &D::Model) -> bool
    where
        D: Declared<C>,
    {
        D::common(state)
            .status
            .known()
            .is_some_and(|status| status == "incomplete")
    }

    /// Notes that this plan makes or destroys something of this name; both in one run is a renamed address, which would
    /// make it anew beside itself.
    fn claim_move<C: Surroundings>(&self, cx: &Context<C>, model: &D::Model, out: &mut Diagnostics)
    where
        D: Declared<C>,
    {
        let (Attr::Known(name), Attr::Known(region)) = (D::name(model), &D::common(model).region) else {
            return;
        };
        if !cx.claim(&format!("move/{region}/{}/{name}", D::NAME)) {
            out.push(
                Diagnostic::error(
                    "EKB2023",
                    format!("A {} is destroyed and made under one name", D::TITLE),
                    format!("This plan destroys the {} {name} in {region} at one address and makes it at another.", D::NAME),
                )
                .hint("Add a `moved` block from the old address to the new one; or give the new one another `name`."),
            );
        }
    }

    /// The computed attributes that follow from arguments and the provider.
    async fn plan_arguments<C: Surroundings>(
        &self,
        context: Option<&C>,
        config: &D::Model,
        prior: Option<&D::Model>,
        planned: &mut D::Model,
        out: &mut Diagnostics,
    ) -> Result<(), Diagnostic>
    where
        D: Declared<C>,
    {
        let common = D::common_mut(planned);
        common.tags_all = all_tags(context, &D::common(config).tags);
        common.drift = Attr::Known(Vec::new());
        common.status = "complete".into();
        if common.incarnation.is_null() {
            common.incarnation = Attr::Unknown;
        }
        if prior.is_none() {
            if D::common(config).region.is_null() {
                common.region = Attr::Null;
            }
            settle_place(context, common).await?;
            let environment = common.environment.clone();
            if D::name(config).is_null() {
                *D::name_mut(planned) = environment;
            }
        }
        self.0.complete(context, config, prior, planned, out).await;
        Ok(())
    }

    /// What follows from the parts: objects, and what AWS will invent.
    fn plan_parts<C: Surroundings>(
        &self,
        graph: &Graph,
        prior: Option<&D::Model>,
        planned: &mut D::Model,
        out: &mut Diagnostics,
    ) where
        D: Declared<C>,
    {
        if let Err(faults) = graph.check() {
            out.extend(faults.iter().map(Failure::diagnostic));
        }
        let known = prior.map(|prior| self.known(prior)).unwrap_or_default();
        let changes = graph.changes(&known);
        let is_moved = |key: &Key| {
            changes
                .get(key)
                .is_some_and(|change| !matches!(change, Change::Update(_)))
        };
        let id = |key: &Key| match known.ids.get(key).filter(|_| !is_moved(key)) {
            Some(id) => Attr::Known(id.clone()),
            None => Attr::Unknown,
        };
        let common = D::common_mut(planned);
        common.objects = Attr::Known(texts(graph.objects().iter()));
        common.ids = Attr::Known(graph.keys().map(|key| (key.0.clone(), id(key))).collect());
        let touched = |start: &str| {
            prior.is_none()
                || changes
                    .keys()
                    .any(|key| key.0.starts_with(start) && is_moved(key))
        };
        self.0.unsettle(planned, &touched);
    }

    /// What cannot be, where it is new: what stays as it was is never refused, so that a destroy is not blocked.
    fn refuse<C: Surroundings>(&self, prior: Option<&D::Model>, planned: &D::Model, out: &mut Diagnostics)
    where
        D: Declared<C>,
    {
        let mut refused = Diagnostics::new();
        check_tags(&D::common(planned).tags_all, &mut refused);
        self.0.check(planned, &mut refused);
        let (before, after) = (prior.map(D::Model::encode), planned.encode());
        out.extend(
            refused
                .into_iter()
                .filter(|refusal| match (&before, refusal.path.0.first()) {
                    (Some(before), Some(Step::Attribute(name))) => before.get(name) != after.get(name),
                    _ => true,
                }),
        );
    }

    async fn prepare<C: Surroundings>(
        &self,
        cx: &Context<C>,
        planned: &D::Model,
        timeout: Duration,
    ) -> Result<(Engine, Graph), Diagnostics>
    where
        D: Declared<C>,
    {
        let context = cx.configured()?;
        self.same_account(&**context, planned).await?;
        let engine = self.engine(cx, context, planned, timeout)?;
        let graph = self.0.graph(planned).ok_or_else(|| {
            Diagnostic::error(
                "EKB2017",
                "Arguments are not known",
                "An argument that the parts follow from is not known at apply.",
            )
        })?;
        Ok((engine, graph))
    }
}

/// Looks at something that is there, for a data source: the model as an import would have it; `None` where nothing is.
///
/// # Errors
/// What the user is told.
pub async fn find<C: Surroundings, D: Declared<C>>(
    declared: D,
    cx: &Context<C>,
    name: Option<String>,
    region: Option<String>,
) -> Result<(Option<D::Model>, Diagnostics), Diagnostics> {
    let context = cx.configured()?;
    let mut state = D::blank();
    let common = D::common_mut(&mut state);
    common.environment = Attr::from_option(context.environment().map(str::to_owned));
    common.region = region_or_default(&**context, region).await?.into();
    let environment = common.environment.clone();
    *D::name_mut(&mut state) = name.map_or(environment, Attr::Known);
    let looked = Reconciled(declared)
        .look(cx, context, state, Some(Imported { root: None }))
        .await;
    Ok(looked?)
}

/// Sends what there is of a type in the provider's environment and one region, for a list resource: also what no state
/// knows, such as what an interrupted run left. `wanted` says by its `status` whether one belongs to the list.
///
/// # Errors
/// What the user is told.
pub async fn list<C: Surroundings, D: Declared<C> + Clone>(
    declared: D,
    cx: &Context<C>,
    region: Option<String>,
    wanted: impl Fn(&str) -> bool + Send,
    found: &mut Listing<D::Model, Identity>,
) -> Result<(), Diagnostics> {
    let context = cx.configured()?;
    let environment = context.environment().ok_or_else(no_environment)?;
    let mut state = D::blank();
    let common = D::common_mut(&mut state);
    common.environment = environment.into();
    common.region = region_or_default(&**context, region).await?.into();
    let reconciled = Reconciled(declared);
    *D::name_mut(&mut state) = "*".into();
    let engine = reconciled.engine(cx, context, &state, D::TIMEOUTS.read)?;
    let inventory = engine.inventory(&reconciled.0.root_key()).await;
    let mut warnings: Diagnostics = inventory.blind.iter().map(Failure::warning).collect();
    if inventory.present.is_empty() && !inventory.blind.is_empty() {
        return Err(inventory.blind.iter().map(Failure::diagnostic).collect());
    }
    for (name, present) in inventory.present {
        let status = if present.is_complete() {
            "complete"
        } else {
            "incomplete"
        };
        if !wanted(status) {
            continue;
        }
        *D::name_mut(&mut state) = name.clone().into();
        let identity = Identity {
            environment: environment.into(),
            name: name.clone().into(),
            region: D::common(&state).region.clone(),
        };
        let resource = if found.include_resource() {
            let imported = Some(Imported { root: None });
            let (resource, said) = reconciled.look(cx, context, state.clone(), imported).await?;
            warnings.extend(said);
            let Some(resource) = resource else { continue };
            Some(resource)
        } else {
            None
        };
        let mut said = vec![name.clone()];
        said.extend(present.root);
        if status == "incomplete" {
            said.push(status.to_owned());
            warnings.push(
                Diagnostic::warning(
                    "EKB2024",
                    format!("The {} {name} is incomplete", D::TITLE),
                    "An interrupted run left it. Its arguments follow from the parts that are there.",
                )
                .hint(format!(
                    "Import it as {environment}/{name}, compare the arguments with what was meant, and apply (it is completed) or destroy."
                )),
            );
        }
        let one = Listed {
            display_name: said.join(" "),
            identity,
            resource,
            warnings: std::mem::take(&mut warnings),
        };
        if !found.send(one).await {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;

    #[test]
    fn a_failure_tells_what_why_and_what_next() {
        let mut failure = Failure::new(
            Class::Denied,
            "creating NAT gateway (eu-central-1a)",
            "UnauthorizedOperation: no",
        )
        .hint("Allow ec2:CreateNatGateway.");
        failure.request_id = Some("abc".to_owned());
        let diagnostic = failure.diagnostic();
        assert_eq!(diagnostic.summary, "Creating NAT gateway (eu-central-1a)");
        assert!(diagnostic.detail.contains("AWS request id: abc"));
        assert_eq!(&*diagnostic.hint, "Allow ec2:CreateNatGateway.");
    }
}
