//! x86-64: the shim, jumps and registers.

use nix::sys::ptrace;
use nix::unistd::Pid;

use super::Shim;
use crate::clock::tracee::PatchError;

/// Whether processes can be patched on this processor.
pub(in crate::clock) const SUPPORTED: bool = true;
/// `AUDIT_ARCH_X86_64`, as seccomp filters see it.
pub(in crate::clock) const AUDIT_ARCH: u32 = 0xc000_003e;

// Position-independent, copied into processes byte for byte. It calls no library and needs no
// stack beyond 64 bytes, since Go calls the vDSO on stacks of its own. The arithmetic is that of
// `line.rs`, and its offsets are those of `Line` and of the page.
//
// The generation is read before the true clock and again at the end, and everything is done anew
// if it moved: so a reading by any line was taken while that line was in force.
//
// Seconds are split off by multiplication: n / 10^9 = ((n >> 9) * 0x44b82fa09b5a53) >> 75 for
// all n < 2^63, and n / 1000 = (n * 274877907) >> 38 for all n < 10^9.
std::arch::global_asm!(
    r#"
    .pushsection .text.danso_clock,"ax",@progbits
    .balign 64
    .globl danso_clock_start, danso_clock_end
    .globl danso_clock_gettime, danso_clock_gettimeofday, danso_clock_time
    .globl danso_clock_true_gettime, danso_clock_true_gettimeofday
    .globl danso_clock_gadget, danso_clock_breakpoint
danso_clock_start:
    .quad 0, 0, 0, 0, 0, 0, 0, 0

danso_clock_gettime:                        /* int clock_gettime(edi clock, rsi timespec) */
    push rbx
    push r12
    push r13
    mov  ebx, edi
    mov  r12, rsi
1:  mov  r13, [rip + danso_clock_start + 4104]
    mov  edi, ebx
    mov  rsi, r12
    call qword ptr [rip + danso_clock_start]
    test eax, eax
    jnz  9f
    test r12, r12
    jz   9f
    imul rsi, qword ptr [r12], 1000000000
    add  rsi, qword ptr [r12 + 8]
    call danso_clock_adjust
    cmp  r13, [rip + danso_clock_start + 4104]
    jne  1b
    cmp  rax, rsi
    je   8f
    call danso_clock_split
    mov  [r12], rdx
    mov  [r12 + 8], rax
8:  xor  eax, eax
9:  pop  r13
    pop  r12
    pop  rbx
    ret

danso_clock_gettimeofday:                   /* int gettimeofday(rdi timeval, rsi timezone) */
    push rbx
    push r12
    sub  rsp, 24
    mov  rbx, rdi
    mov  r12, rsi
    test rsi, rsi
    jz   1f
    xor  edi, edi
    call qword ptr [rip + danso_clock_start + 8]
1:  test rbx, rbx
    jz   8f
    xor  edi, edi
    mov  rsi, rsp
    call danso_clock_gettime
    test eax, eax
    jnz  9f
    mov  rax, [rsp]
    mov  [rbx], rax
    imul rax, qword ptr [rsp + 8], 274877907
    shr  rax, 38
    mov  [rbx + 8], rax
8:  xor  eax, eax
9:  add  rsp, 24
    pop  r12
    pop  rbx
    ret

danso_clock_time:                           /* time_t time(rdi) */
    push rbx
    sub  rsp, 16
    mov  rbx, rdi
    xor  edi, edi
    mov  rsi, rsp
    call danso_clock_gettime
    mov  rax, [rsp]
    test rbx, rbx
    jz   9f
    mov  [rbx], rax
9:  add  rsp, 16
    pop  rbx
    ret

danso_clock_split:                          /* rax ns -> rdx s, rax ns */
    mov  rcx, rax
    shr  rax, 9
    movabs rdx, 0x44b82fa09b5a53
    mul  rdx
    shr  rdx, 11
    imul rax, rdx, 1000000000
    sub  rcx, rax
    mov  rax, rcx
    ret

                     /* ebx clock, rsi t, r13 generation -> rax reading; keeps these */
danso_clock_adjust:
    cmp  ebx, 11
    ja   3f
    mov  r8d, ebx
    shl  r8d, 7
    mov  r10d, r13d
    and  r10d, 1
    imul r10d, r10d, 0x600
    add  r10d, r8d
    lea  r8, [rip + danso_clock_start + 4096]
    lea  r10, [r8 + r10 + 0x400]
    mov  rcx, [r10 + 8]
    mov  r11, [r10 + 16]
    or   r11, [r10 + 24]
    or   r11, [r10 + 32]
    jz   5f
    mov  r11, rsi
    sub  r11, [r10]
    jns  4f
    mov  rax, [r10 + 24]
    imul r11
    shrd rax, rdx, 32
    add  rcx, rax
    jmp  5f
4:  mov  rax, [r10 + 16]
    imul r11
    shrd rax, rdx, 32
    add  rcx, rax
    cmp  r11, [r10 + 40]
    cmovg r11, [r10 + 40]
    mov  rax, [r10 + 32]
    imul r11
    shrd rax, rdx, 32
    add  rcx, rax
5:  mov  r11, [r10 + 56]
    test r11, r11
    jz   6f
    mov  rax, rsi
    sub  rax, [r10 + 48]
    js   6f
    xor  edx, edx
    div  r11
    test al, 1
    jnz  6f
    add  rcx, [r10 + 64]
6:  xor  edx, edx
    lea  rax, [rsi + rcx]
    test rax, rax
    cmovs rax, rdx
    ret
3:  mov  rax, rsi
    ret

danso_clock_true_gettime:
    mov  eax, 228
danso_clock_gadget:
    syscall
    ret
danso_clock_true_gettimeofday:
    mov  eax, 96
    syscall
    ret
danso_clock_breakpoint:
    int3
danso_clock_end:
    .popsection
"#
);

