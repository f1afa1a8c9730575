//! A reading as a piece of a page: the text with its parts marked, each part in words, and what to do.

use maud::{Markup, html};

use super::advice::advice;
use crate::language::{
    Action, Addressed, CancelCommand, Command, Flag, Kind, PaymentCommand, Reading, RecipientRule, Rejection, Reply, Silence, Span,
    Split,
};
use crate::messages::{amount, explained};
use crate::people::Language;
use crate::web::words::{Reading as Words, fill, texts};

/// A place of a text: how it is drawn, and what it is called for those who do not see the drawing.
pub(super) struct Part {
    span: Span,
    class: &'static str,
    name: String,
}

/// Everything about a reading. `try_again` makes the button that tries a suggestion.
pub(super) fn whole(language: Language, text: &str, reading: &Reading, try_again: &dyn Fn(&str) -> Markup) -> Markup {
    let words = &texts(language).reading;
    html! {
        @match reading {
            Reading::Order(Command::Payment(order)) => {
                p.big.good { (words.order) }
                (marked(text, &parts(words, reading)))
                (payment(language, order))
                p { (words.order_next) }
            }
            Reading::Order(Command::Cancel(command)) => {
                p.big.good { (words.cancel) }
                (marked(text, &parts(words, reading)))
                (cancel(words, command))
                p { (words.cancel_next) }
            }
            Reading::Reply(reply) => {
                p.big.good { (words.reply) }
                (answer(words, reply))
            }
            Reading::Rejected(rejection) => {
                p.big.bad { (words.rejected) }
                (marked(text, &parts(words, reading)))
                (near_miss(language, text, rejection, try_again))
            }
            Reading::None(silence) => {
                p.big { (words.silence) }
                p { (silence_text(words, *silence)) }
            }
        }
        p.hint { (fill(&words.rule_section, &[("section", reading.decision().section)])) }
    }
}

/// The parts of a text that a reading names.
pub(super) fn parts(words: &Words, reading: &Reading) -> Vec<Part> {
    let part = |span, class, name: &str| Part { span, class, name: name.to_owned() };
    match reading {
        Reading::Order(Command::Payment(order)) => {
            let recipients = order.recipients.iter().map(|recipient| part(recipient.span, "part-recipient", &words.recipient));
            let first = [part(order.verb.span, "part-verb", &words.verb), part(order.amount_span, "part-amount", &words.amount)];
            first.into_iter().chain(recipients).collect()
        }
        Reading::Order(Command::Cancel(command)) => vec![part(command.verb.span, "part-verb", &words.verb)],
        Reading::Rejected(rejection) => vec![part(rejection.span, "part-fault", &words.fault)],
        Reading::Reply(_) | Reading::None(_) => Vec::new(),
    }
}

/// The text with its parts marked. A part that cannot be seen is shown by its code points.
pub(super) fn marked(text: &str, parts: &[Part]) -> Markup {
    let mut sorted: Vec<&Part> = parts.iter().collect();
    sorted.sort_by_key(|part| part.span);
    let mut at = 0;
    let mut pieces: Vec<(&str, Option<&Part>)> = Vec::new();
    for part in sorted {
        // One hashtag may stand for two things; the first is drawn.
        if part.span.start < at {
            continue;
        }
        pieces.push((text.get(at..part.span.start).unwrap_or_default(), None));
        pieces.push((part.span.of(text), Some(part)));
        at = part.span.end;
    }
    pieces.push((text.get(at..).unwrap_or_default(), None));
    html! {
        p.reading dir="auto" {
            @for (piece, part) in pieces {
                @match part {
                    None => { (piece) }
                    Some(part) => {
                        mark class=(part.class) { span.unseen { "[" (part.name) ": " } (visible(piece)) span.unseen { "]" } }
                    }
                }
            }
        }
    }
}

/// A text as it is, or its code points if there is nothing to see.
pub(super) fn visible(piece: &str) -> String {
    let hidden = !piece.is_empty() && piece.chars().all(is_hidden);
    match hidden {
        true => piece.chars().map(|c| format!("U+{:04X}", u32::from(c))).collect::<Vec<_>>().join(" "),
        false => piece.to_owned(),
    }
}

