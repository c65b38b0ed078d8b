//! Errors of the API: one format, the right status, and no internal details in a 500.

use http::{Method, StatusCode};
use warp::http;
use warp::reply::Response;

use super::find::FindError;
use super::paths;
use crate::chain::MessageId;
use crate::http::{BodyError, InvalidHead};
use crate::node::AddError;
use crate::reference::json;
use crate::store::{Rejection, StoreError};
use crate::wire::{ErrorBody, ErrorDetail};

/// An error response.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    id: Option<MessageId>,
}

impl ApiError {
    /// Creates an error with any status; `code` is for programs, `message` for people.
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            id: None,
        }
    }

    /// 409: the name is ambiguous.
    pub(crate) fn ambiguous(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "ambiguous", message)
    }

    /// 400: the request is invalid.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 404: it does not exist.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 405: the path exists, but not with this method.
    pub(crate) fn method_not_allowed(method: &Method) -> Self {
        let message = format!("this path does not support {method}");
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
        )
    }

    /// 413: the body or the message is too long.
    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// 415: the body has another content type.
    pub(crate) fn not_json() -> Self {
        let message = "the body must be JSON with Content-Type: application/json";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            message,
        )
    }

    /// 415: the body is compressed.
    pub(crate) fn encoded() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "the body must not have a Content-Encoding",
        )
    }

    /// 429: too many requests at the same time or in a short time.
    pub(crate) fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message)
    }

    /// 500: only the log has the cause.
    pub(crate) fn internal() -> Self {
        let message = "internal error; the log of the node has the cause";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// 503: temporarily unavailable.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// 503: it is not known yet whether the message is stored. The client asks for `id` until it is.
    pub(crate) fn outcome_unknown(id: MessageId, message: impl Into<String>) -> Self {
        Self {
            id: Some(id),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "outcome_unknown", message)
        }
    }

    /// Returns the error as JSON.
    pub(crate) fn into_body(self) -> Vec<u8> {
        let body = ErrorBody {
            error: ErrorDetail {
                code: self.code.to_owned(),
                message: self.message,
                id: self.id.map(|id| id.to_string()),
            },
        };
        // Serializing strings cannot fail.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Returns the response with the error as its body.
    pub(crate) fn into_response(self) -> Response {
        let status = self.status;
        let may_repeat = self.code == "outcome_unknown";
        let mut response = bytes_response(status, self.into_body());
        let header = match status {
            StatusCode::UNAUTHORIZED => Some((http::header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::TOO_MANY_REQUESTS => Some((http::header::RETRY_AFTER, "1")),
            _ if may_repeat => Some((http::header::RETRY_AFTER, "1")),
            _ => None,
        };
        if let Some((name, value)) = header {
            let value = http::HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Rejected(Rejection::KeyReused) => {
                Self::new(StatusCode::CONFLICT, "key_reused", error.to_string())
            }
            StoreError::Rejected(
                rejection @ (Rejection::MempoolFull { .. } | Rejection::NoSpace { .. }),
            ) => Self::unavailable(rejection.to_string()),
            StoreError::Overloaded | StoreError::Closed => Self::unavailable(error.to_string()),
            error => {
                tracing::error!(error = &error as &dyn std::error::Error, "a request failed");
                Self::internal()
            }
        }
    }
}

impl From<FindError> for ApiError {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Invalid => Self::bad_request(error.to_string()),
            FindError::Ambiguous(_) => Self::ambiguous(error.to_string()),
            FindError::Store(error) => error.into(),
        }
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { .. } => Self::too_large(error.to_string()),
            BodyError::Incomplete => Self::bad_request(error.to_string()),
            BodyError::TimedOut => Self::new(error.status(), "body_timeout", error.to_string()),
        }
    }
}

impl From<AddError> for ApiError {
    fn from(error: AddError) -> Self {
        match error {
            AddError::TooLong(error) => Self::too_large(error.to_string()),
            AddError::Store(error) => error.into(),
            AddError::OutcomeUnknown { id } => {
                tracing::warn!(%id, "the outcome of an added message is unknown");
                Self::outcome_unknown(id, error.to_string())
            }
            AddError::LinesOutcomeUnknown => {
                tracing::warn!("the outcome of added lines is unknown");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "outcome_unknown",
                    error.to_string(),
                )
            }
        }
    }
}

/// Returns a response without a body.
pub(crate) fn no_content() -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Returns the response to a request for what the client has already.
pub(crate) fn not_modified() -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

/// Returns a response with a value as JSON.
pub(crate) fn json_response(status: StatusCode, body: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(mut bytes) => {
            // A slow client may hold it in memory for a long time.
            bytes.shrink_to_fit();
            bytes_response(status, bytes)
        }
        Err(error) => {
            tracing::error!(%error, "cannot serialize a response");
            bytes_response(StatusCode::INTERNAL_SERVER_ERROR, Vec::new())
        }
    }
}

/// Returns a response with serialized JSON.
pub(crate) fn bytes_response(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}

/// Returns the response to a request whose head is invalid.
pub(crate) fn invalid_head(invalid: InvalidHead) -> Response {
    let code = match invalid {
        InvalidHead::Host | InvalidHead::Target => "bad_request",
        InvalidHead::Connect => "method_not_allowed",
        InvalidHead::Expectation => "expectation_failed",
    };
    let mut response = ApiError::new(invalid.status(), code, invalid.to_string()).into_response();
    if invalid == InvalidHead::Connect {
        set_allow(&mut response, paths::READ);
    }
    let close = http::HeaderValue::from_static("close");
    response
        .headers_mut()
        .insert(http::header::CONNECTION, close);
    response
}

/// Returns the response to a request without an operation: the methods of a path for OPTIONS, 405 for
/// a method that the path does not have, else 404. Paths of the reference miner, and unknown ones,
/// get the 404 of the reference miner, which names the path.
pub(crate) fn no_route(method: &Method, path: &str) -> Response {
    let allow = paths::find(path).map(|path| &*path.allow);
    let has_own_errors = paths::has_own_errors(path);
    if *method == Method::OPTIONS && (allow.is_some() || !has_own_errors) {
        let mut response = Response::new(Vec::new().into());
        set_allow(&mut response, allow.unwrap_or(paths::READ));
        return response;
    }
    let is_405 = if has_own_errors {
        allow.is_some()
    } else {
        // The reference miner supports GET, HEAD and POST on every path, so it responds to them with
        // 404.
        // To POST /add, which is easily mistaken for PUT, that would hide the mistake.
        !matches!(*method, Method::GET | Method::HEAD)
            && (*method != Method::POST || matches!(path, "/" | "/add"))
    };
    if is_405 {
        let mut response = ApiError::method_not_allowed(method).into_response();
        set_allow(&mut response, allow.unwrap_or(paths::READ));
        return response;
    }
    if has_own_errors {
        return ApiError::not_found("there is no such path").into_response();
    }
    let decoded = crate::reference::query::decode_path(path.trim_start_matches('/'));
    let mut body = b"{\"message\":".to_vec();
    json::write_string(&format!("'{decoded}' is not a valid endpoint!"), &mut body);
    body.extend_from_slice(b"}\n");
    bytes_response(StatusCode::NOT_FOUND, body)
}

fn set_allow(response: &mut Response, methods: &'static str) {
    let methods = http::HeaderValue::from_static(methods);
    response.headers_mut().insert(http::header::ALLOW, methods);
}
