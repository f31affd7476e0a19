//! The page and the built package, from two folders.

use axum::{
    Router,
    body::Body,
    extract::{Path as UrlPath, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

/// Where the files are.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) www: PathBuf,
    pub(crate) pkg: PathBuf,
}

impl Site {
    /// `/` and everything below from `www`, `/pkg/` from `pkg`.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/", get(index))
            .route("/pkg/{*path}", get(package))
            .route("/{*path}", get(page))
            .with_state(Arc::new(self))
    }
}

async fn index(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    file(&site.www, "index.html", &headers).await
}

async fn page(
    State(site): State<Arc<Site>>,
    UrlPath(path): UrlPath<String>,
    headers: HeaderMap,
) -> Response {
    file(&site.www, &path, &headers).await
}

async fn package(
    State(site): State<Arc<Site>>,
    UrlPath(path): UrlPath<String>,
    headers: HeaderMap,
) -> Response {
    file(&site.pkg, &path, &headers).await
}

/// A file below `root`. Browsers may keep it but must ask each time: a page of one build never
/// meets the wasm of another.
async fn file(root: &Path, path: &str, asked: &HeaderMap) -> Response {
    match try_file(root, path, asked).await {
        Some(response) => response,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn try_file(root: &Path, path: &str, asked: &HeaderMap) -> Option<Response> {
    let path = root.join(inside(path)?);
    let metadata = tokio::fs::metadata(&path).await.ok()?;
    if !metadata.is_file() {
        return None;
    }
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let tag = format!("\"{:x}-{:x}\"", modified.as_nanos(), metadata.len());
    let unchanged = asked
        .get(header::IF_NONE_MATCH)
        .is_some_and(|held| held.as_bytes() == tag.as_bytes());
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(tokio::fs::read(&path).await.ok()?))
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type(&path));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::ETAG, HeaderValue::try_from(tag).ok()?);
    Some(response)
}

/// The path, when it stays where it starts.
fn inside(path: &str) -> Option<&Path> {
    let path = Path::new(path);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    (!path.as_os_str().is_empty() && path.components().all(plain)).then_some(path)
}

fn media_type(path: &Path) -> HeaderValue {
    let extension = path.extension().and_then(|extension| extension.to_str());
    HeaderValue::from_static(match extension.unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" | "ts" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leaves_its_folder() {
        assert!(inside("a/b.js").is_some());
        for path in ["", "/etc/passwd", "../x", "a/../../x", "./x/../.."] {
            assert!(inside(path).is_none());
        }
    }

    #[test]
    fn wasm_and_modules_have_the_types_that_browsers_insist_on() {
        assert_eq!(media_type(Path::new("a_bg.wasm")), "application/wasm");
        assert_eq!(
            media_type(Path::new("sw.js")),
            "text/javascript; charset=utf-8"
        );
    }
}
