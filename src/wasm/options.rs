//! The options of `openCache`.

use super::{
    convert::{Fields, key_source},
    host::{caused_by, is_installed},
};
use crate::{
    browser::{Device, Idb, WebSocketTransport, platform},
    engine::{Cache, CacheBuilder},
    error::{Error, ErrorKind, Result},
    kernel::class::{ClassDef, Consistency, Offline, PartDef, PartKind, TagDef, Tighten},
    platform::{BoxFuture, Platform, SoloTabs, TokenSource},
};
use js_sys::{Array, Function, Object, Promise, Reflect};
use std::sync::Arc;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

const OPTIONS: &[&str] = &[
    "user",
    "tenant",
    "keys",
    "hub",
    "autoLockMs",
    "memoryBytesMax",
    "store",
    "memoryFallback",
    "classes",
    "define",
    "feedWaitMs",
];

/// Opens a cache by the options of a page.
pub(super) async fn open(name: &str, options: &JsValue) -> Result<Cache> {
    if !is_installed() {
        return Err(Error::new(
            ErrorKind::NotInitialised,
            "install() was not called",
        ));
    }
    let options = Fields::of(options, OPTIONS)?;
    let user = options
        .string("user")?
        .ok_or_else(|| Error::invalid("user", "is required"))?;
    let tenant = options.string("tenant")?.unwrap_or_default();
    let key = key_source(
        &options
            .get("keys")
            .ok_or_else(|| Error::invalid("keys", "is required: there is no plaintext mode"))?,
    )?;
    let in_memory = match options.string("store")?.as_deref() {
        None | Some("indexeddb") => false,
        Some("memory") => true,
        Some(_) => return Err(Error::invalid("store", "must be indexeddb or memory")),
    };
    let fallback = options.bool("memoryFallback")?.unwrap_or(false);
    let builder = |database: &str, device: &Device, platform: Platform| -> Result<CacheBuilder> {
        let mut builder = Cache::builder(database, platform)
            .user(user.clone())
            .tenant(tenant.clone())
            .device(device.id.clone());
        if let Some(ms) = options.whole("autoLockMs")? {
            builder = builder.auto_lock_ms(ms);
        }
        if let Some(bytes) = options.whole("memoryBytesMax")? {
            builder = builder.memory_bytes_max(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        if let Some(ms) = options.whole("feedWaitMs")? {
            builder = builder.feed_wait_ms(ms);
        }
        if let Some(hub) = options.get("hub") {
            builder = with_hub(builder, &hub)?;
        }
        if let Some(classes) = options.get("classes") {
            builder = with_classes(builder, &classes)?;
        }
        if let Some(define) = options.get("define") {
            builder = with_definitions(builder, &define)?;
        }
        Ok(builder)
    };
    if name.is_empty() || name.len() > 256 {
        return Err(Error::invalid("name", "must be 1 to 256 bytes long"));
    }
    let entropy = crate::platform::SystemEntropy;
    if in_memory {
        return memory_only(&builder, name, key).await;
    }
    let opened = async {
        let device = Device::load(&entropy).await?;
        let database = device.database(name, &tenant, &user);
        let store = Idb::open(&database).await?;
        Ok::<_, Error>((device, database, store))
    };
    match opened.await {
        Ok((device, database, store)) => {
            let ended = store.ended();
            let cache = builder(&database, &device, platform(&database))?
                .store(store)
                .keys(key)
                .open()
                .await?;
            // Another tab upgraded or deleted the database: nothing can be read or kept here.
            let closing = cache.clone();
            wasm_bindgen_futures::spawn_local(async move {
                let _ = ended.await;
                closing.close().await;
            });
            Ok(cache)
        }
        Err(error) if fallback && error.kind() == ErrorKind::Unavailable => {
            memory_only(&builder, name, key).await
        }
        Err(error) => Err(error),
    }
}

/// A cache that keeps nothing on the device.
async fn memory_only(
    builder: &dyn Fn(&str, &Device, Platform) -> Result<CacheBuilder>,
    name: &str,
    key: crate::engine::KeySource,
) -> Result<Cache> {
    let device = Device::ephemeral(&crate::platform::SystemEntropy)?;
    // Its memory is its own: there are no sibling tabs to agree with.
    let platform = Platform {
        tabs: solo(),
        ..platform(name)
    };
    builder(name, &device, platform)?.keys(key).open().await
}

fn solo() -> Arc<SoloTabs> {
    Arc::new(SoloTabs)
}

fn with_hub(builder: CacheBuilder, hub: &JsValue) -> Result<CacheBuilder> {
    let hub = Fields::of(hub, &["url", "token"])
        .map_err(|_| Error::invalid("hub", "must be an object with url and token only"))?;
    let url = hub
        .string("url")?
        .ok_or_else(|| Error::invalid("hub.url", "is required"))?;
    let builder = builder.feed(Arc::new(WebSocketTransport::new(&url)?));
    let Some(token) = hub.get("token") else {
        return Ok(builder);
    };
    let token: Function = token
        .dyn_into()
        .map_err(|_| Error::invalid("hub.token", "must be a function"))?;
    Ok(builder.token(TokenSource::new(move || {
        let token = token.clone();
        let call = async move {
            let failed = |cause| {
                caused_by(
                    ErrorKind::Unavailable,
                    "the hub's token could not be had",
                    cause,
                )
            };
            let promise = token.call0(&JsValue::UNDEFINED).map_err(failed)?;
            let text = JsFuture::from(Promise::resolve(&promise))
                .await
                .map_err(failed)?;
            text.as_string()
                .ok_or_else(|| Error::invalid("hub.token", "must give a string"))
        };
        Box::pin(call) as BoxFuture<'static, Result<String>>
    })))
}

fn with_classes(mut builder: CacheBuilder, classes: &JsValue) -> Result<CacheBuilder> {
    if !classes.is_object() {
        return Err(Error::invalid("classes", "must be an object"));
    }
    for name in Object::keys(classes.unchecked_ref::<Object>()).iter() {
        let rules = Reflect::get(classes, &name)
            .map_err(|_| Error::invalid("classes", "could not be read"))?;
        let rules = Fields::of(&rules, &["ttlMs", "keepMs", "offline"])?;
        let tighten = Tighten {
            fresh_ms: rules.whole("ttlMs")?,
            keep_ms: rules.whole("keepMs")?,
            offline: rules
                .string("offline")?
                .as_deref()
                .map(offline)
                .transpose()?,
            ..Tighten::default()
        };
        builder = builder.tighten(&name.as_string().unwrap_or_default(), &tighten);
    }
    Ok(builder)
}

const DEFINITION: &[&str] = &[
    "name",
    "parts",
    "ttlMs",
    "keepMs",
    "consistency",
    "offline",
    "tags",
    "phi",
    "schemaVersion",
];

fn with_definitions(mut builder: CacheBuilder, define: &JsValue) -> Result<CacheBuilder> {
    let list: &Array = define
        .dyn_ref()
        .ok_or_else(|| Error::invalid("define", "must be an array"))?;
    for definition in list.iter() {
        builder = builder.define(class_def(&Fields::of(&definition, DEFINITION)?)?);
    }
    Ok(builder)
}

fn class_def(fields: &Fields) -> Result<ClassDef> {
    let missing = |name| Error::invalid(name, "is required");
    let strings = |name: &'static str| -> Result<Option<Vec<String>>> {
        fields
            .get(name)
            .map(|value| super::convert::tags(Some(value)))
            .transpose()
            .map_err(|_| Error::invalid(name, "must be an array of strings"))
    };
    let parts = strings("parts")?.ok_or_else(|| missing("parts"))?;
    let mut def = ClassDef::new(
        fields.string("name")?.ok_or_else(|| missing("name"))?,
        parts
            .iter()
            .map(|part| PartDef::new(part.clone(), PartKind::Id))
            .collect(),
        fields.whole("ttlMs")?.ok_or_else(|| missing("ttlMs"))?,
        fields.whole("keepMs")?.ok_or_else(|| missing("keepMs"))?,
    );
    def.consistency = match fields.string("consistency")?.as_deref() {
        Some("strong") => Consistency::Strong,
        Some("eventual") => Consistency::Eventual,
        _ => return Err(Error::invalid("consistency", "must be strong or eventual")),
    };
    if let Some(rule) = fields.string("offline")? {
        def.offline = offline(&rule)?;
    }
    if let Some(phi) = fields.bool("phi")? {
        def.phi = phi;
    }
    if let Some(version) = fields.whole("schemaVersion")? {
        def.schema_version = u32::try_from(version)
            .map_err(|_| Error::invalid("schemaVersion", "must be below 4,294,967,296"))?;
    }
    // A tag is named after the part that it is made of: `patient` makes `patient/{patient}`.
    for tag in strings("tags")?.unwrap_or_default() {
        let part = parts
            .iter()
            .position(|part| *part == tag)
            .ok_or_else(|| Error::invalid("tags", "must name parts of the key"))?;
        def.tags.push(TagDef {
            kind: tag.into(),
            part,
        });
    }
    Ok(def)
}

fn offline(rule: &str) -> Result<Offline> {
    match rule {
        "serve" => Ok(Offline::Serve),
        "serve-not-current" => Ok(Offline::ServeNotCurrent),
        "refuse" => Ok(Offline::Refuse),
        _ => Err(Error::invalid(
            "offline",
            "must be serve, serve-not-current or refuse",
        )),
    }
}
