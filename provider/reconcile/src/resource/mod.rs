//! From a graph of parts to a resource of the framework: what all resources have in common, written once.
//!
//! A resource implements [`Declared`]: its arguments, the graph that follows from them, and the kinds of its parts.
//! [`Reconciled`] makes a [`framework::Resource`] of it: markers, incarnation, ownership, `objects`, `ids`, `drift`,
//! import, partial state.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use framework::{
    Applied, Attr, AttributeType, Context, Create, Delete, Diagnostic, Diagnostics, Import, Model, Path,
    Plan, PlanKind, PrivateState, Read, Resource, Severity, Timeouts, Update,
};

use crate::clock::Clock;
use crate::engine::Engine;
use crate::failure::{Class, Failure};
use crate::formerly::Formerly;
use crate::graph::Graph;
use crate::kinds::Kinds;
use crate::locks::Locks;
use crate::ownership::Purpose;
use crate::part::Key;
use crate::report::{Allowed, Known, Outcome, Report, Unclaimed};
use crate::shared_tags::IgnoredTags;

mod found;
mod look;
mod messages;
mod outputs;
mod place;
mod plan;
mod secrets;
mod state;
#[cfg(test)]
mod tests;

pub use found::{All, Data, ListConfig, Looked, offer};
pub use outputs::Outputs;
/// Derives [`Managed`].
pub use reconcile_derive::Managed;

use look::Imported;
use messages::{kept, warnings};
use outputs::Remembered;
use place::region_or_default;
use state::{Before, Status};

/// The private key under which an import leaves what [`Resource::read`] needs.
const IMPORTED: &str = "imported";

/// The private key of what a plan has to know of the objects ([`Remembered`]).
const REMEMBERED: &str = "remembered";

/// Tags as users give them: of some the value may not be known yet, null ones are none.
pub type GivenTags = BTreeMap<String, Attr<String>>;

/// What every declared resource has beside its own arguments.
#[derive(Model, Debug, Clone, Default)]
pub struct Common {
    /// AWS region. Default: the provider's.
    #[attribute(optional, computed, replace, keep)]
    pub region: Attr<String>,
    /// Tags of everything that the resource makes, beside the provider's `default_tags`; null ones are left out. Keys
    /// that begin with `ekb:` are the provider's own and refused.
    #[attribute(optional)]
    pub tags: Attr<GivenTags>,
    /// Drift to leave alone: patterns for the sentences of `drift`, up to any colon, with `*` for any text. For
    /// example `private_routes/*: routes`, or `flow_log/*` for a part that may be missing. `ignore_changes` of a `lifecycle`
    /// block, also `all`, keeps arguments only: what was changed outside is mended all the same.
    #[attribute(optional)]
    pub ignore_drift: Attr<Vec<String>>,
    /// Whether a log group, role or other object that has the fixed name of one of its parts is taken over as it is, where it
    /// carries nobody's `ekb:` tags: for what an earlier installation left. It then belongs to this resource, and is
    /// destroyed with it.
    #[attribute(optional)]
    pub adopt: Attr<bool>,
    /// Those of the provider's `default_tags` that the resource carries: what `tags` does not give another value.
    #[attribute(computed, keep)]
    pub default_tags: Attr<GivenTags>,
    /// All tags: those of `tags` and of `default_tags`. Sensitive, as those of `tags` may be.
    #[attribute(computed, keep, sensitive)]
    pub tags_all: Attr<GivenTags>,
    /// The environment it belongs to.
    #[attribute(computed, keep)]
    pub environment: Attr<String>,
    /// The AWS account it lies in.
    #[attribute(computed, keep)]
    pub account_id: Attr<String>,
    /// Which creation of it this state knows; a tag on its root object says the same.
    #[attribute(computed, keep)]
    pub incarnation: Attr<String>,
    /// `complete`; `incomplete` where creating ended half way: apply again to continue; `destroying` where destroying
    /// ended half way: destroy again, or apply to have it back.
    #[attribute(computed, keep)]
    pub status: Attr<String>,
    /// Ids of its parts.
    #[attribute(computed, keep)]
    pub ids: Attr<BTreeMap<String, Attr<String>>>,
    /// Its parts, as JSON: the fields that the provider manages, as they shall be (plan) or are (refresh), without the
    /// tags of `tags` and `default_tags`.
    #[attribute(computed, keep)]
    pub objects: Attr<BTreeMap<String, Attr<String>>>,
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
    /// The account; empty where it is not to be asked for. `region`: that of the resource, to be asked where the provider
    /// has none.
    async fn account(&self, region: Option<&str>) -> Result<String, Failure>;
    /// Tags of everything.
    fn default_tags(&self) -> &Attr<GivenTags>;
    /// The tags that are left alone.
    fn ignored_tags(&self) -> &IgnoredTags;
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

/// The model of a declared resource: `#[derive(Model, Managed, Default, …)]` on a struct with the fields `name`, `timeouts`
/// and a flattened `common`.
pub trait Managed: Model + Default + Clone + std::fmt::Debug + Send + Sync + 'static {
    /// What every declared resource has.
    fn common(&self) -> &Common;
    /// The same, to be changed.
    fn common_mut(&mut self) -> &mut Common;
    /// Its name within the environment.
    fn name(&self) -> &Attr<String>;
    /// The same, to be changed.
    fn name_mut(&mut self) -> &mut Attr<String>;
    /// Its time-outs.
    fn timeouts(&self) -> &Attr<Timeouts>;
}

