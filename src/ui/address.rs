//! The address under which a browser sees the explorer, as its request tells it.

use std::net::IpAddr;

use http::HeaderMap;
use http::uri::Authority;
use qrcode::QrCode;
use qrcode::render::svg;
use warp::http;

use crate::http::{plain_host, request_host};

/// Longest address that is drawn as a QR code.
const MAX_ADDRESS_BYTES: usize = 300;

/// The address of the first page, and its QR code.
#[derive(Debug)]
pub(super) struct PageAddress {
    pub(super) url: String,
    /// An SVG drawing of the address.
    pub(super) drawing: String,
    /// No other machine can open the address.
    pub(super) is_loopback: bool,
}

impl PageAddress {
    /// `None` if the request names no valid host.
    pub(super) fn of(headers: &HeaderMap, base: &str) -> Option<Self> {
        let host = forwarded_host(headers).or_else(|| request_host(headers))?;
        let scheme = match headers.get("x-forwarded-proto") {
            Some(scheme) if scheme == "https" => "https",
            _ => "http",
        };
        let url = format!("{scheme}://{host}{base}/");
        let code = QrCode::new(&url).ok();
        Some(Self {
            drawing: draw(&code.filter(|_| url.len() <= MAX_ADDRESS_BYTES)?)?,
            is_loopback: is_loopback(&host),
            url,
        })
    }
}

/// Returns the host that a proxy says the browser named, if the proxy replaced it.
pub(super) fn forwarded_host(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-forwarded-host")?.to_str().ok()?;
    // Each proxy appends its own; the first is that of the browser.
    let forwarded = plain_host(text.split(',').next()?.trim())?;
    (request_host(headers).as_ref() != Some(&forwarded)).then_some(forwarded)
}

/// Returns `true` if a host is the machine itself, on which the name would be used.
pub(super) fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().trim_matches(['[', ']']);
    let address = name.parse::<IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Draws a QR code as an SVG element.
pub(super) fn draw(code: &QrCode) -> Option<String> {
    let drawing = code.render::<svg::Color>().min_dimensions(200, 200).build();
    // It stands inside a page, which has no XML declaration.
    drawing.split_once("?>").map(|(_, svg)| svg.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn the_address_is_the_one_of_the_browser() {
        for (pairs, url, is_loopback) in [
            (
                &[("host", "127.0.0.1:8080")][..],
                "http://127.0.0.1:8080/x/",
                true,
            ),
            (&[("host", "[::1]:8080")], "http://[::1]:8080/x/", true),
            (&[("host", "LocalHost")], "http://localhost/x/", true),
            (
                &[("host", "10.0.0.7:8080")],
                "http://10.0.0.7:8080/x/",
                false,
            ),
            (
                &[
                    ("host", "127.0.0.1:8080"),
                    ("x-forwarded-host", "chain.example"),
                    ("x-forwarded-proto", "https"),
                ],
                "https://chain.example/x/",
                false,
            ),
        ] {
            let address = PageAddress::of(&headers(pairs), "/x").unwrap();
            assert_eq!(
                (address.url.as_str(), address.is_loopback),
                (url, is_loopback)
            );
            assert!(address.drawing.starts_with("<svg"), "{}", address.drawing);
        }
        for host in ["", "a b", "\"><script>", "user@host"] {
            assert!(
                PageAddress::of(&headers(&[("host", host)]), "").is_none(),
                "{host}"
            );
        }
    }

    #[test]
    fn only_a_replaced_host_is_reported() {
        let same = headers(&[("host", "a.example"), ("x-forwarded-host", "A.example, b")]);
        assert_eq!(forwarded_host(&same), None);
        let other = headers(&[
            ("host", "127.0.0.1:1"),
            ("x-forwarded-host", "a.example, b"),
        ]);
        assert_eq!(forwarded_host(&other).as_deref(), Some("a.example"));
    }
}
