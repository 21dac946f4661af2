//! A load generator: connections that each send the next request when they have the response to the
//! last.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;

use crate::catalogue::Product;
use crate::handler::Failure;
use crate::memory::Memory;

/// How much load.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Connections
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) connections: u32,
    /// Requests in each round, over all connections
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) requests: u32,
}

/// A request, and what has to come back.
pub(crate) struct Case {
    pub(crate) target: &'static str,
    page: Bytes,
}

const TARGETS: [&str; 6] = [
    "/search?q=amber+lamp",
    "/search?q=blue&limit=30&sort=price",
    "/search?q=Salt%20%26%20Pepper&limit=20",
    "/search?q=nothing+like+this",
    "/search?q=large&limit=50",
    "/search?q=c&limit=10&sort=name&page=1&source=home&campaign=spring%202026",
];

/// The requests that are sent in turns. The pages are what the handler makes of them without any
/// server.
pub(crate) fn cases(catalogue: &[Product]) -> Result<Vec<Case>, Failure> {
    TARGETS.iter().map(|target| Ok(Case { target, page: Memory::Heap.answer(target, catalogue)? })).collect()
}

/// What a load met.
pub(crate) struct Outcome {
    pub(crate) elapsed: Duration,
    /// Of each response, in ascending order.
    pub(crate) latencies: Vec<Duration>,
    /// Responses `503`.
    pub(crate) busy: usize,
}

/// Fails where a response is neither the page that it should be nor a `503`.
pub(crate) fn run(server: SocketAddr, load: Load, cases: &[Case]) -> io::Result<Outcome> {
    let started = Instant::now();
    let connections = thread::scope(|scope| {
        let start = |index| {
            let requests = load.requests / load.connections + u32::from(index < load.requests % load.connections);
            let cases = cases.iter().cycle().skip(index as usize).take(requests as usize);
            common::spawn(scope, move || connection(server, cases))
        };
        let threads = (0..load.connections).map(start).collect::<io::Result<Vec<_>>>()?;
        let results = threads.into_iter().map(|thread| thread.join().expect("connections do not panic"));
        results.collect::<io::Result<Vec<_>>>()
    })?;
    let elapsed = started.elapsed();
    let busy = connections.iter().map(|(_, busy)| busy).sum();
    let mut latencies: Vec<_> = connections.into_iter().flat_map(|(latencies, _)| latencies).collect();
    latencies.sort_unstable();
    Ok(Outcome { elapsed, latencies, busy })
}

/// The latencies of one connection's requests, and how many met a busy server.
fn connection<'c>(server: SocketAddr, cases: impl Iterator<Item = &'c Case>) -> io::Result<(Vec<Duration>, usize)> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut latencies = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let mut busy = 0;
    for Case { target, page } in cases {
        let sent = Instant::now();
        stream.write_all(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())?;
        let (status, body) = response(&mut stream, &mut buffer)?;
        latencies.push(sent.elapsed());
        match status {
            200 if body == page => {}
            503 => busy += 1,
            _ => return Err(io::Error::other(format!("wrong response, {status}, to {target}"))),
        }
    }
    Ok((latencies, busy))
}

/// The next response's status and body.
fn response<'b>(stream: &mut TcpStream, buffer: &'b mut Vec<u8>) -> io::Result<(u16, &'b [u8])> {
    let mut len = 0;
    let (status, body) = loop {
        match stream.read(&mut buffer[len..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => len += count,
        }
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&buffer[..len]).map_err(io::Error::other)?;
        if let (httparse::Status::Complete(start), Some(status)) = (parsed, response.code) {
            let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
            let length = length.and_then(|header| str::from_utf8(header.value).ok()?.parse::<usize>().ok());
            let end = start + length.ok_or_else(|| io::Error::other("a response without a length"))?;
            if end <= len {
                break (status, start..end);
            }
            buffer.resize(buffer.len().max(end), 0);
        } else if len == buffer.len() {
            return Err(io::Error::other("headers without an end"));
        }
    };
    Ok((status, &buffer[body]))
}
