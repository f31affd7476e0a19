import type {
  CallOptions,
  Entry,
  Fetcher,
  FetchOptions,
  PutItem,
  PutOptions,
  PutResult,
  ValueOf,
} from "../index.js";

/** One record class of a session. Costs and errors: see the same verbs of `Session`. */
export interface ClassView<K, T> {
  /** Reads memory alone, synchronously. */
  peek(key: K): Entry<T> | null;
  /** Reads memory, then the device. */
  get(key: K, options?: CallOptions): Promise<Entry<T> | null>;
  /** As `get`, for many; results in the order of the keys. */
  getMany(keys: readonly K[], options?: CallOptions): Promise<(Entry<T> | null)[]>;
  /** Reads memory, the device, and the origin where needed; one fetch for all callers. */
  getOrFetch(key: K, fetcher: Fetcher<T>, options?: FetchOptions): Promise<Entry<T>>;
  /** Stores a value; settles when it is on the device. */
  put(key: K, value: T, options?: PutOptions): Promise<void>;
  /** Stores many in one transaction. */
  putMany(items: readonly PutItem<K, T>[], options?: CallOptions): Promise<PutResult[]>;
  /** Deletes the data of a key. */
  remove(key: K, options?: CallOptions): Promise<void>;
  /** Calls `listener` when the entry may have changed; returns the function that stops it. */
  subscribe(key: K, listener: () => void): () => void;
  /** As `peek`, but the same object until something that a reader can see changes. */
  snapshot(key: K): Entry<T> | null;
}

/** A class that has one entry, and so no key. */
export interface SingleView<T> {
  peek(): Entry<T> | null;
  get(options?: CallOptions): Promise<Entry<T> | null>;
  getOrFetch(fetcher: Fetcher<T>, options?: FetchOptions): Promise<Entry<T>>;
  put(value: T, options?: PutOptions): Promise<void>;
  remove(options?: CallOptions): Promise<void>;
  subscribe(listener: () => void): () => void;
  snapshot(): Entry<T> | null;
}

/** The views of the built-in classes. Ids are 1 to 256 bytes without control characters. */
export interface Namespaces<S extends object> {
  /** FHIR Patient by id. Fresh 1 h, strong. */
  readonly patients: ClassView<string, ValueOf<S, "patient">> & {
    /** Summary document (any, or an IPS Bundle) by patient. Fresh 1 h, strong. */
    readonly summary: ClassView<string, ValueOf<S, "summary">>;
    /** Patients of a list, by the app's name of the query. Fresh 5 min, strong. */
    readonly lists: ClassView<string, ValueOf<S, "patients:list">>;
  };
  /** Clinical resources; the record's id is `Type/id`. Fresh 30 min, strong. */
  readonly records: ClassView<RecordKey, ValueOf<S, "medical_record">> & {
    /** Records of a patient, of one FHIR type or of all. Fresh 30 min, strong. */
    readonly lists: ClassView<RecordListKey, ValueOf<S, "medical_records:list">>;
  };
  /** Report metadata. Fresh 2 h, eventual. */
  readonly reports: ClassView<string, ValueOf<S, "report:meta">> & {
    /** Address of a report's file; never past the address's own signature. Eventual. */
    readonly files: ClassView<string, ValueOf<S, "report:file">>;
  };
  /** FHIR Practitioner. Fresh 1 h, eventual. */
  readonly doctors: ClassView<string, ValueOf<S, "doctor">> & {
    /** Doctors by department. Fresh 1 h, eventual. */
    readonly ofDepartment: ClassView<string, ValueOf<S, "doctors:department">>;
  };
  /** FHIR Organization. Fresh 2 h, eventual. */
  readonly departments: ClassView<string, ValueOf<S, "department">> & {
    /** All departments. Fresh 2 h, eventual. */
    readonly list: SingleView<ValueOf<S, "departments:all">>;
  };
  /** FHIR Device. Fresh 5 min, eventual. */
  readonly equipment: ClassView<string, ValueOf<S, "equipment">> & {
    /** Status by equipment. Fresh 30 s, eventual. */
    readonly status: ClassView<string, ValueOf<S, "equipment:status">>;
  };
  /** Free slots of a doctor on a day. Fresh 5 min, strong, refused offline. */
  readonly slots: ClassView<SlotsKey, ValueOf<S, "slots:available">>;
  /** FHIR Appointment. Fresh 30 min, strong. */
  readonly appointments: ClassView<string, ValueOf<S, "appointment">> & {
    /** Appointments by patient. Fresh 30 min, strong. */
    readonly ofPatient: ClassView<string, ValueOf<S, "appointments:patient">>;
  };
  /** State of a queue. Fresh 60 s, eventual, refused offline. */
  readonly queues: ClassView<string, ValueOf<S, "queue:info">> & {
    /** A patient's place in a queue. Fresh 60 s, eventual, refused offline. */
    readonly positions: ClassView<QueuePositionKey, ValueOf<S, "queue:position">>;
  };
  /** Newest vital signs by patient. Fresh 60 s, strong, never shown as current offline. */
  readonly vitals: ClassView<string, ValueOf<S, "vitals:realtime">> & {
    /** Vital signs in a range of time. Fresh 1 h, eventual. */
    readonly history: ClassView<VitalsRangeKey, ValueOf<S, "vitals:history">>;
  };
  /** Device status. Fresh 30 s, eventual. */
  readonly devices: ClassView<string, ValueOf<S, "device:status">>;
  /** Active alerts of a patient, or of `"all"`. Fresh 5 min, strong. */
  readonly alerts: ClassView<string, ValueOf<S, "alerts:active">> & {
    /** Past alerts by patient. Fresh 5 min, eventual. */
    readonly history: ClassView<string, ValueOf<S, "alerts:history">>;
  };
  /** Image metadata. Fresh 24 h, eventual. */
  readonly images: ClassView<string, ValueOf<S, "image:meta">> & {
    /** Address of a variant; never past the address's own signature. Eventual. */
    readonly urls: ClassView<ImageUrlKey, ValueOf<S, "image:url">>;
  };
  /** Study metadata (DICOM JSON). Fresh 1 h, eventual. */
  readonly studies: ClassView<string, ValueOf<S, "study:meta">> & {
    /** Studies by patient. Fresh 1 h, eventual. */
    readonly ofPatient: ClassView<string, ValueOf<S, "studies:patient">>;
  };
  /** Results of image processing. Fresh 24 h, eventual. */
  readonly processing: ClassView<ProcessingKey, ValueOf<S, "processing">>;
}

export interface RecordKey {
  patient: string;
  record: string;
}

export interface RecordListKey {
  patient: string;
  /** A FHIR resource type. Left out: all. */
  type?: string;
}

export interface SlotsKey {
  doctor: string;
  /** ISO 8601, `2026-11-23`. */
  date: string;
}

export interface QueuePositionKey {
  queue: string;
  patient: string;
}

export interface VitalsRangeKey {
  patient: string;
  /** Unix milliseconds. */
  start: number;
  /** Unix milliseconds. */
  end: number;
}

export interface ImageUrlKey {
  image: string;
  variant: string;
}

export interface ProcessingKey {
  image: string;
  type: string;
}
