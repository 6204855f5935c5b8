//! Looking at what is there: refresh, import, data source, list.

use framework::{Attr, Context, Diagnostic, Diagnostics, Listed, Listing};
use futures::try_join;

use super::messages::{together, warnings};
use super::outputs::Remembered;
use super::place::{no_environment, region_or_default};
use super::state::Status;
use super::{Common, Declared, GivenTags, Identity, Managed, Reconciled, Surroundings, patterns};
use crate::failure::Failure;
use crate::graph::Graph;
use crate::observe::Observation;
use crate::ownership::{Claim, PREFIX, Phase};
use crate::part::{Key, Object, Tags};
use crate::report::{Known, Report};
use crate::shared_tags::IgnoredTags;

/// What a stub of an import says.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Imported {
    /// The root object's id, where the user gave that.
    pub(super) root: Option<String>,
    /// Whether a state follows from it, of which a plan then believes that it is all there is.
    pub(super) is_import: bool,
}

impl Imported {
    /// Refuses to make a state of what could be looked at only in part: a plan would take the rest for gone or different.
    /// What ends with what it lies in is left out: nothing of AWS's hangs on it, and who imports a cluster may have no way into it.
    fn check(&self, observation: &Observation) -> Result<(), Diagnostic> {
        let kinds = &observation.engine.kinds;
        let counts = |kind: &str| !kinds.get(kind).is_some_and(|kind| kind.ends_with_parent());
        let mut blind = observation
            .blind
            .iter()
            .filter(|(kind, _)| self.is_import && counts(kind));
        match blind.next().map(|(_, failure)| failure) {
            Some(failure) => Err(Failure {
                hint: format!("{} Then import it again.", failure.hint)
                    .trim_start()
                    .to_owned(),
                ..failure.clone()
            }
            .diagnostic()),
            None => Ok(()),
        }
    }
}

impl<D> Reconciled<D> {
    /// The parts that follow from the attributes, with the user's tags and without ignored ones.
    pub(super) fn graph<C: Surroundings>(&self, context: Option<&C>, model: &D::Model) -> Option<Graph>
    where
        D: Declared<C>,
    {
        Some(self.with_tags(context, model, self.0.graph(model)?))
    }

    /// The graph with the user's tags and without ignored ones.
    pub(super) fn with_tags<C: Surroundings>(
        &self,
        context: Option<&C>,
        model: &D::Model,
        mut graph: Graph,
    ) -> Graph
    where
        D: Declared<C>,
    {
        let nothing = IgnoredTags::default();
        let ignored = context.map_or(&nothing, |context| context.ignored_tags());
        graph.share_tags(&Managed::common(model).tags_all, ignored);
        graph
    }

    /// What the state says of the parts.
    pub(super) fn known<C: Surroundings>(
        &self,
        context: Option<&C>,
        model: &D::Model,
        remembered: &Remembered,
    ) -> Known
    where
        D: Declared<C>,
    {
        let common = Managed::common(model);
        let ids = common.ids.known().into_iter().flatten();
        let objects = common.objects.known().into_iter().flatten();
        let mut known = Known {
            root: Some(self.0.root_key()),
            ignore_drift: patterns(common),
            ids: ids
                .filter_map(|(key, id)| Some((Key(key.clone()), id.known()?.clone())))
                .collect(),
            objects: objects
                .filter_map(|(key, text)| Some((Key(key.clone()), serde_json::from_str(text.known()?).ok()?)))
                .collect(),
            ..Known::default()
        };
        let shared = common.tags_all.known().into_iter().flatten();
        let shared = shared.filter_map(|(key, value)| Some((key.clone(), value.known()?.clone())));
        remembered.complete_tags(&mut known, &shared.collect());
        known.kinds.extend(remembered.kinds());
        known.kept.extend(remembered.kept());
        known.outputs = remembered.outputs();
        let known = D::FORMERLY.rename(known);
        let mut known = known;
        if let Some(context) = context {
            known.ignore_tags(context.ignored_tags());
        }
        let mut known = match self.graph(context, model) {
            Some(graph) => known.of(&graph),
            None => known,
        };
        if Status::of::<C, D>(model) != Status::Complete {
            // What is not there has not been made yet, or is on its way out: no drift.
            known.declared.clear();
        }
        known
    }

