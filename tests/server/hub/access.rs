//! Tokens: what they open, what they lose, when they end.

use crate::support::{Client, builder, serve};
use clinicache::{
    kernel::protocol::{ClientFrame, HubFrame, ResetMode, ResetScope},
    platform::{BoxFuture, Clock, Platform},
    server::{Authorise, Embedded, Grant, Invalidation, Refusal},
    testkit::SimClock,
};
use std::sync::{Arc, Mutex};

/// A token is a list of topics; what is withdrawn is allowed to nobody.
#[derive(Clone, Default)]
struct Lists {
    withdrawn: Arc<Mutex<Vec<String>>>,
    ends_at_ms: Option<u64>,
}

impl Authorise for Lists {
    fn authenticate(&self, token: Option<String>) -> BoxFuture<'_, Result<Grant, Refusal>> {
        Box::pin(async move {
            let token = token.ok_or(Refusal::Denied)?;
            if token == "outage" {
                return Err(Refusal::Unavailable);
            }
            let topics: Vec<String> = token.split(',').map(str::to_owned).collect();
            let grant = Grant::new("nurse").with_claims(topics);
            Ok(match self.ends_at_ms {
                Some(at_ms) => grant.expires_at_ms(at_ms),
                None => grant,
            })
        })
    }

    fn allows(&self, grant: &Grant, topic: &str) -> bool {
        let listed = grant
            .claims::<Vec<String>>()
            .is_some_and(|topics| topics.iter().any(|listed| listed == topic));
        listed
            && !self
                .withdrawn
                .lock()
                .unwrap()
                .iter()
                .any(|gone| gone == topic)
    }
}

fn purged(frame: &HubFrame) -> Option<&[String]> {
    match frame {
        HubFrame::Reset {
            scope: ResetScope::Topics(topics),
            mode: ResetMode::Purge,
            ..
        } => Some(topics),
        _ => None,
    }
}

#[tokio::test]
async fn without_a_token_there_is_no_welcome() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let hub = builder(&store)
        .authorise(Lists::default())
        .open()
        .await
        .unwrap();
    let address = serve(&hub).await;
    let (_, refused) = Client::greet(address, None).await;
    assert!(
        matches!(&refused, HubFrame::GoAway { code, reconnect: false, .. } if code == "unauthorised"),
        "{refused:?}"
    );
    let (_, outage) = Client::greet(address, Some("outage")).await;
    assert!(
        matches!(&outage, HubFrame::GoAway { code, reconnect: true, .. } if code == "unavailable"),
        "{outage:?}"
    );
}

#[tokio::test]
async fn each_record_of_a_replay_is_held_against_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let hub = builder(&store)
        .authorise(Lists::default())
        .open()
        .await
        .unwrap();
    for tag in ["a", "b", "a"] {
        hub.publish(Invalidation::tag(tag)).await.unwrap();
    }
    let (mut client, _) = Client::greet(serve(&hub).await, Some("b")).await;
    client.resume(&hub.position().epoch, 0, &["a", "b"]).await;
    let frames = client.until_answer().await;
    let text = format!("{frames:?}");
    let told = frames
        .iter()
        .filter(|frame| matches!(frame, HubFrame::Inv { .. }))
        .count();
    assert_eq!(told, 1, "{text}");
    let Some(HubFrame::SubOk { denied, .. }) = frames.last() else {
        panic!("{text}");
    };
    assert_eq!(denied.len(), 1);
    assert_eq!((&*denied[0].t, &*denied[0].code), ("a", "forbidden"));
}

#[tokio::test]
async fn a_narrower_token_and_a_withdrawal_purge_what_they_take() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let policy = Lists::default();
    let withdrawn = Arc::clone(&policy.withdrawn);
    let hub = builder(&store).authorise(policy).open().await.unwrap();
    let (mut client, _) = Client::greet(serve(&hub).await, Some("a,b,c")).await;
    client
        .sub([("a", None), ("b", None), ("c", None)].into_iter())
        .await;
    client.until_answer().await;
    let token = "b,c".into();
    client.send(&ClientFrame::Auth { token }).await;
    let frame = client.next_news().await;
    assert_eq!(purged(&frame), Some(&["a".to_owned()][..]), "{frame:?}");
    withdrawn.lock().unwrap().push("b".into());
    hub.publish(Invalidation::tag("b")).await.unwrap();
    hub.publish(Invalidation::tag("c")).await.unwrap();
    let frame = client.next_news().await;
    assert_eq!(purged(&frame), Some(&["b".to_owned()][..]), "{frame:?}");
    let frame = client.next_news().await;
    assert!(matches!(frame, HubFrame::Inv { .. }), "{frame:?}");
}

#[tokio::test]
async fn a_token_that_ends_is_announced_and_then_ends_the_connection() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let clock = SimClock::new();
    let policy = Lists {
        ends_at_ms: Some(clock.wall_ms() + 300_000),
        ..Lists::default()
    };
    let hub = builder(&store)
        .authorise(policy)
        .heartbeat(std::time::Duration::from_secs(120))
        .platform(Platform {
            clock: Arc::new(clock.clone()),
            ..Platform::system()
        })
        .open()
        .await
        .unwrap();
    let (mut client, _) = Client::greet(serve(&hub).await, Some("a")).await;
    client.sub([("a", None)].into_iter()).await;
    client.until_answer().await;
    clock.advance(240_000);
    let mut warned = client.next_news().await;
    while matches!(warned, HubFrame::Hb { .. }) {
        warned = client.next_news().await;
    }
    assert!(
        matches!(warned, HubFrame::AuthExpiring { in_s } if in_s <= 60),
        "{warned:?}"
    );
    clock.advance(60_000);
    hub.publish(Invalidation::tag("a")).await.unwrap();
    let (last, close) = client.drain().await;
    assert!(
        matches!(&last, Some(HubFrame::GoAway { code, reconnect: true, .. }) if code == "token_expired"),
        "{last:?}"
    );
    assert_eq!(close, Some(1008));
}

#[tokio::test]
async fn one_subject_cannot_come_back_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let clock = SimClock::new();
    let hub = builder(&store)
        .authorise(Lists::default())
        .platform(Platform {
            clock: Arc::new(clock.clone()),
            ..Platform::system()
        })
        .open()
        .await
        .unwrap();
    let address = serve(&hub).await;
    let mut welcomed = 0;
    let away = loop {
        match Client::greet(address, Some("a")).await.1 {
            HubFrame::Welcome { .. } => welcomed += 1,
            frame => break frame,
        }
    };
    assert_eq!(welcomed, 60);
    assert!(
        matches!(&away, HubFrame::GoAway { code, reconnect: true, .. } if code == "rate"),
        "{away:?}"
    );
    clock.advance(1_000);
    let (_, again) = Client::greet(address, Some("a")).await;
    assert!(matches!(again, HubFrame::Welcome { .. }), "{again:?}");
}
