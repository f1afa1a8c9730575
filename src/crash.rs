//! Crash points: named places of the money path where a rig lets the process die, sleep, or an operation fail.
//!
//! Each place is one short line, `crash_point!("submit.begun");`, which is nothing at all without the feature `crash-points` (the
//! default). With it, `OBOLE_CRASH_POINT=NAME:ACTION[:NTH],…` chooses what strikes where:
//!
//! | action | what happens when the place is passed for the NTH time (the first, unless said) |
//! |---|---|
//! | `die` | the process kills itself with SIGKILL: nothing is unwound, flushed or said |
//! | `error` | the operation that stands there fails as it really could: no room, no connection, no answer. Only where the line says `return` |
//! | `pause` | whoever is there sleeps for `OBOLE_CRASH_PAUSE_MS` (a minute), and goes on as if nothing had been |
//!
//! `OBOLE_CRASH_PASSED` names a file to which every place that is passed appends its name, and what struck there.
//! `OBOLE_CRASH_HASTE` divides leases and what is measured by them, so that a rig need not wait out 45 seconds for each.
//! `OBOLE_CRASH_POINT=list` makes the program print the places below and end.
//!
//! A build with these points is no build to run for real, so an optimised one is refused by the compiler.

#[cfg(all(feature = "crash-points", not(debug_assertions)))]
compile_error!("crash points are for the rigs in tests/kill, which use a debug build; they are not built into a release");

/// Nothing.
#[cfg(not(feature = "crash-points"))]
macro_rules! crash_point {
    ($name:literal $($how:tt)*) => {
        ()
    };
}

/// A place that can be struck. After the name may stand `if CONDITION`, when not every pass counts, and what an `error` does:
/// `return Err(KIND: REASON)`, an error of this kind made from one of the reasons in this module, or `return VALUE`.
#[cfg(feature = "crash-points")]
macro_rules! crash_point {
    ($name:literal) => {
        let _ = $crate::crash::pass($name).await;
    };
    ($name:literal, if $when:expr) => {
        if $when {
            let _ = $crate::crash::pass($name).await;
        }
    };
    ($name:literal, return Err($kind:ident: $reason:ident)) => {
        if $crate::crash::pass($name).await {
            return Err(<$kind>::from($crate::crash::$reason()).into());
        }
    };
    ($name:literal, if $when:expr, return Err($kind:ident: $reason:ident)) => {
        if $when && $crate::crash::pass($name).await {
            return Err(<$kind>::from($crate::crash::$reason()).into());
        }
    };
    ($name:literal, return $value:expr) => {
        if $crate::crash::pass($name).await {
            return $value;
        }
    };
}

/// A time that is measured against leases, or is one.
#[cfg(not(feature = "crash-points"))]
macro_rules! hastened {
    ($time:expr) => {
        $time
    };
}

/// A time that is measured against leases, or is one: shorter where a rig cannot wait.
#[cfg(feature = "crash-points")]
macro_rules! hastened {
    ($time:expr) => {
        $crate::crash::sooner($time)
    };
}

pub(crate) use {crash_point, hastened};

/// A place in the list.
#[cfg(any(feature = "crash-points", test))]
struct Place {
    /// `room.place`, as in the code.
    name: &'static str,
    /// Whether something can fail right there; elsewhere `error` is not offered.
    fails: bool,
    /// What would be lost or doubled here if the mechanism that guards it were missing.
    loses: &'static str,
}

/// Every place: `name, fails, what would be lost or doubled`.
#[cfg(any(feature = "crash-points", test))]
macro_rules! places {
    ($($name:literal, $fails:literal, $loses:literal;)*) => {
        const PLACES: &[Place] = &[$(Place { name: $name, fails: $fails, loses: $loses }),*];
    };
}

