//! Resources: the trait that their authors implement, and what its methods are given.

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::context::Context;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::marker::Marker;
use crate::model::Model;
use crate::path::Path;
use crate::private::PrivateState;

/// A kind of resource.
///
/// `C` is the provider's context. Only [`Resource::NAME`] and the four operations have to be written. What is common to
/// all resources is the framework's: defaults, unknown marking, replacement, checks of the protocol's rules.
#[async_trait]
pub trait Resource<C: Send + Sync + 'static>: Send + Sync + 'static {
    /// Attributes and blocks.
    type Model: Model;
    /// What identifies the real thing; `()` where the resource has no identity.
    type Identity: Model;

    /// Full name, for example `ekb_network`.
    const NAME: &'static str;
    /// Names that earlier versions of the provider gave to this resource: a `moved` block leads from one to this, with the
    /// state upgraded and the private state as it was. Then [`Resource::move_from`] is not asked.
    const FORMER_NAMES: &'static [&'static str] = &[];
    /// Version of the state's form. Older states pass through [`Resource::upgrade`], one version at a time.
    const VERSION: i64 = 0;
    /// Version of the identity's form.
    const IDENTITY_VERSION: i64 = 0;
    /// Whether an update or a refresh may change the identity. Where not, such a change is an error: what identifies a
    /// thing changes only by replacement. What had no value before may get one.
    const IDENTITY_MAY_CHANGE: bool = false;

    /// Checks a configuration, beyond what the schema says. No network; values may be unknown; the provider may not be
    /// configured.
    fn validate(&self, _config: &Self::Model, _out: &mut Diagnostics) {}

    /// The resource's own plan step. Called for create, update, replacement and destroy, again at apply, always with
    /// the same answer for the same input. May set computed attributes of [`Plan::planned`] to known values (or to
    /// unknown), add paths to [`Plan::replace`], and warn; nothing is marked unknown after it.
    async fn plan(&self, _cx: &Context<C>, _plan: &mut Plan<Self::Model>) {}

    /// Makes the thing. On failure the partial state goes back *together with* the error: Terraform then keeps it
    /// (tainted); without a state it forgets what was made.
    async fn create(&self, cx: &Context<C>, request: Create<Self::Model>) -> Applied<Self::Model>;

    /// Looks at the thing. No state in the answer means that it is gone. On failure the old state is kept.
    async fn read(&self, cx: &Context<C>, request: Read<Self::Model, Self::Identity>)
    -> Applied<Self::Model>;

    /// Changes the thing. On failure the state as it is now goes back together with the error.
    async fn update(&self, cx: &Context<C>, request: Update<Self::Model>) -> Applied<Self::Model>;

    /// Removes the thing. The answer has no state where it is gone; on failure what is left, with the error.
    async fn delete(&self, cx: &Context<C>, request: Delete<Self::Model>) -> Applied<Self::Model>;

    /// Finds a thing that exists, by id or identity. The state need only hold what [`Resource::read`] needs, which is
    /// called next.
    async fn import(&self, _cx: &Context<C>, _from: Import<Self::Identity>) -> Applied<Self::Model> {
        Applied::failed(
            None,
            PrivateState::new(),
            Diagnostic::error(
                "F203",
                "Import is not supported",
                format!("{} cannot be imported.", Self::NAME),
            ),
        )
    }

    /// The identity of the thing with this state; `None` where it is not known yet. Never asked of a resource whose
    /// identity is `()`.
    fn identity(&self, _state: &Self::Model) -> Option<Self::Identity> {
        None
    }

    /// Turns a state of the version into one of the next version: raw JSON in, raw JSON out.
    ///
    /// # Errors
    /// Where the state cannot be read.
    fn upgrade(&self, version: i64, _state: Json) -> Result<Json, Diagnostics> {
        Err(no_upgrade(Self::NAME, version))
    }

    /// Turns an identity of the version into one of the next version.
    ///
    /// # Errors
    /// Where the identity cannot be read.
    fn upgrade_identity(&self, version: i64, _identity: Json) -> Result<Json, Diagnostics> {
        Err(no_upgrade(Self::NAME, version))
    }

    /// The state that a resource of another type becomes under a `moved` block; `None` where the source is not one that
    /// this resource can take over.
    fn move_from(&self, _source: &MoveSource) -> Option<Applied<Self::Model>> {
        None
    }
}

/// The answer of [`Resource::upgrade`] for versions that it does not know.
pub fn no_upgrade(name: &str, version: i64) -> Diagnostics {
    Diagnostic::error(
        "F204",
        "State cannot be upgraded",
        format!("{name} knows no way from version {version} of its state."),
    )
    .into()
}

