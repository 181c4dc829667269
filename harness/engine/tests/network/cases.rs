//! What is asserted of every network, and in which setups.

use std::io::{Read, Write};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use danso_engine::network::{
    Backend, Choice, Ip, Link, Party, Policy, Prepared, Spec, prepare, probe,
};
use danso_vocab::NodeId;

use super::peers::*;
use super::remains::{dropped_is_gone, nothing_remains};
use super::setup::Setup;
use super::{datagrams, files, nft, relays, streams};

pub(crate) type Case = fn(Setup);

/// Of networks that can be cut.
const FULL: [(&str, Case); 11] = [
    ("reach", reach),
    ("cut_stalls_and_heal_recovers", cut_stalls_and_heal_recovers),
    ("clients_can_be_cut_off", clients_can_be_cut_off),
    ("one_way", one_way),
    ("new_connections_wait", new_connections_wait),
    ("bulk_survives_cuts", bulk_survives_cuts),
    ("ends_pass_in_order", ends_pass_in_order),
    ("two_at_once", two_at_once),
    ("what_makes_no_sense_is_refused", what_makes_no_sense_is_refused),
    ("dropped_is_gone", dropped_is_gone),
    ("nothing_remains", nothing_remains),
];

/// Of networks that can do anything to a packet.
const SHAPED: [(&str, Case); 26] = [
    ("loss", datagrams::loss),
    ("bursts_by_seed", datagrams::bursts_by_seed),
    ("duplicates", datagrams::duplicates),
    ("corruption", datagrams::corruption),
    ("delays", datagrams::delays),
    ("reordering", datagrams::reordering),
    ("long_packets_vanish", datagrams::long_packets_vanish),
    ("parts_of_datagrams", datagrams::parts_of_datagrams),
    ("bandwidth", datagrams::bandwidth),
    ("held_is_released_in_order", datagrams::held_is_released_in_order),
    ("changes_reach_what_is_under_way", datagrams::changes_reach_what_is_under_way),
    ("refused", datagrams::refused),
    ("a_bad_line_is_survived", streams::a_bad_line_is_survived),
    ("believable_corruption_arrives", streams::believable_corruption_arrives),
    ("resets", streams::resets),
    ("rejects", streams::rejects),
    ("long_segments_vanish", streams::long_segments_vanish),
    ("bandwidth_holds_for_streams", streams::bandwidth_holds_for_streams),
    ("held_connections_go_on", streams::held_connections_go_on),
    ("ends_linger", streams::ends_linger),
    ("clean_links_keep_super_packets", streams::clean_links_keep_super_packets),
    ("storms_are_survived", streams::storms_are_survived),
    ("six::reach", reach_over_ipv6),
    ("captures_are_what_passed", files::captures_are_what_passed),
    ("the_traffic_log_tells", files::the_traffic_log_tells),
    ("shortfalls_are_counted", files::shortfalls_are_counted),
];

const OTHER: [(&str, Case); 5] = [
    ("none::reach", reach),
    ("none::cannot_be_cut", cannot_be_cut),
    ("powerless::auto_falls_back", auto_falls_back),
    ("plain::threads_are_not_moved", threads_are_not_moved),
    ("plain::probe_leaves_no_mark", probe_leaves_no_mark),
];

fn table() -> Vec<(String, Case)> {
    let switch = ["root_tun", "root_veth", "rootless_tun", "rootless_veth"];
    let named = |setup: &'static str| {
        move |(name, case): (&'static str, Case)| (format!("{setup}::{name}"), case)
    };
    let full = switch.into_iter().chain(["nft", "proxy"]);
    let full = full.flat_map(|setup| FULL.into_iter().map(named(setup)));
    let shaped = switch.into_iter().flat_map(|setup| SHAPED.into_iter().map(named(setup)));
    let other = OTHER.into_iter().chain(relays::CASES).chain(nft::CASES);
    full.chain(shaped).chain(other.map(|(name, case)| (name.to_owned(), case))).collect()
}

pub(crate) fn names() -> Vec<String> {
    table().into_iter().map(|(name, _)| name).collect()
}

pub(crate) fn run(name: &str) {
    let (_, case) = table().into_iter().find(|(known, _)| known == name).expect("a known case");
    case(Setup::of(name));
}

pub(crate) fn spec() -> Spec {
    Spec::new(NodeId::all(3), vec![PORT])
}

