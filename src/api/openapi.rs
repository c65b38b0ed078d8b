//! `/openapi.json` and `/docs`: the description of the API for programs and for people.
//!
//! The document is generated from the table of [`operations`](super::operations) and the schemas of
//! [`crate::wire`], and the [`page`] from the document. The page loads nothing from elsewhere and
//! runs no script.

mod page;
mod parameters;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use utoipa::OpenApi;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, Paths,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{KnownFormat, Object, SchemaFormat, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::server::Server;
use utoipa::openapi::{Content, ContentBuilder, Ref, Required, Response, ResponseBuilder};
use warp::http;

pub(super) use page::escape;

use super::operation::{ApiOperation, BodyType, ParameterType};
use super::operations::OPERATIONS;
use super::paths;
use super::reject::bytes_response;
use crate::http::request_host;
use crate::wire;

/// Content type of a body that is not described further.
const BYTES: &str = "application/octet-stream";

/// Name of the security scheme.
const ADMIN: &str = "admin";

#[derive(OpenApi)]
#[openapi(components(schemas(
    wire::Acknowledgement,
    wire::Announcement,
    wire::Block,
    wire::BlockPage,
    wire::CheckpointView,
    wire::DisconnectedPage,
    wire::ErrorBody,
    wire::Health,
    wire::MempoolPage,
    wire::MessageStatus,
    wire::Neighbour,
    wire::NeighbourEvent,
    wire::Neighbours,
    wire::NewMessage,
    wire::NewNeighbour,
    wire::PendingMessage,
    wire::AddedLines,
    wire::PostedMessage,
    wire::Reorg,
    wire::ReorgPage,
    wire::SearchPage,
    wire::SingleBlock,
    wire::Status,
)))]
struct Schemas;

/// The rendered document and page. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Documents {
    json: Bytes,
    page: Arc<str>,
}

impl Documents {
    pub(super) fn new() -> Self {
        let document = document();
        let value = serde_json::to_value(&document).unwrap_or_default();
        Self {
            json: serde_json::to_vec(&document).unwrap_or_default().into(),
            page: page::render(&value).into(),
        }
    }

    /// `GET /openapi.json`.
    pub(super) fn json(&self) -> warp::reply::Response {
        bytes_response(StatusCode::OK, self.json.to_vec())
    }