unsafe extern "C" {
    static danso_clock_start: u8;
    static danso_clock_end: u8;
    static danso_clock_gettime: u8;
    static danso_clock_gettimeofday: u8;
    static danso_clock_time: u8;
    static danso_clock_true_gettime: u8;
    static danso_clock_true_gettimeofday: u8;
    static danso_clock_gadget: u8;
    static danso_clock_breakpoint: u8;
}

/// The shim.
pub(in crate::clock) fn shim() -> Result<Shim, PatchError> {
    let start = &raw const danso_clock_start;
    let offset = |symbol: *const u8| symbol as u64 - start as u64;
    let length = offset(&raw const danso_clock_end) as usize;
    // SAFETY: the assembler put these bytes into our own text, the two symbols at its ends.
    let code = unsafe { std::slice::from_raw_parts(start, length) }.to_vec();
    Ok(Shim {
        code,
        clock_gettime: offset(&raw const danso_clock_gettime),
        gettimeofday: offset(&raw const danso_clock_gettimeofday),
        time: offset(&raw const danso_clock_time),
        true_clock_gettime: offset(&raw const danso_clock_true_gettime),
        true_gettimeofday: offset(&raw const danso_clock_true_gettimeofday),
        gadget: offset(&raw const danso_clock_gadget),
        breakpoint: offset(&raw const danso_clock_breakpoint),
    })
}

/// `jmp [rip]` to anywhere: 14 bytes, no register touched.
pub(in crate::clock) fn jump_to(target: u64) -> Vec<u8> {
    let mut code = vec![0xff, 0x25, 0, 0, 0, 0];
    code.extend_from_slice(&target.to_le_bytes());
    code
}

/// Where such a jump leads, if there is one.
pub(in crate::clock) fn jump_from(code: &[u8]) -> Option<u64> {
    let target = code.strip_prefix(&[0xff, 0x25, 0, 0, 0, 0])?.get(..8)?;
    Some(u64::from_le_bytes(target.try_into().ok()?))
}

/// A stopped thread's registers.
#[derive(Clone, Copy)]
pub(in crate::clock) struct Registers(libc::user_regs_struct);

impl Registers {
    pub(in crate::clock) fn get(pid: Pid) -> Result<Registers, PatchError> {
        ptrace::getregs(pid).map(Registers).map_err(|e| PatchError::of(pid, "its registers", e))
    }

    pub(in crate::clock) fn set(&self, pid: Pid) -> Result<(), PatchError> {
        ptrace::setregs(pid, self.0).map_err(|e| PatchError::of(pid, "its registers", e))
    }

    /// These, about to call the kernel from the instruction at `gadget`.
    pub(in crate::clock) fn system_call(
        &self,
        gadget: u64,
        number: i64,
        args: [u64; 6],
    ) -> Registers {
        let mut r = self.0;
        r.rip = gadget;
        r.rax = number.cast_unsigned();
        // Otherwise the kernel may think of an interrupted call to restart.
        r.orig_rax = u64::MAX;
        [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9] = args;
        Registers(r)
    }

    /// These, about to enter the function at `entry` with the stack at `stack`, where the return
    /// address is.
    pub(in crate::clock) fn call(&self, entry: u64, stack: u64, args: [u64; 2]) -> Registers {
        let mut r = self.0;
        (r.rip, r.rsp, r.rax, r.orig_rax) = (entry, stack, 0, u64::MAX);
        [r.rdi, r.rsi] = args;
        Registers(r)
    }

    pub(in crate::clock) fn stack(&self) -> u64 {
        self.0.rsp
    }

    /// What a call returned.
    pub(in crate::clock) fn result(&self) -> u64 {
        self.0.rax
    }
}
