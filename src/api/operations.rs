//! The table of all operations: method, path, endpoint and documentation.
//!
//! The router, the 405 responses with `Allow`, the route labels of the metrics and the `OpenAPI`
//! document all follow from it. A new endpoint needs a line here, a variant of [`Endpoint`] and an
//! arm in [`super::routes`].

use super::operation::{Body, Endpoint, Kind, Operation, get, operation};

const IDEMPOTENCY_KEY: (&str, Kind, &str) = (
    "Idempotency-Key",
    Kind::Key,
    "1 to 256 printable ASCII characters; repeating a request with the same key within a day adds the \
     message once",
);

const AT: (&str, Kind, &str) = (
    "at",
    Kind::Block,
    "Block that commits to the others: its index, its hash or tip (default: tip)",
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
    .errors(&[400, 403, 409, 413, 414, 429, 503]),
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
            "text/plain",
            "application/openmetrics-text",
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
    get(
        Endpoint::Checkpoint,
        "/api/v1/checkpoint",
        "Returns the checkpoint line of a block, to be stored outside the node",
        Body::Json("CheckpointView"),
    )
    .query(&[AT])
    .errors(&[400, 404, 409, 503]),
    get(
        Endpoint::BlockReceipt,
        "/api/v1/blocks/{block}/receipt",
        "Returns a receipt for a block, as a file; 409 above if the block is above the block named by \
         at; 503 damaged if the history tree is damaged",
        ANY_JSON,
    )
    .query(&[AT])
    .errors(&[400, 404, 409, 413, 503]),
    get(
        Endpoint::MessageReceipt,
        "/api/v1/messages/{id}/receipt",
        "Returns a receipt for the lowest block with a message, as a file; 409 pending while the \
         message is pending",
        ANY_JSON,
    )
    .query(&[AT])
    .errors(&[400, 404, 409, 413, 503]),
    get(
        Endpoint::Receipts,
        "/api/v1/receipts",
        "Returns one receipt for up to 100 blocks, as a file",
        ANY_JSON,
    )
    .query(&[
        (
            "block",
            Kind::RequiredBlock,
            "Index or hash of a block; may be repeated",
        ),
        AT,
    ])
    .errors(&[400, 404, 409, 413, 503]),
    get(
        Endpoint::Consistency,
        "/api/v1/consistency",
        "Returns the proof that a later block continues an earlier one, as a file",
        ANY_JSON,
    )
    .query(&[
        ("from", Kind::RequiredIndex, "Index of the earlier block"),
        (
            "to",
            Kind::Block,
            "Later block: its index, its hash or tip (default: tip)",
        ),
    ])
    .errors(&[400, 404, 409, 503]),
    operation(
        Endpoint::PostMessage,
        "POST",
        "/api/v1/messages",
        "Adds a message of at most 64 KiB",
        (201, Body::Json("PostedMessage"), "The message is on disk"),
    )
    .headers(&[IDEMPOTENCY_KEY])
    .body("NewMessage")
    .errors(&[400, 403, 408, 409, 413, 415, 429, 503]),
    operation(
        Endpoint::PostLines,
        "POST",
        "/api/v1/messages/lines",
        "Adds each line as a message, except empty ones: all of them or none. At most 8 MiB and 10,000 \
         lines, each of at most 64 KiB",
        (201, Body::Json("AddedLines"), "All messages are on disk"),
    )
    .query(&[
        ("field", Kind::Text, "Each line is a JSON object, and its text under this key is the message"),
        ("once", Kind::Bool, "true: a message that is pending or mined already is not added again"),
        ("ids", Kind::Bool, "true: return the id of each message"),
    ])
    .other_body(&["text/plain", "application/x-ndjson"])
    .errors(&[400, 403, 408, 413, 415, 429, 503]),
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
    operation(
        Endpoint::AcknowledgeReorgs,
        "POST",
        "/api/v1/reorgs/acknowledge",
        "Records that the reorgs up to this number were looked at, so that the explorer stops warning",
        (204, Body::None, "The reorgs are acknowledged"),
    )
    .body("Acknowledgement")
    .errors(&[400, 401, 403, 404, 413, 415])
    .for_admin(),
    get(
        Endpoint::Disconnected,
        "/api/v1/disconnected",
        "Returns the disconnected blocks whose content the node still has: the last 1000, up to 16 MiB",
        Body::Json("DisconnectedPage"),
    )
    .query(&[
        ("reorg", Kind::Index, "Only the blocks that the reorg with this number disconnected"),
        ("from", Kind::Index, "Index of the first block of the page; requires reorg"),
        ("q", Kind::Text, "Only blocks with this hash, message id or text, up to 256 characters"),
        ("limit", Kind::Limit, "Maximum number of blocks, 1 to 1000"),
    ])
    .errors(&[400, 503]),
    get(
        Endpoint::Search,
        "/api/v1/search",
        "Finds blocks and messages by index, hash, id, date or the words of their text; 429 if this \
         address has reached its share of the searches",
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
    .errors(&[400, 403, 413, 415]),
];
