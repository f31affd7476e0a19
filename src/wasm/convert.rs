//! JavaScript values to the core's, field by field; what is wrong is named, never quoted.

use super::host::caused_by;
use crate::{
    engine::{Fetched, Fill, KeySource},
    error::{Error, ErrorKind, Result},
    kernel::{
        class::{ClassId, Classes},
        crypto::Secret,
        envelope::Body,
        invalidate::{Position, Version},
        key::Key,
    },
};
use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

/// Longest version text, in bytes.
const VERSION_BYTES_MAX: usize = 256;

/// The fields of a plain object, each taken once; what is left over is refused.
pub(super) struct Fields {
    object: JsValue,
    known: &'static [&'static str],
}

impl Fields {
    pub(super) fn of(value: &JsValue, known: &'static [&'static str]) -> Result<Self> {
        if !value.is_object() {
            return Err(Error::invalid("options", "must be an object"));
        }
        for name in Object::keys(value.unchecked_ref::<Object>()).iter() {
            let name = name.as_string().unwrap_or_default();
            if !known.contains(&name.as_str()) {
                return Err(Error::invalid(
                    "options",
                    "holds an option that is not known",
                ));
            }
        }
        Ok(Self {
            object: value.clone(),
            known,
        })
    }

    pub(super) fn get(&self, name: &'static str) -> Option<JsValue> {
        debug_assert!(
            self.known.contains(&name),
            "an option that is always refused"
        );
        Reflect::get(&self.object, &name.into())
            .ok()
            .filter(|value| !value.is_undefined() && !value.is_null())
    }

    pub(super) fn string(&self, name: &'static str) -> Result<Option<String>> {
        self.get(name)
            .map(|value| {
                value
                    .as_string()
                    .ok_or_else(|| Error::invalid(name, "must be a string"))
            })
            .transpose()
    }

    pub(super) fn bool(&self, name: &'static str) -> Result<Option<bool>> {
        self.get(name)
            .map(|value| {
                value
                    .as_bool()
                    .ok_or_else(|| Error::invalid(name, "must be true or false"))
            })
            .transpose()
    }

    /// A whole number from 0 to 2⁵³ - 1.
    pub(super) fn whole(&self, name: &'static str) -> Result<Option<u64>> {
        self.get(name).map(|value| whole(&value, name)).transpose()
    }
}

/// A plain object.
pub(super) fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // An object of our own refuses nothing.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object.into()
}

pub(super) fn whole(value: &JsValue, name: &'static str) -> Result<u64> {
    value
        .as_f64()
        .filter(|number| number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(number))
        .map(|number| number as u64)
        .ok_or_else(|| Error::invalid(name, "must be a whole number, 0 or more"))
}

/// A key: text for one part, an array for several or none.
pub(super) fn key(classes: &Classes, class: ClassId, value: &JsValue) -> Result<Key> {
    if let Some(text) = value.as_string() {
        return classes.key(class, &[&text]);
    }
    let wrong = || Error::invalid("key", "must be a string or an array of strings");
    let array: &Array = value.dyn_ref().ok_or_else(wrong)?;
    if array.length() > 8 {
        return Err(Error::invalid("key", "has the wrong number of parts"));
    }
    let parts = array
        .iter()
        .map(|part| part.as_string().ok_or_else(wrong))
        .collect::<Result<Vec<_>>>()?;
    let parts: Vec<_> = parts.iter().map(String::as_str).collect();
    classes.key(class, &parts)
}

/// A body: JSON text or bytes.
pub(super) fn body(value: &JsValue) -> Result<Body> {
    if let Some(text) = value.as_string() {
        return Ok(Body::Json(text));
    }
    value
        .dyn_ref::<Uint8Array>()
        .map(|bytes| Body::Bytes(bytes.to_vec()))
        .ok_or_else(|| Error::invalid("value", "must be JSON text or bytes"))
}

/// What accompanies a value. Unknown fields are the caller's business: the object carries others.
pub(super) fn fill(value: &JsValue) -> Result<Fill> {
    if value.is_undefined() || value.is_null() {
        return Ok(Fill::default());
    }
    let get = |name: &str| {
        Reflect::get(value, &name.into())
            .ok()
            .filter(|value| !value.is_undefined() && !value.is_null())
    };
    let text = |name: &'static str| {
        get(name)
            .map(|value| {
                value
                    .as_string()
                    .ok_or_else(|| Error::invalid(name, "must be a string"))
            })
            .transpose()
    };
    let version = text("version")?;
    if version
        .as_ref()
        .is_some_and(|version| version.len() > VERSION_BYTES_MAX)
    {
        return Err(Error::invalid("version", "must be at most 256 bytes long"));
    }
    Ok(Fill {
        position: text("position")?
            .map(|text| text.parse::<Position>())
            .transpose()?,
        version: version.map(|version| Version::Tag(version.into())),
        tags: tags(get("tags"))?,
        ttl_ms: get("ttlMs")
            .map(|value| whole(&value, "ttlMs"))
            .transpose()?,
    })
}

pub(super) fn tags(value: Option<JsValue>) -> Result<Vec<String>> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let wrong = || Error::invalid("tags", "must be an array of strings");
    value
        .dyn_ref::<Array>()
        .ok_or_else(wrong)?
        .iter()
        .map(|tag| tag.as_string().ok_or_else(wrong))
        .collect()
}

/// What a fetcher resolved to: `{ body, position?, version?, tags?, ttlMs? }`.
pub(super) fn fetched(value: &JsValue) -> Result<Fetched> {
    let wrong = || Error::new(ErrorKind::OriginFailed, "the fetcher gave no value");
    if !value.is_object() {
        return Err(wrong());
    }
    let given = Reflect::get(value, &"body".into()).map_err(|_| wrong())?;
    let mut fetched = Fetched::new(if given.is_null() {
        Body::Absent
    } else {
        body(&given)?
    });
    fetched.fill = fill(value)?;
    Ok(fetched)
}

/// Where the key comes from. The caller's array is zeroed: it was made for this call.
pub(super) fn key_source(value: &JsValue) -> Result<KeySource> {
    let get = |name: &str| Reflect::get(value, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let secret = |name: &'static str, field: &'static str| {
        let array: Uint8Array = get(name)
            .dyn_into()
            .map_err(|_| Error::invalid(field, "must be a Uint8Array"))?;
        let bytes = Secret::new(array.to_vec());
        array.fill(0, 0, array.length());
        Ok::<_, Error>(bytes)
    };
    match get("kind").as_string().as_deref() {
        Some("passphrase") => {
            let bytes = secret("secret", "keys.passphrase")?;
            // Shown to see whether it is empty.
            if bytes.expose().is_empty() {
                return Err(Error::invalid("keys.passphrase", "must not be empty"));
            }
            Ok(KeySource::Passphrase(bytes))
        }
        // Shown to be copied into a key of fixed length.
        Some("bytes") => KeySource::bytes(secret("key", "keys.bytes")?.expose()),
        Some("ephemeral") => Ok(KeySource::Ephemeral),
        _ => Err(Error::invalid("keys", "must come from keys.*")),
    }
}

/// What a function of the app rejected with.
pub(super) fn origin_failure(cause: JsValue) -> Error {
    caused_by(
        ErrorKind::OriginFailed,
        "the origin could not be read",
        cause,
    )
}
