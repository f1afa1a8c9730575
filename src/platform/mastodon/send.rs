//! Sending: private messages, public answers, and what their answers mean.
//!
//! A private message on Mastodon is a status with `visibility=direct`, and **reaches everyone it mentions**. So it begins with the
//! payer's handle, contains no other mention, and says so twice: at signs that could begin one are taken out of the text
//! ([`without_mentions`]), and `allowed_mentions[]` makes the server itself refuse (422) whatever it would mention beyond the payer
//! (`app/services/post_status_service.rb`; undocumented, ignored by servers that do not know it).
//!
//! `Idempotency-Key` (<https://docs.joinmastodon.org/methods/statuses/#create>) makes a repetition within an hour the same status on
//! Mastodon; other servers ignore it. So an outcome that is not known is looked up at once in what the bot has said: if the same
//! message is there, it was sent; if not, it stays unknown, since a server that answers late may also post late. Two messages with the
//! same words, to the same person, in answer to the same message count as one.

use tracing::{error, warn};

use crate::platform::{OutgoingDm, OutgoingReply, SendError};

use super::html;
use super::http::{Failure, Http};
use super::post::Home;
use super::wire::{Context, Identified, Status};

/// `@`, Mastodon's 30 characters of a local user name (the domain is not counted, and longer names are rare elsewhere) and a space.
pub(super) const PREFIX_CHARACTERS: usize = 32;

/// What a sender needs.
pub(super) struct Sending<'a> {
    pub(super) http: &'a Http,
    pub(super) home: &'a Home,
    pub(super) bot_id: &'a str,
}

/// A status about to be posted.
struct Outgoing<'a> {
    key: &'a str,
    to_id: &'a str,
    to_handle: &'a str,
    text: &'a str,
    visibility: &'a str,
    in_reply_to: Option<&'a str>,
}

impl Sending<'_> {
    /// See [`crate::platform::Platform::send_dm`].
    pub(super) async fn dm(&self, dm: OutgoingDm<'_>) -> Result<String, SendError> {
        let (to_id, to_handle) = (dm.to.as_str(), dm.to_handle);
        self.post(Outgoing { key: dm.key, to_id, to_handle, text: dm.text, visibility: "direct", in_reply_to: dm.in_reply_to })
            .await
    }

    /// See [`crate::platform::Platform::reply`]. The post is read first: who wrote it is the only account that may be mentioned, and
    /// an answer to followers' posts goes no further than the post.
    pub(super) async fn reply(&self, reply: OutgoingReply<'_>) -> Result<String, SendError> {
        let post: Status = self.http.get(&["api", "v1", "statuses", reply.to_post], &[]).await.map_err(Failure::of_reading)?;
        let handle = post.account.acct.to_ascii_lowercase();
        if !html::is_handle(reply.to_handle) || !same_account(reply.to_handle, &handle, &self.home.domain) {
            return Err(SendError::Refused { why: "the post is not by the person it is answered to".into() });
        }
        let visibility = match post.visibility.as_str() {
            "direct" => return Err(SendError::Refused { why: "a private message is not answered in public".into() }),
            "private" => "private",
            _ => "unlisted",
        };
        let (to_id, in_reply_to) = (post.account.id.as_str(), Some(reply.to_post));
        self.post(Outgoing { key: reply.key, to_id, to_handle: &handle, text: reply.text, visibility, in_reply_to }).await
    }

    async fn post(&self, outgoing: Outgoing<'_>) -> Result<String, SendError> {
        if !html::is_handle(outgoing.to_handle) {
            return Err(SendError::Refused { why: "the person's handle is not one".into() });
        }
        let body = without_mentions(outgoing.text);
        let status = format!("@{} {body}", outgoing.to_handle);
        let mut form =
            vec![("status", status.as_str()), ("visibility", outgoing.visibility), ("allowed_mentions[]", outgoing.to_id)];
        form.extend(outgoing.in_reply_to.map(|id| ("in_reply_to_id", id)));

        let failure = match self.http.post::<serde_json::Value>(&["api", "v1", "statuses"], &form, outgoing.key).await {
            Ok(answer) => match accepted(&answer, outgoing.to_id) {
                Some(outcome) => return outcome,
                None => Failure::NoAnswer("the answer names no status".into()),
            },
            Err(failure) => failure,
        };
        let why = failure.why();
        match failure {
            failure if failure.is_about_us() => Err(SendError::Credentials { why }),
            Failure::NotReached(_) => Err(SendError::Later { after: None, why }),
            Failure::Status { code: 429, after, .. } => Err(SendError::Later { after, why }),
            // A redirect: `base_url` is not where the instance is. Nothing was posted.
            Failure::Status { code: 300..=399, after, .. } => Err(SendError::Later { after, why }),
            // 408 is a proxy's, which may have passed the request on.
            Failure::Status { code: 400..=407 | 409..=499, .. } => Err(SendError::Refused { why }),
            Failure::Status { .. } | Failure::NoAnswer(_) => self.read_back(&outgoing, &body, why).await,
        }
    }

    /// Looks for the message among what the bot has said.
    async fn read_back(&self, outgoing: &Outgoing<'_>, body: &str, why: String) -> Result<String, SendError> {
        let own: Result<Vec<serde_json::Value>, Failure> =
            self.http.get(&["api", "v1", "accounts", self.bot_id, "statuses"], &[("limit", "40")]).await;
        let own = own.unwrap_or_else(|failure| {
            warn!(platform.error = failure.why(), "could not read back what was sent");
            Vec::new()
        });
        if let Some(found) = own.iter().find_map(|status| self.is_it(status, outgoing, body)) {
            return Ok(found);
        }
        // Servers that list no private messages there still show them in their thread.
        if let Some(id) = outgoing.in_reply_to {
            let context: Context = self.http.get(&["api", "v1", "statuses", id, "context"], &[]).await.unwrap_or_default();
            if let Some(found) = context.descendants.iter().find_map(|status| self.is_it(status, outgoing, body)) {
                return Ok(found);
            }
        }
        Err(SendError::Unknown { why: format!("{why}; not found when read back") })
    }

    /// The status' id, if it is the one we meant to post.
    fn is_it(&self, status: &serde_json::Value, outgoing: &Outgoing<'_>, body: &str) -> Option<String> {
        let status: Status = serde::Deserialize::deserialize(status).ok()?;
        let text = html::to_text(&status.content, &status.mentions, &self.home.domain);
        let (_handle, said) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
        let fits = status.account.id == self.bot_id
            && status.visibility == outgoing.visibility
            && status.in_reply_to_id.as_deref() == outgoing.in_reply_to
            && status.reblog.is_none()
            && status.mentions.iter().any(|mention| mention.id == outgoing.to_id)
            && letters(said) == letters(body);
        fits.then_some(status.id)
    }
}

