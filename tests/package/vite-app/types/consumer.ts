import { CacheError, keys, openCache, type Entry, type Patient } from "clinicache";
import { init } from "clinicache/slim";

export async function family(id: string): Promise<string | undefined> {
  await init({ url: "/clinicache_bg.wasm" });
  const cache = await openCache("c", { user: "u", keys: keys.ephemeral() });
  const session = await cache.session({ purpose: "treatment" });
  const entry: Entry<Patient> | null = session.patients.peek(id);
  return entry?.value?.name?.[0]?.family;
}

export const isBusy = (error: unknown): boolean => error instanceof CacheError && error.code === "Busy";
