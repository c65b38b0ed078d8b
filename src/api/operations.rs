//! The table of all operations: method, path, endpoint and documentation.
//!
//! The router, the 405 responses with `Allow`, the route labels of the metrics and the `OpenAPI`
//! document all follow from it. A new endpoint needs a line here, a variant of [`Endpoint`] and an
//! arm in [`super::routes`].

use super::operation::{ApiOperation, BodyType, Endpoint, ParameterType, get, operation};

const IDEMPOTENCY_KEY: (&str, ParameterType, &str) = (
    "Idempotency-Key",
    ParameterType::Key,
    "1 to 256 printable ASCII characters; repeating a request with the same key within a day adds the \
     message once",
);

const IF_NONE_MATCH: (&str, ParameterType, &str) = (
    "If-None-Match",
    ParameterType::Text,
    "ETag of an earlier response; 304 if it has not changed",
);

const AT: (&str, ParameterType, &str) = (
    "at",
    ParameterType::Block,
    "Block that commits to the others: its index, its hash or tip (default: tip)",
);

const ANY_JSON: BodyType = BodyType::Other(&["application/json"]);

pub(super) const OPERATIONS: &[ApiOperation] = &[
    operation(
        Endpoint::Add,
        "PUT",
        "/add",
        "Adds a message, as a reference miner does",
        (200, ANY_JSON, "The message is on disk"),
    )
    .query(&[("message", ParameterType::Message, "Text of the message")])
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
        Endpoint::ReferenceNeighbours,
        "/neighbours",
        "Returns the neighbours that answer, in the JSON of a reference miner",
        ANY_JSON,
    ),
    get(
        Endpoint::Health,
        "/health",
        "Returns 200 if the node accepts messages, else 503 with the reasons",
        BodyType::Json("Health"),
    )
    .errors(&[503]),
    get(
        Endpoint::Metrics,
        "/metrics",
        "Returns metrics for Prometheus",
        BodyType::Other(&[
            "text/plain",
            "application/openmetrics-text",
        ]),
    ),
    get(Endpoint::OpenApi, "/openapi.json", "Returns this document", ANY_JSON),
    get(
        Endpoint::Docs,
        "/docs",
        "Returns this document as a page",
        BodyType::Other(&["text/html"]),
    ),
    get(
        Endpoint::DocsStyle,
        "/docs/style.css",
        "Returns the style sheet of that page",
        BodyType::Other(&["text/css"]),
    ),
    get(
        Endpoint::Status,
        "/api/v1/status",
        "Returns the state of the node",
        BodyType::Json("Status"),
    ),
    get(
        Endpoint::BlockPage,
        "/api/v1/blocks",
        "Returns a page of blocks",
        BodyType::Json("BlockPage"),
    )
    .query(&[
        ("from", ParameterType::Index, "Index of the first block of the page"),
        ("limit", ParameterType::Limit, "Maximum number of blocks, 1 to 1000"),
        ("order", ParameterType::Order, "asc (oldest first) or desc"),
    ])
    .errors(&[400, 503]),
    get(
        Endpoint::Block,
        "/api/v1/blocks/{block}",
        "Returns one block, by its index, its hash (or at least its first 6 digits) or as tip",
        BodyType::Json("SingleBlock"),
    )
    .headers(&[IF_NONE_MATCH])
    .errors(&[304, 400, 404, 409]),
    get(
        Endpoint::Checkpoint,
        "/api/v1/checkpoint",
        "Returns the checkpoint line of a block, to be stored outside the node",
        BodyType::Json("CheckpointView"),
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
    .headers(&[IF_NONE_MATCH])
    .errors(&[304, 400, 404, 409, 413, 503]),
    get(
        Endpoint::MessageReceipt,
        "/api/v1/messages/{id}/receipt",
        "Returns a receipt for the lowest block with a message, as a file; 409 pending while the \
         message is pending",
        ANY_JSON,
    )
    .query(&[AT])
    .headers(&[IF_NONE_MATCH])
    .errors(&[304, 400, 404, 409, 413, 503]),
    get(
        Endpoint::Receipts,
        "/api/v1/receipts",
        "Returns one receipt for up to 100 blocks, as a file",
        ANY_JSON,
    )
    .query(&[
        (
            "block",
            ParameterType::RequiredBlock,
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
        ("from", ParameterType::RequiredIndex, "Index of the earlier block"),
        (
            "to",
            ParameterType::Block,
            "Later block: its index, its hash or tip (default: tip)",
        ),
    ])
    .errors(&[400, 404, 409, 503]),
    operation(
        Endpoint::PostMessage,
        "POST",
        "/api/v1/messages",
        "Adds a message of at most 64 KiB",
        (201, BodyType::Json("PostedMessage"), "The message is on disk"),
    )
    .headers(&[IDEMPOTENCY_KEY])
    .body("NewMessage")
    .errors(&[400, 403, 408, 409, 413, 415, 429, 503]),
    operation(
        Endpoint::PostLines,
        "POST",
        "/api/v1/messages/lines",
        "Adds each line as a message, except empty ones: all of them or none. At most 8 MiB and 10,000 \
         lines, each of at most 64 KiB including its JSON, with any Content-Type. once=true makes a \
         request safe to repeat; an Idempotency-Key is rejected",
        (201, BodyType::Json("AddedLines"), "All messages are on disk"),
    )
    .query(&[
        ("field", ParameterType::Text, "Each line is a JSON object, and its text under this key is the message"),
        ("once", ParameterType::Bool, "true: a message that is pending or mined already is not added again"),
        ("ids", ParameterType::Bool, "true: return the id of each message"),
    ])
    .other_body(&["application/octet-stream"])
    .errors(&[400, 403, 408, 413, 415, 429, 503]),
    get(
        Endpoint::Message,
        "/api/v1/messages/{id}",
        "Returns a message and its state; 503 outcome_unknown while it is queued and not on disk yet",
        BodyType::Json("MessageStatus"),
    )
    .errors(&[400, 404, 503]),
    get(
        Endpoint::Mempool,
        "/api/v1/mempool",
        "Returns a page of pending messages",
        BodyType::Json("MempoolPage"),
    )
    .query(&[
        (
            "after",
            ParameterType::Index,
            "Sequence number of the last message of the previous page",
        ),
        ("limit", ParameterType::Limit, "Maximum number of messages, 1 to 1000"),
    ])
    .errors(&[400, 503]),
    get(
        Endpoint::Reorgs,
        "/api/v1/reorgs",
        "Returns a page of reorgs, the latest first",
        BodyType::Json("ReorgPage"),
    )
    .query(&[
        ("from", ParameterType::Index, "Number of the first reorg of the page"),
        ("limit", ParameterType::Limit, "Maximum number of reorgs, 1 to 1000"),
    ])
    .errors(&[400, 503]),
    operation(
        Endpoint::AcknowledgeReorgs,
        "POST",
        "/api/v1/reorgs/acknowledge",
        "Records that the reorgs up to this number were looked at, so that the explorer stops warning",
        (204, BodyType::None, "The reorgs are acknowledged"),
    )
    .body("Acknowledgement")
    .errors(&[400, 401, 403, 404, 413, 415])
    .for_admin(),
    get(
        Endpoint::Disconnected,
        "/api/v1/disconnected",
        "Returns the disconnected blocks whose content the node still has: the last 1000, up to 16 MiB",
        BodyType::Json("DisconnectedPage"),
    )
    .query(&[
        ("reorg", ParameterType::Index, "Only the blocks that the reorg with this number disconnected"),
        ("from", ParameterType::Index, "Index of the first block of the page; requires reorg"),
        ("q", ParameterType::Text, "Only blocks with this hash, message id or text, up to 256 characters"),
        ("limit", ParameterType::Limit, "Maximum number of blocks, 1 to 1000"),
    ])
    .errors(&[400, 503]),
    get(
        Endpoint::Search,
        "/api/v1/search",
        "Finds blocks and messages by index, hash, id, date or the words of their text; 429 if this \
         address has reached its share of the searches",
        BodyType::Json("SearchPage"),
    )
    .query(&[
        ("q", ParameterType::Search, "Text to search for, 1 to 256 characters"),
        (
            "before",
            ParameterType::Index,
            "Search only the texts of blocks below this index",
        ),
    ])
    .errors(&[400, 429]),
    get(
        Endpoint::Events,
        "/api/v1/events",
        "Streams events as they happen: block, reorg, message and neighbour, whose data are Block, \
         Reorg, PendingMessage and NeighbourEvent, and reset; 503 if this address has reached its \
         share of the streams",
        BodyType::Other(&["text/event-stream"]),
    )
    .headers(&[(
        "Last-Event-ID",
        ParameterType::Text,
        "Id of the last event that was received",
    )])
    .errors(&[503]),
    get(
        Endpoint::Neighbours,
        "/api/v1/neighbours",
        "Returns the neighbours of the node",
        BodyType::Json("Neighbours"),
    ),
    operation(
        Endpoint::AddNeighbour,
        "POST",
        "/api/v1/neighbours",
        "Adds a neighbour",
        (201, BodyType::Json("Neighbours"), "The neighbour is known"),
    )
    .body("NewNeighbour")
    .errors(&[400, 401, 403, 413, 415])
    .for_admin(),
    operation(
        Endpoint::RemoveNeighbour,
        "DELETE",
        "/api/v1/neighbours/{address}",
        "Removes a neighbour; it is not learned again under any of its addresses until it is added again",
        (204, BodyType::None, "The neighbour is removed"),
    )
    .errors(&[400, 401, 403, 404])
    .for_admin(),
    operation(
        Endpoint::Announce,
        "POST",
        "/api/v1/announce",
        "Announces that a peer has new blocks or messages",
        (204, BodyType::None, "The announcement is accepted"),
    )
    .body("Announcement")
    .errors(&[400, 403, 413, 415]),
];
