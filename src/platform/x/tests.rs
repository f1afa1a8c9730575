//! Each trap of X's wire, in the form it comes in.

use serde_json::{Value, json};

use super::*;
use crate::platform::Mention;

const ID: &str = "2080765813578191303";

fn stream(data: Value) -> Value {
    json!({"data": data, "includes": {"users": [{"id": "2", "username": "Ana_M", "name": "Ana"}, {"id": "3", "username": "Bob", "name": "Bob"}]},
        "matching_rules": [{"id": "1166916266197536768", "tag": "pay"}]})
}

fn tweet(text: &str, mentions: &Value) -> Value {
    json!({"id": ID, "text": text, "author_id": "2", "created_at": "2026-07-24T21:23:23.000Z", "edit_history_tweet_ids": [ID],
        "entities": {"mentions": mentions}})
}

fn activity(kind: &str, payload: &Value) -> Value {
    json!({"data": {"event_uuid": "-2781149976877970683", "filter": {"user_id": "9"}, "event_type": kind, "tag": "t", "payload": payload,
        "includes": {"users": [{"data": {"id": "2", "username": "Ana_M", "name": "Ana"}}]}}})
}

fn read(object: &Value) -> Vec<PlatformEvent> {
    read_object(object.to_string().as_bytes(), "obole").unwrap()
}

fn posted(object: &Value) -> Post {
    match read(object).pop() {
        Some(PlatformEvent::Posted(post)) => *post,
        other => panic!("not a post: {other:?}"),
    }
}

fn mention(handle: &str, id: &str) -> Mention {
    Mention { handle: handle.into(), account: AccountId(id.into()) }
}

fn entity(start: usize, end: usize, username: &str, id: &str) -> Value {
    json!({"start": start, "start_str": start.to_string(), "end": end, "username": username, "id": id})
}

#[test]
fn a_post_of_the_filtered_stream() {
    let post = posted(&stream(tweet("@obole #donner 10€ @Bob", &json!([entity(0, 6, "obole", "9"), entity(19, 23, "Bob", "3")]))));
    assert_eq!((post.id.as_str(), post.native_id.as_str()), (ID, ID));
    assert_eq!((post.author.id.as_str(), post.author.handle.as_str()), ("2", "ana_m"));
    assert_eq!(post.text, "@obole #donner 10€ @Bob");
    assert_eq!(post.mentions, [mention("obole", "9"), mention("bob", "3")]);
    assert_eq!(post.posted_at.to_string(), "2026-07-24T21:23:23Z");
    assert!(!post.is_repost && !post.is_edited);
}

#[test]
fn a_mention_event_of_the_activity_api() {
    let object = activity("post.mention.create", &tweet("@obole #donner 10€", &json!([entity(0, 6, "obole", "9")])));
    let post = posted(&object);
    assert_eq!(post.author.handle, "ana_m", "accounts may be wrapped in a `data`");
    assert_eq!(post.mentions, [mention("obole", "9")]);
    let mut beside = object.clone();
    beside["includes"] = object["data"]["includes"].clone();
    beside["data"]["includes"] = Value::Null;
    assert_eq!(read(&beside), read(&object));
}

#[test]
fn offsets_count_code_points_of_the_escaped_text() {
    // X's own sample: one astral character before the mention.
    assert_eq!(posted(&stream(tweet("𝕏 | @Bob", &json!([entity(4, 8, "Bob", "3")])))).mentions, [mention("bob", "3")]);
    assert_eq!(posted(&stream(tweet("𝕏 | @Bob", &json!([entity(5, 9, "Bob", "3")])))).mentions, [], "UTF-16 units");
    assert_eq!(posted(&stream(tweet("𝕏 | @Bob", &json!([entity(7, 11, "Bob", "3")])))).mentions, [], "bytes");
    let post = posted(&stream(tweet("A &amp; B &lt;3 @Bob", &json!([entity(16, 20, "Bob", "3")]))));
    assert_eq!(post.text, "A & B <3 @Bob");
    assert_eq!(post.mentions, [mention("bob", "3")]);
}