pub(crate) fn prepared(setup: Setup) -> Prepared {
    let prepared = prepare(match setup {
        Setup::Nft => Choice::Nft,
        Setup::Proxy => Choice::Proxy,
        Setup::None => Choice::None,
        _ => Choice::Switch,
    });
    prepared.unwrap()
}

pub(crate) fn open(setup: Setup) -> Net {
    open_ip(setup, Ip::V4)
}

pub(crate) fn open_ip(setup: Setup, ip: Ip) -> Net {
    open_spec(setup, &Spec { ip, ..spec() })
}

pub(crate) fn open_spec(setup: Setup, spec: &Spec) -> Net {
    // A process can be prepared once only.
    static PREPARED: OnceLock<Prepared> = OnceLock::new();
    let prepared = PREPARED.get_or_init(|| prepared(setup));
    let net = prepared.open(spec).unwrap();
    let description = net.describe();
    let expected: &[&str] = match setup {
        Setup::RootTun => &["TUN", "as root"],
        Setup::RootVeth => &["veth", "as root"],
        Setup::RootlessTun => &["TUN", "rootless"],
        Setup::RootlessVeth => &["veth", "rootless"],
        Setup::Nft => &["packet filter"],
        Setup::Proxy => &["TCP only"],
        _ => &[],
    };
    assert!(expected.iter().all(|word| description.contains(word)), "{description}");
    net
}

fn cut(net: &Net, links: &[(Party, Party)]) {
    change(net, links, true);
}

fn heal(net: &Net, links: &[(Party, Party)]) {
    change(net, links, false);
}

fn change(net: &Net, links: &[(Party, Party)], cut: bool) {
    let policy = if cut { Policy::CUT } else { Policy::default() };
    let changes: Vec<_> = links.iter().map(|&(from, to)| (Link { from, to }, policy)).collect();
    net.set(&changes).unwrap();
}

fn stats(net: &Net, from: Party, to: Party) -> (u64, u64) {
    let stats = net.stats(Link { from, to });
    (stats.passed, stats.stopped)
}

fn reach(setup: Setup) {
    reach_over(&open(setup));
}

fn reach_over_ipv6(setup: Setup) {
    let net = open_ip(setup, Ip::V6);
    assert!(net.listen(n(1), PORT).is_ipv6());
    reach_over(&net);
}

fn reach_over(net: &Net) {
    for to in 1..=3 {
        let incoming = accept(listen(net, to));
        for from in [node(1), node(2), node(3), Party::Clients, Party::Control] {
            let near = dial(net, from, to, PATIENCE).unwrap();
            let far = incoming.recv_timeout(PATIENCE).unwrap();
            passes(&near, &far, b"there");
            passes(&far, &near, b"and back");
            if net.backend() != Backend::None && from != node(to) {
                // A packet is counted when it has gone: possibly after it has arrived.
                std::thread::sleep(Duration::from_millis(10));
                assert!(stats(net, from, node(to)).0 > 0, "{from} to {to} is not counted");
                assert!(stats(net, node(to), from).0 > 0, "{to} to {from} is not counted");
                assert_eq!(stats(net, from, node(to)).1, 0);
            }
        }
    }
}

fn cut_stalls_and_heal_recovers(setup: Setup) {
    let net = open(setup);
    let both = [(node(1), node(2)), (node(2), node(1))];
    let (near, far) = pair(&net, node(1), 2);
    let (other, bystander) = pair(&net, node(3), 1);
    passes(&near, &far, b"before");
    cut(&net, &both);
    stalls(&near, &far, b"held-1 ");
    stalls(&far, &near, b"held-2 ");
    assert!(stats(&net, node(1), node(2)).1 > 0, "the cut is not counted");
    assert!(stats(&net, node(2), node(1)).1 > 0, "the cut is not counted");
    passes(&other, &bystander, b"not concerned");
    assert_eq!(stats(&net, node(3), node(1)).1, 0);
    heal(&net, &both);
    (&near).write_all(b"after").unwrap();
    assert_eq!(receive(&far, 12, PATIENCE), b"held-1 after");
    assert_eq!(receive(&near, 7, PATIENCE), b"held-2 ");
    passes(&near, &far, b"as ever");
}

