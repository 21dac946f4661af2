//! Every program, on streams and arguments that users have: a message and an exit code, never a
//! panic or silence.
#![cfg(all(target_os = "linux", not(miri)))]

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// A program and its command lines. `{}` is where a number goes.
struct Program {
    package: &'static str,
    name: &'static str,
    commands: &'static [&'static str],
    /// Command lines that print something.
    prints: &'static [&'static str],
    /// Command lines with a number of bytes.
    sizes: &'static [&'static str],
    /// Command lines with another number.
    counts: &'static [&'static str],
}

const PROGRAMS: &[Program] = &[
    Program {
        package: "quickstart",
        name: "quickstart",
        commands: &[],
        prints: &["", "text"],
        sizes: &[],
        counts: &[],
    },
    Program {
        package: "memtable",
        name: "memtable",
        commands: &["ingest", "get", "bench"],
        prints: &[
            "",
            "ingest text",
            "ingest text -o -",
            "ingest text -o /dev/stdout",
            "get a text",
            "bench --entries 9",
        ],
        sizes: &["ingest text --arena-size {}", "get a text --arena-size {}"],
        counts: &[
            "ingest text --threads {}",
            "get a text -t {}",
            "bench --entries 9 --threads {}",
            "bench --entries {}",
        ],
    },
    Program {
        package: "inspect",
        name: "marena",
        commands: &["inspect", "demo"],
        prints: &["", "inspect arena", "inspect arena --json", "inspect arena --svg -"],
        sizes: &[],
        counts: &[],
    },
    Program {
        package: "shared-log",
        name: "shared-log",
        commands: &["write", "follow", "dump", "verify", "crash-test", "speed"],
        prints: &["dump log", "verify log", "follow log", "speed --rounds 1 --records 9", "crash-test --kills 1"],
        sizes: &[
            "write new --capacity {}",
            "write log --chunk {}",
            "speed --rounds 1 --records 9 --size {}",
            "speed --rounds 1 --records 9 --chunk {}",
            "crash-test --kills 1 --capacity {}",
            "crash-test --kills 1 --chunk {}",
        ],
        counts: &[
            "speed --records 9 --rounds {}",
            "speed --rounds 1 --records {}",
            "crash-test --kills {}",
            "crash-test --kills 1 --writers {}",
            "crash-test --kills 1 --interval {}",
        ],
    },
    Program {
        package: "shared-map",
        name: "shared-map",
        commands: &["put", "remove", "get", "scan", "follow", "verify", "crash-test"],
        prints: &[
            "get map a",
            "scan map",
            "scan map a c",
            "follow map --entries 2",
            "verify map",
            "crash-test --kills 1",
        ],
        sizes: &["put new a 1 --capacity {}", "crash-test --kills 1 --capacity {}"],
        counts: &["crash-test --kills {}", "crash-test --kills 1 --writers {}", "crash-test --kills 1 --interval {}"],
    },
    Program {
        package: "http-server",
        name: "http-server",
        commands: &["serve", "compare"],
        prints: &["serve 127.0.0.1:0", "compare --rounds 1 --requests 9"],
        sizes: &["compare --rounds 1 --requests 9 --arena-size {}"],
        counts: &[
            "compare --rounds 1 --requests 9 --threads {}",
            "compare --rounds 1 --requests 9 --arenas {}",
            "compare --rounds 1 --requests 9 --connections {}",
            "compare --rounds 1 --requests 9 --patience {}",
            "compare --rounds 1 --requests {}",
            "compare --requests 9 --rounds {}",
            "serve {}",
        ],
    },
    Program {
        package: "parser",
        name: "parser",
        commands: &[],
        prints: &["", "sum", "sum sum"],
        sizes: &["--arena-size {}", "sum --arena-size {}"],
        counts: &["sum --threads {}"],
    },
    Program {
        package: "packet-pool",
        name: "packet-pool",
        commands: &[],
        prints: &["--packets 99"],
        sizes: &[],
        counts: &["--packets {}"],
    },
];

