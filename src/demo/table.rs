//! The end of the demo: how many orders ended how, and whether the bank's sum is ours.

use std::time::Duration;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use serde_json::json;

use crate::money::{Currency, Money};
use crate::sandbox::whole::Whole;
use crate::terminal::say;

/// What the demo came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Summary {
    orders: u32,
    states: Vec<(String, i64)>,
    bank: Money,
    settled: Money,
    took: Duration,
}

/// Asks Obole and the bank.
pub(super) async fn sum_up(whole: &Whole, orders: u32, explained: u32, took: Duration) -> anyhow::Result<Summary> {
    let mut states: Vec<(String, i64)> =
        whole.app.standings().await?.into_iter().map(|count| (count.standing, count.orders)).collect();
    if explained > 0 {
        states.push(("not_an_order_and_explained".to_owned(), explained.into()));
    }
    let settled = whole.app.settled_total(Currency::EUR).await?;
    let bank = whole.sandbox.settled_at_bank().await?;
    Ok(Summary { orders, states, bank, settled, took })
}

impl Summary {
    pub(super) fn is_equal(&self) -> bool {
        self.bank == self.settled
    }

    pub(super) fn print(&self, as_json: bool) {
        if as_json {
            let states: serde_json::Map<String, serde_json::Value> =
                self.states.iter().map(|(state, count)| (state.clone(), (*count).into())).collect();
            let line = json!({
                "orders": self.orders, "states": states, "bank_minor": self.bank.minor, "settled_minor": self.settled.minor,
            });
            say(&line.to_string());
            return;
        }
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY).set_header(["orders that ended as", "how many"]);
        for (state, count) in &self.states {
            table.add_row([state.replace('_', " "), count.to_string()]);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let verdict = if self.is_equal() { "equal" } else { "NOT EQUAL" };
        say(&format!(
            "{table}\n\nat the bank     {:>14}\nsettled orders  {:>14}   {verdict}\ntime taken      {:>12.1} s",
            self.bank.to_string(),
            self.settled.to_string(),
            self.took.as_secs_f64(),
        ));
    }
}
