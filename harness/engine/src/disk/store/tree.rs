//! What is in directories: names, and what they lead to.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, FileTypeExt};
use std::path::Path;

use nix::Result;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{
    FchmodatFlags, FileStat, Mode, SFlag, UtimensatFlags, fchmodat, mkdirat, mknodat, utimensat,
};
use nix::sys::statvfs::{Statvfs, fstatvfs};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchownat, getegid, geteuid, linkat, symlinkat};

use super::{Entry, Handle, Opened, Store};
use crate::disk::inode::{Inode, kind};
use crate::disk::names::{errno, must_be_empty};
use crate::progress::lock;

/// Who asks, for the owner of what is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::disk) struct Owner {
    pub(in crate::disk) user: u32,
    pub(in crate::disk) group: u32,
}

/// A new thing in a directory.
#[derive(Clone, Debug)]
pub(in crate::disk) enum New {
    Directory(u32),
    Link(OsString),
    /// A file, pipe or socket, with its mode.
    Node(u32),
}

impl Store {
    /// What `name` leads to.
    pub(in crate::disk) fn lookup(&self, dir: u64, name: &OsStr) -> Result<(u64, FileStat)> {
        let _power = self.power();
        self.told(&*self.table.get(dir)?, name)
    }

    /// Tells the kernel of a name.
    fn told(&self, dir: &Inode, name: &OsStr) -> Result<(u64, FileStat)> {
        let inode = self.table.find(dir, name, true)?;
        match inode.stat() {
            Ok(stat) => Ok((inode.id, stat)),
            Err(error) => {
                self.table.forget(inode.id, 1);
                Err(error)
            }
        }
    }

    /// A file's attributes.
    pub(in crate::disk) fn stat(&self, id: u64) -> Result<FileStat> {
        let _power = self.power();
        self.table.get(id)?.stat()
    }

    /// Sets mode, owner or times. Not undone by a power failure.
    pub(in crate::disk) fn alter(
        &self,
        id: u64,
        mode: Option<u32>,
        owner: (Option<u32>, Option<u32>),
        times: Option<(TimeSpec, TimeSpec)>,
    ) -> Result<()> {
        let _power = self.power();
        let inode = self.table.get(id)?;
        if owner.0.is_some() || owner.1.is_some() {
            let (user, group) = (owner.0.map(Uid::from_raw), owner.1.map(Gid::from_raw));
            fchownat(&*inode, "", user, group, AtFlags::AT_EMPTY_PATH)?;
        }
        let link = inode.link();
        if let Some(mode) = mode {
            let mode = Mode::from_bits_truncate(mode & 0o7777);
            fchmodat(AT_FDCWD, link.as_str(), mode, FchmodatFlags::FollowSymlink)?;
        }
        if let Some((access, change)) = times {
            let follow = UtimensatFlags::FollowSymlink;
            utimensat(AT_FDCWD, link.as_str(), &access, &change, follow)?;
        }
        Ok(())
    }

    /// Where a link leads.
    pub(in crate::disk) fn target(&self, id: u64) -> Result<OsString> {
        let _power = self.power();
        readlinkat(&*self.table.get(id)?, "")
    }

    /// Makes something new.
    pub(in crate::disk) fn make(
        &self,
        dir: u64,
        name: &OsStr,
        new: &New,
        owner: Owner,
    ) -> Result<(u64, FileStat)> {
        let _power = self.power();
        let dir = self.table.get(dir)?;
        let mut names = self.names();
        let raw = name.as_bytes();
        let mode = |bits: u32| Mode::from_bits_truncate(bits & 0o7777);
        match new {
            New::Directory(bits) => mkdirat(&*dir, raw, mode(*bits))?,
            New::Link(target) => symlinkat(target.as_bytes(), &*dir, raw)?,
            New::Node(bits) => {
                let kind = SFlag::from_bits_truncate(bits & SFlag::S_IFMT.bits());
                if kind == SFlag::S_IFCHR || kind == SFlag::S_IFBLK {
                    return Err(Errno::EPERM);
                }
                mknodat(&*dir, raw, kind, mode(*bits), 0)?;
            }
        }
        names.created(dir.clone(), name, matches!(new, New::Directory(_)));
        drop(names);
        own(&dir, name, owner)?;
        self.told(&dir, name)
    }

    /// Makes a file, or opens the one there is, unless `flags` forbid that.
    pub(in crate::disk) fn create(
        &self,
        dir: u64,
        name: &OsStr,
        mode: u32,
        flags: i32,
        direct: bool,
        owner: Owner,
    ) -> Result<(u64, FileStat, Opened)> {
        let power = self.power();
        let dir = self.table.get(dir)?;
        let mode = Mode::from_bits_truncate(mode & 0o7777);
        let how = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let new = how | OFlag::O_CREAT | OFlag::O_EXCL;
        let mut names = self.names();
        let file: File = match openat(&*dir, name.as_bytes(), new, mode) {
            Ok(fd) => {
                names.created(dir.clone(), name, false);
                drop(names);
                own(&dir, name, owner)?;
                fd.into()
            }
            Err(Errno::EEXIST) if flags & libc::O_EXCL == 0 => {
                drop(names);
                openat(&*dir, name.as_bytes(), how, mode)?.into()
            }
            Err(error) => return Err(error),
        };
        let (id, stat) = self.told(&dir, name)?;
        let opened = self.opened_file(self.table.get(id)?, file, *power, direct);
        Ok((id, stat, opened))
    }

