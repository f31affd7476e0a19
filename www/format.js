const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const MONTH = new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric", timeZone: "UTC" });

/** A FHIR date or date-time, which may lack day and month. */
export function date(text) {
  if (typeof text !== "string") return "";
  const [, year, month, day] = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?/.exec(text) ?? [];
  if (!year) return "";
  if (!month) return year;
  const at = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day ?? 1)));
  // A date is read as one word: it does not break at the end of a line.
  return (day ? DATE : MONTH).format(at).replaceAll(" ", "\u00a0");
}

/** Whole years since a birth date; undefined where the date does not tell. */
export function years(birthDate, now = new Date()) {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})/.exec(birthDate ?? "") ?? [];
  if (!year) return undefined;
  const beforeBirthday =
    now.getMonth() + 1 < Number(month) ||
    (now.getMonth() + 1 === Number(month) && now.getDate() < Number(day));
  return now.getFullYear() - Number(year) - (beforeBirthday ? 1 : 0);
}

/** How old a value is, in the unit that a person would say. */
export function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  const days = Math.floor(seconds / 86_400);
  return days === 1 ? "1 day ago" : `${days} days ago`;
}

/** A count with its noun. */
export function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

/** A number as it is read aloud: grouped, at most one decimal. */
export function number(value) {
  return new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 }).format(value);
}

/** Bytes in the unit that fits. */
export function bytes(value) {
  if (value < 1024) return `${value} B`;
  if (value < 1024 ** 2) return `${number(value / 1024)} KiB`;
  return `${number(value / 1024 ** 2)} MiB`;
}

/** `m:ss` of a countdown. */
export function clock(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
