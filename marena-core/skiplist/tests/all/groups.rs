//! Insertion in groups.

use marena_core::AllocError;
use marena_skiplist::GROUP;

use crate::{all, map, numbers};

#[test]
fn groups_of_every_length_leave_what_single_inserts_leave() {
    let (grouped, single) = (map(16 << 20), map(16 << 20));
    let mut numbers = numbers(1);
    let longest = if cfg!(miri) { 20 } else { 4 * GROUP + 1 };
    for len in (0..=longest).chain([1000 / if cfg!(miri) { 50 } else { 1 }]) {
        // Few keys, so that a group has several entries of one key.
        let entries: Vec<_> = numbers
            .by_ref()
            .take(len)
            .map(|number| (format!("{:x}", number % 600).into_bytes(), number.to_string().into_bytes()))
            .collect();
        let group: Vec<_> = entries.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        assert_eq!(grouped.insert_group(&group), Ok(len));
        for (key, value) in group {
            single.insert(key, value).unwrap();
        }
        assert_eq!(grouped.len(), single.len());
    }
    assert_eq!(all(&grouped), all(&single));
}

#[test]
fn a_full_arena_ends_a_group_at_the_entry_that_does_not_fit() {
    let long = [b'x'; 40_000];
    let (short, long) = ((&b"k"[..], &b""[..]), (&long[..], &b""[..]));
    let map = map(1 << 16);
    assert_eq!(map.insert_group(&[short, long, short, long, short]), Ok(3));
    assert!(matches!(map.insert_group(&[long, short]), Err(AllocError::Full { .. })));
    assert_eq!(map.insert_group(&[short]), Ok(1));
    assert_eq!(map.len(), 2);

    // At the seam between two groups, and behind it.
    for fitting in [GROUP - 1, GROUP, GROUP + 1] {
        let map = self::map(1 << 16);
        let mut entries = vec![short; fitting];
        entries.push((long.0, long.0));
        entries.push(short);
        assert_eq!(map.insert_group(&entries), Ok(fitting));
    }
}