fn clients_can_be_cut_off(setup: Setup) {
    let net = open(setup);
    let both = [(Party::Clients, node(2)), (node(2), Party::Clients)];
    let (near, far) = pair(&net, Party::Clients, 2);
    let (control, watched) = pair(&net, Party::Control, 3);
    cut(&net, &both);
    stalls(&near, &far, b"held");
    assert!(stats(&net, Party::Clients, node(2)).1 > 0);
    passes(&control, &watched, b"status");
    let (other, bystander) = pair(&net, Party::Clients, 1);
    passes(&other, &bystander, b"not concerned");
    heal(&net, &both);
    assert_eq!(receive(&far, 4, PATIENCE), b"held");
}

fn one_way(setup: Setup) {
    let net = open(setup);
    let (near, far) = pair(&net, node(1), 2);
    passes(&near, &far, b"before");
    // Acknowledgements on their way are not what this is about.
    std::thread::sleep(Duration::from_millis(100));
    cut(&net, &[(node(1), node(2))]);
    passes(&far, &near, b"still heard");
    stalls(&near, &far, b"not heard");
    assert!(stats(&net, node(1), node(2)).1 > 0);
    assert_eq!(stats(&net, node(2), node(1)).1, 0);
    heal(&net, &[(node(1), node(2))]);
    assert_eq!(receive(&far, 9, PATIENCE), b"not heard");
    passes(&near, &far, b"again");
}

