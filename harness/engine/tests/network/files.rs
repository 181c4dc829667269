//! What a network writes about what passes it, read back.

use std::io::Write;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use danso_engine::network::{Block, Delay, Ip, Link, Party, Policy, Spec};
use danso_vocab::codec::traffic;
use danso_vocab::traffic::Fate;

use super::cases::{open_ip, open_spec, spec};
use super::peers::*;
use super::setup::Setup;

const BULK: usize = 1 << 20;

fn udp(net: &Net) -> UdpSocket {
    let (from, to) = ((net.listen(n(1), PORT).ip(), 4000), net.listen(n(2), PORT));
    let socket = inside(net, node(1), move || UdpSocket::bind(from).unwrap());
    socket.connect(to).unwrap();
    socket
}

fn set(net: &Net, policy: Policy) {
    net.set(&[(Link { from: node(1), to: node(2) }, policy)]).unwrap();
}

fn bulk(net: &Net) {
    let (near, far) = pair(net, node(1), 2);
    let sender = std::thread::spawn(move || (&near).write_all(&[7; BULK]).map(|()| near));
    assert_eq!(receive(&far, BULK, PATIENCE).len(), BULK);
    drop(sender.join().unwrap().unwrap());
}

/// The IP packets in a capture.
fn packets(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(20)), (0xa1b2_3c4d, 101));
    let (mut at, mut all, mut last) = (24, Vec::new(), 0);
    while at < bytes.len() {
        let time = u64::from(word(at)) * 1_000_000_000 + u64::from(word(at + 4));
        assert!(time >= last && word(at + 8) == word(at + 12));
        last = time;
        let length = word(at + 8) as usize;
        all.push(bytes[at + 16..at + 16 + length].to_vec());
        at += 16 + length;
    }
    all
}

/// Protocol, last byte of the source's address, and bytes behind the transport header.
fn facts(packet: &[u8]) -> (u8, u8, usize) {
    let (protocol, source, at) = match packet[0] >> 4 {
        4 => (packet[9], packet[15], usize::from(packet[0] & 15) * 4),
        _ => (packet[6], packet[23], 40),
    };
    let header = if protocol == 6 { usize::from(packet[at + 12] >> 4) * 4 } else { 8 };
    (protocol, source, packet.len() - at - header)
}

pub(crate) fn captures_are_what_passed(setup: Setup) {
    for ip in [Ip::V4, Ip::V6] {
        let folder = tempfile::tempdir().unwrap();
        let capture = Some(folder.path().join("pcap"));
        let net = open_spec(setup, &Spec { ip, capture, ..spec() });
        bulk(&net);
        let socket = udp(&net);
        set(&net, Policy::CUT);
        for _ in 0..20 {
            socket.send(b"vanishes").unwrap();
        }
        let link = Link { from: node(1), to: node(2) };
        let deadline = std::time::Instant::now() + PATIENCE;
        while net.stats(link).stopped < 20 && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(net.shortfall().uncaptured, 0);
        drop(net);
        let files = ["n1", "n2", "n3", "clients", "control"]
            .map(|party| folder.path().join(format!("pcap/{party}.pcap")));
        let [sent, received] = [&files[0], &files[1]].map(|file| {
            let packets = packets(file);
            // What a card would have sent, and no super-packets.
            assert!(packets.iter().all(|packet| packet.len() <= 1500));
            let of_one = packets.iter().map(|p| facts(p)).filter(|(_, source, _)| *source == 1);
            let of_one: Vec<_> = of_one.collect();
            let tcp = of_one.iter().filter(|(protocol, ..)| *protocol == 6);
            let udp = of_one.iter().filter(|(protocol, ..)| *protocol == 17);
            (tcp.map(|(_, _, bytes)| bytes).sum::<usize>(), udp.count())
        });
        assert!(sent.0 >= BULK && received.0 >= BULK, "{sent:?} {received:?}");
        assert_eq!((sent.1, received.1), (20, 0));
        assert_eq!(packets(&files[2]).len(), 0);
        read_by_tcpdump(&files[0]);
    }
}

/// Another's reading of it: all checksums are right.
fn read_by_tcpdump(file: &Path) {
    let output = Command::new("tcpdump").args(["-nvvr"]).arg(file).output();
    let Ok(output) = output else {
        println!("skipped: no tcpdump to read a capture with");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.lines().count() > 700, "{text}");
    let wrong = ["incorrect", "bad cksum", "truncated"].map(|word| text.matches(word).count());
    assert_eq!(wrong, [0, 0, 0]);
}