#[cfg(any(feature = "crash-points", test))]
places! {
    "start.before_migration", true, "half a schema, which no later start could use";
    "start.migrated", true, "a database that does not know yet whether it holds real money";
    "start.leases_back", true, "work claimed by the dead process, waited for although nobody does it (SQLite)";
    "start.configured", false, "payees registered in part, and changes proposed twice";
    "start.ready", false, "posts of the time between the streams' start and the first page";
    "enrol.consent_given", true, "a consent at the bank that belongs to nobody here";
    "enrol.code_arrived", true, "a code that is used up and has linked nobody";
    "enrol.linked", true, "a person without an account, or linked twice";
    "intake.opening", true, "what was posted while nobody listened";
    "intake.received", true, "a post that the stream has told and nobody has written down";
    "intake.posts_taken", true, "a post marked as seen that made no order";
    "intake.before_cursor", true, "posts between the cursor and the rows";
    "intake.cursor_saved", true, "posts passed over, if the cursor were committed by itself";
    "intake.committed", true, "the same posts once more, each with an order";
    "ledger.before_begin", true, "a whole batch of work that somebody has handed in";
    "ledger.before_commit", true, "orders without their audit lines or effects";
    "ledger.after_commit", true, "a batch that is decided once more because its commit was not heard of";
    "ledger.before_answers", false, "what is committed, for those who wait to hear of it";
    "confirm.read", true, "the payer's answer";
    "confirm.decided", true, "a yes that is used up and starts nothing";
    "limits.reserved", true, "a reservation without an order, or a confirmed order without one";
    "cancel.decided", true, "a withdrawal, and then a payment that the payer had called off";
    "claim.before_commit", true, "an effect, or its place in the platform's window";
    "claim.committed", true, "an effect that is claimed and never delivered";
    "claim.taken_over", false, "an effect whose first holder died, or two holders of one effect";
    "message.claimed", true, "a question or receipt";
    "message.before_call", true, "a question or receipt whose turn was used";
    "message.after_call", true, "nothing; the same message would be sent twice";
    "message.before_outcome", false, "the same message once more";
    "message.outcome_committed", false, "nothing; the message is sent and so recorded";
    "question.before_call", false, "the question that an order waits for";
    "question.after_call", false, "the same question once more, with the same code";
    "notice.before_call", false, "the receipt of a settled payment";
    "notice.after_call", false, "a second receipt";
    "hint.before_call", true, "the public hint";
    "hint.after_call", true, "a second public hint";
    "submit.claimed", true, "a confirmed payment";
    "submit.screened", false, "a confirmed payment, or one whose screening is old by now";
    "submit.begun", false, "a payment committed as submitting that never reaches the bank, or does after another has asked about it";
    "submit.before_call", true, "the same, past the last look at the lease";
    "submit.bank_answered", true, "the bank's answer: the money has moved, and a second call would move it again";
    "submit.outcome_committed", false, "nothing; what follows stands in the table";
    "settle.late_outcome", false, "what the bank said to somebody who has lost the lease";
    "ask.claimed", true, "a question about a payment whose outcome is open";
    "ask.before_call", true, "the same";
    "ask.answered", true, "what the bank said about it";
    "ask.outcome_committed", false, "nothing; the next question stands in the table";
    "look_up.before_call", true, "the look-up of a payment that the bank has and we have no number of";
    "look_up.answered", true, "that it was found, and then a second payment";
    "callback.received", true, "a hurry; the question comes when it is due";
    "callback.before_commit", true, "the same";
    "callback.committed", true, "the same; or a state set by somebody who proves nothing";
    "expire.read", true, "the end of an order that nobody confirms";
    "expire.committed", false, "nothing; an expiry happens once";
    "reconcile.opening", true, "a cycle of comparison";
    "reconcile.claimed", true, "the reading of an account, claimed by whoever died";
    "reconcile.entries_read", true, "what the bank's entries tell of a payment";
    "reconcile.judged", false, "the judgement of the orders after this one";
    "operator.asked", true, "an operator's act";
    "operator.acted", true, "that the act was done: it would be done twice";
    "stop.streams_ended", false, "what was taken in and not decided yet";
    "stop.drained", false, "calls under way";
    "stop.before_close", false, "nothing; everything is committed";
    "audit.opening", true, "nothing: an audit only reads";
    "audit.reading", true, "nothing: an audit only reads";
}