/// A resource that is a graph of parts.
#[async_trait]
pub trait Declared<C: Surroundings>: Send + Sync + 'static {
    /// Its arguments and attributes.
    type Model: Managed;

    /// Its full name, for example `ekb_network`; without the prefix the type in the tag `ekb:resource`.
    const NAME: &'static str;
    /// What users call it, for example `network`.
    const TITLE: &'static str;
    /// Whether it is found by its name alone, so that there are a data source and a list resource of it.
    const IS_FOUND: bool = true;
    /// Version of its graph's form, written on the root object; newer ones are refused.
    const SCHEMA: u32 = 1;
    /// Version of its state's form ([`Resource::VERSION`]).
    const VERSION: i64 = 0;
    /// Names that earlier versions gave to it and to its parts. What bears them is kept, and tagged anew.
    const FORMERLY: Formerly = Formerly {
        names: &[],
        parts: &[],
    };
    /// IAM actions of what it looks up beside its parts (zones, versions).
    const LOOKS_UP: &'static [&'static str] = &[];
    /// Time-outs where the user sets none.
    const TIMEOUTS: DefaultTimeouts;

    /// Whether `adopt` takes over a whole that others built, where its root has a fixed name; otherwise only an import does.
    const ADOPTS_WHOLE: bool = false;
    /// The kind of the root, where the beginning of its key does not say it: an import has no graph yet that does.
    const ROOT_KIND: Option<&'static str> = None;
    /// What names one within environment and region, as an import writes it.
    const NAMED_AS: &'static str = "NAME";

    /// What tells it from others of its type within environment and region: its name, where that alone does.
    fn named(&self, model: &Self::Model) -> Attr<String> {
        Managed::name(model).clone()
    }

    /// Sets the arguments that [`Declared::named`] follows from; false where the text is no such name.
    fn name_it(&self, model: &mut Self::Model, text: &str) -> bool {
        *Managed::name_mut(model) = text.into();
        !text.is_empty() && !text.contains('/')
    }

    /// Turns a state of the version into one of the next version, as [`Resource::upgrade`] does.
    ///
    /// # Errors
    /// Where the state cannot be read.
    fn upgrade(&self, version: i64, _state: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        Err(framework::no_upgrade(Self::NAME, version))
    }

    /// Checks what is planned, each refusal at the path of its argument. Pure; values may be unknown. Refusals of
    /// arguments that do not change are dropped: a plan without changes, and so a destroy, is never blocked.
    fn check(&self, _planned: &Self::Model, _out: &mut Diagnostics) {}

    /// Sets the computed attributes that follow from arguments. Looks up only what the prior state does not have, and
    /// what hardly ever changes (zones); what cannot be known yet stays unknown. Without a context the provider's
    /// configuration is not known yet.
    /// By default there are none.
    async fn complete(
        &self,
        _context: Option<&C>,
        _config: &Self::Model,
        _prior: Option<&Self::Model>,
        _planned: &mut Self::Model,
        _out: &mut Diagnostics,
    ) {
    }

    /// Before an apply: gets what [`Declared::graph`] needs and the model only names (a chart), and sets computed attributes that a plan
    /// could not know. At plan [`Declared::complete`] does the same. By default nothing. Write-only values are those of `config`.
    ///
    /// # Errors
    /// It cannot be had.
    async fn fetch(
        &self,
        _context: &C,
        _config: &Self::Model,
        _model: &mut Self::Model,
    ) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// The parts that follow from the attributes; `None` while one that all of them follow from is not known. Pure.
    ///
    /// What else is not known is said of the field ([`Graph::part_with`]), or of the parts that may come or go
    /// ([`Graph::open`]): an id stays known unless its part may have to be made anew. The user's tags are added by the
    /// adapter: a part's `tags` are those of its own.
    ///
    /// Write-only attributes are there when something is applied, and null at plan, refresh and destroy: they belong in
    /// fields of parts that serde skips, with their version beside them ([`crate::part::FieldRule::AsApplied`]).
    fn graph(&self, model: &Self::Model) -> Option<Graph>;

    /// The stages on the way there, where it cannot be reached in one (an upgrade over several versions, a setting that
    /// needs another one first): seen from what is there, so that an interrupted change goes on where it stands. None by
    /// default. Parts of a stage have the keys of the graph's own; what a stage does not declare stays until the end.
    ///
    /// # Errors
    /// What had to be looked up could not be.
    async fn steps(
        &self,
        _context: &C,
        _model: &Self::Model,
        _found: &Report,
    ) -> Result<Vec<Graph>, Failure> {
        Ok(Vec::new())
    }

    /// Says more of a failure of an apply than the kind of its part can, which sees one service only. By default nothing.
    async fn explain(&self, _context: &C, _model: &Self::Model, failure: Failure) -> Failure {
        failure
    }

    /// Sets arguments to what was reached, where an apply failed half way on its [`Declared::steps`]: so that the next plan begins
    /// there. By default the state says what was planned.
    fn reached(&self, _model: &mut Self::Model, _report: &Report) {}

    /// After an update that failed half way: the parts as they were before, where the user wants these back. By default nothing.
    async fn fall_back(&self, _context: &C, _planned: &Self::Model) -> Option<Graph> {
        None
    }

    /// The kinds of all parts that it may have, declared now or not.
    fn kinds(&self, context: &C, region: &str) -> Kinds;

    /// Sets the computed attributes that services invent, at plan as far as they can be foreseen.
    fn outputs(&self, model: &mut Self::Model, from: &Outputs<'_>);

    /// Whether the user allows parts to be deleted that hold data ([`crate::part::Loss::Data`]).
    fn allows_data_loss(_model: &Self::Model) -> bool {
        false
    }

    /// Warnings of a plan that replaces the resource.
    fn on_replace(&self, _prior: &Self::Model, _out: &mut Diagnostics) {}

    /// Says at the plan of a destroy what stands against it: an error refuses it. A destroy sees the state only, so the hint of a
    /// refusal by an argument is to change that, apply, and then destroy.
    async fn check_destroy(&self, _context: Option<&C>, _prior: &Self::Model, _out: &mut Diagnostics) {}

    /// Whether an import's text is an id of the root object, given by AWS (`vpc-…`).
    fn is_root_id(&self, _text: &str) -> bool {
        false
    }

    /// The id of the root object that follows from the resource's name, where it does: an import by name then finds also what
    /// others built.
    fn root_named(&self, _name: &str) -> Option<String> {
        None
    }

    /// Region and name of the resource that an ARN means; none where it is the ARN of something else.
    fn of_arn(&self, _arn: &str) -> Option<(String, String)> {
        None
    }

    /// The key of the root part.
    fn root_key(&self) -> Key;

    /// The parts that unclaimed objects (built by others) stand for, as far as [`Declared::adopt`] needs them to find
    /// the arguments; what follows from the arguments is matched by [`crate::part::Kind::stands_for`].
    fn recognise<'a>(&self, _report: &'a Report) -> Vec<(Key, &'a Unclaimed)> {
        Vec::new()
    }

    /// What of others an import leaves alone, and what an apply does beside it: the user is told. Only after an import by the
    /// root's id.
    fn left_alone(&self, _report: &Report) -> Vec<String> {
        Vec::new()
    }

    /// Sets arguments that are one field of AWS to its real value, where it is there: so a plan shows a difference as
    /// that of the argument, and `ignore_changes` leaves it alone. All else is said by `objects` and `drift`.
    /// True where any was changed.
    fn read_arguments(&self, _model: &mut Self::Model, _report: &Report) -> bool {
        false
    }

    /// Sets the arguments from what is there: import and data source.
    fn adopt(&self, model: &mut Self::Model, report: &Report);

    /// Sets at import what the report alone does not tell. After [`Declared::adopt`].
    ///
    /// # Errors
    /// It could not be looked at: nothing is imported then.
    async fn complete_import(
        &self,
        _context: &C,
        _model: &mut Self::Model,
        _report: &Report,
    ) -> Result<(), Failure> {
        Ok(())
    }
}

