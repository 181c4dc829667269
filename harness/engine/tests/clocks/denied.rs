//! Where nobody may be traced: the same runs, by a preloaded library.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Set in tests that run without ptrace.
pub(super) const DENIED: &str = "DANSO_TEST_NO_PTRACE";

/// Forbids ptrace to this process and all it starts, as strict containers do.
fn forbid_ptrace() -> io::Result<()> {
    let statement = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut program = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_ptrace as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the kernel reads the program, which lives until the call returns.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                0,
                &raw const program,
            ) == 0
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[test]
fn runs_are_the_same() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("runs::").args(["--nocapture", "--test-threads=1"]).env(DENIED, "1");
    // SAFETY: prctl and seccomp are async-signal-safe, and nothing allocates.
    unsafe { command.pre_exec(forbid_ptrace) };
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return println!("skipped: ptrace cannot be forbidden: {error}"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for line in text.lines().filter(|l| l.contains("skipped:")) {
        println!("{line}");
    }
    assert!(text.contains("clocks by Preloaded") || text.contains("skipped:"), "{text}");
}
