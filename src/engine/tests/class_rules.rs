//! What the class table says holds at each read.

use super::{Ward, kind};
use crate::{
    Error, ErrorKind, Result,
    engine::{Fill, Freshness, Source},
    kernel::invalidate::feed::FeedState,
    testkit::SimTransport,
};

#[test]
fn slots_and_queues_are_not_shown_without_a_connection() -> Result<()> {
    let ward = Ward::new(None)?;
    let refused = [
        ("slots:available", ["d", "2026-11-24"].as_slice()),
        ("queue:info", &["q"]),
        ("queue:position", &["q", "p"]),
        ("video:consultation", &["p", "d"]),
    ];
    for (class, parts) in refused {
        ward.fill(class, parts, None)?;
        assert!(ward.get(class, parts)?.is_some(), "{class}");
    }
    ward.fill("patient", &["p"], None)?;
    ward.cache.set_offline(true);
    for (class, parts) in refused {
        assert!(ward.get(class, parts)?.is_none(), "{class}");
        let key = ward.session.key(class, parts)?;
        assert!(ward.session.peek(&key)?.is_none(), "{class}");
        let read = ward.read_without_origin(class, parts);
        assert_eq!(kind(read), Some(ErrorKind::Unavailable));
    }
    assert!(ward.get("patient", &["p"])?.is_some());
    ward.cache.set_offline(false);
    assert!(
        ward.get("queue:info", &["q"])?.is_some(),
        "it was hidden, not lost"
    );
    Ok(())
}

#[test]
fn vital_signs_alerts_and_status_are_never_current_without_a_connection() -> Result<()> {
    let ward = Ward::new(None)?;
    let shown = [
        ("vitals:realtime", "p"),
        ("alerts:active", "p"),
        ("device:status", "d"),
        ("equipment:status", "e"),
    ];
    for (class, part) in shown {
        ward.fill(class, &[part], None)?;
        let entry = ward.get(class, &[part])?;
        assert_eq!(
            entry.map(|entry| entry.freshness),
            Some(Freshness::Fresh),
            "{class}"
        );
    }
    ward.cache.set_offline(true);
    for (class, part) in shown {
        let entry = ward.read_without_origin(class, &[part])?;
        assert_eq!(
            (entry.freshness, entry.verified),
            (Freshness::Stale, false),
            "{class}"
        );
    }
    Ok(())
}

#[test]
fn a_status_is_not_current_while_the_feed_is_not_live() -> Result<()> {
    let transport = SimTransport::new();
    transport.set_reachable(false);
    let ward = Ward::new(Some(&transport))?;
    ward.fill("device:status", &["d"], None)?;
    assert_ne!(ward.cache.feed_state(), FeedState::Live);
    let entry = ward.read_without_origin("device:status", &["d"])?;
    assert_eq!(
        (entry.freshness, entry.source),
        (Freshness::Stale, Source::Memory)
    );
    Ok(())
}

#[test]
fn a_url_is_never_handed_out_past_its_end() -> Result<()> {
    let ward = Ward::new(None)?;
    let urls = [
        ("image:url", ["i", "thumbnail"].as_slice()),
        ("report:file", &["r"]),
        ("video:consultation", &["p", "d"]),
    ];
    for (class, parts) in urls {
        ward.fill(class, parts, Some(60_000))?;
        assert!(ward.get(class, parts)?.is_some(), "{class}");
    }
    ward.fill("report:meta", &["r"], Some(60_000))?;
    ward.sim.advance(60_001);
    for (class, parts) in urls {
        assert!(ward.get(class, parts)?.is_none(), "{class}");
        let read = ward.read_without_origin(class, parts);
        assert_eq!(kind(read), Some(ErrorKind::OriginFailed), "{class}");
    }
    let meta = ward.read_without_origin("report:meta", &["r"])?;
    assert_eq!(meta.freshness, Freshness::Stale);
    Ok(())
}

#[test]
fn a_device_keeps_no_entry_past_its_ceiling() -> Result<()> {
    let ward = Ward::new(None)?;
    ward.fill("patient", &["p"], None)?;
    ward.sim.advance(7 * 86_400_000 - 1);
    assert!(ward.get("patient", &["p"])?.is_some());
    ward.sim.advance(1);
    assert!(ward.get("patient", &["p"])?.is_none());
    Ok(())
}

#[test]
fn an_entry_has_no_more_tags_than_a_row_names() -> Result<()> {
    let ward = Ward::new(None)?;
    let put = |count: usize| {
        let tags = (0..count).map(|n| format!("ward/{n}")).collect();
        let fill = Fill {
            tags,
            ..Fill::default()
        };
        ward.put("patient", &["p"], "1", fill)
    };
    assert!(put(30).is_ok());
    for count in [31, 33] {
        let error = put(count).err();
        assert_eq!(error.as_ref().and_then(Error::field), Some("tags"));
    }
    Ok(())
}
