//! Every body is read from objects only: a list in place of any object in it is rejected.

use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::wire::{
    Announcement, BlockPage, ErrorBody, Health, MempoolPage, MessageStatus, NeighbourEvent,
    Neighbours, NewMessage, NewNeighbour, PostedMessage, ReorgPage, SearchPage, SingleBlock,
    Status,
};

const BLOCK: &str = r#"{"index":1,"hash":"aa","previous_hash":"bb","timestamp":1.5,
    "timestamp_text":"1.5","time":null,"proof":"7","seal":"sealed","history_root":"cc",
    "difficulty":5,"data":{"id":"dd","message":"text"}}"#;

const NETWORK: &str = r#"{"genesis":"aa","difficulty":5,"sealed_from":1}"#;

/// An object in the order of its fields.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = object.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

/// The document once for each object in it, with a list of the values in place of that object.
fn with_lists(document: &str) -> Vec<String> {
    let mut changed = Vec::new();
    // The parts of the document, each as what stands before its value and the value.
    let (parts, end) = if let Ok(Fields(fields)) = serde_json::from_str(document) {
        let values: Vec<_> = fields.iter().map(|(_, value)| value.get()).collect();
        changed.push(format!("[{}]", values.join(",")));
        let part = |(name, value): (String, Box<RawValue>)| (format!("{name:?}:"), value);
        (fields.into_iter().map(part).collect(), ["{", "}"])
    } else if let Ok(items) = serde_json::from_str::<Vec<Box<RawValue>>>(document) {
        let part = |value| (String::new(), value);
        (items.into_iter().map(part).collect::<Vec<_>>(), ["[", "]"])
    } else {
        return changed;
    };
    for (nth, (_, value)) in parts.iter().enumerate() {
        for value in with_lists(value.get()) {
            let all = parts.iter().enumerate().map(|(other, (name, same))| {
                let value = if other == nth { &value } else { same.get() };
                format!("{name}{value}")
            });
            let all: Vec<_> = all.collect();
            changed.push(format!("{}{}{}", end[0], all.join(","), end[1]));
        }
    }
    changed
}

/// Checks a document, and returns how many objects it holds.
#[track_caller]
fn takes_objects_only<T: DeserializeOwned + Serialize>(document: &str) -> usize {
    let value: T = serde_json::from_str(document).unwrap();
    // In the order of the fields, as a derived reader would take their values.
    let changed = with_lists(&serde_json::to_string(&value).unwrap());
    for document in &changed {
        let rejected = serde_json::from_str::<T>(document).err();
        let rejected = rejected.unwrap_or_else(|| panic!("taken: {document}"));
        let rejected = rejected.to_string();
        assert!(
            rejected.contains("invalid type: sequence"),
            "{rejected}: {document}"
        );
    }
    changed.len()
}

#[test]
fn no_body_accepts_an_array() {
    let position = r#"{"index":1,"hash":"aa"}"#;
    let pages = [
        takes_objects_only::<BlockPage>(&format!(r#"{{"blocks":[{BLOCK}],"next":7}}"#)),
        takes_objects_only::<SearchPage>(&format!(
            r#"{{"hits":[{{"field":"text","block":{BLOCK},"message_id":"dd"}}],"next":null}}"#
        )),
        takes_objects_only::<MempoolPage>(
            r#"{"messages":[{"sequence":1,"id":"aa","message":"","age":1.5}],"next":1,"count":1}"#,
        ),
        takes_objects_only::<ReorgPage>(
            r#"{"reorgs":[{"number":1,"timestamp":1.5,"time":null,"source":"x","from":1,
                "old_tip":"aa","new_tip":"bb","disconnected":1,"disconnected_sealed":1,
                "connected":1,"connected_sealed":1,"returned":1,
                "left":[{"index":1,"hash":"aa","message_id":"dd"}]}],"next":null}"#,
        ),
        takes_objects_only::<Neighbours>(&format!(
            r#"{{"neighbours":[{{"address":"a:1","kind":"ours","origin":"learned",
                "tip":{position},"last_answer":1.5,"failures":0,"retry_in":null,"refused":null,
                "network":{NETWORK},"version":"1"}}]}}"#
        )),
    ];
    assert_eq!(pages, [3, 4, 2, 3, 4]);
    let block = BLOCK.replacen('{', r#"{"confirmations":1,"#, 1);
    let others = [
        takes_objects_only::<SingleBlock>(&block),
        takes_objects_only::<MessageStatus>(&format!(
            r#"{{"id":"aa","message":"","state":"mined","waiting":null,"block":{position},
                "confirmations":1}}"#
        )),
        takes_objects_only::<Status>(
            r#"{"version":"1","protocol":1,"node_id":"x","genesis":"aa",
                "tip":{"index":1,"hash":"aa","timestamp":1.5},"length":2,"sealed":1,
                "difficulty":5,"sealed_from":1,"proof_mode":"sealed","warnings":[],
                "mempool":{"count":1,"bytes":1,"next_sequence":2},
                "mining":{"active":true,"threads":1,"tries":1,"hash_rate":1.5},
                "sync":{"neighbours":1,"answering":1,"fetching_from":null,"target":null,
                "differences":[]},"reorgs":0,"uptime":1.5}"#,
        ),
        takes_objects_only::<ErrorBody>(r#"{"error":{"code":"x","message":"y"}}"#),
    ];
    assert_eq!(others, [2, 2, 5, 2]);
    takes_objects_only::<NewMessage>(r#"{"message":"x"}"#);
    takes_objects_only::<PostedMessage>(r#"{"id":"x"}"#);
    takes_objects_only::<Health>(r#"{"ready":true,"reasons":["x"]}"#);
    takes_objects_only::<NewNeighbour>(r#"{"address":"a:1"}"#);
    takes_objects_only::<NeighbourEvent>(
        r#"{"address":"a:1","change":"came","kind":"ours","origin":"guest","refused":null}"#,
    );
    takes_objects_only::<Announcement>(
        r#"{"protocol":1,"address":":1","tip":"aa","length":2,"mempool_seq":3}"#,
    );
}
