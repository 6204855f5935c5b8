//! The plan: what follows from the arguments, and what is refused.

use std::collections::BTreeMap;

use framework::path::Step;
use framework::{Attr, AttributeType, Context, Diagnostic, Diagnostics, Path, Severity};

use super::place::settle_place;
use super::state::{Status, texts};
use super::{Declared, Reconciled, Surroundings};
use crate::failure::Failure;
use crate::graph::Graph;
use crate::ownership::{PREFIX, Phase};
use crate::part::Key;
use crate::report::{Change, Known};

/// Most tags of an AWS object (AWS EC2 and most services), the engine's among them.
const MOST_TAGS: usize = 50;

/// Most characters of a tag's key and of its value (AWS EC2 and most services).
const TAG_KEY: usize = 128;
const TAG_VALUE: usize = 256;

/// How many tags the engine puts on an object at most: four of ownership, `made`, and four on the root.
const OWN_TAGS: usize = 9;

impl<D> Reconciled<D> {
    pub(super) fn is_incomplete<C: Surroundings>(&self, state: &D::Model) -> bool
    where
        D: Declared<C>,
    {
        Status::of::<C, D>(state) == Status::Incomplete
    }

    /// Notes that this plan makes or destroys something of this name; both in one run is a renamed address, which would
    /// make it anew beside itself.
    pub(super) fn claim_move<C: Surroundings>(&self, cx: &Context<C>, model: &D::Model, out: &mut Diagnostics)
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

    /// Says in a warning what an apply will continue: found live, so it may change nothing of the plan itself.
    pub(super) async fn foretell<C: Surroundings>(
        &self,
        cx: &Context<C>,
        context: &C,
        planned: &D::Model,
        out: &mut Diagnostics,
    ) where
        D: Declared<C>,
    {
        let key = self.0.root_key();
        let Some(graph) = self.0.graph(planned) else {
            return;
        };
        let Some(kind) = graph.kinds().remove(&key) else {
            return;
        };
        let Ok(mut engine) = self.engine(cx, context, planned, D::TIMEOUTS.read) else {
            return;
        };
        engine.kinds = engine.kinds.only(&kind);
        // What would be replaced of the root: of other kinds nothing is looked at.
        let sight = engine.observe(Some(&graph), &Known::default()).await;
        let moved = sight.replaces(&key);
        let report = sight.report();
        let (Some(tags), Some(id)) = (&report.root, report.ids.get(&key)) else {
            return;
        };
        if tags.phase == Some(Phase::Making) {
            out.push(match moved {
                None => Diagnostic::warning(
                    "EKB2028",
                    format!("An interrupted creation of this {} is continued", D::TITLE),
                    format!("{id} and what is there already stay as they are; the apply makes the rest. Where the plan speaks of \
                             a replacement because the resource is tainted, nothing that exists is destroyed."),
                ),
                Some(sentence) => Diagnostic::warning(
                    "EKB2028",
                    format!("An interrupted creation of this {} is destroyed", D::TITLE),
                    format!("{id} is there, and cannot be changed to what is declared now ({sentence}): where the plan speaks \
                             of a replacement, it and all that was made with it is destroyed first; otherwise the apply will \
                             refuse."),
                ),
            });
            return;
        }
        // Only a warning: what is tainted is there too, and core does not tell.
        out.push(
            Diagnostic::warning(
                "EKB2029",
                format!("This {} is there already", D::TITLE),
                format!("{id} is complete. Unless this plan replaces it, the state does not know it, and the apply will refuse \
                         to make another one of its name."),
            )
            .hint(format!("{}. Or choose another name.", engine.owner.import_hint())),
        );
        let mut there = planned.clone();
        self.fill(&mut there, &report);
        let mut replacing = Diagnostics::new();
        self.0.on_replace(&there, &mut replacing);
        out.extend(replacing.into_iter().map(|warning| Diagnostic {
            detail: format!("Where this plan replaces it: {}", warning.detail),
            ..warning
        }));
    }

