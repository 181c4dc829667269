//! [`HostNetwork`]: the real network between the hosts, hurt by the hosts' own packet filters.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use danso_engine::network::{
    Backend, Link, LinkStats, Network, NetworkError, Party, PartyRuntime, Policy, Spec,
};
use danso_engine::remote::Remote;
use danso_vocab::NodeId;
use tokio::runtime::Handle;

use super::machines::Machines;
use super::rules::{self, Ground, Policies};

/// How old counts may be that are told again.
const FRESH: Duration = Duration::from_millis(300);

/// Counts of a host, and when they were read.
type Counted = BTreeMap<NodeId, (Instant, BTreeMap<String, u64>)>;

/// A running network.
pub(super) struct HostNetwork {
    machines: Arc<Machines>,
    grounds: BTreeMap<NodeId, Ground>,
    policies: Mutex<Policies>,
    counted: Mutex<Counted>,
    clients: PartyRuntime,
    control: PartyRuntime,
}

impl HostNetwork {
    /// Of these hosts, which are left alone so far.
    pub(super) fn open(
        machines: Arc<Machines>,
        addresses: BTreeMap<NodeId, IpAddr>,
        spec: &Spec,
    ) -> Result<HostNetwork, NetworkError> {
        let mut grounds = BTreeMap::new();
        for node in addresses.keys() {
            let machine = machines.of(*node).map_err(NetworkError)?;
            let ground = Ground {
                node: *node,
                table: machine.mark.table(),
                ssh: machine.session.port,
                ports: spec.ports.clone(),
                addresses: addresses.clone(),
            };
            grounds.insert(*node, ground);
        }
        Ok(HostNetwork {
            machines,
            grounds,
            policies: Mutex::default(),
            counted: Mutex::default(),
            clients: PartyRuntime::start("danso-clients", 2, None)?,
            control: PartyRuntime::start("danso-control", 2, None)?,
        })
    }

    /// Fails if this cannot be done to the link.
    fn check(&self, link: Link, policy: &Policy) -> Result<(), NetworkError> {
        let known = |party| match party {
            Party::Node(node) => self.grounds.contains_key(&node),
            Party::Clients => true,
            Party::Control => false,
        };
        let Link { from, to } = link;
        if from == to || !known(from) || !known(to) {
            return Err(NetworkError(format!("there is no link from {from} to {to} to hurt")));
        }
        if let Some(ability) = policy.needs().find(|a| !Backend::Hosts.can(*a)) {
            return Err(NetworkError(format!("the network `hosts` cannot do `{ability}`")));
        }
        if policy.loss.correlation > 0.0 {
            let why = "the network `hosts` cannot do correlated loss: set it to 0";
            return Err(NetworkError(why.to_owned()));
        }
        Ok(())
    }

    /// Brings the hosts whose rules differ from `before` to those of `now`.
    fn tell(&self, before: &Policies, now: &Policies) -> Result<(), String> {
        let changed = self.grounds.iter().filter_map(|(node, ground)| {
            let rules = ground.rules(now);
            let differs = rules != ground.rules(before);
            differs.then(|| (*node, format!("filter <<'END'\n{rules}END")))
        });
        self.machines.each(changed)
    }
}

/// A poisoned lock guards plain data: as good as new.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Network for HostNetwork {
    fn backend(&self) -> Backend {
        Backend::Hosts
    }

    fn describe(&self) -> String {
        "the real network between hosts, whose packet filters (nft) drop and reject; losses are \
         drawn by their kernels and not from the seed; who is on no host is a client; danso's own \
         questions to nodes go the clients' way"
            .to_owned()
    }

    fn listen(&self, node: NodeId, port: u16) -> SocketAddr {
        let address = self.grounds.get(&node).and_then(|ground| ground.addresses.get(&node));
        (address.copied().unwrap_or(IpAddr::from([0, 0, 0, 0])), port).into()
    }

    fn address(&self, _from: Party, to: NodeId, port: u16) -> SocketAddr {
        self.listen(to, port)
    }

    fn namespace(&self, _node: NodeId) -> Option<RawFd> {
        None
    }

    fn runtime(&self, party: Party) -> Handle {
        match party {
            Party::Clients => self.clients.handle().clone(),
            Party::Node(_) | Party::Control => self.control.handle().clone(),
        }
    }

    fn set(&self, changes: &[(Link, Policy)]) -> Result<(), NetworkError> {
        changes.iter().try_for_each(|(link, policy)| self.check(*link, policy))?;
        let mut policies = lock(&self.policies);
        let before = policies.clone();
        for (link, policy) in changes {
            match policy.is_clean() {
                true => drop(policies.remove(link)),
                false => drop(policies.insert(*link, *policy)),
            }
        }
        let told = self.tell(&before, &policies);
        lock(&self.counted).clear();
        told.map_err(|why| {
            let now = std::mem::replace(&mut *policies, before);
            // Those who did it take it back; who does not answer was cleaned by its own dog.
            if let Err(error) = self.tell(&now, &policies) {
                tracing::warn!(error, "hosts cannot be told to take it back");
            }
            NetworkError(why)
        })
    }

    fn stats(&self, link: Link) -> LinkStats {
        let mut sum = LinkStats::default();
        for party in [link.from, link.to] {
            let Party::Node(node) = party else { continue };
            let mut counted = lock(&self.counted);
            if counted.get(&node).is_none_or(|(read, _)| read.elapsed() > FRESH) {
                let machine = self.machines.of(node);
                match machine.and_then(|m| m.session.ask("counters".to_owned())) {
                    Ok(text) => {
                        drop(counted.insert(node, (Instant::now(), rules::counters(&text))))
                    }
                    Err(error) => {
                        tracing::warn!(error, %node, "its packet filter's counters cannot be read");
                    }
                }
            }
            if let Some((_, counts)) = counted.get(&node) {
                let seen = rules::seen(link, counts);
                sum.passed += seen.passed;
                sum.stopped += seen.stopped;
            }
        }
        sum
    }

    fn remote(&self) -> Option<Arc<dyn Remote>> {
        Some(self.machines.clone())
    }
}
