//! Compression of responses with gzip, for clients that accept it.
//!
//! A short body is compressed at once. A long or streamed one is compressed piece by piece as the
//! client reads it, so that neither a second copy of it nor the delay of a whole compression is
//! needed; the compressor gives way to other tasks after each piece. Event streams and content that
//! does not become smaller are never compressed.
//!
//! The length of a compressed page tells something about its content. The one secret in any page is
//! the form token of the explorer, which belongs to a `SameSite=Strict` cookie: a page of another
//! site cannot make a browser ask for the same token again with a text of its choice, as attacks on
//! that length (BREACH) need.

use std::io::Write;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body, Frame, SizeHint};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Minimum size of a compressed body in bytes. A shorter one fits into one packet anyway.
const MIN_BYTES: u64 = 1024;

/// Maximum size of a body that is compressed at once, in bytes: about a millisecond.
const MAX_WHOLE_BYTES: u64 = 64 * 1024;

/// Number of bytes that are compressed without giving way to other tasks.
const PIECE_BYTES: usize = 32 * 1024;

/// Memory of a compressor in bytes.
const ENCODER_BYTES: u64 = 320 * 1024;

/// Maximum number of long bodies that are compressed at the same time. Others are sent as they are, so
/// that clients which do not read cannot keep the processors busy.
const MAX_COMPRESSORS: usize = 8;

static COMPRESSORS: Semaphore = Semaphore::const_new(MAX_COMPRESSORS);

/// Compression level. Higher levels take twice the time for a few percent.
const LEVEL: u32 = 4;

/// Media types that become smaller.
const TYPES: [&str; 8] = [
    "application/json",
    "application/openmetrics-text",
    "application/x-ndjson",
    "image/svg+xml",
    "text/css",
    "text/html",
    "text/javascript",
    "text/plain",
];

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Returns `true` if a client accepts gzip at least as much as no compression.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, 0.0);
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    for coding in texts.flat_map(|text| text.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(parse_weight).unwrap_or(1.0);
        match &*name.to_ascii_lowercase() {
            "gzip" | "x-gzip" => gzip = Some(weight),
            "*" => any = Some(weight),
            "identity" => identity = weight,
            _ => {}
        }
    }
    gzip.or(any)
        .is_some_and(|weight| weight > 0.0 && weight >= identity)
}

/// Returns the weight that a parameter of a coding gives (RFC 9110, section 12.4.2); `None` for
/// another parameter. A malformed weight is no consent.
fn parse_weight(parameter: &str) -> Option<f32> {
    let (name, weight) = parameter.split_once('=')?;
    let is_weight = name.trim_end().eq_ignore_ascii_case("q");
    let weight = weight.trim_start().parse().ok();
    is_weight.then(|| {
        weight
            .filter(|weight| (0.0..=1.0).contains(weight))
            .unwrap_or(0.0)
    })
}

/// Compresses a response, if the client accepts it and it becomes smaller.
pub(super) async fn compress<B>(accepts: bool, response: Response<B>) -> Response<MaybeGzipBody<B>>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Error>,
{
    compress_with(&COMPRESSORS, accepts, response).await
}