fn new_connections_wait(setup: Setup) {
    let net = open(setup);
    let incoming = accept(listen(&net, 2));
    let both = [(node(1), node(2)), (node(2), node(1))];
    cut(&net, &both);
    // One gives up, another waits.
    let given_up = dial(&net, node(1), 2, QUIET);
    if net.backend() != Backend::Proxy {
        assert_eq!(given_up.as_ref().unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    }
    drop(given_up);
    let patient = std::thread::spawn({
        let net = net.clone();
        move || {
            let stream = dial(&net, node(1), 2, PATIENCE).unwrap();
            (&stream).write_all(b"at last").unwrap();
            stream
        }
    });
    assert!(incoming.recv_timeout(QUIET).is_err(), "a connection went through a cut");
    assert!(stats(&net, node(1), node(2)).1 > 0);
    heal(&net, &both);
    let far = incoming.recv_timeout(PATIENCE).unwrap();
    assert_eq!(receive(&far, 7, PATIENCE), b"at last");
    drop(patient.join().unwrap());
    assert!(incoming.recv_timeout(QUIET).is_err(), "the one given up arrived late");
}

/// A megabyte-sized verified stream through repeated cuts.
fn bulk_survives_cuts(setup: Setup) {
    const SIZE: usize = 32 << 20;
    let net = open(setup);
    let (near, mut far) = pair(&net, Party::Clients, 1);
    let byte = |i: usize| (i.wrapping_mul(0x9e37_79b9) >> 13) as u8;
    let sender = std::thread::spawn(move || {
        let bytes: Vec<u8> = (0..SIZE).map(byte).collect();
        for chunk in bytes.chunks(SIZE / 64) {
            (&near).write_all(chunk).unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
        near
    });
    let cutter = std::thread::spawn({
        let net = net.clone();
        move || {
            for direction in [(Party::Clients, node(1)), (node(1), Party::Clients)] {
                for _ in 0..3 {
                    std::thread::sleep(Duration::from_millis(30));
                    cut(&net, &[direction]);
                    std::thread::sleep(Duration::from_millis(60));
                    heal(&net, &[direction]);
                }
            }
        }
    });
    let mut got = vec![0; SIZE];
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    far.read_exact(&mut got).unwrap();
    assert!(got.iter().enumerate().all(|(i, &got)| got == byte(i)), "the stream is damaged");
    cutter.join().unwrap();
    drop(sender.join().unwrap());
}

/// A close is held back with the bytes before it, and is half a close.
fn ends_pass_in_order(setup: Setup) {
    let net = open(setup);
    let (near, mut far) = pair(&net, node(1), 2);
    let (silent, mut deaf) = pair(&net, node(1), 3);
    let links = [(node(1), node(2)), (node(1), node(3))];
    cut(&net, &links);
    stalls(&near, &far, b"last words");
    near.shutdown(std::net::Shutdown::Write).unwrap();
    silent.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(receive(&far, 1, QUIET), b"", "nothing may arrive, not even the end");
    assert_eq!(receive(&deaf, 1, QUIET), b"", "nor an end without anything before it");
    heal(&net, &links);
    deaf.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(deaf.read(&mut [0]).unwrap(), 0);
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = String::new();
    far.read_to_string(&mut said).unwrap();
    assert_eq!(said, "last words");
    passes(&far, &near, b"answer");
}

fn two_at_once(setup: Setup) {
    let prepared = prepared(setup);
    let (one, two) = (prepared.open(&spec()).unwrap(), prepared.open(&spec()).unwrap());
    let ((near1, far1), (near2, far2)) = (pair(&one, node(1), 2), pair(&two, node(1), 2));
    cut(&one, &[(node(1), node(2)), (node(2), node(1))]);
    stalls(&near1, &far1, b"one");
    passes(&near2, &far2, b"two");
    assert_eq!(stats(&two, node(1), node(2)).1, 0);
    drop((near1, far1));
    let start = Instant::now();
    drop(one);
    assert!(start.elapsed() < Duration::from_millis(500), "took {:?}", start.elapsed());
    passes(&near2, &far2, b"two lives on");
    let (near, far) = pair(&two, node(3), 1);
    passes(&near, &far, b"and takes new ones");
}

fn what_makes_no_sense_is_refused(setup: Setup) {
    let prepared = prepared(setup);
    let net = prepared.open(&spec()).unwrap();
    for (from, to) in [
        (node(1), node(1)),
        (node(1), node(4)),
        (Party::Control, node(1)),
        (node(1), Party::Control),
    ] {
        let error = net.set(&[(Link { from, to }, Policy::CUT)]).unwrap_err();
        assert!(error.to_string().contains(&from.to_string()), "{error}");
    }
    for nodes in [vec![NodeId(1), NodeId(1)], vec![NodeId(0)], vec![NodeId(9000)]] {
        assert!(prepared.open(&Spec::new(nodes, vec![PORT])).is_err());
    }
}

fn cannot_be_cut(setup: Setup) {
    let net = open(setup);
    let link = Link { from: node(1), to: node(2) };
    let error = net.set(&[(link, Policy::CUT)]).unwrap_err().to_string();
    assert!(error.contains("--network switch"), "{error}");
}

fn auto_falls_back(_setup: Setup) {
    let error = prepare(Choice::Switch).unwrap_err().to_string();
    assert!(error.contains("making a user namespace"), "{error}");
    assert!(error.contains("max_user_namespaces"), "{error}");
    let prepared = prepare(Choice::Auto).unwrap();
    assert_eq!(prepared.backend, Backend::Proxy);
    assert_eq!(prepared.notes.len(), 5, "{:?}", prepared.notes);
    assert!(prepared.notes.iter().all(|note| !note.contains('\n')));
    let rows = probe();
    assert!(rows.iter().filter(|row| row.obstacle.is_none()).all(|row| row.name == "proxy"));
    let net = prepared.open(&spec()).unwrap();
    assert_eq!(net.backend(), Backend::Proxy);
}

/// What would have to move the process is not even tried once it has threads; what moves nobody is.
fn threads_are_not_moved(_setup: Setup) {
    let (_keep, wait) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || wait.recv());
    let rows = probe();
    let rootless = rows.iter().filter(|row| row.name.contains("rootless"));
    assert!(rootless.map(|r| r.obstacle.as_ref().unwrap()).all(|o| o.reason.contains("threads")));
    let user = || std::fs::read_link("/proc/self/ns/user").unwrap();
    let before = user();
    let prepared = prepare(Choice::Auto).unwrap();
    let switch = rows.iter().any(|row| row.name.contains("as root") && row.obstacle.is_none());
    let expected = if switch { Backend::Switch } else { Backend::Proxy };
    assert_eq!((prepared.backend, user()), (expected, before));
    assert!(prepared.open(&spec()).is_ok());
}

fn probe_leaves_no_mark(_setup: Setup) {
    let look = || ["user", "net", "mnt"].map(|n| std::fs::read_link(format!("/proc/self/ns/{n}")));
    let before = look().map(Result::unwrap);
    let rows = probe();
    assert_eq!(rows.len(), 6);
    for row in &rows {
        let text = row.obstacle.as_ref().map_or("available".to_owned(), ToString::to_string);
        println!("{}: {text}", row.name);
    }
    assert_eq!(before, look().map(Result::unwrap));
    assert_eq!(std::fs::read_dir("/proc/self/task").unwrap().count(), 1);
    assert!(nix::sys::wait::waitpid(None, None).is_err(), "a child is left");
}
