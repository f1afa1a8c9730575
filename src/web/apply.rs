//! `/payees/apply`: a charity or company applies to be paid through Obole.
//!
//! | request | does |
//! |---|---|
//! | `GET /payees/apply` | the form |
//! | `POST /payees/apply` | files it for the operators, or shows the form again with what cannot be right |
//!
//! It works without a script. What was written is shown again beside what is wrong with it, so that nobody writes anything twice. Nothing
//! that was written is believed: `app::apply` says what becomes of it.

use std::sync::Arc;

use axum::extract::{Form, FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::Web;
use super::failure::Failure;
use super::shell::{Page, document};
use super::visitor::{Visitor, address};
use super::words::{Apply, fill, texts};
use crate::app::apply::{self, Applied};
use crate::people::application::{Field, LONGEST_FIELD, LONGEST_NAME, Written};

/// Where it is.
pub(crate) const PATH: &str = "/payees/apply";

/// `GET /payees/apply`
pub(crate) async fn show(State(state): State<Arc<Web>>, visitor: Visitor) -> Response {
    page(&state, &visitor, &Written::default(), &[], StatusCode::OK)
}

/// `POST /payees/apply`
pub(crate) async fn hand_in(State(state): State<Arc<Web>>, visitor: Visitor, request: Request) -> Result<Response, Failure> {
    let address = address(request.headers(), request.extensions(), state.behind_proxy);
    let Form(written) = Form::<Written>::from_request(request, &()).await.map_err(|_| Failure::BadRequest)?;
    // Each looks a handle up on the platform.
    state.beginners.admit(address)?;
    let applied = apply::apply(&state.app, &written, visitor.language).await?;
    let words = &texts(visitor.language).apply;
    Ok(match applied {
        Applied::Wrong(wrong) => page(&state, &visitor, &written, &wrong, StatusCode::UNPROCESSABLE_ENTITY),
        Applied::Filed(id) => {
            said(&state, &visitor, &words.filed_title, &fill(&words.filed, &[("number", id.as_str())]), StatusCode::OK)
        }
        Applied::Waiting => said(&state, &visitor, &words.waiting_title, &words.waiting, StatusCode::OK),
        Applied::Known => said(&state, &visitor, &words.known_title, &words.known, StatusCode::OK),
        Applied::Later => said(&state, &visitor, &words.later_title, &words.later, StatusCode::SERVICE_UNAVAILABLE),
    })
}

fn said(state: &Web, visitor: &Visitor, title: &str, text: &str, status: StatusCode) -> Response {
    let body = html! {
        h1 { (title) }
        p.lead role="status" { (text) }
        p { a.button href="/" { (texts(visitor.language).errors.back) } }
    };
    (status, document(&Page::new(visitor, title, state.ground), &body)).into_response()
}

fn page(state: &Web, visitor: &Visitor, written: &Written, wrong: &[Field], status: StatusCode) -> Response {
    let words = &texts(visitor.language).apply;
    let mut platforms: Vec<_> = state.app.platforms.keys().collect();
    platforms.sort();
    let body = html! {
        h1 { (words.title) }
        p.lead { (words.lead) }
        @if !wrong.is_empty() { p.notice role="alert" { (words.wrong) } }
        form method="post" action=(PATH) {
            (field(words, Field::LegalName, "legal_name", &words.legal_name, &words.legal_name_hint, &written.legal_name, LONGEST_NAME, wrong))
            fieldset {
                legend { (words.class) }
                @for (value, label) in [("charity", &words.class_charity), ("company", &words.class_company)] {
                    label.line {
                        input type="radio" name="class" value=(value) checked[written.class == value || (written.class.is_empty() && value == "charity")] required;
                        " " (label)
                    }
                }
            }
            (field(words, Field::RegistryNumber, "registry_number", &words.registry_number, &words.registry_number_hint, &written.registry_number, LONGEST_FIELD, wrong))
            (field(words, Field::Iban, "iban", &words.iban, &words.iban_hint, &written.iban, 42, wrong))
            @match platforms.as_slice() {
                [platform] => { input type="hidden" name="platform" value=(platform); }
                platforms => {
                    label {
                        (words.platform)
                        select name="platform" required {
                            @for platform in platforms { option value=(platform) selected[written.platform == platform.as_str()] { (platform) } }
                        }
                    }
                }
            }
            (field(words, Field::Handle, "handle", &words.handle, &words.handle_hint, &written.handle, LONGEST_FIELD, wrong))
            (field(words, Field::Contact, "contact", &words.contact, &words.contact_hint, &written.contact, LONGEST_FIELD, wrong))
            button.primary { (words.go) }
            p.hint { (words.next) }
        }
    };
    (status, document(&Page::new(visitor, &words.title, state.ground), &body)).into_response()
}

/// One field with its label, what it is for, and, where it cannot be right, what is wrong with it.
#[expect(clippy::too_many_arguments, reason = "a line of the form, said once for all of its fields")]
fn field(words: &Apply, field: Field, name: &str, label: &str, hint: &str, value: &str, longest: usize, wrong: &[Field]) -> Markup {
    let is_wrong = wrong.contains(&field);
    let why = match field {
        Field::LegalName => &words.wrong_legal_name,
        Field::Class => &words.wrong,
        Field::RegistryNumber => &words.wrong_registry_number,
        Field::Iban => &words.wrong_iban,
        Field::Handle => &words.wrong_handle,
        Field::Contact => &words.wrong_contact,
    };
    let (hint_id, wrong_id) = (format!("{name}-hint"), format!("{name}-wrong"));
    let described = if is_wrong { format!("{wrong_id} {hint_id}") } else { hint_id.clone() };
    // A company may have no number.
    let required = field != Field::RegistryNumber;
    html! {
        label for=(name) { (label) }
        @if is_wrong { p.notice id=(wrong_id) { (why) } }
        input id=(name) name=(name) value=(value) maxlength=(longest) required[required] autocomplete="off" autocapitalize="none"
            aria-describedby=(described) aria-invalid=[is_wrong.then_some("true")];
        p.hint id=(hint_id) { (hint) }
    }
}
