//! The REST API: the endpoints of the reference miner, and `/api/v1`.
//!
//! From a listener to a handler:
//! * [`server`]: serves the API on a listener
//! * [`admission`]: checks that come before the routes; paths as the reference miner reads them
//! * [`cors`]: web applications of other origins
//! * `operations`: the table of all operations with their documentation; `operation`: a row of it
//! * `paths`: the paths, `Allow` headers and metric labels that follow from it
//! * `routes`: dispatches each request to the handler of its operation; `access`: who may add or
//!   announce
//!
//! The handlers:
//! * `reference`: `PUT /add`, `GET /chain`, `/neighbours` and `/data` of the reference miner
//! * [`v1`]: `/api/v1` and `/health`
//! * `metrics`: `/metrics`; `exposition`: its two text formats
//! * `welcome`: the page for a browser that opens the port of the node
//! * `openapi`: `/openapi.json` and `/docs`
//!
//! Shared by the handlers:
//! * `context`: the node and the limits of what may be in progress
//! * [`admin`]: the caller of a request, and whether it is an administrator
//! * `add_rate`: the rate limit of added messages
//! * `fair_slots`: slots that clients share by remote address
//! * `find`: the block that a text names
//! * `query`: query strings; `body`: JSON bodies; `reject`: errors; `request_metrics`: counters of
//!   requests

mod access;
mod add_rate;
pub mod admin;
pub mod admission;
mod body;
mod context;
pub mod cors;
mod exposition;
mod fair_slots;
pub(crate) mod find;
mod metrics;
mod openapi;
mod operation;
mod operations;
mod paths;
mod query;
mod reference;
mod reject;
mod request_metrics;
mod routes;
pub mod server;
mod v1;
mod welcome;
