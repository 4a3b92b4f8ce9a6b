import { existsSync } from 'node:fs'

/** The library that gives a process another wall clock (Debian: faketime); undefined where it is not installed. */
export const FAKETIME_LIBRARY = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu']
  .map((folder) => `${folder}/faketime/libfaketimeMT.so.1`)
  .find((file) => existsSync(file))

/** Environment of a process whose wall clock is off; what it measures durations by goes on as it does. */
export function fakedClock(
  how: { FAKETIME: string } | { FAKETIME_TIMESTAMP_FILE: string; FAKETIME_NO_CACHE: '1' },
): Record<string, string> {
  return { LD_PRELOAD: FAKETIME_LIBRARY ?? '', DONT_FAKE_MONOTONIC: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1', ...how }
}
