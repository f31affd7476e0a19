/** What JSON can hold. `undefined`, `Date`, `Map`, `BigInt`, NaN, cycles and class instances are
 * refused with `InvalidArgument`; `-0` becomes `0`; nesting goes to 500 levels. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [member: string]: Json };

/** What a class without a type of its own holds: JSON, or bytes that stay bytes. An
 * `ArrayBuffer` comes back as `Uint8Array`. */
export type Value = Json | Uint8Array | ArrayBuffer;

/** Any FHIR resource. */
export interface FhirResource {
  resourceType: string;
  id?: string;
  meta?: { versionId?: string; lastUpdated?: string; [element: string]: unknown };
  [element: string]: unknown;
}

/** A FHIR resource of one type. */
export interface FhirOf<Type extends string> extends FhirResource {
  resourceType: Type;
}

export interface HumanName {
  use?: string;
  text?: string;
  family?: string;
  given?: string[];
  [element: string]: unknown;
}

export interface Patient extends FhirOf<"Patient"> {
  name?: HumanName[];
  gender?: "male" | "female" | "other" | "unknown";
  /** ISO 8601, possibly without day or month. */
  birthDate?: string;
}

export interface Bundle extends FhirOf<"Bundle"> {
  type: string;
  total?: number;
  entry?: { fullUrl?: string; resource?: FhirResource; [element: string]: unknown }[];
}

/** One row of DICOM JSON: attributes by tag, such as `"0020000D"`. */
export interface DicomJson {
  [tag: string]: { vr: string; Value?: unknown[]; BulkDataURI?: string; InlineBinary?: string };
}

/** An address that expires. */
export interface SignedUrl {
  url: string;
  [field: string]: unknown;
}

export interface EquipmentStatus {
  status: string;
  lastMaintenance?: string;
  nextMaintenance?: string;
  [field: string]: unknown;
}

export interface DeviceStatus {
  status: string;
  batteryLevel?: number;
  signalStrength?: number;
  lastUpdate?: string;
  [field: string]: unknown;
}

export interface QueueInfo {
  total: number;
  current: number;
  estimatedWaitMinutes?: number;
  [field: string]: unknown;
}

export interface QueuePosition {
  position: number;
  estimatedWaitMinutes?: number;
  [field: string]: unknown;
}

export interface Alert {
  type: string;
  severity: string;
  time: string | number;
  [field: string]: unknown;
}

export interface ProcessingResult {
  findings: unknown;
  confidence?: number;
  [field: string]: unknown;
}

/** The value types of the built-in classes. Override with `openCache<{ patient: MyPatient }>()`. */
export interface DefaultSchema {
  "patients:list": Bundle;
  summary: Record<string, unknown>;
  patient: Patient;
  medical_record: FhirResource;
  "medical_records:list": Bundle;
  "report:meta": FhirOf<"DiagnosticReport">;
  "report:file": SignedUrl;
  doctor: FhirOf<"Practitioner">;
  "doctors:department": Bundle;
  department: FhirOf<"Organization">;
  "departments:all": Bundle;
  equipment: FhirOf<"Device">;
  "equipment:status": EquipmentStatus;
  "slots:available": Bundle;
  appointment: FhirOf<"Appointment">;
  "appointments:patient": Bundle;
  "queue:position": QueuePosition;
  "queue:info": QueueInfo;
  "vitals:realtime": FhirResource;
  "vitals:history": Bundle;
  "device:status": DeviceStatus;
  "alerts:active": Alert[];
  "alerts:history": Alert[];
  "image:meta": DicomJson;
  "image:url": SignedUrl;
  "study:meta": DicomJson;
  "studies:patient": DicomJson[];
  processing: ProcessingResult;
  "video:consultation": SignedUrl;
}
