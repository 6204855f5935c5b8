//! Every changing call to the Kubernetes API is disturbed once: the release comes to the same end, with nothing twice.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use acceptance_tests::cuts::{Blow, Operation, Tally, is_sweep};
use acceptance_tests::{ApiFront, ControlPlane};
use async_trait::async_trait;
use framework::Attr;
use kubernetes::{Access, Clusters, Endpoint, Token};
use reconcile::clock::Clock;
use reconcile::engine::Engine;
use reconcile::failure::Failure;
use reconcile::graph::Graph;
use reconcile::ownership::Purpose;
use reconcile::part::Owner;
use reconcile::report::{Allowed, Known, Outcome};
use resources::release::charts::{Charts, Purpose as Render};
use resources::release::graph;
use resources::release::hook::Hooks;
use resources::release::model::Installed;
use resources::release::record::{Deployments, Releases};
use resources::release::values::from_json;
use serde_json::json;
use tempfile::TempDir;

/// A chart of what is ready at once, with a definition and a hook.
static CHART: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: small\nversion: 1.0.0\n"),
        ("values.yaml", "greeting: hello\nmore: false\n"),
        (
            "templates/all.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {greeting: {{ .Values.greeting }}}\n---\n\
             apiVersion: v1\nkind: Secret\nmetadata: {name: two}\nstringData: {password: {{ randAlphaNum 9 }}}\n---\n\
             apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: three}\n\
             {{- if .Values.more }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: four}\n{{- end }}\n",
        ),
        (
            "templates/hook.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}\n---\n\
             apiVersion: v1\nkind: Pod\nmetadata:\n  name: probe\n  annotations: {helm.sh/hook: test}\nspec:\n  restartPolicy: Never\n  \
             serviceAccountName: three\n  containers: [{name: probe, image: example.com/probe}]\n",
        ),
    ];
    std::fs::create_dir(folder.path().join("templates")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
});

