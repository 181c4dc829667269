//! What the packet filter does to packets, seen by the sockets at both ends; and its table, by
//! asking the kernel.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use danso_engine::network::{
    Ability, Backend, Block, Chance, Choice, Delay, Link, LinkStats, Party, Policy, choose, prepare,
};
use danso_engine::process::{Order, Supervisor};
use danso_engine::target::NodeCommand;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

use super::cases::{Case, open, spec};
use super::peers::*;
use super::setup::Setup;

pub(crate) const CASES: [(&str, Case); 14] = [
    ("nft::either_end_of_a_connection", either_end_of_a_connection),
    ("nft::handshakes_one_way", handshakes_one_way),
    ("nft::rejected", rejected),
    ("nft::datagrams", datagrams),
    ("nft::a_port_used_again", a_port_used_again),
    ("nft::lossy", lossy),
    ("nft::long_packets_vanish", long_packets_vanish),
    ("nft::narrow", narrow),
    ("nft::one_table_while_it_is_open", one_table_while_it_is_open),
    ("nft::what_it_cannot_do_is_refused", what_it_cannot_do_is_refused),
    ("nft::auto_takes_it", auto_takes_it),
    ("nft::processes_of_nodes", processes_of_nodes),
    ("nft::many_connections", many_connections),
    ("nft::the_nft_program_reads_it", the_nft_program_reads_it),
];

fn set(net: &Net, links: &[(Party, Party)], policy: Policy) {
    let changes: Vec<_> = links.iter().map(|&(from, to)| (Link { from, to }, policy)).collect();
    net.set(&changes).unwrap();
}

fn stats(net: &Net, from: Party, to: Party) -> LinkStats {
    net.stats(Link { from, to })
}

/// The called node cannot be heard, whoever opened the connection.
fn either_end_of_a_connection(setup: Setup) {
    let net = open(setup);
    let (caller, called) = pair(&net, node(1), 2);
    let (client, server) = pair(&net, Party::Clients, 3);
    passes(&caller, &called, b"before");
    passes(&client, &server, b"before");
    std::thread::sleep(Duration::from_millis(100));
    set(&net, &[(node(2), node(1)), (node(3), Party::Clients)], Policy::CUT);
    passes(&caller, &called, b"still heard");
    stalls(&called, &caller, b"not heard");
    passes(&client, &server, b"still heard");
    stalls(&server, &client, b"not heard");
    assert!(stats(&net, node(2), node(1)).stopped > 0);
    assert!(stats(&net, node(3), Party::Clients).stopped > 0);
    assert_eq!(stats(&net, node(1), node(2)).stopped, 0);
    set(&net, &[(node(2), node(1)), (node(3), Party::Clients)], Policy::default());
    assert_eq!(receive(&caller, 9, PATIENCE), b"not heard");
    assert_eq!(receive(&client, 9, PATIENCE), b"not heard");
}

/// Nobody's socket answers a handshake: what answers it must be cut all the same.
fn handshakes_one_way(setup: Setup) {
    let net = open(setup);
    let _incoming = accept(listen(&net, 2));
    set(&net, &[(node(2), node(1))], Policy::CUT);
    let error = dial(&net, node(1), 2, QUIET).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(stats(&net, node(2), node(1)).stopped > 0);
    assert!(stats(&net, node(1), node(2)).passed > 0);
    drop(dial(&net, node(3), 2, PATIENCE).unwrap());
    set(&net, &[(node(2), node(1))], Policy::default());
    drop(dial(&net, node(1), 2, PATIENCE).unwrap());
}

