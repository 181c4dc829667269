//! Servers and connections inside the parties' namespaces, with plain blocking sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use danso_engine::network::{Network, Party};
use danso_vocab::NodeId;
use nix::sched::{CloneFlags, setns};

pub(crate) const PORT: u16 = 7411;
/// Longer than any kernel takes to pass a packet on, shorter than its first retransmission
/// of a connection attempt.
pub(crate) const QUIET: Duration = Duration::from_millis(400);
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Net = Arc<dyn Network>;

pub(crate) fn n(id: u16) -> NodeId {
    NodeId(id)
}

pub(crate) fn node(id: u16) -> Party {
    Party::Node(NodeId(id))
}

/// Runs `work` as `party`: on a thread in its namespace, or on its runtime.
pub(crate) fn inside<T: Send + 'static>(
    net: &Net,
    party: Party,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (tell, told) = channel();
    match party {
        Party::Node(id) => {
            let (namespace, group) = (net.namespace(id), net.group(id));
            let thread = std::thread::spawn(move || {
                if let Some(fd) = namespace {
                    // SAFETY: the network, which owns the descriptor, outlives the thread.
                    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
                    setns(fd, CloneFlags::CLONE_NEWNET).unwrap();
                }
                if let Some(group) = group {
                    // Of this thread only.
                    nix::unistd::setfsgid(nix::unistd::Gid::from_raw(group));
                }
                let _ = tell.send(work());
            });
            thread.join().unwrap();
        }
        _ => drop(net.runtime(party).spawn(async move {
            let _ = tell.send(work());
        })),
    }
    told.recv().expect("the work does not panic")
}

/// Listens as a node does.
pub(crate) fn listen(net: &Net, id: u16) -> TcpListener {
    let at = net.listen(n(id), PORT);
    inside(net, node(id), move || TcpListener::bind(at).unwrap())
}

/// Connects, waiting no longer than `patience`.
pub(crate) fn dial(
    net: &Net,
    from: Party,
    to: u16,
    patience: Duration,
) -> std::io::Result<TcpStream> {
    let at: SocketAddr = net.address(from, n(to), PORT);
    inside(net, from, move || {
        let stream = TcpStream::connect_timeout(&at, patience)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    })
}

/// Accepts, in the background: the connections arrive here.
pub(crate) fn accept(listener: TcpListener) -> Receiver<TcpStream> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_nodelay(true).unwrap();
            if tell.send(stream).is_err() {
                return;
            }
        }
    });
    told
}

/// A connection from `from` to node `to`, both ends.
pub(crate) fn pair(net: &Net, from: Party, to: u16) -> (TcpStream, TcpStream) {
    let incoming = accept(listen(net, to));
    let near = dial(net, from, to, PATIENCE).unwrap();
    let far = incoming.recv_timeout(PATIENCE).unwrap();
    (near, far)
}

/// What arrives within `patience`; a closed or broken connection is a failure.
pub(crate) fn receive(mut stream: &TcpStream, most: usize, patience: Duration) -> Vec<u8> {
    let (start, mut got) = (Instant::now(), Vec::new());
    while got.len() < most {
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            break;
        }
        stream.set_read_timeout(Some(left)).unwrap();
        let mut buffer = vec![0; most - got.len()];
        match stream.read(&mut buffer) {
            Ok(0) => panic!("the connection was closed"),
            Ok(count) => got.extend_from_slice(&buffer[..count]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => panic!("the connection broke: {error}"),
        }
    }
    got
}

/// Sends and sees it arrive.
pub(crate) fn passes(mut from: &TcpStream, to: &TcpStream, bytes: &[u8]) {
    from.write_all(bytes).unwrap();
    assert_eq!(receive(to, bytes.len(), PATIENCE), bytes);
}

/// Sends and sees it not arrive.
pub(crate) fn stalls(mut from: &TcpStream, to: &TcpStream, bytes: &[u8]) {
    from.write_all(bytes).unwrap();
    assert_eq!(receive(to, bytes.len(), QUIET), b"", "bytes went through a cut");
}

/// A counter of the kernel's, of the namespace of `party`: in `/proc/net/snmp` and `netstat` the
/// column `name` of the lines beginning with `row`; in `snmp6` the row; in `dev` a received column.
pub(crate) fn counter(net: &Net, party: Party, file: &str, row: &str, name: &str) -> u64 {
    let path = format!("/proc/thread-self/net/{file}");
    let text = inside(net, party, move || std::fs::read_to_string(path).unwrap());
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.first() == Some(&row))
        .collect();
    let number = match file {
        "snmp6" => lines[0][1],
        "dev" if name == "bytes" => lines[0][1],
        "dev" => lines[0][2],
        _ => lines[1][lines[0].iter().position(|word| *word == name).unwrap()],
    };
    number.parse().unwrap()
}
