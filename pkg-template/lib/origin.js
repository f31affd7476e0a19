import { CacheError, invalid } from "./errors.js";
import { metaOf } from "./meta.js";
import { asBytes, encodeValue } from "./values.js";

/** Statuses that say "there is none": a FHIR read of a deleted resource answers 410, an empty
 * DICOMweb search 204. */
const ABSENT = new Set([204, 404, 410]);

const JSON_TYPE = /^(?:application\/json|[\w.-]+\/[\w.+-]+\+json)$/;

/** Wraps the app's fetcher into what the core calls: signal in, body and meta out. */
export function originCall(fetcher) {
  if (typeof fetcher !== "function") throw invalid("fetcher", "must be a function");
  return async (signal) => toFill(await fetcher({ signal }));
}

/** A fetcher's answer as the core takes it: `{ body, position?, version?, tags?, ttlMs? }`. */
export async function toFill(answer) {
  const described = metaOf(answer);
  const value = described === undefined ? answer : described.value;
  const fill = isResponse(value) ? await readResponse(value) : { body: toBody(value) };
  return described === undefined ? fill : { ...fill, ...described.meta };
}

function toBody(value) {
  return value === null ? null : encodeValue(value);
}

/** By shape: a polyfill's response, or one of another realm, is a response too. */
function isResponse(value) {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof value.status === "number" &&
    typeof value.arrayBuffer === "function" &&
    typeof value.headers?.get === "function"
  );
}

async function readResponse(response) {
  const fill = headersOf(response);
  if (ABSENT.has(response.status)) return { ...fill, body: null };
  if (!response.ok) throw failed(`the origin answered with status ${response.status}`);
  const type = mediaType(response);
  if (type === "text/html") {
    // A captive portal answers any address with 200 and its sign-in page.
    throw failed("the origin answered with a web page instead of data");
  }
  return { ...fill, body: JSON_TYPE.test(type) ? await readJson(response) : await readBytes(response) };
}

function headersOf(response) {
  const fill = {};
  const position = response.headers.get("Clinicache-Position");
  if (position) fill.position = position;
  const etag = response.headers.get("ETag");
  // FHIR: the weak ETag's opaque part is the resource's versionId.
  if (etag) fill.version = etag.replace(/^W\//, "").replace(/^"(.*)"$/, "$1");
  return fill;
}

function mediaType(response) {
  const header = response.headers.get("Content-Type") ?? "";
  return header.split(";", 1)[0].trim().toLowerCase();
}

/** The text crosses as it came, so that decimals keep their digits; parsing only checks it. */
async function readJson(response) {
  const text = await response.text();
  try {
    JSON.parse(text);
  } catch {
    // The parser's message quotes the text: it is not kept as the cause.
    throw failed("the origin's answer is not the JSON that its content type says");
  }
  return text;
}

async function readBytes(response) {
  return asBytes(await response.arrayBuffer()) ?? new Uint8Array();
}

const failed = (message) => new CacheError("OriginFailed", message);