/// What kind of change is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanKind {
    /// Something new; also in place of a tainted one.
    Create,
    /// A change in place, or the first call of a replacement.
    Update,
    /// The second call of a genuine replacement: as a create, of something whose predecessor is destroyed. Only at plan:
    /// when core plans again at apply, the predecessor is gone and the call is a [`PlanKind::Create`]. The planned values
    /// must be the same for both.
    Replace,
    /// A destroy.
    Destroy,
}

/// A plan in the making, as the resource's own step finds it and leaves it.
#[derive(Debug)]
pub struct Plan<M> {
    /// What kind of change.
    pub kind: PlanKind,
    /// The configuration; `None` for a destroy.
    pub config: Option<M>,
    /// The state so far; `None` for a create and for [`PlanKind::Replace`].
    pub prior: Option<M>,
    /// What the state will be, so far: configuration, defaults, and unknown where something computed may change. The
    /// step sets computed attributes in it. `None` for a destroy.
    pub planned: Option<M>,
    /// Whether anything differs from the prior state so far. Where nothing does, nothing is marked unknown.
    pub changed: bool,
    /// Paths whose change forces replacement; those of `replace` attributes are there already.
    pub replace: Vec<Path>,
    /// The private state for the apply, at first that of the prior state (empty for [`PlanKind::Replace`]).
    pub private: PrivateState,
    /// Warnings and errors.
    pub diagnostics: Diagnostics,
}

/// A create to be done.
#[derive(Debug, Clone)]
pub struct Create<M> {
    /// The configuration; write-only values are here and nowhere else.
    pub config: M,
    /// The planned state; unknown is what the create has to find out.
    pub planned: M,
    /// The private state of the plan.
    pub private: PrivateState,
    /// What kind of plan it was.
    pub marker: Marker,
}

/// An update to be done.
#[derive(Debug, Clone)]
pub struct Update<M> {
    /// The configuration; write-only values are here and nowhere else.
    pub config: M,
    /// The state before.
    pub prior: M,
    /// The planned state.
    pub planned: M,
    /// The private state of the plan.
    pub private: PrivateState,
    /// What kind of plan it was.
    pub marker: Marker,
}

/// A delete to be done.
#[derive(Debug, Clone)]
pub struct Delete<M> {
    /// The state before.
    pub prior: M,
    /// The private state of what is deleted; empty for a tainted resource, Terraform does not give it.
    pub private: PrivateState,
    /// What kind of plan it was: see [`Marker::same_place`].
    pub marker: Marker,
}

/// A look to be taken.
#[derive(Debug, Clone)]
pub struct Read<M, I> {
    /// The state so far.
    pub state: M,
    /// The private state so far.
    pub private: PrivateState,
    /// The identity so far.
    pub identity: Option<I>,
}

/// What is to be imported.
#[derive(Debug, Clone)]
pub enum Import<I> {
    /// By the text that the user gave.
    Id(String),
    /// By identity.
    Identity(I),
}

/// What a resource of another type, or of another provider, leaves behind.
#[derive(Debug, Clone)]
pub struct MoveSource {
    /// Address of the provider, for example `registry.terraform.io/hashicorp/aws`.
    pub provider: String,
    /// Type, for example `aws_vpc`.
    pub type_name: String,
    /// Version of the state's form.
    pub version: i64,
    /// The state.
    pub state: Json,
    /// The private state's bytes, as the other provider wrote them.
    pub private: Vec<u8>,
    /// The identity, where the source has one.
    pub identity: Option<Json>,
}

/// The answer of an operation: state, private state, and messages, all at once.
#[derive(Debug, Clone)]
pub struct Applied<M> {
    /// The state as it is now, complete or not. `None`: the thing does not exist (or, with an error in the answer to a
    /// create, nothing was made).
    pub state: Option<M>,
    /// The private state to be stored.
    pub private: PrivateState,
    /// Errors and warnings.
    pub diagnostics: Diagnostics,
}

impl<M> Applied<M> {
    /// Done: this is the state.
    pub fn done(state: M, private: PrivateState) -> Self {
        Self {
            state: Some(state),
            private,
            diagnostics: Diagnostics::new(),
        }
    }

    /// It does not exist (any more).
    pub fn gone() -> Self {
        Self {
            state: None,
            private: PrivateState::new(),
            diagnostics: Diagnostics::new(),
        }
    }

    /// It failed; this is what is there now.
    pub fn failed(state: Option<M>, private: PrivateState, errors: impl Into<Diagnostics>) -> Self {
        Self {
            state,
            private,
            diagnostics: errors.into(),
        }
    }

    /// The same with messages.
    #[must_use]
    pub fn with(mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) -> Self {
        self.diagnostics.extend(diagnostics);
        self
    }
}
