//! What a check of the whole map notices.

use std::fs;

use marena_skiplist::SharedMapError;

use crate::{TestFile, nodes};

#[test]
fn wrong_shortcuts_are_noticed_where_the_entries_are_all_there() {
    const COUNT: u32 = 300;
    let file = TestFile::new();
    let map = file.map(65_536);
    for number in 0..COUNT {
        map.insert(&number.to_be_bytes(), b"value").unwrap();
    }
    drop(map);
    let sound = fs::read(&file).unwrap();
    let nodes = nodes(&sound);
    let low = nodes.iter().rfind(|(_, height)| *height == 1).unwrap().0;
    let mut tall = nodes.iter().filter(|(_, height)| *height > 1).map(|(node, _)| *node);
    let [a, b, c, d] = [(); 4].map(|()| tall.next().unwrap());
    // The links of level 1 that are changed, and the node at which that is noticed: a node that
    // follows itself, one that is not on this level, and two that change places.
    let faults = [(vec![(c, c)], c), (vec![(a, low)], low), (vec![(a, c), (c, b), (b, d)], b)];
    for (links, noticed) in faults {
        let mut damaged = sound.clone();
        for (from, to) in links {
            damaged[from - 8..from - 4].copy_from_slice(&(to as u32).to_ne_bytes());
        }
        fs::write(&file, &damaged).unwrap();
        let map = file.reopen();
        assert_eq!(map.len().unwrap(), COUNT as usize);
        match map.verify() {
            Err(SharedMapError::Damage(damage)) => assert_eq!(damage.offset, noticed as u32),
            other => panic!("{other:?}"),
        }
    }
}