    /// Refuses an import by the id of a root object where that is not the object found: it is gone, or somebody
    /// else's, or another one has the name.
    fn is_the_one<C: Surroundings>(
        &self,
        asked: &str,
        state: &D::Model,
        report: &Report,
    ) -> Result<(), Diagnostic>
    where
        D: Declared<C>,
    {
        let root = self.0.root_key();
        let name = self.0.named(state).into_known().unwrap_or_default();
        let environment = Managed::common(state)
            .environment
            .known()
            .map_or("", String::as_str);
        match report.ids.get(&root) {
            Some(found) if found == asked => Ok(()),
            Some(found) if !report.present.contains(asked) => Err(Diagnostic::error(
                "EKB2031",
                format!("There is no such {}", D::TITLE),
                format!("{asked} does not exist here. {environment}/{name} is {found}."),
            )
            .hint(format!(
                "Check the id, the region and the credentials; or import what there is: terraform import ADDRESS {environment}/{name}"
            ))),
            Some(found) => {
                Err(Diagnostic::error(
                    "EKB2027",
                    format!("Another {} has this name", D::TITLE),
                    format!("{asked} was given; {environment}/{name} is {found}, which exists already."),
                )
                .hint(format!(
                    "Import {asked} under a name of its own: terraform import ADDRESS {environment}/NAME/{asked}, with \
                     `name = \"NAME\"` in the configuration."
                )))
            }
            // Not found at all: the CLI says that there is no such object.
            None => report
                .foreign
                .first()
                .map_or(Ok(()), |failure| Err(failure.diagnostic())),
        }
    }

