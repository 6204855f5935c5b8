//! The plan: what follows from the arguments, and what is refused.

use std::collections::BTreeMap;

use framework::path::Step;
use framework::{Attr, AttributeType, Context, Diagnostic, Diagnostics, Path, Severity};

use super::outputs::{Outputs, Remembered};
use super::place::settle_place;
use super::state::Status;
use super::{Baseline, Common, Declared, GivenTags, Managed, Reconciled, Surroundings};
use crate::failure::Failure;
use crate::foresight::{Fate, Going};
use crate::graph::Graph;
use crate::matching::looking_at;
use crate::ownership::{PREFIX, Phase, RootTags};
use crate::part::{Key, Loss};
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
        let (Attr::Known(name), Attr::Known(region)) = (self.0.named(model), &Managed::common(model).region)
        else {
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
        let Some(graph) = self.graph(Some(context), planned) else {
            return;
        };
        let Some(kind) = graph.kinds().remove(&key) else {
            return;
        };
        let Ok(mut engine) = self.engine(cx, context, planned, D::TIMEOUTS.read) else {
            return;
        };
        engine.kinds = engine.kinds.only(&[kind.as_ref()]);
        // What would be replaced of the root: of other kinds nothing is looked at.
        let sight = engine.observe(Some(&graph), &Known::default()).await;
        let moved = sight.replaces(&key);
        let report = sight.report();
        let (Some(tags), Some(id)) = (&report.root, report.ids.get(&key)) else {
            return;
        };
        if engine.adopts_whole && *tags == RootTags::default() {
            out.push(Diagnostic::warning(
                "EKB2052",
                format!("A {} that others made is taken over", D::TITLE),
                format!("{id} is there (`adopt = true`). What of it is as declared stays as it is; the rest is changed, and all of \
                         it is destroyed with this resource."),
            ));
            return;
        }
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
        self.fill(&mut there, &report, &Remembered::default());
        let mut replacing = Diagnostics::new();
        self.0.on_replace(&there, &mut replacing);
        out.extend(replacing.into_iter().map(|warning| Diagnostic {
            summary: format!("If this plan replaces the {} that is there", D::TITLE),
            ..warning
        }));
    }

    /// Says in a warning which fixed names of what is going to be made are taken: found live, as above.
    pub(super) async fn foretell_names<C: Surroundings>(
        &self,
        cx: &Context<C>,
        context: &C,
        graph: &Graph,
        baseline: Option<&Baseline>,
        planned: &D::Model,
        out: &mut Diagnostics,
    ) where
        D: Declared<C>,
    {
        let nothing = Known::default();
        let changes = graph.changes(baseline.map_or(&nothing, |baseline| &baseline.known));
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
        let report = engine.observe(Some(graph), &nothing).await.report();
        let root = self.0.root_key();
        let of_root = report
            .foreign
            .iter()
            .find(|taken| taken.doing == looking_at(&root));
        // All that hangs on it is somebody else's then, too.
        let foreign = of_root.map_or(&report.foreign[..], std::slice::from_ref);
        out.extend(foreign.iter().map(|taken| Diagnostic {
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
        let common = Managed::common_mut(planned);
        (common.default_tags, common.tags_all) = all_tags(context, &Managed::common(config).tags);
        common.drift = Attr::Known(Vec::new());
        common.status = Status::Complete.attr();
        if common.incarnation.is_null() {
            common.incarnation = Attr::Unknown;
        }
        if prior.is_none() {
            if Managed::common(config).region.is_null() {
                common.region = Attr::Null;
            }
            settle_place(context, common).await?;
            let environment = common.environment.clone();
            if Managed::name(config).is_null() {
                *Managed::name_mut(planned) = environment;
            }
        }
        self.0.complete(context, config, prior, planned, out).await;
        Ok(())
    }

    /// What follows from the parts: objects, and what services invent.
    pub(super) fn plan_parts<C: Surroundings>(
        &self,
        graph: &Graph,
        baseline: Option<&Baseline>,
        planned: &mut D::Model,
        out: &mut Diagnostics,
    ) where
        D: Declared<C>,
    {
        if let Err(faults) = graph.check() {
            out.extend(faults.iter().map(Failure::diagnostic));
        }
        let patterns = super::patterns(Managed::common(planned));
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
        let nothing = (Known::default(), Remembered::default());
        let (known, remembered) = baseline.map_or((&nothing.0, &nothing.1), |baseline| {
            (&baseline.known, &baseline.remembered)
        });
        let foresight = graph.foresee(known);
        let common = Managed::common_mut(planned);
        common.objects = graph.shown();
        common.ids = foresight.ids();
        // What is gone and left alone is not shown.
        let is_there = |key: &String| !known.is_left_out(&Key(key.clone()));
        if let Attr::Known(objects) = &mut common.objects {
            objects.retain(|key, _| is_there(key));
        }
        if let Attr::Known(ids) = &mut common.ids {
            ids.retain(|key, _| is_there(key));
        }
        self.0
            .outputs(planned, &Outputs::foreseen(&foresight, remembered));
    }

    /// Says which objects go in an update, and what is lost with them; refuses to lose data that the user did not allow
    /// to be lost.
    pub(super) fn say_what_goes<C: Surroundings>(
        &self,
        context: Option<&C>,
        graph: &Graph,
        baseline: &Baseline,
        planned: &D::Model,
        out: &mut Diagnostics,
    ) where
        D: Declared<C>,
    {
        let region = Managed::common(planned).region.known();
        let kinds = context
            .zip(region)
            .map(|(context, region)| self.0.kinds(context, region));
        let (mut said, mut refused, mut stays) = (Vec::new(), Vec::new(), Vec::new());
        let foresight = graph.foresee(&baseline.known);
        // One mistake is said once: what a look-up refused already says more, and what is refused loses nothing.
        let (is_said, refusals) = (out.has_errors(), foresight.refused());
        let is_refused = is_said || !refusals.is_empty();
        let refusals = refusals.into_iter().filter(|_| !is_said);
        out.extend(refusals.map(|(key, sentences, refusal)| {
            let summary = format!("A change of the {} is refused", D::TITLE);
            Diagnostic::error(
                "EKB2047",
                summary,
                format!("{key}: {sentences}: {}.", refusal.why),
            )
            .hint(refusal.hint)
        }));
        for going in foresight.going() {
            let kind = kinds.as_ref().and_then(|kinds| kinds.get(&going.kind));
            let loss = kind.as_ref().map_or(Loss::Nothing, |kind| kind.loss());
            let title = kind
                .as_ref()
                .map_or(going.kind.as_str(), |kind| kind.traits().title);
            let invented = baseline.remembered.texts(&going.key, &going.id);
            let text = sentence(&going, title, &invented, loss);
            let is_certain = matches!(going.fate, Fate::Removed | Fate::Replaced(_));
            if matches!(going.fate, Fate::Kept(_)) {
                stays.push(text);
            } else if matches!(loss, Loss::Data(_)) && is_certain && !D::allows_data_loss(planned) {
                refused.push(text);
            } else {
                said.push(text);
            }
        }
        if !said.is_empty() {
            let summary = format!("Parts of the {} are deleted or made anew", D::TITLE);
            out.push(Diagnostic::warning("EKB2045", summary, said.join("\n")));
        }
        if !stays.is_empty() {
            out.push(self.say_what_stays(&stays));
        }
        if !refused.is_empty() && !is_refused {
            let summary = format!("Data of the {} would be lost", D::TITLE);
            out.push(
                Diagnostic::error("EKB2046", summary, refused.join("\n"))
                    .hint("Change the arguments back, or set `allow_data_loss = true` if it shall be so."),
            );
        }
    }

    /// Says in the plan of a destroy which objects will stay.
    pub(super) fn say_what_a_destroy_keeps<C: Surroundings>(&self, known: &Known, out: &mut Diagnostics)
    where
        D: Declared<C>,
    {
        let kept = known.kept.iter();
        let there = kept.filter_map(|(key, reason)| Some((key, known.ids.get(key)?, reason)));
        let stays: Vec<String> = there
            .map(|(key, id, reason)| format!("- {key} ({id}) stays: {reason}"))
            .collect();
        if !stays.is_empty() {
            out.push(self.say_what_stays(&stays));
        }
    }

    fn say_what_stays<C: Surroundings>(&self, stays: &[String]) -> Diagnostic
    where
        D: Declared<C>,
    {
        let summary = format!("Parts of the {} stay", D::TITLE);
        Diagnostic::warning("EKB2051", summary, stays.join("\n"))
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
        check_tags(Managed::common(planned), &mut refused);
        self.0.check(planned, &mut refused);
        let mut stood = Diagnostics::new();
        if let Some(prior) = prior {
            check_tags(Managed::common(prior), &mut stood);
            self.0.check(prior, &mut stood);
        }
        let (before, after) = (prior.map(D::Model::encode), planned.encode());
        // An argument that stays may be refused for another one that changes.
        let is_new = |refusal: &Diagnostic| match (&before, refusal.path.0.first()) {
            (Some(_), _) if !stood.iter().any(|other| other == refusal) => true,
            (Some(before), Some(Step::Attribute(name))) => {
                // Both of the block and of the resource: together they are what is given.
                let name = if matches!(name.as_str(), "tags" | "default_tags") {
                    "tags_all"
                } else {
                    name
                };
                before.get(name) != after.get(name)
            }
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

/// `nat_address/a (elastic IP address eipalloc-1, 203.0.113.7) is deleted: it is no longer declared. Its public address
/// is lost.`
fn sentence(going: &Going, title: &str, invented: &[String], loss: Loss) -> String {
    let Going { key, id, .. } = going;
    let named: Vec<&str> = [id.as_str()]
        .into_iter()
        .chain(invented.iter().map(String::as_str))
        .collect();
    let fate = match &going.fate {
        Fate::Removed => "is deleted: it is no longer declared".to_owned(),
        Fate::Kept(reason) => format!("stays: {reason}"),
        Fate::Replaced(why) if why.is_empty() => "is deleted and made anew".to_owned(),
        Fate::Replaced(why) => format!("is deleted and made anew: {why}"),
        Fate::MayBeRemoved => "may be deleted: whether it is declared is not known yet".to_owned(),
        Fate::MayBeReplaced(field) => {
            format!("may be deleted and made anew: its {field} is not known yet")
        }
    };
    let lost = match loss {
        _ if matches!(going.fate, Fate::Kept(_)) => String::new(),
        Loss::Nothing => String::new(),
        Loss::Thing(what) | Loss::Data(what) => {
            let (first, rest) = what.split_at(what.chars().next().map_or(0, char::len_utf8));
            format!(" {}{rest} is lost.", first.to_uppercase())
        }
    };
    format!("- {key} ({title} {}) {fate}.{lost}", named.join(", "))
}

/// The tags of the provider block that apply, and all tags: those under the ones of the resource, without ignored ones.
///
/// A tag whose value turns out to be null keeps its place, with a null: the keys of a map that was planned stay.
pub(super) fn all_tags<C: Surroundings>(
    context: Option<&C>,
    own: &Attr<GivenTags>,
) -> (Attr<GivenTags>, Attr<GivenTags>) {
    let unknown = (Attr::Unknown, Attr::Unknown);
    let Some(context) = context else {
        return unknown;
    };
    let nothing = GivenTags::new();
    let given = |tags| match tags {
        &Attr::Unknown => None,
        Attr::Null => Some(&nothing),
        Attr::Known(tags) => Some(tags),
    };
    let (Some(defaults), Some(own)) = (given(context.default_tags()), given(own)) else {
        return unknown;
    };
    let mut applying = Attr::Known(defaults.clone());
    let mut all = defaults.clone();
    for (key, value) in own {
        match value {
            Attr::Null => {
                all.entry(key.clone()).or_insert(Attr::Null);
            }
            Attr::Unknown if defaults.contains_key(key) => {
                // It may be null, and the default stand.
                applying = Attr::Unknown;
                all.insert(key.clone(), Attr::Unknown);
            }
            value => {
                if let Attr::Known(applying) = &mut applying {
                    applying.remove(key);
                }
                all.insert(key.clone(), value.clone());
            }
        }
    }
    let ignored = context.ignored_tags();
    let kept = |tags: &mut GivenTags| tags.retain(|key, _| !ignored.contains(key));
    kept(&mut all);
    if let Attr::Known(applying) = &mut applying {
        kept(applying);
    }
    (applying, Attr::Known(all))
}

/// Refuses tags that cannot be, each where it was given.
fn check_tags(common: &Common, out: &mut Diagnostics) {
    let Some(all) = common.tags_all.known() else {
        return;
    };
    let is_own = |key: &str| {
        let own = common.tags.known().and_then(|tags| tags.get(key));
        own.is_some_and(|value| !value.is_null())
    };
    let place = |key: &str| {
        if is_own(key) {
            (Path::from("tags").key(key), "in `tags`")
        } else {
            (
                Path::from("default_tags"),
                "in `default_tags` of the provider block",
            )
        }
    };
    let given: BTreeMap<_, _> = all.iter().filter(|(_, value)| !value.is_null()).collect();
    for key in given.keys().filter(|key| key.starts_with(PREFIX)) {
        let (at, place) = place(key);
        out.push(
            Diagnostic::error(
                "EKB2013",
                "Reserved tag",
                format!("Tags that begin with `{PREFIX}` are the provider's own: {key}, {place}."),
            )
            .hint("Give the tag another key.")
            .at(at),
        );
    }
    for (key, value) in &given {
        let why = if key.is_empty() {
            "has no key".to_owned()
        } else if key.to_lowercase().starts_with("aws:") {
            "begins with `aws:`, which AWS keeps for itself".to_owned()
        } else if key.chars().count() > TAG_KEY {
            format!("has a key of more than {TAG_KEY} characters")
        } else if value
            .known()
            .is_some_and(|value| value.chars().count() > TAG_VALUE)
        {
            format!("has a value of more than {TAG_VALUE} characters")
        } else {
            continue;
        };
        let (at, place) = place(key);
        out.push(
            Diagnostic::error(
                "EKB2026",
                "Invalid tag",
                format!("The tag `{key}`, {place}, {why}."),
            )
            .hint("Change it there.")
            .at(at),
        );
    }
    if given.len() > MOST_TAGS - OWN_TAGS - 4 {
        let at = if common.tags.known().is_some_and(|tags| !tags.is_empty()) {
            "tags"
        } else {
            "default_tags"
        };
        out.push(Diagnostic::error(
            "EKB2014",
            "Too many tags",
            format!(
                "{} tags are given. AWS allows {MOST_TAGS} on an object, of which up to {} are the provider's.",
                given.len(),
                OWN_TAGS + 4
            ),
        )
        .hint(format!("Give at most {}, `default_tags` of the provider included.", MOST_TAGS - OWN_TAGS - 4))
        .at(Path::from(at)));
    }
}
