//! The two text formats of `/metrics`: `OpenMetrics` 1.0 for who asks for it, the format of
//! Prometheus for everybody else.

use http::{HeaderMap, header};
use warp::http;

/// A text format for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exposition {
    /// The Prometheus text format 0.0.4.
    Prometheus,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Exposition {
    /// The format that suits the `Accept` headers of a request best.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let accept = headers.get_all(header::ACCEPT).iter();
        let ranges: Vec<_> = accept
            .filter_map(|accept| accept.to_str().ok())
            .flat_map(|accept| accept.split(','))
            .filter_map(MediaRange::parse)
            .collect();
        // What names a format more closely says more about it, by RFC 9110, section 12.5.1.
        let quality = |names: &[&str], version: &str| {
            let named = names.iter().map(|name| {
                let suits = |range: &&MediaRange| {
                    range.name.eq_ignore_ascii_case(name) && range.is_version(version)
                };
                let found = ranges.iter().filter(suits);
                found.map(|range| range.quality).max()
            });
            named.flatten().next().unwrap_or(0)
        };
        // A client that takes anything has not asked for OpenMetrics.
        let open = quality(&["application/openmetrics-text"], "1.0.0");
        let plain = quality(&["text/plain", "text/*", "*/*"], "0.0.4");
        if open > 0 && open >= plain {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// The media type of the format.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Turns metrics as they are encoded, in `OpenMetrics`, into this format.
    pub(super) fn render(self, open_metrics: String) -> String {
        match self {
            Self::Prometheus => to_prometheus(&open_metrics),
            Self::OpenMetrics => open_metrics,
        }
    }
}

/// An element of `Accept`, such as `text/plain;version=0.0.4;q=0.5`.
#[derive(Debug)]
struct MediaRange<'a> {
    name: &'a str,
    version: Option<&'a str>,
    /// Thousandths.
    quality: u16,
}

impl<'a> MediaRange<'a> {
    /// Reads an element; none if its quality is malformed.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let mut range = Self {
            name: parts.next()?,
            version: None,
            quality: 1000,
        };
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if name.eq_ignore_ascii_case("q") {
                let quality: f32 = value.parse().ok()?;
                if !(0.0..=1.0).contains(&quality) {
                    return None;
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a number from 0 to 1000"
                )]
                let thousandths = (quality * 1000.0).round() as u16;
                range.quality = thousandths;
            } else if name.eq_ignore_ascii_case("version") {
                range.version = Some(value.trim_matches('"'));
            }
        }
        Some(range)
    }

    /// Returns `true` if the range holds this version of its format.
    fn is_version(&self, version: &str) -> bool {
        self.version.is_none_or(|asked| asked == version)
    }
}

/// Turns `OpenMetrics` into the Prometheus text format. There a counter is declared under the name
/// of its sample, an info metric is a gauge, and neither units nor the end are said. No metric of
/// this program has exemplars, so samples are the same in both.
fn to_prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    // The type of a family comes after its help, and both have the same name.
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(declared) = line.strip_prefix("# HELP ") {
            help = declared.split_once(' ').map(|(_, help)| help);
        } else if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (family, kind) = declared.split_once(' ').unwrap_or((declared, "unknown"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "gauge" | "histogram" | "summary" => ("", kind),
                _ => ("", "untyped"),
            };
            if let Some(help) = help.take() {
                text.extend(["# HELP ", family, suffix, " ", help, "\n"]);
            }
            text.extend(["# TYPE ", family, suffix, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            text.extend([line, "\n"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        let accepted = |accept: &str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            Exposition::accepted(&headers)
        };
        let plain = Exposition::accepted(&HeaderMap::new());
        assert_eq!(plain, Exposition::Prometheus);
        for accept in [
            "",
            "*/*",
            "text/plain",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=x",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=0.1,text/plain;q=0.2",
            "application/openmetrics-text;q=0.5,*/*",
        ] {
            assert_eq!(accepted(accept), Exposition::Prometheus, "{accept}");
        }
        for accept in [
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; Version=1.0.0; Q=0.5",
            "application/openmetrics-text,text/plain",
            "text/plain;q=0,application/openmetrics-text;q=0.001",
            "text/plain;q=0.1,*/*,application/openmetrics-text;q=0.2",
            // As Prometheus asks.
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        ] {
            assert_eq!(accepted(accept), Exposition::OpenMetrics, "{accept}");
        }
    }

    #[test]
    fn the_format_of_prometheus_declares_what_it_holds() {
        let open_metrics = "\
# HELP x_requests Requests answered.
# TYPE x_requests counter
x_requests_total{path=\"# TYPE\"} 3
# HELP x_duration_seconds Time.
# TYPE x_duration_seconds histogram
# UNIT x_duration_seconds seconds
x_duration_seconds_sum 0.5
x_duration_seconds_count 1
x_duration_seconds_bucket{le=\"+Inf\"} 1
# HELP x_peers Peers.
# TYPE x_peers gauge
x_peers 2
# HELP x_build Version.
# TYPE x_build info
x_build_info{version=\"1\"} 1
# EOF
";
        let prometheus = "\
# HELP x_requests_total Requests answered.
# TYPE x_requests_total counter
x_requests_total{path=\"# TYPE\"} 3
# HELP x_duration_seconds Time.
# TYPE x_duration_seconds histogram
x_duration_seconds_sum 0.5
x_duration_seconds_count 1
x_duration_seconds_bucket{le=\"+Inf\"} 1
# HELP x_peers Peers.
# TYPE x_peers gauge
x_peers 2
# HELP x_build_info Version.
# TYPE x_build_info gauge
x_build_info{version=\"1\"} 1
";
        assert_eq!(to_prometheus(open_metrics), prometheus);
    }
}
