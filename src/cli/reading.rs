//! A reading for people: the text with its parts underlined, each part in words, what would have worked, and the rule that decided.

use std::io::IsTerminal as _;

use clap::Args;
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report, Severity};

use crate::language::{self, Addressed, Campaigns, Channel, Code, Command, Context, PaymentCommand, Platform, Reading, Rejection};
use crate::language::{CancelCommand, Silence, Span, Split};
use crate::money::Currency;
use crate::terminal::{say, width};

/// What is known about a text beside its words.
#[derive(Debug, Args)]
pub(super) struct ContextArgs {
    /// Read it as a private message
    #[arg(long)]
    dm: bool,
    /// Whose handles are written: x, mastodon, bluesky or nostr
    #[arg(long, value_name = "NAME", default_value = "x", value_parser = platform)]
    platform: Platform,
    /// The processor's handle
    #[arg(long, value_name = "HANDLE", default_value = "obole")]
    bot: String,
    /// The author's handle
    #[arg(long, value_name = "HANDLE")]
    author: Option<String>,
    /// A registered campaign and its charity's handle; may be repeated
    #[arg(long, value_name = "TAG=HANDLE", value_parser = campaign)]
    campaign: Vec<(String, Option<String>)>,
}

fn platform(name: &str) -> Result<Platform, String> {
    let known = Platform::ALL.map(Platform::as_str);
    Platform::named(name).ok_or_else(|| format!("not one of {}", known.join(", ")))
}

fn campaign(pair: &str) -> Result<(String, Option<String>), String> {
    let (tag, handle) = pair.split_once('=').ok_or_else(|| "not TAG=HANDLE".to_owned())?;
    let handle = Some(handle.trim_start_matches('@')).filter(|handle| !handle.is_empty());
    Ok((tag.trim_start_matches('#').to_owned(), handle.map(str::to_owned)))
}

/// Reads a text and says what it is.
pub(super) fn read_for_people(text: &str, args: &ContextArgs, explain: bool) {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let campaigns: Campaigns = args.campaign.iter().map(|(tag, handle)| (tag.as_str(), handle.as_deref())).collect();
    let context = Context {
        channel: if args.dm { Channel::Dm } else { Channel::Post },
        platform: args.platform,
        bot: args.bot.trim_start_matches('@'),
        author: args.author.as_deref().map(|author| author.trim_start_matches('@')),
        is_repost: false,
        campaigns: &campaigns,
        currency: Currency::EUR,
    };
    say(&report(text, &language::read(text, &context), explain));
}

/// What a reading is, whole.
fn report(text: &str, reading: &Reading, explain: bool) -> String {
    let mut told = match reading {
        Reading::None(silence) => silent(*silence),
        Reading::Reply(reply) => {
            let code = reply.reference.as_deref().map(|code| format!(", code {code}")).unwrap_or_default();
            format!("A private reply: {}{code}", reply.action.as_str())
        }
        Reading::Rejected(rejection) => rejected(text, rejection),
        Reading::Order(Command::Cancel(command)) => cancels(text, command),
        Reading::Order(Command::Payment(order)) => pays(text, order),
    };
    if explain {
        let decision = reading.decision();
        told.push_str(&format!("\n  decided by: order language, section {}: {}", decision.section, decision.meaning));
    }
    told
}

fn silent(silence: Silence) -> String {
    format!("Not an order: Obole says nothing ({}).", silence.meaning())
}

fn rejected(text: &str, rejection: &Rejection) -> String {
    let mut label = rejection.code.meaning().to_owned();
    if rejection.code == Code::TextUnsafe {
        let characters = rejection.span.of(text).chars().map(|c| format!(" U+{:04X}", u32::from(c)));
        label.extend(characters);
    }
    let diagnostic = MietteDiagnostic::new(format!("Nearly an order: {}", rejection.code.meaning()))
        .with_code(rejection.code.as_str())
        .with_severity(Severity::Warning)
        .with_label(labelled(rejection.span, label));
    let mut told = drawn(text, diagnostic);
    if !rejection.suggestions.is_empty() {
        told.push_str(if rejection.suggestions.len() == 1 { "\n  this would work:" } else { "\n  one of these would work:" });
    }
    for suggestion in &rejection.suggestions {
        // To copy: never broken into lines.
        told.push_str(&format!("\n    {}", printable(suggestion)));
    }
    told
}

fn cancels(text: &str, command: &CancelCommand) -> String {
    let title = "An order to cancel: the order replied to, else every open order of the author";
    let diagnostic =
        MietteDiagnostic::new(title).with_severity(Severity::Advice).with_label(labelled(command.verb.span, "verb: cancel"));
    let mut told = drawn(text, diagnostic);
    add_lists(&mut told, &command.campaigns, &command.hashtags);
    told
}

