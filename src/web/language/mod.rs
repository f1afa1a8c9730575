//! The order language on pages: what it is ([`guide`]), and what Obole would make of a text ([`trial`]).
//!
//! Both are made from the language itself: words, currencies and codes from its tables, and every example is read while the page is
//! made, so that neither can go out of date. Nothing that somebody tries is kept: texts come in the body of a request, never in an
//! address that ends up in a log, and no answer is stored.

mod advice;
pub(crate) mod guide;
mod reading;
pub(crate) mod trial;

use crate::app::App;
use crate::app::intake::language_platform;
use crate::app::view;
use crate::ids::PlatformName;
use crate::language::{Campaigns, Channel, Context, Platform};
use crate::money::Currency;
use crate::store::StoreError;

/// What the processor is called where nothing is connected, and in the language's own examples.
const NAME: &str = "obole";

/// What an installation knows about one network: its own name there, and the campaigns with their charities' handles.
pub(super) struct Ground {
    platform: Platform,
    bot: String,
    tags: Vec<(String, Option<String>)>,
    campaigns: Campaigns,
    currency: Currency,
}

impl Ground {
    /// Of a network; a campaign whose payee has no account there is known as a label.
    async fn of(app: &App, network: Platform) -> Result<Ground, StoreError> {
        let connected = names(app).into_iter().find(|name| network_of(app, name) == Some(network));
        let bot = connected.and_then(|name| app.platforms.get(name)).map(|platform| platform.bot().handle.clone());
        // Any name will do to ask for the hashtags alone.
        let tags = match connected.or_else(|| names(app).into_iter().next()) {
            Some(name) => view::campaign_tags(app, name).await?,
            None => Vec::new(),
        };
        let here = |(tag, handle): (String, Option<String>)| (tag, handle.filter(|_| connected.is_some()));
        let tags: Vec<(String, Option<String>)> = tags.into_iter().map(here).collect();
        Ok(Ground {
            platform: network,
            bot: bot.unwrap_or_else(|| NAME.to_owned()),
            campaigns: tags.iter().map(|(tag, handle)| (tag.as_str(), handle.as_deref())).collect(),
            tags,
            currency: app.limits.now().limits.currency,
        })
    }

    /// Of the language's own examples: no installation's.
    fn of_examples() -> Ground {
        Ground {
            platform: Platform::X,
            bot: NAME.to_owned(),
            tags: Vec::new(),
            campaigns: Campaigns::from_iter([("telethon", Some("afm_telethon"))]),
            currency: Currency::EUR,
        }
    }

    /// What people call the processor there: the user name alone will do where the handle has a server.
    fn name(&self) -> &str {
        self.bot.split('@').next().unwrap_or(NAME)
    }

    fn context(&self, channel: Channel) -> Context<'_> {
        Context {
            channel,
            platform: self.platform,
            bot: &self.bot,
            author: None,
            is_repost: false,
            campaigns: &self.campaigns,
            currency: self.currency,
        }
    }
}

/// The networks that this installation is connected to, by name.
fn names(app: &App) -> Vec<&PlatformName> {
    let mut names: Vec<&PlatformName> = app.platforms.keys().collect();
    names.sort();
    names
}

fn network_of(app: &App, name: &PlatformName) -> Option<Platform> {
    app.platforms.get(name).map(|platform| language_platform(platform.network()))
}

/// The network of the first connection; without one, that of the language's own examples.
fn first_network(app: &App) -> Platform {
    names(app).into_iter().find_map(|name| network_of(app, name)).unwrap_or(Platform::X)
}
