//! What has to be known of ELF images: the functions a vDSO exports, and how a program is linked.

/// A function of a vDSO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// Bytes from the start of the image.
    pub(super) offset: u64,
    /// Bytes of its code.
    pub(super) size: u64,
}

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PF_W: u32 = 2;
const STT_FUNC: u8 = 2;
const GO_SECTION: &[u8] = b".go.buildinfo";
const GO_MAGIC: &[u8] = b"\xff Go buildinf:";
const GO_ALIGNMENT: usize = 16;

/// Little-endian integers at offsets; outside, nothing.
struct Image<'a>(&'a [u8]);

impl Image<'_> {
    fn u16(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.0.get(at..at.checked_add(2)?)?.try_into().ok()?))
    }

    fn u32(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.0.get(at..at.checked_add(4)?)?.try_into().ok()?))
    }

    fn u64(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(self.0.get(at..at.checked_add(8)?)?.try_into().ok()?))
    }

    fn is_elf64(&self) -> bool {
        // 64 bits, little-endian.
        self.0.starts_with(b"\x7fELF\x02\x01")
    }

    /// Type and place of every program header.
    fn headers(&self) -> Option<Vec<(u32, usize)>> {
        let (first, size) = (self.u64(0x20)? as usize, usize::from(self.u16(0x36)?));
        let count = usize::from(self.u16(0x38)?);
        (0..count)
            .map(|i| {
                let at = first.checked_add(i * size)?;
                Some((self.u32(at)?, at))
            })
            .collect()
    }

    /// Whether Go's linker wrote this program: it says so in a section of its own, or, without a
    /// table of sections, at an aligned place of the data that can be written. Elsewhere the words
    /// mean nothing: every program that looks for them, danso too, has them among its constants.
    fn is_of_go(&self, headers: &[(u32, usize)]) -> bool {
        let written = |at: usize| {
            let flags = self.u32(at.checked_add(4)?)?;
            let from =
                (self.u64(at.checked_add(8)?)? as usize).checked_next_multiple_of(GO_ALIGNMENT)?;
            let size = self.u64(at.checked_add(32)?)? as usize;
            let to = from.checked_add(size)?.min(self.0.len());
            (flags & PF_W != 0).then(|| self.0.get(from..to)).flatten()
        };
        self.has_section(GO_SECTION).unwrap_or(false)
            || headers
                .iter()
                .filter(|(kind, _)| *kind == PT_LOAD)
                .filter_map(|(_, at)| written(*at))
                .any(|data| data.chunks(GO_ALIGNMENT).any(|chunk| chunk.starts_with(GO_MAGIC)))
    }

    /// Whether a section has this name.
    fn has_section(&self, name: &[u8]) -> Option<bool> {
        let (first, size) = (self.u64(0x28)? as usize, usize::from(self.u16(0x3a)?));
        let (count, names) = (usize::from(self.u16(0x3c)?), usize::from(self.u16(0x3e)?));
        let section = |index: usize| first.checked_add(index * size);
        let names = self.u64(section(names)?.checked_add(24)?)? as usize;
        for index in 0..count {
            let at = names.checked_add(self.u32(section(index)?)? as usize)?;
            let rest = self.0.get(at..)?;
            if rest.starts_with(name) && rest.get(name.len()) == Some(&0) {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Every defined function of the dynamic symbol table.
    fn functions(&self) -> Option<Vec<Function>> {
        let headers = self.headers()?;
        let at = |kind| headers.iter().find(|(t, _)| *t == kind).map(|(_, at)| *at);
        let load = at(PT_LOAD)?;
        // Addresses in the image count from here.
        let bias = self.u64(load + 16)?.wrapping_sub(self.u64(load + 8)?);
        let table = self.dynamic(self.u64(at(PT_DYNAMIC)? + 8)? as usize, bias)?;
        let mut functions = Vec::new();
        for index in 0..table.symbols {
            let symbol = table.symtab.checked_add(index.checked_mul(24)?)?;
            let defined = self.u16(symbol + 6)? != 0;
            if self.0.get(symbol + 4)? & 15 != STT_FUNC || !defined {
                continue;
            }
            let name = self.0.get(table.strtab.checked_add(self.u32(symbol)? as usize)?..)?;
            let end = name.iter().position(|b| *b == 0)?;
            functions.push(Function {
                name: String::from_utf8_lossy(&name[..end]).into_owned(),
                offset: self.u64(symbol + 8)?.wrapping_sub(bias),
                size: self.u64(symbol + 16)?,
            });
        }
        Some(functions)
    }

    fn dynamic(&self, mut at: usize, bias: u64) -> Option<Table> {
        let (mut symtab, mut strtab, mut hash, mut gnu_hash) = (None, None, None, None);
        loop {
            let value = self.u64(at.checked_add(8)?)?.wrapping_sub(bias) as usize;
            match self.u64(at)? {
                0 => break,
                4 => hash = Some(value),
                5 => strtab = Some(value),
                6 => symtab = Some(value),
                0x6fff_fef5 => gnu_hash = Some(value),
                _ => {}
            }
            at += 16;
        }
        let symbols = match hash {
            Some(hash) => self.u32(hash.checked_add(4)?)? as usize,
            // Some architectures have the newer table only.
            None => self.gnu_hashed(gnu_hash?)?,
        };
        Some(Table { symtab: symtab?, strtab: strtab?, symbols })
    }

    /// How many symbols a GNU hash table covers: it ends where the last chain ends.
    fn gnu_hashed(&self, at: usize) -> Option<usize> {
        let (buckets, first) = (self.u32(at)? as usize, self.u32(at + 4)? as usize);
        let from = at.checked_add(16)?.checked_add((self.u32(at + 8)? as usize).checked_mul(8)?)?;
        let mut last = 0;
        for bucket in 0..buckets {
            last = last.max(self.u32(from + 4 * bucket)? as usize);
        }
        let Some(mut chain) = last.checked_sub(first) else { return Some(first) };
        let chains = from + 4 * buckets;
        while self.u32(chains.checked_add(chain.checked_mul(4)?)?)? & 1 == 0 {
            chain += 1;
        }
        Some(first + chain + 1)
    }
}

struct Table {
    symtab: usize,
    strtab: usize,
    symbols: usize,
}

/// The functions a vDSO exports.
///
/// # Errors
/// If it is no 64-bit image, or one we cannot read.
pub(super) fn functions(image: &[u8]) -> Result<Vec<Function>, String> {
    let image = Image(image);
    if !image.is_elf64() {
        return Err("its vDSO is no 64-bit one".to_owned());
    }
    image.functions().ok_or_else(|| "its vDSO cannot be read".to_owned())
}

/// How a program is linked, as far as a preloaded library cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linking {
    /// It loads libraries.
    Dynamic,
    /// It loads none.
    Static,
    /// It loads libraries, but asks the vDSO for the time by itself.
    Go,
    /// It is no program of this machine's kind: a script.
    Other,
}

/// How the program with this file content is linked.
pub(super) fn linking(file: &[u8]) -> Linking {
    let image = Image(file);
    if !image.is_elf64() {
        return Linking::Other;
    }
    let headers = image.headers().unwrap_or_default();
    if !headers.iter().any(|(kind, _)| *kind == PT_INTERP) {
        return Linking::Static;
    }
    if image.is_of_go(&headers) { Linking::Go } else { Linking::Dynamic }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_images_are_refused_not_followed() {
        let mut image = vec![0u8; 512];
        image[..6].copy_from_slice(b"\x7fELF\x02\x01");
        assert!(functions(&image).is_err());
        let mut rng = danso_vocab::Rng::new(1);
        for _ in 0..2_000 {
            for byte in &mut image[6..] {
                *byte = if rng.chance(1, 2) { 0 } else { rng.bits() as u8 };
            }
            let _ = functions(&image);
            let _ = linking(&image);
        }
        assert!(functions(b"#!/bin/sh").is_err());
        assert_eq!(linking(b"#!/bin/sh"), Linking::Other);
    }

    /// A program that loads libraries, with a segment of these flags and bytes.
    fn program(flags: u32, bytes: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 256];
        image[..6].copy_from_slice(b"\x7fELF\x02\x01");
        image[0x20] = 64;
        image[0x36] = 56;
        image[0x38] = 2;
        image[64] = PT_INTERP as u8;
        image[120] = PT_LOAD as u8;
        image[124] = flags as u8;
        image[128..136].copy_from_slice(&256u64.to_le_bytes());
        image[152..160].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        image.extend(bytes);
        image
    }

    #[test]
    fn programs_of_go_are_told_by_what_their_linker_writes() {
        let written = [GO_MAGIC, &[8, 2]].concat();
        assert_eq!(linking(&program(PF_W, &written)), Linking::Go);
        // Somebody who looks for it has it among its constants, or anywhere.
        assert_eq!(linking(&program(4, &written)), Linking::Dynamic);
        let elsewhere = [b"x".as_slice(), &written, &[0; 15]].concat();
        assert_eq!(linking(&program(PF_W, &elsewhere)), Linking::Dynamic);
        let behind = [program(PF_W, &[0; 16]), written].concat();
        assert_eq!(linking(&behind), Linking::Dynamic);
    }

    #[test]
    fn programs_of_go_are_told_by_a_section_too() {
        let mut image = program(4, b"");
        image[0x28..0x30].copy_from_slice(&256u64.to_le_bytes());
        image[0x3a] = 64;
        image[0x3c] = 2;
        image[0x3e] = 1;
        let mut sections = [0; 128];
        sections[0] = 1;
        sections[64 + 24..64 + 32].copy_from_slice(&384u64.to_le_bytes());
        let with = |name: &[u8]| [image.as_slice(), &sections, b"\0", name, b"\0"].concat();
        assert_eq!(linking(&with(b".go.buildinfo")), Linking::Go);
        assert_eq!(linking(&with(b".go.buildinfos")), Linking::Dynamic);
        assert_eq!(linking(&with(b".data")), Linking::Dynamic);
    }

    #[test]
    fn this_test_is_linked_dynamically() {
        #[repr(align(16))]
        struct Aligned([u8; 16]);
        // What this program has to bear among its constants.
        static MAGIC: Aligned = Aligned(*b"\xff Go buildinf:\x08\x02");
        assert_eq!(std::hint::black_box(&MAGIC).0.len(), 16);
        let program = std::fs::read("/proc/self/exe").unwrap();
        if cfg!(target_env = "gnu") {
            assert!(program.chunks(16).any(|chunk| *chunk == MAGIC.0));
            assert_eq!(linking(&program), Linking::Dynamic);
        }
    }
}
