//! The same server with two memories, in turns, in one process.

use std::error::Error;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Instant;

use clap::Args;
use marena_std::Pool;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::catalogue::Product;
use crate::client::{self, Case, Load, Outcome};
use crate::heap;
use crate::memory::{Arenas, Heap, RequestMemory};
use crate::server::serve;

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    load: Load,
    /// Rounds; both servers take their turn in each, and medians are shown
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// One contender.
struct Side {
    address: SocketAddr,
    rounds: Vec<Outcome>,
    allocations: usize,
    handler_allocations: usize,
    /// Nanoseconds for a request in the handler alone, without sockets: of many short measurements, so that what else the machine
    /// does disturbs few.
    handler: Vec<f64>,
}

pub(crate) fn compare(
    options: Options,
    runtime: Runtime,
    pool: &'static Pool,
    catalogue: &'static [Product],
) -> Result<(), Box<dyn Error>> {
    let cases = client::cases(catalogue)?;
    let mut heap = Side::start(&runtime, Heap, &cases, options.load, catalogue)?;
    let mut arenas = Side::start(&runtime, Arenas(pool), &cases, options.load, catalogue)?;
    for _ in 0..options.rounds {
        heap.round(Heap, &cases, options.load, catalogue)?;
        arenas.round(Arenas(pool), &cases, options.load, catalogue)?;
    }

    // Ends the connections' tasks, so that nobody has an arena any more.
    drop(runtime);

    let Load { connections, requests } = options.load;
    println!(
        "{} rounds of {requests} requests on {connections} connections; every response was checked\n",
        options.rounds
    );
    println!("| | system allocator | arena per request | ratio |");
    println!("| --- | ---: | ---: | ---: |");
    let row = |name: &str, heap: f64, arenas: f64, digits: usize| {
        println!("| {name} | {heap:.digits$} | {arenas:.digits$} | {:.2} |", arenas / heap);
    };
    let median = |side: &Side, figure: &dyn Fn(&Outcome) -> f64| median(side.rounds.iter().map(figure));
    let both = |name: &str, figure: &dyn Fn(&Outcome) -> f64, digits| {
        row(name, median(&heap, figure), median(&arenas, figure), digits);
    };
    both("requests per second", &Outcome::per_second, 0);
    for percent in [50.0, 99.0, 99.9] {
        let name = format!("latency, {percent} % of the responses, µs");
        both(&name, &|outcome| outcome.percentile(percent).as_secs_f64() * 1e6, 1);
    }
    let handler = |side: &Side| self::median(side.handler.iter().copied());
    row("the handler alone, ns per request", handler(&heap), handler(&arenas), 0);
    let per_request = |allocations| allocations as f64 / f64::from(requests);
    row("allocations per request, whole server", per_request(heap.allocations), per_request(arenas.allocations), 1);
    let per_request = |side: &Side| side.handler_allocations as f64 / cases.len() as f64;
    row("allocations per request, the handler alone", per_request(&heap), per_request(&arenas), 1);

    let busy: usize = heap.rounds.iter().chain(&arenas.rounds).map(|outcome| outcome.busy).sum();
    if busy > 0 {
        return Err(
            format!("{busy} responses were 503: give the pool as many --arenas as there are connections").into()
        );
    }
    if pool.available() < pool.arena_count() {
        return Err("an arena was not recycled".into());
    }
    Ok(())
}

impl Side {
    /// Starts a server, and counts while it gets warm.
    fn start(
        runtime: &Runtime,
        memory: impl RequestMemory,
        cases: &[Case],
        load: Load,
        catalogue: &'static [Product],
    ) -> Result<Self, Box<dyn Error>> {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        runtime.spawn(serve(listener, memory, catalogue));
        let (outcome, allocations) = heap::count(|| client::run(address, load, cases));
        outcome?;
        let ((), handler_allocations) = heap::count(|| handle_all(memory, cases, catalogue));
        Ok(Self { address, rounds: Vec::new(), allocations, handler_allocations, handler: Vec::new() })
    }

    fn round(
        &mut self,
        memory: impl RequestMemory,
        cases: &[Case],
        load: Load,
        catalogue: &[Product],
    ) -> Result<(), Box<dyn Error>> {
        self.rounds.push(client::run(self.address, load, cases)?);
        for _ in 0..(load.requests as usize).div_ceil(cases.len()) {
            let started = Instant::now();
            handle_all(memory, cases, catalogue);
            self.handler.push(started.elapsed().as_nanos() as f64 / cases.len() as f64);
        }
        Ok(())
    }
}

fn handle_all(memory: impl RequestMemory, cases: &[Case], catalogue: &[Product]) {
    for case in cases {
        drop(black_box(memory.answer(&case.head, catalogue)));
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}
