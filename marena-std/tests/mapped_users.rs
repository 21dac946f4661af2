//! Arenas in files of other users: the tests run again in processes of a user with fewer rights.
//!
//! They have a program of their own, because a process that is being started briefly holds the
//! locks of all open files.
#![cfg(all(unix, target_has_atomic = "64", not(miri)))]

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use marena_std::{MapError, MappedArena, MappedBuilder};
use tempfile::TempDir;

mod another_user;
mod child;

const CAPACITY: usize = 1 << 16;

/// The variable with the path of the arena, for the process of the other user.
const PATH: &str = "MARENA_TEST_USERS";

/// The user and the group of the process, and another group that the process is in.
const USER: u32 = 65_534;
const JOINED: u32 = 65_533;

fn builder() -> MappedBuilder {
    MappedArena::builder().capacity(CAPACITY)
}

fn replace(path: &Path) -> Result<MappedArena, MapError> {
    // SAFETY: tests have their files to themselves.
    unsafe { builder().replace(path) }
}

/// A folder with an arena in it. One test at a time has one.
struct Place {
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Place {
    /// Returns `None` if this program cannot be run again.
    fn new(mode_of_folder: u32) -> Option<Self> {
        static ALONE: Mutex<()> = Mutex::new(());
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        if !child::starts_itself() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(mode_of_folder)).unwrap();
        Some(Self { folder, _alone })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("arena")
    }

    /// Makes a new arena. Returns false if this user may not give it to `group` of the superuser.
    fn make(&self, group: Option<u32>, mode: u32) -> bool {
        let path = self.path();
        let _ = fs::remove_file(&path);
        // SAFETY: as in `replace`.
        drop(unsafe { builder().create(&path) }.unwrap());
        if group.is_some() && chown(&path, Some(0), group).is_err() {
            eprintln!("not tested: this user may not give files away");
            return false;
        }
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        true
    }

    /// Runs the test of this name as another user. Returns what it says if it fails there.
    fn run(&self, test: &str) -> Result<(), String> {
        let groups = || {
            let joined = [JOINED];
            // SAFETY: the pointer is to one number. The call fails if this is not the superuser.
            unsafe { libc::setgroups(1, joined.as_ptr()) };
            Ok(())
        };
        let variables = [(PATH, self.path().into_os_string())];
        let variables = variables.each_ref().map(|(name, value)| (*name, OsStr::new(value)));
        let Some(output) = another_user::run(self.folder.path(), test, &variables, groups) else { return Ok(()) };
        fs::remove_file(self.folder.path().join("program")).unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        if output.status.success() && said.contains("1 passed") { Ok(()) } else { Err(said.into()) }
    }
}

/// Returns the path, in the process of the other user.
fn path_here() -> Option<PathBuf> {
    std::env::var_os(PATH).map(Into::into)
}

/// The process may write the file and its folder, but may not give files away.
#[test]
fn replacing_a_file_of_another_owner_gives_nobody_more_access() {
    if let Some(path) = path_here() {
        drop(replace(&path).unwrap());
        return;
    }
    let Some(place) = Place::new(0o777) else { return };
    for (group, mode, kept) in [
        // Another group gets the permissions that everyone has.
        (65_532, 0o666, 0o666),
        (65_532, 0o646, 0o646),
        (65_532, 0o6776, 0o766),
        (65_532, 0o662, 0o622),
        // The same group, and one that the process may give the file to, keep theirs.
        (USER, 0o660, 0o660),
        (USER, 0o062, 0o062),
        (JOINED, 0o660, 0o660),
        (JOINED, 0o064, 0o064),
    ] {
        if !place.make(Some(group), mode) {
            return;
        }
        let rights = if group == 65_532 { mode } else { mode >> 3 };
        let readable = rights & 6 == 6;
        let ran = place.run("replacing_a_file_of_another_owner_gives_nobody_more_access");
        assert_eq!(ran.is_ok(), readable, "{mode:o} of {group}: {ran:?}");
        if readable {
            let found = fs::metadata(place.path()).unwrap();
            let group = if group == 65_532 { USER } else { group };
            assert_eq!((found.uid(), found.gid()), (USER, group), "{mode:o}");
            assert_eq!(found.mode() & 0o7777, kept, "{:o} from {mode:o} of {group}", found.mode());
        }
    }
}

/// In such a folder, as `/tmp` is one, nobody may remove or replace the files of others.
#[test]
fn a_file_that_may_not_be_replaced_stays_and_leaves_nothing_beside_it() {
    if let Some(path) = path_here() {
        let result = replace(&path);
        let Err(MapError::Io { action: "link", source, .. }) = result else { panic!("{result:?}") };
        assert_eq!(source.kind(), ErrorKind::PermissionDenied);
        return;
    }
    let Some(place) = Place::new(0o1777) else { return };
    if place.make(Some(0), 0o666) {
        let before = fs::metadata(place.path()).unwrap().ino();
        place.run("a_file_that_may_not_be_replaced_stays_and_leaves_nothing_beside_it").unwrap();
        assert_eq!(fs::metadata(place.path()).unwrap().ino(), before);
        assert_eq!(place.folder.path().read_dir().unwrap().count(), 1);
    }
}

#[test]
fn reading_needs_no_permission_to_write() {
    if let Some(path) = path_here() {
        let refused = |result: &Result<MappedArena, MapError>| {
            let denied = |source: &io::Error| source.kind() == ErrorKind::PermissionDenied;
            matches!(result, Err(MapError::Io { action: "open", source, .. }) if denied(source))
        };
        // SAFETY: as in `replace`, here and below.
        let opened = unsafe { builder().open(&path) };
        assert!(refused(&opened), "{opened:?}");
        let replaced = replace(&path);
        assert!(refused(&replaced), "{replaced:?}");
        // SAFETY: as above.
        match unsafe { builder().open_read_only(&path) } {
            Ok(view) => assert_eq!(view.capacity(), CAPACITY),
            // Except where the temporary folder lies on such a file system.
            Err(error) => assert!(matches!(error, MapError::Overlay { .. }), "{error:?}"),
        }
        return;
    }
    let Some(place) = Place::new(0o755) else { return };
    place.make(None, 0o444);
    place.run("reading_needs_no_permission_to_write").unwrap();
}
