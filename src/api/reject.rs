//! Errors of the API: one shape, the right status, nothing of the inside in a 500.

use http::{Method, StatusCode};
use warp::http;
use warp::reply::Response;

use super::paths;
use crate::chain::MessageId;
use crate::http::{BodyError, InvalidHead};
use crate::node::AddError;
use crate::reference::json;
use crate::store::{Rejection, StoreError};
use crate::wire::{ErrorBody, ErrorDetail};

/// An answer that is not the one asked for.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    id: Option<MessageId>,
}

impl ApiError {
    /// An error with any status; `code` is for programs, `message` for people.
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            id: None,
        }
    }

    /// 409: the name stands for several things.
    pub(crate) fn ambiguous(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "ambiguous", message)
    }

    /// 400: the request is invalid.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 405: the thing is there, but not for this method.
    pub(crate) fn method_not_allowed(method: &Method) -> Self {
        let message = format!("this path has no {method}");
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
        )
    }

    /// 413: more bytes than allowed.
    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("more than the {limit} bytes allowed");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// 415: the body is of another kind.
    pub(crate) fn not_json() -> Self {
        let message = "the body must be JSON with Content-Type: application/json";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            message,
        )
    }

    /// 429: too many at a time, or too often.
    pub(crate) fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message)
    }

    /// 500: what went wrong is in the log alone.
    pub(crate) fn internal() -> Self {
        let message = "the node could not do this; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// 503: not now.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// 503: whether a message is kept is not known yet; `id` is asked for until it is.
    pub(crate) fn outcome_unknown(id: MessageId, message: impl Into<String>) -> Self {
        Self {
            id: Some(id),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "outcome_unknown", message)
        }
    }

    /// The error as JSON.
    pub(crate) fn into_body(self) -> Vec<u8> {
        let body = ErrorBody {
            error: ErrorDetail {
                code: self.code.to_owned(),
                message: self.message,
                id: self.id.map(|id| id.to_string()),
            },
        };
        // Texts and nothing else can always be written.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The answer with the error as its body.
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
                refusal @ (Rejection::MempoolFull { .. } | Rejection::NoSpace { .. }),
            ) => Self::unavailable(refusal.to_string()),
            StoreError::Overloaded | StoreError::Closed => Self::unavailable(error.to_string()),
            error => {
                tracing::error!(error = &error as &dyn std::error::Error, "a request failed");
                Self::internal()
            }
        }
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { limit } => Self::too_large(limit),
            BodyError::Incomplete => Self::bad_request(error.to_string()),
            BodyError::TimedOut => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                error.to_string(),
            ),
        }
    }
}

impl From<AddError> for ApiError {
    fn from(error: AddError) -> Self {
        match error {
            AddError::TooLong(error) => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                error.to_string(),
            ),
            AddError::Store(error) => error.into(),
            AddError::OutcomeUnknown { id } => {
                tracing::warn!(%id, "the outcome of an addition is not known");
                Self::outcome_unknown(id, error.to_string())
            }
        }
    }
}

/// JSON with a status.
pub(crate) fn json_response(status: StatusCode, body: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(mut bytes) => {
            // It may be held until a slow reader has taken all of it.
            bytes.shrink_to_fit();
            bytes_response(status, bytes)
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            bytes_response(StatusCode::INTERNAL_SERVER_ERROR, Vec::new())
        }
    }
}

/// Finished JSON with a status.
pub(crate) fn bytes_response(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}

/// The answer to a request that no route may see.
pub(crate) fn invalid_head(invalid: InvalidHead) -> Response {
    let code = match invalid {
        InvalidHead::Host | InvalidHead::Target => "bad_request",
        InvalidHead::Connect => "method_not_allowed",
        InvalidHead::Expectation => "expectation_failed",
    };
    let mut response = ApiError::new(invalid.status(), code, invalid.to_string()).into_response();
    if invalid == InvalidHead::Connect {
        allow_only(&mut response, paths::READ);
    }
    let close = http::HeaderValue::from_static("close");
    response
        .headers_mut()
        .insert(http::header::CONNECTION, close);
    response
}

/// What no route takes: the documented 404 that names the path, 405 for other methods, OPTIONS;
/// below `/api` and for other paths of our own errors in our own shape only.
pub(crate) fn no_route(method: &Method, path: &str) -> Response {
    let allow = paths::find(path).map(|path| path.allow);
    let is_ours = paths::is_ours(path);
    if *method == Method::OPTIONS && (allow.is_some() || !is_ours) {
        let mut response = Response::new(Vec::new().into());
        allow_only(&mut response, allow.unwrap_or(paths::READ));
        return response;
    }
    let is_405 = if is_ours {
        allow.is_some()
    } else {
        // The documented server knows GET, HEAD and POST on every path, so it says 404 to them.
        !matches!(*method, Method::GET | Method::HEAD) && (*method != Method::POST || path == "/")
    };
    if is_405 {
        let mut response = ApiError::method_not_allowed(method).into_response();
        allow_only(&mut response, allow.unwrap_or(paths::READ));
        return response;
    }
    if is_ours {
        return ApiError::not_found("there is no such path").into_response();
    }
    let decoded = crate::reference::query::decode_path(path.trim_start_matches('/'));
    let mut body = b"{\"message\":".to_vec();
    json::write_string(&format!("'{decoded}' is not a valid endpoint!"), &mut body);
    body.extend_from_slice(b"}\n");
    bytes_response(StatusCode::NOT_FOUND, body)
}

fn allow_only(response: &mut Response, methods: &'static str) {
    let methods = http::HeaderValue::from_static(methods);
    response.headers_mut().insert(http::header::ALLOW, methods);
}
