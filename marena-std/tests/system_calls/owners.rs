//! The owner, the group and the mode that a file gets from the one that it replaces, where the
//! system sets some of them and refuses others.

use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use marena_std::{MapError, MappedArena};

use crate::calls::{Answer, Call, answering};

const CAPACITY: usize = 65_536;
/// What stands for no change of an owner or a group.
const SAME: u32 = u32::MAX;

/// What a replacement asks for.
#[derive(Debug, PartialEq)]
enum Asked {
    Owner(u32, u32),
    Mode(u32),
}

/// Creates an arena with this owner and group, if they are to be others, and mode, replaces it, and
/// returns what it asked for. `refuse` says which error it gets. Returns `None` if this user may
/// not give files away.
fn replaced(
    (owner, group): (Option<u32>, Option<u32>),
    mode: u32,
    refuse: impl Fn(&Asked) -> Option<i32>,
) -> Option<(Result<(), MapError>, Vec<Asked>)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    // SAFETY: the file is this test's, here and below.
    drop(unsafe { MappedArena::create(&path, CAPACITY) }.unwrap());
    if (owner, group) != (None, None) && chown(&path, owner, group).is_err() {
        eprintln!("not tested: this user may not give files away");
        return None;
    }
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    let asked = RefCell::new(Vec::new());
    let answer = |call: &Call<'_>| {
        let found = match *call {
            Call::Owner { owner, group } => Asked::Owner(owner, group),
            Call::Mode(mode) => Asked::Mode(mode & 0o7777),
            _ => return Answer::Real,
        };
        let error = refuse(&found);
        asked.borrow_mut().push(found);
        error.map_or(Answer::Value(0), Answer::Error)
    };
    let replace = |path: &Path| {
        // SAFETY: as above.
        unsafe { MappedArena::builder().capacity(CAPACITY).replace(path) }.map(drop)
    };
    let result = answering(answer, || replace(&path));
    Some((result, asked.take()))
}

#[test]
fn a_file_of_the_same_owner_and_group_gets_the_mode_and_nothing_else() {
    for mode in [0o600, 0o664, 0o4755, 0o2770, 0o7777] {
        // Not even a file system without owners is asked for one.
        let refuse = |asked: &Asked| matches!(asked, Asked::Owner(..)).then_some(libc::EPERM);
        let (result, asked) = replaced((None, None), mode, refuse).unwrap();
        result.unwrap();
        assert_eq!(asked, [Asked::Mode(mode)]);
    }
}

#[test]
fn what_the_system_refuses_costs_the_rights_that_go_with_it() {
    use Asked::{Mode, Owner};

    const USER: u32 = 65_533;
    const GROUP: u32 = 65_534;
    let refused = Some(libc::EPERM);
    let (user, group) = ((Some(USER), None), (None, Some(GROUP)));
    let both = (Some(USER), Some(GROUP));
    // All of it, and nothing is lost.
    let Some((result, asked)) = replaced(both, 0o6664, |_| None) else { return };
    result.unwrap();
    assert_eq!(asked, [Owner(USER, GROUP), Mode(0o6664)]);
    // The owner is another, and the group is the same.
    let owners = |asked: &Asked| if matches!(asked, Owner(..)) { refused } else { None };
    let (result, asked) = replaced(user, 0o6640, owners).unwrap();
    result.unwrap();
    assert_eq!(asked, [Owner(USER, SAME), Mode(0o2640)]);
    // The group can be set alone.
    let user_only = |asked: &Asked| if matches!(asked, Owner(USER, _)) { refused } else { None };
    let (result, asked) = replaced(both, 0o6640, user_only).unwrap();
    result.unwrap();
    assert_eq!(asked, [Owner(USER, GROUP), Owner(SAME, GROUP), Mode(0o2640)]);
    // Another group gets the permissions that everyone has.
    for (mode, kept) in [(0o6664, 0o644), (0o6676, 0o666), (0o7617, 0o1617), (0o6670, 0o600), (0o6602, 0o602)] {
        let (result, asked) = replaced(both, mode, owners).unwrap();
        result.unwrap();
        assert_eq!(asked, [Owner(USER, GROUP), Owner(SAME, GROUP), Mode(kept)], "{mode:o}");
        let (result, asked) = replaced(group, mode, owners).unwrap();
        result.unwrap();
        assert_eq!(asked, [Owner(SAME, GROUP), Owner(SAME, GROUP), Mode(kept)], "{mode:o}");
    }
}

/// Some file systems have no modes of their own.
#[test]
fn a_mode_that_may_not_be_set_is_no_error_and_one_that_cannot_be_is() {
    for (error, kind) in
        [(libc::EPERM, None), (libc::EACCES, None), (libc::EROFS, Some(io::ErrorKind::ReadOnlyFilesystem))]
    {
        let refuse = |asked: &Asked| matches!(asked, Asked::Mode(_)).then_some(error);
        let (result, asked) = replaced((None, None), 0o644, refuse).unwrap();
        assert_eq!(asked, [Asked::Mode(0o644)]);
        match result {
            Err(MapError::Io { action: "create", source, .. }) => assert_eq!(Some(source.kind()), kind),
            result => assert_eq!(result.is_ok(), kind.is_none(), "{result:?}"),
        }
    }
}
