//! The page of `/docs`, rendered from the `OpenAPI` document.

use std::fmt::Write;

use serde_json::{Map, Value};

/// Content security policy: only the style sheet of the page is loaded, and no script runs.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; \
                                 form-action 'none'; frame-ancestors 'none'";

/// The address of the node in the examples. A response names the one that the visitor used.
pub(super) const EXAMPLE_ADDRESS: &str = "localhost:12345";

/// The style sheet.
pub(super) const STYLE: &str = "\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff }
h2 { margin-top: 3rem }
h3 { margin: 2rem 0 .25rem; font-size: 1rem }
h3 code { font-size: 1rem }
table { border-collapse: collapse; width: 100% }
td, th { border-top: 1px solid #d0d7de; padding: .25rem .75rem .25rem 0; text-align: left;
  vertical-align: top }
td:first-child { width: 14rem; overflow-wrap: anywhere }
td:nth-child(2) { width: 14rem }
pre { overflow-x: auto }
code { font-family: ui-monospace, monospace; font-size: .9rem }
@media (max-width: 40rem) {
  tr { display: block; border-top: 1px solid #d0d7de; padding: .25rem 0 }
  td, td:first-child, td:nth-child(2) { display: block; width: auto; border: 0; padding: 0 }
}
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117 }
  a { color: #6cb6ff }
  td, th, tr { border-color: #30363d }
}
";

/// Renders the page of a document. Its links are relative, so that the explorer can serve it below a
/// base path.
pub(super) fn render(document: &Value) -> String {
    let info = &document["info"];
    let title = format!("{} {}", text(&info["title"]), text(&info["version"]));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"docs/style.css\">\n<main>\n<h1>{title}</h1>\n<p>{}</p>\n\
         <p>For programs: <a href=\"openapi.json\">/openapi.json</a></p>\n<h2>Requests</h2>\n",
        text(&info["description"])
    );
    for (path, item) in entries(&document["paths"]) {
        for (method, operation) in entries(item) {
            render_operation(&mut page, &method.to_uppercase(), path, operation);
        }
    }
    page.push_str("<h2>Bodies</h2>\n");
    for (name, schema) in entries(&document["components"]["schemas"]) {
        render_schema(&mut page, name, schema);
    }
    page.push_str("</main>\n");
    page
}

fn render_operation(page: &mut String, method: &str, path: &str, operation: &Value) {
    let about = text(&operation["summary"]);
    let raw_path = path;
    let path = escape(path);
    let mut rows = String::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let place = text(&parameter["in"]);
        let kind = kind_of(&parameter["schema"]);
        let about = text(&parameter["description"]);
        let name = text(&parameter["name"]);
        row(&mut rows, &name, &format!("{place}, {kind}"), &about);
    }
    for (kind, content) in entries(&operation["requestBody"]["content"]) {
        let schema = kind_of(&content["schema"]);
        row(&mut rows, "body", &escape(kind), &schema);
    }
    for (status, response) in entries(&operation["responses"]) {
        let about = text(&response["description"]);
        let mut kinds = String::new();
        for (kind, content) in entries(&response["content"]) {
            kinds = match kind_of(&content["schema"]) {
                schema if schema.is_empty() => escape(kind),
                schema => schema,
            };
        }
        row(&mut rows, &escape(status), &kinds, &about);
    }
    let admin = if operation["security"].is_array() {
        " (administrator only)"
    } else {
        ""
    };
    // Writing into a String cannot fail.
    let _ = write!(
        page,
        "<h3><code>{method} {path}</code></h3>\n<p>{about}{admin}</p>\n\
         <pre tabindex=\"0\"><code>{}</code></pre>\n<table>{rows}</table>\n",
        escape(&curl_example(method, raw_path, operation))
    );
}

/// Returns a command that calls an operation of the node.
fn curl_example(method: &str, path: &str, operation: &Value) -> String {
    let plain = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    let mut path = path.to_owned();
    let mut query = String::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = plain(&parameter["name"]);
        let example = plain(&parameter["example"]);
        if parameter["in"] == "path" {
            path = path.replace(&format!("{{{name}}}"), &example);
        } else if parameter["in"] == "query" && parameter["required"] == true {
            query.push(if query.is_empty() { '?' } else { '&' });
            let _ = write!(query, "{name}={example}");
        }
    }
    let mut command = format!("curl -X {method} '{EXAMPLE_ADDRESS}{path}{query}'");
    if method == "GET" {
        command = command.replacen(" -X GET", "", 1);
    }
    if operation["security"].is_array() {
        command.push_str(" -H \"Authorization: Bearer $(cat node.token)\"");
    }
    if let Some((kind, content)) = entries(&operation["requestBody"]["content"]).next() {
        let body = match &content["example"] {
            Value::Null => "hello".to_owned(),
            example => example.to_string(),
        };
        let _ = write!(command, " -H 'Content-Type: {kind}' -d '{body}'");
    }
    command
}

fn render_schema(page: &mut String, name: &str, schema: &Value) {
    let name = escape(name);
    let about = text(&schema["description"]);
    let mut rows = String::new();
    // Properties included from another schema are listed with its own.
    let parts = schema["allOf"].as_array().map_or(&[][..], Vec::as_slice);
    for part in std::iter::once(schema).chain(parts) {
        if part["$ref"].is_string() {
            row(&mut rows, "", &kind_of(part), "all properties of it");
        }
        for (field, described) in entries(&part["properties"]) {
            let about = text(&described["description"]);
            row(&mut rows, &escape(field), &kind_of(described), &about);
        }
    }
    for choice in schema["enum"].as_array().into_iter().flatten() {
        row(&mut rows, &text(choice), "", "");
    }
    let _ = write!(
        page,
        "<h3 id=\"{name}\"><code>{name}</code></h3>\n<p>{about}</p>\n<table>{rows}</table>\n"
    );
}

fn row(rows: &mut String, name: &str, kind: &str, about: &str) {
    let _ = write!(rows, "<tr><td><code>{name}</code><td>{kind}<td>{about}");
}

/// Returns the name of a type, with a link if its schema has a name.
fn kind_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next())
    {
        let name = escape(name);
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    if schema["items"].is_object() {
        return format!("list of {}", kind_of(&schema["items"]));
    }
    for choices in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[choices].as_array() {
            let kinds: Vec<_> = choices.iter().map(kind_of).collect();
            return kinds.join(" or ");
        }
    }
    match &schema["type"] {
        Value::Array(kinds) => {
            let kinds: Vec<_> = kinds.iter().map(text).collect();
            kinds.join(" or ")
        }
        kind => text(kind),
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

pub(in crate::api) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_of_a_document_is_escaped() {
        let hostile = "<script>\"'&";
        let document = serde_json::json!({
            "info": {"title": hostile, "version": hostile, "description": hostile},
            "paths": {hostile: {"get": {
                "summary": hostile,
                "parameters": [{"name": hostile, "in": hostile, "description": hostile}],
                "responses": {hostile: {"content": {hostile: {}}}},
            }}},
            "components": {"schemas": {hostile: {
                "properties": {hostile: {"$ref": hostile}},
                "enum": [hostile],
            }}},
        });
        let page = render(&document);
        assert!(!page.contains("<script>"), "{page}");
        assert!(page.matches("&lt;script&gt;&quot;&#39;&amp;").count() > 8);
    }
}
