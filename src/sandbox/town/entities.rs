//! The town's things as Mastodon's JSON entities, seen by one person.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::platform::fake::{App, Conversation, Id, Media, Notification, Person, Policy, State, Status, Token, Version};

/// A moment to the millisecond, as entities write it.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A moment to the microsecond, as rate limits write it.
pub(super) fn moment_micro(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Looks at the town with somebody's eyes.
#[derive(Clone, Copy)]
pub(super) struct Lens<'a> {
    pub(super) state: &'a State,
    pub(super) base_url: &'a str,
    pub(super) identity_url: &'a str,
    pub(super) viewer: Option<Id>,
}

impl Lens<'_> {
    pub(super) fn account(&self, person: &Person) -> Value {
        let base = self.base_url;
        let username = &person.username;
        let (followers, following, statuses, newest) = self.state.counts(person.id);
        let last_status_at =
            newest.and_then(|id| self.state.status(id)).map(|status| status.created_at.strftime("%Y-%m-%d").to_string());
        let avatar = format!("{base}/avatars/{}.svg", person.id);
        let header = format!("{base}/headers/missing.svg");
        json!({
            "id": person.id,
            "username": username,
            "acct": username,
            "display_name": person.display_name,
            "locked": person.locked,
            "bot": person.bot,
            "discoverable": true,
            "indexable": false,
            "group": false,
            "created_at": person.joined_at.strftime("%Y-%m-%dT00:00:00.000Z").to_string(),
            "note": self.state.html(&person.note, base),
            "url": format!("{base}/@{username}"),
            "uri": format!("{}/users/{}", self.identity_url, person.first_username),
            "avatar": avatar,
            "avatar_static": avatar,
            "header": header,
            "header_static": header,
            "followers_count": followers,
            "following_count": following,
            "statuses_count": statuses,
            "last_status_at": last_status_at,
            "hide_collections": false,
            "noindex": false,
            "emojis": [],
            "roles": [],
            "fields": self.fields(person),
        })
    }

    /// One's own account, with what only oneself may see.
    pub(super) fn own_account(&self, person: &Person) -> Value {
        let mut account = self.account(person);
        let requests = self.state.follow_requests(person.id).count();
        let fields: Vec<Value> =
            person.fields.iter().map(|(name, value)| json!({ "name": name, "value": value, "verified_at": null })).collect();
        account["source"] = json!({
            "privacy": "public",
            "sensitive": false,
            "language": null,
            "note": person.note,
            "fields": fields,
            "follow_requests_count": requests,
            "hide_collections": false,
            "discoverable": true,
            "indexable": false,
        });
        account["role"] = json!({ "id": "-99", "name": "", "permissions": "0", "color": "", "highlighted": false });
        account
    }

    fn fields(&self, person: &Person) -> Vec<Value> {
        let value = |text: &str| self.state.html(text, self.base_url).trim_start_matches("<p>").trim_end_matches("</p>").to_owned();
        person.fields.iter().map(|(name, text)| json!({ "name": name, "value": value(text), "verified_at": null })).collect()
    }

    fn account_by_id(&self, id: Id) -> Value {
        self.state.person(id).map_or(Value::Null, |person| self.account(person))
    }

    pub(super) fn status_uri(&self, status: &Status) -> String {
        let name = self.state.person(status.author).map_or("", |person| person.first_username.as_str());
        let activity = if status.reblog_of.is_some() { "/activity" } else { "" };
        format!("{}/users/{name}/statuses/{}{activity}", self.identity_url, status.id)
    }

    pub(super) fn status(&self, status: &Status) -> Value {
        let base = self.base_url;
        let boosted = status.reblog_of.and_then(|id| self.state.status(id));
        let shown = boosted.map_or(status, |boosted| boosted);
        let name = self.state.person(shown.author).map_or("", |person| person.username.as_str());
        let reactions = self.state.reactions(shown.id);
        let mut entity = json!({
            "id": status.id,
            "created_at": moment(status.created_at),
            "in_reply_to_id": status.in_reply_to,
            "in_reply_to_account_id": status.in_reply_to_account,
            "sensitive": shown.now.sensitive,
            "spoiler_text": shown.now.spoiler_text,
            "visibility": status.visibility.as_str(),
            "language": shown.language,
            "uri": self.status_uri(status),
            "url": format!("{base}/@{name}/{}", shown.id),
            "replies_count": reactions.map_or(0, |reactions| reactions.replies.len()),
            "reblogs_count": reactions.map_or(0, |reactions| reactions.reblogs.len()),
            "favourites_count": reactions.map_or(0, |reactions| reactions.favourites.len()),
            "quotes_count": 0,
            "edited_at": shown.edited_at.map(moment),
            "content": self.state.html(&shown.now.text, base),
            "reblog": boosted.map(|boosted| self.status(boosted)),
            "application": status.application.and_then(|id| self.state.app(id)).map(|app| json!({ "name": app.name, "website": app.website })),
            "account": self.account_by_id(status.author),
            "media_attachments": shown.now.media.iter().map(|id| self.media_by_id(*id)).collect::<Vec<_>>(),
            "mentions": shown.mentions.iter().filter_map(|id| self.mention(*id)).collect::<Vec<_>>(),
            "tags": shown.tags.iter().map(|tag| self.tag(tag)).collect::<Vec<_>>(),
            "emojis": [],
            "quote": null,
            "card": null,
            "poll": null,
        });
        if let Some(viewer) = self.viewer {
            let (favourited, reblogged) = self.state.reacted(viewer, shown.id);
            entity["favourited"] = favourited.into();
            entity["reblogged"] = reblogged.into();
            entity["muted"] = false.into();
            entity["bookmarked"] = false.into();
            entity["pinned"] = false.into();
            entity["filtered"] = json!([]);
        }
        entity
    }

    fn mention(&self, id: Id) -> Option<Value> {
        let person = self.state.person(id)?;
        let url = format!("{}/@{}", self.base_url, person.username);
        Some(json!({ "id": person.id, "username": person.username, "acct": person.username, "url": url }))
    }

    pub(super) fn tag(&self, tag: &str) -> Value {
        let path: String = url::form_urlencoded::byte_serialize(tag.as_bytes()).collect();
        json!({ "name": tag, "url": format!("{}/tags/{path}", self.base_url) })
    }

    fn media_by_id(&self, id: Id) -> Value {
        self.state.media(id).map_or(Value::Null, |media| self.media(media))
    }

    pub(super) fn media(&self, media: &Media) -> Value {
        let family = media.mime.split('/').next().unwrap_or_default();
        let kind = if matches!(family, "image" | "video" | "audio") { family } else { "unknown" };
        let url = format!("{}/media/{}.svg", self.base_url, media.id);
        json!({
            "id": media.id,
            "type": kind,
            "url": url,
            "preview_url": url,
            "remote_url": null,
            "preview_remote_url": null,
            "text_url": null,
            "meta": {},
            "description": media.description,
            "blurhash": null,
        })
    }

    /// One entry of a status's history.
    pub(super) fn version(&self, status: &Status, version: &Version) -> Value {
        json!({
            "content": self.state.html(&version.text, self.base_url),
            "spoiler_text": version.spoiler_text,
            "sensitive": version.sensitive,
            "created_at": moment(version.at),
            "account": self.account_by_id(status.author),
            "media_attachments": version.media.iter().map(|id| self.media_by_id(*id)).collect::<Vec<_>>(),
            "emojis": [],
            "poll": null,
        })
    }

    pub(super) fn notification(&self, told: &Notification, about: Option<&Status>) -> Value {
        let mut entity = json!({
            "id": told.id,
            "type": told.kind.as_str(),
            "created_at": moment(told.at),
            "group_key": format!("ungrouped-{}", told.id),
            "account": self.account_by_id(told.from),
        });
        if let Some(status) = about {
            entity["status"] = self.status(status);
        }
        if told.filtered {
            entity["filtered"] = true.into();
        }
        entity
    }

    pub(super) fn stored_notification(&self, told: &Notification) -> Value {
        self.notification(told, told.status.and_then(|id| self.state.status(id)).map(|status| &**status))
    }

    pub(super) fn conversation(&self, conversation: &Conversation) -> Value {
        let last = conversation.statuses.last().and_then(|id| self.state.status(*id));
        json!({
            "id": conversation.id,
            "unread": conversation.unread,
            "accounts": conversation.others.iter().map(|id| self.account_by_id(*id)).collect::<Vec<_>>(),
            "last_status": last.map(|status| self.status(status)),
        })
    }

    pub(super) fn relationship(&self, account: Id, target: Id) -> Value {
        let standing = self.state.relationship(account, target);
        json!({
            "id": target,
            "following": standing.following,
            "showing_reblogs": standing.following,
            "notifying": false,
            "languages": null,
            "followed_by": standing.followed_by,
            "blocking": false,
            "blocked_by": false,
            "muting": false,
            "muting_notifications": false,
            "requested": standing.requested,
            "requested_by": standing.requested_by,
            "domain_blocking": false,
            "endorsed": false,
            "note": "",
        })
    }

    pub(super) fn policy(&self, account: Id, policy: Policy) -> Value {
        let (senders, notifications) = self.state.filtered_count(account);
        let mut entity = json!(policy);
        entity["summary"] = json!({ "pending_requests_count": senders, "pending_notifications_count": notifications });
        entity
    }
}

/// A registered application, with its secret.
pub(super) fn app(app: &App) -> Value {
    json!({
        "id": app.id,
        "name": app.name,
        "website": app.website,
        "scopes": app.scopes,
        "redirect_uris": app.redirect_uris,
        "redirect_uri": app.redirect_uris.join("\n"),
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "client_secret_expires_at": 0,
        "vapid_key": "",
    })
}

/// A token, as the one who may have it sees it.
pub(super) fn token(token: &Token, issued_at: Timestamp) -> Value {
    json!({
        "access_token": token.secret,
        "token_type": "Bearer",
        "scope": token.scopes.join(" "),
        "created_at": issued_at.as_second(),
    })
}
