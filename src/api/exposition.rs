//! The two text formats of `/metrics`: `OpenMetrics` 1.0 for clients that accept it, the Prometheus
//! text format for all others.

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
    /// Selects the format that the `Accept` headers of a request prefer.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let accept = headers.get_all(header::ACCEPT).iter();
        let ranges: Vec<_> = accept
            .filter_map(|accept| accept.to_str().ok())
            .flat_map(|accept| accept.split(','))
            .filter_map(MediaRange::parse)
            .collect();
        // The most specific media range has precedence (RFC 9110, section 12.5.1).
        let quality = |names: &[&str], version: &str| {
            let named = names.iter().map(|name| {
                let matches = |range: &&MediaRange| {
                    range.name.eq_ignore_ascii_case(name) && range.is_version(version)
                };
                let found = ranges.iter().filter(matches);
                found.map(|range| range.quality).max()
            });
            named.flatten().next().unwrap_or(0)
        };
        // `*/*` does not select OpenMetrics: the client may not know it.
        let open = quality(&["application/openmetrics-text"], "1.0.0");
        let plain = quality(&["text/plain", "text/*", "*/*"], "0.0.4");
        if open > 0 && open >= plain {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Returns the media type of the format.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Converts metrics from `OpenMetrics` into this format.
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
    /// Quality in thousandths.
    quality: u16,
}

impl<'a> MediaRange<'a> {
    /// Parses an element; `None` if its quality is malformed.
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

    /// Returns `true` if the range includes this version of its format.
    fn is_version(&self, version: &str) -> bool {
        self.version.is_none_or(|asked| asked == version)
    }
}

/// Converts `OpenMetrics` into the Prometheus text format. There a counter is declared under the name
/// of its sample, an info metric is a gauge, and there is neither `UNIT` nor `EOF`. No metric of this
/// program has exemplars, so samples are the same in both formats.
fn to_prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    // The TYPE line of a family follows its HELP line, and both have the same name.
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
    fn the_accepted_format_is_selected() {
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
            // The header that Prometheus sends.
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        ] {
            assert_eq!(accepted(accept), Exposition::OpenMetrics, "{accept}");
        }
    }

    #[test]
    fn the_prometheus_format_declares_each_family() {
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