#[cfg(feature = "crash-points")]
mod strike {
    use std::collections::HashMap;
    use std::fmt::Write as _;
    use std::fs::File;
    use std::io::{self, Write as _};
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::time::Duration;

    use super::PLACES;

    /// Longer than any lease, unless a rig says otherwise.
    const PAUSE: Duration = Duration::from_secs(60);

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Action {
        Die,
        Error,
        Pause,
    }

    /// What is to strike, and what has been passed.
    pub(super) struct Rig {
        armed: Vec<(String, Action, u64)>,
        passes: Mutex<HashMap<&'static str, u64>>,
        passed: Option<File>,
        pause: Duration,
        haste: u32,
    }

    static RIG: OnceLock<Rig> = OnceLock::new();

    /// Reads what the environment asks for. `Ok(Some(text))`: only this is wanted. An error is one sentence about what it says.
    pub(crate) fn read_environment() -> Result<Option<String>, String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let number = |name: &str| {
            let read = |text: String| text.parse().map_err(|_| format!("{name} is not a whole number: {text}"));
            variable(name).map(read).transpose()
        };
        let asked = variable("OBOLE_CRASH_POINT").unwrap_or_default();
        if asked == "list" {
            return Ok(Some(list()));
        }
        let append = |path: String| {
            let opened = File::options().create(true).append(true).open(&path);
            opened.map_err(|why| format!("OBOLE_CRASH_PASSED: {path} cannot be written: {why}"))
        };
        let rig = Rig {
            armed: read_armed(&asked)?,
            passes: Mutex::default(),
            passed: variable("OBOLE_CRASH_PASSED").map(append).transpose()?,
            pause: number("OBOLE_CRASH_PAUSE_MS")?.map_or(PAUSE, |millis| Duration::from_millis(u64::from(millis))),
            haste: number("OBOLE_CRASH_HASTE")?.unwrap_or(1).max(1),
        };
        // Whoever read the environment before has read the same.
        let _ = RIG.set(rig);
        Ok(None)
    }

    fn list() -> String {
        let mut text = String::new();
        for place in PLACES {
            let _ = writeln!(text, "{}\t{}\t{}", place.name, if place.fails { "fails" } else { "cannot fail" }, place.loses);
        }
        text.trim_end().to_owned()
    }

    pub(super) fn read_armed(asked: &str) -> Result<Vec<(String, Action, u64)>, String> {
        let each = asked.split(',').filter(|one| !one.is_empty()).map(|one| {
            let mut parts = one.split(':');
            let (name, action, nth) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
            let place = PLACES.iter().find(|place| place.name == name);
            let place = place.ok_or_else(|| format!("OBOLE_CRASH_POINT names no place: {name}"))?;
            let action = match action {
                Some("die") => Action::Die,
                Some("pause") => Action::Pause,
                Some("error") if place.fails => Action::Error,
                Some("error") => return Err(format!("OBOLE_CRASH_POINT: nothing can fail at {name}")),
                _ => return Err(format!("OBOLE_CRASH_POINT: {one} says neither die, error nor pause")),
            };
            let nth = nth.map_or(Ok(1), str::parse).map_err(|_| format!("OBOLE_CRASH_POINT: {one} ends with no number"))?;
            Ok((name.to_owned(), action, nth))
        });
        each.collect()
    }

    /// Somebody is at this place. `true`: what stands there is to fail.
    pub(crate) async fn pass(name: &'static str) -> bool {
        let Some(rig) = RIG.get() else { return false };
        let nth = {
            let mut passes = rig.passes.lock().unwrap_or_else(PoisonError::into_inner);
            let count = passes.entry(name).or_default();
            *count += 1;
            *count
        };
        let struck = rig.armed.iter().find(|(armed, _, at)| armed == name && *at == nth).map(|(_, action, _)| *action);
        if let Some(mut passed) = rig.passed.as_ref() {
            // One write, so that the lines of several processes do not mix. A rig that cannot read it says so itself.
            let line = match struck {
                Some(action) => format!("{name} {}\n", format!("{action:?}").to_lowercase()),
                None => format!("{name}\n"),
            };
            let _ = passed.write_all(line.as_bytes());
        }
        match struck {
            None => false,
            Some(Action::Error) => true,
            Some(Action::Pause) => {
                tokio::time::sleep(rig.pause).await;
                false
            }
            Some(Action::Die) => {
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
                // Not reached; if it were, nothing after this place may happen all the same.
                std::process::abort()
            }
        }
    }

    /// A time measured against leases, as much shorter as the rig asks for.
    pub(crate) fn sooner(time: Duration) -> Duration {
        time / RIG.get().map_or(1, |rig| rig.haste)
    }

    /// No room is left on the disk.
    pub(crate) fn disk_full() -> io::Error {
        io::Error::new(io::ErrorKind::StorageFull, "no space left on device (crash point)")
    }

    /// The connection is gone, and with it the answer.
    pub(crate) fn connection_lost() -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer (crash point)")
    }
}

