//! x
mod record;
mod skiplist;
use std::time::Instant;
use record::*;
use std::collections::BTreeMap;
use std::sync::Mutex;
fn mix(mut z: u64) -> u64 { z = z.wrapping_add(0x9E3779B97F4A7C15); z = (z ^ (z >> 30)).wrapping_mul(0xBF58476D1CE4E5B9); z = (z ^ (z >> 27)).wrapping_mul(0x94D049BB133111EB); z ^ (z >> 31) }
fn main() {
    let n: usize = std::env::args().nth(1).map_or(1_000_000, |s| s.parse().unwrap());
    let threads: usize = std::env::args().nth(2).map_or(1, |s| s.parse().unwrap());
    let huge = std::env::args().nth(3).is_some();
    let keys: Vec<[u8;16]> = (0..n as u64).map(|i| { let mut k=[0;16]; k[..8].copy_from_slice(&mix(i).to_be_bytes()); k[8..].copy_from_slice(&mix(i+(1<<40)).to_be_bytes()); k}).collect();
    let value = [7u8;32];
    let order: Vec<usize> = { let mut v: Vec<usize> = (0..n).collect(); for i in (1..n).rev() { v.swap(i, (mix(i as u64+77) % (i as u64+1)) as usize); } v };
    for _ in 0..3 {
        let arena = marena_std::Arena::builder().capacity(n*80+(1<<20)).huge_pages(huge).build().unwrap();
        let list = skiplist::SkipList::new(arena).unwrap();
        let t = Instant::now();
        std::thread::scope(|s| { for (part, keys) in keys.chunks(n.div_ceil(threads)).enumerate() { let list=&list; s.spawn(move || { for (i,k) in keys.iter().enumerate() { list.insert(Record{key:k, tail:&value, sequence: Sequence::new((part*(n/threads+1)+i) as u64*49).unwrap()}).unwrap(); } }); }});
        let ins = t.elapsed().as_nanos() as f64 / n as f64;
        let t = Instant::now();
        for &i in &order { assert!(list.get(&keys[i]).is_some()); }
        let get = t.elapsed().as_nanos() as f64 / n as f64;
        let t = Instant::now();
        let count = list.iter().count();
        let scan = t.elapsed().as_nanos() as f64 / n as f64;
        println!("ours ins {ins:.0} get {get:.0} scan {scan:.0} count {count} bytes/entry {:.1}", list.stats().used as f64 / n as f64);
        drop(list);
        let map = crossbeam_skiplist::SkipMap::<Box<[u8]>, Box<[u8]>>::new();
        let t = Instant::now();
        std::thread::scope(|s| { for keys in keys.chunks(n.div_ceil(threads)) { let map=&map; s.spawn(move || { for k in keys { map.insert(Box::from(&k[..]), Box::from(&value[..])); } }); }});
        let cins = t.elapsed().as_nanos() as f64 / n as f64;
        let t = Instant::now();
        for &i in &order { assert!(map.get(&keys[i][..]).is_some()); }
        let cget = t.elapsed().as_nanos() as f64 / n as f64;
        let t = Instant::now();
        let count = map.iter().map(|e| e.key().len()&1).count();
        let cscan = t.elapsed().as_nanos() as f64 / n as f64;
        println!("  cb ins {cins:.0} get {cget:.0} scan {cscan:.0} count {count} ratio ins {:.2} get {:.2}", ins/cins, get/cget);
        drop(map);
        let _ = (BTreeMap::<u8,u8>::new(), Mutex::new(()));
    }
}