struct Way(String, &'static ControlPlane);

#[async_trait]
impl Access for Way {
    async fn endpoint(&self, _cluster: &str) -> Result<Endpoint, Failure> {
        Ok(Endpoint {
            url: self.0.clone(),
            certificate_authority: self.1.ca().to_owned(),
        })
    }

    async fn token(&self, _cluster: &str) -> Result<Token, Failure> {
        Ok(Token {
            text: self.1.token().to_owned().into(),
            valid_for: Duration::from_secs(900),
        })
    }
}

/// A release in a namespace of its own, and a front of the API through which processes come.
struct Stage {
    plane: &'static ControlPlane,
    front: ApiFront,
    namespace: String,
    /// Whether the chart is tried.
    tests: bool,
}

impl Stage {
    fn new() -> Self {
        let plane = ControlPlane::shared();
        Self {
            plane,
            front: ApiFront::of(plane),
            namespace: plane.namespace().name().to_owned(),
            tests: false,
        }
    }

    /// As a new process has it: nothing is remembered, and what is generated is another.
    async fn begin(&self, values: &serde_json::Value) -> (Engine, Graph) {
        let text = |text: &str| Attr::Known(text.to_owned());
        let mut model = Installed {
            name: text("small"),
            cluster: text("rig"),
            namespace: text(&self.namespace),
            chart: Attr::Known(CHART.path().display().to_string()),
            kubernetes_version: text("1.35"),
            skip_crds: false.into(),
            delete_crds: true.into(),
            history_max: 10.into(),
            tests: self.tests.into(),
            values: from_json(values).into(),
            ..Installed::default()
        };
        let charts = Charts::default();
        let manifests = charts
            .find(&mut model, &Installed::default(), Render::Apply)
            .await
            .unwrap()
            .unwrap();
        let mut graph = Graph::new();
        graph::add(&mut graph, &model, &manifests, &[]).unwrap();
        let clusters = Clusters::new(Way(self.front.url().to_owned(), self.plane));
        let kinds = kubernetes::any_kind(&clusters, "cluster")
            .with(Releases::new(&clusters))
            .with(Deployments::new(&clusters, &[]))
            .with(Hooks::new(&clusters));
        let owner = Owner {
            environment: "dev".into(),
            region: "eu-central-1".into(),
            resource: format!("release/rig/{}/small", self.namespace),
        };
        let mut engine = Engine::new(owner, kinds);
        engine.clock = Clock::scaled(20.0);
        engine.timeout = Duration::from_secs(1200);
        (engine, graph)
    }

    async fn run(&self, operation: Operation, known: &Known) -> Outcome {
        let (values, purpose) = match operation {
            Operation::Create => {
                let incarnation = Clock::from_env().id();
                (json!({"more": true}), Purpose::Create { incarnation })
            }
            Operation::Shrink => (json!({"more": true}), Purpose::Update { incarnation: None }),
            _ => (json!({"greeting": "bye"}), Purpose::Update { incarnation: None }),
        };
        let (engine, graph) = self.begin(&values).await;
        if operation == Operation::Destroy {
            return engine.destroy(Some(&graph), known, None).await;
        }
        let allowed = match operation {
            Operation::Create => Allowed::All,
            _ => Allowed::of(&graph.changes(known)),
        };
        engine.reconcile(&[graph], known, &allowed, &purpose).await
    }

    /// The same once more where it was disturbed: until it is done.
    async fn disturbed(
        &self,
        operation: Operation,
        known: &Known,
        n: usize,
        blow: Blow,
    ) -> Result<Outcome, String> {
        let death = self.front.disturb(n, blow);
        let first = tokio::select! {
            outcome = self.run(operation, known) => Some(outcome),
            () = death.notified(), if blow.kills() => None,
        };
        self.front.calm();
        let outcome = match first {
            Some(outcome) if outcome.is_done() => outcome,
            Some(outcome) if !blow.kills() => return Err(format!("it fails: {:?}", outcome.errors)),
            _ => self.run(operation, known).await,
        };
        if outcome.is_done() {
            Ok(outcome)
        } else {
            Err(format!("the next one fails: {:?}", outcome.errors))
        }
    }

    /// Statuses of the revisions, and the names of all else.
    fn there(&self) -> (Vec<String>, Vec<String>) {
        let list = |plural: &str| {
            self.plane
                .list(&format!("/api/v1/namespaces/{}/{plural}", self.namespace))
        };
        let (records, secrets): (Vec<_>, Vec<_>) = list("secrets")
            .into_iter()
            .partition(|secret| secret["type"] == "helm.sh/release.v1");
        let status =
            |one: &serde_json::Value| one["metadata"]["labels"]["status"].as_str().unwrap().to_owned();
        let others = [list("configmaps"), list("serviceaccounts"), secrets].concat();
        let name = |one: &serde_json::Value| one["metadata"]["name"].as_str().unwrap().to_owned();
        (
            records.iter().map(status).collect(),
            others.iter().map(name).collect(),
        )
    }

    /// How often the API server made the hook's object.
    fn hooks(&self) -> usize {
        let path = format!("/api/v1/namespaces/{}/configmaps", self.namespace);
        let changes = self.front.changes();
        let made = changes
            .iter()
            .filter(|one| one.method == "POST" && one.path == path);
        made.filter(|one| one.status == Some(201)).count()
    }

    /// Plays one case; how many changing calls there were.
    async fn play(&self, operation: Operation, at: Option<(usize, Blow)>) -> Result<usize, String> {
        let (n, blow) = at.unwrap_or((usize::MAX, Blow::Lose));
        let mut known = Known::default();
        if operation != Operation::Create {
            known = self.run(Operation::Create, &known).await.report.known();
        }
        let outcome = self.disturbed(operation, &known, n, blow).await?;
        let calls = self.front.changes().len();
        let (statuses, names) = self.there();
        let expected: (&[&str], &[&str]) = match operation {
            Operation::Create => (&["deployed"], &["four", "hook", "one", "three", "two"]),
            Operation::Destroy => (&[], &[]),
            _ => (&["superseded", "deployed"], &["hook", "one", "three", "two"]),
        };
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.sort_unstable();
        if statuses != expected.0 || names != expected.1 {
            return Err(format!("{statuses:?} {names:?}"));
        }
        // A blow that is survived is one process; a kill is two, of which the second knows what the first did.
        if operation != Operation::Destroy && self.hooks() != 1 {
            return Err(format!("the hook was made {} times", self.hooks()));
        }
        if operation != Operation::Destroy {
            let again = self
                .run(operation_after(operation), &outcome.report.known())
                .await;
            if !again.is_done() || again.changed {
                return Err(format!("it changes again: {:?}", again.errors));
            }
        }
        Ok(calls)
    }
}

/// Sets how a pod ended, as soon as it is there.
async fn end(stage: &Stage, phase: &str) {
    let path = format!("/api/v1/namespaces/{}/pods/probe", stage.namespace);
    while stage
        .plane
        .get(&path)
        .is_none_or(|pod| pod["status"]["phase"] != "Pending")
    {
        Clock::scaled(1.0).sleep(Duration::from_millis(50)).await;
    }
    let status = json!({"status": {"phase": phase}});
    stage.plane.merge(&format!("{path}/status"), &status).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_is_tried_and_a_test_that_fails_says_why() {
    let mut stage = Stage::new();
    stage.tests = true;
    stage
        .front
        .answer("/pods/probe/log?", "connecting to web:80\nno such host\n");
    let known = Known::default();
    let (outcome, ()) = tokio::join!(stage.run(Operation::Create, &known), end(&stage, "Failed"));
    let told = format!("{:?}", outcome.errors);
    assert!(told.contains("probe") && told.contains("no such host"), "{told}");
    assert_eq!(stage.there().0, ["deployed"], "it is installed all the same");
    // The next apply tries again.
    let known = outcome.report.known();
    let (outcome, ()) = tokio::join!(stage.run(Operation::Shrink, &known), end(&stage, "Succeeded"));
    assert!(outcome.is_done(), "{:?}", outcome.errors);
    assert_eq!(stage.there().0, ["deployed"]);
}

/// What says the same of the values, for who knows the state.
fn operation_after(operation: Operation) -> Operation {
    if operation == Operation::Create {
        Operation::Shrink
    } else {
        operation
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_disturbed_and_comes_to_the_same_end() {
    let operations = [Operation::Create, Operation::Update, Operation::Destroy];
    let mut tally = Tally::default();
    let mut calls = BTreeMap::new();
    for operation in operations {
        let count = Stage::new().play(operation, None).await.unwrap();
        calls.insert(operation, count);
    }
    let mut nth = 0;
    for (operation, count) in calls {
        for n in 1..=count {
            let blows = if is_sweep() {
                Blow::ALL.to_vec()
            } else {
                nth += 1;
                vec![Blow::ALL[nth % Blow::ALL.len()]]
            };
            for blow in blows {
                let played = Stage::new().play(operation, Some((n, blow))).await;
                tally.count(format!("{operation:?}, call {n}, {blow:?}"), played.map(|_| ()));
            }
        }
    }
    tally.report("release");
    tally.assert_good();
}
