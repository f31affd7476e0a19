/** Longer than any healthy answer; a ward's Wi-Fi can hang without failing. */
const TIMEOUT_MS = 10_000;

/** Statuses that mean "there is none"; the cache knows them too. */
const ABSENT = new Set([204, 404, 410]);

/** Why a load failed: `offline` (the switch), `network`, or `status`. */
export class LoadError extends Error {
  constructor(kind) {
    super(`load failed: ${kind}`);
    this.kind = kind;
  }
}

let offline = false;

/** The page's own offline switch: nothing leaves the tablet while it is on. */
export function setLoadersOffline(value) {
  offline = value;
}

/** A fetcher for the cache: the response as it came, or a `LoadError`. */
function from(path, accept) {
  return async ({ signal }) => {
    const response = await request(path, { signal, headers: { Accept: accept } });
    if (!response.ok && !ABSENT.has(response.status)) throw new LoadError("status");
    return response;
  };
}

async function request(path, { signal, ...options } = {}) {
  if (offline) throw new LoadError("offline");
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  try {
    return await fetch(path, {
      ...options,
      cache: "no-store",
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new LoadError("network");
  }
}

const FHIR = "application/fhir+json";
const DICOM = "application/dicom+json";
const part = encodeURIComponent;

export const load = {
  patients: () => from("/api/fhir/Patient", FHIR),
  patient: (id) => from(`/api/fhir/Patient/${part(id)}`, FHIR),
  summary: (id) => from(`/api/patients/${part(id)}/summary`, "application/json"),
  records: (id, type) => from(`/api/fhir/${type}?patient=${part(id)}`, FHIR),
  studies: (id) => from(`/api/patients/${part(id)}/studies`, DICOM),
  instances: (study) => from(`/api/dicomweb/studies/${part(study)}/instances`, DICOM),
  image: (instance) => from(`/api/dicomweb/instances/${part(instance)}/rendered`, "image/jpeg"),
};

/** Where the hub is and how often it speaks. The path is no secret and is kept for offline starts. */
export async function loadConfig() {
  try {
    const response = await fetch("/api/config", { cache: "no-store", signal: AbortSignal.timeout(3_000) });
    if (response.ok) return await response.json();
  } catch {
    // Offline: the usual path does, and the feed connects when the network is back.
  }
  return { hubPath: "/clinicache" };
}

/** Saves a changed patient; `version` guards against a change by somebody else meanwhile. */
export async function savePatient(id, patient, version) {
  const response = await request(`/api/fhir/Patient/${part(id)}`, {
    method: "PUT",
    headers: {
      "Content-Type": FHIR,
      Accept: FHIR,
      ...(version ? { "If-Match": `W/"${version}"` } : {}),
    },
    body: JSON.stringify(patient),
  });
  if (response.status === 409 || response.status === 412) throw new LoadError("conflict");
  if (!response.ok) throw new LoadError("status");
  return {
    patient: await response.json(),
    position: response.headers.get("Clinicache-Position") ?? undefined,
  };
}
