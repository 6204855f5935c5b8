//! The values a template works on, with Go's identity: maps are references, lists are values, numbers keep their Go type.

pub mod gofmt;
pub mod object;
pub mod semver;
pub mod time;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::value::object::Object;

/// Go's integer types that templates can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntKind {
    /// `int`: literals, `len`, `int`, `atoi`.
    Int,
    /// `int64`: what the arithmetic functions return.
    Int64,
    /// `int32`: character constants.
    Int32,
    /// `uint8`: elements of strings and byte slices.
    Uint8,
    /// `uint32`: seldom, from checksums.
    Uint32,
    /// `uint64`: parts of a semantic version (kept as the same 64 bits).
    Uint64,
}

impl IntKind {
    /// The name Go prints.
    pub fn name(self) -> &'static str {
        match self {
            IntKind::Int => "int",
            IntKind::Int64 => "int64",
            IntKind::Int32 => "int32",
            IntKind::Uint8 => "uint8",
            IntKind::Uint32 => "uint32",
            IntKind::Uint64 => "uint64",
        }
    }
    /// Whether it is one of Go's unsigned types: they compare differently.
    pub fn unsigned(self) -> bool {
        matches!(self, IntKind::Uint8 | IntKind::Uint32 | IntKind::Uint64)
    }
}

/// The static element type of a list: `[]interface {}` or one of a few concrete ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elem {
    /// `[]interface {}`
    Any,
    /// `[]string`
    Str,
    /// `[]int`
    Int,
    /// `[][]interface {}`
    List,
    /// A nil `[]interface {}`: empty, and null in JSON.
    NilAny,
    /// A nil `[]string`.
    NilStr,
    /// `common.VersionSet`: the API versions, `[]string` with a method `Has`.
    VersionSet,
}

/// The static type of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapType {
    /// `map[string]interface {}`
    Any,
    /// `map[string]string`
    Str,
    /// A nil one: empty, but null as JSON.
    NilStr,
    /// A nil `map[string]interface {}`.
    NilAny,
    /// `common.Values`: top level values, which have methods.
    Values,
    /// `engine.files`: `map[string][]byte` with the methods of `.Files`.
    Files,
}

/// A list. Cheap to clone; never changed in place.
#[derive(Clone, Debug)]
pub struct List {
    /// Element type, for `%T`, `typeOf` and nil elements.
    pub elem: Elem,
    /// Elements.
    pub items: Rc<Items>,
}

/// A map: a reference, as in Go. Clones share the entries.
#[derive(Clone, Debug)]
pub struct Map {
    /// Go type.
    pub ty: MapType,
    /// Entries, sorted by key as Go's range does.
    pub entries: Rc<Entries>,
}

/// The shared entries of a map. Nested values are taken apart one after the other when dropped: a template may nest
/// them more deeply than the stack is.
#[derive(Debug, Default)]
pub struct Entries(RefCell<BTreeMap<Arc<str>, Value>>);

/// The shared elements of a list; dropped like [`Entries`].
#[derive(Debug, Default)]
pub struct Items(Vec<Value>);

impl Entries {
    /// Entries to share.
    pub fn new(entries: BTreeMap<Arc<str>, Value>) -> Rc<Self> {
        Rc::new(Entries(RefCell::new(entries)))
    }
}
impl std::ops::Deref for Entries {
    type Target = RefCell<BTreeMap<Arc<str>, Value>>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
impl Drop for Entries {
    fn drop(&mut self) {
        let entries = std::mem::take(self.0.get_mut());
        if entries.values().any(Value::is_container) {
            dismantle(entries.into_values().collect());
        }
    }
}
impl Items {
    /// Elements to share.
    pub fn new(items: Vec<Value>) -> Rc<Self> {
        Rc::new(Items(items))
    }
}
impl std::ops::Deref for Items {
    type Target = Vec<Value>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
impl Drop for Items {
    fn drop(&mut self) {
        if self.0.iter().any(Value::is_container) {
            dismantle(std::mem::take(&mut self.0));
        }
    }
}

fn dismantle(mut pending: Vec<Value>) {
    while let Some(value) = pending.pop() {
        match value {
            Value::Map(map) => {
                if let Some(mut entries) = Rc::into_inner(map.entries) {
                    pending.extend(std::mem::take(entries.0.get_mut()).into_values());
                }
            }
            Value::List(list) => {
                if let Some(mut items) = Rc::into_inner(list.items) {
                    pending.append(&mut items.0);
                }
            }
            _ => {}
        }
    }
}

/// A value as the template executor sees it.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// No value at all: what a pipeline of a nil yields (Go's zero `reflect.Value`).
    #[default]
    Invalid,
    /// A nil held in a map or list (Go's nil `interface {}`).
    Nil,
    /// `bool`
    Bool(bool),
    /// Any of the integer types.
    Int(i64, IntKind),
    /// `float64`
    Float(f64),
    /// `string` of valid UTF-8.
    Str(Arc<str>),
    /// `string` of bytes that are not UTF-8.
    Raw(Arc<[u8]>),
    /// `[]uint8`
    Bytes(Arc<[u8]>),
    /// A slice.
    List(List),
    /// A map.
    Map(Map),
    /// A struct with fields and methods.
    Object(Rc<Object>),
}

/// Runs with enough stack for one more level, whatever the depth.
pub(crate) fn deeper<T>(run: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(256 << 10, 4 << 20, run)
}

/// Bytes as text: each that is no UTF-8 is replaced.
pub(crate) fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out += chunk.valid();
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    out.into()
}

