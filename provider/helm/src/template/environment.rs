//! The outer world of a render: the caller decides what time it is, what is random and what the cluster holds.

use std::cell::Cell;

use serde_json::Value as Json;

/// What templates may ask of the world. Every method has an answer that keeps a render repeatable.
pub trait Environment {
    /// The present, in nanoseconds since 1970. `None`: the beginning of 1970, the same at every render.
    fn now(&self) -> Option<i128> {
        None
    }
    /// Fills a buffer with random bytes. Returning `false` makes the render use a fixed sequence instead.
    fn random(&self, buffer: &mut [u8]) -> bool {
        let _ = buffer;
        false
    }
    /// What `lookup` yields: an object, a list (name empty), or `None` where nothing is found.
    ///
    /// # Errors
    /// What the template shall fail with.
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Json>, String> {
        let _ = (api_version, kind, namespace, name);
        Ok(None)
    }
    /// Whether a render has used up its time; asked now and then.
    fn expired(&self) -> bool {
        false
    }
}

/// A world in which nothing is found and nothing changes: what `helm template` sees, without randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct Still;

impl Environment for Still {}

/// The world of the running process: its clock and its source of randomness, no cluster.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process;

impl Environment for Process {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that templates are given; it waits for nothing"
    )]
    fn now(&self) -> Option<i128> {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .ok()?;
        i128::try_from(since.as_nanos()).ok()
    }
    fn random(&self, buffer: &mut [u8]) -> bool {
        getrandom::fill(buffer).is_ok()
    }
}

/// What a render asked of the world: so a caller can tell why two renders differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `lookup` calls: API version, kind, namespace, name.
    pub lookups: Vec<[String; 4]>,
    /// What `.Capabilities.APIVersions.Has` (or `has` on that list) was asked for, sorted: `group/version` or
    /// `group/version/Kind`, whether it is there or not.
    pub api_versions: Vec<String>,
    /// Functions that answered with random or generated material, sorted.
    pub random: Vec<String>,
    /// Functions that answered with the time, sorted.
    pub time: Vec<String>,
    /// State of the fixed sequence that stands in for randomness.
    pub(crate) sequence: u64,
}

impl Asked {
    pub(crate) fn note(list: &mut Vec<String>, name: &str) {
        if let Err(at) = list.binary_search_by(|n| n.as_str().cmp(name)) {
            list.insert(at, name.to_owned());
        }
    }
}

/// How much a render may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Units of work: bytes written, function calls, turns of loops.
    pub work: usize,
    /// Bytes of a single value.
    pub value: usize,
    /// Nesting of `include` and `tpl`.
    pub depth: usize,
    /// Units of work between two questions for the time.
    stride: usize,
    next: Cell<usize>,
    expired: Cell<bool>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            work: 100 << 20,
            value: 64 << 20,
            depth: 3_000,
            stride: 1 << 20,
            next: Cell::new(1 << 20),
            expired: Cell::new(false),
        }
    }
}

impl Limits {
    /// Whether it is time to ask for the time.
    pub(crate) fn due(&self, spent: usize) -> bool {
        if spent < self.next.get() {
            return false;
        }
        self.next.set(spent.saturating_add(self.stride));
        true
    }
    pub(crate) fn expire(&self) {
        self.expired.set(true);
    }
    pub(crate) fn deadline_passed(&self, _spent: usize) -> bool {
        self.expired.get()
    }
}
