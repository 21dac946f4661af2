//! Replacing an arena: what it keeps of the old file, and which files it leaves alone.
#![cfg(all(unix, target_has_atomic = "64", not(miri)))]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use marena_std::marena_core::AttachError;
use marena_std::{MapError, MappedArena, MappedBuilder};
use tempfile::TempDir;

const CAPACITY: usize = 1 << 16;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    (directory, path)
}

fn builder() -> MappedBuilder {
    MappedArena::builder().capacity(CAPACITY)
}

/// Creates an arena with a published root.
fn make(path: &Path) {
    // SAFETY: tests have their files to themselves, here and below.
    let arena = unsafe { builder().create(path) }.unwrap();
    arena.publish_root(0, arena.allocate_copy(b"old").unwrap()).unwrap();
}

fn replace(path: &Path) -> Result<MappedArena, MapError> {
    // SAFETY: as in `make`.
    unsafe { builder().replace(path) }
}

fn entries(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn the_new_file_has_the_mode_of_the_old_one() {
    for mode in [0o600, 0o640, 0o644, 0o666, 0o700, 0o4755, 0o2770] {
        let (_directory, path) = place();
        make(&path);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        let arena = replace(&path).unwrap();
        assert_eq!((arena.used(), arena.root(0)), (0, None));
        let found = fs::metadata(&path).unwrap();
        assert_eq!(found.mode() & 0o7777, mode, "{:o} instead of {mode:o}", found.mode());
        assert_ne!(found.ino(), inode);
    }
}

/// Only the superuser can give files away, so only the superuser runs this test.
#[test]
fn the_new_file_has_the_owner_and_group_of_the_old_one() {
    let (_directory, path) = place();
    make(&path);
    if chown(&path, Some(65_534), Some(65_533)).is_err() {
        eprintln!("not tested: this user may not give files away");
        return;
    }
    fs::set_permissions(&path, Permissions::from_mode(0o4640)).unwrap();
    drop(replace(&path).unwrap());
    let found = fs::metadata(&path).unwrap();
    assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (65_534, 65_533, 0o4640));
}

#[test]
fn a_link_stays_a_link_and_what_it_names_is_replaced() {
    let (directory, path) = place();
    make(&path);
    let folder = directory.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let (relative, absolute) = (folder.join("relative"), folder.join("absolute"));
    symlink("../arena", &relative).unwrap();
    symlink(&relative, &absolute).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    drop(replace(&absolute).unwrap());
    for link in [&relative, &absolute] {
        assert!(link.is_symlink());
    }
    assert!(!path.is_symlink());
    assert_ne!(fs::metadata(&path).unwrap().ino(), inode);
    assert_eq!((entries(&folder), entries(directory.path())), (2, 2));
}

#[test]
fn through_a_link_to_nothing_the_arena_is_created_where_it_leads() {
    let (directory, path) = place();
    let link = directory.path().join("link");
    symlink("arena", &link).unwrap();
    drop(replace(&link).unwrap());
    assert!(link.is_symlink() && path.is_file());
    drop(replace(&link).unwrap());
    assert_eq!(entries(directory.path()), 2);
    // A circle of links leads nowhere.
    let circle = directory.path().join("circle");
    symlink("circle", &circle).unwrap();
    assert!(matches!(replace(&circle), Err(MapError::Io { action: "open", .. })));
}

#[test]
fn names_of_every_length_that_can_be_created_can_be_replaced() {
    let directory = tempfile::tempdir().unwrap();
    for len in [1, 200, 243, 244, 250, 255] {
        let path = directory.path().join("n".repeat(len));
        make(&path);
        assert_eq!(replace(&path).unwrap().used(), 0, "{len}");
    }
    let path = directory.path().join("n".repeat(256));
    // SAFETY: as in `make`.
    assert!(matches!(unsafe { builder().create(&path) }, Err(MapError::Io { .. })));
    assert!(matches!(replace(&path), Err(MapError::Io { .. })));
}

#[test]
fn a_file_that_is_no_arena_is_replaced_only_if_the_builder_allows_it() {
    let (directory, path) = place();
    for contents in [&b""[..], b"notes", &[0; 200], &[0xFF; CAPACITY]] {
        fs::write(&path, contents).unwrap();
        let error = replace(&path).unwrap_err();
        assert!(matches!(error, MapError::Attach { source: AttachError::NotAnArena, .. }), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), contents);
        // SAFETY: as in `make`.
        let told = unsafe { builder().replace_other_files(true).replace(&path) }.unwrap();
        assert_eq!(told.capacity(), CAPACITY);
    }
    assert_eq!(entries(directory.path()), 1);
}

#[test]
fn an_arena_that_is_damaged_or_of_another_version_can_be_replaced() {
    let (_directory, path) = place();
    for (offset, damage) in [(8, [9, 9]), (16, [1, 0]), (24, [1, 1]), (64, [3, 0])] {
        let _ = fs::remove_file(&path);
        make(&path);
        let mut bytes = fs::read(&path).unwrap();
        bytes[offset..offset + 2].copy_from_slice(&damage);
        fs::write(&path, bytes).unwrap();
        // SAFETY: as in `make`.
        assert!(unsafe { MappedArena::open(&path) }.is_err(), "{offset}");
        assert_eq!(replace(&path).unwrap().used(), 0, "{offset}");
    }
}

#[test]
fn a_wrong_capacity_is_an_error_before_the_file_is_read() {
    let (_directory, path) = place();
    make(&path);
    let before = fs::read(&path).unwrap();
    // SAFETY: as in `make`.
    let result = unsafe { MappedArena::builder().replace(&path) };
    assert!(matches!(result, Err(MapError::Capacity { requested: 0, .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn replacing_never_says_that_the_file_exists_whatever_others_do() {
    let (_directory, path) = place();
    thread::scope(|scope| {
        let replacing = scope.spawn(|| {
            for _ in 0..300 {
                match replace(&path) {
                    Ok(_) | Err(MapError::InUse { .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        });
        while !replacing.is_finished() {
            // SAFETY: as in `make`.
            drop(unsafe { builder().create(&path) });
            let _ = fs::remove_file(&path);
        }
    });
}

#[test]
fn an_arena_that_was_opened_is_the_one_that_its_name_leads_to() {
    let (_directory, path) = place();
    make(&path);
    thread::scope(|scope| {
        let opening = scope.spawn(|| {
            let mut opened = 0;
            while opened < 300 {
                // SAFETY: as in `make`, here and below.
                let Ok(arena) = (unsafe { MappedArena::open(&path) }) else { continue };
                opened += 1;
                let mark = arena.allocate_copy(&[opened as u8; 8]).unwrap();
                arena.publish_root(2, mark).unwrap();
                // While this arena is open, no other thread can replace it. One may be trying just
                // now.
                let same = loop {
                    // SAFETY: as above.
                    match unsafe { MappedArena::open_read_only(&path) } {
                        Err(MapError::InUse { .. }) => {}
                        outcome => break outcome.unwrap(),
                    }
                };
                assert_eq!(same.root(2), Some(mark));
                assert_eq!(same.read_value::<[u8; 8]>(mark), Ok([opened as u8; 8]));
            }
        });
        while !opening.is_finished() {
            drop(replace(&path));
        }
    });
}

#[test]
fn a_file_that_only_its_descriptor_names_is_not_replaced_by_another() {
    let (directory, path) = place();
    make(&path);
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let name = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file)));
    if name.exists() {
        fs::remove_file(&path).unwrap();
        assert!(matches!(replace(&name), Err(MapError::InUse { .. })));
        assert_eq!(entries(directory.path()), 0);
    }
}
