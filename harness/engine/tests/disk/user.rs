//! An ordinary user's disks: in a user namespace of their own, where `/dev/fuse` is for everybody.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use danso_engine::disk::{self, Disk, Harm, Keep, Op, Rule};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid};

use crate::inside::{EXE, command};

const NOBODY: u32 = 65534;

/// Becomes nobody, with or without a device everybody may open.
fn become_nobody(folder: &CStr, node: &CStr, mode: Mode) -> io::Result<()> {
    const NONE: Option<&CStr> = None;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NONE, c"/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    mount(Some(c"tmpfs"), folder, Some(c"tmpfs"), MsFlags::empty(), NONE)?;
    // SAFETY: changes only this process's file mode mask.
    unsafe { libc::umask(0) };
    mknod(node, SFlag::S_IFCHR, mode, makedev(10, 229))?;
    mount(Some(node), c"/dev/fuse", NONE, MsFlags::MS_BIND, NONE)?;
    setgroups(&[])?;
    setgid(Gid::from_raw(NOBODY))?;
    setuid(Uid::from_raw(NOBODY))?;
    nix::sys::prctl::set_no_new_privs()?;
    Ok(())
}

/// Runs the test `name` of this binary as nobody; what it printed.
fn as_nobody(name: &str, mode: Mode) -> Option<String> {
    if !geteuid().is_root() {
        println!("skipped: needs root to become somebody else");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(folder.path(), 0o755);
    let (work, device) = (folder.path().join("work"), folder.path().join("device"));
    fs::create_dir(&work).unwrap();
    fs::create_dir(&device).unwrap();
    open(&work, 0o777);
    // The binary itself may lie where nobody may look.
    let exe = folder.path().join("danso-internal");
    fs::copy(EXE, &exe).unwrap();
    open(&exe, 0o755);
    let text = |path: PathBuf| CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    let (tmpfs, node) = (text(device.clone()), text(device.join("fuse")));
    let mut command = Command::new("/proc/self/exe");
    command.args([name, "--exact", "--nocapture"]);
    command.env("DANSO_TEST_WORK", &work).env("DANSO_TEST_EXE", &exe);
    // SAFETY: nothing allocates; the calls change only the child.
    unsafe { command.pre_exec(move || become_nobody(&tmpfs, &node, mode)) };
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: cannot become nobody with a /dev/fuse: {error}");
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Some(said)
}

fn given() -> Option<(PathBuf, PathBuf)> {
    let work = std::env::var_os("DANSO_TEST_WORK")?;
    Some((work.into(), std::env::var_os("DANSO_TEST_EXE")?.into()))
}

#[test]
fn disk_of_nobody() {
    let Some((work, exe)) = given() else { return };
    assert_eq!(disk::probe(), Ok(()));
    let data = work.join("data");
    fs::create_dir(&data).unwrap();
    let disk = Disk::open(&exe, &data, &work.join("log")).unwrap();
    assert!(disk.users().is_some() && geteuid().as_raw() == NOBODY);
    let run = |script: &str| {
        let mut command = command(&disk, "sh", &["-c", script]);
        command.status().unwrap().success()
    };
    assert!(run("echo synced >log && sync log && echo lost >>log && mkdir gone"));
    assert_eq!(fs::read(data.join("log")).unwrap(), b"synced\nlost\n");
    let loss = disk.crash(Keep::default(), 1).unwrap();
    assert_eq!((loss.bytes, loss.names), (5, 1));
    assert_eq!(fs::read(data.join("log")).unwrap(), b"synced\n");
    assert!(!data.join("gone").exists());
    let rule = Rule {
        ops: vec![Op::Sync],
        files: Vec::new(),
        harm: Harm::Fail(libc::EIO),
        chance: 1_000_000,
        times: None,
        seed: 1,
    };
    let id = disk.add(rule).unwrap();
    assert!(!run("sync log"));
    assert_eq!(disk.lift(id).unwrap().total(), 1);
    assert!(run("sync log"));
    println!("all done");
}

#[test]
fn obstacle_of_nobody() {
    let Some(_) = given() else { return };
    println!("{}", disk::probe().unwrap_err());
}

#[test]
fn an_ordinary_user_has_disks_where_the_device_is_for_everybody() {
    let Some(said) = as_nobody("user::disk_of_nobody", Mode::from_bits_truncate(0o666)) else {
        return;
    };
    assert!(said.contains("all done"), "{said}");
}

#[test]
fn where_it_is_not_the_obstacle_is_named_with_its_mend() {
    let Some(said) = as_nobody("user::obstacle_of_nobody", Mode::from_bits_truncate(0o600)) else {
        return;
    };
    assert!(said.contains("/dev/fuse: Permission denied") && said.contains("chmod"), "{said}");
}
