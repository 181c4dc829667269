//! As an ordinary user, with and without user namespaces.

use std::path::Path;

use crate::harness::{Said, shell, turn};

#[test]
fn an_ordinary_user_gets_the_switch_where_user_namespaces_are_allowed() {
    let _turn = turn();
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can become somebody else");
        return;
    }
    let dir = tempfile::Builder::new().prefix("danso-nobody").tempdir_in("/tmp").unwrap();
    let run = "run raft-kv --time 9s --rate 100 --seed 4 \
        --faults partition,delay,loss,kill,stop,pause,clock \
        --set schedule.lasts='[\"500ms\", \"700ms\"]' --set schedule.gap='[\"300ms\", \"400ms\"]'";
    let Some(said) = nobody(dir.path(), run) else { return };
    said.exits(0).says("network: switch").says("rootless");
    for kind in ["partition", "delay", "loss", "kill", "stop", "pause", "clock"] {
        said.says(&format!(" {kind} n"));
    }
}

/// Runs danso in `dir` as an ordinary user who can make user namespaces.
pub(crate) fn nobody(dir: &Path, args: &str) -> Option<Said> {
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs";
    if shell(dir, &format!("{nobody} unshare --user --net true")).code != Some(0) {
        println!("skipped: ordinary users cannot make user namespaces here");
        return None;
    }
    // The binary may lie where an ordinary user cannot go.
    let script =
        format!("cp \"$DANSO\" danso; chmod 755 danso; chmod 777 .\n{nobody} ./danso {args}");
    Some(shell(dir, &script))
}

/// Runs danso where no privilege is left and no user namespace can be made.
pub(crate) fn confined(args: &str) -> Option<Said> {
    let dir = tempfile::tempdir().unwrap();
    let confine = "
        echo 0 > /proc/sys/user/max_user_namespaces
        exec setpriv --securebits=+noroot --bounding-set=-all --inh-caps=-all \"$@\"";
    let confined = |command: &str| {
        shell(
            dir.path(),
            &format!("unshare --user --map-root-user sh -ec '{confine}' sh {command}"),
        )
    };
    if confined("true").code != Some(0) || confined("unshare --user true").code == Some(0) {
        println!("skipped: such a confinement cannot be made here");
        return None;
    }
    Some(confined(&format!("\"$DANSO\" {args}")))
}

#[test]
fn without_user_namespaces_it_says_so_and_falls_back_to_the_proxy() {
    let _turn = turn();
    let run = "run raft-kv --time 6s --rate 100 --faults partition,kill --seed 3";
    if let Some(said) = confined(run) {
        said.exits(0).says("network: proxy").says("user.max_user_namespaces");
    }
}

#[test]
fn a_missing_privilege_is_named_with_its_mend() {
    if let Some(said) = confined("run raft-kv --network switch") {
        said.exits(254).says("user.max_user_namespaces");
        assert_eq!(said.err.trim().lines().count(), 1, "{}", said.err);
    }
}
