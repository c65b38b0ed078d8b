//! The paths of the API, derived from the table of operations: which operation serves a request,
//! which methods a 405 response allows, and the route label of a request in the metrics.

use std::sync::LazyLock;

use super::operation::ApiOperation;
use super::operations::OPERATIONS;

/// A path and its operations.
#[derive(Debug)]
pub(crate) struct Path {
    /// The path as the documentation writes it. `{name}` stands for any one segment.
    pub(crate) template: &'static str,
    /// The value of the header `Allow`.
    pub(crate) allow: String,
    operations: Vec<&'static ApiOperation>,
}

/// The `Allow` header of a path that only has GET.
pub(crate) const READ: &str = "GET, HEAD, OPTIONS";

static PATHS: LazyLock<Vec<Path>> = LazyLock::new(paths);

fn paths() -> Vec<Path> {
    let mut paths: Vec<Path> = Vec::new();
    for operation in OPERATIONS {
        match paths
            .iter_mut()
            .find(|path| path.template == operation.path)
        {
            Some(path) => path.operations.push(operation),
            None => paths.push(Path {
                template: operation.path,
                allow: String::new(),
                operations: vec![operation],
            }),
        }
    }
    for path in &mut paths {
        let mut methods = vec!["OPTIONS"];
        for operation in &path.operations {
            methods.push(operation.method);
            if operation.method == "GET" {
                methods.push("HEAD");
            }
        }
        methods.sort_unstable();
        path.allow = methods.join(", ");
    }
    paths
}

/// Returns the path that a request path matches.
pub(crate) fn find(path: &str) -> Option<&'static Path> {
    PATHS.iter().find(|known| known.matches(path))
}

/// Returns `true` if errors on a path have the error format of this program, not that of the
/// reference miner.
pub(crate) fn has_own_errors(path: &str) -> bool {
    let is_top_level = ["/health", "/metrics", "/openapi.json", "/docs"].contains(&path);
    is_top_level || path.starts_with("/api/") || path.starts_with("/docs/")
}

impl Path {
    /// Returns the operation for a method. GET operations also serve HEAD.
    pub(crate) fn operation(&self, method: &str) -> Option<&'static ApiOperation> {
        let method = if method == "HEAD" { "GET" } else { method };
        let mut operations = self.operations.iter().copied();
        operations.find(|operation| operation.method == method)
    }

    /// Returns the segment of a request path that stands for `{name}` in the template.
    pub(crate) fn parameter<'a>(&self, path: &'a str) -> &'a str {
        let mut pairs = self.template.split('/').zip(path.split('/'));
        pairs
            .find(|(expected, _)| expected.starts_with('{'))
            .map_or("", |(_, segment)| segment)
    }

    fn matches(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        let same = self.template.split('/').all(|expected| {
            segments.next().is_some_and(|segment| {
                segment == expected || expected.starts_with('{') && !segment.is_empty()
            })
        });
        same && segments.next().is_none()
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
        assert_eq!(
            find("/api/v1/blocks/7")
                .unwrap()
                .parameter("/api/v1/blocks/7"),
            "7"
        );
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

    #[test]
    fn every_operation_is_found_by_its_path_and_method_and_allowed() {
        for operation in OPERATIONS {
            let path = find(operation.path).unwrap();
            assert_eq!(path.template, operation.path);
            let found = path.operation(operation.method).unwrap();
            assert_eq!(found.endpoint, operation.endpoint);
            assert!(
                path.allow
                    .split(", ")
                    .any(|method| method == operation.method)
            );
        }
        let allow = |path| &*find(path).unwrap().allow;
        assert_eq!(allow("/chain"), READ);
        assert_eq!(allow("/add"), "OPTIONS, PUT");
        assert_eq!(allow("/api/v1/neighbours"), "GET, HEAD, OPTIONS, POST");
        assert_eq!(allow("/api/v1/neighbours/x"), "DELETE, OPTIONS");
    }
}
