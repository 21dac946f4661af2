//! The server: hyper on tokio.

use std::convert::Infallible;
use std::future;
use std::io;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use crate::catalogue::Product;
use crate::memory::RequestMemory;
use crate::refusal::Refusal;

/// How long the server waits where it cannot accept a connection: most likely it has too many.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves for good.
pub(crate) async fn serve(listener: TcpListener, memory: impl RequestMemory, catalogue: &'static [Product]) {
    loop {
        match listener.accept().await {
            // A connection that fails ends, and no other notices: its client has gone, or speaks something else.
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, memory, catalogue))),
            Err(error) => {
                eprintln!("http-server: no connection accepted: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, memory: impl RequestMemory, catalogue: &'static [Product]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let service = service_fn(|request: Request<Incoming>| {
        future::ready(Ok::<_, Infallible>(respond(&request.into_parts().0, memory, catalogue)))
    });
    let served = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
    served.map_err(io::Error::other)
}

fn respond<M: RequestMemory>(head: &Parts, memory: M, catalogue: &[Product]) -> Response<Full<M::Page>> {
    match memory.answer(head, catalogue) {
        Ok(page) => {
            let mut response = Response::new(Full::new(page));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            response
        }
        Err(refusal) => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = refusal.status();
            match refusal {
                Refusal::Method => drop(response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"))),
                Refusal::Busy => drop(response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"))),
                Refusal::NotFound | Refusal::TooLarge => {}
            }
            response
        }
    }
}

// Miri has no sockets.
#[cfg(all(test, not(miri)))]
mod tests {
    use marena_std::Pool;
    use tokio::runtime;

    use super::*;
    use crate::catalogue::catalogue;
    use crate::client::{self, Load};
    use crate::memory::Arenas;

    #[test]
    fn a_server_without_a_free_arena_says_that_it_is_busy_and_serves_again_when_there_is_one() {
        let catalogue = catalogue().leak();
        let pool: &Pool = Box::leak(Box::new(Pool::with_capacity(1, 256 << 10).unwrap()));
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, Arenas(pool), catalogue));
        let cases = client::cases(catalogue).unwrap();
        let load = Load { connections: 1, requests: 12 };

        let held = pool.acquire();
        assert_eq!(client::run(address, load, &cases).unwrap().busy, 12);
        drop(held);
        assert_eq!(client::run(address, load, &cases).unwrap().busy, 0);
        drop(runtime);
        assert_eq!(pool.available(), 1);
    }
}
