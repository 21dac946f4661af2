//! The server: hyper on tokio.

use std::convert::Infallible;
use std::future;
use std::io;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use crate::catalogue::Product;
use crate::memory::RequestMemory;

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

fn respond<M: RequestMemory>(
    head: &hyper::http::request::Parts,
    memory: M,
    catalogue: &[Product],
) -> Response<Full<M::Page>> {
    match memory.answer(head, catalogue) {
        Ok(page) => {
            let mut response = Response::new(Full::new(page));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            response
        }
        Err(refusal) => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = refusal.status();
            response
        }
    }
}
