//! What was made once in a test process, for all the tests that begin with it: each goes on in a copy of the account.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use conformance::Resource;
use serde_json::Value as Json;

use crate::account::Account;
use crate::cli::Cli;
use crate::cuts::is_sweep;
use crate::rig::Rig;
use crate::session::Session;
use crate::workspace::Workspace;

const MADE: &str = "made";

impl Workspace {
    /// Runs the test on the n-th command line (in a sweep on every one) in a workspace where this `main.tf` has been applied, in an
    /// account of its own. Really applied it is once in a test process; what counts calls counts those of the test alone.
    ///
    /// # Panics
    /// Where it cannot be applied.
    pub fn standing(n: usize, main: &str, test: impl Fn(&Self, &Account)) {
        let clis = if is_sweep() {
            Cli::all()
        } else {
            vec![Cli::in_turn(n)]
        };
        let (made, state) = applied(main);
        for cli in clis {
            let account = made.copy(MADE);
            let workspace = Self::new(&cli, &account);
            workspace.write("main.tf", main);
            workspace.write(
                "terraform.tfstate",
                &state_in(&state, &made, &workspace).to_string(),
            );
            test(&workspace, &account);
            account.forget();
        }
    }
}

/// A resource that stands in an account, made by a [`Session`].
#[derive(Debug)]
pub struct Standing {
    account: Account,
    resource: Resource,
    /// Its arguments.
    pub config: Json,
}

impl Standing {
    /// Makes it.
    ///
    /// # Panics
    /// Where that does not work, or the next plan is not empty.
    #[must_use]
    pub fn set(type_name: &str, account: &Account, config: Json) -> Self {
        let session = Session::new(account);
        let mut resource = Resource::new(type_name);
        session.apply(&mut resource, &config).expect("it is made");
        session
            .expect_empty(&mut resource, &config)
            .expect("nothing is left to do");
        account.assert_understood();
        account.snapshot(MADE);
        Self {
            account: account.clone(),
            resource,
            config,
        }
    }

    /// The account in which it was made. Nobody changes anything there.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The same in a new account.
    #[must_use]
    pub fn copy(&self) -> (Session, Resource) {
        let account = self.account.copy(MADE);
        let resource = resource_in(&self.resource, &self.account, &account);
        (Session::new(&account), resource)
    }
}

/// The account in which this was applied, with the snapshot [`MADE`], and the state.
fn applied(main: &str) -> (Account, Json) {
    type Made = Mutex<HashMap<String, Arc<OnceLock<(Account, Json)>>>>;
    static MADE_ONCE: LazyLock<Made> = LazyLock::new(Mutex::default);
    let mut all = MADE_ONCE.lock().expect("no panic while looking");
    let place = Arc::clone(all.entry(main.to_owned()).or_default());
    // Who needs another one does not wait for this.
    drop(all);
    let made = place.get_or_init(|| {
        let account = Rig::shared().account();
        let workspace = Workspace::new(&Cli::any(), &account);
        workspace.write("main.tf", main);
        workspace.apply().ok();
        account.assert_understood();
        account.snapshot(MADE);
        let state = workspace.read("terraform.tfstate").expect("a state");
        (account, serde_json::from_str(&state).expect("a state in JSON"))
    });
    made.clone()
}

/// The state as the workspace's command line would have written it in its account.
fn state_in(state: &Json, made: &Account, workspace: &Workspace) -> Json {
    let mut state = state.clone();
    for resource in state["resources"].as_array_mut().into_iter().flatten() {
        resource["provider"] = format!("provider[\"{}\"]", workspace.cli().address_of_provider()).into();
        for instance in resource["instances"].as_array_mut().into_iter().flatten() {
            if let Some(private) = instance["private"].as_str() {
                let private = BASE64_STANDARD.decode(private).expect("base 64");
                let private = private_in(&private, made, workspace.account());
                instance["private"] = BASE64_STANDARD.encode(private).into();
            }
        }
    }
    let state = renamed(state.to_string().into_bytes(), made, workspace.account());
    serde_json::from_slice(&state).expect("still JSON")
}

/// What core knows of a resource, in the copy of an account.
///
/// # Panics
/// Never: it was JSON, and is.
#[must_use]
pub fn resource_in(resource: &Resource, made: &Account, copy: &Account) -> Resource {
    let text = serde_json::to_vec(resource).expect("JSON");
    let mut resource: Resource = serde_json::from_slice(&renamed(text, made, copy)).expect("still JSON");
    for instance in resource.current.iter_mut().chain(&mut resource.deposed) {
        instance.private = private_in(&instance.private, made, copy);
    }
    resource
}

/// Private data, which is texts in base 64 by their names, in the copy of an account.
fn private_in(private: &[u8], made: &Account, copy: &Account) -> Vec<u8> {
    if private.is_empty() {
        return Vec::new();
    }
    let mut texts: BTreeMap<String, String> = serde_json::from_slice(private).expect("JSON");
    for text in texts.values_mut() {
        let inner = BASE64_STANDARD.decode(&*text).expect("base 64");
        *text = BASE64_STANDARD.encode(renamed(inner, made, copy));
    }
    serde_json::to_vec(&texts).expect("JSON")
}

fn renamed(text: Vec<u8>, made: &Account, copy: &Account) -> Vec<u8> {
    let text = String::from_utf8(text).expect("JSON is text");
    id_in(&text, made, copy).into_bytes()
}

/// An id or an ARN (or a text of such) in the copy of an account.
#[must_use]
pub fn id_in(id: &str, made: &Account, copy: &Account) -> String {
    id.replace(made.id(), copy.id())
}
