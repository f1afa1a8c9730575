//! Trying out what an order needs of an instance.

use serde_json::Value;

use super::Mastodon;
use super::http::Failure;
use crate::platform::check::{Finding, payments_a_day};

/// Messages that one payment takes: the question, the receipt, and mostly one more.
const MESSAGES_EACH: u32 = 3;
/// The scopes that are needed, and what each is needed for.
const SCOPES: [(&str, &str); 3] =
    [("read:notifications", "mentions"), ("read:statuses", "posts"), ("write:statuses", "messages and answers")];

/// See [`crate::platform::Platform::examine`].
pub(super) async fn examine(mastodon: &Mastodon) -> Vec<Finding> {
    let bot = &mastodon.bot;
    let mut findings = vec![Finding::good("credentials", format!("signed in as @{} ({})", bot.handle, bot.id))];
    findings.push(if bot.is_bot {
        Finding::good("label", "the account says that it is automated")
    } else {
        Finding::doubtful("label", "the account does not say that it is automated; many instances want that of bots")
    });
    findings.push(permissions(mastodon).await);
    findings.push(
        match mastodon.http.get::<Value>(&["api", "v1", "notifications"], &[("types[]", "mention"), ("limit", "1")]).await {
            Ok(_) => Finding::good("mentions", "they may be read"),
            Err(failure) => bad("mentions", &failure, "The token needs read:notifications and read:statuses"),
        },
    );
    findings.push(filter(mastodon).await);
    findings.push(match mastodon.listening().try_out().await {
        Ok(()) => Finding::good("stream", "it is open"),
        Err(failure) => bad("stream", &failure, "The token needs read:notifications and read:statuses"),
    });
    if let Some(payments) = payments_a_day(&mastodon.windows, MESSAGES_EACH) {
        findings.push(Finding::good("quotas", format!("{payments} payments a day at {MESSAGES_EACH} messages each")));
    }
    findings
}

/// What the token may do, as far as the instance tells (`/api/v1/apps/verify_credentials`, since 4.0 with scopes).
async fn permissions(mastodon: &Mastodon) -> Finding {
    const WHAT: &str = "private messages";
    let app: Value = match mastodon.http.get(&["api", "v1", "apps", "verify_credentials"], &[]).await {
        Ok(app) => app,
        Err(_) => return Finding::doubtful(WHAT, "the instance does not say what the token may do; write:statuses is needed"),
    };
    let Some(scopes) = app.get("scopes").and_then(Value::as_array) else {
        return Finding::doubtful(WHAT, "the instance does not say what the token may do; write:statuses is needed");
    };
    let has = |scope: &str| {
        let whole = scope.split(':').next().unwrap_or_default();
        scopes.iter().filter_map(Value::as_str).any(|granted| granted == scope || granted == whole)
    };
    let missing: Vec<String> =
        SCOPES.iter().filter(|(scope, _)| !has(scope)).map(|(scope, what)| format!("{scope} ({what})")).collect();
    if missing.is_empty() {
        Finding::good(WHAT, "the token may write them")
    } else {
        Finding::bad(WHAT, format!("the token lacks {}", missing.join(", ")))
    }
}

/// Whether the account's own policy hides messages of people it does not follow, which payers are (since 4.3). Filtered mentions are read
/// all the same, but not streamed: an answer then takes as long as the poll.
async fn filter(mastodon: &Mastodon) -> Finding {
    const WHAT: &str = "filtered mentions";
    let policy: Value = match mastodon.http.get(&["api", "v2", "notifications", "policy"], &[]).await {
        Ok(policy) => policy,
        Err(_) => return Finding::good(WHAT, "the instance has no policy, or does not tell it"),
    };
    let hides = |name: &str| policy.get(name).and_then(Value::as_str).is_some_and(|value| value != "accept");
    let names = ["for_not_following", "for_not_followers", "for_new_accounts", "for_private_mentions", "for_limited_accounts"];
    let hidden: Vec<&str> = names.into_iter().filter(|name| hides(name)).collect();
    if hidden.is_empty() {
        Finding::good(WHAT, "none")
    } else {
        let seconds = mastodon.poll.as_secs();
        let says =
            format!("the account filters {}; such mentions take up to {seconds} s. Accept them in its settings", hidden.join(", "));
        Finding::doubtful(WHAT, says)
    }
}

fn bad(what: &'static str, failure: &Failure, help: &str) -> Finding {
    let about = if failure.is_about_us() { format!(". {help}") } else { String::new() };
    Finding::bad(what, format!("{}{about}", failure.why()))
}
