//! [`Clocks`]: the clocks of all nodes of a run, if it needs any.

use std::collections::BTreeMap;
use std::io;

use danso_vocab::NodeId;
use nix::unistd::Pid;

use super::inside::{self, Reading};
use super::preload::{self, Library};
use super::probe::{Way, witness};
use super::skew::{Clock, now};
use super::tracee::proc_dir;
use crate::process::Order;
use crate::site::Site;

/// The clocks of all nodes. A run whose schedule leaves clocks alone has none, and traces
/// nobody.
#[derive(Debug, Default)]
pub struct Clocks {
    clocks: BTreeMap<NodeId, Clock>,
    /// What is preloaded, where processes may not be patched.
    library: Option<Library>,
}

/// What the processes of one node read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Those with the node's clock.
    pub readings: Vec<Reading>,
    /// Those without, and why.
    pub others: Vec<String>,
}

impl Clocks {
    /// One for each of `nodes`: true until somebody says otherwise. The pages are in the nodes'
    /// folders, the library in the run's.
    ///
    /// # Errors
    /// If a page or the library cannot be made.
    pub fn create(site: &Site, nodes: &[NodeId], way: Way) -> io::Result<Clocks> {
        let clock = |node: &NodeId| {
            let path = site.node(*node).join("clock");
            let clock = Clock::create(&path);
            let named = |e| io::Error::other(format!("{}: {e}", path.display()));
            clock.map(|c| (*node, c)).map_err(named)
        };
        let clocks = nodes.iter().map(clock).collect::<io::Result<_>>()?;
        let library = matches!(way, Way::Preloaded).then(|| Library::write(site.root()));
        Ok(Clocks { clocks, library: library.transpose()? })
    }

    /// Whether this run leaves clocks alone.
    pub fn is_empty(&self) -> bool {
        self.clocks.is_empty()
    }

    /// Lets a start of `node` have its clock, if this run has any.
    ///
    /// # Errors
    /// If the program's clock cannot be reached: one line.
    pub fn equip(&self, node: NodeId, order: &mut Order) -> Result<(), String> {
        let Some(clock) = self.clocks.get(&node) else { return Ok(()) };
        match &self.library {
            None => order.clock = Some(clock.path()),
            Some(library) => {
                preload::suits(&order.program)?;
                order.env.extend(library.environment(&clock.path(), &order.env));
            }
        }
        Ok(())
    }

    /// The clock of `node`.
    ///
    /// # Errors
    /// If this run has none.
    pub fn of(&self, node: NodeId) -> Result<&Clock, String> {
        self.clocks.get(&node).ok_or_else(|| format!("{node} has no clock of its own in this run"))
    }

    /// What these processes of `node` read now.
    ///
    /// # Errors
    /// If this run has no clocks.
    pub fn read(&self, node: NodeId, pids: &[Pid]) -> Result<Seen, String> {
        let clock = self.of(node)?;
        let mut seen = Seen::default();
        for pid in pids {
            let reading = match &self.library {
                None => inside::read(*pid, clock.token()),
                Some(library) => preloaded(*pid, library, clock),
            };
            match reading {
                Ok(reading) => seen.readings.push(reading),
                // It ended meanwhile, or is about to.
                Err(_) if matches!(crate::process::tree::state(*pid), None | Some('Z' | 'X')) => {}
                Err(reason) => seen.others.push(reason),
            }
        }
        Ok(seen)
    }

    /// What a process of `node` reads that is started now: ns ahead of the machine. Blocks for
    /// some milliseconds.
    ///
    /// # Errors
    /// If there can be no such process.
    pub fn witness(&self, node: NodeId) -> Result<i64, String> {
        let page = self.of(node)?.path();
        match &self.library {
            None => witness(&page, libc::CLOCK_REALTIME).map_err(|e| e.to_string()),
            Some(library) => {
                let before = now(libc::CLOCK_REALTIME);
                let reading = library.witness(&page).map_err(|e| e.to_string())?;
                Ok(reading - before)
            }
        }
    }
}

/// What a process reads that has loaded the library. Its memory may not be looked into there, so
/// that it has mapped this page must do.
fn preloaded(pid: Pid, library: &Library, clock: &Clock) -> Result<Reading, String> {
    let dir = proc_dir(pid).map_err(|e| e.to_string())?;
    let inside = library.is_in(&dir, &clock.path());
    if !inside.map_err(|e| format!("pid {pid}: its mappings: {e}"))? {
        return Err(format!("pid {pid}: it has the machine's clocks"));
    }
    Ok(Reading::of(pid, &clock.lines()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preloaded_process_is_seen_and_one_that_is_not_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let site = Site::open(dir.path());
        let node = NodeId(1);
        std::fs::create_dir_all(site.node(node)).unwrap();
        let clocks = match Clocks::create(&site, &[node], Way::Preloaded) {
            Ok(clocks) => clocks,
            Err(error) => return println!("skipped: {error}"),
        };
        let mut order = Order { program: "sleep".into(), ..Order::default() };
        if let Err(reason) = clocks.equip(node, &mut order) {
            return println!("skipped: {reason}");
        }
        assert_eq!(order.clock, None);
        clocks.of(node).unwrap().apply(super::super::Skew::Bump(7_000_000_000)).unwrap();
        let start = |env: &[(String, String)]| {
            let env = env.iter().map(|(k, v)| (k, v));
            std::process::Command::new("sleep").arg("60").envs(env).spawn().unwrap()
        };
        let (mut with, mut without) = (start(&order.env), start(&[]));
        let pid = |child: &std::process::Child| Pid::from_raw(child.id().cast_signed());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let seen = loop {
            let seen = clocks.read(node, &[pid(&with), pid(&without)]).unwrap();
            if !seen.readings.is_empty() || std::time::Instant::now() > deadline {
                break seen;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        };
        for child in [&mut with, &mut without] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(seen.others.iter().any(|o| o.contains("the machine's clocks")), "{seen:?}");
        assert_eq!(seen.readings.len(), 1, "{seen:?}");
        assert_eq!(seen.readings[0].wall_ns, 7_000_000_000);
        assert!(clocks.witness(node).unwrap() >= 7_000_000_000);
    }
}