/// The folder of the programs, which cargo builds for tests of their own packages alone.
fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_path_buf();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        cargo.args(["build", "--all-features", "--bins", "--target-dir"]).arg(folder.parent().unwrap());
        match folder.file_name().and_then(OsStr::to_str).unwrap() {
            "debug" => {}
            profile => drop(cargo.args(["--profile", profile])),
        }
        for program in PROGRAMS {
            cargo.args(["--package", program.package]);
        }
        let built = cargo.output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        folder
    })
}

/// A folder with a file of each kind that the programs read.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
    write("text", &"b\t2\na\t1\n".repeat(10));
    write("sum", &format!("{}1", "1 + ".repeat(60_000)));
    for (program, arguments, input) in
        [("marena", "demo arena", "/dev/null"), ("shared-log", "write log", "text"), ("shared-map", "put map", "text")]
    {
        let mut command = Run::new(&place, program, &words(arguments)).command();
        let made = command.stdin(File::open(place.path().join(input)).unwrap()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    place
}

fn words(text: &str) -> Vec<OsString> {
    text.split_whitespace().map(OsString::from).collect()
}

/// A run of a program in a folder.
struct Run<'p> {
    place: &'p tempfile::TempDir,
    program: &'static str,
    arguments: Vec<OsString>,
}

struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
}

impl<'p> Run<'p> {
    fn new(place: &'p tempfile::TempDir, program: &'static str, arguments: &[OsString]) -> Self {
        Self { place, program, arguments: arguments.to_vec() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(programs().join(self.program));
        command.args(&self.arguments).current_dir(self.place.path()).stdin(Stdio::null());
        command
    }

    /// A command of a shell that changes the streams before it becomes the program.
    fn redirected(&self, redirection: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("exec \"$0\" \"$@\" {redirection}")).arg(programs().join(self.program));
        command.args(&self.arguments).current_dir(self.place.path()).stdin(Stdio::null());
        command
    }

