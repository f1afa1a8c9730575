//! What a replay came to.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::language::{Command, Reading};
use crate::platform::Network;

/// So many broken lines are kept by name; all are counted, and the watcher is told of each.
const NAMED: usize = 20;

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenLine {
    /// The file, as it was given.
    pub file: String,
    /// Counted from 1.
    pub line: u64,
    /// One sentence. It may quote field names, never a text.
    pub why: String,
}

/// All of it. As JSON, this is the last line of `obole replay --json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Lines read.
    pub lines: u64,
    /// Of these: blank.
    pub blank: u64,
    /// Of these: not readable.
    pub broken: u64,
    /// The first of the lines that were not readable.
    pub broken_lines: Vec<BrokenLine>,
    /// Of these: from each network.
    pub networks: BTreeMap<&'static str, NetworkCounts>,
    /// How the language read the posts that may concern us.
    pub readings: Readings,
    /// Of the readings that were refused: by the language's code.
    pub rejections: BTreeMap<String, u64>,
    /// What the intake made of it; not there if nothing was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreCounts>,
}

/// What came from one network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NetworkCounts {
    /// Lines.
    pub lines: u64,
    /// Lines dropped before they were decoded.
    pub dropped: u64,
    /// Lines that were decoded and told of nothing for us.
    pub not_concerning: u64,
    /// Posts and private messages.
    pub posts: u64,
    /// Posts and private messages that may concern us.
    pub concerned: u64,
    /// Posts changed after they were published.
    pub edits: u64,
    /// Posts deleted.
    pub deletions: u64,
    /// Accounts changed.
    pub account_changes: u64,
}

/// How the language reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Readings {
    /// An order to pay.
    pub order: u64,
    /// An order to cancel.
    pub cancel: u64,
    /// An answer to something we asked.
    pub reply: u64,
    /// An enrolment code.
    pub enrolment: u64,
    /// Nearly an order.
    pub rejected: u64,
    /// Nothing that is for us.
    pub none: u64,
}

/// What became of it in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StoreCounts {
    /// Posts that had been taken in before.
    pub duplicates: i64,
    /// Posts taken in now, by what became of them.
    pub outcomes: BTreeMap<String, i64>,
    /// Orders made now.
    pub orders: u64,
    /// Of these: refused at once, by why.
    pub refused: BTreeMap<String, u64>,
    /// All orders of the store, as they stand afterwards.
    pub states: BTreeMap<String, i64>,
}

impl Counts {
    /// The counts of a network.
    pub(super) fn of(&mut self, network: Network) -> &mut NetworkCounts {
        self.networks.entry(network.as_str()).or_default()
    }

    /// How many posts concerned us, over all networks.
    pub fn concerned(&self) -> u64 {
        self.networks.values().map(|counts| counts.concerned).sum()
    }

    pub(super) fn remember(&mut self, broken: BrokenLine) {
        self.broken += 1;
        if self.broken_lines.len() < NAMED {
            self.broken_lines.push(broken);
        }
    }

    pub(super) fn count(&mut self, reading: &Reading) {
        let readings = &mut self.readings;
        match reading {
            Reading::Order(Command::Payment(_)) => readings.order += 1,
            Reading::Order(Command::Cancel(_)) => readings.cancel += 1,
            Reading::Reply(_) => readings.reply += 1,
            Reading::None(_) => readings.none += 1,
            Reading::Rejected(rejection) => {
                readings.rejected += 1;
                *self.rejections.entry(rejection.code.as_str().to_owned()).or_default() += 1;
            }
        }
    }
}
