//! The same runs where less is allowed: where nobody may be traced, by a preloaded library; and for
//! a user without any privilege.

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

/// Runs the tests of whole runs again, in a process made so.
fn again(env: &[(&str, &str)], make: fn() -> io::Result<()>) -> Option<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("runs::").args(["--nocapture", "--test-threads=1"]).current_dir("/");
    command.envs(env.iter().copied());
    // SAFETY: only async-signal-safe calls are made, and nothing allocates.
    unsafe { command.pre_exec(make) };
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: it cannot be made so: {error}");
            return None;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for line in text.lines().filter(|l| l.contains("skipped:")) {
        println!("{line}");
    }
    Some(text)
}

#[test]
fn runs_are_the_same() {
    let Some(text) = again(&[(DENIED, "1")], forbid_ptrace) else { return };
    assert!(text.contains("clocks by Preloaded") || text.contains("skipped:"), "{text}");
}

#[test]
fn runs_are_the_same_for_a_user_without_any_privilege() {
    if !nix::unistd::geteuid().is_root() {
        return println!("skipped: only root can become somebody else; the other tests ran as you");
    }
    let nobody = || {
        // SAFETY: numbers of this process.
        let done = unsafe {
            libc::setgroups(0, std::ptr::null()) == 0
                && libc::setgid(65_534) == 0
                && libc::setuid(65_534) == 0
        };
        if done { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    let Some(text) = again(&[], nobody) else { return };
    assert!(text.contains("clocks by") || text.contains("skipped:"), "{text}");
}
