//! Every path of the API with its methods: what 405 answers name, and what a request is counted
//! as. The routes themselves stand in [`super::routes`].

/// A path and the methods it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// The path; `{name}` stands for any one part.
    pub(crate) template: &'static str,
    /// The methods as the header `Allow` lists them.
    pub(crate) allow: &'static str,
}

/// The methods of a path that is only read.
pub(crate) const READ: &str = "GET, HEAD, OPTIONS";

/// All of them.
pub(super) const PATHS: &[Path] = &[
    of("/add", "OPTIONS, PUT"),
    of("/chain", READ),
    of("/neighbours", READ),
    of("/data", READ),
    of("/health", READ),
    of("/metrics", READ),
    of("/openapi.json", READ),
    of("/docs", READ),
    of("/docs/style.css", READ),
    of("/api/v1/status", READ),
    of("/api/v1/blocks", READ),
    of("/api/v1/blocks/{block}", READ),
    of("/api/v1/messages", "OPTIONS, POST"),
    of("/api/v1/messages/{id}", READ),
    of("/api/v1/mempool", READ),
    of("/api/v1/reorgs", READ),
    of("/api/v1/search", READ),
    of("/api/v1/events", READ),
    of("/api/v1/neighbours", "GET, HEAD, OPTIONS, POST"),
    of("/api/v1/neighbours/{address}", "DELETE, OPTIONS"),
    of("/api/v1/announce", "OPTIONS, POST"),
];

const fn of(template: &'static str, allow: &'static str) -> Path {
    Path { template, allow }
}

/// The path that a request names.
pub(crate) fn find(path: &str) -> Option<&'static Path> {
    PATHS.iter().find(|known| known.is_named_by(path))
}

/// Whether errors on a path come in our own shape only, not in that of the documented endpoints.
pub(crate) fn is_ours(path: &str) -> bool {
    let is_beside = ["/health", "/metrics", "/openapi.json", "/docs"].contains(&path);
    is_beside || path.starts_with("/api/") || path.starts_with("/docs/")
}

impl Path {
    fn is_named_by(&self, path: &str) -> bool {
        let mut parts = path.split('/');
        let same = self.template.split('/').all(|expected| {
            parts.next().is_some_and(|part| {
                part == expected || expected.starts_with('{') && !part.is_empty()
            })
        });
        same && parts.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_by_its_template() {
        let template = |path| find(path).map(|path| path.template);
        assert_eq!(template("/chain"), Some("/chain"));
        assert_eq!(template("/api/v1/blocks/7"), Some("/api/v1/blocks/{block}"));
        for path in [
            "",
            "/",
            "chain",
            "/chain/",
            "/chain/x",
            "/api/v1",
            "/api/v1/blocks/",
            "/api/v1/blocks/1/2",
            "/api/v1/{x}",
        ] {
            assert_eq!(template(path), None, "{path}");
        }
    }
}
