//! What an operator reads: tables and a page of plain text.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::app::operate::{Dossier, HistoryLine, Matter, Talk};
use crate::app::reconcile::{BankPart, DaySum, Reconciliation};
use crate::clock::Timestamp;

/// As wide as a terminal that people use beside another.
const WIDTH: u16 = 140;

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH).set_header(header);
    table
}

/// To the second; nobody acts by the microsecond.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// What waits.
pub(super) fn matters(matters: &[Matter]) -> String {
    if matters.is_empty() {
        return "Nothing waits for an operator.".to_owned();
    }
    let mut table = table(&["what", "since", "it says, and what can be done (obole operator …)"]);
    for matter in matters {
        let mut says = match matter.payment {
            Some(payment) => format!("payment {payment}: {}", matter.what),
            None => matter.what.clone(),
        };
        for can in &matter.can {
            says.push_str("\n→ ");
            says.push_str(can);
        }
        table.add_row([matter.kind.name().to_owned(), matter.since.map(moment).unwrap_or_default(), says]);
    }
    table.to_string()
}

/// Everything about an order.
pub(super) fn dossier(dossier: &Dossier) -> String {
    let Dossier { order, version, state, about, kind, created_at, source, total, receipt, .. } = dossier;
    let mut text = format!(
        "order     {order}, version {version}\nstate     {}, {about}\nasked     {kind} {total}, {}, receipt {receipt}\nfrom      {source}",
        state.replace('_', " "),
        moment(*created_at),
    );
    let mut line = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("\n{name:<10}{value}"));
        }
    };
    line("post", &dossier.url);
    line("campaign", &dossier.campaign);
    line("payer", &dossier.payer);
    let mut payments = table(&["payment", "to", "amount", "state", "key (EndToEndId)"]);
    for payment in &dossier.payments {
        let state = if payment.about.is_empty() { payment.state.clone() } else { format!("{}\n{}", payment.state, payment.about) };
        payments.add_row([
            payment.payment.to_string(),
            format!("{}\n{}", payment.payee, payment.account),
            payment.amount.clone(),
            state.replace('_', " "),
            payment.key.clone(),
        ]);
    }
    let mut history = table(&["", "when", "what happened", "then"]);
    for line in &dossier.history {
        history.add_row([line.version.to_string(), moment(line.at), line.event.replace('_', " "), afterwards(line)]);
    }
    text.push_str(&format!("\n\n{payments}\n\n{history}"));
    if !dossier.effects.is_empty() {
        let mut effects = table(&["since", "to be done", "where", "stands"]);
        for effect in &dossier.effects {
            let due = effect.due_at.map(|due| format!(", due {}", moment(due))).unwrap_or_default();
            let result = effect.result.as_ref().map(|result| format!(": {result}")).unwrap_or_default();
            let stands = format!("{}{due} ({} tries){result}", effect.state, effect.attempts);
            effects.add_row([moment(effect.created_at), effect.what.clone(), effect.lane.clone(), stands]);
        }
        text.push_str(&format!("\n\n{effects}"));
    }
    for reserved in &dossier.reservations {
        let free = reserved.released_at.map(|at| format!(", free again {}", moment(at))).unwrap_or_default();
        let at = moment(reserved.reserved_at);
        text.push_str(&format!("\nreserved  {} minor units for {}, {at}{free}", reserved.amount_minor, reserved.key));
    }
    text
}

/// What somebody who asked for a person has written, and what they were answered.
pub(super) fn talk(talk: &Talk) -> String {
    let Talk { call, is_closed, person, from, lines, orders } = talk;
    let stands = if *is_closed { "closed" } else { "open" };
    let from = from.as_ref().map(|from| format!("\nfrom      {from}")).unwrap_or_default();
    let mut text = format!("call      {call}, {stands}\nperson    {person}{from}");
    for order in orders {
        text.push_str(&format!("\norder     {order}"));
    }
    let mut said = table(&["when", "who", "wrote"]);
    for line in lines {
        let who = line.operator.clone().unwrap_or_else(|| "the person".to_owned());
        said.add_row([moment(line.at), who, line.said.clone()]);
    }
    if !lines.is_empty() {
        text.push_str(&format!("\n\n{said}"));
    }
    text
}

/// A line of history: states, what follows, and who made it happen.
fn afterwards(line: &HistoryLine) -> String {
    let word = |key: &str| line.detail[key].as_str().unwrap_or_default().replace('_', " ");
    let list = |key: &str| {
        let words = line.detail[key].as_array().map(|all| all.iter().filter_map(|one| one.as_str()).collect::<Vec<_>>());
        words.unwrap_or_default().join(", ").replace('_', " ")
    };
    let mut text = format!("{} ({})", word("to"), list("payments"));
    if !list("effects").is_empty() {
        text.push_str(&format!("; {}", list("effects")));
    }
    if line.detail["operator"].is_string() {
        text.push_str(&format!("; by {}", line.detail["operator"].as_str().unwrap_or_default()));
    }
    if let Some(note) = line.detail["note"].as_str() {
        text.push_str(&format!(": {note}"));
    }
    text
}

/// What a comparison came to.
pub(super) fn reconciliation(report: &Reconciliation) -> String {
    let mut lines = Vec::new();
    for part in &report.banks {
        let BankPart { bank, accounts_read, accounts_not_read, by_entries, by_status, waiting, .. } = part;
        lines.push(if part.has_entries {
            format!(
                "{bank}: entries of {accounts_read} accounts read, {accounts_not_read} not to be read now; {by_entries} payments compared, \
                 {by_status} by status; {waiting} entries may still come"
            )
        } else {
            format!("{bank}: compared by status, since this rail has no entries; {by_status} payments asked for once more")
        });
    }
    if report.banks.is_empty() {
        lines.push("No bank is connected here, so there is nothing to compare with.".to_owned());
    }
    if !report.days.is_empty() {
        let mut days = table(&["bank", "payee", "day", "payments", "settled (minor)", "booked (minor)"]);
        for DaySum { bank, payee, day, payments, settled_minor, booked_minor } in &report.days {
            let mark = if settled_minor == booked_minor { "" } else { " ≠" };
            days.add_row([
                bank.clone(),
                payee.clone(),
                day.to_string(),
                payments.to_string(),
                settled_minor.to_string(),
                format!("{booked_minor}{mark}"),
            ]);
        }
        for column in 3..=5 {
            if let Some(column) = days.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        lines.push(days.to_string());
    }
    lines.extend(report.learned.iter().map(|what| format!("learned: {what}")));
    for found in &report.differences {
        let before = if found.is_new { "" } else { " (said before)" };
        lines.push(format!("DIFFERENCE{before}: payment {} of order {}: {}", found.payment, found.order, found.what));
    }
    if report.differences.is_empty() {
        lines.push("No difference.".to_owned());
    }
    lines.join("\n")
}