/// What section 7, 1 calls unsafe, and direction marks: nothing is drawn for them.
fn is_hidden(c: char) -> bool {
    let format = matches!(
        u32::from(c),
        0xAD | 0x34F | 0x61C | 0x180E | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF | 0xFFF9..=0xFFFB
    );
    format || (c.is_control() && !c.is_whitespace())
}

fn payment(language: Language, order: &PaymentCommand) -> Markup {
    let words = &texts(language).reading;
    let share = match order.kind {
        Kind::Request => &words.share_from,
        Kind::Send | Kind::Give => &words.share_to,
    };
    let (whole, total) = (amount(language, order.amount), amount(language, order.total));
    html! {
        dl.facts.parts {
            dt { (words.kind) } dd { (kind_text(words, order.kind)) }
            dt { (words.amount) } dd.big { (whole) }
            @for recipient in &order.recipients {
                dt { (words.recipient) }
                dd {
                    (fill(share, &[("share", &amount(language, recipient.share)), ("handle", &format!("@{}", recipient.handle))]))
                    @if let Some(tag) = &recipient.campaign { " (" (fill(&words.through, &[("tag", tag)])) ")" }
                }
            }
            @if let Some(split) = order.split {
                dt { (words.shares) }
                dd {
                    @match split {
                        Split::Total => { (fill(&words.split_total, &[("total", &total)])) }
                        Split::Each => { (fill(&words.split_each, &[("amount", &whole), ("total", &total)])) }
                    }
                }
            }
            (tags(words, &order.campaigns, &order.hashtags))
            @if let Some(memo) = &order.memo { dt { (words.memo) } dd dir="auto" { (memo) } }
            @if !order.flags.is_empty() {
                dt { (words.wishes) }
                dd { @for (place, flag) in order.flags.iter().enumerate() { @if place > 0 { ", " } (flag_text(words, *flag)) } }
            }
            @if order.addressed == Addressed::ByCampaign { dt { (words.addressed) } dd { (words.addressed_campaign) } }
            dt { (words.rule) } dd { (rule_text(words, order.chosen_by)) }
        }
    }
}

fn cancel(words: &Words, command: &CancelCommand) -> Markup {
    html! {
        dl.facts.parts {
            dt { (words.kind) } dd { (words.kind_cancel) }
            (tags(words, &command.campaigns, &command.hashtags))
        }
    }
}

fn tags(words: &Words, campaigns: &[String], hashtags: &[String]) -> Markup {
    html! {
        @for (name, list) in [(&words.campaigns, campaigns), (&words.hashtags, hashtags)] {
            @if !list.is_empty() { dt { (name) } dd { @for tag in list { "#" (tag) " " } } }
        }
    }
}

fn answer(words: &Words, reply: &Reply) -> Markup {
    html! {
        dl.facts.parts {
            dt { (words.action) } dd { (action_text(words, reply.action)) }
            @if let Some(code) = &reply.reference { dt { (words.code) } dd { (code) } }
        }
    }
}

fn near_miss(language: Language, text: &str, rejection: &Rejection, try_again: &dyn Fn(&str) -> Markup) -> Markup {
    let words = &texts(language).reading;
    html! {
        p { strong { (explained(language, rejection.code.as_str(), &visible(rejection.span.of(text)))) } }
        p { (words.todo) " " (advice(&texts(language).advice, rejection.code)) }
        (suggestions(words, &rejection.suggestions, try_again))
        p.hint { a href={ "/language#" (rejection.code) } { (rejection.code) } }
    }
}

/// The posts that would have worked, each with its buttons.
fn suggestions(words: &Words, suggestions: &[String], try_again: &dyn Fn(&str) -> Markup) -> Markup {
    html! {
        @if !suggestions.is_empty() {
            p { @if suggestions.len() == 1 { (words.would_work) } @else { (words.one_would_work) } }
            @for (place, suggestion) in suggestions.iter().enumerate() {
                @let id = format!("suggestion-{place}");
                div.post {
                    output id=(id) dir="auto" { (suggestion) }
                    div.row {
                        button type="button" data-copy=(id) { (words.copy) }
                        (try_again(suggestion))
                    }
                }
            }
        }
    }
}

fn kind_text(words: &Words, kind: Kind) -> &str {
    match kind {
        Kind::Send => &words.kind_send,
        Kind::Give => &words.kind_give,
        Kind::Request => &words.kind_request,
    }
}

