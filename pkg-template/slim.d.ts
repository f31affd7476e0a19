export * from "./index.js";

/**
 * Loads the WebAssembly module from where the app says: a compiled module, an address, or its
 * bytes. Give exactly one. Loading again after success does nothing. Everything else throws
 * `NotInitialised` until this settled. Errors: `InvalidArgument`, `Unavailable`.
 */
export function init(
  options:
    | { module: WebAssembly.Module; url?: undefined; bytes?: undefined }
    | { url: string | URL; module?: undefined; bytes?: undefined }
    | { bytes: ArrayBuffer | Uint8Array; module?: undefined; url?: undefined },
): Promise<void>;

/** As {@link init}, at once. Browsers allow it in workers, or for modules compiled before. */
export function initSync(
  options:
    | { module: WebAssembly.Module; bytes?: undefined }
    | { bytes: ArrayBuffer | Uint8Array; module?: undefined },
): void;