    /// Says in a warning which fixed names of what is going to be made are taken: found live, as above.
    pub(super) async fn foretell_names<C: Surroundings>(
        &self,
        cx: &Context<C>,
        context: &C,
        prior: Option<&D::Model>,
        planned: &D::Model,
        out: &mut Diagnostics,
    ) where
        D: Declared<C>,
    {
        let Some(graph) = self.0.graph(planned) else {
            return;
        };
        let known = prior
            .map(|prior| self.known_at(prior, planned))
            .unwrap_or_default();
        let changes = graph.changes(&known);
        let made = graph
            .iter()
            .filter(|part| changes.get(&part.key) == Some(&Change::Create));
        let kinds = made.map(|part| part.kind).collect();
        let Ok(mut engine) = self.engine(cx, context, planned, D::TIMEOUTS.read) else {
            return;
        };
        engine.kinds = engine.kinds.named(&kinds);
        if engine.kinds.is_empty() {
            return;
        }
        let report = engine.observe(Some(&graph), &Known::default()).await.report();
        out.extend(report.foreign.iter().map(|taken| Diagnostic {
            code: "EKB2033".into(),
            summary: "A name is taken".to_owned(),
            detail: format!("{}. The apply will refuse to go on.", taken.cause),
            ..taken.warning()
        }));
    }

    /// The computed attributes that follow from arguments and the provider.
    pub(super) async fn plan_arguments<C: Surroundings>(
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
        common.status = Status::Complete.attr();
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
    pub(super) fn plan_parts<C: Surroundings>(
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
        let known = prior
            .map(|prior| self.known_at(prior, planned))
            .unwrap_or_default();
        let patterns = D::common(planned)
            .ignore_drift
            .known()
            .cloned()
            .unwrap_or_default();
        for pattern in graph.idle_patterns(&patterns) {
            out.push(
                Diagnostic::warning(
                    "EKB2032",
                    "A pattern matches nothing",
                    format!(
                        "`{pattern}` in `ignore_drift` matches no part of this {} and no field of one.",
                        D::TITLE
                    ),
                )
                .hint("The keys of `objects` are the parts; in their values are the fields.")
                .at(Path::from("ignore_drift")),
            );
        }
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
        let mut objects = graph.objects();
        objects.retain(|key, _| !known.is_left_out(key));
        common.objects = Attr::Known(texts(objects.iter()));
        common.ids = Attr::Known(objects.keys().map(|key| (key.0.clone(), id(key))).collect());
        let touched = |start: &str| {
            prior.is_none()
                || changes
                    .keys()
                    .any(|key| key.0.starts_with(start) && is_moved(key))
        };
        self.0.unsettle(planned, &touched);
    }

    /// What cannot be, where it is new: what stays as it was is never refused, so that a destroy is not blocked.
    pub(super) fn refuse<C: Surroundings>(
        &self,
        prior: Option<&D::Model>,
        planned: &D::Model,
        out: &mut Diagnostics,
    ) where
        D: Declared<C>,
    {
        let mut refused = Diagnostics::new();
        check_tags(&D::common(planned).tags_all, &mut refused);
        self.0.check(planned, &mut refused);
        let (before, after) = (prior.map(D::Model::encode), planned.encode());
        let is_new = |refusal: &Diagnostic| match (&before, refusal.path.0.first()) {
            (Some(before), Some(Step::Attribute(name))) => before.get(name) != after.get(name),
            _ => true,
        };
        // One mistake is said once: what the look-up refused already says more.
        let errors = out.iter().filter(|said| said.severity == Severity::Error);
        let said: Vec<Path> = errors.map(|said| said.path.clone()).collect();
        out.extend(
            refused.into_iter().filter(|refusal| {
                is_new(refusal) && (refusal.path.is_root() || !said.contains(&refusal.path))
            }),
        );
    }
}

/// The tags of everything: the provider's defaults under those of the resource, without the ignored ones.
pub(super) fn all_tags<C: Surroundings>(
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
    for (key, value) in all {
        let why = if key.is_empty() {
            "has no key".to_owned()
        } else if key.to_lowercase().starts_with("aws:") {
            "begins with `aws:`, which AWS keeps for itself".to_owned()
        } else if key.chars().count() > TAG_KEY {
            format!("has a key of more than {TAG_KEY} characters")
        } else if value.chars().count() > TAG_VALUE {
            format!("has a value of more than {TAG_VALUE} characters")
        } else {
            continue;
        };
        out.push(
            Diagnostic::error("EKB2026", "Invalid tag", format!("The tag `{key}` {why}."))
                .hint("Change it in `tags` or in `default_tags` of the provider.")
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
