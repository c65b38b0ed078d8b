//! Commands that bring two nodes onto the same network.

use crate::client::NodeAddress;
use crate::wire::NetworkStatus;

/// Number of digits shown of a hash in a sentence.
const SHORT_DIGITS: usize = 10;

/// A command that makes a network parameter of two nodes the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ui) struct Remedy {
    /// Node that is started with the command.
    pub(in crate::ui) node: String,
    pub(in crate::ui) command: String,
}

impl Remedy {
    /// Joins the network of the peer, on a new folder.
    pub(super) fn of_genesis(address: &str, network: &NetworkStatus) -> Option<Self> {
        let address: NodeAddress = address.parse().ok()?;
        let genesis = Some(&network.genesis).filter(|hash| is_hash(hash))?;
        let (short, difficulty) = (&genesis[..SHORT_DIGITS], network.difficulty);
        let seal_rule = match network.sealed_from {
            None => " --accept-open".to_owned(),
            Some(1) => String::new(),
            Some(from) => format!(" --require-sealed={from}"),
        };
        Some(Self {
            node: "a new node, to join the network of the peer".to_owned(),
            command: format!(
                "blockchain node --db ~/.blockchain/{short} --genesis {genesis} --difficulty \
                 {difficulty}{seal_rule} --neighbours {address}"
            ),
        })
    }

    /// Raises the lower difficulty, which the node rejects if its chain does not meet the higher one.
    /// To lower the higher one would weaken a chain for good.
    pub(super) fn of_difficulty(
        address: &str,
        network: &NetworkStatus,
        own: &NetworkStatus,
    ) -> Option<Self> {
        if network.difficulty == own.difficulty {
            return None;
        }
        let higher = network.difficulty.max(own.difficulty);
        Self::on(
            own.difficulty < higher,
            address,
            &format!("--difficulty {higher}"),
        )
    }

    /// Sets the seal rule on the node that requires fewer sealed blocks.
    pub(super) fn of_seal_rule(
        address: &str,
        network: &NetworkStatus,
        own: &NetworkStatus,
    ) -> Option<Self> {
        if network.sealed_from == own.sealed_from {
            return None;
        }
        let from = [network.sealed_from, own.sealed_from];
        let first = from.into_iter().flatten().min()?;
        Self::on(
            own.sealed_from != Some(first),
            address,
            &format!("--require-sealed={first}"),
        )
    }

    fn on(is_here: bool, address: &str, option: &str) -> Option<Self> {
        let address: NodeAddress = address.parse().ok()?;
        Some(Self {
            node: if is_here {
                "this node, after a stop".to_owned()
            } else {
                format!("{address}, after a stop")
            },
            command: format!("blockchain node {option}"),
        })
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Shortens the hashes in a sentence of the node.
pub(in crate::ui) fn shorten_hashes(text: &str) -> String {
    let is_digit = |character: char| character.is_ascii_hexdigit();
    let mut words = text.split_inclusive(|character| !is_digit(character));
    words.by_ref().fold(String::new(), |shortened, word| {
        let digits = word.trim_end_matches(|character| !is_digit(character));
        let rest = &word[digits.len()..];
        if is_hash(digits) {
            format!("{shortened}{}…{rest}", &digits[..SHORT_DIGITS])
        } else {
            shortened + word
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(genesis: &str, difficulty: u8, sealed_from: Option<u64>) -> NetworkStatus {
        NetworkStatus {
            genesis: genesis.repeat(32),
            difficulty,
            sealed_from,
        }
    }

    #[test]
    fn each_difference_has_one_command() {
        let (own, peer) = (network("aa", 5, Some(1)), network("bb", 6, None));
        let remedy = Remedy::of_genesis("a:1", &peer).unwrap();
        let genesis = "bb".repeat(32);
        let command = format!(
            "blockchain node --db ~/.blockchain/bbbbbbbbbb --genesis {genesis} --difficulty 6 \
             --accept-open --neighbours a:1"
        );
        assert_eq!(remedy.command, command);
        let remedy = Remedy::of_difficulty("a:1", &peer, &own).unwrap();
        assert_eq!(remedy.command, "blockchain node --difficulty 6");
        assert_eq!(remedy.node, "this node, after a stop");
        let remedy = Remedy::of_difficulty("a:1", &own, &peer).unwrap();
        assert_eq!(remedy.command, "blockchain node --difficulty 6");
        assert_eq!(remedy.node, "a:1, after a stop");
        let remedy = Remedy::of_seal_rule("a:1", &own, &peer).unwrap();
        assert_eq!(remedy.command, "blockchain node --require-sealed=1");
        assert_eq!(remedy.node, "this node, after a stop");
        assert_eq!(Remedy::of_seal_rule("a:1", &own, &own), None);
    }

    #[test]
    fn hostile_values_are_not_part_of_a_command() {
        let peer = network("$(", 6, None);
        assert_eq!(Remedy::of_genesis("a:1", &peer), None);
        let peer = network("bb", 6, None);
        assert_eq!(Remedy::of_genesis("a;rm -rf ~", &peer), None);
    }

    #[test]
    fn hashes_in_a_sentence_are_shortened() {
        let hash = "0af".repeat(21) + "0";
        let text = format!("has genesis ({hash}, here beef), cafe");
        let short = "has genesis (0af0af0af0…, here beef), cafe";
        assert_eq!(shorten_hashes(&text), short);
        assert_eq!(shorten_hashes(&hash), "0af0af0af0…");
        assert_eq!(shorten_hashes("é {}"), "é {}");
    }
}
