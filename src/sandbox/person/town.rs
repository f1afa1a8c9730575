//! What a person does in the town: post, read private messages and answer them. All of it is the Mastodon client API.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::Person;
use super::http::{json, send, text_at};

/// Messages that one look at the inbox shows.
const INBOX: usize = 40;
/// Between two tries to listen to a town that does not answer.
const PAUSE: Duration = Duration::from_millis(250);
/// A silent stream may have missed something: look again after this long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// More than any frame has; what is longer is no stream.
const LONGEST_FRAME: usize = 1024 * 1024;

/// A post or a message as its author gets it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its id in the town; later ones are greater.
    pub id: u64,
    /// Where a browser shows it.
    pub url: String,
}

/// A post or a private message as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id in the town; later ones are greater.
    pub id: u64,
    /// Who wrote it.
    pub from: String,
    /// Plain text, with the mentions it begins with.
    pub text: String,
    /// When, as the town writes it (RFC 3339).
    pub at: String,
    /// Seen by those it mentions only.
    pub is_private: bool,
    /// Changed after it was published.
    pub is_edited: bool,
}

impl Person {
    /// Posts for everybody to see.
    pub async fn post(&self, text: &str) -> anyhow::Result<Status> {
        self.publish(text, "public", None, None).await
    }

    /// The same; a repetition with the same key, for instance after a crash, is the same post.
    pub async fn post_once(&self, key: &str, text: &str) -> anyhow::Result<Status> {
        self.publish(text, "public", None, Some(key)).await
    }

    /// Writes a private message to somebody of the town.
    pub async fn write_to(&self, handle: &str, text: &str) -> anyhow::Result<Status> {
        self.publish(&format!("@{handle} {text}"), "direct", None, None).await
    }

    /// Answers a private message in private.
    pub async fn answer(&self, message: &Message, text: &str) -> anyhow::Result<Status> {
        self.publish(&format!("@{} {text}", message.from), "direct", Some(message.id), None).await
    }

    /// Changes the text of one's own post.
    pub async fn edit(&self, status: u64, text: &str) -> anyhow::Result<Status> {
        let request = self.town_request(Method::PUT, &format!("/api/v1/statuses/{status}")).json(&json!({ "status": text }));
        read_status(&json(send(request).await?).await?)
    }

    /// Deletes one's own post.
    pub async fn delete(&self, status: u64) -> anyhow::Result<()> {
        json(send(self.town_request(Method::DELETE, &format!("/api/v1/statuses/{status}"))).await?).await.map(|_| ())
    }