async fn compress_with<B>(
    compressors: &'static Semaphore,
    accepts: bool,
    response: Response<B>,
) -> Response<MaybeGzipBody<B>>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Error>,
{
    let (mut parts, body) = response.into_parts();
    let is_not_modified = parts.status == StatusCode::NOT_MODIFIED;
    let size = content_length(&parts.headers).or(body.size_hint().exact());
    let is_compressible = !is_not_modified
        && !parts.headers.contains_key(header::CONTENT_ENCODING)
        && size.is_none_or(|size| size >= MIN_BYTES)
        && is_text(&parts.headers);
    if is_compressible || is_not_modified {
        parts
            .headers
            .append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if !accepts || !(is_compressible || is_not_modified) {
        return Response::from_parts(parts, MaybeGzipBody::Plain(body));
    }
    if is_not_modified {
        weaken_tag(&mut parts.headers);
        return Response::from_parts(parts, MaybeGzipBody::Plain(body));
    }
    let length = body.size_hint().exact();
    let is_short = length == size && length.is_some_and(|length| length <= MAX_WHOLE_BYTES);
    let body = if is_short {
        MaybeGzipBody::Whole(Some(GzipBody::new(body, None).read().await))
    } else if let Ok(permit) = compressors.try_acquire() {
        MaybeGzipBody::Gzip(Box::new(GzipBody::new(body, Some(permit))))
    } else {
        return Response::from_parts(parts, MaybeGzipBody::Plain(body));
    };
    weaken_tag(&mut parts.headers);
    parts.headers.remove(header::CONTENT_LENGTH);
    let gzip = HeaderValue::from_static("gzip");
    parts.headers.insert(header::CONTENT_ENCODING, gzip);
    Response::from_parts(parts, body)
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    TYPES.contains(&kind.trim())
}

/// Makes a strong entity tag weak, because the same one names the uncompressed bytes.
fn weaken_tag(headers: &mut HeaderMap) {
    const ETAG: HeaderName = header::ETAG;
    let tag = headers.get(ETAG).and_then(|tag| tag.to_str().ok());
    let weak = tag.filter(|tag| !tag.starts_with("W/"));
    let weak = weak.and_then(|tag| HeaderValue::try_from(format!("W/{tag}")).ok());
    if let Some(weak) = weak {
        headers.insert(ETAG, weak);
    }
}

/// The body of a response that may be compressed.
pub(super) enum MaybeGzipBody<B> {
    /// Not compressed.
    Plain(B),
    /// Compressed at once; `None` after the end.
    Whole(Option<Result<Bytes, Error>>),
    /// Compressed as it is read.
    Gzip(Box<GzipBody<B>>),
}

impl<B: Body<Data = Bytes>> MaybeGzipBody<B> {
    /// Returns the number of bytes that it keeps in memory until they are sent. A streamed body is
    /// produced while it is sent.
    pub(super) fn held_bytes(&self) -> u64 {
        let exact = |body: &B| body.size_hint().exact().unwrap_or(0);
        match self {
            Self::Plain(body) => exact(body),
            Self::Whole(Some(Ok(bytes))) => bytes.len() as u64,
            Self::Whole(_) => 0,
            Self::Gzip(body) => ENCODER_BYTES + exact(&body.inner),
        }
    }
}

impl<B> Body for MaybeGzipBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Error>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut *self {
            Self::Plain(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| bytes.map(Frame::data))),
            Self::Gzip(body) => {
                let piece = ready!(body.poll_piece(cx));
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Plain(body) => body.is_end_stream(),
            Self::Whole(bytes) => bytes.is_none(),
            Self::Gzip(body) => body.encoder.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Plain(body) => body.size_hint(),
            Self::Whole(Some(Ok(bytes))) => SizeHint::with_exact(bytes.len() as u64),
            Self::Whole(None) => SizeHint::with_exact(0),
            Self::Whole(Some(Err(_))) | Self::Gzip(_) => SizeHint::default(),
        }
    }
}

/// A body that is compressed as it is read.
pub(super) struct GzipBody<B> {
    inner: B,
    /// The rest of a frame of the body.
    rest: Bytes,
    /// `None` after the end.
    encoder: Option<GzEncoder<Vec<u8>>>,
    /// A piece was compressed, and other tasks are to run before the next one.
    gives_way: bool,
    /// Permit of [`COMPRESSORS`], for a long body.
    _permit: Option<SemaphorePermit<'static>>,
}

impl<B> GzipBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Error>,
{
    fn new(inner: B, permit: Option<SemaphorePermit<'static>>) -> Self {
        Self {
            inner,
            rest: Bytes::new(),
            encoder: Some(GzEncoder::new(Vec::new(), Compression::new(LEVEL))),
            gives_way: false,
            _permit: permit,
        }
    }

    /// Returns the next compressed bytes; `None` after the end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            if mem::take(&mut self.gives_way) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Some(encoder) = &mut self.encoder else {
                return Poll::Ready(None);
            };
            if self.rest.is_empty() {
                match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                    Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                    Some(Err(error)) => {
                        self.encoder = None;
                        return Poll::Ready(Some(Err(error.into())));
                    }
                    None => {
                        let end = self.encoder.take().map(GzEncoder::finish);
                        let end = end.map(|end| end.map(Bytes::from).map_err(Into::into));
                        return Poll::Ready(end);
                    }
                }
                continue;
            }
            let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
            self.gives_way = true;
            if let Err(error) = encoder.write_all(&piece) {
                self.encoder = None;
                return Poll::Ready(Some(Err(error.into())));
            }
            let compressed = mem::take(encoder.get_mut());
            if !compressed.is_empty() {
                return Poll::Ready(Some(Ok(compressed.into())));
            }
        }
    }

    /// Compresses the whole body.
    async fn read(&mut self) -> Result<Bytes, Error> {
        let mut all = Vec::new();
        while let Some(piece) = std::future::poll_fn(|cx| self.poll_piece(cx)).await {
            all.extend_from_slice(&piece?);
        }
        // A slow client may hold it in memory for a long time.
        all.shrink_to_fit();
        Ok(all.into())
    }
}

#[cfg(test)]
mod tests;