#[cfg(feature = "crash-points")]
pub(crate) use strike::{connection_lost, disk_full, pass, read_environment, sooner};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    /// The places in the code, and whether an error is offered there.
    fn places_in(folder: &Path, found: &mut BTreeMap<String, Vec<bool>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                places_in(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("crash.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for (at, start) in text.match_indices("crash_point!(") {
                    let rest = text[at + start.len()..].trim_start();
                    let Some((name, how)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) else { continue };
                    let how = how.split(';').next().unwrap();
                    found.entry(name.to_owned()).or_default().push(how.contains("return"));
                }
            }
        }
    }

    #[test]
    fn the_places_in_the_code_and_in_the_list_are_the_same() {
        let mut found = BTreeMap::new();
        places_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        for place in PLACES {
            let in_code = found.remove(place.name);
            let in_code = in_code.unwrap_or_else(|| panic!("{} is in the list and not in the code", place.name));
            assert!(in_code.iter().all(|fails| *fails == place.fails), "{} can fail in the code or in the list only", place.name);
            assert!(!place.loses.is_empty(), "{} does not say what would be lost", place.name);
        }
        assert!(found.is_empty(), "in the code and not in the list: {:?}", found.keys());
        assert!(PLACES.len() >= 40, "{} places are too few", PLACES.len());
    }

    /// Whoever builds Obole without asking for them has none: the feature is off by default, and nothing that is on brings it.
    #[test]
    fn the_default_build_has_no_crash_points() {
        let manifest: toml::Value = toml::from_str(include_str!("../Cargo.toml")).unwrap();
        let features = manifest["features"].as_table().unwrap();
        let mut on = vec!["default".to_owned()];
        for at in 0.. {
            let Some(feature) = on.get(at).cloned() else { break };
            let brought = features.get(&feature).and_then(toml::Value::as_array).into_iter().flatten();
            on.extend(brought.filter_map(toml::Value::as_str).map(str::to_owned));
        }
        assert!(on.iter().any(|feature| feature == "service"), "the search for features found {on:?}");
        assert!(!on.iter().any(|feature| feature == "crash-points"));
        assert!(features.contains_key("crash-points"));
    }

    #[cfg(feature = "crash-points")]
    #[test]
    fn what_strikes_where_is_read_and_mistakes_are_said() {
        use super::strike::{Action, read_armed};
        let armed = read_armed("submit.begun:die,claim.committed:error:3").unwrap();
        assert_eq!(armed, [("submit.begun".to_owned(), Action::Die, 1), ("claim.committed".to_owned(), Action::Error, 3)]);
        for wrong in ["nowhere:die", "submit.begun:error", "submit.begun", "submit.begun:die:often"] {
            assert!(read_armed(wrong).is_err(), "{wrong}");
        }
    }
}
