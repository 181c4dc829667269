//! What is in files: reading, writing, sizes, syncing.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nix::Result;
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate};

use super::{Handle, MOST_HELD, Store};
use crate::disk::inode::Inode;
use crate::disk::names::errno;
use crate::disk::pages::Unsynced;
use crate::disk::rules::{Op, Verdict};
use crate::progress::lock;

/// A file just opened.
#[derive(Clone, Copy, Debug)]
pub(in crate::disk) struct Opened {
    pub(in crate::disk) handle: u64,
    /// Whether the page cache is to be passed by.
    pub(in crate::disk) direct: bool,
}

impl Store {
    /// Opens a file. While reads can fail, they pass the page cache by if `direct` is possible.
    pub(in crate::disk) fn open(&self, id: u64, flags: i32, direct: bool) -> Result<Opened> {
        let power = self.power();
        let inode = self.table.get(id)?;
        let file = inode.reopen(if flags & libc::O_ACCMODE == libc::O_RDONLY {
            OFlag::O_RDONLY
        } else {
            // Pages are read before they are overwritten.
            OFlag::O_RDWR
        })?;
        Ok(self.opened_file(inode, file, *power, direct))
    }

    pub(super) fn opened_file(
        &self,
        inode: Arc<Inode>,
        file: File,
        age: u64,
        direct: bool,
    ) -> Opened {
        let direct = direct && self.rules.reading();
        let handle = Handle::new(inode, Some(file), age, direct);
        Opened { handle: self.opened(handle), direct }
    }

    /// What an operation on an open file has to expect; `end` is how far it reaches.
    pub(in crate::disk) fn judge_handle(&self, op: Op, number: u64, end: u64) -> Verdict {
        if !self.rules.any() {
            return Verdict::default();
        }
        let Ok(handle) = self.handle(number) else { return Verdict::default() };
        let size = handle.inode.stat().map_or(0, |s| s.st_size as u64);
        self.judge_inode(op, &handle.inode, None, end > size)
    }

    /// Reads up to `size` bytes.
    pub(in crate::disk) fn read(
        &self,
        number: u64,
        offset: u64,
        size: u32,
        verdict: Verdict,
    ) -> Result<Vec<u8>> {
        let _power = self.power();
        let handle = self.handle(number)?;
        verdict.allow()?;
        let mut bytes = vec![0; size as usize];
        let mut done = 0;
        while done < bytes.len() {
            match handle.file()?.read_at(&mut bytes[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(errno(e)),
            }
        }
        bytes.truncate(done);
        self.flip(&handle, offset, &mut bytes, verdict);
        self.counts.reads.fetch_add(1, Ordering::Relaxed);
        Ok(bytes)
    }

    /// Writes all of it.
    pub(in crate::disk) fn write(
        &self,
        number: u64,
        offset: u64,
        bytes: &[u8],
        flags: i32,
        verdict: Verdict,
    ) -> Result<()> {
        let power = self.power();
        let handle = self.handle(number)?;
        verdict.allow()?;
        if handle.age != *power {
            // Written by a node that died in the power failure: it never was.
            return Ok(());
        }
        let mut flipped = Vec::new();
        let mut bytes = bytes;
        if verdict.flip.is_some() {
            flipped.extend_from_slice(bytes);
            self.flip(&handle, offset, &mut flipped, verdict);
            bytes = &flipped;
        }
        let file = handle.file()?;
        self.change(&handle.inode, file, offset, bytes.len() as u64, |file| {
            file.write_all_at(bytes, offset).map_err(errno)
        })?;
        self.counts.writes.fetch_add(1, Ordering::Relaxed);
        self.counts.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if handle.direct && flags & (libc::O_DSYNC | libc::O_SYNC) != 0 {
            self.commit_data(&handle.inode);
            self.commit_names()?;
        }
        Ok(())
    }

    /// Changes part of a file once it is kept what was there.
    fn change(
        &self,
        inode: &Arc<Inode>,
        file: &File,
        offset: u64,
        len: u64,
        act: impl FnOnce(&File) -> Result<()>,
    ) -> Result<()> {
        let mut slot = lock(&inode.unsynced);
        if slot.is_none() {
            *slot = Some(Unsynced::of(file).map_err(errno)?);
            lock(&self.unsynced).insert(inode.id, inode.clone());
        }
        let unsynced = slot.as_mut().ok_or(Errno::EIO)?;
        let more = unsynced.keep(file, offset, len).map_err(errno)?;
        let held = self.held.fetch_add(more, Ordering::Relaxed) + more;
        act(file)?;
        drop(slot);
        if held > MOST_HELD {
            self.commit_data(inode);
            self.counts.written_back.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Flips a bit, if so judged, and tells where.
    fn flip(&self, handle: &Handle, offset: u64, bytes: &mut [u8], verdict: Verdict) {
        let Some((rule, draw)) = verdict.flip else { return };
        if bytes.is_empty() {
            return;
        }
        let at = (draw >> 3) as usize % bytes.len();
        let bit = draw & 7;
        bytes[at] ^= 1 << bit;
        let path = handle.inode.path().unwrap_or_default();
        let path = path.strip_prefix(&self.base).unwrap_or(&path).display().to_string();
        self.rules.flipped(rule, format!("{path} byte {} bit {bit}", offset + at as u64));
    }

    /// Sets a file's size.
    pub(in crate::disk) fn truncate(&self, id: u64, size: u64) -> Result<()> {
        let _power = self.power();
        let inode = self.table.get(id)?;
        let file = inode.reopen(OFlag::O_RDWR)?;
        let now = file.metadata().map_err(errno)?.len();
        // A longer file has zeros where a shorter one had nothing: pages change either way.
        let (from, to) = (now.min(size), now.max(size));
        let gone = if size < now { to - from } else { 0 };
        self.change(&inode, &file, from, gone, |file| file.set_len(size).map_err(errno))
    }

    /// Reserves or gives back room.
    pub(in crate::disk) fn allocate(
        &self,
        number: u64,
        offset: u64,
        len: u64,
        mode: i32,
        verdict: Verdict,
    ) -> Result<()> {
        let power = self.power();
        let handle = self.handle(number)?;
        verdict.allow()?;
        if handle.age != *power {
            return Ok(());
        }
        let flags = FallocateFlags::from_bits(mode).ok_or(Errno::EOPNOTSUPP)?;
        let harmless = flags.difference(FallocateFlags::FALLOC_FL_KEEP_SIZE).is_empty();
        let changed = if harmless { 0 } else { len };
        self.change(&handle.inode, handle.file()?, offset, changed, |file| {
            fallocate(file, flags, offset.cast_signed(), len.cast_signed())
        })
    }

    /// Makes a file durable, and with it all directories.
    pub(in crate::disk) fn sync(&self, number: u64, verdict: Verdict) -> Result<()> {
        let power = self.power();
        let handle = self.handle(number)?;
        self.counts.syncs.fetch_add(1, Ordering::Relaxed);
        verdict.allow()?;
        if verdict.lie || handle.age != *power {
            return Ok(());
        }
        self.commit_data(&handle.inode);
        self.commit_names()
    }

    /// Makes all directories durable.
    pub(in crate::disk) fn sync_names(&self, verdict: Verdict) -> Result<()> {
        let _power = self.power();
        self.counts.syncs.fetch_add(1, Ordering::Relaxed);
        verdict.allow()?;
        if verdict.lie { Ok(()) } else { self.commit_names() }
    }
}

impl Handle {
    fn file(&self) -> Result<&File> {
        self.file.as_ref().ok_or(Errno::EISDIR)
    }
}
