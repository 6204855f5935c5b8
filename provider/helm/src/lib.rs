//! Floor 4: Helm charts loaded and rendered in Rust.
