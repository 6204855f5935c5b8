//! Floor 4: the way into a cluster, and the kind of parts made of Kubernetes objects.
