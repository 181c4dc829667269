//! What a [`Test`](super::Test) is of: names, or things of the user's own.

use std::path::Path;
use std::sync::Arc;

use danso_engine::target::Target;
use danso_vocab::Workload;

/// A system to test: a bundled target's name, the path of a test file, or an `Arc` of a
/// [`Target`] of your own.
#[derive(Clone)]
pub struct Subject {
    pub(super) name: String,
    pub(super) own: Option<Arc<dyn Target>>,
}

impl From<&str> for Subject {
    fn from(name: &str) -> Subject {
        Subject { name: name.to_owned(), own: None }
    }
}

impl From<String> for Subject {
    fn from(name: String) -> Subject {
        Subject { name, own: None }
    }
}

impl From<&Path> for Subject {
    fn from(file: &Path) -> Subject {
        Subject { name: file.to_string_lossy().into_owned(), own: None }
    }
}

impl<T: Target + 'static> From<Arc<T>> for Subject {
    fn from(own: Arc<T>) -> Subject {
        Subject { name: own.name().to_owned(), own: Some(own) }
    }
}

/// What clients do: a bundled workload's name, or one of your own.
#[derive(Clone, Copy)]
pub struct Load {
    pub(super) name: &'static str,
    pub(super) own: Option<&'static Workload>,
}

impl From<&'static str> for Load {
    fn from(name: &'static str) -> Load {
        Load { name, own: None }
    }
}

impl From<&'static Workload> for Load {
    fn from(own: &'static Workload) -> Load {
        Load { name: own.name, own: Some(own) }
    }
}