    /// One more name for a file.
    pub(in crate::disk) fn link(&self, id: u64, dir: u64, name: &OsStr) -> Result<(u64, FileStat)> {
        let _power = self.power();
        let (inode, dir) = (self.table.get(id)?, self.table.get(dir)?);
        let mut names = self.names();
        let follow = AtFlags::AT_SYMLINK_FOLLOW;
        linkat(AT_FDCWD, inode.link().as_str(), &*dir, name.as_bytes(), follow)?;
        names.created(dir.clone(), name, false);
        drop(names);
        self.told(&dir, name)
    }

    /// Takes a name away.
    pub(in crate::disk) fn remove(&self, dir: u64, name: &OsStr, directory: bool) -> Result<()> {
        let _power = self.power();
        let dir = self.table.get(dir)?;
        let mut names = self.names();
        let inode = self.table.find(&dir, name, false)?;
        if directory {
            must_be_empty(&inode)?;
        }
        names.remove(dir, name, inode, directory)
    }

    /// Renames.
    pub(in crate::disk) fn rename(
        &self,
        from: (u64, &OsStr),
        to: (u64, &OsStr),
        flags: u32,
    ) -> Result<()> {
        let _power = self.power();
        let one = (self.table.get(from.0)?, from.1.to_owned());
        let other = (self.table.get(to.0)?, to.1.to_owned());
        let mut names = self.names();
        match flags {
            libc::RENAME_EXCHANGE => return names.exchange(one, other),
            0 | libc::RENAME_NOREPLACE => {}
            _ => return Err(Errno::EINVAL),
        }
        let target = match self.table.find(&other.0, to.1, false) {
            Ok(_) if flags == libc::RENAME_NOREPLACE => return Err(Errno::EEXIST),
            Ok(inode) => {
                let directory = kind(&inode.stat()?) == SFlag::S_IFDIR;
                if directory {
                    must_be_empty(&inode)?;
                }
                Some((inode, directory))
            }
            Err(Errno::ENOENT) => None,
            Err(error) => return Err(error),
        };
        names.rename(one, other, target)
    }

    /// Opens a directory.
    pub(in crate::disk) fn open_dir(&self, id: u64) -> Result<u64> {
        let power = self.power();
        let inode = self.table.get(id)?;
        Ok(self.opened(Handle::new(inode, None, *power, false)))
    }

    /// What is in an open directory from `offset` on: what was there when it was last read from
    /// its beginning.
    pub(in crate::disk) fn list(&self, number: u64, offset: u64) -> Result<Vec<Entry>> {
        let _power = self.power();
        let handle = self.handle(number)?;
        let mut entries = lock(&handle.entries);
        if offset == 0 {
            *entries = list(&handle.inode)?;
        }
        Ok(entries.get(offset as usize..).unwrap_or_default().to_vec())
    }

    /// Room on the backing file system.
    pub(in crate::disk) fn room(&self) -> Result<Statvfs> {
        fstatvfs(self.names().trash())
    }
}

fn list(dir: &Inode) -> Result<Vec<Entry>> {
    let dot = |name: &str| Entry { id: dir.id, kind: SFlag::S_IFDIR, name: name.into() };
    let mut entries = vec![dot("."), dot("..")];
    for entry in std::fs::read_dir(Path::new(&dir.link())).map_err(errno)? {
        let entry = entry.map_err(errno)?;
        let kind = match entry.file_type().map_err(errno)? {
            of if of.is_dir() => SFlag::S_IFDIR,
            of if of.is_symlink() => SFlag::S_IFLNK,
            of if of.is_fifo() => SFlag::S_IFIFO,
            of if of.is_socket() => SFlag::S_IFSOCK,
            _ => SFlag::S_IFREG,
        };
        entries.push(Entry { id: entry.ino(), kind, name: entry.file_name() });
    }
    Ok(entries)
}

/// Gives what was made to who asked for it: a node may run as another user, or in another group,
/// than its disk. In a directory that hands its group down, it has that one already.
fn own(dir: &Inode, name: &OsStr, owner: Owner) -> Result<()> {
    let ours = Owner { user: geteuid().as_raw(), group: getegid().as_raw() };
    if owner == ours {
        return Ok(());
    }
    let inherited = Mode::from_bits_truncate(dir.stat()?.st_mode).contains(Mode::S_ISGID);
    let user = (owner.user != ours.user).then(|| Uid::from_raw(owner.user));
    let group = (owner.group != ours.group && !inherited).then(|| Gid::from_raw(owner.group));
    fchownat(dir, name.as_bytes(), user, group, AtFlags::AT_SYMLINK_NOFOLLOW)
}
