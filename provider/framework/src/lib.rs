//! Floor 2: values, schemas, plan rules and resources as traits. Knows nothing of EKB.
