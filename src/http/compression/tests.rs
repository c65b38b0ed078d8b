//! Accepted encodings and bodies.

use std::io::Read;

use flate2::read::GzDecoder;
use futures_util::StreamExt;
use futures_util::stream;

use super::*;

/// A body of frames, with a size if it is known.
struct Frames(Vec<Result<Bytes, Error>>, Option<u64>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let next = (!self.0.is_empty()).then(|| self.0.remove(0));
        Poll::Ready(next.map(|frame| frame.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.1.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn response(kind: &str, frames: Frames) -> Response<Frames> {
    let response = Response::builder().header("content-type", kind);
    response.header("etag", "\"tag\"").body(frames).unwrap()
}

fn text(length: usize) -> Bytes {
    (0..)
        .flat_map(|n: u32| n.to_string().into_bytes())
        .take(length)
        .collect()
}

async fn read(body: MaybeGzipBody<Frames>) -> Result<Vec<u8>, Error> {
    let next = |mut body: MaybeGzipBody<Frames>| async {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await?;
        Some((frame.map(|frame| frame.into_data().unwrap()), body))
    };
    let pieces: Vec<_> = stream::unfold(body, next).collect().await;
    let pieces: Vec<Bytes> = pieces.into_iter().collect::<Result<_, _>>()?;
    Ok(pieces.concat())
}

#[test]
fn gzip_is_accepted_by_its_weight() {
    for (value, expected) in [
        ("gzip", true),
        ("gzip, deflate", true),
        ("br;q=1.0, GZIP ; q=0.8", true),
        ("*", true),
        ("x-gzip", true),
        ("", false),
        ("identity", false),
        ("deflate, br", false),
        ("gzip;q=0", false),
        ("gzip;q=0, *", false),
        ("gzip;q=0.5, identity", false),
        ("gzip;q=x", false),
        ("gzip;q=2", false),
        ("gzip;q=nan", false),
        ("gzip;x=1;q=0", false),
        ("gzip; Q = 1", true),
    ] {
        let headers =
            HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
        assert_eq!(accepts_gzip(&headers), expected, "{value}");
    }
    assert!(!accepts_gzip(&HeaderMap::new()));
}

#[tokio::test]
async fn a_compressed_body_has_the_same_content() {
    let lengths = [1024, 50_000, 65_536, 65_537, 500_000];
    for (length, is_known) in lengths.into_iter().flat_map(|n| [(n, true), (n, false)]) {
        let content = text(length);
        let frames = content
            .chunks(40_000)
            .map(|frame| Ok(frame.to_vec().into()));
        let size = is_known.then_some(length as u64);
        let frames = Frames(frames.collect(), size);
        let compressed = compress(true, response("text/html; charset=utf-8", frames)).await;
        let headers = compressed.headers();
        assert_eq!(headers["content-encoding"], "gzip");
        assert_eq!(headers["vary"], "accept-encoding");
        assert_eq!(headers["etag"], "W/\"tag\"");
        let body = compressed.into_body();
        let is_short = is_known && length <= 65_536;
        assert_eq!(body.size_hint().exact().is_some(), is_short, "{length}");
        let held = body.held_bytes();
        let compressed = read(body).await.unwrap();
        assert!(compressed.len() < length * 3 / 4);
        let expected = match (is_short, is_known) {
            (true, _) => compressed.len() as u64,
            (false, true) => ENCODER_BYTES + length as u64,
            (false, false) => ENCODER_BYTES,
        };
        assert_eq!(held, expected, "{length}");
        let mut found = Vec::new();
        GzDecoder::new(&*compressed)
            .read_to_end(&mut found)
            .unwrap();
        assert!(found == content, "{length}");
    }
}

#[tokio::test]
async fn a_long_body_is_sent_as_it_is_while_too_many_are_compressed() {
    static COMPRESSORS: Semaphore = Semaphore::const_new(1);
    let long = || {
        let content = text(100_000);
        response("text/html", Frames(vec![Ok(content)], Some(100_000)))
    };
    let first = compress_with(&COMPRESSORS, true, long()).await;
    assert!(first.headers().contains_key("content-encoding"));
    let second = compress_with(&COMPRESSORS, true, long()).await;
    assert!(!second.headers().contains_key("content-encoding"));
    assert_eq!(second.headers()["vary"], "accept-encoding");
    assert_eq!(second.headers()["etag"], "\"tag\"");
    assert!(read(second.into_body()).await.unwrap() == text(100_000));
    drop(first);
    let third = compress_with(&COMPRESSORS, true, long()).await;
    assert!(third.headers().contains_key("content-encoding"));
}

#[tokio::test]
async fn short_bodies_events_and_other_content_stay_as_they_are() {
    for (kind, length, size, accepts) in [
        ("application/json", 1023, Some(1023), true),
        ("text/event-stream", 5000, None, true),
        ("application/octet-stream", 5000, Some(5000), true),
        ("application/json", 5000, Some(5000), false),
    ] {
        let plain = response(kind, Frames(vec![Ok(text(length))], size));
        let same = compress(accepts, plain).await;
        assert!(!same.headers().contains_key("content-encoding"), "{kind}");
        assert_eq!(same.headers()["etag"], "\"tag\"");
        assert_eq!(same.headers().contains_key("vary"), !accepts, "{kind}");
        assert_eq!(read(same.into_body()).await.unwrap(), text(length));
    }
}

#[tokio::test]
async fn a_body_that_fails_does_not_end_well() {
    for size in [Some(30_000), None] {
        let frames = Frames(vec![Ok(text(20_000)), Err("disk".into())], size);
        let compressed = compress(true, response("text/plain", frames)).await;
        let error = read(compressed.into_body()).await.unwrap_err();
        assert_eq!(error.to_string(), "disk");
    }
}
