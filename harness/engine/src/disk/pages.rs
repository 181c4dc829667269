//! [`Unsynced`]: what a file looked like when it was last durable, as far as it has changed
//! since. Writes themselves go straight to the file; a power failure puts the old pages back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use danso_vocab::Rng;

/// Bytes in a page: what the kernel writes back as a whole.
pub(super) const PAGE: u64 = 4096;
/// Bytes in a sector: what a disk writes as a whole.
const SECTOR: usize = 512;
/// Chances are in millionths.
pub(super) const WHOLE: u64 = 1_000_000;

/// The durable past of a file that has changed since.
#[derive(Debug)]
pub(super) struct Unsynced {
    /// The durable size.
    size: u64,
    /// Durable contents of changed pages; shorter than a page at the durable end.
    base: BTreeMap<u64, Box<[u8]>>,
    /// All pages changed, those beyond the durable end included.
    touched: BTreeSet<u64>,
}

/// How much of what was not synced survives a power failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// The chance of each page (or sector) to have reached the disk, in millionths.
    pub chance: u64,
    /// Whether pages tear: each sector has a chance of its own.
    pub torn: bool,
}

/// What a power failure took from a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Toll {
    pub(super) lost: u64,
    pub(super) kept: u64,
    pub(super) torn: u64,
    pub(super) bytes: u64,
}

impl Unsynced {
    /// Of a file that has just been synced.
    pub(super) fn of(file: &File) -> io::Result<Unsynced> {
        Ok(Unsynced {
            size: file.metadata()?.len(),
            base: BTreeMap::new(),
            touched: BTreeSet::new(),
        })
    }

    /// Keeps what is about to be overwritten. Returns how many bytes more are kept.
    pub(super) fn keep(&mut self, file: &File, offset: u64, len: u64) -> io::Result<u64> {
        let mut more = 0;
        if len == 0 {
            return Ok(more);
        }
        let last = offset.saturating_add(len - 1) / PAGE;
        for page in offset / PAGE..=last {
            if self.touched.contains(&page) {
                continue;
            }
            let at = page * PAGE;
            if at < self.size {
                let mut bytes = vec![0; (self.size - at).min(PAGE) as usize];
                file.read_exact_at(&mut bytes, at)?;
                more += bytes.len() as u64;
                self.base.insert(page, bytes.into());
            }
            self.touched.insert(page);
        }
        Ok(more)
    }

    /// Bytes kept.
    pub(super) fn held(&self) -> u64 {
        self.base.values().map(|b| b.len() as u64).sum()
    }

    /// Puts the durable past back, except for what `keep` lets survive.
    pub(super) fn restore(self, file: &File, keep: Keep, rng: &mut Rng) -> io::Result<Toll> {
        let now = file.metadata()?.len();
        let mut toll = Toll::default();
        // A shorter end is one change to the file's inode: it has reached the disk or has not.
        let mut size = self.size;
        if now < self.size && rng.chance(keep.chance, WHOLE) {
            size = now;
        }
        for page in self.touched {
            let at = page * PAGE;
            let mut old = self.base.get(&page).map(|b| b.to_vec()).unwrap_or_default();
            old.resize(PAGE as usize, 0);
            let mut new = vec![0; PAGE as usize];
            let there = read_some(file, &mut new, at)?;
            let unit = if keep.torn { SECTOR } else { PAGE as usize };
            let (mut survived, units) = (0, PAGE as usize / unit);
            for start in (0..PAGE as usize).step_by(unit) {
                let sector = start..start + unit;
                if rng.chance(keep.chance, WHOLE) {
                    survived += 1;
                    old[sector.clone()].copy_from_slice(&new[sector]);
                    if there > start {
                        size = size.max(at + there.min(start + unit) as u64);
                    }
                } else {
                    let differs = old[sector.clone()].iter().zip(&new[sector]);
                    toll.bytes += differs.filter(|(a, b)| a != b).count() as u64;
                }
            }
            match survived {
                0 => toll.lost += 1,
                n if n == units => toll.kept += 1,
                _ => toll.torn += 1,
            }
            file.write_all_at(&old, at)?;
        }
        toll.bytes = toll.bytes.max(now.saturating_sub(size));
        file.set_len(size)?;
        Ok(toll)
    }
}

/// Reads as much of a page as there is.
fn read_some(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], at + done as u64)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(contents: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(contents, 0).unwrap();
        file
    }

    fn contents(file: &File) -> Vec<u8> {
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn everything_unsynced_goes() {
        let old: Vec<u8> = (0..10_000u32).map(|i| i as u8).collect();
        let file = file(&old);
        let mut unsynced = Unsynced::of(&file).unwrap();
        unsynced.keep(&file, 3_000, 2_000).unwrap();
        file.write_all_at(&[7; 2_000], 3_000).unwrap();
        unsynced.keep(&file, 9_990, 9_000).unwrap();
        file.write_all_at(&[8; 9_000], 9_990).unwrap();
        assert_eq!(unsynced.held(), 10_000);
        let toll = unsynced.restore(&file, Keep::default(), &mut Rng::new(1)).unwrap();
        assert_eq!(contents(&file), old);
        assert_eq!((toll.lost, toll.kept, toll.torn), (5, 0, 0));
        assert!(toll.bytes >= 8_990, "{toll:?}");
    }

    #[test]
    fn a_cut_file_is_whole_again() {
        let file = file(&[1; 9_000]);
        let mut unsynced = Unsynced::of(&file).unwrap();
        unsynced.keep(&file, 100, 8_900).unwrap();
        file.set_len(100).unwrap();
        unsynced.restore(&file, Keep::default(), &mut Rng::new(1)).unwrap();
        assert_eq!(contents(&file), vec![1; 9_000]);
    }

    #[test]
    fn every_page_is_the_old_one_or_the_new_one() {
        for (seed, torn) in (0..40).zip([false, true].into_iter().cycle()) {
            let file = file(&[1; 5 * 4096 + 100]);
            let mut unsynced = Unsynced::of(&file).unwrap();
            unsynced.keep(&file, 0, 9 * PAGE).unwrap();
            file.write_all_at(&[2; 9 * 4096], 0).unwrap();
            let keep = Keep { chance: WHOLE / 2, torn };
            let toll = unsynced.restore(&file, keep, &mut Rng::new(seed)).unwrap();
            let bytes = contents(&file);
            assert!(bytes.len() >= 5 * 4096 + 100 && bytes.len() <= 9 * 4096);
            assert_eq!(toll.lost + toll.kept + toll.torn, 9);
            assert_eq!(toll.torn > 0, torn);
            let unit = if torn { SECTOR } else { PAGE as usize };
            for (i, unit) in bytes.chunks(unit).enumerate() {
                let old = if i * unit.len() < 5 * 4096 + 100 { 1 } else { 0 };
                let whole = |byte| unit.iter().all(|b| *b == byte);
                let end = unit.contains(&1) && unit.contains(&0) && !unit.contains(&2);
                assert!(whole(2) || whole(old) || end, "{i}: {unit:?}");
            }
        }
    }
}