impl Map {
    /// A new `map[string]interface {}`.
    pub fn new(entries: BTreeMap<Arc<str>, Value>) -> Self {
        Map {
            ty: MapType::Any,
            entries: Entries::new(entries),
        }
    }
    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.entries.borrow().get(key).cloned()
    }
    /// Sets a key; a missing value is stored as nil.
    pub fn set(&self, key: impl Into<Arc<str>>, value: Value) {
        self.entries.borrow_mut().insert(key.into(), value.stored());
    }
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.borrow().len()
    }
    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// A copy of the entries, so that the map may change while one walks over them.
    pub fn snapshot(&self) -> Vec<(Arc<str>, Value)> {
        self.entries
            .borrow()
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }
    /// The same map under another Go type.
    #[must_use]
    pub fn with_type(&self, ty: MapType) -> Self {
        Map {
            ty,
            entries: self.entries.clone(),
        }
    }
}

impl List {
    /// A `[]interface {}`.
    pub fn any(items: Vec<Value>) -> Self {
        List {
            elem: Elem::Any,
            items: Items::new(items.into_iter().map(Value::stored).collect()),
        }
    }
}

impl Value {
    /// An `int`.
    pub fn int(n: i64) -> Self {
        Value::Int(n, IntKind::Int)
    }
    /// An `int64`.
    pub fn int64(n: i64) -> Self {
        Value::Int(n, IntKind::Int64)
    }
    /// A string.
    pub fn str(s: impl Into<Arc<str>>) -> Self {
        Value::Str(s.into())
    }
    /// A string of bytes, UTF-8 or not.
    pub fn text(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(s) => Value::Str(s.into()),
            Err(e) => Value::Raw(e.into_bytes().into()),
        }
    }
    /// A `[]interface {}`.
    pub fn list(items: Vec<Value>) -> Self {
        Value::List(List::any(items))
    }
    /// A nil slice.
    pub fn nil_list(elem: Elem) -> Self {
        Value::List(List {
            elem,
            items: Rc::default(),
        })
    }
    /// A `[]string`.
    pub fn strings<S: Into<Arc<str>>>(items: impl IntoIterator<Item = S>) -> Self {
        Value::List(List {
            elem: Elem::Str,
            items: Items::new(items.into_iter().map(|s| Value::Str(s.into())).collect()),
        })
    }
    /// A `map[string]interface {}`.
    pub fn map(entries: impl IntoIterator<Item = (impl Into<Arc<str>>, Value)>) -> Self {
        Value::Map(Map::new(
            entries.into_iter().map(|(k, v)| (k.into(), v.stored())).collect(),
        ))
    }
    /// As it lies in a container: a missing value becomes nil.
    #[must_use]
    pub fn stored(self) -> Self {
        match self {
            Value::Invalid => Value::Nil,
            Value::Object(object) => match &*object {
                Object::KubeVersion(version) => {
                    Value::Object(Rc::new(Object::KubeVersionCopy(version.clone())))
                }
                _ => Value::Object(object),
            },
            other => other,
        }
    }
    /// As a pipeline hands it on: a nil interface becomes a missing value.
    #[must_use]
    pub fn dug(self) -> Self {
        if matches!(self, Value::Nil) {
            Value::Invalid
        } else {
            self
        }
    }
    fn is_container(&self) -> bool {
        matches!(self, Value::List(_) | Value::Map(_))
    }
    /// Nil or missing.
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil | Value::Invalid)
    }
    /// The bytes of a string.
    pub fn string_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Str(s) => Some(s.as_bytes()),
            Value::Raw(b) => Some(b),
            _ => None,
        }
    }
    /// The text, if it is a string of UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::Str(s) = self { Some(s) } else { None }
    }
    /// Go's truth: not the zero value and not empty.
    pub fn truth(&self) -> bool {
        match self {
            Value::Invalid | Value::Nil => false,
            Value::Bool(b) => *b,
            Value::Int(n, _) => *n != 0,
            Value::Float(f) => *f != 0.0,
            Value::Str(s) => !s.is_empty(),
            Value::Raw(_) => true,
            Value::Bytes(b) => !b.is_empty(),
            Value::List(l) => !l.items.is_empty(),
            Value::Map(m) => !m.is_empty(),
            Value::Object(o) => o.truth(),
        }
    }
    /// Go's kind, as `kindOf` prints it.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Invalid | Value::Nil => "invalid",
            Value::Bool(_) => "bool",
            Value::Int(_, k) => k.name(),
            Value::Float(_) => "float64",
            Value::Str(_) | Value::Raw(_) => "string",
            Value::Bytes(_) | Value::List(_) => "slice",
            Value::Map(_) => "map",
            Value::Object(o) => o.kind(),
        }
    }
    /// Go's type, as `%T` prints it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Invalid => "<nil>",
            Value::Nil => "interface {}",
            Value::Bool(_) => "bool",
            Value::Int(_, k) => k.name(),
            Value::Float(_) => "float64",
            Value::Str(_) | Value::Raw(_) => "string",
            Value::Bytes(_) => "[]uint8",
            Value::List(l) => match l.elem {
                Elem::Any | Elem::NilAny => "[]interface {}",
                Elem::Str | Elem::NilStr => "[]string",
                Elem::Int => "[]int",
                Elem::List => "[][]interface {}",
                Elem::VersionSet => "common.VersionSet",
            },
            Value::Map(m) => match m.ty {
                MapType::Any | MapType::NilAny => "map[string]interface {}",
                MapType::Str | MapType::NilStr => "map[string]string",
                MapType::Values => "common.Values",
                MapType::Files => "engine.files",
            },
            Value::Object(o) => o.type_name(),
        }
    }
    /// Elements of a list or of a byte slice.
    pub fn items(&self) -> Option<Rc<Items>> {
        match self {
            Value::List(l) => Some(l.items.clone()),
            Value::Bytes(b) => Some(Items::new(
                b.iter()
                    .map(|b| Value::Int(i64::from(*b), IntKind::Uint8))
                    .collect(),
            )),
            _ => None,
        }
    }
    /// Go's `reflect.DeepEqual`. Maps that contain themselves are followed once.
    pub fn deep_equal(&self, other: &Value) -> bool {
        self.equal(other, &mut HashSet::new())
    }
    fn equal(&self, other: &Value, seen: &mut HashSet<(*const Entries, *const Entries)>) -> bool {
        match (self, other) {
            (a, b) if a.is_nil() && b.is_nil() => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a, k), Value::Int(b, l)) => a == b && k == l,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::Raw(a), Value::Raw(b)) | (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::List(a), Value::List(b)) => {
                a.elem == b.elem
                    && a.items.len() == b.items.len()
                    && deeper(|| a.items.iter().zip(b.items.iter()).all(|(a, b)| a.equal(b, seen)))
            }
            (Value::Map(a), Value::Map(b)) => {
                a.ty == b.ty
                    && (Rc::ptr_eq(&a.entries, &b.entries)
                        || !seen.insert((Rc::as_ptr(&a.entries), Rc::as_ptr(&b.entries)))
                        || deeper(|| {
                            let (a, b) = (a.entries.borrow(), b.entries.borrow());
                            a.len() == b.len()
                                && a.iter()
                                    .zip(b.iter())
                                    .all(|((k, v), (l, w))| k == l && v.equal(w, seen))
                        }))
            }
            (Value::Object(a), Value::Object(b)) => a == b,
            _ => false,
        }
    }
    /// A copy that shares no map with the original.
    #[must_use]
    pub fn deep_copy(&self) -> Value {
        self.copy(&mut HashMap::new())
    }
    fn copy(&self, copies: &mut HashMap<*const Entries, Map>) -> Value {
        match self {
            Value::Map(m) => {
                if let Some(copy) = copies.get(&Rc::as_ptr(&m.entries)) {
                    return Value::Map(copy.clone());
                }
                let copy = Map {
                    ty: m.ty,
                    entries: Rc::default(),
                };
                copies.insert(Rc::as_ptr(&m.entries), copy.clone());
                for (key, value) in m.snapshot() {
                    let value = deeper(|| value.copy(copies));
                    copy.entries.borrow_mut().insert(key, value);
                }
                Value::Map(copy)
            }
            Value::List(l) => {
                let items = deeper(|| l.items.iter().map(|item| item.copy(copies)).collect());
                Value::List(List {
                    elem: l.elem,
                    items: Items::new(items),
                })
            }
            other => other.clone(),
        }
    }
    /// From JSON, as `encoding/json` reads it: every number is a `float64`.
    pub fn from_json(json: &serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Nil,
            serde_json::Value::Bool(b) => Value::Bool(*b),
            serde_json::Value::Number(n) => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(s) => Value::str(s.as_str()),
            serde_json::Value::Array(items) => {
                Value::list(deeper(|| items.iter().map(Value::from_json).collect()))
            }
            serde_json::Value::Object(entries) => {
                let entries = entries.iter().map(|(k, v)| (k.as_str(), Value::from_json(v)));
                deeper(|| Value::map(entries))
            }
        }
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::str(s)
    }
}
impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::str(s)
    }
}
impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}