/// [`Declared`] as a resource of the framework.
#[derive(Debug, Default)]
pub struct Reconciled<D>(pub D);

/// What the state says of the parts.
struct Baseline {
    known: Known,
    remembered: Remembered,
}

impl Baseline {
    fn of<C: Surroundings, D: Declared<C>>(
        reconciled: &Reconciled<D>,
        context: Option<&C>,
        state: &D::Model,
        private: &PrivateState,
    ) -> Self {
        let remembered = remembered::<C, D>(private);
        Self {
            known: reconciled.known(context, state, &remembered),
            remembered,
        }
    }
}

/// The patterns of drift that is left alone.
fn patterns(common: &Common) -> Vec<String> {
    common.ignore_drift.known().cloned().unwrap_or_default()
}

/// What the private state says, by the keys of this version.
fn remembered<C: Surroundings, D: Declared<C>>(private: &PrivateState) -> Remembered {
    let remembered: Remembered = private.get_json(REMEMBERED).unwrap_or_default();
    remembered.renamed(&D::FORMERLY)
}

/// What became of an update that failed, and of the way back.
fn taken_back(engine: &Engine, failed: Outcome, back: Outcome) -> Outcome {
    let (doing, is_done) = (format!("changing {}", engine.owner.resource), back.is_done());
    let mut outcome = Outcome {
        changed: true,
        refused: false,
        ..back
    };
    let more = std::mem::replace(&mut outcome.errors, failed.errors);
    if is_done {
        let cause = "the change failed, and was taken back: what was there before is there again";
        let told = Failure::new(Class::Other, doing, cause).code("EKB2053");
        outcome.report.warnings.push(told);
    } else {
        outcome.errors.extend(more);
    }
    outcome
}

