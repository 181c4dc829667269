//! Clusters in one thread.
