//! How the system is started and reached, for when a test file does not say enough.

use std::net::SocketAddr;

use danso::prelude::*;
use tokio::net::TcpStream;

use super::client::Lines;

const PORT: u16 = 7070;

pub(crate) struct Sumd;

impl Target for Sumd {
    fn name(&self) -> &str {
        "sumd"
    }

    fn ports(&self) -> &[u16] {
        &[PORT]
    }

    fn command(&self, node: &Member) -> Result<Option<NodeCommand>, String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sums/sumd.py");
        let at = node.listen(PORT);
        let args = vec![script.to_owned(), at.ip().to_string(), at.port().to_string()];
        Ok(Some(NodeCommand { program: "python3".into(), args, ..NodeCommand::default() }))
    }

    fn ready<'a>(&'a self, node: &'a Member) -> Fut<'a, Result<(), String>> {
        Box::pin(async {
            let connected = TcpStream::connect(node.reached_from(Party::Control, PORT)).await;
            connected.map(drop).map_err(|error| error.to_string())
        })
    }

    fn primaries<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
        Box::pin(async { nodes.iter().map(|member| member.id).collect() })
    }

    fn connect(&self, nodes: &[Member], node: NodeId, _: Process) -> Box<dyn Client> {
        Box::new(Lines(reached(nodes, node), None))
    }
}

/// Where clients reach a node.
pub(crate) fn reached(nodes: &[Member], node: NodeId) -> SocketAddr {
    let member = nodes.iter().find(|member| member.id == node).unwrap_or(&nodes[0]);
    member.reached_from(Party::Clients, PORT)
}