#[test]
fn offsets_that_do_not_fit_mention_nobody() {
    for (start, end) in [(0, 400), (400, 401), (3, 1), (0, 0), (0, 3), (1, 4)] {
        assert_eq!(posted(&stream(tweet("@Bob 5€", &json!([entity(start, end, "Bob", "3")])))).mentions, []);
    }
    assert_eq!(posted(&stream(tweet("@Bob 5€", &json!([entity(0, 4, "Mallory", "6")])))).mentions, []);
}

#[test]
fn escapes_are_resolved_once() {
    assert_eq!(text::unescape("&amp;lt; &amp;amp; &lt;&gt; & &#35; &"), "&lt; &amp; <> & &#35; &");
}

#[test]
fn a_mention_without_an_id_is_whom_the_object_tells() {
    let named = json!([{"start": 0, "end": 4, "username": "Bob"}]);
    assert_eq!(posted(&stream(tweet("@Bob", &named))).mentions, [mention("bob", "3")]);
    let unknown = json!([{"start": 0, "end": 4, "username": "Eve"}]);
    assert_eq!(posted(&stream(tweet("@Eve", &unknown))).mentions, []);
}

#[test]
fn a_long_post_is_its_note() {
    let mut long = tweet("@obole beginning… https://t.co/x", &json!([entity(0, 6, "obole", "9")]));
    long["note_tweet"] = json!({"text": "@obole beginning &amp; end #donner 10€ @Bob",
        "entities": {"mentions": [entity(0, 6, "obole", "9"), entity(39, 43, "Bob", "3")]}});
    let post = posted(&stream(long.clone()));
    assert_eq!(post.text, "@obole beginning & end #donner 10€ @Bob");
    assert_eq!(post.mentions.len(), 2);
    long["note_tweet"]["entities"] = Value::Null;
    assert_eq!(posted(&stream(long)).mentions, [mention("obole", "9")]);
}

#[test]
fn both_names_of_the_renamed_fields_are_read() {
    let mut renamed = json!({"id": "12", "text": "x", "author_id": "2", "edit_history_post_ids": ["11", "12"],
        "referenced_posts": [{"type": "replied_to", "id": "7"}], "note_post": {"text": "long"}, "created_at": "2026-07-24T21:23:23.000Z"});
    let post = posted(&stream(renamed.clone()));
    assert_eq!((post.id.as_str(), post.text.as_str(), post.in_reply_to.as_deref()), ("11", "long", Some("7")));
    renamed["referenced_posts"] = json!([{"type": "reposted", "id": "7"}]);
    assert!(posted(&stream(renamed)).is_repost);
}

#[test]
fn a_later_version_is_an_edit_of_the_root() {
    let mut second = tweet("@obole #donner 100€", &json!([]));
    second["edit_history_tweet_ids"] = json!(["2080765813578191000", ID]);
    let events = read(&stream(second));
    assert_eq!(events[0], PlatformEvent::Edited { native_id: "2080765813578191000".into() });
    let PlatformEvent::Posted(post) = &events[1] else { panic!("{events:?}") };
    assert_eq!((post.id.as_str(), post.native_id.as_str(), post.is_edited), ("2080765813578191000", ID, true));
}

#[test]
fn reposts_are_marked_and_quotes_are_not() {
    let with = |kind: &str| {
        let mut tweet = tweet("RT @ana_m: @obole #donner 10€", &json!([]));
        tweet["referenced_tweets"] = json!([{"type": kind, "id": "7"}]);
        posted(&stream(tweet))
    };
    assert!(with("retweeted").is_repost);
    assert!(!with("quoted").is_repost);
    assert_eq!(with("quoted").in_reply_to, None);
    assert_eq!(with("replied_to").in_reply_to.as_deref(), Some("7"));
}

