//! Disks of their own for nodes, which fail on command.
//!
//! A helper process per node serves the node's data directory as a file system of its own, which
//! only the node sees: writes go straight to the files of the directory, so everybody else sees
//! plain files, and what is needed to take the unsynced ones back is kept beside them. When the
//! controller dies, the kernel ends the helper, and the mount with it.
//!
//! What is durable: a sync of a file makes its contents durable, and all directories with it, as
//! a file system with one journal does. Until then nothing is: contents are lost by the page,
//! changes to directories from the last on. Owners, modes and times are not taken back.
//!
//! | module | what it does |
//! | --- | --- |
//! | `node` | a node's disk as the controller has it |
//! | `helper`, `message` | the helper process, and what is said between the two |
//! | `mount`, `later` | the kernel's requests; those that are delayed |
//! | `store`, `inode`, `pages`, `names` | files and directories, and their durable past |
//! | `image`, `device` | the other way, where FUSE cannot be had: ext4 on a loop device |
//! | `contents` | what a tree of files holds |
//! | `rules` | what goes wrong, where, how often |
//! | [`offline`] | harm to the files of nodes that are down |
//! | `survey`, `trial` | what can be had here |

mod all;
mod contents;
mod device;
mod helper;
mod image;
mod inode;
mod later;
mod message;
mod mount;
mod names;
mod node;
pub mod offline;
mod pages;
mod rules;
mod store;
mod survey;
mod trial;

pub use self::all::Disks;
pub(crate) use self::helper::helper;
pub use self::message::Stats;
pub use self::node::{Disk, RuleId, Way};
pub use self::pages::Keep;
pub use self::rules::{Harm, LONGEST, Op, Rule, Tally};
pub use self::store::Loss;
pub(crate) use self::survey::way;
pub use self::survey::{probe, survey};
pub use self::trial::probe_image;
