//! Breaks the rule that it is told to.

fn main() {}
