//! Whether a name in a post still means whom the directory means: looked at whenever somebody is named.
//!
//! A payee is found by the immutable id that the platform gives with a mention. So a handle that has changed owner leads nowhere by itself;
//! what is left to do is to notice it. A handle of the directory that names another account has been taken over: its payee is frozen until
//! two operators have looked. A handle that is none of the directory's but looks like one is refused, and an operator hears of it once.
//! A payee who only took another handle goes on under the new one, unless that looks like somebody else's.
//!
//! Both conclusions are drawn only where the network itself says whom a mention names. On Bluesky and Nostr it is the author's program that
//! writes the id beside the handle, and an author who lies there must not have a payee frozen or renamed.

use super::desk::Desk;
use super::task::Task;
use crate::ids::{AccountId, PlatformName};
use crate::order::Effect;
use crate::order::state::Rejection;
use crate::people::PayeeIdentity;
use crate::people::likeness::{imitates, name_of};
use crate::platform::Network;
use crate::store::StoreError;

/// Whether the network resolves mentions itself, so that no author can say whom a handle names.
pub(super) fn resolves_mentions(network: Network) -> bool {
    matches!(network, Network::Mastodon | Network::X)
}

/// What is found out about somebody who is named and not in the directory under that id.
pub(super) async fn stranger(
    desk: &mut Desk<'_>,
    (platform, network): (&PlatformName, Network),
    handle: &str,
    account: Option<&AccountId>,
) -> Result<Option<Rejection>, StoreError> {
    for known in desk.tx.known_names(platform).await? {
        if Some(&known.account) == account {
            return Ok(None);
        }
        if known.handle.eq_ignore_ascii_case(handle) && account.is_some() && resolves_mentions(network) {
            let why = format!("the handle {handle} on {platform} names another account than it did");
            desk.tx.freeze_payee(&known.payee, &why, desk.now).await?;
            tracing::error!(payee = known.slug, "a payee's handle has changed owner; the payee is frozen");
            return Ok(Some(Rejection::PayeeFrozen { handle: handle.to_owned() }));
        }
        if imitates(name_of(handle), name_of(&known.handle), known.class) {
            return Ok(Some(Rejection::PayeeLooksLike { handle: handle.to_owned(), like: known.handle }));
        }
    }
    Ok(None)
}

/// Tells an operator about a name that looks like a payee's, once while the call is open.
pub(super) async fn warn_of_likeness(
    desk: &mut Desk<'_>,
    order: &crate::ids::OrderId,
    reason: &Rejection,
) -> Result<(), StoreError> {
    let Rejection::PayeeLooksLike { handle, like } = reason else { return Ok(()) };
    let what = format!("look-alike: somebody was to be paid as {handle}, which looks like the payee {like} and is another account");
    let task = Task::Order { effect: Effect::CallOperator { payment: None, what: what.clone() } };
    let data = serde_json::to_string(&task).unwrap_or_default();
    if !desk.tx.is_called(&data).await? {
        desk.call_operator(order, what);
    }
    Ok(())
}

/// A payee of the directory is named by another handle than the one it was registered with.
pub(super) async fn renamed(desk: &mut Desk<'_>, identity: &PayeeIdentity, handle: &str) -> Result<Option<Rejection>, StoreError> {
    for known in desk.tx.known_names(&identity.platform).await? {
        if known.payee == identity.payee {
            continue;
        }
        if imitates(name_of(handle), name_of(&known.handle), known.class) {
            let why = format!(
                "it goes by {handle} on {} now, which looks like {} of payee:{}",
                identity.platform, known.handle, known.slug
            );
            desk.tx.freeze_payee(&identity.payee, &why, desk.now).await?;
            tracing::error!("a payee has taken a name that looks like another's; it is frozen");
            return Ok(Some(Rejection::PayeeFrozen { handle: handle.to_owned() }));
        }
    }
    desk.tx.rename_identity(&identity.platform, &identity.account, handle).await?;
    Ok(None)
}
