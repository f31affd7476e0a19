//! The server over real sockets.

use super::{args::Args, serve::Server};
use clap::Parser as _;
use serde_json::{Value, json};
use std::{collections::HashMap, net::SocketAddr, path::Path};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// An answer, headers in lower case.
struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// `seq` of the position header.
    fn seq(&self) -> u64 {
        let position = self.header("clinicache-position");
        let (_, seq) = position.split_once('.').expect("epoch.seq");
        seq.parse().expect("a number")
    }
}

fn args(more: &[&str]) -> Args {
    let base = ["clinic_server", "--port", "0", "--test-hooks"];
    Args::parse_from(base.iter().chain(more))
}

async fn start(more: &[&str]) -> Server {
    Server::start(args(more)).await.expect("a server")
}

async fn send(to: SocketAddr, head: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(to).await.expect("connected");
    let length = body.len();
    let host = if head.contains("\r\nHost:") {
        String::new()
    } else {
        format!("Host: {to}\r\n")
    };
    let (line, rest) = head.split_once("\r\n").unwrap_or((head, ""));
    let rest = if rest.is_empty() {
        String::new()
    } else {
        format!("{rest}\r\n")
    };
    let request = format!(
        "{line} HTTP/1.1\r\n{host}{rest}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("answered");
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("headers");
    let body = bytes.split_off(end + 4);
    let text = String::from_utf8(bytes).expect("text headers");
    let mut lines = text.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .expect("a status");
    Answer {
        status: status.parse().expect("a number"),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body,
    }
}

async fn get(server: &Server, path: &str) -> Answer {
    send(server.address(), &format!("GET {path}"), "").await
}

/// The first patient of the built-in people.
async fn first_patient(server: &Server) -> Value {
    get(server, "/api/fhir/Patient").await.json()["entry"][0]["resource"].clone()
}

fn path_of(patient: &Value) -> String {
    format!(
        "/api/fhir/Patient/{}",
        patient["id"].as_str().expect("an id")
    )
}

async fn put(server: &Server, patient: &Value) -> Answer {
    let head = format!("PUT {}", path_of(patient));
    send(server.address(), &head, &patient.to_string()).await
}

fn renamed(patient: &Value, family: &str) -> Value {
    let mut patient = patient.clone();
    patient["name"] = json!([{ "family": family }]);
    patient
}

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
async fn a_change_counts_the_version_and_the_position_up() {
    let server = start(&[]).await;
    let first = first_patient(&server).await;
    let answer = put(&server, &renamed(&first, "Changed")).await;
    assert_eq!(
        (answer.status, answer.header("etag"), answer.seq()),
        (200, "W/\"2\"", 1)
    );
    assert_eq!(answer.json()["meta"]["versionId"], "2");
    let read = get(&server, &path_of(&first)).await;
    assert_eq!(read.json()["name"][0]["family"], "Changed");
    assert_eq!(read.seq(), 1);

    let head = format!("PUT {}\r\nIf-Match: W/\"1\"", path_of(&first));
    let late = send(server.address(), &head, &first.to_string()).await;
    assert_eq!((late.status, late.seq()), (412, 1));
    let head = format!("PUT {}\r\nIf-Match: W/\"2\"", path_of(&first));
    let current = send(server.address(), &head, &first.to_string()).await;
    assert_eq!((current.status, current.header("etag")), (200, "W/\"3\""));
    server.stop().await;
}

#[tokio::test]
async fn a_bad_change_is_refused_without_repeating_any_of_it() {
    let server = start(&[]).await;
    let first = first_patient(&server).await;
    let path = path_of(&first);
    for body in [
        "{\"resourceType\":\"Patient\",\"id\":\"Secretperson",
        "{\"resourceType\":\"Patient\",\"id\":\"Secretperson\"}",
        "{\"resourceType\":\"Secretperson\"}",
        "\"Secretperson\"",
    ] {
        let answer = send(server.address(), &format!("PUT {path}"), body).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 400);
        assert!(
            text.contains("OperationOutcome") && !text.contains("Secretperson"),
            "{text}"
        );
    }
    let mut stranger = first.clone();
    stranger["id"] = json!("nobody");
    assert_eq!(put(&server, &stranger).await.status, 404);
    assert_eq!(get(&server, &path).await.header("etag"), "W/\"1\"");
    server.stop().await;
}

#[tokio::test]
async fn a_held_response_keeps_what_it_read_and_its_older_position() {
    let server = start(&[]).await;
    let first = first_patient(&server).await;
    let path = path_of(&first);
    let order = |order: &str| json!({ "pathPrefix": path, order: true }).to_string();
    let (address, hold, release) = (server.address(), order("hold"), order("release"));
    assert_eq!(send(address, "POST /test/delay", &hold).await.status, 204);
    let line = format!("GET {path}");
    let held = tokio::spawn(async move { send(address, &line, "").await });
    while get(&server, "/test/requests").await.json()["held"] != json!([path]) {
        tokio::task::yield_now().await;
    }
    let changed = put(&server, &renamed(&first, "Changed")).await;
    assert_eq!(changed.seq(), 1);
    assert_eq!(
        send(address, "POST /test/delay", &release).await.status,
        204
    );
    let held = held.await.expect("answered");
    assert_eq!((held.header("etag"), held.seq()), ("W/\"1\"", 0));
    let counted = get(&server, "/test/requests").await.json();
    assert_eq!(counted["requests"][format!("GET {path}")], 1);
    assert_eq!(send(address, "POST /test/reset", "").await.status, 204);
    assert_eq!(
        get(&server, "/test/requests").await.json()["requests"],
        json!({})
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
        .err()
        .expect("no Patient.ndjson");
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
fn readable(folder: &Path, text: &str) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            let bytes = std::fs::read(path).expect("a file");
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        })
        .collect()
}