    /// `GET /docs`, with the address that the visitor used in the examples.
    pub(super) fn page(&self, headers: &HeaderMap) -> warp::reply::Response {
        let page = match request_host(headers) {
            Some(host) => self.page.replace(page::EXAMPLE_ADDRESS, &host),
            None => self.page.to_string(),
        };
        let mut response = bytes_response(StatusCode::OK, page.into_bytes());
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, page::POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// `GET /docs/style.css`.
pub(super) fn style() -> warp::reply::Response {
    let mut response = bytes_response(StatusCode::OK, page::STYLE.into());
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn document() -> utoipa::openapi::OpenApi {
    let mut document = Schemas::openapi();
    env!("CARGO_PKG_NAME").clone_into(&mut document.info.title);
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    document.info.description = Some(
        "A self-hosted proof-of-work message chain. /add, /chain, /data and /neighbours are the \
         endpoints of the reference miner; the errors of all other endpoints are an ErrorBody. \
         If the head of a request cannot be parsed, the response is a status without a body. If \
         the head is invalid, such as one with two Host headers, the status is 400, 405 or 417."
            .to_owned(),
    );
    document.info.license = None;
    document.servers = Some(vec![Server::new("/")]);
    let mut paths = Paths::new();
    for operation in OPERATIONS {
        let described = describe(operation);
        paths.add_path_operation(operation.path, vec![method(operation.method)], described);
    }
    document.paths = paths;
    if let Some(components) = &mut document.components {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The content of the .token file next to the database"))
            .build();
        components.add_security_scheme(ADMIN, SecurityScheme::Http(scheme));
    }
    document
}

fn method(name: &str) -> HttpMethod {
    match name {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn describe(operation: &ApiOperation) -> utoipa::openapi::path::Operation {
    let (tag, id) = operation.endpoint.tag_and_id();
    let mut described = OperationBuilder::new()
        .operation_id(Some(id))
        .tag(tag)
        .summary(Some(operation.about))
        .request_body(operation.body.map(request_body));
    let in_path = operation.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(parameter(
            name,
            ParameterIn::Path,
            ParameterType::in_path(name),
            None,
        ))
    });
    let in_query = operation
        .query
        .iter()
        .map(|(name, kind, about)| parameter(name, ParameterIn::Query, *kind, Some(*about)));
    let in_head = operation
        .headers
        .iter()
        .map(|(name, kind, about)| parameter(name, ParameterIn::Header, *kind, Some(*about)));
    for parameter in in_path.chain(in_query).chain(in_head) {
        described = described.parameter(parameter);
    }
    let (status, body, about) = operation.success;
    described = described.response(status.to_string(), response(about, Some(body)));
    for status in operation.errors {
        let reason = StatusCode::from_u16(*status).ok();
        let reason = reason.and_then(|status| status.canonical_reason());
        // Not Modified has no body.
        let has_body = *status >= 400 && paths::has_own_errors(operation.path);
        let body = has_body.then_some(BodyType::Json("ErrorBody"));
        let rejected = response(reason.unwrap_or_default(), body);
        described = described.response(status.to_string(), rejected);
    }
    if operation.is_for_admin {
        described = described.security(SecurityRequirement::new::<_, [&str; 0], &str>(ADMIN, []));
    }
    described.build()
}

fn parameter(
    name: &str,
    place: ParameterIn,
    kind: ParameterType,
    about: Option<&str>,
) -> Parameter {
    let required = match place {
        ParameterIn::Path => Required::True,
        _ if kind.is_required() => Required::True,
        _ => Required::False,
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(about)
        .schema(Some(kind.schema()))
        .example(Some(kind.example(name)))
        .build()
}

fn request_body(body: BodyType) -> RequestBody {
    contents(body)
        .into_iter()
        .fold(RequestBodyBuilder::new(), |body, (kind, content)| {
            body.content(kind, content)
        })
        .required(Some(Required::True))
        .build()
}

fn response(about: &str, body: Option<BodyType>) -> Response {
    contents(body.unwrap_or(BodyType::None))
        .into_iter()
        .fold(
            ResponseBuilder::new().description(about),
            |response, (kind, content)| response.content(kind, content),
        )
        .build()
}

/// Returns the content types of a body.
fn contents(body: BodyType) -> Vec<(&'static str, Content)> {
    match body {
        BodyType::None => Vec::new(),
        BodyType::Json(schema) => {
            let content = ContentBuilder::new()
                .schema(Some(Ref::from_schema_name(schema)))
                .example(parameters::example_of(schema));
            vec![("application/json", content.build())]
        }
        BodyType::Other(kinds) => {
            let content = |kind: &&'static str| {
                let mut text = Object::with_type(SchemaType::Type(Type::String));
                // Generators of clients take the schema for a file.
                text.format =
                    (*kind == BYTES).then_some(SchemaFormat::KnownFormat(KnownFormat::Binary));
                let is_described = kind.starts_with("text/") || *kind == BYTES;
                let schema = is_described.then_some(text);
                (*kind, ContentBuilder::new().schema(schema).build())
            };
            kinds.iter().map(content).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_documented_and_has_a_label_and_its_allowed_methods() {
        let document = serde_json::to_value(document()).unwrap();
        let mut ids = std::collections::BTreeSet::new();
        assert_eq!(document["servers"][0]["url"], "/");
        for operation in OPERATIONS {
            let path = paths::find(operation.path).unwrap();
            assert_eq!(path.template, operation.path);
            let methods = path.allow.split(", ");
            let mut documented: Vec<_> = methods
                .filter(|method| !matches!(*method, "HEAD" | "OPTIONS"))
                .map(str::to_lowercase)
                .collect();
            documented.sort_unstable();
            let item = document["paths"][operation.path].as_object().unwrap();
            let mut found: Vec<_> = item.keys().cloned().collect();
            found.sort_unstable();
            assert_eq!(found, documented, "{}", operation.path);
            let described = &item[&operation.method.to_lowercase()];
            assert_eq!(described["summary"], operation.about);
            let id = described["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is not unique");
            assert_eq!(described["tags"].as_array().unwrap().len(), 1, "{id}");
            for parameter in described["parameters"].as_array().into_iter().flatten() {
                assert!(!parameter["example"].is_null(), "{id}: {parameter}");
            }
            for (kind, content) in described["requestBody"]["content"]
                .as_object()
                .into_iter()
                .flatten()
            {
                let has_example = kind != "application/json" || content["example"].is_object();
                assert!(has_example, "{id}");
            }
        }
    }

    #[test]
    fn every_reference_resolves() {
        let document = serde_json::to_value(document()).unwrap();
        let text = document.to_string();
        let references = text.split("\"$ref\":\"#").skip(1);
        let references: Vec<_> = references
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert!(references.len() > 30);
        for reference in references {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