pub(crate) fn the_traffic_log_tells(setup: Setup) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traffic.jsonl");
    let net = open_spec(setup, &Spec { traffic: Some(path.clone()), ..spec() });
    assert!(net.opened().is_some());
    bulk(&net);
    let socket = udp(&net);
    let mean = Duration::from_millis(30);
    let fates = [
        (Policy::CUT, Fate::Dropped),
        (Policy { delay: Delay { mean, ..Delay::default() }, ..Policy::default() }, Fate::Delayed),
        (Policy::blocked(Block::Hold), Fate::Held),
        (Policy::blocked(Block::Reject), Fate::Rejected),
        (Policy::default(), Fate::Passed),
    ];
    for (policy, fate) in fates {
        set(&net, policy);
        for _ in 0..5 {
            // One in two reports the refusal of the one before.
            while socket.send(&[1; 100]).is_err() {}
        }
        std::thread::sleep(QUIET);
        if fate == Fate::Held {
            set(&net, Policy::default());
        }
    }
    assert_eq!(net.shortfall().unlogged, 0);
    drop(net);
    let log = traffic::read(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(log.left_out, Some(0));
    let named = |from: &str, to: &str, protocol: &str| {
        let (from, to, protocol) = (from.to_owned(), to.to_owned(), protocol.to_owned());
        let all = log.messages.iter();
        all.filter(move |m| m.from == from && m.to == to && m.protocol == protocol)
    };
    let bytes: u64 = named("n1", "n2", "tcp").map(|m| m.bytes).sum();
    assert!(bytes >= BULK as u64, "{bytes}");
    assert!(named("n1", "n2", "tcp").any(|m| m.flags.contains('S') && m.ports.1 == PORT));
    assert!(named("n2", "n1", "tcp").all(|m| m.ports.0 == PORT && m.fate == Fate::Passed));
    let lines = named("n1", "n2", "tcp").count();
    assert!(lines < 400, "{lines} lines for a megabyte");
    for (_, fate) in fates {
        let of_fate: Vec<_> = named("n1", "n2", "udp").filter(|m| m.fate == fate).collect();
        let sum = of_fate.iter().fold((0, 0), |sum, m| (sum.0 + m.packets, sum.1 + m.bytes));
        assert_eq!(sum, (5, 500), "{fate}");
        let took = |m: &danso_vocab::traffic::Message| m.arrived.map(|at| at - m.sent);
        match fate {
            Fate::Dropped | Fate::Rejected => assert!(of_fate.iter().all(|m| took(m).is_none())),
            Fate::Delayed => assert!(of_fate.iter().all(|m| took(m) >= Some(30_000_000))),
            _ => assert!(of_fate.iter().all(|m| took(m).is_some())),
        }
    }
}

/// What goes nowhere is counted; and a network left alone is silent.
pub(crate) fn shortfalls_are_counted(setup: Setup) {
    let net = open_ip(setup, Ip::V6);
    std::thread::sleep(Duration::from_millis(1500));
    let idle = net.shortfall();
    assert_eq!((idle.strays, idle.lost), (0, 0), "a kernel speaks by itself: {idle}");
    assert_eq!(idle.unread.len(), 5);
    assert!(idle.unread.iter().all(|(_, count)| *count == 0), "{idle}");
    let from = net.listen(n(1), 0);
    let socket = inside(&net, node(1), move || UdpSocket::bind(from).unwrap());
    socket.send_to(b"nobody", "[fd77::99]:1").unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    while net.shortfall().strays == 0 {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    // More than anybody reads: what the switch did not see, the kernel has counted.
    let flood = |net: &Net| {
        let socket = udp(net);
        let sent: u64 = (0..60_000).map(|_| u64::from(socket.send(&[0; 64]).is_ok())).sum();
        sent
    };
    set(&net, Policy::CUT);
    let sent = flood(&net);
    let count = || {
        let unread = net.shortfall().unread;
        let unread = unread.iter().find(|(party, _)| *party == Party::Node(n(1))).unwrap().1;
        net.stats(Link { from: node(1), to: node(2) }).stopped + unread
    };
    while count() < sent {
        assert!(std::time::Instant::now() < deadline, "{} of {sent}", count());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(count(), sent);
}
