//! What the figures were measured on.

use std::fs;
use std::process::Command;
use std::thread;

/// Cores that this process may use.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Numbers of threads to measure: powers of two, and all cores.
pub fn thread_counts() -> Vec<usize> {
    let cores = cores();
    std::iter::successors(Some(1), |count| Some(count * 2)).take_while(|&count| count < cores).chain([cores]).collect()
}

/// The machine, one line each.
pub fn describe() -> Vec<(&'static str, String)> {
    let cpu = line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = line_of("/proc/meminfo", "MemTotal").unwrap_or_default();
    let pages = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    // More than none of other programs' makes the works of several threads wrong, and those that
    // take pages slow.
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    vec![
        ("CPU", format!("{cpu}, {} cores", cores())),
        ("memory", memory),
        ("kernel", output("uname", &["-sr"])),
        ("huge pages", pages.trim().to_owned()),
        ("load averages at the end", load.split(' ').take(3).collect::<Vec<_>>().join(" ")),
        ("compiler", env!("COMPILER").to_owned()),
        ("profile", format!("release, lto = \"fat\", codegen-units = 1; flags: {}", env!("FLAGS"))),
    ]
}

fn line_of(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}

/// The peers' versions, as the lock file has them.
pub fn versions() -> Vec<(String, String)> {
    const PEERS: &[&str] = &[
        "bumpalo",
        "bumpalo-herd",
        "bump-scope",
        "rarena-allocator",
        "blink-alloc",
        "static-alloc",
        "mimalloc",
        "multitude",
        "tikv-jemallocator",
    ];
    let lock = include_str!("../Cargo.lock");
    let value = |line: Option<&str>| line.and_then(|line| line.split('"').nth(1)).unwrap_or_default().to_owned();
    lock.split("[[package]]")
        .map(|package| {
            let mut lines = package.trim().lines();
            (value(lines.next()), value(lines.next()))
        })
        .filter(|(name, _)| PEERS.contains(&name.as_str()))
        .collect()
}