#[test]
fn handles_that_a_reply_carries_along_are_not_the_authors_words() {
    let mut reply = tweet(
        "@Bob @obole #donner 10€ @Bob",
        &json!([entity(0, 4, "Bob", "3"), entity(5, 11, "obole", "9"), entity(24, 28, "Bob", "3")]),
    );
    reply["display_text_range"] = json!([5, 28]);
    let post = posted(&stream(reply.clone()));
    assert_eq!(post.text, "@obole #donner 10€ @Bob");
    assert_eq!(post.mentions, [mention("obole", "9"), mention("bob", "3")]);
    // Never more than handles.
    reply["display_text_range"] = json!([14, 28]);
    assert_eq!(posted(&stream(reply)).text, "@Bob @obole #donner 10€ @Bob");
}

#[test]
fn a_private_message_loses_our_name_and_our_own_are_not_read() {
    let message = |sender: &str| {
        activity(
            "dm.received",
            &json!({"direct_message_events": [{"type": "message_create", "id": "2080765901528535096",
            "created_timestamp": "1784928224372", "message_create": {"target": {"recipient_id": "9"}, "sender_id": sender,
            "message_data": {"text": "@obole OUI 482193 &amp; merci", "entities": {"user_mentions": []}}}}],
            "users": {"2": {"data": {"id": "2", "username": "Ana_M", "name": "Ana"}}}}),
        )
    };
    let post = posted(&message("2"));
    assert_eq!((post.channel, post.text.as_str(), post.author.handle.as_str()), (Channel::Dm, "OUI 482193 & merci", "ana_m"));
    assert_eq!(post.posted_at.to_string(), "2026-07-24T21:23:44.372Z");
    assert_eq!(read(&message("9")), []);
}

#[test]
fn the_bots_own_mention_leaves_a_private_message() {
    let left = |text| without_bot(text, "obole");
    assert_eq!(left("@Obole: @obole OUI 482193 @obole"), "OUI 482193");
    assert_eq!(left("@obole2 OUI"), "@obole2 OUI");
    assert_eq!(left("@oboleé OUI"), "@oboleé OUI");
    assert_eq!(left("10@obole"), "10@obole");
    assert_eq!(left("@é"), "@é");
    assert_eq!(without_bot("@ @", ""), "@ @");
}

#[test]
fn deletions_and_changed_handles() {
    let gone = activity("post.delete", &json!({"id": ID, "author_id": "2"}));
    assert_eq!(read(&gone), [PlatformEvent::Deleted { native_id: ID.into() }]);
    let renamed = activity("profile.update.handle", &json!({"before": "old", "after": "New"}));
    let account = Account { id: AccountId("9".into()), handle: "new".into(), display_name: String::new(), is_bot: false };
    assert_eq!(read(&renamed), [PlatformEvent::AccountChanged(account)]);
}

#[test]
fn the_time_of_an_id_stands_in_for_the_time_of_a_post() {
    let mut bare = tweet("x", &json!([]));
    bare["created_at"] = Value::Null;
    assert_eq!(posted(&stream(bare.clone())).posted_at.to_string()[..19], *"2026-07-24T21:23:23");
    bare["id"] = "x".into();
    assert_eq!(read_object(stream(bare).to_string().as_bytes(), "obole").unwrap_err(), "the id is \"x\"");
}

#[test]
fn errors_and_other_events_do_not_concern_us() {
    let errors = json!({"errors": [{"title": "operational-disconnect", "disconnect_type": "UpstreamOperationalDisconnect"}]});
    for object in [errors, activity("like.create", &json!({})), activity("dm.sent", &json!({})), json!({"data": null})] {
        assert_eq!(read(&object), []);
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let why = |object: Value| read_object(object.to_string().as_bytes(), "obole").unwrap_err();
    assert_eq!(why(stream(json!({"id": "1", "text": "x"}))), "the post names no author");
    assert!(why(stream(json!({"text": "x"}))).contains("missing field `id`"));
    assert!(why(stream(json!({"id": 1, "text": "x"}))).contains("expected a string"));
    assert!(read_object(b"{\"data\":{\"id\":\"1", "obole").unwrap_err().contains("EOF"));
}