fn rejected(setup: Setup) {
    let net = open(setup);
    let incoming = accept(listen(&net, 2));
    let mut near = dial(&net, node(1), 2, PATIENCE).unwrap();
    let far = incoming.recv_timeout(PATIENCE).unwrap();
    passes(&near, &far, b"before");
    std::thread::sleep(Duration::from_millis(100));
    let both = [(node(1), node(2)), (node(2), node(1))];
    set(&net, &both, Policy::blocked(Block::Reject));
    near.write_all(b"refused").unwrap();
    near.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(near.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let error = dial(&net, node(1), 2, PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(stats(&net, node(1), node(2)).stopped >= 2);
    let (socket, to) = (datagram(&net, node(1), 0), net.listen(n(2), PORT));
    socket.connect(to).unwrap();
    socket.send(b"refused").unwrap();
    assert_eq!(socket.recv(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    set(&net, &both, Policy::default());
    let near = dial(&net, node(1), 2, PATIENCE).unwrap();
    passes(&near, &incoming.recv_timeout(PATIENCE).unwrap(), b"again");
}

/// A socket of `party` on this port of 127.0.0.1; a node's own port if it is `PORT`.
fn datagram(net: &Net, party: Party, port: u16) -> UdpSocket {
    let at: SocketAddr = match party {
        Party::Node(id) if port == PORT => net.listen(id, PORT),
        _ => ([127, 0, 0, 1], port).into(),
    };
    let socket = inside(net, party, move || UdpSocket::bind(at).unwrap());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// What arrives, and from where, if anything does soon.
fn hear(socket: &UdpSocket, patience: Duration) -> Option<(Vec<u8>, SocketAddr)> {
    socket.set_read_timeout(Some(patience)).unwrap();
    let mut buffer = vec![0; 65_536];
    match socket.recv_from(&mut buffer) {
        Ok((length, from)) => Some((buffer[..length].to_vec(), from)),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        Err(error) => panic!("{error}"),
    }
}

fn datagrams(setup: Setup) {
    let net = open(setup);
    let (server, client) = (datagram(&net, node(2), PORT), datagram(&net, node(1), 0));
    let to = net.address(node(1), n(2), PORT);
    let there_and_back = || {
        client.send_to(b"there", to).unwrap();
        let (_, from) = hear(&server, PATIENCE).unwrap();
        server.send_to(b"back", from).unwrap();
        assert_eq!(hear(&client, PATIENCE).unwrap().0, b"back");
        from
    };
    let from = there_and_back();
    set(&net, &[(node(1), node(2))], Policy::CUT);
    // Senders are not told.
    client.send_to(b"lost", to).unwrap();
    assert!(hear(&server, QUIET).is_none());
    server.send_to(b"still heard", from).unwrap();
    assert!(hear(&client, PATIENCE).is_some());
    assert_eq!(stats(&net, node(1), node(2)).stopped, 1);
    set(&net, &[(node(1), node(2))], Policy::default());
    set(&net, &[(node(2), node(1))], Policy::CUT);
    server.send_to(b"lost", from).unwrap();
    assert!(hear(&client, QUIET).is_none());
    assert_eq!(stats(&net, node(2), node(1)).stopped, 1);
    set(&net, &[(node(2), node(1))], Policy::default());
    there_and_back();
    // Lost, not late.
    assert!(hear(&server, QUIET).is_none() && hear(&client, QUIET).is_none());
}

/// The same ends, but somebody else's: his packets are not taken for those of the one before.
fn a_port_used_again(setup: Setup) {
    let net = open(setup);
    let server = datagram(&net, node(2), PORT);
    let to = net.address(node(1), n(2), PORT);
    let first = datagram(&net, node(1), 0);
    let port = first.local_addr().unwrap().port();
    first.send_to(b"from n1", to).unwrap();
    assert!(hear(&server, PATIENCE).is_some());
    drop(first);
    let second = datagram(&net, node(3), port);
    set(&net, &[(node(1), node(2)), (node(2), node(1))], Policy::CUT);
    second.send_to(b"from n3", to).unwrap();
    let (_, from) = hear(&server, PATIENCE).expect("n3 is not cut off");
    server.send_to(b"to n3", from).unwrap();
    assert!(hear(&second, PATIENCE).is_some());
    assert_eq!(stats(&net, node(3), node(2)).passed, 1);
    assert_eq!(stats(&net, node(1), node(2)).stopped, 0);
}

fn lossy(setup: Setup) {
    const SENT: u64 = 4000;
    let net = open(setup);
    let (server, client) = (datagram(&net, node(2), PORT), datagram(&net, node(1), 0));
    let to = net.address(node(1), n(2), PORT);
    set(&net, &[(node(1), node(2))], Policy { loss: Chance::of(0.1), ..Policy::default() });
    let counted = || {
        let LinkStats { passed, stopped, .. } = stats(&net, node(1), node(2));
        (passed, stopped)
    };
    let mut got = 0;
    for batch in (0..SENT).collect::<Vec<_>>().chunks(50) {
        for i in batch {
            client.send_to(&i.to_be_bytes(), to).unwrap();
        }
        // No more than any queue holds, however busy the machine is.
        let deadline = Instant::now() + PATIENCE;
        while counted().0 + counted().1 <= *batch.last().unwrap() {
            assert!(Instant::now() < deadline, "packets are not counted: {:?}", counted());
            std::thread::sleep(Duration::from_micros(100));
        }
        while got < counted().0 {
            assert!(hear(&server, PATIENCE).is_some(), "a packet that passed did not arrive");
            got += 1;
        }
    }
    assert!(hear(&server, Duration::from_millis(50)).is_none(), "a packet that did not pass");
    let (passed, stopped) = counted();
    assert_eq!(passed + stopped, SENT);
    // 400, give or take eight standard deviations: the kernel draws, and has no seed.
    assert!((248..=552).contains(&stopped), "{stopped} of {SENT}");
    println!("{stopped} of {SENT} lost at 10 %");
    // A stream survives.
    let (mut near, mut far) = pair(&net, node(1), 2);
    let text: Vec<u8> = (0..200_000_u32).map(|i| (i >> 3) as u8).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| near.write_all(&text).unwrap());
        let mut got = vec![0; text.len()];
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        far.read_exact(&mut got).unwrap();
        assert!(got == text);
    });
}

fn long_packets_vanish(setup: Setup) {
    let net = open(setup);
    let (server, client) = (datagram(&net, node(2), PORT), datagram(&net, node(1), 0));
    let to = net.address(node(1), n(2), PORT);
    set(&net, &[(node(1), node(2))], Policy { longest: Some(1000), ..Policy::default() });
    // With 28 bytes of headers.
    client.send_to(&[1; 973], to).unwrap();
    client.send_to(&[2; 972], to).unwrap();
    assert_eq!(hear(&server, PATIENCE).unwrap().0, [2; 972]);
    assert_eq!(stats(&net, node(1), node(2)).stopped, 1);
    set(&net, &[(node(1), node(2))], Policy::default());
    client.send_to(&[3; 60_000], to).unwrap();
    assert_eq!(hear(&server, PATIENCE).unwrap().0.len(), 60_000);
}

fn narrow(setup: Setup) {
    let net = open(setup);
    let (mut near, mut far) = pair(&net, node(1), 2);
    // A megabyte a second, and a second's worth at once.
    let policy = Policy { bandwidth: Some(8_000_000), ..Policy::default() };
    set(&net, &[(node(1), node(2))], policy);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| near.write_all(&vec![7; 4_000_000]).unwrap());
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        far.read_exact(&mut vec![0; 4_000_000]).unwrap();
    });
    let took = start.elapsed();
    println!("4 MB at 8 Mbit/s took {took:?}");
    assert!(took > Duration::from_millis(2500), "{took:?}");
    assert!(stats(&net, node(1), node(2)).stopped > 0);
    set(&net, &[(node(1), node(2))], Policy::default());
    std::thread::scope(|scope| {
        scope.spawn(|| near.write_all(&vec![7; 4_000_000]).unwrap());
        far.read_exact(&mut vec![0; 4_000_000]).unwrap();
    });
}

