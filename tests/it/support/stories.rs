//! Tells each story on each engine; on PostgreSQL under the name `postgres`, which `tests/run` knows.

macro_rules! told_on_both {
    ($($(#[$doc:meta])* async fn $name:ident($story:ident: TestApp) $body:block)+) => {
        $(async fn $name(#[allow(unused_mut)] mut $story: TestApp) $body)+

        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(story) = super::TestApp::start(super::Engine::Sqlite).await {
                    super::$name(story).await;
                }
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(story) = super::TestApp::start(super::Engine::Postgres).await {
                    super::$name(story).await;
                }
            })+
        }
    };
}

pub(crate) use told_on_both;
