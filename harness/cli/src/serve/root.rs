//! [`Root`]: the folder that is served, and the only way to anything in it.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

/// A place below the root: names of entries, none of which leads up or elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Place {
    parts: Vec<String>,
}

impl Place {
    /// The root itself.
    pub(super) const ROOT: Place = Place { parts: Vec::new() };

    /// A place as an address names it, decoded. `None` if it would lead out.
    pub(super) fn parse(text: &str) -> Option<Place> {
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.is_empty() {
            return Some(Place::ROOT);
        }
        let is_name = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        let parts: Vec<_> = text.split('/').map(str::to_owned).collect();
        parts.iter().all(|part| is_name(part)).then_some(Place { parts })
    }

    /// An entry of this folder.
    pub(super) fn join(&self, name: &str) -> Place {
        let mut parts = self.parts.clone();
        parts.extend(name.split('/').map(str::to_owned));
        Place { parts }
    }

    /// The folder it is in and its name there; `None` for the root.
    pub(super) fn split(&self) -> Option<(Place, &str)> {
        let (name, above) = self.parts.split_last()?;
        Some((Place { parts: above.to_vec() }, name))
    }

    /// This place and all folders above it but the root.
    pub(super) fn upwards(&self) -> impl Iterator<Item = Place> + '_ {
        (1..=self.parts.len()).rev().map(|n| Place { parts: self.parts[..n].to_vec() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.parts.join("/"))
    }
}

/// What is at a place.
pub(super) enum Found {
    Folder(File),
    File(File, Metadata),
}

/// An entry of a folder.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) is_folder: bool,
    pub(super) bytes: u64,
}

/// The folder that is served.
pub(super) struct Root {
    path: PathBuf,
    handle: File,
}

impl Root {
    /// Opens it. It stays the same folder, whatever its name comes to mean.
    pub(super) fn open(path: &Path) -> io::Result<Root> {
        Ok(Root { path: path.to_owned(), handle: File::open(path)? })
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is at a place, without following any link. Only folders and plain files are found:
    /// a pipe or a device could keep the reader waiting.
    ///
    /// # Errors
    /// If there is nothing of the kind.
    pub(super) fn find(&self, place: &Place) -> io::Result<Found> {
        let mut here = self.handle.try_clone()?;
        for part in &place.parts {
            here = step(&here, part)?;
        }
        let about = here.metadata()?;
        match (about.is_dir(), about.is_file()) {
            (true, _) => Ok(Found::Folder(here)),
            (_, true) => Ok(Found::File(here, about)),
            _ => Err(Errno::ENOENT.into()),
        }
    }

    /// A file.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn file(&self, place: &Place) -> io::Result<(File, Metadata)> {
        match self.find(place)? {
            Found::File(file, about) => Ok((file, about)),
            Found::Folder(_) => Err(Errno::EISDIR.into()),
        }
    }

    /// A folder.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn folder(&self, place: &Place) -> io::Result<File> {
        match self.find(place)? {
            Found::Folder(folder) => Ok(folder),
            Found::File(..) => Err(Errno::ENOTDIR.into()),
        }
    }

    /// A whole file of at most `most` bytes.
    ///
    /// # Errors
    /// If there is none, or it is larger.
    pub(super) fn read(&self, place: &Place, most: u64) -> io::Result<Vec<u8>> {
        let (file, about) = self.file(place)?;
        if about.len() > most {
            return Err(Errno::EFBIG.into());
        }
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Opens an entry of a folder. It never waits, as opening a pipe would.
fn step(folder: &File, name: &str) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    Ok(File::from(openat(folder, name, flags, Mode::empty())?))
}

/// The folders and plain files in a folder, by name.
///
/// # Errors
/// If it cannot be read.
pub(super) fn entries(folder: &File) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    // By its descriptor: its name may have come to mean another folder.
    for entry in std::fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))? {
        let entry = entry?;
        // What has gone meanwhile, and names that no address can hold, are left out.
        let (Ok(about), Ok(name)) = (entry.metadata(), entry.file_name().into_string()) else {
            continue;
        };
        if about.is_dir() || about.is_file() {
            entries.push(Entry { name, is_folder: about.is_dir(), bytes: about.len() });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_leads_out() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        let inside = outside.path().join("runs");
        std::fs::create_dir_all(inside.join("a/b")).unwrap();
        std::fs::write(inside.join("a/b/c"), "y").unwrap();
        symlink("../secret", inside.join("link")).unwrap();
        symlink("..", inside.join("up")).unwrap();
        symlink("b", inside.join("a/same")).unwrap();
        nix::unistd::mkfifo(&inside.join("pipe"), Mode::S_IRWXU).unwrap();
        let root = Root::open(&inside).unwrap();
        let read = |text: &str| root.read(&Place::parse(text)?, 10).ok();
        assert_eq!(read("a/b/c").unwrap(), b"y");
        for out in [
            "../secret",
            "a/../../secret",
            "link",
            "up/secret",
            "a/same/c",
            "/etc/passwd",
            "a//b/c",
            "./a/b/c",
            "a/b/c\0",
            "pipe",
            "a/b",
            "",
        ] {
            assert_eq!(read(out), None, "{out:?}");
        }
        let names: Vec<_> = entries(&root.folder(&Place::ROOT).unwrap())
            .unwrap()
            .into_iter()
            .map(|e| e.name)
            .collect();
        assert_eq!(names, ["a"], "links and pipes are not listed");
        assert!(root.read(&Place::parse("a/b/c").unwrap(), 0).is_err(), "too large");
    }
}
