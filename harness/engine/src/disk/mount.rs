//! [`Mounted`]: the store as the kernel sees it.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request,
    TimeOrNow, WriteFlags,
};
use nix::sys::stat::{FileStat, SFlag};
use nix::sys::time::TimeSpec;

use super::inode::{kind, number};
use super::later::Later;
use super::rules::{Op, Verdict};
use super::store::{New, Opened, Owner, Store};

/// How long the kernel may believe attributes; a power failure revokes them.
const ATTRIBUTES: Duration = Duration::from_secs(1);
/// How long it may believe names. Not at all: files are also changed behind its back.
const NAMES: Duration = Duration::ZERO;

/// The file system.
pub(super) struct Mounted {
    pub(super) store: Arc<Store>,
    pub(super) later: Later,
    /// Whether the kernel can map files that pass the page cache by.
    direct: AtomicBool,
}

/// Replies with an error unless there is a value.
macro_rules! give {
    ($reply:ident, $result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return $reply.error(Errno::from_i32(error as i32)),
        }
    };
}

impl Mounted {
    pub(super) fn new(store: Arc<Store>, later: Later) -> Mounted {
        Mounted { store, later, direct: AtomicBool::new(false) }
    }

    /// Does it, now or after the delay it suffers.
    fn run(&self, verdict: Verdict, job: impl FnOnce(&Store) + Send + 'static) {
        if verdict.delay.is_zero() {
            return job(&self.store);
        }
        let store = self.store.clone();
        self.later.after(verdict.delay, Box::new(move || job(&store)));
    }

    fn direct(&self) -> bool {
        self.direct.load(Ordering::Relaxed)
    }

    /// Makes something in a directory.
    fn make(&self, request: &Request, dir: INodeNo, name: &OsStr, new: New, reply: ReplyEntry) {
        let verdict = self.store.judge(Op::Create, dir.0, Some(name));
        let (owner, name) = (owner(request), name.to_owned());
        self.run(verdict, move |store| {
            give!(reply, verdict.allow());
            let (id, stat) = give!(reply, store.make(dir.0, &name, &new, owner));
            reply.entry_with_ttls(&ATTRIBUTES, &NAMES, &attr(id, &stat), Generation(0));
        });
    }

    fn remove(&self, dir: INodeNo, name: &OsStr, directory: bool, reply: ReplyEmpty) {
        let verdict = self.store.judge(Op::Remove, dir.0, Some(name));
        let name = name.to_owned();
        self.run(verdict, move |store| {
            give!(reply, verdict.allow());
            give!(reply, store.remove(dir.0, &name, directory));
            reply.ok();
        });
    }
}

