//! What stands under every server of this program: the accept loop with its limits, and whether a
//! browser may ask ([`Guard`]). It knows neither routes nor nodes. `connections` says who stays when
//! all places are taken; `arriving` and `answer`, the bodies of a request and its answer, tell it
//! who lets whom wait. `connection` gives a body to the errors that the HTTP server answers by
//! itself.

mod answer;
mod arriving;
mod connection;
mod connections;
mod guard;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use answer::Answer;
use connection::Connection;
use connections::Place;

pub use arriving::Arriving;
pub use connections::{Connections, allow_many_files};
pub use guard::Guard;

/// How long the head of a request may take, and how long a connection may stay unused.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a reader may take nothing before it is cut off.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long requests may go on after the stop.
const GRACE: Duration = Duration::from_millis(500);

/// Most bytes of a request's head: a request line of 64 KiB and as much of headers.
const HEAD_BYTES: usize = 128 * 1024;

/// How long to wait when no connection can be accepted, and between two warnings of that.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const ACCEPT_WARNING: Duration = Duration::from_secs(10);

/// Serves until the shutdown, then lets requests under way end within [`GRACE`]. Each connection
/// has a `service` of its own, made for its other end.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: impl Fn(SocketAddr) -> S,
    connections: Connections,
    shutdown: CancellationToken,
) where
    S: Service<Request<Arriving>, Response = hyper::Response<B>, Error = Infallible>
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let tasks = TaskTracker::new();
    loop {
        let accepted = async {
            let (stream, remote) = accept(&listener, &connections).await;
            (stream, remote, connections.place().await)
        };
        let (stream, remote, place) = tokio::select! {
            accepted = accepted => accepted,
            () = shutdown.cancelled() => break,
        };
        let connection = converse(stream, remote, place, service(remote), shutdown.clone());
        tasks.spawn(connection);
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

/// Waits for the next connection, however long none can be had.
async fn accept(listener: &TcpListener, connections: &Connections) -> (TcpStream, SocketAddr) {
    let mut warned: Option<Instant> = None;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_shortage(&error) => {
                if warned.is_none_or(|warned| warned.elapsed() > ACCEPT_WARNING) {
                    warn!(%error, "no connection could be accepted");
                    warned = Some(Instant::now());
                }
                connections.cut_one();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            // The other end went before its turn came.
            Err(error) => debug!(%error, "a connection was gone before it was accepted"),
        }
    }
}

/// Whether no connection can be accepted until another one ends.
fn is_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// Answers the requests of one connection until it ends or its place is given away.
async fn converse<S, B>(
    stream: TcpStream,
    remote: SocketAddr,
    place: Place,
    service: S,
    shutdown: CancellationToken,
) where
    S: Service<Request<Arriving>, Response = hyper::Response<B>, Error = Infallible>,
    B: Body + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let place = Arc::new(place);
    let answered = Arc::clone(&place);
    let service = service_fn(move |request: Request<Incoming>| {
        let place = Arc::clone(&answered);
        let arriving = request.map(|body| Arriving::new(body, Arc::clone(&place)));
        let answer = service.call(arriving);
        async move { Ok::<_, Infallible>(answer.await?.map(|body| Answer::new(body, place))) }
    });
    // Small answers must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let stream = TokioIo::new(Connection::new(Box::pin(stream), Some(Arc::clone(&place))));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(stream, service);
    let outcome = tokio::select! {
        outcome = &mut connection => outcome,
        () = place.cut() => {
            debug!(%remote, "connection ended to make room");
            return;
        }
        () = shutdown.cancelled() => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            let rest = tokio::time::timeout(GRACE, &mut connection);
            rest.await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = outcome {
        debug!(%remote, %error, "connection ended");
        tokio::select! {
            // The other end may be gone already.
            _ = connection.into_parts().io.into_inner().end() => {}
            () = place.cut() => {}
            () = shutdown.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_shortage_costs_somebody_else_the_connection() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(is_shortage(&errno.into()), "{errno}");
        }
        for errno in [Errno::CONNABORTED, Errno::PERM, Errno::NETDOWN, Errno::INTR] {
            assert!(!is_shortage(&errno.into()), "{errno}");
        }
    }
}
