//! How the town misbehaves on demand.
//!
//! Switches, all off at the start and not journalled: a restarted town is well again. The model only keeps them; a server
//! on top of it acts on them. Two kinds of unkindness are ordinary settings instead, and journalled: a policy that keeps
//! strangers' private mentions aside, and people who take none at all.

use serde::{Deserialize, Serialize};

/// What happens to the answer of a request that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerFault {
    /// It comes this late.
    DelayMs(u64),
    /// The connection is cut instead.
    Lose,
}

/// The next `times` publications of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostFault {
    /// How many more.
    pub times: u32,
    /// What happens to the answer; the status is stored.
    pub answer: AnswerFault,
}

/// The next `times` requests whose path contains `path` are refused and not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalFault {
    /// How many more.
    pub times: u32,
    /// 429 or a 5xx.
    pub status: u16,
    /// A part of the path; empty means any API path.
    #[serde(default)]
    pub path: String,
}

/// All switches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Every stream event comes twice.
    pub duplicate_stream: bool,
    /// Streams stay open and beat, but tell nothing.
    pub silent_stream: bool,
    /// What happens to answers of `POST /api/v1/statuses`.
    pub post: Option<PostFault>,
    /// Requests that are refused.
    pub refuse: Option<RefusalFault>,
}

impl Faults {
    /// Uses up one publication fault.
    pub(super) fn take_post(&mut self) -> Option<AnswerFault> {
        let fault = self.post.as_mut()?;
        let answer = fault.answer;
        fault.times = fault.times.saturating_sub(1);
        if fault.times == 0 {
            self.post = None;
        }
        Some(answer)
    }

    /// Uses up one refusal, if it is meant for `path`.
    pub(super) fn take_refusal(&mut self, path: &str) -> Option<u16> {
        let fault = self.refuse.as_mut().filter(|fault| path.contains(&fault.path))?;
        let status = fault.status;
        fault.times = fault.times.saturating_sub(1);
        if fault.times == 0 {
            self.refuse = None;
        }
        Some(status)
    }
}
