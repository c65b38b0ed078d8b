//! One operation of the API: a method of a path, with its documentation.

/// The handler of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Add,
    Chain,
    Data,
    ReferenceNeighbours,
    Health,
    Metrics,
    OpenApi,
    Docs,
    DocsStyle,
    Status,
    BlockPage,
    Block,
    Checkpoint,
    BlockReceipt,
    MessageReceipt,
    Receipts,
    Consistency,
    PostMessage,
    PostLines,
    Message,
    Mempool,
    Reorgs,
    AcknowledgeReorgs,
    Disconnected,
    Search,
    Events,
    Neighbours,
    AddNeighbour,
    RemoveNeighbour,
    Announce,
}

impl Endpoint {
    /// Returns the tag and the `operationId`, from which generated clients take their names.
    pub(super) fn tag_and_id(self) -> (&'static str, &'static str) {
        match self {
            Self::Add => ("reference", "addReferenceMessage"),
            Self::Chain => ("reference", "getReferenceChain"),
            Self::Data => ("reference", "getReferenceData"),
            Self::ReferenceNeighbours => ("reference", "getReferenceNeighbours"),
            Self::Health => ("node", "getHealth"),
            Self::Metrics => ("node", "getMetrics"),
            Self::OpenApi => ("node", "getOpenApi"),
            Self::Docs => ("node", "getDocs"),
            Self::DocsStyle => ("node", "getDocsStyle"),
            Self::Status => ("node", "getStatus"),
            Self::BlockPage => ("blocks", "listBlocks"),
            Self::Block => ("blocks", "getBlock"),
            Self::Checkpoint => ("proofs", "getCheckpoint"),
            Self::BlockReceipt => ("proofs", "getBlockReceipt"),
            Self::MessageReceipt => ("proofs", "getMessageReceipt"),
            Self::Receipts => ("proofs", "getReceipts"),
            Self::Consistency => ("proofs", "getConsistencyProof"),
            Self::PostMessage => ("messages", "addMessage"),
            Self::PostLines => ("messages", "addLines"),
            Self::Message => ("messages", "getMessage"),
            Self::Mempool => ("messages", "listPendingMessages"),
            Self::Reorgs => ("blocks", "listReorgs"),
            Self::AcknowledgeReorgs => ("blocks", "acknowledgeReorgs"),
            Self::Disconnected => ("blocks", "listDisconnectedBlocks"),
            Self::Search => ("blocks", "search"),
            Self::Events => ("node", "streamEvents"),
            Self::Neighbours => ("neighbours", "listNeighbours"),
            Self::AddNeighbour => ("neighbours", "addNeighbour"),
            Self::RemoveNeighbour => ("neighbours", "removeNeighbour"),
            Self::Announce => ("neighbours", "announce"),
        }
    }
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) enum ParameterType {
    /// Any text.
    Text,
    /// A message text, which must not be empty.
    Message,
    /// `true` or `false`.
    Bool,
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
    /// The name of a block that must be given.
    RequiredBlock,
    /// A non-negative integer that must be given.
    RequiredIndex,
    /// The id of a message.
    Id,
    /// An idempotency key.
    Key,
}

/// A method of a path.
#[derive(Clone, Debug)]
pub(super) struct ApiOperation {
    pub(super) endpoint: Endpoint,
    /// The method in upper case. GET operations also serve HEAD.
    pub(super) method: &'static str,
    /// The path; `{name}` stands for any one segment.
    pub(super) path: &'static str,
    pub(super) about: &'static str,
    /// Name, type and description of each query parameter.
    pub(super) query: &'static [(&'static str, ParameterType, &'static str)],
    /// Name, type and description of each request header that the operation reads.
    pub(super) headers: &'static [(&'static str, ParameterType, &'static str)],
    /// The request body.
    pub(super) body: Option<BodyType>,
    /// Status, body and description of the response in case of success.
    pub(super) success: (u16, BodyType, &'static str),
    /// Other status codes.
    pub(super) errors: &'static [u16],
    pub(super) is_for_admin: bool,
}

/// The body of a request or response.
#[derive(Clone, Copy, Debug)]
pub(super) enum BodyType {
    None,
    /// JSON of this schema.
    Json(&'static str),
    /// Content types that the `OpenAPI` document does not describe further.
    Other(&'static [&'static str]),
}

impl ApiOperation {
    pub(super) const fn query(
        self,
        query: &'static [(&'static str, ParameterType, &'static str)],
    ) -> Self {
        Self { query, ..self }
    }

    pub(super) const fn headers(
        self,
        headers: &'static [(&'static str, ParameterType, &'static str)],
    ) -> Self {
        Self { headers, ..self }
    }

    pub(super) const fn body(self, schema: &'static str) -> Self {
        Self {
            body: Some(BodyType::Json(schema)),
            ..self
        }
    }

    pub(super) const fn other_body(self, kinds: &'static [&'static str]) -> Self {
        Self {
            body: Some(BodyType::Other(kinds)),
            ..self
        }
    }

    pub(super) const fn errors(self, errors: &'static [u16]) -> Self {
        Self { errors, ..self }
    }

    pub(super) const fn for_admin(self) -> Self {
        Self {
            is_for_admin: true,
            ..self
        }
    }
}

pub(super) const fn operation(
    endpoint: Endpoint,
    method: &'static str,
    path: &'static str,
    about: &'static str,
    success: (u16, BodyType, &'static str),
) -> ApiOperation {
    ApiOperation {
        endpoint,
        method,
        path,
        about,
        query: &[],
        headers: &[],
        body: None,
        success,
        errors: &[],
        is_for_admin: false,
    }
}

pub(super) const fn get(
    endpoint: Endpoint,
    path: &'static str,
    about: &'static str,
    body: BodyType,
) -> ApiOperation {
    operation(endpoint, "GET", path, about, (200, body, "OK"))
}