fn pays(text: &str, order: &PaymentCommand) -> String {
    let mut labels = vec![
        labelled(order.verb.span, format!("verb: {}", order.kind.as_str())),
        labelled(order.amount_span, format!("amount: {}", order.amount)),
    ];
    for recipient in &order.recipients {
        let through = recipient.campaign.as_ref().map(|tag| format!(" (campaign {tag})")).unwrap_or_default();
        labels.push(labelled(recipient.span, format!("recipient: {}{through}", recipient.handle)));
    }
    let title = format!("An order: {} {}", order.kind.as_str(), order.total);
    let mut told = drawn(text, MietteDiagnostic::new(title).with_severity(Severity::Advice).with_labels(labels));
    for recipient in &order.recipients {
        told.push_str(&format!("\n  {:>14} to {}", recipient.share.to_string(), recipient.handle));
    }
    match order.split {
        Some(Split::Each) => told.push_str(&format!("\n  each of them {}", order.amount)),
        Some(Split::Total) => told.push_str(&format!("\n  {} shared by all", order.total)),
        None => {}
    }
    add_lists(&mut told, &order.campaigns, &order.hashtags);
    if let Some(memo) = &order.memo {
        told.push_str(&format!("\n  memo: {}", printable(memo)));
    }
    for flag in &order.flags {
        told.push_str(&format!("\n  wish: {}", flag.as_str()));
    }
    match order.addressed {
        Addressed::ByName => {}
        Addressed::ByCampaign => told.push_str("\n  addressed by its campaign alone, without the processor's name"),
    }
    told
}

fn add_lists(told: &mut String, campaigns: &[String], hashtags: &[String]) {
    for (name, list) in [("campaigns", campaigns), ("hashtags", hashtags)] {
        if !list.is_empty() {
            told.push_str(&format!("\n  {name}: {}", list.join(", ")));
        }
    }
}

fn labelled(span: Span, label: impl Into<String>) -> LabeledSpan {
    LabeledSpan::new(Some(label.into()), span.start, span.end - span.start)
}

fn drawn(text: &str, diagnostic: MietteDiagnostic) -> String {
    let theme = match std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        true => GraphicalTheme::unicode(),
        false => GraphicalTheme::unicode_nocolor(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(width().into()).with_links(false);
    let report = Report::new(diagnostic).with_source_code(NamedSource::new("text", printable(text)));
    let mut drawn = String::new();
    // Writing into a string does not fail.
    let _ = handler.render_report(&mut drawn, report.as_ref());
    drawn.trim_matches('\n').to_owned()
}

/// The text without what would steer the terminal, byte for byte as long, so that spans stay true.
fn printable(text: &str) -> String {
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars().flat_map(|c| if steers(c) { vec!['?'; c.len_utf8()] } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, dm: bool) -> String {
        let campaigns = Campaigns::from_iter([("telethon", Some("afm"))]);
        let channel = if dm { Channel::Dm } else { Channel::Post };
        let context = Context {
            channel,
            platform: Platform::X,
            bot: "obole",
            author: None,
            is_repost: false,
            campaigns: &campaigns,
            currency: Currency::EUR,
        };
        report(text, &language::read(text, &context), true)
    }

    #[track_caller]
    fn says(told: &str, parts: &[&str]) {
        for part in parts {
            assert!(told.contains(part), "{part:?} is missing in\n{told}");
        }
    }

    #[test]
    fn an_order_is_underlined_and_told_part_by_part() {
        let shared = told("@obole #envoyer 30 € @bob et @carol #resto merci #reçu", false);
        says(&shared, &["An order: send 30.00 EUR", "verb: send", "amount: 30.00 EUR", "recipient: bob", "recipient: carol"]);
        says(&shared, &["15.00 EUR to bob", "30.00 EUR shared by all", "hashtags: resto", "memo: merci", "wish: receipt"]);
        says(&shared, &["@obole #envoyer 30 € @bob et @carol", "section 8, R2 (b): the recipients follow the sum"]);
        let given = told("#donner 10€ #telethon", false);
        says(&given, &["recipient: afm (campaign telethon)", "campaigns: telethon", "by its campaign alone", "section 8, R3"]);
        says(&told("@obole #annuler", false), &["An order to cancel", "verb: cancel", "section 7, 3"]);
    }

    #[test]
    fn a_near_miss_is_underlined_and_corrected() {
        let ambiguous = told("@obole #envoyer 1.000 € @bob", false);
        says(&ambiguous, &["E_AMOUNT_AMBIGUOUS", "a sum that can be read in two ways", "section 5.2–5.4"]);
        says(&ambiguous, &["one of these would work", "@obole #envoyer 1 € @bob", "@obole #envoyer 1000 € @bob"]);
        let hidden = told("@obole #send 2\u{200b}0€ @bob\u{1b}[31m", false);
        says(&hidden, &["U+200B", "@bob?[31m", "@obole #send 20€ @bob[31m"]);
        assert!(!hidden.contains('\u{1b}'), "what steers a terminal is not written to it");
    }

    #[test]
    fn silence_and_replies_name_their_rule() {
        says(&told("good morning", false), &["Obole says nothing", "section 2: neither the bot's name nor a gift to a campaign"]);
        says(&told("I would never #send 10€ to @bob via @obole", false), &["section 6, 2"]);
        says(&told("OUI 482193", true), &["A private reply: confirm, code 482193", "section 12"]);
    }

    #[test]
    fn what_is_printed_is_as_long_as_what_was_read() {
        let text = "a\u{1b}\u{85}\nb\té";
        assert_eq!(printable(text), "a???\nb\té");
        assert_eq!(printable(text).len(), text.len());
    }
}
