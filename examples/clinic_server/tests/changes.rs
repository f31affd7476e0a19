//! Changes, their announcements, and the order of both.

use super::harness::{Answer, Listener, first_patient, get, path_of, put, renamed, send, start};
use serde_json::json;

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
async fn a_change_is_announced_with_its_version_at_the_position_that_the_answer_says() {
    let server = start(&[]).await;
    let first = first_patient(&server).await;
    let id = first["id"].as_str().expect("an id").to_owned();
    let (mut listener, from) = Listener::open(&server, &format!("patient/{id}")).await;
    let answer = put(&server, &renamed(&first, "Changed")).await;
    let announced = listener.next("inv").await;
    assert_eq!(announced["prev"], from);
    assert_eq!(announced["seq"], answer.seq());
    let ops = announced["ops"].as_array().expect("ops");
    assert!(ops.contains(&json!(["t", format!("patient/{id}"), "x"])));
    assert!(ops.contains(&json!(["k", format!("patient:{id}"), "x", {"tag": "2"}])));
    server.stop().await;
}

#[tokio::test]
async fn the_list_is_given_up_for_those_who_only_listen_to_it() {
    let server = start(&[]).await;
    let first = first_patient(&server).await;
    let (mut listener, _) = Listener::open(&server, "class/patients:list").await;
    put(&server, &renamed(&first, "Changed")).await;
    let announced = listener.next("inv").await;
    let ops = announced["ops"].as_array().expect("ops");
    assert!(ops.contains(&json!(["t", "class/patients:list", "x"])));
    server.stop().await;
}

#[tokio::test]
async fn a_stopping_server_says_good_bye_and_a_new_one_begins_a_new_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state").display().to_string();
    let server = start(&["--state", &state]).await;
    let first = first_patient(&server).await;
    put(&server, &renamed(&first, "Changed")).await;
    let before = get(&server, "/api/config").await;
    let (mut listener, _) = Listener::open(&server, "patient/x").await;
    let stopped = tokio::spawn(server.stop());
    listener.next("go_away").await;
    stopped.await.expect("stopped");

    let server = start(&["--state", &state]).await;
    let after = get(&server, "/api/config").await;
    let epoch = |answer: &Answer| {
        let position = answer.header("clinicache-position");
        position.split_once('.').map(|(epoch, _)| epoch.to_owned())
    };
    assert_ne!(epoch(&before), epoch(&after));
    assert_eq!(after.seq(), 0);
    server.stop().await;
}

#[tokio::test]
async fn reads_during_changes_never_go_back_and_never_miss_what_their_position_covers() {
    let server = start(&[]).await;
    let first = first_patient(&server).await;
    let path = path_of(&first);
    let address = server.address();
    let changes = 40;
    let writer = tokio::spawn({
        let (path, first) = (path.clone(), first.clone());
        async move {
            for n in 0..changes {
                let body = renamed(&first, &format!("n{n}")).to_string();
                let answer = send(address, &format!("PUT {path}"), &body).await;
                // Positions stand in the order of the versions: one change, one position.
                assert_eq!(answer.header("etag"), format!("W/\"{}\"", answer.seq() + 1));
            }
        }
    });
    let mut newest = 1;
    while newest <= changes {
        let answer = get(&server, &path).await;
        let body = answer.json();
        let version = body["meta"]["versionId"]
            .as_str()
            .and_then(|text| text.parse().ok());
        let version: u64 = version.expect("a version");
        // Version n + 1 was announced at position n.
        assert!(
            version > answer.seq(),
            "a read is as new as its position says"
        );
        assert!(version >= newest, "a read never goes back");
        newest = version;
    }
    writer.await.expect("all accepted");
    server.stop().await;
}
