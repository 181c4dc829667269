//! [`Replicas`]: who has to agree.

use std::collections::BTreeSet;

use danso_vocab::{History, NodeId, Op, Process};

/// One replica, among those of its history.
pub(super) type Replica = u32;

/// Who the replicas are.
pub(super) enum Replicas {
    /// These nodes.
    Nodes(BTreeSet<u16>),
    /// Nobody says: each process that reads in the end, this many at least.
    Processes(usize),
}

impl Replicas {
    /// Those of this history, of which there must be `count`, if that is said.
    pub(super) fn of(history: &History, count: Option<u16>) -> Replicas {
        let mut nodes: BTreeSet<u16> =
            history.ops().filter_map(|op| op.node()).map(|n| n.0).collect();
        if nodes.is_empty() {
            return Replicas::Processes(usize::from(count.unwrap_or(0)).max(2));
        }
        nodes.extend(1..=count.unwrap_or(0));
        Replicas::Nodes(nodes)
    }

    /// Who answered this operation, if that is known.
    pub(super) fn who(&self, op: Op<'_>) -> Option<Replica> {
        match self {
            Replicas::Nodes(_) => op.node().map(|n| u32::from(n.0)),
            Replicas::Processes(_) => Some(op.process().0),
        }
    }

    /// Its name.
    pub(super) fn name(&self, replica: Replica) -> String {
        match self {
            Replicas::Nodes(_) => NodeId(replica as u16).to_string(),
            Replicas::Processes(_) => Process(replica).to_string(),
        }
    }

    /// Several names in a row: `n1, n2 and n4`.
    pub(super) fn names(&self, replicas: &[Replica]) -> String {
        let names: Vec<String> = replicas.iter().map(|r| self.name(*r)).collect();
        match names.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
            None => String::new(),
        }
    }

    /// What is missing if only these, in order, have a final read.
    pub(super) fn missing(&self, there: &[Replica]) -> Option<String> {
        match self {
            Replicas::Nodes(nodes) => {
                let missing: Vec<Replica> = nodes
                    .iter()
                    .map(|n| u32::from(*n))
                    .filter(|n| there.binary_search(n).is_err())
                    .collect();
                (!missing.is_empty()).then(|| self.names(&missing))
            }
            Replicas::Processes(least) if there.len() < *least => Some(format!(
                "{} of {least} processes (no operation names its node)",
                least - there.len()
            )),
            Replicas::Processes(_) => None,
        }
    }
}
