//! The books: what the bank has carried out, held against every order that was made.

use std::collections::HashMap;

use anyhow::Context as _;

use super::payers::Played;
use super::stage::Stage;
use crate::app::App;
use crate::bank::fake::Status;
use crate::clock::Timestamp;
use crate::ids::PlatformName;
use crate::order::PaymentState;
use crate::sandbox::whole::TOWN;

/// How many orders are read at one time.
const ORDERS: usize = 500;

/// What the comparison found.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// Payments of settled orders.
    pub(crate) settled: usize,
    /// What they come to, in cents.
    pub(crate) settled_minor: i64,
    /// What the bank has carried out for them, in cents.
    pub(crate) at_bank_minor: i64,
    /// Orders that the bank has carried out more than once.
    pub(crate) doubled: usize,
    /// Posts that did not become a settled order, and settled orders that the bank has not carried out.
    pub(crate) lost: usize,
    /// When the bank took each payment, by the post's id in the town.
    pub(crate) taken: HashMap<String, Timestamp>,
}

impl Books {
    /// Adds the books of other orders.
    pub(crate) fn add(&mut self, other: Books) {
        self.settled += other.settled;
        self.settled_minor += other.settled_minor;
        self.at_bank_minor += other.at_bank_minor;
        self.doubled += other.doubled;
        self.lost += other.lost;
        self.taken.extend(other.taken);
    }

    /// Whether nothing is doubled, nothing lost, and the sums are equal.
    pub(crate) fn are_equal(&self) -> bool {
        self.doubled == 0 && self.lost == 0 && self.settled_minor == self.at_bank_minor
    }
}

/// Compares every order that was played with the bank's books.
pub(crate) async fn compare(stage: &Stage, app: &App, played: &Played) -> anyhow::Result<Books> {
    let platform = PlatformName::from(TOWN);
    let mut books = Books::default();
    for some in played.orders.chunks(ORDERS) {
        let posts: Vec<String> = some.iter().map(|(post, _)| post.to_string()).collect();
        let posts: Vec<&str> = posts.iter().map(String::as_str).collect();
        let orders = app.orders_of_posts(&platform, &posts).await?;
        books.lost += posts.len().saturating_sub(orders.len());
        for order in orders {
            for payment in &order.payments {
                let found = stage.bank.payments_with(payment.key.as_str()).context("the bank's books")?;
                let done = found.iter().filter(|found| found.status == Status::Acsc && !found.returned);
                books.at_bank_minor += done.clone().map(|found| found.instruction.amount.minor).sum::<i64>();
                books.doubled += usize::from(found.len() > 1);
                if matches!(payment.state, PaymentState::Settled { .. }) {
                    books.settled += 1;
                    books.settled_minor += payment.amount.minor;
                    books.lost += usize::from(done.count() == 0);
                } else {
                    books.lost += 1;
                }
                if let Some(first) = found.first() {
                    books.taken.insert(order.source.native_id.clone(), first.received_at);
                }
            }
        }
    }
    Ok(books)
}
