//! What clients do and who judges it: every bundled workload is one entry of [`WORKLOADS`].
//!
//! A workload is data: an alphabet, parameters, a generator, a closing generator and checkers.
//! To add one, write a module with a constant of type [`Workload`] and list it here; the tests
//! below say whether it keeps the rules.

pub mod append;
pub mod bank;
pub mod broadcast;
pub mod closing;
pub mod counter;
pub mod crdt_counter;
pub mod crdt_set;
pub mod echo;
pub mod g_set;
pub mod generators;
pub mod kafka;
pub mod leader;
pub mod lock;
mod mix;
pub mod queue;
pub mod register;
mod replicas;
mod rounds;
pub mod saga_orders;
pub mod set;
pub mod txn_list_append;
pub mod unique_ids;

use danso_vocab::Workload;

/// All bundled workloads.
pub const WORKLOADS: &[&Workload] = &[
    &register::WORKLOAD,
    &append::WORKLOAD,
    &set::WORKLOAD,
    &counter::WORKLOAD,
    &bank::WORKLOAD,
    &queue::WORKLOAD,
    &unique_ids::WORKLOAD,
    &saga_orders::WORKLOAD,
    &lock::WORKLOAD,
    &leader::WORKLOAD,
    &crdt_counter::WORKLOAD,
    &crdt_set::WORKLOAD,
    &echo::WORKLOAD,
    &broadcast::WORKLOAD,
    &g_set::WORKLOAD,
    &kafka::WORKLOAD,
    &txn_list_append::WORKLOAD,
];

/// The workload of this name.
pub fn find(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name).copied()
}

#[cfg(test)]
mod tests;
