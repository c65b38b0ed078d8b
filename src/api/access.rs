//! Access to a closed node: additions and announcements of strangers are rejected, in this one place
//! for all operations. Everybody may read.

use http::StatusCode;
use warp::http;

use super::admin::Caller;
use super::operation::Endpoint;
use super::reject::ApiError;
use crate::node::Node;

/// Checks that the caller may use the endpoint of this node.
///
/// # Errors
/// 403 `closed` if the node is closed to the caller.
pub(super) async fn check(
    node: &Node,
    endpoint: Endpoint,
    caller: &Caller,
) -> Result<(), ApiError> {
    let from = caller.remote.ip();
    let (is_allowed, message) = match endpoint {
        Endpoint::Add | Endpoint::PostMessage | Endpoint::PostLines => (
            node.profile.may_add(from, caller.is_forwarded),
            "this node is closed: it takes no messages from this address; its operator allows \
             addresses with --allow-add",
        ),
        Endpoint::Announce => (
            node.may_announce(from, caller.is_forwarded).await,
            "this node is closed: it takes announcements from its neighbours only; its operator \
             names them with \"blockchain neighbours add\"",
        ),
        _ => return Ok(()),
    };
    if is_allowed {
        Ok(())
    } else {
        Err(ApiError::new(StatusCode::FORBIDDEN, "closed", message))
    }
}