impl Filesystem for Mounted {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        let mapped = config.add_capabilities(InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP).is_ok();
        self.direct.store(mapped, Ordering::Relaxed);
        // Without it directories are merely slower.
        let _ = config.add_capabilities(InitFlags::FUSE_PARALLEL_DIROPS);
        Ok(())
    }

    fn lookup(&self, _: &Request, dir: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let (id, stat) = give!(reply, self.store.lookup(dir.0, name));
        reply.entry_with_ttls(&ATTRIBUTES, &NAMES, &attr(id, &stat), Generation(0));
    }

    fn forget(&self, _: &Request, id: INodeNo, lookups: u64) {
        self.store.table.forget(id.0, lookups);
    }

    fn getattr(&self, _: &Request, id: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let stat = give!(reply, self.store.stat(id.0));
        reply.attr(&ATTRIBUTES, &attr(id.0, &stat));
    }

    fn setattr(
        &self,
        _: &Request,
        id: INodeNo,
        mode: Option<u32>,
        user: Option<u32>,
        group: Option<u32>,
        size: Option<u64>,
        access: Option<TimeOrNow>,
        change: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let op = if size.is_some() { Op::Truncate } else { Op::Change };
        let verdict = self.store.judge(op, id.0, None);
        let times = (access.is_some() || change.is_some()).then(|| (spec(access), spec(change)));
        self.run(verdict, move |store| {
            give!(reply, verdict.allow());
            give!(reply, store.alter(id.0, mode, (user, group), times));
            if let Some(size) = size {
                give!(reply, store.truncate(id.0, size));
            }
            let stat = give!(reply, store.stat(id.0));
            reply.attr(&ATTRIBUTES, &attr(id.0, &stat));
        });
    }

    fn readlink(&self, _: &Request, id: INodeNo, reply: ReplyData) {
        let target = give!(reply, self.store.target(id.0));
        reply.data(target.as_encoded_bytes());
    }

    fn mknod(
        &self,
        request: &Request,
        dir: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        self.make(request, dir, name, New::Node(mode), reply);
    }

    fn mkdir(
        &self,
        request: &Request,
        dir: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        self.make(request, dir, name, New::Directory(mode), reply);
    }

    fn symlink(
        &self,
        request: &Request,
        dir: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        self.make(request, dir, name, New::Link(target.as_os_str().to_owned()), reply);
    }

    fn unlink(&self, _: &Request, dir: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove(dir, name, false, reply);
    }

    fn rmdir(&self, _: &Request, dir: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove(dir, name, true, reply);
    }

    fn rename(
        &self,
        _: &Request,
        dir: INodeNo,
        name: &OsStr,
        new_dir: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let verdict = self.store.judge(Op::Rename, new_dir.0, Some(new_name));
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        self.run(verdict, move |store| {
            give!(reply, verdict.allow());
            let (from, to) = ((dir.0, name.as_os_str()), (new_dir.0, new_name.as_os_str()));
            give!(reply, store.rename(from, to, flags.bits()));
            reply.ok();
        });
    }

    fn link(&self, _: &Request, id: INodeNo, dir: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let verdict = self.store.judge(Op::Create, dir.0, Some(name));
        let name = name.to_owned();
        self.run(verdict, move |store| {
            give!(reply, verdict.allow());
            let (id, stat) = give!(reply, store.link(id.0, dir.0, &name));
            reply.entry_with_ttls(&ATTRIBUTES, &NAMES, &attr(id, &stat), Generation(0));
        });
    }

    fn open(&self, _: &Request, id: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let direct = self.direct();
        let writing = flags.0 & libc::O_ACCMODE != libc::O_RDONLY;
        let verdict = self.store.judge_open(id.0, writing);
        self.run(verdict, move |store| {
            give!(reply, verdict.allow());
            let opened = give!(reply, store.open(id.0, flags.0, direct));
            reply.opened(FileHandle(opened.handle), how(opened));
        });
    }

    fn create(
        &self,
        request: &Request,
        dir: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let (direct, owner) = (self.direct(), owner(request));
        let verdict = self.store.judge(Op::Create, dir.0, Some(name));
        let name = name.to_owned();
        self.run(verdict, move |store| {
            give!(reply, verdict.allow());
            let made = store.create(dir.0, &name, mode, flags, direct, owner);
            let (id, stat, opened) = give!(reply, made);
            let (attr, handle) = (attr(id, &stat), FileHandle(opened.handle));
            // One time for both here.
            reply.created(&NAMES, &attr, Generation(0), handle, how(opened));
        });
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let verdict = self.store.judge_handle(Op::Read, handle.0, 0);
        self.run(verdict, move |store| {
            let bytes = give!(reply, store.read(handle.0, offset, size, verdict));
            reply.data(&bytes);
        });
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let end = offset + data.len() as u64;
        let verdict = self.store.judge_handle(Op::Write, handle.0, end);
        let write = move |store: &Store, data: &[u8], reply: ReplyWrite| {
            give!(reply, store.write(handle.0, offset, data, flags.0, verdict));
            reply.written(data.len() as u32);
        };
        if verdict.delay.is_zero() {
            return write(&self.store, data, reply);
        }
        let data = data.to_vec();
        self.run(verdict, move |store| write(store, &data, reply));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Closing does nothing here; the kernel need not ask again.
        reply.error(Errno::ENOSYS);
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.store.release(handle.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, handle: FileHandle, _: bool, reply: ReplyEmpty) {
        let verdict = self.store.judge_handle(Op::Sync, handle.0, 0);
        self.run(verdict, move |store| {
            give!(reply, store.sync(handle.0, verdict));
            reply.ok();
        });
    }

    fn fsyncdir(&self, _: &Request, id: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let verdict = self.store.judge(Op::Sync, id.0, None);
        self.run(verdict, move |store| {
            give!(reply, store.sync_names(verdict));
            reply.ok();
        });
    }

    fn opendir(&self, _: &Request, id: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let handle = give!(reply, self.store.open_dir(id.0));
        reply.opened(FileHandle(handle), FopenFlags::empty());
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let entries = give!(reply, self.store.list(handle.0, offset));
        for (next, entry) in (offset + 1..).zip(entries) {
            if reply.add(INodeNo(entry.id), next, file_type(entry.kind), &entry.name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.store.release(handle.0);
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let room = give!(reply, self.store.room());
        let free = if self.store.rules.full() { 0 } else { 1 };
        reply.statfs(
            room.blocks(),
            room.blocks_free() * free,
            room.blocks_available() * free,
            room.files(),
            room.files_free(),
            room.block_size() as u32,
            room.name_max() as u32,
            room.fragment_size() as u32,
        );
    }

    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        len: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let verdict = self.store.judge_handle(Op::Write, handle.0, offset + len);
        self.run(verdict, move |store| {
            give!(reply, store.allocate(handle.0, offset, len, mode, verdict));
            reply.ok();
        });
    }
}

fn how(opened: Opened) -> FopenFlags {
    if opened.direct { FopenFlags::FOPEN_DIRECT_IO } else { FopenFlags::empty() }
}

fn owner(request: &Request) -> Owner {
    Owner { user: request.uid(), group: request.gid() }
}

/// A time to set, or none.
fn spec(time: Option<TimeOrNow>) -> TimeSpec {
    match time {
        None => TimeSpec::UTIME_OMIT,
        Some(TimeOrNow::Now) => TimeSpec::UTIME_NOW,
        Some(TimeOrNow::SpecificTime(time)) => match time.duration_since(UNIX_EPOCH) {
            Ok(since) => TimeSpec::from_duration(since),
            // Before 1970: whole seconds will do.
            Err(before) => TimeSpec::new(-(before.duration().as_secs().cast_signed()), 0),
        },
    }
}

fn time(seconds: i64, nanos: i64) -> SystemTime {
    let nanos = Duration::from_nanos(nanos.unsigned_abs());
    let whole = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH - whole + nanos } else { UNIX_EPOCH + whole + nanos }
}

fn file_type(kind: SFlag) -> FileType {
    match kind {
        SFlag::S_IFDIR => FileType::Directory,
        SFlag::S_IFLNK => FileType::Symlink,
        SFlag::S_IFIFO => FileType::NamedPipe,
        SFlag::S_IFSOCK => FileType::Socket,
        SFlag::S_IFCHR => FileType::CharDevice,
        SFlag::S_IFBLK => FileType::BlockDevice,
        _ => FileType::RegularFile,
    }
}

fn attr(id: u64, stat: &FileStat) -> FileAttr {
    debug_assert!(id == super::inode::ROOT || id == number(stat));
    FileAttr {
        ino: INodeNo(id),
        size: stat.st_size.unsigned_abs(),
        blocks: stat.st_blocks.unsigned_abs(),
        atime: time(stat.st_atime, stat.st_atime_nsec),
        mtime: time(stat.st_mtime, stat.st_mtime_nsec),
        ctime: time(stat.st_ctime, stat.st_ctime_nsec),
        crtime: UNIX_EPOCH,
        kind: file_type(kind(stat)),
        perm: (stat.st_mode & 0o7777) as u16,
        nlink: stat.st_nlink as u32,
        uid: stat.st_uid,
        gid: stat.st_gid,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}
