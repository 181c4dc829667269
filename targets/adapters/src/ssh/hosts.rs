//! [`Named`]: the hosts of a test file, as they are when planning.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use danso_engine::means::{Need, Obstacle};
use danso_engine::network::{Network, NetworkError, Spec};
use danso_engine::remote::Hosts;
use danso_vocab::{NodeId, Value};

use super::login::Login;
use super::machines::{Machine, Machines};
use super::network::HostNetwork;
use super::script::{self, Mark};
use super::session::Session;

/// Where the hosts' sockets are made: paths of sockets must be short.
const SOCKETS: &str = "/tmp";

/// The hosts, node by node.
#[derive(Debug)]
pub(super) struct Named {
    /// How each is logged in to.
    pub(super) logins: Vec<Login>,
    /// Where nodes and clients find each, if the login does not say.
    pub(super) addresses: Vec<String>,
    /// Where a node's folder is made.
    pub(super) folder: String,
    /// Whether nodes can run there, and whether links can be hurt: found out once.
    pub(super) can: [OnceLock<Result<(), Obstacle>>; 2],
}

impl Named {
    /// Logs in to all at once.
    fn connect(&self) -> Result<Vec<Machine>, String> {
        let token = getrandom::u64().map_err(|e| format!("no randomness: {e}"))?;
        let token = format!("{token:016x}");
        let nodes = (1..).map(NodeId);
        let machines: Vec<Machine> = std::thread::scope(|scope| {
            let opening: Vec<_> = self
                .logins
                .iter()
                .zip(nodes)
                .map(|(login, node)| {
                    let name = format!("danso-{token}-{node}");
                    let folder = format!("{}/{name}", self.folder.trim_end_matches('/'));
                    let mark = Mark { token: token.clone(), node: node.to_string(), folder };
                    scope.spawn(move || open(login, mark))
                })
                .collect();
            // A thread that panics has said why.
            let lost = |_| Err("its thread is lost".to_owned());
            opening.into_iter().map(|o| o.join().unwrap_or_else(lost)).collect::<Result<_, _>>()
        })?;
        for (at, one) in machines.iter().enumerate() {
            let same = |other: &&Machine| other.session.machine == one.session.machine;
            if let Some(other) = machines[..at].iter().find(same) {
                let (one, other) = (&one.login.to, &other.login.to);
                return Err(format!("{other} and {one} are one machine: a host has one node"));
            }
        }
        Ok(machines)
    }

    /// Runs a script on all of them that complains about what is missing.
    fn try_all(&self, script: &str, mend: &str) -> Result<(), Obstacle> {
        let way = "`ssh -o BatchMode=yes HOST true` must work without a question: see its keys";
        let machines = self.connect().map_err(|why| Obstacle::new(why, way))?;
        let asked: Vec<_> = machines.iter().map(|m| m.session.begin(script.to_owned())).collect();
        for (machine, answer) in machines.iter().zip(asked) {
            answer.wait().map_err(|why| {
                Obstacle::new(format!("{}: {why}", machine.login.to), mend.to_owned())
            })?;
        }
        Ok(())
    }

    /// Where the nodes are.
    fn addresses(&self) -> Result<BTreeMap<NodeId, IpAddr>, NetworkError> {
        let mut found: BTreeMap<NodeId, IpAddr> = BTreeMap::new();
        for (at, login) in self.logins.iter().enumerate() {
            let host = self.addresses.get(at).map_or(login.host(), String::as_str);
            let wrong =
                |why: &str| NetworkError(format!("{}: {host}: {why}; give `addresses`", login.to));
            let address = match host.parse() {
                Ok(address) => address,
                Err(_) => {
                    let known = (host, 0).to_socket_addrs().map_err(|e| wrong(&e.to_string()))?;
                    known.map(|a| a.ip()).next().ok_or_else(|| wrong("it has no address"))?
                }
            };
            if found.values().any(|other| *other == address) {
                return Err(wrong(&format!("{address} is another node's; a host has one node")));
            }
            if found.values().any(|other| other.is_ipv4() != address.is_ipv4()) {
                return Err(wrong("some addresses are IPv4 and some IPv6; choose one"));
            }
            found.insert(NodeId(at as u16 + 1), address);
        }
        Ok(found)
    }
}

fn open(login: &Login, mark: Mark) -> Result<Machine, String> {
    let control = PathBuf::from(format!("{SOCKETS}/danso-{}-{}.ssh", mark.token, mark.node));
    let session = Session::open(login, &control, &mark)?;
    Ok(Machine { login: login.clone(), control, mark, session })
}

impl Hosts for Named {
    fn have(&self, need: Need) -> Result<(), Obstacle> {
        let [run, filter] = &self.can;
        match need {
            Need::Link(_) => filter.get_or_init(|| {
                self.try_all(
                    script::CAN_FILTER,
                    "log in as root, or let the user run `sudo -n nft`; and install nftables",
                )
            }),
            _ => run.get_or_init(|| {
                self.try_all(
                    script::CAN_RUN,
                    "install it (Debian: util-linux, grep, sed, coreutils)",
                )
            }),
        }
        .clone()
    }

    fn open(&self, spec: &Spec) -> Result<Arc<dyn Network>, NetworkError> {
        let addresses = self.addresses()?;
        let machines = self.connect().map_err(NetworkError)?;
        let machines = Arc::new(Machines::new(machines));
        Ok(Arc::new(HostNetwork::open(machines, addresses, spec)?))
    }
}

/// Removes what a run that is gone has left on its hosts, known by what its undo log says. Says
/// which hosts they are.
///
/// # Errors
/// If one does not answer, or something cannot be removed.
pub fn clean(traces: &Value) -> Result<String, String> {
    let hosts = traces.get("hosts").and_then(Value::list).ok_or("the log names no hosts")?;
    let mut cleaned = Vec::new();
    for host in hosts {
        let text = |name: &str| host.get(name).and_then(Value::str).map(str::to_owned);
        let (Some(login), Some(token), Some(node), Some(folder)) =
            (Login::stored(host), text("token"), text("node"), text("folder"))
        else {
            return Err(format!("{host} is no host"));
        };
        let machine = open(&login, Mark { token, node, folder })?;
        machine.session.ask("leave".to_owned()).map_err(|why| format!("{}: {why}", login.to))?;
        cleaned.push(login.to);
    }
    Ok(format!("nothing of it is left on {}", cleaned.join(", ")))
}
