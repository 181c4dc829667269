//! Harm to the files of a node that is down: flipped bits, lost ends, old states. Needs nothing
//! but the files, so it works everywhere.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use danso_vocab::Rng;
use glob::Pattern;

use super::rules::matches;

/// The most a copy may hold, in bytes.
pub const LARGEST_COPY: u64 = 4 << 30;
/// Bytes that fare alike when nodes are never to lose the same: a chunk.
pub const CHUNK: u64 = 64 << 10;
/// Bytes looked at at once.
const BLOCK: usize = 64 << 10;

/// What was done to a byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flip {
    /// The file, below the data directory.
    pub file: PathBuf,
    /// Where.
    pub offset: u64,
    /// What is there now.
    pub now: u8,
    /// Which bit of it is another.
    pub bit: u8,
}

/// What was cut from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The file, below the data directory.
    pub file: PathBuf,
    /// Its size before, in bytes.
    pub before: u64,
    /// Where its contents ended before: behind the last byte that is not zero.
    pub contents: u64,
    /// Its size now.
    pub now: u64,
}

/// The regular files below `data` that fit any of the patterns and have anything in them, by
/// path.
///
/// # Errors
/// If a pattern is malformed, or a directory cannot be read.
pub fn files(data: &Path, patterns: &[String]) -> io::Result<Vec<PathBuf>> {
    let pattern = |p: &String| Pattern::new(p).map_err(|e| io::Error::other(format!("{p}: {e}")));
    let patterns = patterns.iter().map(pattern).collect::<io::Result<Vec<_>>>()?;
    let mut found = Vec::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(data.join(&dir))? {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            let meta = entry.metadata()?;
            if meta.is_dir() {
                todo.push(path);
            } else if meta.is_file()
                && meta.len() > 0
                && matches(&patterns, &path.to_string_lossy())
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Where a file's contents end: behind the last byte that is not zero. Files are often longer
/// than what is in them, and nobody reads the rest.
///
/// # Errors
/// If it cannot be read.
pub fn end_of_contents(file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = vec![0; BLOCK];
    while end > 0 {
        let start = end.saturating_sub(BLOCK as u64);
        let block = &mut block[..(end - start) as usize];
        file.read_exact_at(block, start)?;
        if let Some(last) = block.iter().rposition(|b| *b != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Flips `count` bits among the contents of these files, never outside the chunks `allowed`.
///
/// # Errors
/// If a file cannot be read or written.
pub fn flip(
    data: &Path,
    files: &[PathBuf],
    count: u64,
    allowed: impl Fn(&Path, u64) -> bool,
    rng: &mut Rng,
) -> io::Result<Vec<Flip>> {
    let mut flips = Vec::new();
    // Contents may lie wholly in chunks that are not allowed: do not try for ever.
    for _ in 0..count * 64 {
        let Some(name) = rng.pick(files) else { break };
        let path = data.join(name);
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let offset = rng.below(end_of_contents(&file)?);
        let bit = rng.below(8) as u8;
        let mut byte = [0];
        let twice = flips.iter().any(|f: &Flip| f.file == *name && f.offset == offset);
        if twice || !allowed(name, offset / CHUNK) || file.read_at(&mut byte, offset)? == 0 {
            continue;
        }
        byte[0] ^= 1 << bit;
        file.write_all_at(&byte, offset)?;
        flips.push(Flip { file: name.clone(), offset, now: byte[0], bit });
        if flips.len() as u64 == count {
            break;
        }
    }
    Ok(flips)
}

/// Flips bits back, where nothing has been written since. Returns how many.
///
/// # Errors
/// If a file cannot be read or written.
pub fn flip_back(data: &Path, flips: &[Flip]) -> io::Result<usize> {
    let mut back = 0;
    for flip in flips {
        let file = match OpenOptions::new().read(true).write(true).open(data.join(&flip.file)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut byte = [0];
        if file.read_at(&mut byte, flip.offset)? == 1 && byte[0] == flip.now {
            file.write_all_at(&[flip.now ^ 1 << flip.bit], flip.offset)?;
            back += 1;
        }
    }
    Ok(back)
}

/// Cuts `bytes` off the contents of a file, then to a multiple of `align`.
///
/// # Errors
/// If it cannot be read or written.
pub fn cut(data: &Path, name: &Path, bytes: u64, align: u64) -> io::Result<Cut> {
    let file = OpenOptions::new().read(true).write(true).open(data.join(name))?;
    let (before, contents) = (file.metadata()?.len(), end_of_contents(&file)?);
    let now = contents.saturating_sub(bytes);
    let now = now - now % align.max(1);
    file.set_len(now)?;
    Ok(Cut { file: name.to_owned(), before, contents, now })
}

/// Copies all that is below `from` to `to`, which is made: files, directories and links, with
/// their owners and modes. Returns how many bytes.
///
/// # Errors
/// If anything cannot be copied, or it is too much.
pub fn copy(from: &Path, to: &Path) -> io::Result<u64> {
    fs::create_dir_all(to)?;
    copy_into(from, to, LARGEST_COPY)
}

fn copy_into(from: &Path, to: &Path, most: u64) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (meta, source) = (entry.metadata()?, entry.path());
        let target = to.join(entry.file_name());
        if meta.is_dir() {
            fs::create_dir(&target)?;
            bytes += copy_into(&source, &target, most.saturating_sub(bytes))?;
            own(&target, &meta)?;
        } else if meta.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if meta.is_file() {
            bytes += meta.len();
            if bytes > most {
                return Err(io::Error::other(format!("more than {LARGEST_COPY} bytes")));
            }
            fs::copy(&source, &target)?;
            own(&target, &meta)?;
        }
        // Sockets and pipes are made by whoever needs them.
    }
    Ok(bytes)
}

fn own(target: &Path, like: &fs::Metadata) -> io::Result<()> {
    let there = target.metadata()?;
    if (there.uid(), there.gid()) != (like.uid(), like.gid()) {
        lchown(target, Some(like.uid()), Some(like.gid()))?;
    }
    fs::set_permissions(target, fs::Permissions::from_mode(like.mode() & 0o7777))
}

/// Puts a copy back in place of all that is below `data`. The directory itself stays.
///
/// # Errors
/// If anything cannot be removed or copied: then it is in no defined state.
pub fn put_back(copy: &Path, data: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    copy_into(copy, data, LARGEST_COPY).map(drop)
}

/// The files of either that are not the same in both.
///
/// # Errors
/// If a file cannot be read.
pub fn differences(one: &Path, other: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = files(one, &[])?;
    all.extend(files(other, &[])?);
    all.sort();
    all.dedup();
    let mut different = Vec::new();
    for file in all {
        if !same(&one.join(&file), &other.join(&file))? {
            different.push(file);
        }
    }
    Ok(different)
}

fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let open = |path: &Path| match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let (Some(one), Some(other)) = (open(one)?, open(other)?) else { return Ok(false) };
    let size = one.metadata()?.len();
    if size != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut a, mut b) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut at = 0;
    while at < size {
        let len = (size - at).min(BLOCK as u64) as usize;
        one.read_exact_at(&mut a[..len], at)?;
        other.read_exact_at(&mut b[..len], at)?;
        if a[..len] != b[..len] {
            return Ok(false);
        }
        at += len as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("wal")).unwrap();
        let mut log = vec![7; 100_000];
        log.resize(300_000, 0);
        fs::write(dir.path().join("wal/1.wal"), log).unwrap();
        fs::write(dir.path().join("empty"), "").unwrap();
        fs::write(dir.path().join("data"), vec![1; 5_000]).unwrap();
        symlink("data", dir.path().join("link")).unwrap();
        dir
    }

    #[test]
    fn bits_are_flipped_in_contents_and_back() {
        let dir = folder();
        let before = fs::read(dir.path().join("wal/1.wal")).unwrap();
        let names = files(dir.path(), &["*.wal".to_owned()]).unwrap();
        assert_eq!(names, [PathBuf::from("wal/1.wal")]);
        let flips = flip(dir.path(), &names, 5, |_, chunk| chunk == 1, &mut Rng::new(1)).unwrap();
        assert_eq!(flips.len(), 5);
        let after = fs::read(dir.path().join("wal/1.wal")).unwrap();
        let changed: Vec<_> = (0..before.len()).filter(|i| before[*i] != after[*i]).collect();
        assert_eq!(changed.len(), 5);
        assert!(changed.iter().all(|i| (CHUNK as usize..100_000).contains(i)), "{changed:?}");
        assert_eq!(flip_back(dir.path(), &flips).unwrap(), 5);
        assert_eq!(fs::read(dir.path().join("wal/1.wal")).unwrap(), before);
        assert_eq!(flip_back(dir.path(), &flips).unwrap(), 0, "once is enough");
        let none = flip(dir.path(), &names, 5, |_, _| false, &mut Rng::new(1)).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn ends_are_cut_where_contents_end() {
        let dir = folder();
        let cut = |bytes, align| cut(dir.path(), Path::new("wal/1.wal"), bytes, align).unwrap();
        let first = cut(10, 1);
        assert_eq!((first.before, first.contents, first.now), (300_000, 100_000, 99_990));
        assert_eq!(cut(10, 512).now, 99_980 - 99_980 % 512);
        assert_eq!(cut(1 << 40, 1).now, 0);
    }

    #[test]
    fn old_states_come_back_whole() {
        let (dir, store) = (folder(), tempfile::tempdir().unwrap());
        let kept = store.path().join("copy");
        assert_eq!(copy(dir.path(), &kept).unwrap(), 305_000);
        assert!(differences(dir.path(), &kept).unwrap().is_empty());
        fs::write(dir.path().join("data"), "new").unwrap();
        fs::write(dir.path().join("more"), "new").unwrap();
        fs::remove_dir_all(dir.path().join("wal")).unwrap();
        let different = differences(dir.path(), &kept).unwrap();
        assert_eq!(different, ["data", "more", "wal/1.wal"].map(PathBuf::from));
        put_back(&kept, dir.path()).unwrap();
        assert!(differences(dir.path(), &kept).unwrap().is_empty());
        assert!(!dir.path().join("more").exists() && dir.path().join("link").is_symlink());
    }
}
