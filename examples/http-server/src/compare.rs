//! The same server with two memories, in turns, in one process.

use std::hint::black_box;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Instant;

use clap::Args;
use common::{AnyError, Output, count, median};

use crate::client::{self, Case, Load, Outcome};
use crate::server::Server;

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    load: Load,
    /// Rounds; both servers take their turn in each, and medians are shown
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
}

/// One contender.
struct Side {
    server: Server,
    address: SocketAddr,
    rounds: Vec<Outcome>,
    /// Nanoseconds for a request in the handler alone, without sockets: of many short measurements,
    /// so that what else the machine does disturbs few.
    handler: Vec<f64>,
    /// Of the whole server and of the handler alone, for each request.
    allocations: [f64; 2],
}

/// Measures the system's allocator and arenas, and writes a table.
pub(crate) fn compare(
    Options { load, rounds }: Options,
    servers: [Server; 2],
    threads: usize,
    output: &mut Output,
) -> Result<(), AnyError> {
    let cases = client::cases(servers[0].catalogue).map_err(|failure| format!("{failure:?}"))?;
    let [heap, arenas] = servers.map(|server| Side::start(server, threads, &cases, load));
    let (mut heap, mut arenas) = (heap?, arenas?);
    for _ in 0..rounds {
        heap.round(&cases, load)?;
        arenas.round(&cases, load)?;
    }

    let Load { connections, requests } = load;
    writeln!(
        output,
        "{rounds} rounds of {requests} requests on {connections} connections; every response was checked\n\n\
         | | system allocator | arena per request | ratio |\n| --- | ---: | ---: | ---: |"
    )?;
    let mut row = |name: &str, figure: &dyn Fn(&Side) -> f64| {
        let (heap, arenas) = (figure(&heap), figure(&arenas));
        writeln!(output, "| {name} | {heap:.1} | {arenas:.1} | {:.2} |", arenas / heap)
    };
    let of_rounds = |side: &Side, figure: &dyn Fn(&Outcome) -> f64| median(side.rounds.iter().map(figure));
    row("requests per second", &|side| {
        of_rounds(side, &|round| round.latencies.len() as f64 / round.elapsed.as_secs_f64())
    })?;
    for percent in [50, 99] {
        let latency =
            |round: &Outcome| round.latencies[(round.latencies.len() - 1) * percent / 100].as_secs_f64() * 1e6;
        row(&format!("latency, {percent} % of the responses, µs"), &|side| of_rounds(side, &latency))?;
    }
    row("the handler alone, ns per request", &|side| median(side.handler.iter().copied()))?;
    row("allocations per request, whole server", &|side| side.allocations[0])?;
    row("allocations per request, the handler alone", &|side| side.allocations[1])?;
    match heap.rounds.iter().chain(&arenas.rounds).map(|round| round.busy).sum() {
        0 => Ok(()),
        busy => {
            Err(format!("{busy} responses were 503: give the pool as many --arenas as there are connections").into())
        }
    }
}

impl Side {
    /// Starts a server, and counts while it gets warm.
    fn start(server: Server, threads: usize, cases: &[Case], load: Load) -> Result<Self, AnyError> {
        let (address, _) = server.start("127.0.0.1:0".parse()?, threads)?;
        let (outcome, whole) = count(|| client::run(address, load, cases));
        outcome?;
        let ((), alone) = count(|| handle_all(&server, cases));
        let allocations = [whole.calls as f64 / f64::from(load.requests), alone.calls as f64 / cases.len() as f64];
        Ok(Self { server, address, rounds: Vec::new(), handler: Vec::new(), allocations })
    }

    fn round(&mut self, cases: &[Case], load: Load) -> Result<(), AnyError> {
        self.rounds.push(client::run(self.address, load, cases)?);
        for _ in 0..(load.requests as usize).div_ceil(cases.len()) {
            let started = Instant::now();
            handle_all(&self.server, cases);
            self.handler.push(started.elapsed().as_nanos() as f64 / cases.len() as f64);
        }
        Ok(())
    }
}

fn handle_all(server: &Server, cases: &[Case]) {
    for case in cases {
        drop(black_box(server.memory.answer(case.target, server.catalogue)));
    }
}
