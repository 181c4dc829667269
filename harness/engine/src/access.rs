//! [`may_enter`]: whether another user can get to a folder.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Fails unless `user`, in a group of the same number, may pass through every folder on the way.
///
/// # Errors
/// One line: which folder is closed, and the mend.
pub(crate) fn may_enter(user: u32, folder: &Path) -> Result<(), String> {
    for above in folder.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()) {
        let is = above.metadata().map_err(|e: io::Error| format!("{}: {e}", above.display()))?;
        if !is_open(&is, user) {
            return Err(format!(
                "user {user} may not enter {}: choose another folder with --out, such as one in \
                 /tmp, or chmod a+x it",
                above.display()
            ));
        }
    }
    Ok(())
}

fn is_open(is: &Metadata, user: u32) -> bool {
    let bit = match () {
        () if is.uid() == user => 0o100,
        () if is.gid() == user => 0o010,
        () => 0o001,
    };
    is.mode() & bit != 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_closed_folder_on_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("closed/data");
        std::fs::create_dir_all(&data).unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(dir.path(), 0o755);
        set(&dir.path().join("closed"), 0o711);
        assert_eq!(may_enter(4_242, &data), Ok(()));
        set(&dir.path().join("closed"), 0o700);
        assert!(may_enter(4_242, &data).unwrap_err().contains("closed: choose"));
        let ours = nix::unistd::geteuid().as_raw();
        assert_eq!(may_enter(ours, &data), Ok(()));
    }
}