fn one_table_while_it_is_open(setup: Setup) {
    assert_eq!(tables().unwrap(), 0);
    let net = open(setup);
    assert_eq!(tables().unwrap(), 1);
    set(&net, &[(node(1), node(2))], Policy::CUT);
    assert_eq!(tables().unwrap(), 1);
    drop(net);
    no_table_is_left();
}

fn what_it_cannot_do_is_refused(setup: Setup) {
    let net = open(setup);
    let delay = Delay { mean: Duration::from_millis(5), ..Delay::default() };
    for (policy, ability) in [
        (Policy { delay, ..Policy::default() }, Ability::Delay),
        (Policy::blocked(Block::Hold), Ability::Hold),
        (Policy { reset: Chance::of(0.5), ..Policy::default() }, Ability::Reset),
        (Policy { corrupt: Chance::of(0.5), ..Policy::default() }, Ability::Corrupt),
    ] {
        let changes = [(Link::nodes(n(2), n(1)), Policy::CUT), (Link::nodes(n(1), n(2)), policy)];
        let error = net.set(&changes).unwrap_err().to_string();
        assert!(error.contains("`nft`") && error.contains(ability.word()), "{error}");
        assert!(!Backend::Nft.can(ability));
    }
    let loss = Chance { share: 0.5, correlation: 0.5 };
    let policy = Policy { loss, ..Policy::default() };
    let error = net.set(&[(Link::nodes(n(1), n(2)), policy)]).unwrap_err().to_string();
    assert!(error.contains("correlated") && error.contains("--network switch"), "{error}");
    let (near, far) = pair(&net, node(1), 2);
    passes(&near, &far, b"nothing of it was done");
    passes(&far, &near, b"nothing of it was done");
}

