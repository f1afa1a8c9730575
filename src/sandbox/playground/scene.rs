//! Everything the page shows at one moment, gathered from town, bank and Obole.

use axum::http::HeaderMap;

use super::{PlaygroundState, who};
use crate::app::view::{self, CampaignView};
use crate::money::Money;
use crate::order::{Order, OrderState};
use crate::people::Payee;
use crate::sandbox::person::{EnrolmentClient, EnrolmentState, Message, Person, StatementLine};
use crate::sandbox::seed::BOT;

/// Posts of the town that the page shows.
const TIMELINE: usize = 12;
/// Orders among which one's own are looked for, and how many are shown.
const ORDERS: u16 = 500;
const OWN_ORDERS: usize = 5;
/// Messages shown.
const MESSAGES: usize = 14;
/// Lines of a statement shown.
const LINES: usize = 8;

/// An account at the bank, as its holder sees it.
pub(super) struct Statement {
    pub(super) holder: String,
    pub(super) balance: Money,
    /// Newest first.
    pub(super) lines: Vec<StatementLine>,
}

/// Who the browser is, and all that is theirs.
pub(super) struct Me {
    pub(super) person: Person,
    pub(super) is_linked: bool,
    /// The enrolment under way in this browser.
    pub(super) enrolment: Option<EnrolmentState>,
    /// The newest public post among those the town shows.
    pub(super) newest_post: Option<u64>,
    /// Written and received, newest first.
    pub(super) messages: Vec<Message>,
    /// Newest first.
    pub(super) orders: Vec<Order>,
    pub(super) statement: Statement,
}

/// One moment.
pub(super) struct Scene {
    pub(super) me: Option<Me>,
    pub(super) timeline: Vec<Message>,
    pub(super) campaigns: Vec<CampaignView>,
    pub(super) collecting: Vec<Statement>,
}

impl Me {
    /// What to answer to the newest question of Obole, while an order waits for it.
    pub(super) fn suggestion(&self) -> Option<String> {
        let mut waiting = self.orders.iter().filter(|order| matches!(order.state, OrderState::AwaitingConfirmation { .. }));
        let post = waiting.next()?.source.native_id.parse().ok()?;
        answer_since(post, &self.messages)
    }
}

/// What the newest question asks for, if it came after this post: the code of a question before it is another order's.
fn answer_since(post: u64, messages: &[Message]) -> Option<String> {
    messages.iter().filter(|message| is_from_bot(message) && message.id > post).find_map(|message| answer_in(&message.text))
}

/// Whether Obole wrote it.
pub(super) fn is_from_bot(message: &Message) -> bool {
    message.from == BOT
}

/// The `OUI 482193` or `YES 482193` that a message asks for.
fn answer_in(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric())).collect();
    let is_code = |word: &str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
    let pair = words.windows(2).find(|pair| matches!(pair[0], "OUI" | "YES") && is_code(pair[1]))?;
    Some(format!("{} {}", pair[0], pair[1]))
}

/// Gathers the moment.
pub(super) async fn gather(state: &PlaygroundState, headers: &HeaderMap) -> anyhow::Result<Scene> {
    let campaigns = view::campaigns(&state.app).await?;
    let mut payees: Vec<&Payee> = campaigns.iter().map(|view| &view.payee).collect();
    payees.dedup_by(|one, other| one.id == other.id);
    let mut collecting = Vec::with_capacity(payees.len());
    for payee in payees {
        collecting.push(statement(state, payee.legal_name.clone(), &payee.iban).await?);
    }
    let me = match who::person(state, headers).await? {
        Some(person) => Some(me(state, headers, person).await?),
        None => None,
    };
    let (me, timeline) = match me {
        Some(me) => {
            let timeline = me.person.timeline(TIMELINE).await?;
            let newest_post = timeline.iter().find(|post| post.from == me.person.username()).map(|post| post.id);
            (Some(Me { newest_post, ..me }), timeline)
        }
        None => (None, Vec::new()),
    };
    Ok(Scene { me, timeline, campaigns, collecting })
}

async fn me(state: &PlaygroundState, headers: &HeaderMap, person: Person) -> anyhow::Result<Me> {
    let is_linked = state.app.is_linked(&state.platform, person.account()).await?;
    let enrolment = match who::enrolment_cookie(headers) {
        Some(cookie) if !is_linked => EnrolmentClient::new(&state.sandbox, &state.obole_url, Some(cookie)).state().await.ok(),
        _ => None,
    };
    let (received, sent) = tokio::join!(person.direct_messages(), person.sent_messages());
    let mut messages = received?;
    messages.extend(sent?);
    messages.sort_by_key(|message| std::cmp::Reverse(message.id));
    messages.truncate(MESSAGES);
    let mut orders = state.app.newest_orders(None, ORDERS).await?;
    orders.retain(|order| order.source.platform == state.platform && order.source.author == *person.account());
    orders.truncate(OWN_ORDERS);
    let statement = statement(state, person.username().to_owned(), person.iban()).await?;
    Ok(Me { person, is_linked, enrolment, newest_post: None, messages, orders, statement })
}

async fn statement(state: &PlaygroundState, holder: String, iban: &crate::iban::Iban) -> anyhow::Result<Statement> {
    let (balance, lines) = tokio::join!(state.sandbox.balance(iban), state.sandbox.statement(iban));
    let mut lines = lines?;
    lines.reverse();
    lines.truncate(LINES);
    Ok(Statement { holder, balance: balance?, lines })
}

#[cfg(test)]
mod tests {
    use super::{answer_in, answer_since};
    use crate::sandbox::person::Message;
    use crate::sandbox::seed::BOT;

    #[test]
    fn the_code_of_an_earlier_question_is_no_answer_to_a_later_post() {
        let message = |id, from: &str, text: &str| Message {
            id,
            from: from.to_owned(),
            text: text.to_owned(),
            at: String::new(),
            is_private: true,
            is_edited: false,
        };
        let asked = message(2, BOT, "YES 111111");
        let newest_first = [message(4, "ana", "YES 333333"), asked.clone()];
        assert_eq!(answer_since(1, &newest_first).as_deref(), Some("YES 111111"));
        assert_eq!(answer_since(3, &newest_first), None, "the question about post 3 has not come yet");
        let answered = [message(5, BOT, "YES 222222"), asked];
        assert_eq!(answer_since(3, &answered).as_deref(), Some("YES 222222"));
    }

    #[test]
    fn the_answer_is_found_in_the_question() {
        assert_eq!(answer_in("Oui : répondez OUI 482193 sous 10 minutes").as_deref(), Some("OUI 482193"));
        assert_eq!(answer_in("Yes: reply YES 004211, by").as_deref(), Some("YES 004211"));
        assert_eq!(answer_in("Reçu 48219312. OUI merci"), None);
    }
}