/// A success, judged by whom it reached; `None` if the answer is not a status.
fn accepted(answer: &serde_json::Value, to_id: &str) -> Option<Result<String, SendError>> {
    let id = Identified::clone(&serde::Deserialize::deserialize(answer).ok()?).id;
    let Some(mentions) = answer.get("mentions").and_then(serde_json::Value::as_array) else { return Some(Ok(id)) };
    let reached: Vec<&str> = mentions.iter().filter_map(|mention| mention.get("id")?.as_str()).collect();
    if reached.iter().any(|reached| *reached != to_id) {
        error!(post.native_id = id, "the instance mentioned somebody else than the person written to");
    }
    let why = "the handle does not lead to the person's account any more".to_owned();
    Some(if reached.contains(&to_id) { Ok(id) } else { Err(SendError::Refused { why }) })
}

fn same_account(handle: &str, acct: &str, own_domain: &str) -> bool {
    let local = |handle: &str| handle.to_ascii_lowercase().strip_suffix(&format!("@{own_domain}")).map(str::to_owned);
    local(handle).unwrap_or_else(|| handle.to_ascii_lowercase()) == local(acct).unwrap_or_else(|| acct.to_owned())
}

/// The text with every at sign taken out that could begin a mention. Mastodon begins one where an `@` is not preceded by a word
/// character, `/` or `=` (`app/models/account.rb`, `MENTION_RE`); other servers' rules are no wider. At signs inside an e-mail
/// address or a web address stay. Full-width and small at signs go too, for whoever normalises before looking.
pub(super) fn without_mentions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let inside = out.ends_with(|last: char| last.is_ascii_alphanumeric() || matches!(last, '_' | '/' | '='));
        match character {
            '@' if inside => out.push('@'),
            '@' | '＠' | '﹫' => {}
            _ => out.push(character),
        }
    }
    out
}

/// What of a text survives formatting, linking and reading back.
fn letters(text: &str) -> String {
    text.chars().filter(|character| character.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_at_sign_is_left_that_could_begin_a_mention() {
        assert_eq!(without_mentions("10 € to @bob, (@eve@evil.example) @@x ＠y"), "10 € to bob, (eve@evil.example) x y");
        assert_eq!(
            without_mentions("write to help@pay.example or https://s/@obole/1"),
            "write to help@pay.example or https://s/@obole/1"
        );
        assert_eq!(without_mentions("é@bob 5€@bob"), "ébob 5€bob");
        assert_eq!(without_mentions("@"), "");
    }

    #[test]
    fn a_local_account_may_be_written_with_its_domain() {
        assert!(same_account("Bob@pay.example", "bob", "pay.example"));
        assert!(same_account("bob", "bob", "pay.example"));
        assert!(!same_account("bob@else.example", "bob", "pay.example"));
    }

    #[test]
    fn a_success_counts_only_if_it_reached_the_person() {
        let answer = |mentions| serde_json::json!({"id": "7", "mentions": mentions});
        assert_eq!(accepted(&answer(serde_json::json!([{"id": "3"}])), "3"), Some(Ok("7".into())));
        assert!(matches!(accepted(&answer(serde_json::json!([])), "3"), Some(Err(SendError::Refused { .. }))));
        assert!(matches!(accepted(&answer(serde_json::json!([{"id": "4"}])), "3"), Some(Err(SendError::Refused { .. }))));
        assert_eq!(accepted(&serde_json::json!({"id": "7"}), "3"), Some(Ok("7".into())));
        assert_eq!(accepted(&serde_json::json!({}), "3"), None);
    }
}
