//! Builds the little firmware with each allocator, prints the table of sizes and writes it to
//! `results.md`.
//!
//! Arguments go to `cargo build`. If an arena is larger than promised or brings panics along, this
//! fails and leaves `results.md` as it is.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use object::{Object, ObjectSection, ObjectSymbol, SectionKind};

/// Each target, and the features that its programs are built with.
const TARGETS: [(&str, &str); 2] = [("thumbv7m-none-eabi", "static-alloc"), ("thumbv6m-none-eabi", "")];

/// The program that needs compare-and-swap of the machine, and so is not built for the second
/// target.
const NEEDS_CAS: &str = "static_alloc";

/// The program that the others are compared with.
const BASELINE: &str = "none";

/// Bytes that every program hands out.
const BYTES: u64 = 4096;

/// A program, what it does, and who may call its allocator.
const PROGRAMS: [(&str, &str, &str); 9] = [
    ("none", "no allocator: one buffer, cleared for each use", "-"),
    ("marena_allocate", "marena: allocate", "threads, interrupts"),
    ("marena", "marena: allocate, view, reset", "threads, interrupts"),
    ("marena_owned", "marena, exclusive memory: allocate, view, safe reset", "threads, interrupts"),
    ("static_alloc", "static-alloc: allocate", "threads, interrupts"),
    ("embedded_alloc_llff", "embedded-alloc `LlffHeap`: allocate, free", "critical section"),
    ("embedded_alloc_tlsf", "embedded-alloc `TlsfHeap`: allocate, free", "critical section"),
    ("talc", "talc: allocate, free", "critical section"),
    ("linked_list_allocator", "linked_list_allocator: allocate, free", "one thread"),
];

/// What allocate, view and reset of a static arena may cost on the first target. Compilers differ
/// by some 50 bytes.
const TEXT_LIMIT: i64 = 256;
const RAM_LIMIT: i64 = 128;

/// Bytes of a program, by kind.
struct Size {
    text: i64,
    data: i64,
    bss: i64,
    has_panics: bool,
}

fn size(program: &Path) -> Result<Size, Box<dyn Error>> {
    let bytes = fs::read(program)?;
    let file = object::File::parse(&*bytes)?;
    let sum = |kinds: &[SectionKind]| -> i64 {
        file.sections().filter(|section| kinds.contains(&section.kind())).map(|section| section.size() as i64).sum()
    };
    let has_panics = file.symbols().filter_map(|symbol| symbol.name().ok()).any(|name| name.contains("panicking"));
    Ok(Size {
        text: sum(&[SectionKind::Text, SectionKind::ReadOnlyData]),
        data: sum(&[SectionKind::Data]),
        bss: sum(&[SectionKind::UninitializedData]),
        has_panics,
    })
}

fn build(firmware: &Path, target: &str, features: &str) -> Result<(), Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(firmware)
        .args(["build", "--release", "--target", target, "--features", features])
        .args(env::args_os().skip(1))
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("the build for {target} failed").into()) }
}

/// The compiler that `cargo build` uses, by name and version.
fn compiler() -> Result<String, Box<dyn Error>> {
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output()?;
    let version = String::from_utf8(output.stdout)?;
    let core =
        if env::args().any(|argument| argument.contains("build-std")) { "built with it" } else { "as delivered" };
    Ok(format!("{}, `core` {core}", version.trim()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let firmware: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut rows: Vec<String> = PROGRAMS.iter().map(|(_, what, _)| format!("|{what}|")).collect();
    let mut faults = Vec::new();
    for (target, features) in TARGETS {
        build(&firmware, target, features)?;
        let measure = |name: &str| size(&firmware.join("target").join(target).join("release").join(name));
        let baseline = measure(BASELINE)?;
        for ((name, ..), row) in PROGRAMS.iter().zip(&mut rows) {
            if *name == NEEDS_CAS && features.is_empty() {
                row.push_str("-|-|");
                continue;
            }
            let Size { text, data, bss, has_panics } = measure(name)?;
            let (added, ram) = (text - baseline.text, data + bss - BYTES as i64);
            write!(row, "{added}|{ram}|")?;
            if name.starts_with("marena") && (has_panics || data > 0) {
                faults.push(format!("{name} on {target}: panics linked in: {has_panics}, bytes of .data: {data}"));
            }
            if *name == "marena" && target == TARGETS[0].0 && (added > TEXT_LIMIT || ram > RAM_LIMIT) {
                faults.push(format!("{name} on {target} adds {added} bytes of .text and {ram} of RAM"));
            }
        }
    }
    let [(first, _), (second, _)] = TARGETS;
    let mut table = format!(
        "Bytes that each program adds to the first: `.text` and `.rodata`, and RAM beyond the 4,096 bytes\n\
         that all hand out. Built with `opt-level = \"s\"` by\n{}.\n\n\
         |program|{first}|RAM|{second}|RAM|safe to call from|\n\
         |---|---:|---:|---:|---:|---|\n",
        compiler()?
    );
    for ((.., callers), row) in PROGRAMS.iter().zip(rows) {
        writeln!(table, "{row}{callers}|")?;
    }
    print!("{table}");
    if !faults.is_empty() {
        return Err(faults.join("; ").into());
    }
    Ok(fs::write(firmware.join("results.md"), table)?)
}
