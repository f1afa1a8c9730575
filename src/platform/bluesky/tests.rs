//! Each trap of the Jetstream wire, in the form it comes in.

use serde_json::{Value, json};

use super::*;
use crate::platform::Mention;

const ANA: &str = "did:plc:ana";
const URI: &str = "at://did:plc:ana/app.bsky.feed.post/3l3qo2vuowo2b";

fn v1(record: &Value) -> Value {
    json!({"did": ANA, "time_us": 1_789_000_000_000_000_i64, "cursor": 12345, "kind": "commit", "commit": {
        "rev": "3l3qo2vutsw2b", "operation": "create", "collection": POSTS, "rkey": "3l3qo2vuowo2b", "cid": "bafyrei", "record": record,
    }})
}

fn record(text: &str, facets: &Value) -> Value {
    json!({"$type": POSTS, "text": text, "createdAt": "2026-09-10T00:00:00.000Z", "langs": ["fr"], "facets": facets})
}

fn facet(start: i64, end: i64, kind: &str, value: &str) -> Value {
    let name = if kind == "link" { "uri" } else { "did" };
    json!({"index": {"byteStart": start, "byteEnd": end}, "features": [{"$type": format!("app.bsky.richtext.facet#{kind}"), name: value}]})
}

fn read(frame: &Value) -> Vec<PlatformEvent> {
    read_frame(frame.to_string().as_bytes()).unwrap()
}

fn posted(frame: &Value) -> Post {
    match read(frame).pop() {
        Some(PlatformEvent::Posted(post)) => *post,
        other => panic!("not a post: {other:?}"),
    }
}

fn mention(handle: &str, did: &str) -> Mention {
    Mention { handle: handle.into(), account: AccountId(did.into()) }
}

#[test]
fn a_post_is_named_by_its_uri_and_keeps_what_the_author_wrote() {
    let mut frame = v1(&record("@obole.test #donner 10€", &json!([facet(0, 11, "mention", "did:plc:bot")])));
    frame["commit"]["record"]["reply"] = json!({"root": {"uri": "at://r", "cid": "c"}, "parent": {"uri": "at://p", "cid": "c"}});
    frame["commit"]["record"]["embed"] = json!({"$type": "app.bsky.embed.record", "record": {"uri": "at://quoted", "cid": "c"}});
    let post = posted(&frame);
    assert_eq!(post.id.as_str(), URI);
    assert_eq!(post.native_id, URI);
    assert_eq!(post.author.id.as_str(), ANA);
    assert_eq!(post.author.handle, "", "a frame does not tell it");
    assert_eq!(post.text, "@obole.test #donner 10€");
    assert_eq!(post.mentions, [mention("obole.test", "did:plc:bot")]);
    assert_eq!(post.in_reply_to.as_deref(), Some("at://p"));
    assert_eq!(post.language.as_deref(), Some("fr"));
    assert!(!post.is_repost && !post.is_edited);
}

#[test]
fn both_envelopes_are_one_event() {
    let record = record("@obole.test #donner 10€", &json!([]));
    let v2 = json!({"$type": "message", "payload": {"$type": "network.bsky.jetstream.subscribeEvents#commit", "seq": 12345,
        "did": ANA, "time": "2026-09-09T23:06:40.000000Z", "rev": "3l3qo2vutsw2b", "operation": "create",
        "collection": POSTS, "rkey": "3l3qo2vuowo2b", "cid": "bafyrei", "record": record.clone()}});
    let mut v1 = v1(&record);
    v1["time_us"] = json!(1_788_995_200_000_000_i64);
    assert_eq!(read(&v2), read(&v1));
}

#[test]
fn offsets_count_bytes_also_behind_characters_of_many() {
    let text = "🍕🇫🇷 é @bob.test 5€";
    let start = i64::try_from(text.find('@').unwrap()).unwrap();
    assert_eq!(start, 4 + 8 + 1 + 2 + 1);
    let post = posted(&v1(&record(text, &json!([facet(start, start + 9, "mention", "did:plc:bob")]))));
    assert_eq!(post.mentions, [mention("bob.test", "did:plc:bob")]);
    // The same in UTF-16 units or code points lands elsewhere and names nobody.
    for wrong in [8, 6] {
        let post = posted(&v1(&record(text, &json!([facet(wrong, wrong + 9, "mention", "did:plc:bob")]))));
        assert_eq!(post.mentions, []);
    }
}

#[test]
fn a_facet_that_does_not_fit_counts_for_nothing() {
    let text = "é @bob.test";
    let facets = [
        facet(1, 12, "mention", "did:plc:bob"),
        facet(3, 4000, "mention", "did:plc:bob"),
        facet(12, 3, "mention", "did:plc:bob"),
        facet(3, 3, "mention", "did:plc:bob"),
        facet(-1, 12, "mention", "did:plc:bob"),
        json!({"index": {"byteStart": 3.5, "byteEnd": 12}, "features": []}),
        json!({"index": null}),
        json!("nonsense"),
    ];
    for facet in facets {
        let post = posted(&v1(&record(text, &json!([facet]))));
        assert_eq!((post.text.as_str(), post.mentions.len()), (text, 0));
    }
    assert_eq!(posted(&v1(&record(text, &Value::Null))).text, text);
}

#[test]
fn a_mention_is_what_is_written_and_whom_the_facet_names() {
    let text = "@bob.test and friend";
    let lying = json!([facet(0, 9, "mention", "did:plc:mallory"), facet(14, 20, "mention", "did:plc:mallory")]);
    let post = posted(&v1(&record(text, &lying)));
    assert_eq!(post.mentions, [mention("bob.test", "did:plc:mallory")], "`friend` is not written as a handle");
}

