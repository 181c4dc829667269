//! What a file system with one journal looks like, now and after a power failure.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, symlink};
use std::path::Path;

use danso_vocab::Rng;

/// Names of directories, by path, each with what it leads to.
pub(crate) type Tree = BTreeMap<String, Thing>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    Directory,
    Link(String),
    File(usize),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(crate) now: Vec<u8>,
    pub(crate) durable: Vec<u8>,
}

/// What should be there.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) tree: Tree,
    /// All states of the names since they were last durable, that one first.
    pub(crate) past: Vec<Tree>,
    pub(crate) files: Vec<Contents>,
}

impl Model {
    pub(crate) fn new() -> Model {
        Model { past: vec![Tree::new()], ..Model::default() }
    }

    fn durable_names(&mut self) {
        self.past = vec![self.tree.clone()];
    }

    /// What a power failure leaves if nothing survives by chance.
    pub(crate) fn crash(&mut self) {
        self.tree = self.past.swap_remove(0);
        for file in &mut self.files {
            file.now.clone_from(&file.durable);
        }
        self.durable_names();
    }

    /// A random path: of something there, or not.
    fn path(&self, rng: &mut Rng) -> String {
        let name = format!("{}{}", ["f", "d"][rng.below(2) as usize], rng.below(5));
        let directories: Vec<_> =
            self.tree.iter().filter(|(_, t)| **t == Thing::Directory).collect();
        match rng.pick(&directories) {
            Some((dir, _)) if rng.chance(1, 2) && dir.matches('/').count() < 2 => {
                format!("{dir}/{name}")
            }
            _ => name,
        }
    }

    fn file(&self, rng: &mut Rng) -> Option<(String, usize)> {
        let files = self.tree.iter().filter_map(|(path, thing)| match thing {
            Thing::File(id) => Some((path.clone(), *id)),
            _ => None,
        });
        rng.pick(&files.collect::<Vec<_>>()).cloned()
    }

    /// One random operation, on the real thing and here.
    pub(crate) fn step(&mut self, root: &Path, rng: &mut Rng) {
        let names_before = self.tree.clone();
        match rng.below(20) {
            0..=3 => self.create(root, rng),
            4..=9 => self.change(root, rng),
            10 => self.make(root, rng),
            11 => self.link(root, rng),
            12..=13 => self.rename(root, rng),
            14..=15 => self.remove(root, rng),
            16 => self.sync_dir(root, rng),
            _ => self.sync(root, rng),
        }
        if self.tree != names_before {
            self.past.push(self.tree.clone());
        }
    }

    fn create(&mut self, root: &Path, rng: &mut Rng) {
        let path = self.path(rng);
        let there = self.tree.contains_key(&path);
        let made = OpenOptions::new().write(true).create_new(true).open(root.join(&path));
        assert_eq!(made.is_ok(), !there, "create {path}: {made:?}");
        if made.is_ok() {
            self.tree.insert(path, Thing::File(self.files.len()));
            self.files.push(Contents::default());
        }
    }

    fn change(&mut self, root: &Path, rng: &mut Rng) {
        let Some((path, id)) = self.file(rng) else { return };
        let size = [1, 37, 511, 512, 4096, 9000][rng.below(6) as usize];
        let bytes: Vec<u8> = (0..size).map(|_| rng.below(256) as u8).collect();
        let now = &mut self.files[id].now;
        let kind = rng.below(5);
        let offset = if kind == 0 { now.len() } else { rng.below(20_000) as usize };
        if kind == 1 {
            let cut = rng.below(25_000) as usize;
            OpenOptions::new()
                .write(true)
                .open(root.join(path))
                .unwrap()
                .set_len(cut as u64)
                .unwrap();
            return now.resize(cut, 0);
        }
        let synced = kind == 2;
        let flags = if synced { libc::O_DSYNC } else { 0 };
        let mut options = OpenOptions::new();
        let file = match kind {
            0 => options.append(true).open(root.join(path)),
            _ => options.write(true).custom_flags(flags).open(root.join(path)),
        };
        let file = file.unwrap();
        if kind == 0 {
            std::io::Write::write_all(&mut &file, &bytes).unwrap();
        } else {
            file.write_all_at(&bytes, offset as u64).unwrap();
        }
        overwrite(now, offset, &bytes);
        if synced {
            self.files[id].durable = self.files[id].now.clone();
            self.durable_names();
        }
    }

