//! ci/tidy
