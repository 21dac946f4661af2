//! Builds the little firmware with each allocator, prints the table of sizes and writes it to `results.md`.
//!
//! Arguments go to `cargo build`. Fails if the arena is larger than promised or brings panics along.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use object::{Object, ObjectSection, ObjectSymbol, SectionKind};

/// Each target, and the features that its programs are built with.
const TARGETS: [(&str, &str); 2] = [("thumbv7m-none-eabi", "static-alloc"), ("thumbv6m-none-eabi", "")];

/// The program that needs compare-and-swap of the machine, and so is not built for the second target.
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

/// What allocate, view and reset of a static arena may cost on the first target.
const TEXT_LIMIT: i64 = 200;
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

fn main() -> Result<(), Box<dyn Error>> {
    let firmware: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut table = String::from(
        "The same little firmware at `opt-level = \"s\"`: take as many zeroed bytes as a register says, use them, give them back.\n\
         Each allocator has 4,096 bytes to hand out. \"Adds\" is `.text` and `.rodata` beyond the program without an allocator, which\n\
         clears its buffer and so contains `memset` too; RAM is `.data` and `.bss` beyond the 4,096 bytes.\n",
    );
    let mut faults = Vec::new();
    for (target, features) in TARGETS {
        build(&firmware, target, features)?;
        let measure = |name: &str| size(&firmware.join("target").join(target).join("release").join(name));
        let baseline = measure(BASELINE)?;
        writeln!(table, "\n`{target}`\n")?;
        writeln!(table, "| program | adds | .text | .data | .bss | RAM | safe to call from |")?;
        writeln!(table, "| --- | ---: | ---: | ---: | ---: | ---: | --- |")?;
        for (name, what, callers) in PROGRAMS {
            if name == NEEDS_CAS && features.is_empty() {
                writeln!(table, "| {what} | does not build here | | | | | |")?;
                continue;
            }
            let Size { text, data, bss, has_panics } = measure(name)?;
            let (added, ram) = (text - baseline.text, data + bss - BYTES as i64);
            writeln!(table, "| {what} | {added} | {text} | {data} | {bss} | {ram} | {callers} |")?;
            if name.starts_with("marena") && (has_panics || data > 0) {
                faults.push(format!("{name} on {target}: panics linked in: {has_panics}, bytes of .data: {data}"));
            }
            if name == "marena" && target == TARGETS[0].0 && (added > TEXT_LIMIT || ram > RAM_LIMIT) {
                faults.push(format!("{name} on {target} adds {added} bytes of .text and {ram} of RAM"));
            }
        }
    }
    print!("{table}");
    fs::write(firmware.join("results.md"), table)?;
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ").into()) }
}
