//! Lines of every form, and lines of none.

use super::*;

fn read(line: &[u8]) -> Line {
    read_line(line, &Bots::everywhere("obole"))
}

fn network(line: &str) -> Network {
    match read(line.as_bytes()) {
        Line::Recorded { network, .. } => network,
        other => panic!("{line}: {other:?}"),
    }
}

fn why(line: &[u8]) -> String {
    match read(line) {
        Line::Broken(why) => why,
        other => panic!("not broken: {other:?}"),
    }
}

const STATUS: &str = r##"{"id":"1","uri":"https://s.example/1","created_at":"2026-09-10T08:00:00Z","account":{"id":"14","acct":"ana"},"visibility":"public","content":"#donner"}"##;

#[test]
fn each_line_tells_which_network_it_is_from() {
    assert_eq!(network(STATUS), Network::Mastodon);
    assert_eq!(network(&format!(r#"{{"id":"2","type":"mention","account":{{"id":"14"}},"status":{STATUS}}}"#)), Network::Mastodon);
    assert_eq!(network(r#"{"event":"delete","payload":"1"}"#), Network::Mastodon);
    let commit = r#""did":"did:plc:ana","operation":"delete","collection":"app.bsky.feed.post","rkey":"1""#;
    assert_eq!(network(&format!(r#"{{"did":"did:plc:ana","time_us":1,"commit":{{{commit}}}}}"#)), Network::Bluesky);
    assert_eq!(network(&format!(r##"{{"payload":{{"$type":"x#commit",{commit}}},"$type":"message"}}"##)), Network::Bluesky);
    assert_eq!(
        network(r##"{"data":{"id":"1","author_id":"2","text":"#donner","created_at":"2026-09-10T08:00:00Z"}}"##),
        Network::X
    );
}

#[test]
fn blank_lines_keep_a_stream_alive() {
    for blank in [&b""[..], b"\n", b"\r\n", b"  \t", b"\xEF\xBB\xBF\n"] {
        assert_eq!(read(blank), Line::NotConcerning(None));
    }
    assert_eq!(network(&format!("\u{FEFF}{STATUS}\r\n")), Network::Mastodon);
}

#[test]
fn what_is_no_recording_is_broken_and_says_why() {
    let nothing = "not an object of one of the networks";
    for line in ["7", "null", "[]", "\"text\"", "{}", r#"{"did":"did:plc:ana"}"#, r#"{"id":"1","text":"x"}"#] {
        assert_eq!(why(line.as_bytes()), nothing, "{line}");
    }
    assert!(why(&STATUS.as_bytes()[..STATUS.len() - 2]).starts_with("not JSON: EOF while parsing a string at column "), "cut off");
    assert!(why(b"event: update").starts_with("not JSON: expected"));
    assert_eq!(why(b"{\"data\":{\"id\":\"1\",\"text\":\"#\xFF\"}}"), "byte 28 is not UTF-8");
    assert!(why(format!("{STATUS}{STATUS}").as_bytes()).starts_with("not JSON: trailing characters"));
    assert!(why(STATUS.replace("2026-09-10T08:00:00Z", "today").as_bytes()).starts_with("a Mastodon object that cannot be read: "));
}

#[test]
fn a_line_of_a_megabyte_is_read_and_a_longer_one_is_not() {
    let post = |length: usize| {
        let rest = STATUS.len() - "#donner".len();
        STATUS.replace("#donner", &format!("#donner {}", "x".repeat(length - rest - "#donner ".len())))
    };
    assert_eq!(post(MAX_LINE_BYTES).len(), MAX_LINE_BYTES);
    assert_eq!(network(&post(MAX_LINE_BYTES)), Network::Mastodon);
    assert_eq!(why(post(MAX_LINE_BYTES + 1).as_bytes()), "the line is longer than 1048576 bytes");
    // Deep nesting ends in a sentence too, not in the stack.
    assert!(why("[".repeat(100_000).as_bytes()).len() < 200);
}

#[test]
fn a_deletion_may_come_before_its_post() {
    assert_eq!(
        read(br#"{"event":"delete","payload":"1"}"#),
        Line::Recorded { network: Network::Mastodon, events: vec![PlatformEvent::Deleted { native_id: "1".into() }] }
    );
}

#[test]
fn small_talk_is_dropped_before_it_is_decoded() {
    assert_eq!(read(STATUS.replace("#donner", "hello").as_bytes()), Line::Dropped(Network::Mastodon));
    // Even if it could not be decoded.
    assert_eq!(read(br#"{"visibility":"public", this is no JSON"#), Line::Dropped(Network::Mastodon));
}
