//! Public answers: a post of the bot's own under the post that it answers.
//!
//! The record's key is ours ([`tid`]) and the same for every attempt at one sending, so a repetition meets the record that is there:
//! whatever an attempt's answer was, one look at the key says whether the answer stands.

use serde::Deserialize;
use serde_json::{Value, json};

use super::xrpc::{Record, Service, Xrpc, is_about_us, parts};
use super::{POSTS, facets, tid};
use crate::platform::call::Failure;
use crate::platform::{Account, OutgoingReply, SendError};

#[derive(Deserialize)]
struct Created {
    uri: String,
}

/// See [`crate::platform::Platform::reply`].
pub(super) async fn reply(xrpc: &Xrpc, bot: &Account, reply: OutgoingReply<'_>) -> Result<String, SendError> {
    let refused = |why: &str| SendError::Refused { why: why.to_owned() };
    let Some((_, POSTS, to_rkey)) = parts(reply.to_post) else { return Err(refused("what is answered is not a post")) };
    let rkey = tid::of_answer(reply.key, to_rkey);
    let uri = format!("at://{}/{POSTS}/{rkey}", bot.id);
    let parent = xrpc.record(reply.to_post).await.map_err(not_sent)?;
    let Some(Record { cid: Some(cid), value }) = parent else { return Err(refused("the post is gone")) };
    let parent = json!({ "uri": reply.to_post, "cid": cid });
    // An answer within a thread names its first post too.
    let root = value.pointer("/reply/root").filter(|root| root.get("uri").is_some_and(Value::is_string)).unwrap_or(&parent);
    let record = json!({
        "$type": POSTS,
        "text": reply.text,
        "facets": facets::of_links(reply.text),
        "createdAt": xrpc.caller().clock().now().to_string(),
        "reply": { "root": root, "parent": parent },
    });
    let input = json!({ "repo": bot.id.as_str(), "collection": POSTS, "rkey": rkey, "record": record });
    let failure = match xrpc.post::<Created>(Service::Own, "com.atproto.repo.createRecord", &input).await {
        Ok(created) => return Ok(created.uri),
        Err(failure @ Failure::NotReached(_)) => return Err(not_sent(failure)),
        Err(failure) if is_about_us(&failure) => return Err(not_sent(failure)),
        Err(failure) if failure.refusal().is_some_and(|refusal| refusal.code == 429) => return Err(not_sent(failure)),
        Err(failure) => failure,
    };
    match xrpc.record(&uri).await {
        Ok(Some(_)) => Ok(uri),
        Ok(None) if failure.refusal().is_some_and(|refusal| (400..500).contains(&refusal.code)) => Err(not_sent(failure)),
        _ => Err(SendError::Unknown { why: failure.why() }),
    }
}

/// What a failure means of which nothing can have been written.
fn not_sent(failure: Failure) -> SendError {
    let why = failure.why();
    match failure {
        failure if is_about_us(&failure) => SendError::Credentials { why },
        Failure::Status(refusal) if (400..500).contains(&refusal.code) && refusal.code != 429 => SendError::Refused { why },
        Failure::Status(refusal) => SendError::Later { after: refusal.after, why },
        Failure::NotReached(_) | Failure::NoAnswer(_) => SendError::Later { after: None, why },
    }
}