    /// What a command of this run ends with, which must be soon and no panic.
    fn outcome(&self, mut command: Command, stdout: Option<Stdio>) -> Outcome {
        let [mut out, mut err] = [(); 2].map(|()| tempfile::tempfile().unwrap());
        command.stdout(stdout.unwrap_or_else(|| out.try_clone().unwrap().into())).stderr(err.try_clone().unwrap());
        let mut child = command.spawn().unwrap();
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > Duration::from_secs(120) {
                child.kill().unwrap();
                panic!("{} {:?} does not end", self.program, self.arguments);
            }
            thread::sleep(Duration::from_millis(2));
        };
        let [stdout, stderr] = [&mut out, &mut err].map(|file| {
            let mut text = Vec::new();
            file.rewind().unwrap();
            file.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        let shown = format!("{} {:?}: {status}\n{stderr}", self.program, self.arguments);
        assert!(!stderr.contains("panicked"), "{shown}");
        for line in stderr.lines() {
            // A cause comes once, though the error before it may name it too.
            let parts: Vec<_> = line.split(": ").filter(|part| part.len() > 20).collect();
            assert!(parts.iter().zip(1..).all(|(part, rest)| !parts[rest..].contains(part)), "{shown}");
        }
        let code = status.code().unwrap_or_else(|| panic!("a signal: {shown}"));
        // Trouble is named on standard error, with the program's name or as clap does.
        if code != 0 && command.get_program() != "sh" {
            assert!(stderr.contains(&format!("{}: ", self.program)) || stderr.starts_with("error: "), "{shown}");
        }
        Outcome { code, stdout, stderr }
    }

    fn ordinary(&self) -> Outcome {
        self.outcome(self.command(), None)
    }
}

/// A pipe that nobody reads.
fn closed_pipe() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn every_program_and_every_command_has_help_with_exit_codes() {
    let place = place();
    for program in PROGRAMS {
        for command in [""].iter().chain(program.commands) {
            let arguments = words(&format!("{command} --help"));
            let help = Run::new(&place, program.name, &arguments).ordinary();
            assert_eq!((help.code, &*help.stderr), (0, ""), "{} {command}", program.name);
            assert!(help.stdout.contains("Usage: "), "{}", help.stdout);
            assert!(!command.is_empty() || help.stdout.contains("Exit codes:"), "{}", help.stdout);
        }
        let version = Run::new(&place, program.name, &words("--version")).ordinary();
        assert_eq!(version.stdout, format!("{} {}\n", program.name, env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn an_output_that_cannot_be_written_is_a_message_and_an_exit_code() {
    let place = place();
    for program in PROGRAMS {
        for line in program.prints.iter().chain(&["--help", "--version"]) {
            let run = Run::new(&place, program.name, &words(line));
            for (outcome, code, message) in [
                (run.outcome(run.command(), Some(closed_pipe())), 141, "was closed before everything was written"),
                (run.outcome(run.redirected("> /dev/full"), None), 2, "No space left on device"),
                (run.outcome(run.redirected(">&-"), None), 2, "Bad file descriptor"),
            ] {
                let Outcome { code: found, stderr, .. } = outcome;
                assert!(found == code && stderr.contains(message), "{} {line}: {found}, {stderr}", program.name);
            }
        }
    }
}

#[test]
fn a_message_that_cannot_be_written_changes_no_exit_code() {
    let place = place();
    for program in PROGRAMS {
        let mut lines = vec!["--no-such-option", "no such command"];
        lines.extend((program.package == "inspect").then_some("inspect missing"));
        for line in lines {
            let run = Run::new(&place, program.name, &words(line));
            for redirection in ["2>&-", "2> /dev/full", ">&- 2>&-", "<&- >&- 2>&-"] {
                let code = run.outcome(run.redirected(redirection), None).code;
                assert_eq!(code, 2, "{} {line} {redirection}", program.name);
            }
        }
    }
    for (program, line) in [("memtable", "ingest"), ("shared-log", "write log"), ("shared-map", "put map")] {
        let run = Run::new(&place, program, &words(line));
        let Outcome { code, stderr, .. } = run.outcome(run.redirected("<&-"), None);
        assert!(code == 2 && stderr.contains("cannot read standard input"), "{program}: {code}, {stderr}");
    }
}

#[test]
fn arguments_that_are_not_text_end_in_a_message() {
    let place = place();
    let names = [&b"\xFF"[..], b"--\xFF", b"\xFF=\xFF", b"\x1b[31m\n", b""];
    fs::copy(place.path().join("sum"), place.path().join(OsStr::from_bytes(b"\xFF"))).unwrap();
    for program in PROGRAMS {
        for line in program.prints.iter().chain(&[""]).chain(program.commands) {
            for name in names {
                let name = OsStr::from_bytes(name).to_owned();
                let mut arguments = words(line);
                if line.starts_with("serve") || line.starts_with("follow") {
                    continue;
                }
                arguments.push(name.clone());
                let outcome = Run::new(&place, program.name, &arguments).ordinary();
                assert!([0, 1, 2].contains(&outcome.code), "{} {arguments:?}: {}", program.name, outcome.code);
                assert!(!outcome.stderr.contains('\x1b'), "{}", outcome.stderr);
                arguments.rotate_right(1);
                let outcome = Run::new(&place, program.name, &arguments).ordinary();
                assert!([0, 1, 2].contains(&outcome.code), "{} {arguments:?}: {}", program.name, outcome.code);
            }
        }
    }
}

#[test]
fn numbers_of_bytes_have_suffixes_and_none_is_too_large_or_too_small_for_a_message() {
    let place = place();
    for program in PROGRAMS {
        for line in program.sizes {
            let run = |number: &str| {
                let outcome = Run::new(&place, program.name, &words(&line.replace("{}", number))).ordinary();
                let _ = fs::remove_file(place.path().join("new"));
                outcome
            };
            let outcome = run("64M");
            assert_eq!(outcome.code, 0, "{} {line}: {}", program.name, outcome.stderr);
            for number in ["0", "1", "1K", "3G", "1048576G", "9007199254740992K", "18446744073709551615"] {
                assert!([0, 2].contains(&run(number).code), "{} {line} with {number}", program.name);
            }
            for number in ["-1", "64Q", "1.5M", "18446744073709551616", "17179869184G", "ten"] {
                assert_eq!(run(number).code, 2, "{} {line} with {number}", program.name);
            }
        }
    }
}

#[test]
fn other_numbers_that_are_zero_or_huge_end_in_a_message() {
    let place = place();
    for program in PROGRAMS {
        for line in program.counts {
            for number in ["0", "-1", "4294967296", "18446744073709551615", "18446744073709551616", "1e9", "ten"] {
                let run = Run::new(&place, program.name, &words(&line.replace("{}", number)));
                // Nothing to wait for is a way to wait.
                let allowed: &[i32] = if number == "0" && line.contains("interval") { &[0] } else { &[2] };
                let code = run.ordinary().code;
                assert!(allowed.contains(&code), "{} {line} with {number}: {code}", program.name);
            }
            if line.contains("threads {}") || line.contains("-t {}") {
                for number in ["65535", "100000"] {
                    let run = Run::new(&place, program.name, &words(&line.replace("{}", number)));
                    assert_eq!(run.ordinary().code, 2, "{} {line} with {number}", program.name);
                }
            }
        }
    }
}

#[test]
fn an_output_whose_name_is_that_of_a_folder_is_an_error_that_leaves_nothing() {
    let place = place();
    fs::create_dir(place.path().join("sub")).unwrap();
    let names = || {
        let entries = place.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
        entries.collect::<std::collections::BTreeSet<_>>()
    };
    let before = names();
    for (program, line) in [
        ("memtable", "ingest text -o {}"),
        ("marena", "inspect arena --svg {}"),
        ("marena", "demo {}"),
        ("shared-log", "write {}"),
        ("shared-map", "put {} a 1"),
    ] {
        for name in ["new/", "new/.", "new/..", "sub", "sub/", "sub/.", ".", "..", "/", "text/", "text/."] {
            let Outcome { code, stderr, .. } = Run::new(&place, program, &words(&line.replace("{}", name))).ordinary();
            assert!([1, 2].contains(&code) && stderr.contains(name), "{program} {line} with {name}: {code}, {stderr}");
            assert_eq!(names(), before, "{program} {line} with {name}");
        }
    }
}

/// Where the system starts few threads, a program that wants many says so.
#[test]
fn threads_that_cannot_start_are_an_error() {
    let place = place();
    let is_root = place.path().metadata().unwrap().uid() == 0;
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    if [("prlimit"), ("setpriv")].iter().any(|tool| Command::new(tool).arg("--version").output().is_err()) {
        return println!("skipped: needs prlimit and setpriv");
    }
    for (program, line) in [
        ("memtable", "ingest text --threads 1000"),
        ("memtable", "bench --entries 9000 --threads 1000"),
        ("parser", "sum --threads 1000"),
        ("http-server", "compare --rounds 1 --requests 9 --threads 1000"),
        ("http-server", "compare --rounds 1 --requests 9000 --connections 1000"),
    ] {
        let run = Run::new(&place, program, &words(line));
        // Root may start any number, so somebody else runs it.
        let mut command = Command::new("prlimit");
        command.arg("--nproc=40");
        if is_root {
            command.args(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
        }
        // The other user may have no access to the folder of the programs.
        let copy = place.path().join(program);
        fs::copy(programs().join(program), &copy).unwrap();
        command.arg(copy).args(&run.arguments).current_dir(place.path()).stdin(Stdio::null());
        let Outcome { code, stderr, .. } = run.outcome(command, None);
        if stderr.contains("failed to execute") {
            return println!("skipped: the other user cannot run programs in {}", place.path().display());
        }
        assert!(code == 2 && stderr.starts_with(&format!("{program}: ")), "{program} {line}: {code}, {stderr}");
    }
}