    fn make(&mut self, root: &Path, rng: &mut Rng) {
        let path = self.path(rng);
        let there = self.tree.contains_key(&path);
        let (made, thing) = if rng.chance(2, 3) {
            (fs::create_dir(root.join(&path)), Thing::Directory)
        } else {
            (symlink("to nowhere", root.join(&path)), Thing::Link("to nowhere".to_owned()))
        };
        assert_eq!(made.is_ok(), !there, "make {path}: {made:?}");
        if made.is_ok() {
            self.tree.insert(path, thing);
        }
    }

    fn link(&mut self, root: &Path, rng: &mut Rng) {
        let (Some((from, id)), to) = (self.file(rng), self.path(rng)) else { return };
        let there = self.tree.contains_key(&to);
        let made = fs::hard_link(root.join(from), root.join(&to));
        assert_eq!(made.is_ok(), !there, "link {to}: {made:?}");
        if made.is_ok() {
            self.tree.insert(to, Thing::File(id));
        }
    }

    fn rename(&mut self, root: &Path, rng: &mut Rng) {
        let paths: Vec<_> = self.tree.keys().cloned().collect();
        let Some(from) = rng.pick(&paths).cloned() else { return };
        let to = self.path(rng);
        if to == from || to.starts_with(&format!("{from}/")) {
            return;
        }
        if self.tree.contains_key(&to) && rng.chance(1, 3) && !from.starts_with(&format!("{to}/")) {
            return self.exchange(root, &from, &to);
        }
        let below = |dir: &str| {
            let prefix = format!("{dir}/");
            self.tree.keys().filter(|p| p.starts_with(&prefix)).cloned().collect::<Vec<_>>()
        };
        let allowed = match (&self.tree[&from], self.tree.get(&to)) {
            (_, None) => true,
            (Thing::Directory, Some(Thing::Directory)) => below(&to).is_empty(),
            (Thing::Directory, _) | (_, Some(Thing::Directory)) => false,
            _ => true,
        };
        let done = fs::rename(root.join(&from), root.join(&to));
        assert_eq!(done.is_ok(), allowed, "rename {from} {to}: {done:?}");
        if done.is_err() || (self.tree.get(&to) == self.tree.get(&from) && self.is_file(&from)) {
            // Two names of one file: renaming one to the other does nothing.
            return;
        }
        for path in below(&from).into_iter().chain([from.clone()]) {
            let thing = self.tree.remove(&path).unwrap();
            self.tree.insert(format!("{to}{}", &path[from.len()..]), thing);
        }
    }

    fn is_file(&self, path: &str) -> bool {
        matches!(self.tree.get(path), Some(Thing::File(_)))
    }

    fn exchange(&mut self, root: &Path, one: &str, other: &str) {
        let path = |p: &str| CString::new(root.join(p).as_os_str().as_encoded_bytes()).unwrap();
        let (a, b) = (path(one), path(other));
        // SAFETY: both strings live until it returns.
        let done = unsafe {
            let flags = libc::RENAME_EXCHANGE;
            libc::renameat2(libc::AT_FDCWD, a.as_ptr(), libc::AT_FDCWD, b.as_ptr(), flags)
        };
        assert_eq!(done, 0, "exchange {one} {other}: {}", std::io::Error::last_os_error());
        let mut take = |from: &str| {
            let (root, below) = (from.to_owned(), format!("{from}/"));
            let paths: Vec<_> = self.tree.keys().cloned().collect();
            let mine = paths.into_iter().filter(|p| *p == root || p.starts_with(&below));
            let mine: Vec<_> = mine.collect();
            mine.into_iter()
                .map(|p| (p[from.len()..].to_owned(), self.tree.remove(&p).unwrap()))
                .collect::<Vec<_>>()
        };
        let (ones, others) = (take(one), take(other));
        self.tree.extend(ones.into_iter().map(|(p, t)| (format!("{other}{p}"), t)));
        self.tree.extend(others.into_iter().map(|(p, t)| (format!("{one}{p}"), t)));
    }

