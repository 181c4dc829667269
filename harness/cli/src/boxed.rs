//! Real systems in the box: the test files of `targets/external` and what lies beside them are
//! part of the binary, so `danso run etcd` works without a checkout.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../targets/external");

/// Names and descriptions: the first sentence of the comment each test file begins with.
pub(crate) fn systems() -> Vec<(String, String)> {
    let mut systems = Vec::new();
    for file in FILES.files().filter(|f| f.path().extension().is_some_and(|e| e == "toml")) {
        let name = file.path().with_extension("").to_string_lossy().into_owned();
        systems.push((name, about(file.contents_utf8().unwrap_or_default())));
    }
    systems.sort();
    systems
}

/// The first sentence of the comment a text begins with.
fn about(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim);
    let comment = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    match comment.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => comment,
    }
}

/// The test file of a system, unpacked.
///
/// # Errors
/// If it cannot be unpacked: one line, with the mend.
pub(crate) fn unpacked(name: &str) -> Result<Option<PathBuf>, String> {
    let file = PathBuf::from(format!("{name}.toml"));
    if file.components().count() != 1 || FILES.get_file(&file).is_none() {
        return Ok(None);
    }
    let folder = folder();
    unpack(&folder).map(|()| Some(folder.join(file))).map_err(|error| {
        let path = folder.display();
        format!("{path}: the files of `{name}` cannot be unpacked: {error}; set TMPDIR elsewhere")
    })
}

/// Unpacks again what a stored plan needs, if it lies where this binary puts it.
///
/// # Errors
/// As [`unpacked`].
pub(crate) fn restore(dir: &Path) -> Result<(), String> {
    if dir != folder() {
        return Ok(());
    }
    unpack(dir).map_err(|e| format!("{}: cannot be unpacked: {e}", dir.display()))
}

/// Where: nodes that run as other users must be able to read it, so not in anybody's home.
fn folder() -> PathBuf {
    let user = nix::unistd::geteuid();
    std::env::temp_dir().join(format!("danso-systems-{user}-{:016x}", fingerprint(&FILES, BASIS)))
}

/// FNV-1a of all names and contents.
fn fingerprint(dir: &Dir<'_>, basis: u64) -> u64 {
    let step = |hash: u64, bytes: &[u8]| {
        bytes.iter().fold(hash, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
    };
    dir.entries().iter().fold(basis, |hash, entry| {
        let hash = step(hash, entry.path().as_os_str().as_encoded_bytes());
        match entry {
            DirEntry::File(file) => step(hash, file.contents()),
            DirEntry::Dir(dir) => fingerprint(dir, hash),
        }
    })
}

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

fn unpack(folder: &Path) -> io::Result<()> {
    private(folder)?;
    write(&FILES, folder)
}

/// A folder that only we can write to. Others may have been there first: the place is shared.
fn private(folder: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o755).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let is = std::fs::symlink_metadata(folder)?;
    if is.is_dir() && is.uid() == nix::unistd::geteuid().as_raw() && is.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(io::Error::other("it belongs to somebody else"))
}

/// Writes what is not there yet; each file whole or not at all.
fn write(dir: &Dir<'_>, folder: &Path) -> io::Result<()> {
    for entry in dir.entries() {
        let path = folder.join(entry.path());
        match entry {
            DirEntry::Dir(dir) => {
                private(&path)?;
                write(dir, folder)?;
            }
            DirEntry::File(file) => {
                let mode = mode(file.contents());
                let is = || std::fs::symlink_metadata(&path).map(|is| is.mode() & 0o777);
                let same = std::fs::read(&path).is_ok_and(|bytes| bytes == file.contents());
                if same && is()? == mode {
                    continue;
                }
                let fresh = path.with_extension(format!("fresh-{}", std::process::id()));
                std::fs::File::create(&fresh)?.write_all(file.contents())?;
                std::fs::set_permissions(&fresh, Permissions::from_mode(mode))?;
                std::fs::rename(fresh, path)?;
            }
        }
    }
    Ok(())
}

/// Scripts can be run: the box does not remember who could.
fn mode(contents: &[u8]) -> u32 {
    if contents.starts_with(b"#!") { 0o755 } else { 0o644 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_says_what_it_is_and_can_be_unpacked() {
        for (name, about) in systems() {
            assert!(!about.is_empty(), "{name}.toml begins with no comment");
            assert!(danso_targets::find(&name).is_err(), "{name} is a bundled target as well");
            let file = unpacked(&name).unwrap().unwrap();
            assert!(file.is_file(), "{}", file.display());
            let script = file.with_file_name("redis/node.sh");
            assert_eq!(std::fs::metadata(script).unwrap().mode() & 0o777, 0o755);
        }
        assert_eq!(unpacked("../spec"), Ok(None));
        assert_eq!(unpacked("nothing"), Ok(None));
    }
}
