/** The first value of an attribute; archives leave it out, empty, or without the list. */
function first(row, tag) {
  return row?.[tag]?.Value?.[0];
}

export const studyUid = (row) => first(row, "0020000D") ?? "";
export const instanceUid = (row) => first(row, "00080018") ?? "";

const MODALITIES = {
  CT: "CT",
  MR: "MRI",
  US: "Ultrasound",
  NM: "Nuclear medicine",
  ECG: "ECG",
  OT: "Other",
  SR: "Structured report",
  SEG: "Segmentation",
  RTDOSE: "Radiotherapy dose",
  RTPLAN: "Radiotherapy plan",
  RTSTRUCT: "Radiotherapy structures",
};

export function modality(row) {
  const code = first(row, "00080061") ?? first(row, "00080060");
  return code === undefined ? "Imaging" : (MODALITIES[code] ?? code);
}

/** `^` parts the components of a name in DICOM. */
export function description(row) {
  const text = first(row, "00081030") ?? first(row, "0008103E");
  return typeof text === "string" ? text.replaceAll("^", ", ") : "";
}

/** `20030505`, or `2003.05.05` of older devices, as an ISO date. */
export function studyDate(row) {
  const [, year, month, day] = /^(\d{4})\.?(\d{2})\.?(\d{2})$/.exec(first(row, "00080020") ?? "") ?? [];
  return year ? `${year}-${month}-${day}` : "";
}

export const seriesCount = (row) => Number(first(row, "00201206") ?? 0);
export const instanceCount = (row) => Number(first(row, "00201208") ?? 0);