    fn remove(&mut self, root: &Path, rng: &mut Rng) {
        let paths: Vec<_> = self.tree.keys().cloned().collect();
        let Some(path) = rng.pick(&paths) else { return };
        let prefix = format!("{path}/");
        let (done, allowed) = if self.tree[path] == Thing::Directory {
            let full = self.tree.keys().any(|p| p.starts_with(&prefix));
            (fs::remove_dir(root.join(path)), !full)
        } else {
            (fs::remove_file(root.join(path)), true)
        };
        assert_eq!(done.is_ok(), allowed, "remove {path}: {done:?}");
        if allowed {
            self.tree.remove(path);
        }
    }

    fn sync(&mut self, root: &Path, rng: &mut Rng) {
        let Some((path, id)) = self.file(rng) else { return };
        let file = OpenOptions::new().write(true).open(root.join(path)).unwrap();
        if rng.chance(1, 2) { file.sync_all() } else { file.sync_data() }.unwrap();
        self.files[id].durable = self.files[id].now.clone();
        self.durable_names();
    }

    fn sync_dir(&mut self, root: &Path, rng: &mut Rng) {
        let directories = self.tree.iter().filter(|(_, t)| **t == Thing::Directory);
        let directories: Vec<_> = directories.map(|(p, _)| p.clone()).collect();
        let path = rng.pick(&directories).cloned().unwrap_or_default();
        File::open(root.join(path)).unwrap().sync_all().unwrap();
        self.durable_names();
    }

    /// Compares all there is.
    pub(crate) fn compare(&self, root: &Path, when: &str) {
        assert_eq!(names(root, &self.inverse(root)), self.tree, "{when}");
        for (path, thing) in &self.tree {
            let Thing::File(id) = thing else { continue };
            let there = fs::read(root.join(path)).unwrap();
            let should = &self.files[*id].now;
            let first = there.iter().zip(should).position(|(a, b)| a != b);
            assert!(
                there == *should,
                "{when}: {path} has {} bytes instead of {}; the first other one at {first:?}",
                there.len(),
                should.len()
            );
            let links = self.tree.values().filter(|t| **t == Thing::File(*id)).count() as u64;
            assert_eq!(root.join(path).metadata().unwrap().nlink(), links, "{when}: {path}");
        }
    }

    /// The model's number for each inode number, as paths have it.
    fn inverse(&self, root: &Path) -> BTreeMap<u64, usize> {
        let files = self.tree.iter().filter_map(|(path, thing)| match thing {
            Thing::File(id) => Some((root.join(path).symlink_metadata().ok()?.ino(), *id)),
            _ => None,
        });
        files.collect()
    }
}

/// All names there are; files by the numbers given.
fn names(root: &Path, files: &BTreeMap<u64, usize>) -> Tree {
    let mut tree = Tree::new();
    let mut todo = vec![String::new()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(root.join(&dir)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
            let kind = entry.file_type().unwrap();
            let thing = if kind.is_dir() {
                todo.push(path.clone());
                Thing::Directory
            } else if kind.is_symlink() {
                let to = fs::read_link(root.join(&path)).unwrap();
                Thing::Link(to.into_os_string().into_string().unwrap())
            } else {
                let inode = root.join(&path).metadata().unwrap().ino();
                Thing::File(files.get(&inode).copied().unwrap_or(usize::MAX))
            };
            tree.insert(path, thing);
        }
    }
    tree
}

/// Kinds and paths only, for states whose files are not known.
pub(crate) fn shape(tree: &Tree) -> Vec<(&str, u8)> {
    let kind = |thing: &Thing| match thing {
        Thing::Directory => 0,
        Thing::Link(_) => 1,
        Thing::File(_) => 2,
    };
    tree.iter().map(|(path, thing)| (path.as_str(), kind(thing))).collect()
}

/// What is there, without knowing whose.
pub(crate) fn look(root: &Path) -> Tree {
    names(root, &BTreeMap::new())
}

pub(crate) fn overwrite(now: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if now.len() < end {
        now.resize(end, 0);
    }
    now[offset..end].copy_from_slice(bytes);
}
