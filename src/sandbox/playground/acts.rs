//! What the buttons do. Each act ends with the page again, at the part it was about.

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use serde::Deserialize;

use super::words::texts;
use super::{Play, scene, who};
use crate::sandbox::person::{EnrolmentClient, EnrolmentState, Person};
use crate::sandbox::seed::BOT;
use crate::store::Ground;
use crate::web::shell::{Page, document};
use crate::web::visitor::Visitor;
use crate::web::words::fill;

/// What somebody new has at the bank, in euros.
const OPENING: &str = "100.00";

/// What went wrong: a sentence on a page of its own.
pub(super) struct Trouble(anyhow::Error);

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Trouble(error)
    }
}

type Act = Result<Response, Response>;

fn told(visitor: &Visitor, trouble: &Trouble) -> Response {
    let words = &texts(visitor.language).page;
    let body = html! {
        h1 { (words.title) }
        p.notice role="alert" { (fill(&words.trouble, &[("why", &format!("{:#}", trouble.0))])) }
        p { a.button href="/" { (words.back) } }
    };
    (StatusCode::BAD_GATEWAY, document(&Page::new(visitor, &words.title, Ground::Sandbox), &body)).into_response()
}

/// Runs an act of the person that the browser is; nobody at all begins at the top of the page.
async fn acting<F>(state: &Play, visitor: &Visitor, headers: &HeaderMap, part: &str, act: impl FnOnce(Person) -> F) -> Act
where
    F: Future<Output = Result<Option<String>, Trouble>>,
{
    let person = who::person(state, headers).await.map_err(|error| told(visitor, &Trouble(error)))?;
    let Some(person) = person else { return Ok(Redirect::to("/#who").into_response()) };
    let cookie = act(person).await.map_err(|trouble| told(visitor, &trouble))?;
    let mut response = Redirect::to(part).into_response();
    if let Some(cookie) = cookie {
        who::keep_enrolment(&mut response, &cookie);
    }
    Ok(response)
}

#[derive(Deserialize)]
pub(super) struct Name {
    name: String,
}

/// `POST /play/be`
pub(super) async fn be(Form(form): Form<Name>) -> Response {
    let mut response = Redirect::to("/").into_response();
    if who::is_name(&form.name) {
        who::become_person(&mut response, &form.name);
    }
    response
}

/// `POST /play/leave`
pub(super) async fn leave() -> Response {
    let mut response = Redirect::to("/#who").into_response();
    who::become_person(&mut response, "");
    response
}

/// `POST /play/join`
pub(super) async fn join(State(state): State<Play>, visitor: Visitor, Form(form): Form<Name>) -> Act {
    let shown = form.name.trim();
    let name = shown.to_lowercase();
    let hint = || Trouble(anyhow::anyhow!("{}", texts(visitor.language).who.name_hint));
    if !who::is_name(&name) {
        return Err(told(&visitor, &hint()));
    }
    Person::sign_up(&state.sandbox, &name, shown, OPENING).await.map_err(|error| told(&visitor, &Trouble(error)))?;
    let mut response = Redirect::to("/#who").into_response();
    who::become_person(&mut response, &name);
    Ok(response)
}

fn session(state: &Play, headers: &HeaderMap) -> EnrolmentClient {
    EnrolmentClient::new(&state.sandbox, &state.obole_url, who::enrolment_cookie(headers))
}

#[derive(Deserialize)]
pub(super) struct Phrase {
    phrase: String,
}

/// `POST /play/enrol`
pub(super) async fn enrol(State(state): State<Play>, visitor: Visitor, headers: HeaderMap, Form(form): Form<Phrase>) -> Act {
    acting(&state, &visitor, &headers, "/#who", async |_| {
        let mut session = EnrolmentClient::new(&state.sandbox, &state.obole_url, None);
        session.begin(visitor.language.code(), &form.phrase).await?;
        Ok(session.cookie().map(str::to_owned))
    })
    .await
}

/// `POST /play/consent`: agrees at the bank, as the person, and lets Obole ask it.
pub(super) async fn consent(State(state): State<Play>, visitor: Visitor, headers: HeaderMap) -> Act {
    acting(&state, &visitor, &headers, "/#who", async |person| {
        let mut session = session(&state, &headers);
        if let EnrolmentState { authorise_at: Some(page), .. } = session.state().await? {
            let back = person.approve(&page).await?;
            session.come_back(back).await?;
        }
        Ok(None)
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct Choice {
    iban: String,
}

/// `POST /play/account`
pub(super) async fn account(State(state): State<Play>, visitor: Visitor, headers: HeaderMap, Form(form): Form<Choice>) -> Act {
    acting(&state, &visitor, &headers, "/#who", async |_| {
        session(&state, &headers).choose(&form.iban).await?;
        Ok(None)
    })
    .await
}

/// `POST /play/code`: sends the code by private message, as the person.
pub(super) async fn code(State(state): State<Play>, visitor: Visitor, headers: HeaderMap) -> Act {
    acting(&state, &visitor, &headers, "/#who", async |person| {
        let mut session = session(&state, &headers);
        let Some(code) = session.state().await?.code else { return Ok(None) };
        person.write_to(BOT, &code).await?;
        // It takes a moment; the page that follows then shows what came of it.
        session.state_after("awaiting_code").await?;
        Ok(None)
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct Word {
    mine: String,
}

/// `POST /play/word`
pub(super) async fn word(State(state): State<Play>, visitor: Visitor, headers: HeaderMap, Form(form): Form<Word>) -> Act {
    acting(&state, &visitor, &headers, "/#who", async |_| {
        session(&state, &headers).say(form.mine == "yes").await?;
        Ok(None)
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct Text {
    text: String,
}

/// `POST /play/post`
pub(super) async fn post(State(state): State<Play>, visitor: Visitor, headers: HeaderMap, Form(form): Form<Text>) -> Act {
    acting(&state, &visitor, &headers, "/#messages", async |person| {
        person.post(&form.text).await?;
        Ok(None)
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct Status {
    status: u64,
}

/// `POST /play/delete`
pub(super) async fn delete(State(state): State<Play>, visitor: Visitor, headers: HeaderMap, Form(form): Form<Status>) -> Act {
    acting(&state, &visitor, &headers, "/#post", async |person| {
        person.delete(form.status).await?;
        Ok(None)
    })
    .await
}

/// `POST /play/answer`: answers the newest private message of Obole, or writes to it.
pub(super) async fn answer(State(state): State<Play>, visitor: Visitor, headers: HeaderMap, Form(form): Form<Text>) -> Act {
    acting(&state, &visitor, &headers, "/#orders", async |person| {
        let inbox = person.direct_messages().await?;
        match inbox.iter().find(|message| scene::is_from_bot(message)) {
            Some(message) => person.answer(message, &form.text).await?,
            None => person.write_to(BOT, &form.text).await?,
        };
        Ok(None)
    })
    .await
}
