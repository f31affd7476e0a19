/**
 * The record classes by namespace: class name, then the parts of its key in order. A part that
 * ends in `?` may be left out. `all` is the view of the namespace itself.
 */
export const NAMESPACES = Object.freeze({
  patients: {
    all: ["patient", "patient"],
    summary: ["summary", "patient"],
    lists: ["patients:list", "query"],
  },
  records: {
    all: ["medical_record", "patient", "record"],
    lists: ["medical_records:list", "patient", "type?"],
  },
  reports: {
    all: ["report:meta", "report"],
    files: ["report:file", "report"],
  },
  doctors: {
    all: ["doctor", "doctor"],
    ofDepartment: ["doctors:department", "department"],
  },
  departments: {
    all: ["department", "department"],
    list: ["departments:all"],
  },
  equipment: {
    all: ["equipment", "equipment"],
    status: ["equipment:status", "equipment"],
  },
  slots: {
    all: ["slots:available", "doctor", "date"],
  },
  appointments: {
    all: ["appointment", "appointment"],
    ofPatient: ["appointments:patient", "patient"],
  },
  queues: {
    all: ["queue:info", "queue"],
    positions: ["queue:position", "queue", "patient"],
  },
  vitals: {
    all: ["vitals:realtime", "patient"],
    history: ["vitals:history", "patient", "start", "end"],
  },
  devices: {
    all: ["device:status", "device"],
  },
  alerts: {
    all: ["alerts:active", "patient"],
    history: ["alerts:history", "patient"],
  },
  images: {
    all: ["image:meta", "image"],
    urls: ["image:url", "image", "variant"],
  },
  studies: {
    all: ["study:meta", "study"],
    ofPatient: ["studies:patient", "patient"],
  },
  processing: {
    all: ["processing", "image", "type"],
  },
});

/** Freezes the definition of a class of the app's own, for the `define` option of `openCache`. */
export function defineClass(definition) {
  return Object.freeze({ ...definition });
}
