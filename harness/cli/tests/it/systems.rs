//! Real systems: every command shown in `docs/systems/NAME.md` works, where its programs are
//! installed (`ci/external/install`).

use std::path::Path;

use crate::docs::{commands, expected};
use crate::harness::{DANSO, project, quick, shell, turn};

/// Whether a program is there.
fn installed(program: &str) -> bool {
    let mut places = vec!["/usr/sbin".into(), "/usr/lib/rabbitmq/bin".into()];
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let found = places.iter().any(|place| place.join(program).is_file());
    found || glob::glob(program).is_ok_and(|mut found| found.next().is_some())
}

/// Whether its files can be run as they are: under a user of the system's own.
fn becomes(user: &str) -> bool {
    let us = nix::unistd::geteuid();
    let own = nix::unistd::User::from_name(user).ok().flatten();
    let can = own.is_some_and(|own| us.is_root() || own.uid == us);
    if !can {
        println!("skipped: only root can become {user}");
    }
    can
}

/// Runs what the document of a system shows, if all these programs are there.
fn works(system: &str, programs: &[&str]) {
    if let Some(missing) = programs.iter().find(|p| !installed(p)) {
        println!("skipped: {system} not installed (no {missing}); ci/external/install {system}");
        return;
    }
    if quick() {
        println!("skipped: {system} (quick)");
        return;
    }
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    for folder in ["ci", "targets"] {
        std::os::unix::fs::symlink(project().join(folder), dir.path().join(folder)).unwrap();
    }
    let bin = Path::new(DANSO).parent().unwrap().display().to_string();
    let document = project().join(format!("docs/systems/{system}.md"));
    let shown = commands(&std::fs::read_to_string(document).unwrap());
    assert!(!shown.is_empty(), "docs/systems/{system}.md shows no command");
    for command in shown {
        let said = shell(dir.path(), &format!("PATH={bin}:$PATH\n{command}"));
        println!("{command}: {:?}", said.code);
        said.exits_with_any(&expected(&command));
    }
}

#[test]
fn etcd() {
    works("etcd", &["etcd"]);
}

#[test]
fn redis() {
    works("redis", &["redis-server", "redis-sentinel"]);
}

#[test]
fn postgres() {
    if becomes("postgres") {
        works("postgres", &["/usr/lib/postgresql/*/bin/postgres", "psql"]);
    }
}

#[test]
fn mariadb() {
    if becomes("mysql") {
        works("mariadb", &["mariadbd", "mariadb", "/usr/lib/galera/libgalera_smm.so", "rsync"]);
    }
}

#[test]
fn zookeeper() {
    works("zookeeper", &["/usr/share/java/zookeeper.jar", "java"]);
}

#[test]
fn rabbitmq() {
    works("rabbitmq", &["rabbitmq-server"]);
}

#[test]
fn nats() {
    works("nats", &["nats-server"]);
}
