//! Which order a bank speaks of when it names a payment by our key.

use super::StoreError;
use super::engine::{Tx, args, sql};
use crate::ids::{OrderId, PaymentKey};

impl Tx {
    /// The order that holds the payment of this key.
    pub(crate) async fn order_of_key(&mut self, key: &PaymentKey) -> Result<Option<OrderId>, StoreError> {
        let statement = sql!("SELECT order_id FROM payments WHERE key = $1");
        let rows = self.rows(statement, args![key.as_str()]).await?;
        rows.first().map(|row| row.parsed("order_id")).transpose()
    }
}
