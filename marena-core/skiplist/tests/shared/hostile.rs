//! A peer that writes what it likes.

use std::thread;

use marena_std::{Address, MappedArena};

use crate::{TestFile, numbers};

#[test]
fn a_peer_that_writes_hostile_links_causes_errors_and_nothing_worse() {
    let file = TestFile::new();
    let map = file.map(1 << 18);
    for number in 0..200_u32 {
        map.insert(format!("key{number}").as_bytes(), b"value").unwrap();
    }
    let used = map.stats().used as u64;
    let peer = file.open();
    thread::scope(|scope| {
        let user = scope.spawn(|| {
            let (mut sound, mut damaged) = (0, 0);
            for (number, round) in numbers(4).zip(0..400_000) {
                // The peer may not run for a while, with or without damage in the file.
                if round >= 4_000 && sound > 0 && damaged > 0 {
                    break;
                }
                let key = format!("key{}", number % 400).into_bytes();
                let outcomes = [
                    map.get(&key).map(drop),
                    map.insert(&key, b"new").map(drop),
                    map.remove(&key).map(drop),
                    map.range(&key[..]..).take(100).try_for_each(|entry| entry.map(drop)),
                    map.range(..&key[..]).rev().take(100).try_for_each(|entry| entry.map(drop)),
                    map.insert_group(&[(&key, b"1"), (b"key", b"2")]).map(drop),
                ];
                for outcome in outcomes {
                    match outcome {
                        Ok(()) => sound += 1,
                        Err(_) => damaged += 1,
                    }
                }
            }
            assert!(sound > 0 && damaged > 0, "{sound} calls succeeded, {damaged} failed");
        });
        let mut numbers = numbers(3);
        let mut written = Vec::new();
        while !user.is_finished() {
            let at = 128 + numbers.next().unwrap() % used / 4 * 4;
            let word = match numbers.next().unwrap() % 4 {
                0 => numbers.next().unwrap() as u32,
                1 => 0,
                // Most likely a node, or nearly.
                _ => (128 + numbers.next().unwrap() % used / 4 * 4) as u32,
            };
            let address = Address::new(at as u32, 4).unwrap();
            let mut before = [0; 4];
            peer.read_into(address, &mut before).unwrap();
            MappedArena::write_from(&peer, address, &word.to_ne_bytes()).unwrap();
            written.push((address, before));
            // Taken back, the last first, so that the map stays one.
            if written.len() == 16 {
                while let Some((address, before)) = written.pop() {
                    peer.write_from(address, &before).unwrap();
                }
            }
        }
    });
}
