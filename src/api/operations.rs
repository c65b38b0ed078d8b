//! The table of all operations: method, path, endpoint and documentation.
//!
//! The router, the 405 responses with `Allow`, the route labels of the metrics and the `OpenAPI`
//! document all follow from it. A new endpoint needs a line here, a variant of [`Endpoint`] and an
//! arm in [`super::routes`].

/// The handler of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Add,
    Chain,
    Data,
    DocumentedNeighbours,
    Health,
    Metrics,
    OpenApi,
    Docs,
    DocsStyle,
    Status,
    BlockPage,
    Block,
    PostMessage,
    Message,
    Mempool,
    Reorgs,
    Search,
    Events,
    Neighbours,
    AddNeighbour,
    RemoveNeighbour,
    Announce,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// A message text, which must not be empty.
    Message,
    /// A non-negative integer.
    Index,
    /// Maximum number of items on a page.
    Limit,
    /// Order of the items on a page.
    Order,
    /// A search text.
    Search,
    /// The name of a block: its index, its hash or `tip`.
    Block,
    /// The id of a message.
    Id,
    /// An idempotency key.
    Key,
}

/// A method of a path.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) endpoint: Endpoint,
    /// The method in upper case. GET operations also serve HEAD.
    pub(super) method: &'static str,
    /// The path; `{name}` stands for any one segment.
    pub(super) path: &'static str,
    pub(super) about: &'static str,
    /// Name, type and description of each query parameter.
    pub(super) query: &'static [(&'static str, Kind, &'static str)],
    /// Name, type and description of each request header that has a meaning here.
    pub(super) headers: &'static [(&'static str, Kind, &'static str)],
    /// Schema of the request body.
    pub(super) body: Option<&'static str>,
    /// Status, body and description of the response in case of success.
    pub(super) answer: (u16, Body, &'static str),
    /// Other status codes.
    pub(super) errors: &'static [u16],
    pub(super) is_for_admin: bool,
}

/// The body of a response.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    None,
    /// JSON of this schema.
    Json(&'static str),
    /// Content types that the `OpenAPI` document does not describe further.
    Other(&'static [&'static str]),
}

