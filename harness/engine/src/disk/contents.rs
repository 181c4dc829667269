//! What a tree of files holds, so that what a power failure took can be told.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::store::Loss;

/// Bytes compared at once.
const PAGE: usize = 4096;

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    /// A file: its bytes, and a digest of each page.
    File(u64, Vec<u64>),
    Directory,
    Link(PathBuf),
    Other,
}

/// All names below a directory.
#[derive(Debug)]
pub(super) struct Contents(BTreeMap<PathBuf, Entry>);

impl Contents {
    /// Reads all that is below `root`.
    ///
    /// # Errors
    /// If anything cannot be read.
    pub(super) fn of(root: &Path) -> io::Result<Contents> {
        let mut found = BTreeMap::new();
        let mut left = vec![PathBuf::new()];
        while let Some(folder) = left.pop() {
            for entry in fs::read_dir(root.join(&folder))? {
                let entry = entry?;
                let (kind, name) = (entry.file_type()?, folder.join(entry.file_name()));
                let what = if kind.is_dir() {
                    left.push(name.clone());
                    Entry::Directory
                } else if kind.is_symlink() {
                    Entry::Link(fs::read_link(entry.path())?)
                } else if kind.is_file() {
                    digests(File::open(entry.path())?)?
                } else {
                    Entry::Other
                };
                found.insert(name, what);
            }
        }
        Ok(Contents(found))
    }

    /// What is not as it was: pages that are others or gone, with the bytes in them, and names
    /// that are gone or have come back.
    pub(super) fn lost(&self, after: &Contents) -> Loss {
        let mut loss = Loss::default();
        for (name, was) in &self.0 {
            let is = after.0.get(name);
            if is.is_none_or(|is| kind(is) != kind(was)) {
                loss.names += 1;
            }
            let Entry::File(size, pages) = was else { continue };
            let (left, same) = match is {
                Some(Entry::File(left, same)) => (*left, same.as_slice()),
                _ => (0, [].as_slice()),
            };
            let differ = pages.iter().enumerate().filter(|(at, page)| same.get(*at) != Some(page));
            let held = |at: usize| (*size - (at * PAGE) as u64).min(PAGE as u64);
            let differ: Vec<u64> = differ.map(|(at, _)| held(at)).collect();
            // A file may also be longer: its truncation was lost.
            if !differ.is_empty() || left != *size || is.is_none() {
                loss.files += 1;
            }
            loss.lost += differ.len() as u64;
            loss.bytes += differ.iter().sum::<u64>();
        }
        loss.names += after.0.keys().filter(|name| !self.0.contains_key(*name)).count() as u64;
        loss.changes = loss.names;
        loss
    }
}

fn kind(entry: &Entry) -> (u8, Option<&Path>) {
    match entry {
        Entry::File(..) => (0, None),
        Entry::Directory => (1, None),
        Entry::Link(to) => (2, Some(to)),
        Entry::Other => (3, None),
    }
}

fn digests(mut file: File) -> io::Result<Entry> {
    let (mut size, mut pages) = (0, Vec::new());
    let mut page = Vec::with_capacity(PAGE);
    loop {
        page.clear();
        let read = (&mut file).take(PAGE as u64).read_to_end(&mut page)?;
        if read == 0 {
            return Ok(Entry::File(size, pages));
        }
        let mut digest = DefaultHasher::new();
        digest.write(&page);
        pages.push(digest.finish());
        size += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("same"), "same").unwrap();
        fs::write(root.join("shorter"), vec![7; 2 * PAGE + 5]).unwrap();
        fs::write(root.join("gone"), "gone!").unwrap();
        fs::create_dir(root.join("folder")).unwrap();
        let before = Contents::of(root).unwrap();
        assert_eq!(before.lost(&before), Loss::default());
        fs::write(root.join("shorter"), vec![7; PAGE]).unwrap();
        fs::remove_file(root.join("gone")).unwrap();
        fs::write(root.join("folder/back"), "").unwrap();
        let loss = before.lost(&Contents::of(root).unwrap());
        let expected = Loss {
            files: 2,
            lost: 3,
            bytes: PAGE as u64 + 10,
            names: 2,
            changes: 2,
            ..Loss::default()
        };
        assert_eq!(loss, expected);
    }
}
