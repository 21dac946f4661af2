//! The server: hyper on tokio, a runtime for each thread.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;

use crate::catalogue::Product;
use crate::handler::Failure;
use crate::memory::Memory;

/// How long the server waits where it cannot accept a connection: most likely it has too many.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) memory: Memory,
    pub(crate) catalogue: &'static [Product],
    /// How long a client has to take a response.
    pub(crate) patience: Duration,
}

impl Server {
    /// Starts threads that serve as long as the process lives. Returns the address, which tells the
    /// port where 0 was asked for.
    pub(crate) fn start(&self, address: SocketAddr, threads: usize) -> io::Result<(SocketAddr, Vec<JoinHandle<()>>)> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let start = |_| {
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            let listener = listener.try_clone()?;
            let server = self.clone();
            thread::Builder::new().spawn(move || runtime.block_on(server.serve(listener)))
        };
        let threads = (0..threads).map(start).collect::<io::Result<_>>()?;
        Ok((listener.local_addr()?, threads))
    }

    async fn serve(self, listener: std::net::TcpListener) {
        let listener = TcpListener::from_std(listener).expect("the runtime has its driver");
        loop {
            match listener.accept().await {
                // A connection that fails ends, and no other notices: its client has gone, or
                // speaks something else.
                Ok((stream, _)) => drop(tokio::spawn(self.clone().connection(stream))),
                Err(error) => {
                    common::warn("http-server", format_args!("no connection accepted: {error}"));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn connection(self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let unsent = Unsent::default();
        let service = service_fn(|request| {
            let response = self.respond(&request, &unsent);
            async { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            served = connection => served.map_err(io::Error::other),
            // A client that takes its responses too slowly, or not at all, must not keep arenas
            // from others.
            () = unsent.overdue(self.patience) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn respond(&self, request: &Request<Incoming>, unsent: &Unsent) -> Response<Full<Bytes>> {
        let answer = match *request.method() {
            // The server leaves the page out of its answer to HEAD.
            Method::GET | Method::HEAD => {
                let target = request.uri().path_and_query().map_or("", |target| target.as_str());
                self.memory.answer(target, self.catalogue)
            }
            _ => Err(Failure::Method),
        };
        let mut response = Response::new(Full::default());
        match answer {
            Ok(page) => {
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
                *response.body_mut() = Full::new(unsent.watch(page));
            }
            Err(failure) => {
                *response.status_mut() = failure.status();
                match failure {
                    Failure::Method => response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD")),
                    Failure::Busy => response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1")),
                    Failure::NotFound | Failure::TooLarge => None,
                };
            }
        }
        response
    }
}

/// When the pages of a connection were made that are not sent yet. They are sent, and dropped, in
/// this order.
#[derive(Clone, Default)]
struct Unsent(Arc<Mutex<VecDeque<Instant>>>);

impl Unsent {
    fn with<T>(&self, work: impl FnOnce(&mut VecDeque<Instant>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn watch(&self, page: Bytes) -> Bytes {
        self.with(|made| made.push_back(Instant::now()));
        Bytes::from_owner(Watched { page, unsent: self.clone() })
    }

    /// Returns when a page has waited for so long.
    async fn overdue(&self, patience: Duration) {
        while self.with(|made| made.front().is_none_or(|made| made.elapsed() < patience)) {
            tokio::time::sleep(patience / 4).await;
        }
    }
}

struct Watched {
    page: Bytes,
    unsent: Unsent,
}

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.page
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.unsent.with(VecDeque::pop_front);
    }
}

// Miri has no sockets.
#[cfg(all(test, not(miri)))]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use marena_std::Pool;

    use super::*;
    use crate::catalogue::catalogue;
    use crate::client::{self, Load};

    fn start(pool: Arc<Pool>, patience: Duration) -> SocketAddr {
        let server = Server { memory: Memory::Arenas(pool), catalogue: catalogue().leak(), patience };
        server.start("127.0.0.1:0".parse().unwrap(), 2).unwrap().0
    }

    fn pool(arenas: usize) -> Arc<Pool> {
        Arc::new(Pool::with_capacity(arenas, 256 << 10).unwrap())
    }

    #[test]
    fn a_server_without_a_free_arena_is_busy_and_serves_again_when_there_is_one() {
        let pool = pool(1);
        let address = start(pool.clone(), Duration::from_secs(60));
        let cases = client::cases(&catalogue()).unwrap();
        let load = Load { connections: 1, requests: 12 };
        let held = pool.acquire();
        assert_eq!(client::run(address, load, &cases).unwrap().busy, 12);
        drop(held);
        assert_eq!(client::run(address, load, &cases).unwrap().busy, 0);
    }

    /// Clients that pipeline and never read, and clients that read a byte now and then.
    #[test]
    fn clients_that_do_not_take_their_responses_lose_their_connections_and_not_others_arenas() {
        for reads in [false, true] {
            let pool = pool(4);
            let address = start(pool.clone(), Duration::from_secs(2));
            let clients: Vec<_> = (0..16)
                .map(|_| {
                    let mut client = TcpStream::connect(address).unwrap();
                    client.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
                    let requests = "GET /search?q=a&limit=500 HTTP/1.1\r\nhost: x\r\n\r\n".repeat(20_000);
                    // The server stops reading before the end.
                    let _ = client.write_all(requests.as_bytes());
                    client
                })
                .collect();
            let wait_until = |what: &str, mut holds: Box<dyn FnMut() -> bool + '_>| {
                let started = Instant::now();
                while !holds() {
                    assert!(started.elapsed() < Duration::from_secs(60), "{what}");
                    thread::sleep(Duration::from_millis(10));
                    for mut client in clients.iter().filter(|_| reads) {
                        let _ = client.read(&mut [0]);
                    }
                }
            };
            wait_until("the clients hold too little", Box::new(|| pool.available() == 0));
            let cases = client::cases(&catalogue()).unwrap();
            let load = Load { connections: 1, requests: 6 };
            wait_until("others are not served", Box::new(|| client::run(address, load, &cases).unwrap().busy == 0));
            wait_until("arenas are not given back", Box::new(|| pool.available() == 4));
        }
    }
}