impl Operation {
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
    endpoint: Endpoint,
    method: &'static str,
    path: &'static str,
    about: &'static str,
    answer: (u16, Body, &'static str),
) -> Operation {
    Operation {
        endpoint,
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

const fn get(endpoint: Endpoint, path: &'static str, about: &'static str, body: Body) -> Operation {
    operation(endpoint, "GET", path, about, (200, body, "OK"))
}

const IDEMPOTENCY_KEY: (&str, Kind, &str) = (
    "Idempotency-Key",
    Kind::Key,
    "1 to 256 printable ASCII characters; repeating a request with the same key within a day adds the \
     message once",
);

const ANY_JSON: Body = Body::Other(&["application/json"]);

pub(super) const OPERATIONS: &[Operation] = &[
    operation(
        Endpoint::Add,
        "PUT",
        "/add",
        "Adds a message, as a reference miner does",
        (200, ANY_JSON, "The message is on disk"),
    )
    .query(&[("message", Kind::Message, "Text of the message")])
    .headers(&[IDEMPOTENCY_KEY])
    .errors(&[400, 409, 413, 414, 429, 503]),
    get(
        Endpoint::Chain,
        "/chain",
        "Returns the chain in the JSON of a reference miner; 503 if this address has reached its share of \
         the streams",
        ANY_JSON,
    )
    .errors(&[503]),
    get(
        Endpoint::Data,
        "/data",
        "Returns the pending messages in the JSON of a reference miner; 503 if this address has reached \
         its share of the streams",
        ANY_JSON,
    )
    .errors(&[503]),
    get(
        Endpoint::DocumentedNeighbours,
        "/neighbours",
        "Returns the neighbours that answer, in the JSON of a reference miner",
        ANY_JSON,
    ),
    get(
        Endpoint::Health,
        "/health",
        "Returns 200 if the node accepts messages, else 503 with the reasons",
        Body::Json("Health"),
    )
    .errors(&[503]),
    get(
        Endpoint::Metrics,
        "/metrics",
        "Returns metrics for Prometheus",
        Body::Other(&[
            "text/plain; version=0.0.4; charset=utf-8",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ]),
    ),
    get(Endpoint::OpenApi, "/openapi.json", "Returns this document", ANY_JSON),
    get(
        Endpoint::Docs,
        "/docs",
        "Returns this document as a page",
        Body::Other(&["text/html"]),
    ),
    get(
        Endpoint::DocsStyle,
        "/docs/style.css",
        "Returns the style sheet of that page",
        Body::Other(&["text/css"]),
    ),
    get(
        Endpoint::Status,
        "/api/v1/status",
        "Returns the state of the node",
        Body::Json("Status"),
    ),
    get(
        Endpoint::BlockPage,
        "/api/v1/blocks",
        "Returns a page of blocks",
        Body::Json("BlockPage"),
    )
    .query(&[
        ("from", Kind::Index, "Index of the first block of the page"),
        ("limit", Kind::Limit, "Maximum number of blocks, 1 to 1000"),
        ("order", Kind::Order, "asc (oldest first) or desc"),
    ])
    .errors(&[400, 503]),
    get(
        Endpoint::Block,
        "/api/v1/blocks/{block}",
        "Returns one block, by its index, its hash (or at least its first 6 digits) or as tip",
        Body::Json("SingleBlock"),
    )
    .headers(&[(
        "If-None-Match",
        Kind::Text,
        "ETag of an earlier response; 304 if the block and its confirmations have not changed",
    )])
    .errors(&[304, 400, 404, 409]),
    operation(
        Endpoint::PostMessage,
        "POST",
        "/api/v1/messages",
        "Adds a message of at most 64 KiB",
        (201, Body::Json("PostedMessage"), "The message is on disk"),
    )
    .headers(&[IDEMPOTENCY_KEY])
    .body("NewMessage")
    .errors(&[400, 408, 409, 413, 415, 429, 503]),
    get(
        Endpoint::Message,
        "/api/v1/messages/{id}",
        "Returns a message and its state; 503 outcome_unknown while it is queued and not on disk yet",
        Body::Json("MessageStatus"),
    )
    .errors(&[400, 404, 503]),
    get(
        Endpoint::Mempool,
        "/api/v1/mempool",
        "Returns a page of pending messages",
        Body::Json("MempoolPage"),
    )
    .query(&[
        (
            "after",
            Kind::Index,
            "Sequence number of the last message of the previous page",
        ),
        ("limit", Kind::Limit, "Maximum number of messages, 1 to 1000"),
    ])
    .errors(&[400, 503]),
    get(
        Endpoint::Reorgs,
        "/api/v1/reorgs",
        "Returns a page of reorgs, the latest first",
        Body::Json("ReorgPage"),
    )
    .query(&[
        ("from", Kind::Index, "Number of the first reorg of the page"),
        ("limit", Kind::Limit, "Maximum number of reorgs, 1 to 1000"),
    ])
    .errors(&[400, 503]),
    get(
        Endpoint::Search,
        "/api/v1/search",
        "Finds blocks and messages by index, hash, id, date or text; 429 if this address has reached its \
         share of the searches",
        Body::Json("SearchPage"),
    )
    .query(&[
        ("q", Kind::Search, "Text to search for, 1 to 256 characters"),
        (
            "before",
            Kind::Index,
            "Search only the texts of blocks below this index",
        ),
    ])
    .errors(&[400, 429]),
    get(
        Endpoint::Events,
        "/api/v1/events",
        "Streams events as they happen: block, reorg, message and neighbour, whose data are Block, \
         Reorg, PendingMessage and NeighbourNews, and reset; 503 if this address has reached its \
         share of the streams",
        Body::Other(&["text/event-stream"]),
    )
    .headers(&[(
        "Last-Event-ID",
        Kind::Text,
        "Id of the last event that was received",
    )])
    .errors(&[503]),
    get(
        Endpoint::Neighbours,
        "/api/v1/neighbours",
        "Returns the neighbours of the node",
        Body::Json("Neighbours"),
    ),
    operation(
        Endpoint::AddNeighbour,
        "POST",
        "/api/v1/neighbours",
        "Adds a neighbour",
        (201, Body::Json("Neighbours"), "The neighbour is known"),
    )
    .body("NewNeighbour")
    .errors(&[400, 401, 403, 413, 415])
    .for_admin(),
    operation(
        Endpoint::RemoveNeighbour,
        "DELETE",
        "/api/v1/neighbours/{address}",
        "Removes a neighbour; it is not learned again under any of its addresses until it is added again",
        (204, Body::None, "The neighbour is removed"),
    )
    .errors(&[400, 401, 403, 404])
    .for_admin(),
    operation(
        Endpoint::Announce,
        "POST",
        "/api/v1/announce",
        "Announces that a peer has new blocks or messages",
        (204, Body::None, "The announcement is accepted"),
    )
    .body("Announcement")
    .errors(&[400, 413, 415]),
];
