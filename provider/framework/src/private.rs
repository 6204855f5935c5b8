//! Private state: what a resource remembers beside its state, and the framework's marker in it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, de::DeserializeOwned};

/// Data that Terraform stores with the resource and never shows. Keys that begin with a dot are the framework's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrivateState(BTreeMap<String, Vec<u8>>);

/// Private bytes that are not those of this framework.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the private state is not readable: {0}")]
pub struct UnreadablePrivateState(String);

impl PrivateState {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes under the key.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key).map(Vec::as_slice)
    }

    /// Sets the bytes under the key.
    pub fn set(&mut self, key: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.insert(key.into(), bytes.into());
    }

    /// Removes the key.
    pub fn remove(&mut self, key: &str) -> Option<Vec<u8>> {
        self.0.remove(key)
    }

    /// The data under the key, where there is some and it has the form asked for.
    pub fn get_json<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_slice(self.get(key)?).ok()
    }

    /// Sets data under the key. What cannot be written as JSON (a map with keys that are no text) is left out.
    pub fn set_json<T: Serialize>(&mut self, key: impl Into<String>, data: &T) {
        if let Ok(bytes) = serde_json::to_vec(data) {
            self.set(key, bytes);
        }
    }

    /// Reads the wire's form: a JSON object of base64 texts; no bytes at all are an empty state.
    ///
    /// # Errors
    /// Where the bytes have another form.
    pub fn from_wire(bytes: &[u8]) -> Result<Self, UnreadablePrivateState> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let texts: BTreeMap<String, String> =
            serde_json::from_slice(bytes).map_err(|e| UnreadablePrivateState(e.to_string()))?;
        let decode = |(key, text): (String, String)| {
            let bytes = STANDARD
                .decode(text)
                .map_err(|e| UnreadablePrivateState(format!("{key}: {e}")))?;
            Ok((key, bytes))
        };
        texts.into_iter().map(decode).collect::<Result<_, _>>().map(Self)
    }

    /// The wire's form; no bytes where it is empty.
    pub fn to_wire(&self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let texts: BTreeMap<&String, String> = self.0.iter().map(|(k, v)| (k, STANDARD.encode(v))).collect();
        serde_json::to_vec(&texts).unwrap_or_default()
    }

    /// The same without what the framework put in.
    pub(crate) fn without_own(mut self) -> Self {
        self.0.retain(|key, _| !key.starts_with('.'));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form_is_an_object_of_base64() {
        let mut state = PrivateState::new();
        state.set("a", "hello");
        assert_eq!(state.to_wire(), br#"{"a":"aGVsbG8="}"#);
        assert_eq!(PrivateState::from_wire(&state.to_wire()).unwrap(), state);
        assert_eq!(PrivateState::from_wire(b"").unwrap(), PrivateState::new());
        assert!(PrivateState::new().to_wire().is_empty());
    }

    #[test]
    fn foreign_bytes_are_an_error_not_an_empty_state() {
        assert!(PrivateState::from_wire(b"[1]").is_err());
        assert!(PrivateState::from_wire(br#"{"a":"not base64!"}"#).is_err());
    }
}
