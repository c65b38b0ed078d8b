//! What stands under every server of this program: the accept loop with its limits, and whether a
//! browser may ask ([`Guard`]). It knows neither routes nor nodes. `connection` gives a body to
//! the errors that the HTTP server answers by itself.

mod connection;
mod guard;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use connection::Connection;

pub use guard::Guard;

/// Most connections at a time.
const CONNECTIONS: usize = 512;

/// How long the head of a request may take, and how long a connection may stay unused.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a reader may take nothing before it is cut off.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long requests may go on after the stop.
const GRACE: Duration = Duration::from_millis(500);

/// Most bytes of a request's head: a request line of 64 KiB and as much of headers.
const HEAD_BYTES: usize = 128 * 1024;

/// The connections of a server.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Semaphore>);

impl Default for Connections {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(CONNECTIONS)))
    }
}

impl Connections {
    /// How many are open.
    pub fn count(&self) -> u64 {
        // One is kept for the next to come.
        let taken = CONNECTIONS - self.0.available_permits();
        taken.saturating_sub(1) as u64
    }
}

/// Serves until the shutdown, then lets requests under way end within [`GRACE`]. Each connection
/// has a `service` of its own, made for its other end.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: impl Fn(SocketAddr) -> S,
    connections: Connections,
    shutdown: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = hyper::Response<B>, Error = Infallible>
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Connections(connections) = connections;
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = shutdown.cancelled() => break,
        };
        let (stream, remote, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most often there are no file handles left; some will be free soon.
                warn!(%error, "no connection could be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (service, shutdown) = (service(remote), shutdown.clone());
        tasks.spawn(async move {
            // Small answers must not wait for more to send.
            let _ = stream.set_nodelay(true);
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(WRITE_TIMEOUT));
            let stream = TokioIo::new(Connection::new(Box::pin(stream)));
            let mut connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(stream, service);
            let outcome = tokio::select! {
                outcome = &mut connection => outcome,
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
                    () = shutdown.cancelled() => {}
                }
            }
            drop(permit);
        });
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(tokio::net::TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, remote) = listener.accept().await?;
    Ok((stream, remote, permit))
}