    /// The private messages received, newest first; also those that the town would file away as a stranger's.
    pub async fn direct_messages(&self) -> anyhow::Result<Vec<Message>> {
        let path = format!("/api/v1/notifications?types[]=mention&include_filtered=true&limit={INBOX}");
        let told = json(send(self.town_request(Method::GET, &path)).await?).await?;
        let statuses = told.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|told| &told["status"]);
        statuses.filter(|status| status["visibility"] == "direct").map(read_message).collect()
    }

    /// The private messages written, newest first.
    pub async fn sent_messages(&self) -> anyhow::Result<Vec<Message>> {
        let path = format!("/api/v1/accounts/{}/statuses?limit={INBOX}", self.account());
        let statuses = json(send(self.town_request(Method::GET, &path)).await?).await?;
        let statuses = statuses.as_array().map(Vec::as_slice).unwrap_or_default().iter();
        statuses.filter(|status| status["visibility"] == "direct").map(read_message).collect()
    }

    /// The newest public posts of the town, newest first.
    pub async fn timeline(&self, at_most: usize) -> anyhow::Result<Vec<Message>> {
        let path = format!("/api/v1/timelines/public?limit={at_most}");
        let statuses = json(send(self.town_request(Method::GET, &path)).await?).await?;
        statuses.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(read_message).collect()
    }

    /// Waits for a private message that `wanted` says yes to (the newest of them, if several are there already), at most `patience`.
    /// `None` if none came. Listens to the town's stream, so waiting costs it nothing.
    pub async fn wait_for_dm(
        &self,
        mut wanted: impl FnMut(&Message) -> bool,
        patience: Duration,
    ) -> anyhow::Result<Option<Message>> {
        let end = Instant::now() + patience;
        let mut last_error = None;
        while Instant::now() < end {
            match timeout_at(end, self.listen_for_dm(&mut wanted)).await {
                Ok(Ok(Some(message))) => return Ok(Some(message)),
                Ok(Ok(None)) => last_error = None,
                Ok(Err(error)) => {
                    last_error = Some(error);
                    tokio::time::sleep_until((Instant::now() + PAUSE).min(end)).await;
                }
                Err(_) => break,
            }
        }
        last_error.map_or(Ok(None), Err)
    }

    /// Opens the stream first and looks into the inbox afterwards, so that nothing falls between the two. `None`: the stream ended.
    async fn listen_for_dm(&self, wanted: &mut impl FnMut(&Message) -> bool) -> anyhow::Result<Option<Message>> {
        let mut stream = self.listen("user/notification").await?;
        loop {
            if let Some(found) = self.direct_messages().await?.into_iter().find(|message| wanted(message)) {
                return Ok(Some(found));
            }
            let again = Instant::now() + LOOK_AGAIN;
            match timeout_at(again, stream.next_event()).await {
                Ok(Ok(true)) | Err(_) => {}
                Ok(Ok(false)) => return Ok(None),
                Ok(Err(error)) => return Err(error),
            }
        }
    }

    /// Opens one of the town's streams: `user` tells of the home timeline and of everything sent to this person.
    pub async fn listen(&self, stream: &str) -> anyhow::Result<EventStream> {
        let response = send(self.town_request(Method::GET, &format!("/api/v1/streaming/{stream}"))).await?;
        if !response.status().is_success() {
            json(response).await?;
            anyhow::bail!("the town did not open its stream");
        }
        Ok(EventStream { response, heard: String::new() })
    }

    async fn publish(&self, text: &str, visibility: &str, answers: Option<u64>, key: Option<&str>) -> anyhow::Result<Status> {
        let mut draft = json!({ "status": text, "visibility": visibility });
        if let Some(id) = answers {
            draft["in_reply_to_id"] = id.to_string().into();
        }
        let mut request = self.town_request(Method::POST, "/api/v1/statuses").json(&draft);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        read_status(&json(send(request).await?).await?)
    }

    fn town_request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.sandbox.http.request(method, &format!("{}{path}", self.sandbox.town), Some(self.token()))
    }
}

/// One of the town's streams, of which only matters that something was told.
#[derive(Debug)]
pub struct EventStream {
    response: reqwest::Response,
    heard: String,
}

impl EventStream {
    /// Waits for the next event; `false` when the stream has ended. Heartbeats are no events.
    pub async fn next_event(&mut self) -> anyhow::Result<bool> {
        loop {
            while let Some(end) = self.heard.find('\n') {
                let line: String = self.heard.drain(..=end).collect();
                if line.starts_with("data:") {
                    return Ok(true);
                }
            }
            let Some(chunk) = self.response.chunk().await.context("the town's stream broke")? else { return Ok(false) };
            self.heard.push_str(&String::from_utf8_lossy(&chunk));
            anyhow::ensure!(self.heard.len() <= LONGEST_FRAME, "the town's stream makes no sense");
        }
    }
}

fn id_of(status: &Value) -> anyhow::Result<u64> {
    text_at(status, "id")?.parse().context("a status has an id that is no number")
}

fn read_status(status: &Value) -> anyhow::Result<Status> {
    Ok(Status { id: id_of(status)?, url: text_at(status, "url")? })
}

fn read_message(status: &Value) -> anyhow::Result<Message> {
    Ok(Message {
        id: id_of(status)?,
        from: text_at(&status["account"], "acct")?,
        text: plain_text(&text_at(status, "content")?),
        at: text_at(status, "created_at")?,
        is_private: status["visibility"] == "direct",
        is_edited: !status["edited_at"].is_null(),
    })
}

/// What a person sees of a status's HTML: the text, with a line break where a paragraph or `<br>` makes one.
fn plain_text(content: &str) -> String {
    let mut text = String::with_capacity(content.len());
    for Ok(token) in html5gum::Tokenizer::new(content) {
        match token {
            html5gum::Token::String(piece) => text.push_str(&String::from_utf8_lossy(&piece)),
            html5gum::Token::StartTag(tag) if *tag.name == *b"br" => text.push('\n'),
            html5gum::Token::EndTag(tag) if *tag.name == *b"p" => text.push_str("\n\n"),
            _ => {}
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_of_the_town_reads_as_text() {
        let html = r#"<p><span class="h-card"><a href="http://localhost:8081/@obole" class="u-url mention">@<span>obole</span></a></span> OUI &amp; merci<br />deux</p><p>trois</p>"#;
        assert_eq!(plain_text(html), "@obole OUI & merci\ndeux\n\ntrois");
    }
}
