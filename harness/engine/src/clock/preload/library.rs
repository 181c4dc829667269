//! The library that is preloaded where processes may not be patched: it stands in front of the C
//! library's clock functions and asks the kernel itself, so that nothing of the C library is
//! needed before it is ready. Knows `core` only. Built by `build.rs`, by the compiler that builds
//! everything else.

#![no_std]

#[path = "../line.rs"]
#[allow(dead_code, reason = "the controller needs more of it")]
mod line;

use core::ffi::{c_char, c_int, c_long, c_void};
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicI64, AtomicPtr, AtomicU64, Ordering, fence};

use line::{CLOCKS, GENERATION, LINE, Line, MAGIC, PAGE, SLOT, SLOTS};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

unsafe extern "C" {
    static environ: *const *const c_char;
    fn __errno_location() -> *mut c_int;
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

#[repr(C)]
struct Timeval {
    seconds: i64,
    microseconds: i64,
}

const OPEN: c_long = 2;
const CLOSE: c_long = 3;
const MMAP: c_long = 9;
const GETTIMEOFDAY: c_long = 96;
const CLOCK_GETTIME: c_long = 228;
const O_CLOEXEC: c_long = 0o2_000_000;
const PROT_READ: c_long = 1;
const MAP_SHARED: c_long = 1;
const NANOS: i64 = 1_000_000_000;

/// The page, once it is mapped.
static MAPPED: AtomicPtr<u8> = AtomicPtr::new(null_mut());

/// # Safety
/// As the call's own.
unsafe fn system_call(number: c_long, args: [c_long; 6]) -> c_long {
    let result;
    // SAFETY: the kernel's calling convention; what it does with the arguments is the caller's.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// The value of `DANSO_CLOCK`, which ends with a zero.
fn path() -> *const c_char {
    const NAME: &[u8] = b"DANSO_CLOCK=";
    // SAFETY: the C library keeps a list of texts there that ends with a null; none is shorter
    // than it says by its final zero, and comparison stops there.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            let text = *entry;
            let mut same = 0;
            while same < NAME.len() && *text.add(same) as u8 == NAME[same] {
                same += 1;
            }
            if same == NAME.len() {
                return text.add(same);
            }
            entry = entry.add(1);
        }
    }
    null()
}

/// The page; maps it at first. Null if there is none.
fn page() -> *mut u8 {
    let mapped = MAPPED.load(Ordering::Acquire);
    if !mapped.is_null() {
        return mapped;
    }
    let path = path();
    if path.is_null() {
        return null_mut();
    }
    // SAFETY: it opens a file, maps it at an address the kernel chooses, and closes it again.
    unsafe {
        let file = system_call(OPEN, [path as c_long, O_CLOEXEC, 0, 0, 0, 0]);
        if file < 0 {
            return null_mut();
        }
        let at = system_call(MMAP, [0, PAGE as c_long, PROT_READ, MAP_SHARED, file, 0]);
        system_call(CLOSE, [file, 0, 0, 0, 0, 0]);
        if (-4095..0).contains(&at) {
            return null_mut();
        }
        let at = at as *mut u8;
        if word(at, 0) as u64 != MAGIC {
            return null_mut();
        }
        // Two threads may map it twice, once in a process's life.
        MAPPED.store(at, Ordering::Release);
        at
    }
}

/// Called by the loader: the page is there before the program begins, and can be seen there.
#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = begin;

extern "C" fn begin() {
    page();
}

/// # Safety
/// `at` is a multiple of 8 within the page.
unsafe fn word(page: *mut u8, at: usize) -> i64 {
    // SAFETY: within a mapping that is never unmapped, and aligned.
    unsafe { (*page.add(at).cast::<AtomicI64>()).load(Ordering::Relaxed) }
}

/// What a clock reads, or the kernel's error.
fn read(clock: c_int) -> Result<Timespec, c_int> {
    let page = page();
    loop {
        let generation = if page.is_null() {
            0
        } else {
            // SAFETY: as in `word`.
            unsafe { (*page.add(GENERATION).cast::<AtomicU64>()).load(Ordering::Acquire) }
        };
        let mut time = Timespec { seconds: 0, nanoseconds: 0 };
        // SAFETY: it writes one timespec.
        let result = unsafe {
            let to = (&raw mut time) as c_long;
            system_call(CLOCK_GETTIME, [c_long::from(clock), to, 0, 0, 0, 0])
        };
        if result < 0 {
            return Err(-result as c_int);
        }
        let Some(id) = usize::try_from(clock).ok().filter(|id| *id < CLOCKS) else {
            return Ok(time);
        };
        if page.is_null() {
            return Ok(time);
        }
        let at = SLOTS + (generation & 1) as usize * SLOT + id * LINE;
        // SAFETY: every field lies within the page.
        let field = |index: usize| unsafe { word(page, at + index * 8) };
        let line = Line {
            anchor: field(0),
            offset: field(1),
            rate: field(2),
            before: field(3),
            slew: field(4),
            slew_for: field(5),
            strobe_from: field(6),
            strobe_every: field(7),
            strobe_by: field(8),
            spare: [0; 7],
        };
        fence(Ordering::Acquire);
        // SAFETY: as above.
        let again = unsafe { (*page.add(GENERATION).cast::<AtomicU64>()).load(Ordering::Relaxed) };
        if again == generation {
            let ns = line.at(time.seconds.wrapping_mul(NANOS).wrapping_add(time.nanoseconds));
            return Ok(Timespec { seconds: ns / NANOS, nanoseconds: ns % NANOS });
        }
    }
}

/// See clock_gettime(2).
///
/// # Safety
/// As its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, to: *mut c_void) -> c_int {
    match read(clock) {
        Ok(time) => {
            // SAFETY: the caller's promise.
            unsafe { to.cast::<Timespec>().write(time) };
            0
        }
        Err(errno) => {
            // SAFETY: the C library's own, for this thread.
            unsafe { *__errno_location() = errno };
            -1
        }
    }
}

/// See gettimeofday(2).
///
/// # Safety
/// As its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(to: *mut c_void, zone: *mut c_void) -> c_int {
    if !zone.is_null() {
        // SAFETY: it writes the zone alone, as the caller promised it can.
        unsafe { system_call(GETTIMEOFDAY, [0, zone as c_long, 0, 0, 0, 0]) };
    }
    if !to.is_null()
        && let Ok(time) = read(0)
    {
        let time = Timeval { seconds: time.seconds, microseconds: time.nanoseconds / 1000 };
        // SAFETY: the caller's promise.
        unsafe { to.cast::<Timeval>().write(time) };
    }
    0
}

/// See time(2).
///
/// # Safety
/// As its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(to: *mut i64) -> i64 {
    let seconds = read(0).map_or(0, |time| time.seconds);
    if !to.is_null() {
        // SAFETY: the caller's promise.
        unsafe { to.write(seconds) };
    }
    seconds
}

/// See timespec_get(3).
///
/// # Safety
/// As its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timespec_get(to: *mut c_void, base: c_int) -> c_int {
    const TIME_UTC: c_int = 1;
    match read(0) {
        Ok(time) if base == TIME_UTC => {
            // SAFETY: the caller's promise.
            unsafe { to.cast::<Timespec>().write(time) };
            base
        }
        _ => 0,
    }
}
