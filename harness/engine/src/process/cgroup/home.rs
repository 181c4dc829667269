//! Where groups can be made: a directory of the hierarchy that has the controller.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Controller;

/// The interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// A hierarchy for each controller.
    V1,
    /// One for all.
    V2,
}

/// A directory in which a group with the controller can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) dir: PathBuf,
    pub(super) version: Version,
}

/// The best directory for groups with this controller; whether we may use it is another question.
pub(super) fn find(controller: Controller) -> io::Result<Home> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let ours = fs::read_to_string("/proc/self/cgroup")?;
    candidates(controller.word(), &mounts, &ours)
        .into_iter()
        .find(|home| home.version == Version::V1 || gives(&home.dir, controller.word()))
        .ok_or_else(|| io::Error::other("no mounted hierarchy gives it to groups of ours"))
}

/// Whether groups below this directory of version 2 have the controller.
fn gives(dir: &Path, controller: &str) -> bool {
    let given = fs::read_to_string(dir.join("cgroup.subtree_control")).unwrap_or_default();
    given.split_whitespace().any(|c| c == controller)
}

/// Where to look, best first: where we are ourselves, so that what limits us limits nodes too;
/// and, with version 2, above it, since a group with processes of its own has no others below.
fn candidates(controller: &str, mounts: &str, ours: &str) -> Vec<Home> {
    let mut homes = Vec::new();
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let left: Vec<_> = left.split(' ').collect();
        let right: Vec<_> = right.split(' ').collect();
        let ([_, _, _, root, point, ..], [kind, _, options]) = (&left[..], &right[..]) else {
            continue;
        };
        let version = match *kind {
            "cgroup" if options.split(',').any(|o| o == controller) => Version::V1,
            "cgroup2" => Version::V2,
            _ => continue,
        };
        let group = ours.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (number, names, path) = (parts.next()?, parts.next()?, parts.next()?);
            let this = match version {
                Version::V1 => names.split(',').any(|n| n == controller),
                Version::V2 => number == "0",
            };
            this.then_some(path)
        });
        let Some(group) = group else { continue };
        // The mount may show a part of the hierarchy only, and we may be elsewhere in it.
        let inside = group.strip_prefix(root.trim_end_matches('/')).unwrap_or("/");
        let point = Path::new(point);
        let mut dir = point.join(inside.trim_start_matches('/'));
        loop {
            homes.push(Home { dir: dir.clone(), version });
            if version == Version::V1 || dir == *point || !dir.pop() {
                break;
            }
        }
    }
    homes.sort_by_key(|h| h.version == Version::V2);
    homes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirs(controller: &str, mounts: &str, ours: &str) -> Vec<String> {
        let homes = candidates(controller, mounts, ours);
        homes.into_iter().map(|h| h.dir.display().to_string()).collect()
    }

    #[test]
    fn hierarchies_are_found_as_they_are_mounted() {
        let hybrid = "31 27 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
                      40 27 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let ours = "3:cpu,cpuacct:/a/b\n0::/c\n";
        let all = ["/sys/fs/cgroup/cpu/a/b", "/sys/fs/cgroup/unified/c", "/sys/fs/cgroup/unified/"];
        let found = dirs("cpu", hybrid, ours);
        assert_eq!(found[..2], all[..2]);
        assert_eq!(found.len(), 3);
        assert_eq!(dirs("memory", hybrid, ours).len(), 2, "only where version 2 may have it");
        let container = "31 27 0:26 /docker/x /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
        assert_eq!(dirs("cpu", container, "3:cpu:/docker/x/y\n"), ["/sys/fs/cgroup/cpu/y"]);
        let unified = "31 27 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let slice = "0::/user.slice/user-1000.slice/session-1.scope\n";
        assert_eq!(
            dirs("cpu", unified, slice)[..2],
            [
                "/sys/fs/cgroup/user.slice/user-1000.slice/session-1.scope",
                "/sys/fs/cgroup/user.slice/user-1000.slice"
            ]
        );
    }
}
