//! [`Flags`]: the stand-in's command line.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value as Json;

use super::super::link::Carrier;

/// What a stand-in is told.
#[derive(Debug)]
pub(super) struct Flags {
    /// Its name.
    pub(super) name: String,
    /// All nodes' names.
    pub(super) nodes: Vec<String>,
    /// Where it listens.
    pub(super) listen: SocketAddr,
    /// Where the others do.
    pub(super) peers: BTreeMap<String, SocketAddr>,
    /// How messages travel.
    pub(super) carry: Carrier,
    /// Who is whose neighbour, if that is to be told.
    pub(super) topology: Option<Json>,
    /// The program, and its arguments.
    pub(super) command: Vec<String>,
}

impl Flags {
    /// What these arguments say.
    ///
    /// # Errors
    /// If one is missing or makes no sense.
    pub(super) fn parse(args: Vec<String>) -> Result<Flags, String> {
        let mut given = BTreeMap::new();
        let mut args = args.into_iter();
        let mut command = Vec::new();
        while let Some(flag) = args.next() {
            if flag == "--" {
                command = args.collect();
                break;
            }
            let value = args.next().ok_or_else(|| format!("{flag} wants a value"))?;
            given.insert(flag, value);
        }
        let mut want = |flag: &str| {
            given.remove(flag).ok_or_else(|| {
                format!(
                    "{flag} is missing: `danso node maelstrom` wants --name, --nodes, --listen, \
                     --peers, --carry and the program behind --"
                )
            })
        };
        let address = |text: &str| -> Result<SocketAddr, String> {
            text.parse().map_err(|_| format!("`{text}` is no address: write IP:PORT"))
        };
        let (name, nodes, listen) = (want("--name")?, want("--nodes")?, want("--listen")?);
        let mut peers = BTreeMap::new();
        for peer in want("--peers")?.split(',').filter(|peer| !peer.is_empty()) {
            let pair = peer.split_once('=');
            let (name, at) =
                pair.ok_or_else(|| format!("`{peer}` is no peer: write n2=IP:PORT"))?;
            peers.insert(name.to_owned(), address(at)?);
        }
        let carry = match want("--carry")?.as_str() {
            "udp" => Carrier::Datagrams,
            "tcp" => Carrier::Streams,
            other => return Err(format!("--carry is `{other}`, but must be udp or tcp")),
        };
        let topology = given.remove("--topology").map(|text| serde_json::from_str(&text));
        let topology = topology.transpose().map_err(|e| format!("--topology: {e}"))?;
        if let Some(flag) = given.keys().next() {
            return Err(format!("there is no flag `{flag}`"));
        }
        if command.is_empty() {
            return Err("the program is missing: write it behind --".to_owned());
        }
        let nodes = nodes.split(',').map(ToOwned::to_owned).collect();
        Ok(Flags { name, nodes, listen: address(&listen)?, peers, carry, topology, command })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Flags, String> {
        Flags::parse(text.split(' ').map(ToOwned::to_owned).collect())
    }

    #[test]
    fn a_command_line() {
        let usual = "--name n1 --nodes n1,n2 --listen 127.0.0.1:7000 --peers n2=127.0.0.2:7000";
        let flags = parse(&format!("{usual} --carry udp -- ./node.py --x y")).unwrap();
        assert_eq!(flags.command, ["./node.py", "--x", "y"]);
        assert_eq!((flags.nodes.len(), flags.peers.len()), (2, 1));
        assert_eq!(flags.carry, Carrier::Datagrams);
        for wrong in ["--carry udp", "--carry ip -- x", "-- x", "--carry udp --colour red -- x"] {
            assert!(parse(&format!("{usual} {wrong}")).is_err(), "{wrong}");
        }
    }
}
