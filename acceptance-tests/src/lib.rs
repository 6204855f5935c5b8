//! The rig, and the tests with real programs.