#[async_trait]
impl<C: Surroundings, D: Declared<C>> Resource<C> for Reconciled<D> {
    type Model = D::Model;
    type Identity = Identity;

    const NAME: &'static str = D::NAME;
    const VERSION: i64 = D::VERSION;
    const FORMER_NAMES: &'static [&'static str] = D::FORMERLY.names;

    fn upgrade(&self, version: i64, state: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        self.0.upgrade(version, state)
    }

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
            if let Some(prior) = &plan.prior {
                let known = Baseline::of(self, context, prior, &plan.private).known;
                self.say_what_a_destroy_keeps::<C>(&known, &mut plan.diagnostics);
                self.0.check_destroy(context, prior, &mut plan.diagnostics).await;
            }
            return;
        };
        let (prior, out) = (plan.prior.as_ref(), &mut plan.diagnostics);
        if let Err(error) = self.plan_arguments(context, config, prior, planned, out).await {
            out.push(error);
            return;
        }
        match self.graph(context, planned) {
            Some(graph) => {
                let mut baseline = prior.map(|prior| Baseline::of(self, context, prior, &plan.private));
                if let Some(baseline) = &mut baseline {
                    baseline.known.ignore_drift = patterns(Managed::common(planned));
                }
                self.plan_parts(&graph, baseline.as_ref(), planned, out);
                if let Some(baseline) = baseline.as_ref().filter(|_| plan.replace.is_empty()) {
                    self.say_what_goes(context, &graph, baseline, planned, out);
                }
                if let Some(context) = context.filter(|_| plan.kind != PlanKind::Replace && !out.has_errors())
                {
                    self.foretell_names(cx, context, &graph, baseline.as_ref(), planned, out)
                        .await;
                }
            }
            None => {
                let common = Managed::common_mut(planned);
                common.objects = Attr::Unknown;
                common.ids = Attr::Unknown;
                self.0.outputs(planned, &Outputs::unknown());
            }
        }
        self.refuse(prior, planned, out);
        if let Some(prior) = prior.filter(|_| !plan.replace.is_empty()) {
            self.0.on_replace(prior, out);
        }
        // What is so already may not block a destroy, which plans first: the second one will find nothing.
        let is_unchanged = prior.is_some_and(|prior| prior.encode() == planned.encode());
        let changed = format!("changed/{}", self.place(planned));
        if plan.kind != PlanKind::Replace
            && let (Attr::Known(name), Attr::Known(region)) =
                (self.0.named(planned), &Managed::common(planned).region)
            && {
                let is_first = cx.claim(&self.place(planned));
                if !is_unchanged {
                    cx.claim(&changed);
                }
                !is_first
            }
        {
            let twice = Diagnostic::error(
                "EKB2016",
                format!("Two {}s of the same name", D::TITLE),
                format!("Another {} of this configuration has the name {name} in {region} too.", D::NAME),
            )
            .hint(
                "Give one of them another `name`. If it is the same one under a new address, add a `moved` block; if it was \
                 imported twice, take one out of the configuration and the state (terraform state rm ADDRESS).",
            )
            .at(Path::from("name"));
            out.push(if is_unchanged && cx.claim(&changed) {
                Diagnostic {
                    severity: Severity::Warning,
                    ..twice
                }
            } else {
                twice
            });
        } else if plan.kind == PlanKind::Create {
            self.claim_move(cx, planned, out);
            // In the apply that goes on with it all has been said, and core might stop before it asks for the rest.
            let is_continued = self.handover(cx).has(&self.place(planned));
            if let Some(context) = context.filter(|_| !out.has_errors() && !is_continued) {
                self.foretell(cx, context, planned, out).await;
            }
        }
    }

    async fn create(&self, cx: &Context<C>, request: Create<D::Model>) -> Applied<D::Model> {
        let mut planned = request.planned;
        let before = match self.handover(cx).take(&self.place(&planned)) {
            Some(state) => Before::Continued(state),
            None => Before::Nothing,
        };
        if let Err(error) = self.fetch(cx, &request.config, &mut planned).await {
            return Applied::failed(before.into_state(), request.private, error);
        }
        let prepared = self
            .prepare(
                cx,
                &request.config,
                &planned,
                Managed::timeouts(&planned).create(D::TIMEOUTS.create),
            )
            .await;
        let (engine, way) = match prepared {
            Ok(prepared) => prepared,
            Err(errors) => return Applied::failed(before.into_state(), request.private, errors),
        };
        let context = cx.ready().map(|context| &**context);
        let remembered = remembered::<C, D>(&request.private);
        let known = before
            .state()
            .map(|state| self.known(context, state, &remembered));
        let known = known.unwrap_or_default();
        let begun = before
            .state()
            .and_then(|state| Managed::common(state).incarnation.known().cloned());
        let incarnation = begun.unwrap_or_else(|| Clock::from_env().id());
        let purpose = Purpose::Create {
            incarnation: incarnation.clone(),
        };
        let outcome = engine.follow(&way, &known, &Allowed::All, &purpose).await;
        let outcome = way.explained(outcome).await;
        self.applied(planned, before, request.private, outcome, Some(incarnation))
    }

    async fn read(&self, cx: &Context<C>, request: Read<D::Model, Identity>) -> Applied<D::Model> {
        let mut private = request.private;
        let imported: Option<Imported> = private.get_json(IMPORTED);
        private.remove(IMPORTED);
        let looked = match cx.configured() {
            Ok(context) => {
                let remembered = remembered::<C, D>(&private);
                self.look(cx, context, request.state.clone(), &remembered, imported)
                    .await
            }
            Err(error) => Err(error),
        };
        match looked {
            Ok((Some((state, remembered)), messages)) => {
                private.set_json(REMEMBERED, &remembered);
                Applied::done(state, private).with(messages)
            }
            Ok((None, messages)) => Applied::gone().with(messages),
            Err(error) => Applied::failed(Some(request.state), private, error),
        }
    }

    async fn update(&self, cx: &Context<C>, request: Update<D::Model>) -> Applied<D::Model> {
        let mut planned = request.planned;
        if let Err(error) = self.fetch(cx, &request.config, &mut planned).await {
            return Applied::failed(Some(request.prior), request.private, error);
        }
        let prepared = self
            .prepare(
                cx,
                &request.config,
                &planned,
                Managed::timeouts(&planned).update(D::TIMEOUTS.update),
            )
            .await;
        let (engine, way) = match prepared {
            Ok(prepared) => prepared,
            Err(errors) => return Applied::failed(Some(request.prior), request.private, errors),
        };
        let context = cx.ready().map(|context| &**context);
        let mut known = Baseline::of(self, context, &request.prior, &request.private).known;
        known.ignore_drift = patterns(Managed::common(&planned));
        let allowed = Allowed::of(&way.target.changes(&known));
        // An imported thing that others made has no incarnation yet: it gets one here.
        let fresh = Managed::common(&request.prior)
            .incarnation
            .is_null()
            .then(|| Clock::from_env().id());
        let incarnation = Managed::common(&request.prior)
            .incarnation
            .known()
            .cloned()
            .or_else(|| fresh.clone());
        let purpose = Purpose::Update { incarnation };
        let outcome = engine.follow(&way, &known, &allowed, &purpose).await;
        let mut outcome = way.explained(outcome).await;
        if outcome.changed
            && !outcome.is_done()
            && !cx.cancel().is_cancelled()
            && let Some(context) = context
            && let Some(graph) = self.0.fall_back(context, &planned).await
        {
            let graph = self.with_tags(Some(context), &request.prior, graph);
            let known = outcome.report.known();
            let back = engine.reconcile(&[graph], &known, &Allowed::All, &purpose).await;
            if back.is_done() {
                planned = request.prior.clone();
            }
            outcome = taken_back(&engine, outcome, back);
        }
        let before = Before::Updated(request.prior);
        self.applied(planned, before, request.private, outcome, fresh)
    }

    async fn delete(&self, cx: &Context<C>, request: Delete<D::Model>) -> Applied<D::Model> {
        let prior = request.prior;
        if self.is_incomplete(&prior) && request.marker.same_place(&prior) {
            if cx.cancel().is_cancelled() {
                let failure = crate::wait::cancelled(&format!("continuing the {}", D::TITLE));
                return Applied::failed(Some(prior), request.private, failure.diagnostic());
            }
            // The create that follows goes on with it.
            self.handover(cx).leave(self.place(&prior), prior);
            return Applied::gone();
        }
        let context = match cx.configured() {
            Ok(context) => context,
            Err(error) => return Applied::failed(Some(prior), request.private, error),
        };
        if let Err(error) = self.same_account(context, &prior).await {
            return Applied::failed(Some(prior), request.private, error);
        }
        let timeout = Managed::timeouts(&prior).delete(D::TIMEOUTS.delete);
        let engine = match self.engine(cx, context, &prior, timeout) {
            Ok(engine) => engine,
            Err(error) => return Applied::failed(Some(prior), request.private, error),
        };
        let baseline = Baseline::of(self, Some(&**context), &prior, &request.private);
        let graph = self.graph(Some(&**context), &prior);
        let incarnation = Managed::common(&prior).incarnation.known().cloned();
        let outcome = engine
            .destroy(graph.as_ref(), &baseline.known, incarnation.as_deref())
            .await;
        let mut messages = warnings(&outcome.report.warnings);
        messages.extend(outcome.kept.iter().map(kept));
        if let Some(root) = outcome
            .report
            .ids
            .get(&self.0.root_key())
            .filter(|_| outcome.left)
        {
            messages.push(
                Diagnostic::warning(
                    "EKB2030",
                    format!("The {} was left as it is", D::TITLE),
                    format!("A later creation of it has taken {root} over, and everything with it."),
                )
                .hint(format!(
                    "Nothing is to be done where a state knows that one. Where none does (its apply was killed at its very \
                     end), import it: terraform import ADDRESS {}",
                    engine.owner.import_id()
                )),
            );
        }
        if outcome.is_done() {
            return Applied::gone().with(messages);
        }
        messages.extend(outcome.errors.iter().map(Failure::diagnostic));
        let mut state = prior;
        let mut private = request.private;
        if !outcome.refused {
            self.fill(&mut state, &outcome.report, &baseline.remembered);
            private.set_json(REMEMBERED, &baseline.remembered.after(&outcome.report));
        }
        if outcome.changed {
            Managed::common_mut(&mut state).status = Status::of::<C, D>(&state).destroyed_in_part().attr();
        }
        Applied::failed(Some(state), private, messages)
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
            Import::Id(text) if text.starts_with("arn:") => match self.0.of_arn(&text) {
                Some((region, name)) => (ours.clone(), Some(name), Some(region), None),
                None => {
                    return fail(
                        Diagnostic::error(
                            "EKB2025",
                            "Invalid import id",
                            format!("`{text}` is not the ARN of a {}.", D::TITLE),
                        )
                        .hint("Write ENVIRONMENT/NAME."),
                    );
                }
            },
            Import::Id(text) => {
                let parts: Vec<&str> = text.split('/').collect();
                let own = |text: &str| Some(text.to_owned());
                let is_name = |text: &str| self.0.name_it(&mut D::Model::default(), text);
                let within = text
                    .split_once('/')
                    .filter(|(environment, name)| !environment.is_empty() && is_name(name));
                match (&parts[..], within) {
                    ([root], _) if self.0.is_root_id(root) => (ours.clone(), ours.clone(), None, own(root)),
                    ([environment, name, root], _) if !name.is_empty() && self.0.is_root_id(root) => {
                        (own(environment), own(name), None, own(root))
                    }
                    _ if is_name(&text) => (ours.clone(), own(&text), None, None),
                    (_, Some((environment, name))) => (own(environment), own(name), None, None),
                    _ => {
                        return fail(
                            Diagnostic::error(
                                "EKB2025",
                                "Invalid import id",
                                format!("`{text}` does not name a {}.", D::TITLE),
                            )
                            .hint(format!(
                                "Write ENVIRONMENT/{}; for what others built the id of its root object, alone or as \
                                 ENVIRONMENT/NAME/ID.",
                                D::NAMED_AS
                            )),
                        );
                    }
                }
            }
        };
        let mut state = D::Model::default();
        let root = root.or_else(|| self.0.root_named(name.as_deref()?));
        if let Some(name) = &name
            && !self.0.name_it(&mut state, name)
        {
            return fail(
                Diagnostic::error(
                    "EKB2025",
                    "Invalid import id",
                    format!("`{name}` does not name a {}.", D::TITLE),
                )
                .hint(format!("Write {}.", D::NAMED_AS)),
            );
        }
        let common = Managed::common_mut(&mut state);
        common.environment = Attr::from_option(environment.or(ours));
        common.region = match region_or_default(&**context, region).await {
            Ok(region) => region.into(),
            Err(error) => return fail(error),
        };
        let mut private = PrivateState::new();
        private.set_json(
            IMPORTED,
            &Imported {
                root,
                is_import: true,
            },
        );
        Applied::done(state, private)
    }

    fn identity(&self, state: &D::Model) -> Option<Identity> {
        let (common, name) = (Managed::common(state), self.0.named(state));
        let known = common.environment.is_known() && name.is_known() && common.region.is_known();
        known.then(|| Identity {
            environment: common.environment.clone(),
            name,
            region: common.region.clone(),
        })
    }
}