    pub(super) async fn look<C: Surroundings>(
        &self,
        cx: &Context<C>,
        context: &C,
        mut state: D::Model,
        remembered: &Remembered,
        imported: Option<Imported>,
    ) -> Result<(Option<(D::Model, Remembered)>, Diagnostics), Diagnostic>
    where
        D: Declared<C>,
    {
        if imported.is_some() {
            self.same_account(context, &state).await?;
        }
        let timeout = Managed::timeouts(&state).read(D::TIMEOUTS.read);
        let engine = self.engine(cx, context, &state, timeout)?.begun();
        let mut known = self.known(Some(context), &state, remembered);
        let mut seen = 0;
        if let Some(imported) = &imported {
            if let Some(root) = &imported.root {
                known.ids.insert(self.0.root_key(), root.clone());
                known.root = Some(self.0.root_key());
                let kind = D::ROOT_KIND.map(str::to_owned);
                known.kinds.extend(kind.map(|kind| (self.0.root_key(), kind)));
                known.import = true;
            }
            let observation = engine.observe(None, &known).await;
            imported.check(&observation)?;
            let mut report = observation.report();
            if let Some(asked) = &imported.root {
                self.is_the_one(asked, &state, &report)?;
            }
            // Arguments of what could not be looked at would be wrong ones.
            if let Some(failure) = observation.blind_at(&self.0.root_key()) {
                return Err(failure.diagnostic());
            }
            if report.is_empty() {
                return Ok((None, Diagnostics::new()));
            }
            let recognised = self.0.recognise(&report);
            if !recognised.is_empty() {
                for (key, part) in recognised {
                    known.ids.insert(key.clone(), part.object.id.clone());
                    known.kinds.insert(key, part.kind.to_owned());
                }
                let observation = engine.observe(None, &known).await;
                imported.check(&observation)?;
                report = observation.report();
            }
            self.adopt(context, &mut state, &report).await?;
            seen = report.ids.len();
        }
        let graph = self.graph(Some(context), &state);
        // Whose account it is shows beside the first look, which is given up where it is another one.
        let looked = async { Ok(engine.observe(graph.as_ref(), &known).await) };
        let (account, mut observation) = try_join!(self.same_account(context, &state), looked)?;
        if let Some(imported) = &imported {
            imported.check(&observation)?;
        }
        let mut report = observation.report();
        if imported.is_none() && self.0.read_arguments(&mut state, &report) {
            observation.declare(self.graph(Some(context), &state).into_iter().collect());
            report = observation.report();
        } else if imported.is_some() && (report.ids.len() > seen || known.import) {
            // What is found by a fixed name and not by tags (a log group) shows only once the name is known; and that it is not there.
            self.adopt(context, &mut state, &report).await?;
            observation = engine
                .observe(self.graph(Some(context), &state).as_ref(), &known)
                .await;
            if let Some(imported) = &imported {
                imported.check(&observation)?;
            }
            report = observation.report();
        }
        let root = self.0.root_key();
        if known.ids.contains_key(&root)
            && !report.ids.contains_key(&root)
            && let Some(failure) = report.foreign.first()
        {
            // Its tags were changed outside: not ours to change, and not gone either.
            return Err(failure.diagnostic());
        }
        let mut messages = warnings(&report.warnings);
        if report.is_empty() {
            return Ok((None, messages));
        }
        messages.extend(report.foreign.iter().map(Failure::warning));
        let left = self.0.left_alone(&report);
        if known.import && !left.is_empty() {
            let summary = format!("Not all of it has a place in the {}", D::TITLE);
            let lines: Vec<String> = left.iter().map(|sentence| format!("- {sentence}.")).collect();
            messages.push(Diagnostic::warning("EKB2048", summary, lines.join("\n")).hint(
                "It is left as it is. What the next apply changes, the plan shows in `drift` and `objects`.",
            ));
        }
        let common = Managed::common_mut(&mut state);
        if common.account_id.is_null() && !account.is_empty() {
            // Outputs may follow from it (ARNs).
            common.account_id = account.into();
        }
        self.fill(&mut state, &report, remembered);
        let common = Managed::common_mut(&mut state);
        if let Some(root) = &report.root {
            match (common.incarnation.known(), &root.incarnation) {
                (None, Some(found)) => common.incarnation = found.clone().into(),
                (Some(ours), Some(theirs))
                    if matches!(root.claim(Some(ours)), Claim::Outlived | Claim::Stranger) =>
                {
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
                    Status::Incomplete
                } else {
                    Status::Complete
                }
                .attr();
            }
        } else if common.status.is_null() {
            common.status = Status::Complete.attr();
        }
        Ok((Some((state, remembered.clone().after(&report))), messages))
    }

    /// Sets the arguments from what is there.
    async fn adopt<C: Surroundings>(
        &self,
        context: &C,
        state: &mut D::Model,
        report: &Report,
    ) -> Result<(), Diagnostic>
    where
        D: Declared<C>,
    {
        self.0.adopt(state, report);
        let completed = self.0.complete_import(context, state, report).await;
        completed.map_err(|failure| failure.diagnostic())?;
        let graph = self.0.graph(state);
        let mut shared = shared_tags(report, graph.as_ref());
        shared.retain(|key, _| !context.ignored_tags().contains(key));
        split_tags(Managed::common_mut(state), shared, context.default_tags());
        Ok(())
    }
}

/// Looks at something that is there, for a data source: the model as an import would have it; `None` where nothing is.
///
/// # Errors
/// What the user is told.
pub(super) async fn find<C: Surroundings, D: Declared<C>>(
    declared: D,
    cx: &Context<C>,
    name: Option<String>,
    region: Option<String>,
) -> Result<(Option<D::Model>, Diagnostics), Diagnostics> {
    let context = cx.configured()?;
    let mut state = D::Model::default();
    let common = Managed::common_mut(&mut state);
    common.environment = Attr::from_option(context.environment().map(str::to_owned));
    common.region = region_or_default(&**context, region).await?.into();
    let environment = common.environment.clone();
    *Managed::name_mut(&mut state) = name.map_or(environment, Attr::Known);
    let looked = Reconciled(declared)
        .look(
            cx,
            context,
            state,
            &Remembered::default(),
            Some(Imported {
                root: None,
                is_import: false,
            }),
        )
        .await;
    let (found, messages) = looked?;
    Ok((found.map(|(state, _)| state), messages))
}

