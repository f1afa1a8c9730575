//! One person of the demo: looks at what has happened, and does what their part asks for next.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::part::Part;
use crate::ids::PlatformName;
use crate::order::Order;
use crate::sandbox::person::{Enrolled, Message, Person};
use crate::sandbox::whole::{TOWN, Whole};

/// Nobody is waited for longer than this for one thing.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often somebody looks whether something has happened.
const GLANCE: Duration = Duration::from_millis(60);

/// What everybody brings along, in euros: enough for one order of the demo.
const OPENING: &str = "100.00";

pub(super) struct Actor<'a> {
    whole: &'a Whole,
    obole_url: &'a str,
    number: u32,
    part: Part,
    platform: PlatformName,
}

impl<'a> Actor<'a> {
    pub(super) fn new(whole: &'a Whole, obole_url: &'a str, number: u32, part: Part) -> Self {
        Actor { whole, obole_url, number, part, platform: PlatformName::from(TOWN) }
    }

    /// Plays the part to its end. Gives whether the post became an order.
    pub(super) async fn act(&self) -> anyhow::Result<bool> {
        let name = format!("person{}", self.number);
        let person = Person::sign_up(&self.whole.sandbox, &name, &format!("Person {}", self.number), OPENING).await?;
        if self.part.enrols() {
            self.enrol(&person).await.context("enrolling")?;
        }
        let post = match person.post_once(&format!("demo-{name}"), &self.part.post(self.number)).await {
            Ok(post) => post,
            // A run that was killed after the post was deleted: it had become an order before, and the key of a post that is gone
            // makes no other.
            Err(error) if self.part == Part::Deletes && error.to_string().contains("404") => return Ok(true),
            Err(error) => return Err(error.context("posting")),
        };
        if !self.part.makes_an_order() {
            let answered = |message: &Message| message.is_private && message.text.contains("#");
            person.wait_for_dm(answered, PATIENCE).await?.context("nobody said what would have worked")?;
            return Ok(false);
        }
        let native_id = post.id.to_string();
        match self.part {
            Part::Deletes if self.is_awaited(&native_id).await? => {
                person.delete(post.id).await.context("deleting")?;
            }
            Part::Edits if self.is_awaited(&native_id).await? => {
                person.edit(post.id, "@obole #donner 29 € @croixrouge #telethon").await.context("editing")?;
            }
            Part::Cancels if self.is_awaited(&native_id).await? => {
                person.write_to("obole", "#annuler").await.context("cancelling")?;
            }
            _ => {}
        }
        self.answer_until_decided(&person, &native_id).await?;
        Ok(true)
    }

    async fn enrol(&self, person: &Person) -> anyhow::Result<()> {
        if self.whole.app.is_linked(&self.platform, person.account()).await? {
            return Ok(());
        }
        let language = if self.part == Part::PaysAPerson { "en" } else { "fr" };
        match person.enrol(self.obole_url, language, &format!("pomme {}", self.number)).await? {
            Enrolled::Linked => Ok(()),
            // A run that was killed right after the link was made.
            Enrolled::Abandoned(_) if self.whole.app.is_linked(&self.platform, person.account()).await? => Ok(()),
            Enrolled::Abandoned(why) => bail!("the enrolment ended as {why}"),
        }
    }

    /// The order that the post made, once there is one.
    async fn order(&self, native_id: &str) -> anyhow::Result<Order> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(order) = self.whole.app.order_of_post(&self.platform, native_id).await? {
                return Ok(order);
            }
            if Instant::now() > end {
                bail!("the post {native_id} did not become an order");
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn is_awaited(&self, native_id: &str) -> anyhow::Result<bool> {
        Ok(self.order(native_id).await?.state.name() == "awaiting_confirmation")
    }

    /// Answers the private message as the part wants it, until the order is past being answered.
    async fn answer_until_decided(&self, person: &Person, native_id: &str) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        let mut answered = false;
        loop {
            let order = self.order(native_id).await?;
            let is_late = self.part == Part::IsLate && order.state.name() == "expired";
            let is_done = !order.state.is_open() && (answered || !is_late);
            if is_done {
                return Ok(());
            }
            if !answered && (is_late || order.state.name() == "awaiting_confirmation") {
                answered = self.answer(person, is_late).await?;
            }
            if Instant::now() > end {
                bail!("the order stayed {}", order.state.name());
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn answer(&self, person: &Person, is_late: bool) -> anyhow::Result<bool> {
        let says_something = match self.part {
            Part::IsSilent | Part::Deletes | Part::Edits | Part::Cancels | Part::IsAStranger => false,
            Part::IsLate => is_late,
            _ => true,
        };
        if !says_something {
            return Ok(true);
        }
        let messages = person.direct_messages().await?;
        let Some((message, code)) = messages.iter().rev().find_map(|message| Some((message, code_in(&message.text)?))) else {
            return Ok(false);
        };
        // Whoever was killed between answering and hearing the outcome answers again; a code counts once.
        if self.part == Part::Mistypes {
            let wrong = if code == "000000" { "000001" } else { "000000" };
            person.answer(message, &format!("@obole OUI {wrong}")).await?;
        }
        let answer = match self.part {
            Part::SaysNo => "@obole NON".to_owned(),
            Part::PaysAPerson => format!("@obole YES {code}"),
            _ => format!("@obole OUI {code}"),
        };
        person.answer(message, &answer).await.context("answering")?;
        Ok(true)
    }
}

/// The six digits that a confirmation asks to be sent back.
fn code_in(text: &str) -> Option<String> {
    let after = ["OUI ", "YES "].iter().find_map(|word| text.find(word).map(|at| at + word.len()))?;
    let code: String = text[after..].chars().take_while(char::is_ascii_digit).collect();
    (code.len() == 6).then_some(code)
}
