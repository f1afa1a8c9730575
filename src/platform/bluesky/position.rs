//! Where to continue reading: how far the public stream has been read, and how far the chat.
//!
//! One cursor holds both, as `<microseconds>/<revision>`: `1789030800329308/3l3qo2vutsw2b`. The first counts microseconds since 1970, which
//! every Jetstream host understands (numbers below 10^15 are read as a position in *one* host's log, so they are never written); the
//! second is the chat's own word, and opaque.

use crate::clock::Timestamp;
use crate::platform::Cursor;

/// Below this, a Jetstream of version 2 reads a cursor as a position in its own log, not as a time.
const LEAST_TIME_US: i64 = 1_000_000_000_000_000;

/// How far both have been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// Everything before this moment was handed on.
    pub(super) stream_us: Option<i64>,
    /// Everything up to this revision was handed on.
    pub(super) chat: Option<String>,
}

impl Position {
    /// What a cursor says; one that cannot be read says nothing.
    pub(super) fn read(cursor: &Cursor) -> Self {
        let (stream, chat) = cursor.0.split_once('/').unwrap_or((&cursor.0, ""));
        let stream_us = stream.parse().ok().filter(|time| *time >= LEAST_TIME_US && Timestamp::from_microsecond(*time).is_ok());
        Position { stream_us, chat: (!chat.is_empty()).then(|| chat.to_owned()) }
    }

    pub(super) fn cursor(&self) -> Cursor {
        let stream = self.stream_us.map(|time| time.to_string()).unwrap_or_default();
        Cursor(format!("{stream}/{}", self.chat.as_deref().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_as_it_went() {
        for position in [
            Position::default(),
            Position { stream_us: Some(1_789_030_800_329_308), chat: None },
            Position { stream_us: None, chat: Some("3l3qo2vutsw2b".into()) },
            Position { stream_us: Some(1_789_030_800_329_308), chat: Some("3l3qo2vutsw2b".into()) },
        ] {
            assert_eq!(Position::read(&position.cursor()), position);
        }
    }

    #[test]
    fn a_number_that_is_no_time_is_no_position() {
        for cursor in ["12345/", "999999999999999/", "-1/", "x/", ""] {
            assert_eq!(Position::read(&Cursor(cursor.to_owned())).stream_us, None, "{cursor}");
        }
        assert_eq!(Position::read(&Cursor("1000000000000000/".to_owned())).stream_us, Some(1_000_000_000_000_000));
    }
}
