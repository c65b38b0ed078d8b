//! Tells at the start how other machines join the network of this node.

use std::io::{IsTerminal, stderr};

use qrcode::render::unicode::Dense1x2;
use tracing::info;

use crate::cli::log::{self, LogFormat};
use crate::client::InviteCode;
use crate::client::invite::{SAFE_GENESIS_DIGITS, is_for_codes};
use crate::node::Node;
use crate::ui::qr::invite_code;

/// Logs the addresses and the invite code, and draws the code on a terminal, if other machines reach
/// the node.
pub(super) fn announce(node: &Node, format: LogFormat) {
    let mut addresses = node.addresses();
    addresses.retain(is_for_codes);
    let state = node.state();
    let network = state.network;
    let Ok(code) = InviteCode::new(
        addresses,
        &state.genesis,
        SAFE_GENESIS_DIGITS,
        network.difficulty,
        network.sealed_from,
    ) else {
        return;
    };
    let shown: Vec<_> = code.addresses().iter().map(ToString::to_string).collect();
    info!(
        addresses = shown.join(" "),
        join = %format!("blockchain join {code}"),
        "others reach this node and join its network"
    );
    if format == LogFormat::Text
        && stderr().is_terminal()
        && let Some(drawn) = invite_code(&code.to_string())
    {
        let drawn = drawn.render::<Dense1x2>().quiet_zone(true).build();
        log::print(format!("{drawn}\n"));
    }
}
