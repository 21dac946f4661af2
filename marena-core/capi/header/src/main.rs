//! Writes `marena.h`; with `--check`, fails if that would change it.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let header = library.join("marena.h");
    let bindings = match cbindgen::generate(&library) {
        Ok(bindings) => bindings,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if std::env::args().nth(1).as_deref() != Some("--check") {
        bindings.write_to_file(&header);
        return ExitCode::SUCCESS;
    }
    let mut current = Vec::new();
    bindings.write(&mut current);
    match std::fs::read(&header) {
        Ok(committed) if committed == current => ExitCode::SUCCESS,
        _ => {
            eprintln!("marena.h is out of date: run `cargo run` in marena-core/capi/header");
            ExitCode::FAILURE
        }
    }
}
