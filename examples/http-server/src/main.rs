//! An HTTP server that gives each request an arena: hyper on tokio, with `marena_std::Pool`.
//!
//! `cargo run --release -p http-server -- compare` compares it to the same server with the system's allocator.

mod catalogue;
mod client;
mod compare;
mod heap;
mod memory;
mod refusal;
mod request;
mod search;
mod server;
mod text;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use marena_std::Pool;
use tokio::net::TcpListener;
use tokio::runtime;

use crate::client::Load;
use crate::memory::Arenas;

#[global_allocator]
static ALLOCATOR: heap::CountingAllocator = heap::CountingAllocator;

/// An HTTP server that gives each request an arena
#[derive(Parser)]
struct Arguments {
    /// Arenas of the pool: as many requests can be answered at a time
    #[arg(long, global = true, default_value_t = 64)]
    arenas: usize,
    /// Bytes of each arena: the most that a request can take
    #[arg(long, global = true, default_value_t = 256 << 10)]
    arena_size: usize,
    /// Threads of the server
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
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
    /// Send requests to a server that is already there, and check its responses
    Load {
        #[arg(default_value = "127.0.0.1:8080")]
        server: SocketAddr,
        #[command(flatten)]
        load: Load,
    },
    /// Measure against the same server with the system's allocator
    Compare(compare::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { arenas, arena_size, threads, command } = arguments;
    // Both live as long as the process: connections are tasks that no scope ends.
    let catalogue = catalogue::catalogue().leak();
    let pool: &Pool = Box::leak(Box::new(Pool::with_capacity(arenas, arena_size)?));
    let runtime = runtime::Builder::new_multi_thread().worker_threads(threads.into()).enable_all().build()?;
    match command {
        Command::Serve { address } => runtime.block_on(async {
            let listener = TcpListener::bind(address).await?;
            println!("http://{}/search?q=amber+lamp", listener.local_addr()?);
            server::serve(listener, Arenas(pool), catalogue).await;
            Ok(())
        }),
        Command::Load { server, load } => {
            let outcome = client::run(server, load, &client::cases(catalogue)?)?;
            let [half, most, nearly_all] = [50.0, 99.0, 99.9].map(|percent| outcome.percentile(percent));
            println!("{:.0} requests per second, {} answered with 503", outcome.per_second(), outcome.busy);
            println!("latency: {half:?} (50 %), {most:?} (99 %), {nearly_all:?} (99.9 %)");
            Ok(())
        }
        Command::Compare(options) => compare::compare(options, runtime, pool, catalogue),
    }
}
