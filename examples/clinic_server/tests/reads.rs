//! Reads, the page, and what starts and does not start.

use super::harness::{args, first_patient, get, path_of, put, renamed, send, start};
use crate::{args::Args, serve::Server};
use clap::Parser as _;
use serde_json::json;
use std::path::{Path, PathBuf};

#[tokio::test]
async fn people_come_in_file_order_and_every_answer_is_private_and_positioned() {
    let server = start(&[]).await;
    let list = get(&server, "/api/fhir/Patient").await;
    let bundle = list.json();
    assert_eq!(bundle["total"], 24);
    assert_eq!(
        bundle["entry"][1]["resource"]["name"][0]["family"],
        "Fakeworth"
    );
    let first = first_patient(&server).await;
    let id = first["id"].as_str().expect("an id");
    for path in [
        "/api/config".to_owned(),
        "/api/fhir/Patient".to_owned(),
        path_of(&first),
        format!("/api/fhir/Condition?patient={id}"),
        format!("/api/patients/{id}/summary"),
        format!("/api/patients/{id}/studies"),
        "/api/fhir/Patient/nobody".to_owned(),
        "/api/elsewhere".to_owned(),
    ] {
        let answer = get(&server, &path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.seq(), 0, "{path}");
        assert!(
            answer
                .header("access-control-expose-headers")
                .contains("Clinicache-Position")
        );
    }
    let patient = get(&server, &path_of(&first)).await;
    assert_eq!(patient.header("etag"), "W/\"1\"");
    assert_eq!(patient.header("content-type"), "application/fhir+json");
    server.stop().await;
}

#[tokio::test]
async fn clinical_resources_are_found_by_patient_only() {
    let server = start(&[]).await;
    let id = first_patient(&server).await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let by_patient = get(&server, &format!("/api/fhir/Observation?patient={id}"))
        .await
        .json();
    assert_eq!(by_patient["total"], 13);
    let by_subject = format!("/api/fhir/Observation?subject=Patient/{id}&category=vital-signs");
    let vitals = get(&server, &by_subject).await.json();
    assert_eq!(vitals["total"], 8);
    let one = vitals["entry"][0]["resource"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let one = get(&server, &format!("/api/fhir/Observation/{one}")).await;
    assert_eq!((one.status, one.header("etag")), (200, "W/\"1\""));
    let nobody = get(&server, "/api/fhir/Observation?patient=nobody")
        .await
        .json();
    assert_eq!((&nobody["total"], nobody.get("entry")), (&json!(0), None));
    let unbounded = get(&server, "/api/fhir/Observation").await;
    assert_eq!(unbounded.status, 400);
    let unknown = get(&server, "/api/fhir/Basic").await;
    assert_eq!(
        (unknown.status, &unknown.json()["issue"][0]["code"]),
        (404, &json!("not-found"))
    );
    server.stop().await;
}

#[tokio::test]
async fn images_are_served_where_the_archive_has_them() {
    let server = start(&[]).await;
    let id = first_patient(&server).await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let studies = get(&server, &format!("/api/patients/{id}/studies"))
        .await
        .json();
    let study = studies[0]["0020000D"]["Value"][0]
        .as_str()
        .expect("a UID")
        .to_owned();
    let rows = get(&server, &format!("/api/dicomweb/studies/{study}/instances")).await;
    assert_eq!(rows.header("content-type"), "application/dicom+json");
    let instance = rows.json()[0]["00080018"]["Value"][0]
        .as_str()
        .expect("a UID")
        .to_owned();
    let image = get(
        &server,
        &format!("/api/dicomweb/instances/{instance}/rendered"),
    )
    .await;
    assert_eq!(
        (image.status, image.header("content-type")),
        (200, "image/jpeg")
    );
    assert_eq!(image.header("cache-control"), "no-store");
    let none = get(&server, "/api/dicomweb/instances/1.2.3/rendered").await;
    assert_eq!(none.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn the_page_comes_with_its_policy_and_nothing_outside_its_folder_comes_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    write("www/index.html", "<!doctype html>");
    write("pkg/clinicache_bg.wasm", "\0asm");
    write("secret.txt", "Secretperson");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let server = start(&["--www", &at("www"), "--pkg", &at("pkg")]).await;
    let page = get(&server, "/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("cache-control"), "no-cache");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let policy = page.header("content-security-policy");
    let socket = format!("ws://127.0.0.1:{}", server.address().port());
    assert!(
        policy.contains("'wasm-unsafe-eval'") && policy.contains(&socket),
        "{policy}"
    );
    let wasm = get(&server, "/pkg/clinicache_bg.wasm").await;
    assert_eq!(wasm.header("content-type"), "application/wasm");
    let held = format!("GET /\r\nIf-None-Match: {}", page.header("etag"));
    assert_eq!(send(server.address(), &held, "").await.status, 304);
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/pkg/..%2fsecret.txt",
        "/pkg/",
        "/x",
    ] {
        assert_eq!(get(&server, path).await.status, 404, "{path}");
    }
    let rebound = send(server.address(), "GET /\r\nHost: evil.example", "").await;
    assert_eq!(rebound.status, 421);
    server.stop().await;
}

#[tokio::test]
async fn own_people_replace_the_built_in_ones_and_only_patients_must_be_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let refused = Server::start(args(&["--data", &data]))
        .await
        .expect_err("no Patient.ndjson");
    assert!(refused.to_string().contains("Patient.ndjson"), "{refused}");
    let patient = folder.path().join("Patient.ndjson");
    std::fs::write(&patient, r#"{"resourceType":"Patient","id":"own"}"#).expect("written");
    let server = start(&["--data", &data]).await;
    let bundle = get(&server, "/api/fhir/Patient").await.json();
    assert_eq!(
        (&bundle["total"], &bundle["entry"][0]["resource"]["id"]),
        (&json!(1), &json!("own"))
    );
    let studies = get(&server, "/api/patients/own/studies").await.json();
    assert_eq!(studies.as_array().map(Vec::len), Some(29));
    let taken = server.address().port().to_string();
    let second = Server::start(Args::parse_from(["x", "--port", &taken]))
        .await
        .err();
    assert!(second.expect("in use").to_string().contains("in use"));
    server.stop().await;
}

#[tokio::test]
async fn no_state_file_holds_anything_readable_of_a_patient() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let server = start(&["--state", &state.display().to_string()]).await;
    let first = first_patient(&server).await;
    let id = first["id"].as_str().expect("an id").to_owned();
    get(&server, &path_of(&first)).await;
    get(&server, &format!("/api/patients/{id}/summary")).await;
    get(&server, &format!("/api/fhir/Condition?patient={id}")).await;
    put(&server, &renamed(&first, "Changedperson")).await;
    server.stop().await;
    assert!(readable(&state, &id).is_empty());
    assert!(readable(&state, "Dummett").is_empty());
    assert!(readable(&state, "Changedperson").is_empty());
    // The scan itself works.
    std::fs::write(state.join("plain"), format!("xx{id}xx")).expect("written");
    assert_eq!(readable(&state, &id).len(), 1);
}

/// Files below `folder` that hold `text` in the clear.
fn readable(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(readable(&path, text));
            continue;
        }
        let bytes = std::fs::read(&path).expect("a file");
        let mut windows = bytes.windows(text.len());
        if windows.any(|window| window == text.as_bytes()) {
            found.push(path);
        }
    }
    found
}