#[test]
fn a_handle_that_is_said_to_name_two_accounts_names_neither() {
    let text = "@bob.test @Bob.test @eve.test";
    let facets = json!([
        facet(0, 9, "mention", "did:plc:bob"),
        facet(10, 19, "mention", "did:plc:mallory"),
        facet(20, 29, "mention", "did:plc:eve"),
    ]);
    assert_eq!(posted(&v1(&record(text, &facets))).mentions, [mention("eve.test", "did:plc:eve")]);
}

#[test]
fn of_facets_that_overlap_the_first_stands() {
    let text = "@bob.test";
    let facets = json!([facet(1, 9, "link", "https://bob.test/"), facet(0, 9, "mention", "did:plc:bob")]);
    let post = posted(&v1(&record(text, &facets)));
    assert_eq!((post.text.as_str(), post.mentions.len()), ("@bob.test", 1));
}

#[test]
fn a_link_never_pays() {
    let text = "see#donner 10€ @bob.test";
    let end = i64::try_from(text.len()).unwrap();
    let link = |uri: &str| posted(&v1(&record(text, &json!([facet(3, end, "link", uri)])))).text;
    assert_eq!(link("https://evil.example/"), "see https://evil.example/");
    assert_eq!(link("https://evil.example/ #donner 10€"), "see …");
    assert_eq!(link("javascript:alert(1)"), "see …");
}

#[test]
fn edits_and_deletions_name_the_post() {
    let mut frame = v1(&json!({"$type": POSTS, "text": "changed"}));
    frame["commit"]["operation"] = "update".into();
    assert_eq!(read(&frame), [PlatformEvent::Edited { native_id: URI.into() }]);
    let gone = json!({"did": ANA, "time_us": 1, "kind": "commit",
        "commit": {"rev": "r", "operation": "delete", "collection": POSTS, "rkey": "3l3qo2vuowo2b"}});
    assert_eq!(read(&gone), [PlatformEvent::Deleted { native_id: URI.into() }]);
}

#[test]
fn identity_and_account_frames() {
    let changed = |handle: &str| vec![PlatformEvent::AccountChanged(account(ANA, handle.into()))];
    let identity = json!({"did": ANA, "time_us": 1, "kind": "identity",
        "identity": {"did": ANA, "handle": "Ana.Example", "seq": 1, "time": "2026-09-10T00:00:00Z"}});
    assert_eq!(read(&identity), changed("ana.example"));
    let invalid = json!({"did": ANA, "kind": "identity", "identity": {"did": ANA, "handle": "handle.invalid"}});
    assert_eq!(read(&invalid), changed(""));
    let v2 = json!({"$type": "message", "payload": {"$type": "network.bsky.jetstream.subscribeEvents#identity", "seq": 2, "did": ANA,
        "time": "2026-09-10T00:00:00.000000Z", "identity": {"did": ANA, "handle": "ana.example"}}});
    assert_eq!(read(&v2), changed("ana.example"));
    let account = |active| json!({"did": ANA, "kind": "account", "account": {"active": active, "did": ANA, "status": "deleted"}});
    assert_eq!(read(&account(false)), changed(""));
    assert_eq!(read(&account(true)), []);
}

#[test]
fn other_collections_notices_and_errors_do_not_concern_us() {
    let mut like = v1(&json!({"text": {"of": "any shape"}, "facets": 7}));
    like["commit"]["collection"] = "app.bsky.feed.like".into();
    let info =
        json!({"$type": "message", "payload": {"$type": "network.bsky.jetstream.subscribeEvents#info", "name": "OutdatedCursor"}});
    let sync =
        json!({"$type": "message", "payload": {"$type": "network.bsky.jetstream.subscribeEvents#sync", "seq": 1, "did": ANA}});
    let error = json!({"$type": "error", "error": "ConsumerTooSlow", "message": "…"});
    for frame in [like, info, sync, error] {
        assert_eq!(read(&frame), [], "{frame}");
    }
}

#[test]
fn a_post_is_never_newer_than_the_stream_saw_it() {
    let at = |claimed: Value| {
        let mut record = record("x", &json!([]));
        record["createdAt"] = claimed;
        posted(&v1(&record)).posted_at.to_string()
    };
    assert_eq!(at(json!("2031-01-01T00:00:00Z")), "2026-09-10T00:26:40Z");
    assert_eq!(at(json!("2020-01-01T00:00:00+01:00")), "2019-12-31T23:00:00Z");
    assert_eq!(at(json!("yesterday")), "2026-09-10T00:26:40Z");
}

#[test]
fn what_cannot_be_read_says_why() {
    let why = |frame: Value| read_frame(frame.to_string().as_bytes()).unwrap_err();
    assert!(why(v1(&json!({"$type": POSTS}))).contains("missing field `text`"));
    let mut frame = v1(&json!({}));
    frame["commit"]["rkey"] = "a/b".into();
    assert_eq!(why(frame.clone()), "the record key is \"a/b\"");
    frame["did"] = "ana".into();
    assert_eq!(why(frame), "\"ana\" is not a DID");
    let mut frame = v1(&json!({}));
    frame["commit"]["operation"] = "merge".into();
    assert_eq!(why(frame), "the operation is \"merge\"");
    assert!(read_frame(b"{\"did\":\"did:plc:ana\",\"commit\":{\"rev").unwrap_err().contains("EOF"));
    assert!(read_frame(b"{\"did\":\"did:plc:\xFF\"}").is_err());
}