fn auto_takes_it(_setup: Setup) {
    assert_eq!(choose(Choice::Auto).unwrap(), Backend::Nft);
    let prepared = prepare(Choice::Auto).unwrap();
    assert_eq!(prepared.backend, Backend::Nft);
    assert_eq!(prepared.notes.len(), 4, "{:?}", prepared.notes);
    assert_eq!(tables().unwrap(), 0, "the probe left a table");
    assert_eq!(prepared.open(&spec()).unwrap().backend(), Backend::Nft);
}

/// A node's process, and its child, are told by their group.
fn processes_of_nodes(setup: Setup) {
    let net = open(setup);
    let incoming = accept(listen(&net, 2));
    let dir = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    let to = net.address(node(1), n(2), PORT).to_string();
    // A child of the node's: what the shell starts.
    let script = format!("{} --dial {to}; exit 1", exe.display());
    let command = NodeCommand {
        program: "/bin/sh".into(),
        args: vec!["-c".to_owned(), script],
        env: Vec::new(),
        ..NodeCommand::default()
    };
    let danso = env!("CARGO_BIN_EXE_danso-internal");
    let nodes = Supervisor::new(danso.into()).unwrap();
    let mut order = Order::new(command, dir.path().into());
    order.group = net.group(n(1));
    nodes.start(n(1), order, dir.path()).unwrap();
    let mut far = incoming.recv_timeout(PATIENCE).unwrap();
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    far.read_exact(&mut [0; 10]).unwrap();
    assert!(stats(&net, node(1), node(2)).passed > 0);
    assert_eq!(stats(&net, Party::Control, node(2)).passed, 0);
    set(&net, &[(node(1), node(2))], Policy::CUT);
    let deadline = Instant::now() + PATIENCE;
    while stats(&net, node(1), node(2)).stopped < 3 {
        assert!(Instant::now() < deadline, "nothing of the node's is stopped");
        std::thread::sleep(Duration::from_millis(10));
    }
    set(&net, &[(node(1), node(2))], Policy::default());
    far.read_exact(&mut vec![0; 1000]).unwrap();
}