fn flag_text(words: &Words, flag: Flag) -> &str {
    match flag {
        Flag::Anonymous => &words.flag_anonymous,
        Flag::Receipt => &words.flag_receipt,
    }
}

fn rule_text(words: &Words, rule: RecipientRule) -> &str {
    match rule {
        RecipientRule::Introduced => &words.rule_introduced,
        RecipientRule::AfterAmount => &words.rule_after_amount,
        RecipientRule::BeforeAmount => &words.rule_before_amount,
        RecipientRule::Campaign => &words.rule_campaign,
        RecipientRule::OnlyMention => &words.rule_only_mention,
    }
}

fn silence_text(words: &Words, silence: Silence) -> &str {
    match silence {
        Silence::Repost => &words.silence_repost,
        Silence::OwnPost => &words.silence_own_post,
        Silence::TooLong => &words.silence_too_long,
        Silence::NotConcerned => &words.silence_not_concerned,
        Silence::Example => &words.silence_example,
        Silence::Negated => &words.silence_negated,
        Silence::NotAddressed => &words.silence_not_addressed,
        Silence::Talk => &words.silence_talk,
        Silence::Empty => &words.silence_empty,
    }
}

/// What a private reply asks for.
pub(super) fn action_text(words: &Words, action: Action) -> &str {
    match action {
        Action::Confirm => &words.action_confirm,
        Action::Refuse => &words.action_refuse,
        Action::Stop => &words.action_stop,
        Action::Start => &words.action_start,
        Action::Balance => &words.action_balance,
        Action::History => &words.action_history,
        Action::Help => &words.action_help,
        Action::Limits => &words.action_limits,
        Action::Refund => &words.action_refund,
        Action::Erase => &words.action_erase,
        Action::Export => &words.action_export,
        Action::Status => &words.action_status,
        Action::Human => &words.action_human,
    }
}

/// A reading in one line: sum and recipients, an action, or what is wrong.
pub(super) fn in_short(language: Language, text: &str, reading: &Reading) -> String {
    let words = &texts(language).reading;
    match reading {
        Reading::Order(Command::Payment(order)) => {
            let share = if order.kind == Kind::Request { &words.share_from } else { &words.share_to };
            let handles: Vec<String> = order.recipients.iter().map(|recipient| format!("@{}", recipient.handle)).collect();
            let sum = fill(share, &[("share", &amount(language, order.total)), ("handle", &handles.join(", "))]);
            format!("{} {sum}", kind_text(words, order.kind))
        }
        Reading::Order(Command::Cancel(_)) => words.kind_cancel.clone(),
        Reading::Reply(reply) => action_text(words, reply.action).to_owned(),
        Reading::Rejected(rejection) => explained(language, rejection.code.as_str(), &visible(rejection.span.of(text))),
        Reading::None(silence) => silence_text(words, *silence).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ground;
    use super::*;
    use crate::language::{Channel, read};

    fn page(text: &str) -> String {
        let ground = Ground::of_examples();
        let reading = read(text, &ground.context(Channel::Post));
        whole(Language::En, text, &reading, &|suggestion| html! { "TRY " (suggestion) }).into_string()
    }

    #[test]
    fn the_parts_of_an_order_are_marked_and_named() {
        let order = page("@obole #donner 10€ @bob & merci <b>");
        for part in [
            r#"<mark class="part-verb"><span class="unseen">[verb: </span>#donner<span class="unseen">]</span></mark>"#,
            r#"<mark class="part-amount"><span class="unseen">[amount: </span>10€<span"#,
            r#"[recipient: </span>@bob<span"#,
            "€10.00 to @bob",
            "&amp; merci &lt;b&gt;",
        ] {
            assert!(order.contains(part), "{part} is missing in {order}");
        }
        assert!(!order.contains("<b>"), "a text is text");
    }

    #[test]
    fn a_campaign_that_is_recipient_is_marked_once() {
        let order = page("#donner 10€ #telethon");
        assert_eq!(order.matches("<mark").count(), 3, "{order}");
        assert!(order.contains("through the campaign #telethon"), "{order}");
    }

    #[test]
    fn what_cannot_be_seen_is_named() {
        let hidden = page("@obole #send 2\u{200b}0€ @bob");
        assert!(hidden.contains(">U+200B<") && hidden.contains("TRY @obole #send 20€ @bob"), "{hidden}");
    }
}
