//! `docs/classes.md` says what the table says: its generated parts are rendered here and
//! compared. When one differs, the failure shows the text that belongs there.

use crate::kernel::class::{
    CLASSES, ClassSpec, Consistency, Evict, Offline, Part, PartKind, Pattern,
};

const PAGE: &str = include_str!("../../../../docs/classes.md");

/// The text between the markers of a generated part.
pub(crate) fn generated(name: &str) -> &'static str {
    let begin = format!("<!-- generated: {name} -->\n");
    let end = "<!-- end -->";
    PAGE.split_once(&begin)
        .and_then(|(_, rest)| rest.split_once(end))
        .map_or("", |(text, _)| text)
}

fn time(ms: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "min"),
        (1000, "s"),
    ];
    UNITS
        .iter()
        .find(|(unit, _)| ms >= *unit && ms.is_multiple_of(*unit))
        .map_or_else(
            || format!("{ms} ms"),
            |(unit, name)| format!("{} {name}", ms / unit),
        )
}

fn key(class: &ClassSpec) -> String {
    let part = |part: &Part| match (part.kind, part.optional) {
        (PartKind::PatientOrAll, _) => format!(":{{{} or all}}", part.name),
        (_, true) => format!("[:{{{}}}]", part.name),
        (_, false) => format!(":{{{}}}", part.name),
    };
    let parts: String = class.parts.iter().map(part).collect();
    format!("`{}{parts}`", class.name)
}

fn rules() -> String {
    let mut table = String::from(
        "| key | holds | fresh for | kept for | on a device | writes | eviction | consistency | PHI | offline |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for class in CLASSES {
        let mut fresh = time(class.fresh_ms);
        if let Some(open) = class.fresh_open_range_ms {
            fresh += &format!("; {} while the range has not ended", time(open));
        }
        if class.signed_url {
            fresh += "; never past its signature";
        }
        let pattern = match class.pattern {
            Pattern::Read => "read only",
            Pattern::WriteThrough => "write-through",
            Pattern::WriteBehind => "write-behind",
            Pattern::Cdn => "CDN",
            Pattern::Compute => "get or compute",
        };
        let evict = match class.evict {
            Evict::Lru => "LRU",
            Evict::Fifo => "FIFO",
            Evict::Ttl => "TTL",
        };
        let consistency = match class.consistency {
            Consistency::Strong => "strong",
            Consistency::Eventual => "eventual",
        };
        let offline = match class.offline {
            Offline::Serve => "served",
            Offline::ServeNotCurrent => "never as current",
            Offline::Refuse => "refused",
        };
        let row = [
            key(class),
            class.title.into(),
            fresh,
            time(class.keep_ms),
            time(class.device_keep_ms),
            pattern.into(),
            if class.priority > 0 {
                format!("{evict}, last")
            } else {
                evict.into()
            },
            consistency.into(),
            if class.phi { "yes" } else { "" }.into(),
            offline.into(),
        ];
        table += &format!("| {} |\n", row.join(" | "));
    }
    table
}

fn compartments() -> String {
    let mut table = String::from(
        "| class | FHIR type | tags from the key | tags that the fill must tell | hits | latency | load |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for class in CLASSES {
        let tag = |tag: &crate::kernel::class::TagRule| {
            let part = class.parts.get(tag.part).map_or("", |part| part.name);
            format!("`{}/{{{part}}}`", tag.kind)
        };
        let tags: Vec<String> = class.tags.iter().map(tag).collect();
        let told = class.fill_tags.iter().map(|kind| format!("`{kind}/…`"));
        let mut told = told.collect::<Vec<_>>().join(", ");
        if !told.is_empty() && !class.fill_tags_needed {
            told += " where known";
        }
        let row = [
            format!("`{}`", class.name),
            if class.fhir_of_value {
                "the value's own".into()
            } else {
                class.fhir.join(", ")
            },
            tags.join(", "),
            told,
            class
                .hit_target
                .map_or(String::new(), |hit| format!("≥ {:.0} %", hit * 100.0)),
            class
                .latency_target_ms
                .map_or(String::new(), |ms| format!("≤ {ms} ms")),
            class
                .load_target_per_s
                .map_or(String::new(), |load| format!("{load}/s")),
        ];
        table += &format!("| {} |\n", row.join(" | "));
    }
    table
}

#[test]
fn the_page_of_the_classes_holds_the_table() {
    let expected = rules();
    assert!(
        generated("rules") == expected,
        "docs/classes.md should hold:\n{expected}"
    );
}

#[test]
fn the_page_of_the_classes_holds_tags_types_and_targets() {
    let expected = compartments();
    assert!(
        generated("compartments") == expected,
        "docs/classes.md should hold:\n{expected}"
    );
}

/// The namespaces of the npm package name every class, with its parts, and no other. A
/// consultation's video has no namespace: it is reached by its class name.
#[test]
fn the_javascript_namespaces_are_those_of_the_table() {
    let source = include_str!("../../../../pkg-template/lib/classes.js");
    let mut named: Vec<String> = source
        .lines()
        .filter_map(|line| line.split_once(": [\"")?.1.strip_suffix("\"],"))
        .map(|list| list.replace("\", \"", " "))
        .collect();
    let spoken = CLASSES
        .iter()
        .filter(|class| class.name != "video:consultation");
    let mut expected: Vec<String> = spoken.map(super::plan::shape).collect();
    named.sort_unstable();
    expected.sort_unstable();
    assert_eq!(named, expected);
}
