//! Telling what an inbound file is, and reading it.
//!
//! A file is what the name space of its root says, whatever its own name: the name only tells that the bank has finished writing it. Files of
//! other kinds, of other versions, with a document type, or that do not end are not read at all.

use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fact::{Fact, MandateStanding, Unreadable};
use super::{pain_002, recall, statement};

const PREFIX: &str = "urn:iso:std:iso:20022:tech:xsd:";

/// A file, read: what it calls itself, and what it tells.
#[derive(Debug)]
pub(super) struct Inbound {
    /// The message's name, for the record.
    pub(super) kind: &'static str,
    /// The bank's id of the message.
    pub(super) message_id: String,
    /// What it tells.
    pub(super) facts: Vec<Fact>,
}

/// Reads a file; nothing of one that cannot be read whole counts.
pub(super) fn read(bytes: &[u8]) -> Result<Inbound, Unreadable> {
    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable("it is not UTF-8".to_owned()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        return mandate(text);
    }
    let kind = kind(text)?;
    let (message_id, facts) = match kind {
        "pain.002.001.10" => pain_002::facts(text),
        "camt.053.001.08" => statement::statement_facts(text),
        "camt.054.001.08" => statement::notification_facts(text),
        "camt.029.001.06" => recall::facts(text),
        other => Err(Unreadable(format!("it is a {other}"))),
    }?;
    if message_id.trim().is_empty() {
        return Err(Unreadable("it has no message id".to_owned()));
    }
    Ok(Inbound { kind, message_id, facts })
}

/// The message's name, from the name space of the root; the whole text has to be well-formed.
fn kind(text: &str) -> Result<&'static str, Unreadable> {
    const KNOWN: [&str; 4] = ["pain.002.001.10", "camt.053.001.08", "camt.054.001.08", "camt.029.001.06"];
    let broken = |why: &dyn std::fmt::Display| Unreadable(format!("it is not well-formed XML ({why})"));
    let mut reader = NsReader::from_str(text);
    let mut root = None;
    let mut depth = 0_usize;
    loop {
        let (space, event) = reader.read_resolved_event().map_err(|error| broken(&error))?;
        match event {
            Event::Start(_) | Event::Empty(_) if depth == 0 && root.is_some() => return Err(broken(&"it has two roots")),
            Event::Start(ref start) | Event::Empty(ref start) => {
                if depth == 0 {
                    let ResolveResult::Bound(space) = space else {
                        return Err(Unreadable("its root has no name space".to_owned()));
                    };
                    let space = space.0.to_owned();
                    if start.local_name().as_ref() != "Document" {
                        return Err(Unreadable("its root is no Document".to_owned()));
                    }
                    root = Some(space);
                }
                depth += usize::from(matches!(event, Event::Start(_)));
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::DocType(_) => return Err(Unreadable("it has a document type, which no such message has".to_owned())),
            Event::Eof if depth == 0 => break,
            Event::Eof => return Err(broken(&"it ends in the middle")),
            _ => {}
        }
    }
    let space = root.ok_or_else(|| Unreadable("it is empty".to_owned()))?;
    let name = space.strip_prefix(PREFIX).unwrap_or(&space);
    let found = KNOWN.into_iter().find(|known| *known == name);
    found.ok_or_else(|| Unreadable(format!("it is a {:?}, and only {} are read here", super::clipped(name), KNOWN.join(", "))))
}

/// The content of a message.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    quick_xml::de::from_str(text).map_err(|error| Unreadable(format!("it does not fit its schema ({error})")))
}

/// The bank's word on a mandate, in our own small format: no ISO 20022 message tells that a customer lets a third party order transfers.
fn mandate(text: &str) -> Result<Inbound, Unreadable> {
    #[derive(Deserialize)]
    struct Told {
        mandate: String,
        #[serde(flatten)]
        standing: MandateStanding,
    }
    let told: Told = serde_json::from_str(text).map_err(|error| Unreadable(format!("it is no mandate ({error})")))?;
    if matches!(&told.standing, MandateStanding::Given { accounts } if accounts.is_empty()) {
        return Err(Unreadable("it gives a mandate for no account".to_owned()));
    }
    // Every word on a mandate is one of its own; they are told apart by their content.
    let message_id = super::sha256(text.as_bytes());
    Ok(Inbound { kind: "mandate", message_id, facts: vec![Fact::Mandate { id: told.mandate, standing: told.standing }] })
}