/// Sends what there is of a type in the provider's environment and one region, for a list resource: also what no state
/// knows, such as what an interrupted run left. `wanted` says by its `status` whether one belongs to the list.
///
/// # Errors
/// What the user is told.
pub(super) async fn list<C: Surroundings, D: Declared<C> + Clone>(
    declared: D,
    cx: &Context<C>,
    region: Option<String>,
    wanted: impl Fn(&str) -> bool + Send,
    found: &mut Listing<D::Model, Identity>,
) -> Result<(), Diagnostics> {
    let context = cx.configured()?;
    let environment = context.environment().ok_or_else(no_environment)?;
    let mut state = D::Model::default();
    let common = Managed::common_mut(&mut state);
    common.environment = environment.into();
    common.region = region_or_default(&**context, region).await?.into();
    let reconciled = Reconciled(declared);
    *Managed::name_mut(&mut state) = "*".into();
    let engine = reconciled.engine(cx, context, &state, D::TIMEOUTS.read)?;
    let inventory = engine.inventory(&reconciled.0.root_key()).await;
    let mut told = warnings(&inventory.blind);
    if inventory.present.is_empty() && !inventory.blind.is_empty() {
        return Err(together(&inventory.blind)
            .iter()
            .map(Failure::diagnostic)
            .collect());
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
        *Managed::name_mut(&mut state) = name.clone().into();
        let identity = Identity {
            environment: environment.into(),
            name: name.clone().into(),
            region: Managed::common(&state).region.clone(),
        };
        let resource = if found.include_resource() {
            let imported = Some(Imported {
                root: None,
                is_import: false,
            });
            let (resource, said) = reconciled
                .look(cx, context, state.clone(), &Remembered::default(), imported)
                .await?;
            told.extend(said);
            let Some((resource, _)) = resource else { continue };
            Some(resource)
        } else {
            None
        };
        let mut said = vec![name.clone()];
        said.extend(present.root);
        if status == "incomplete" {
            said.push(status.to_owned());
            told.push(
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
            warnings: std::mem::take(&mut told),
        };
        if !found.send(one).await {
            break;
        }
    }
    Ok(())
}

/// The tags that all parts carry and none has as its own: the user's. `Name` tells parts apart, and is ours.
fn shared_tags(report: &Report, graph: Option<&Graph>) -> Tags {
    let is_own = |key: &String| {
        let mut parts = graph.into_iter().flat_map(Graph::iter);
        key == "Name" || parts.any(|part| part.is_own_tag(key))
    };
    let carries_tags = |object: &&Object| object.fields.get("tags").is_some();
    let mut tagged = report
        .found
        .values()
        .filter(carries_tags)
        .map(|object| &object.tags);
    let mut shared = tagged.next().cloned().unwrap_or_default();
    for tags in tagged {
        shared.retain(|key, value| tags.get(key) == Some(value));
    }
    shared.retain(|key, _| !key.starts_with(PREFIX) && !is_own(key));
    shared
}

/// What was found on all objects is `tags_all`; `tags` is what does not come from the provider block.
fn split_tags(common: &mut Common, all: Tags, defaults: &Attr<GivenTags>) {
    let all: GivenTags = all.into_iter().map(|(key, value)| (key, value.into())).collect();
    let is_default = |(key, value): &(&String, &Attr<String>)| {
        defaults.known().and_then(|defaults| defaults.get(*key)) == Some(*value)
    };
    let clone = |(key, value): (&String, &Attr<String>)| (key.clone(), value.clone());
    let own: GivenTags = all.iter().filter(|tag| !is_default(tag)).map(clone).collect();
    common.default_tags = Attr::Known(all.iter().filter(is_default).map(clone).collect());
    common.tags = Attr::from_option((!own.is_empty()).then_some(own));
    common.tags_all = Attr::Known(all);
}
