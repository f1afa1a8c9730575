//! What X's streams send, as far as it is read here.
//!
//! Fields may come in any order, be missing, or be new (<https://docs.x.com/x-api/fundamentals/consuming-streaming-data>): what is
//! not listed is ignored, and what only matters sometimes has a default.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What one object of a stream is.
pub(super) enum Object {
    Post(Box<Post>, Users),
    Deleted { id: String },
    Messages { messages: Vec<Message>, us: Option<String>, users: Users },
    HandleChanged { account: String, handle: String },
    Other,
}

/// <https://docs.x.com/x-api/fundamentals/data-dictionary#tweet>
#[derive(Deserialize)]
pub(super) struct Post {
    pub(super) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) text: String,
    #[serde(default)]
    pub(super) author_id: Option<String>,
    #[serde(default)]
    pub(super) created_at: Option<String>,
    /// Oldest first, this version last.
    #[serde(default, rename = "edit_history_tweet_ids", alias = "edit_history_post_ids", deserialize_with = "or_default")]
    pub(super) edit_history: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) entities: Entities,
    /// All of a text that is longer than 280 characters; `text` then is its beginning.
    #[serde(default, rename = "note_tweet", alias = "note_post")]
    pub(super) note: Option<Note>,
    #[serde(default, rename = "referenced_tweets", alias = "referenced_posts", deserialize_with = "or_default")]
    pub(super) referenced: Vec<Referenced>,
    /// The Activity API's own field for a reply.
    #[serde(default, rename = "in_reply_to_tweet_id", alias = "in_reply_to_post_id")]
    pub(super) in_reply_to: Option<String>,
    /// Code points; what stands before are the handles that a reply carries and nobody sees.
    #[serde(default)]
    pub(super) display_text_range: Option<(usize, usize)>,
}

#[derive(Deserialize)]
pub(super) struct Note {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) text: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) entities: Entities,
}

#[derive(Default, Deserialize)]
pub(super) struct Entities {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) mentions: Vec<MentionEntity>,
}

/// Offsets count code points of the escaped text.
#[derive(Deserialize)]
pub(super) struct MentionEntity {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) username: String,
    #[serde(default)]
    pub(super) id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Referenced {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) username: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) name: String,
}

/// A private message in the form of version 1.1, which the Activity API keeps.
#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) id: String,
    #[serde(default)]
    pub(super) created_timestamp: Option<String>,
    pub(super) message_create: MessageCreate,
}

#[derive(Deserialize)]
pub(super) struct MessageCreate {
    pub(super) sender_id: String,
    pub(super) message_data: MessageData,
}

#[derive(Deserialize)]
pub(super) struct MessageData {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) text: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) entities: MessageEntities,
}

#[derive(Default, Deserialize)]
pub(super) struct MessageEntities {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) user_mentions: Vec<UserMention>,
}

#[derive(Deserialize)]
pub(super) struct UserMention {
    pub(super) screen_name: String,
    pub(super) id_str: String,
}

/// The accounts that come with an object, by id.
#[derive(Default)]
pub(super) struct Users(HashMap<String, User>);

impl Users {
    pub(super) fn by_id(&self, id: &str) -> Option<&User> {
        self.0.get(id)
    }

    pub(super) fn by_username(&self, username: &str) -> Option<&User> {
        self.0.values().find(|user| user.username.eq_ignore_ascii_case(username))
    }

    /// Each is read by itself: an account that cannot be read is one that was not sent. Some events wrap it in a `data`.
    fn read<'a>(values: impl IntoIterator<Item = &'a Value>) -> Self {
        let read = |value: &'a Value| User::deserialize(value.get("data").unwrap_or(value)).ok();
        Users(values.into_iter().filter_map(read).map(|user| (user.id.clone(), user)).collect())
    }
}

/// Both forms, before it is known which.
#[derive(Deserialize)]
struct Outer {
    #[serde(default)]
    data: Option<Value>,
    #[serde(default, deserialize_with = "or_default")]
    includes: Includes,
}

#[derive(Default, Deserialize)]
struct Includes {
    #[serde(default, deserialize_with = "or_default")]
    users: Vec<Value>,
}

/// <https://docs.x.com/x-api/activity/event-payloads>
#[derive(Deserialize)]
struct Activity {
    event_type: String,
    #[serde(default, deserialize_with = "or_default")]
    filter: Filter,
    #[serde(default)]
    payload: Value,
    #[serde(default, deserialize_with = "or_default")]
    includes: Includes,
}

#[derive(Default, Deserialize)]
struct Filter {
    #[serde(default)]
    user_id: Option<String>,
}

#[derive(Deserialize)]
struct Identified {
    id: String,
}

#[derive(Deserialize)]
struct Messages {
    direct_message_events: Vec<Message>,
    #[serde(default, deserialize_with = "or_default")]
    users: HashMap<String, Value>,
}

#[derive(Deserialize)]
struct Changed {
    after: String,
}

/// Opens an object of either form.
pub(super) fn open(bytes: &[u8]) -> Result<Object, String> {
    let outer: Outer = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match outer.data {
        // `errors`, or a kind of message that nobody has told us about.
        None => Ok(Object::Other),
        Some(data) if data.get("event_type").is_some() => activity(read(data)?, &outer.includes),
        Some(data) => Ok(Object::Post(Box::new(read(data)?), Users::read(&outer.includes.users))),
    }
}

fn activity(activity: Activity, outer: &Includes) -> Result<Object, String> {
    // The accounts stand inside `data` in the documents' samples and beside it in the stream's description.
    let users = || Users::read(outer.users.iter().chain(&activity.includes.users));
    match activity.event_type.as_str() {
        "post.create" | "post.mention.create" | "post.reply.create" | "post.quote.create" | "post.repost.create" => {
            Ok(Object::Post(Box::new(read(activity.payload.clone())?), users()))
        }
        "post.delete" => Ok(Object::Deleted { id: read::<Identified>(activity.payload)?.id }),
        "dm.received" => {
            let payload: Messages = read(activity.payload)?;
            Ok(Object::Messages {
                messages: payload.direct_message_events,
                us: activity.filter.user_id,
                users: Users::read(payload.users.values()),
            })
        }
        "profile.update.handle" => {
            let account = activity.filter.user_id.ok_or("the event names no account")?;
            Ok(Object::HandleChanged { account, handle: read::<Changed>(activity.payload)?.after })
        }
        _ => Ok(Object::Other),
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// `null` where something should be counts as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(input: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or_default())
}
