//! One module a command.

pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod doctor;
pub(crate) mod list;
pub(crate) mod maelstrom;
pub(crate) mod new;
pub(crate) mod node;
pub(crate) mod plan;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod shrink;
pub(crate) mod suite;
pub(crate) mod verify;
