//! What a bank's books must never say, on demand: a booking that is gone, that is there twice, or over another amount.
//!
//! The bank itself behaves; these verbs are for whoever has to show that somebody notices.

use super::book::{Book, Change};
use super::payment::PaymentId;
use super::rules::Refusal;
use super::{FakeBank, Movement};
use crate::money::Money;

impl FakeBank {
    /// Takes the booking of a payment out of both statements, as if it had never been.
    pub fn unbook(&self, id: &PaymentId) -> Result<(), Refusal> {
        self.decide(|desk| booked(desk.book, id).map(|_| ((), vec![Change::Unbooked { payment: id.clone() }])))
    }

    /// Books a payment a second time.
    pub fn book_twice(&self, id: &PaymentId) -> Result<(), Refusal> {
        self.decide(|desk| booked(desk.book, id).map(|movement| ((), vec![Change::Booked(movement)])))
    }

    /// Books a payment over another amount than it was carried out for.
    pub fn book_otherwise(&self, id: &PaymentId, amount: Money) -> Result<(), Refusal> {
        self.decide(|desk| {
            let movement = Movement { amount, ..booked(desk.book, id)? };
            Ok(((), vec![Change::Unbooked { payment: id.clone() }, Change::Booked(movement)]))
        })
    }

    /// Books a payment that was rejected, as if it had been carried out.
    pub fn book_rejected(&self, id: &PaymentId) -> Result<(), Refusal> {
        self.decide(|desk| {
            let payment = desk.book.payment(id).ok_or(Refusal::UnknownPayment)?;
            Ok(((), vec![Change::Booked(desk.transfer(id, &payment.instruction))]))
        })
    }
}

fn booked(book: &Book, id: &PaymentId) -> Result<Movement, Refusal> {
    book.booking_of(id).cloned().ok_or(Refusal::UnknownPayment)
}
