//! An HTTP server that gives each request an arena: hyper on tokio, with `marena_std::Pool`.

mod catalogue;
mod client;
mod compare;
mod handler;
mod memory;
mod server;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand, value_parser};
use common::{AnyError, EXIT_CODES};
use marena_std::Pool;

use crate::memory::Memory;
use crate::server::Server;

#[global_allocator]
static ALLOCATOR: common::CountingAllocator = common::CountingAllocator;

/// An HTTP server that gives each request an arena
#[derive(Parser)]
#[command(name = "http-server", version, after_help = EXIT_CODES)]
struct Arguments {
    /// Arenas of the pool: as many responses can be on their way at a time
    #[arg(long, global = true, default_value_t = 64, value_parser = value_parser!(u32).range(1..=100_000))]
    arenas: u32,
    /// Bytes of each arena: the most that a request can take
    #[arg(long, global = true, default_value = "256K", value_parser = common::size)]
    arena_size: usize,
    /// Threads of the server, at most 1024
    #[arg(long, global = true, default_value = "1", value_parser = common::threads)]
    threads: usize,
    /// Seconds that a client has to take a response; then its connection ends, and its arenas are
    /// free
    #[arg(long, global = true, default_value_t = 10, value_parser = value_parser!(u16).range(1..))]
    patience: u16,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve pages, until interrupted
    Serve {
        #[arg(default_value = "127.0.0.1:8080")]
        address: SocketAddr,
    },
    /// Measure against the same server with the system's allocator
    Compare(compare::Options),
}

fn main() -> ExitCode {
    common::main(|arguments: Arguments, output| {
        let pool = Arc::new(Pool::with_capacity(arguments.arenas as usize, arguments.arena_size)?);
        let server = |memory| Server {
            memory,
            // Lives as long as the process: connections are tasks that no scope ends.
            catalogue: catalogue::catalogue().leak(),
            patience: Duration::from_secs(arguments.patience.into()),
        };
        match arguments.command {
            Command::Serve { address } => {
                let (address, threads) = server(Memory::Arenas(pool)).start(address, arguments.threads)?;
                writeln!(output, "http://{address}/search?q=amber+lamp")?;
                output.flush()?;
                for thread in threads {
                    thread.join().map_err(|_| AnyError::from("a thread of the server has ended"))?;
                }
                Ok(())
            }
            Command::Compare(options) => {
                compare::compare(options, [Memory::Heap, Memory::Arenas(pool)].map(server), arguments.threads, output)
            }
        }
    })
}
