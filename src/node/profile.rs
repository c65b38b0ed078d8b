//! The profile of a node: its name, the title of its network, and whether the network is closed. The
//! database keeps it, so that later runs need no options for it.
//!
//! A closed node follows named neighbours only. It learns no others, has no guests, takes
//! announcements from the addresses of its neighbours only, and takes messages from the networks of
//! `--allow-add` only. Everybody may read. This checks addresses, not people: it is no
//! authentication.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::store::ProfileRecord;
use crate::text::is_unsafe;

/// Maximum number of characters of the name of a node.
pub const MAX_NAME: usize = 24;

/// Maximum number of characters of the title of a network.
pub const MAX_TITLE: usize = 60;

/// Networks that may add to a closed node if none are named: this machine.
const DEFAULT_ALLOW_ADD: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// The options that change the profile; `None` keeps what the database has.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// Name of the node; empty for none.
    pub name: Option<String>,
    /// Title of the network; empty for none.
    pub title: Option<String>,
    /// Follow named neighbours only.
    pub closed: Option<bool>,
    /// Networks that may add to a closed node.
    pub allow_add: Option<Vec<IpNet>>,
}

/// The profile of a node.
#[derive(Debug, Default)]
pub struct Profile {
    record: ProfileRecord,
    /// Networks that may add to a closed node.
    allow_add: Vec<IpNet>,
}

/// Returns `true` if a text may be a name or title: printable, without spaces around it.
pub fn is_label(text: &str, max_characters: usize) -> bool {
    text.trim() == text
        && text.chars().count() <= max_characters
        && !text.chars().any(is_unsafe)
        && !text.is_empty()
}

impl Profile {
    /// Returns the record to keep in the database.
    pub(super) fn record(&self) -> &ProfileRecord {
        &self.record
    }

    /// Returns the kept profile with the changes.
    pub(super) fn new(kept: ProfileRecord, change: &ProfileChange) -> Self {
        let mut record = kept;
        let changed = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        if let Some(name) = &change.name {
            record.name = changed(name);
        }
        if let Some(title) = &change.title {
            record.title = changed(title);
        }
        if let Some(closed) = change.closed {
            record.closed = closed;
        }
        if let Some(networks) = &change.allow_add {
            record.allow_add = Some(networks.iter().map(ToString::to_string).collect());
        }
        if !record.closed {
            record.allow_add = None;
        }
        let networks: Vec<IpNet> = match &record.allow_add {
            // An invalid one allows nothing.
            Some(kept) => kept.iter().filter_map(|net| net.parse().ok()).collect(),
            None => DEFAULT_ALLOW_ADD
                .iter()
                .filter_map(|net| net.parse().ok())
                .collect(),
        };
        Self {
            record,
            allow_add: networks,
        }
    }

    /// Returns the name of the node.
    pub fn name(&self) -> Option<&str> {
        self.record.name.as_deref()
    }

    /// Returns the title of the network.
    pub fn title(&self) -> Option<&str> {
        self.record.title.as_deref()
    }

    /// Returns `true` if the node follows named neighbours only.
    pub fn is_closed(&self) -> bool {
        self.record.closed
    }

    /// Returns `true` if a client at this address may add messages. A proxy forwards requests of
    /// others, so nobody may add to a closed node through one.
    pub(crate) fn may_add(&self, from: IpAddr, is_forwarded: bool) -> bool {
        let from = from.to_canonical();
        let is_allowed = || self.allow_add.iter().any(|network| network.contains(&from));
        !self.is_closed() || !is_forwarded && is_allowed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(allow_add: Option<&[&str]>) -> Profile {
        let networks = allow_add.map(|nets| nets.iter().map(|net| net.parse().unwrap()).collect());
        let change = ProfileChange {
            closed: Some(true),
            allow_add: networks,
            ..ProfileChange::default()
        };
        Profile::new(ProfileRecord::default(), &change)
    }

    #[test]
    fn only_the_allowed_networks_may_add_to_a_closed_node() {
        let may_add = |profile: &Profile, from: &str| profile.may_add(from.parse().unwrap(), false);
        let open = Profile::new(ProfileRecord::default(), &ProfileChange::default());
        assert!(open.may_add("192.0.2.1".parse().unwrap(), true));
        let local = closed(None);
        for (from, expected) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.1", false),
            ("2001:db8::1", false),
            ("::", false),
        ] {
            assert_eq!(may_add(&local, from), expected, "{from}");
        }
        assert!(!local.may_add("127.0.0.1".parse().unwrap(), true));
        // The option replaces the default.
        let school = closed(Some(&["10.8.0.0/16", "2001:db8:8::/48"]));
        for (from, expected) in [
            ("10.8.200.1", true),
            ("::ffff:10.8.0.1", true),
            ("10.9.0.1", false),
            ("2001:db8:8:1::9", true),
            ("2001:db8:9::1", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(may_add(&school, from), expected, "{from}");
        }
        assert!(!may_add(&closed(Some(&[])), "127.0.0.1"));
    }

    #[test]
    fn a_later_run_keeps_what_no_option_changes() {
        let first = ProfileChange {
            name: Some("Ana".to_owned()),
            title: Some("Class 8b".to_owned()),
            closed: Some(true),
            allow_add: Some(vec!["10.0.0.0/8".parse().unwrap()]),
        };
        let kept = Profile::new(ProfileRecord::default(), &first).record;
        let later = Profile::new(kept.clone(), &ProfileChange::default());
        assert_eq!(later.record, kept);
        let reopened = ProfileChange {
            closed: Some(false),
            title: Some(String::new()),
            ..ProfileChange::default()
        };
        let reopened = Profile::new(kept, &reopened);
        assert_eq!((reopened.name(), reopened.title()), (Some("Ana"), None));
        assert!(!reopened.is_closed() && reopened.record.allow_add.is_none());
    }

    #[test]
    fn a_label_is_printable_and_short() {
        assert!(is_label("Class 8b", 8) && is_label("Zoë", 3));
        for wrong in [
            "",
            " a",
            "a ",
            "a\u{1b}[2J",
            "a\nb",
            "\u{202e}a",
            "123456789",
        ] {
            assert!(!is_label(wrong, 8), "{wrong:?}");
        }
    }
}
