//! Every operation of the API, as it is documented. Beside a new route in [`crate::api`] goes a
//! line here and one in [`crate::api::paths`]; a test holds them together.

use utoipa::openapi::path::HttpMethod;

use super::kinds::Kind;

/// One method of one path.
#[derive(Clone)]
pub(super) struct Operation {
    pub(super) method: HttpMethod,
    pub(super) path: &'static str,
    pub(super) about: &'static str,
    /// Name, type and meaning of each parameter in the query.
    pub(super) query: &'static [(&'static str, Kind, &'static str)],
    /// Name, type and meaning of each header that is looked at.
    pub(super) headers: &'static [(&'static str, Kind, &'static str)],
    /// Schema of the request's body.
    pub(super) body: Option<&'static str>,
    /// Status, body and meaning of a successful answer.
    pub(super) answer: (u16, Body, &'static str),
    /// Other statuses.
    pub(super) errors: &'static [u16],
    pub(super) is_for_admin: bool,
}

/// What an answer carries.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    None,
    /// JSON of this schema.
    Json(&'static str),
    /// Other types of content, not described further.
    Other(&'static [&'static str]),
}

impl Operation {
    /// Whether errors come in the one shape.
    pub(super) fn is_ours(&self) -> bool {
        crate::api::paths::is_ours(self.path)
    }

    const fn query(self, query: &'static [(&'static str, Kind, &'static str)]) -> Self {
        Self { query, ..self }
    }