/// For the one above: says something every millisecond.
pub(crate) fn dial_and_talk(to: &str) {
    let mut stream = std::net::TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    while stream.write_all(b"x").is_ok() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// However fast ports are used up, every connection is noted.
fn many_connections(setup: Setup) {
    const MANY: u64 = 5000;
    let net = open(setup);
    let listener = listen(&net, 2);
    let to = net.address(node(1), n(2), PORT);
    let acceptor = std::thread::spawn(move || {
        let streams = listener.incoming().take(MANY as usize);
        streams.filter(|stream| stream.is_ok()).count()
    });
    inside(&net, node(1), move || {
        for _ in 0..MANY {
            drop(std::net::TcpStream::connect(to).unwrap());
        }
    });
    assert_eq!(acceptor.join().unwrap(), MANY as usize);
    // A handshake's two, and at least one that ends it.
    assert!(stats(&net, node(1), node(2)).passed >= 3 * MANY);
    assert!(stats(&net, node(2), node(1)).passed >= MANY);
    assert_eq!(stats(&net, Party::Control, node(2)).passed, 0);
    let mut times: Vec<_> = (0..200)
        .map(|i| {
            let policy = if i % 2 == 0 { Policy::CUT } else { Policy::default() };
            let start = Instant::now();
            set(&net, &[(node(1), node(2)), (node(2), node(1))], policy);
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("a change of two links takes {:?}, 99 % {:?}", times[100], times[198]);
}

/// The administrator's own tool must not stumble over our table.
fn the_nft_program_reads_it(setup: Setup) {
    let net = open(setup);
    let (near, far) = pair(&net, node(1), 2);
    passes(&near, &far, b"a flow");
    set(&net, &[(node(1), node(2))], Policy::blocked(Block::Reject));
    let policy = Policy {
        loss: Chance::of(0.1),
        bandwidth: Some(1_000_000),
        longest: Some(1500),
        ..Policy::default()
    };
    set(&net, &[(node(2), node(1))], policy);
    let listed = match std::process::Command::new("nft").args(["list", "ruleset"]).output() {
        Ok(listed) => listed,
        Err(error) => return println!("skipped: the nft program cannot be started: {error}"),
    };
    let text = String::from_utf8_lossy(&listed.stdout);
    assert!(listed.status.success(), "{text}{}", String::from_utf8_lossy(&listed.stderr));
    for words in ["table ip danso_", "reject with tcp reset", "numgen random", "limit rate over"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

pub(crate) fn no_table_is_left() {
    // The kernel takes a table away in the background.
    let deadline = Instant::now() + PATIENCE;
    while tables().unwrap() > 0 {
        assert!(Instant::now() < deadline, "a table is left");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How many tables of danso's the packet filter of this namespace has.
fn tables() -> nix::Result<usize> {
    const GET_TABLE: u16 = 10 << 8 | 1;
    const DUMP: u16 = 0x301;
    let protocol = SockProtocol::NetlinkNetFilter;
    let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    let mut question = Vec::new();
    question.extend(20_u32.to_ne_bytes());
    question.extend(GET_TABLE.to_ne_bytes());
    question.extend(DUMP.to_ne_bytes());
    question.extend([0; 12]);
    send(std::os::fd::AsRawFd::as_raw_fd(&fd), &question, MsgFlags::empty())?;
    let mut found = 0;
    loop {
        let mut buffer = vec![0; 64 << 10];
        let length =
            recv(std::os::fd::AsRawFd::as_raw_fd(&fd), &mut buffer, MsgFlags::MSG_DONTWAIT);
        match length {
            Ok(length) => {
                let error = u16::from_ne_bytes([buffer[4], buffer[5]]) == 2;
                if error && length >= 20 {
                    let code = i32::from_ne_bytes(buffer[16..20].try_into().unwrap());
                    return Err(Errno::from_raw(-code));
                }
                found += buffer[..length].windows(6).filter(|w| w == b"danso_").count();
            }
            Err(Errno::EAGAIN) => return Ok(found),
            Err(error) => return Err(error),
        }
    }
}

/// Why there can be no packet filter of our own, asked for without the code under test.
pub(crate) fn obstacle() -> Option<String> {
    let ask = || unshare(CloneFlags::CLONE_NEWNET).and_then(|()| tables());
    // A thread's network namespace is its own.
    let asked = std::thread::spawn(ask).join().unwrap();
    asked.err().map(|error| format!("not allowed here: no packet filter: {error}"))
}

/// In a new network namespace it is down.
pub(crate) fn loopback_up() -> io::Result<()> {
    let fd = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: a request of zeros is a valid one, filled in below.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&fd);
    // SAFETY: the request is valid and outlives the call.
    Errno::result(unsafe { libc::ioctl(fd, libc::SIOCSIFFLAGS as _, &raw const request) })?;
    Ok(())
}
