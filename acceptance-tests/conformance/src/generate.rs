//! Configurations for any schema.
