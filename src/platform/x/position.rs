//! Where to continue reading: `<post id>/<message id>`, and what time such ids tell.
//!
//! Ids are 64-bit numbers that grow with time (`snowflakes`), so the larger is the later to within X's own disorder; a position is put
//! back by a minute for that, and for the search, which is behind the stream by some seconds.

use std::time::Duration;

use super::{ID_EPOCH_MS, ID_TIME_SHIFT};
use crate::clock::{Timestamp, earlier};
use crate::platform::Cursor;

/// How far the posts' position stays behind the newest that was read.
const OVERLAP: Duration = Duration::from_secs(60);

/// How far both have been read; 0 is the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) posts: Option<u64>,
    pub(super) messages: Option<u64>,
}

impl Position {
    /// What a cursor says; one that cannot be read says nothing.
    pub(super) fn read(cursor: &Cursor) -> Self {
        let (posts, messages) = cursor.0.split_once('/').unwrap_or((&cursor.0, ""));
        Position { posts: posts.parse().ok(), messages: messages.parse().ok() }
    }

    pub(super) fn cursor(self) -> Cursor {
        let text = |id: Option<u64>| id.map(|id| id.to_string()).unwrap_or_default();
        Cursor(format!("{}/{}", text(self.posts), text(self.messages)))
    }
}

/// The least id of a moment.
pub(super) fn id_at(moment: Timestamp) -> u64 {
    u64::try_from(moment.as_millisecond() - ID_EPOCH_MS).unwrap_or(0) << ID_TIME_SHIFT
}

/// When an id was given out.
pub(super) fn time_of(id: u64) -> Timestamp {
    let millis = i64::try_from(id >> ID_TIME_SHIFT).unwrap_or(0) + ID_EPOCH_MS;
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

/// The position after reading up to an id.
pub(super) fn behind(id: u64) -> u64 {
    id_at(earlier(time_of(id), OVERLAP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_as_it_went() {
        for position in [
            Position::default(),
            Position { posts: Some(2_080_765_813_578_191_303), messages: None },
            Position { posts: Some(0), messages: Some(7) },
        ] {
            assert_eq!(Position::read(&position.cursor()), position);
        }
    }

    #[test]
    fn ids_tell_time() {
        let id = 2_080_765_813_578_191_303;
        assert_eq!(time_of(id).to_string(), "2026-07-24T21:23:23.373Z");
        assert!(id_at(time_of(id)) <= id && id_at(time_of(id)) > id - (1 << 22));
        assert_eq!(time_of(behind(id)).to_string(), "2026-07-24T21:22:23.373Z");
    }
}