    const fn headers(self, headers: &'static [(&'static str, Kind, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    const fn body(self, schema: &'static str) -> Self {
        Self {
            body: Some(schema),
            ..self
        }
    }

    const fn errors(self, errors: &'static [u16]) -> Self {
        Self { errors, ..self }
    }

    const fn for_admin(self) -> Self {
        Self {
            is_for_admin: true,
            ..self
        }
    }
}

const fn operation(
    method: HttpMethod,
    path: &'static str,
    about: &'static str,
    answer: (u16, Body, &'static str),
) -> Operation {
    Operation {
        method,
        path,
        about,
        query: &[],
        headers: &[],
        body: None,
        answer,
        errors: &[],
        is_for_admin: false,
    }
}

const fn get(path: &'static str, about: &'static str, body: Body) -> Operation {
    operation(HttpMethod::Get, path, about, (200, body, "OK"))
}

const IDEMPOTENCY_KEY: (&str, Kind, &str) = (
    "Idempotency-Key",
    Kind::Key,
    "1 to 256 printable ASCII characters; for a day the same message under the same key is added once",
);

const ANY_JSON: Body = Body::Other(&["application/json"]);

pub(super) const OPERATIONS: &[Operation] = &[
    operation(
        HttpMethod::Put,
        "/add",
        "Takes a message, as a reference miner does",
        (200, ANY_JSON, "The message is on disk"),
    )
    .query(&[("message", Kind::Message, "The text")])
    .headers(&[IDEMPOTENCY_KEY])
    .errors(&[400, 409, 413, 414, 429, 503]),
    get(
        "/chain",
        "The chain in the JSON of a reference miner; 503 if this address has its share of the streams",
        ANY_JSON,
    )
    .errors(&[503]),
    get(
        "/data",
        "The messages that wait, in the JSON of a reference miner; 503 if this address has its share \
         of the streams",
        ANY_JSON,
    )
    .errors(&[503]),
    get(
        "/neighbours",
        "The neighbours that answer, in the JSON of a reference miner",
        ANY_JSON,
    ),
    get(
        "/health",
        "Whether the node takes messages",
        Body::Json("Health"),
    )
    .errors(&[503]),
    get(
        "/metrics",
        "Numbers for Prometheus",
        Body::Other(&[
            "text/plain; version=0.0.4; charset=utf-8",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ]),
    ),
    get("/openapi.json", "This document", ANY_JSON),
    get(
        "/docs",
        "This document as a page",
        Body::Other(&["text/html"]),
    ),
    get(
        "/docs/style.css",
        "How that page looks",
        Body::Other(&["text/css"]),
    ),
    get(
        "/api/v1/status",
        "How the node is doing",
        Body::Json("Status"),
    ),
    get(
        "/api/v1/blocks",
        "A page of blocks",
        Body::Json("BlockPage"),
    )
    .query(&[
        ("from", Kind::Index, "Index of the first block of the page"),
        ("limit", Kind::Limit, "Most blocks, 1 to 1000"),
        ("order", Kind::Order, "asc (oldest first) or desc"),
    ])
    .errors(&[400, 503]),
    get(
        "/api/v1/blocks/{block}",
        "One block, by its index, its hash (or at least 6 digits of its beginning) or as tip",
        Body::Json("SingleBlock"),
    )
    .headers(&[(
        "If-None-Match",
        Kind::Text,
        "The tag of the block as known: 304 if it has not changed",
    )])
    .errors(&[304, 400, 404, 409]),
    operation(
        HttpMethod::Post,
        "/api/v1/messages",
        "Takes a message of up to 64 KiB",
        (201, Body::Json("PostedMessage"), "The message is on disk"),
    )
    .headers(&[IDEMPOTENCY_KEY])
    .body("NewMessage")
    .errors(&[400, 408, 409, 413, 415, 429, 503]),
    get(
        "/api/v1/messages/{id}",
        "What became of a message; 503 outcome_unknown while it is queued and not on disk yet",
        Body::Json("MessageStatus"),
    )
    .errors(&[400, 404, 503]),
    get(
        "/api/v1/mempool",
        "A page of messages that wait",
        Body::Json("MempoolPage"),
    )
    .query(&[
        (
            "after",
            Kind::Index,
            "Sequence number before the first of the page",
        ),
        ("limit", Kind::Limit, "Most messages, 1 to 1000"),
    ])
    .errors(&[400, 503]),
    get(
        "/api/v1/reorgs",
        "A page of switches to other branches, the latest first",
        Body::Json("ReorgPage"),
    )
    .query(&[
        ("from", Kind::Index, "Number of the first of the page"),
        ("limit", Kind::Limit, "Most reorgs, 1 to 1000"),
    ])
    .errors(&[400, 503]),
    get(
        "/api/v1/search",
        "Finds by index, hash, id, date or text; 429 if this address has its share of the searches",
        Body::Json("SearchPage"),
    )
    .query(&[
        ("q", Kind::Search, "What to look for, 1 to 256 characters"),
        (
            "before",
            Kind::Index,
            "Only texts of blocks below this index",
        ),
    ])
    .errors(&[400, 429]),
    get(
        "/api/v1/events",
        "What happens, as it happens: events block, reorg, message, neighbour and reset, whose \
         data are Block, Reorg, PendingMessage and NeighbourNews; 503 if this address has its \
         share of the streams",
        Body::Other(&["text/event-stream"]),
    )
    .headers(&[(
        "Last-Event-ID",
        Kind::Text,
        "The id of the last event that was received",
    )])
    .errors(&[503]),
    get(
        "/api/v1/neighbours",
        "The neighbours of the node",
        Body::Json("Neighbours"),
    ),
    operation(
        HttpMethod::Post,
        "/api/v1/neighbours",
        "Adds a neighbour",
        (201, Body::Json("Neighbours"), "The neighbour is known"),
    )
    .body("NewNeighbour")
    .errors(&[400, 401, 403, 413, 415])
    .for_admin(),
    operation(
        HttpMethod::Delete,
        "/api/v1/neighbours/{address}",
        "Removes a neighbour, which stays out under all its addresses until it is added again",
        (204, Body::None, "The neighbour is removed"),
    )
    .errors(&[400, 401, 403, 404])
    .for_admin(),
    operation(
        HttpMethod::Post,
        "/api/v1/announce",
        "Tells the node that another one has something new",
        (204, Body::None, "The node will look"),
    )
    .body("Announcement")
    .errors(&[400, 413, 415]),
];
