//! Faults to order. `emulator/faults.py` says what each does.

use serde_json::{Map, Value, json};

/// A fault rule: what happens to which calls. Without conditions it meets the next call, once.
#[derive(Debug, Clone)]
pub struct Fault(Map<String, Value>);

impl Fault {
    fn new(action: &str) -> Self {
        let mut rule = Map::new();
        rule.insert("action".into(), json!(action));
        rule.insert("match".into(), json!({}));
        Self(rule)
    }

    /// The service's own throttling error; not applied.
    #[must_use]
    pub fn throttle() -> Self {
        Self::new("throttle")
    }

    /// The service's own 5xx; not applied.
    #[must_use]
    pub fn server_error() -> Self {
        Self::new("error")
    }

    /// This error; not applied.
    #[must_use]
    pub fn error(code: &str, status: u16, message: &str) -> Self {
        Self::new("error")
            .set("code", json!(code))
            .set("status", json!(status))
            .set("message", json!(message))
    }

    /// The service's own "not authorised"; not applied.
    #[must_use]
    pub fn deny() -> Self {
        Self::new("deny")
    }

    /// The connection is closed without an answer; not applied.
    #[must_use]
    pub fn reset() -> Self {
        Self::new("reset")
    }

    /// Applied, then the connection is closed without an answer.
    #[must_use]
    pub fn lose_response() -> Self {
        Self::new("lose")
    }

    /// The calling process gets SIGKILL; the call is not applied.
    #[must_use]
    pub fn kill_before() -> Self {
        Self::new("kill_before")
    }

    /// Applied, then the calling process gets SIGKILL.
    #[must_use]
    pub fn kill_after() -> Self {
        Self::new("kill_after")
    }

    /// Every answer takes this much real time longer.
    #[must_use]
    pub fn slow(seconds: f64) -> Self {
        Self::new("slow").set("seconds", json!(seconds))
    }

    /// What the call makes is hidden from the next reads that would show it.
    #[must_use]
    pub fn invisible_for_calls(calls: u32) -> Self {
        Self::new("invisible").set("calls", json!(calls))
    }

    /// What the call makes is hidden from reads for so many seconds of AWS time.
    #[must_use]
    pub fn invisible_for_seconds(seconds: f64) -> Self {
        Self::new("invisible").set("seconds", json!(seconds))
    }

    /// With an `invisible_…`: calls that change something and name the hidden object fail too, until it is visible.
    #[must_use]
    pub fn also_for_writes(self) -> Self {
        self.set("writes", json!(true))
    }

    /// Accepted, and later found failed with this reason (NAT gateways, endpoints).
    #[must_use]
    pub fn fail_later(code: &str, message: &str) -> Self {
        Self::new("fail_later")
            .set("code", json!(code))
            .set("message", json!(message))
    }

    /// Meets only operations whose name matches the shell pattern (`CreateNatGateway`, `Describe*`).
    #[must_use]
    pub fn on(self, operation: &str) -> Self {
        self.condition("operation", json!(operation))
    }

    /// Meets only calls of one of these operations (shell patterns).
    #[must_use]
    pub fn on_any(self, operations: &[&str]) -> Self {
        self.condition("operation", json!(operations))
    }

    /// Meets only calls to this service (`ec2`, `iam`, `logs`).
    #[must_use]
    pub fn service(self, service: &str) -> Self {
        self.condition("service", json!(service))
    }

    /// Meets only calls that change something.
    #[must_use]
    pub fn mutating(self) -> Self {
        self.condition("mutating", json!(true))
    }

    /// Meets only calls with this text somewhere in their parameters (a tag's value, a name, an id).
    #[must_use]
    pub fn with(self, text: &str) -> Self {
        self.condition("contains", json!(text))
    }

    /// Meets only calls that may give tags to what they make, and give none of this key: what policies of organisations deny.
    #[must_use]
    pub fn untagged(self, key: &str) -> Self {
        self.condition("untagged", json!(key))
    }

    /// Begins with the n-th matching call from now on, counted from 1.
    #[must_use]
    pub fn nth(self, n: usize) -> Self {
        self.set("nth", json!(n))
    }

    /// Meets so many matching calls (default 1).
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        self.set("times", json!(times))
    }

    /// Meets every matching call until the faults are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        self.set("times", Value::Null)
    }

    fn set(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.into(), value);
        self
    }

    fn condition(mut self, name: &str, value: Value) -> Self {
        if let Some(Value::Object(conditions)) = self.0.get_mut("match") {
            conditions.insert(name.into(), value);
        }
        self
    }

    pub(crate) fn rule(&self) -> Value {
        Value::Object(self.0.clone())
    }
}
