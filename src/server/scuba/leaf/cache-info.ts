import { LIMITS } from '../../../core/scuba/limits.ts'
import type { CacheInfo } from '../../../core/scuba/wire-types.ts'
import type { Engines } from './engines.ts'

export function cacheInfo({ partials, answers, flights }: Engines): CacheInfo {
  return {
    entries: partials.entries,
    bytes: partials.bytes,
    bytesMax: LIMITS.partialCacheBytesMax,
    diskEntries: partials.disk?.count ?? 0,
    diskBytes: partials.disk?.bytes ?? 0,
    diskBytesMax: LIMITS.partialDiskBytesMax,
    diskReads: partials.disk?.recalled ?? 0,
    answers: answers.count,
    answerBytes: answers.bytes,
    answerHits: answers.hits,
    partialHits: partials.hits,
    partialMisses: partials.misses,
    shared: flights.shared,
    evicted: partials.evicted,
    savedMs: Math.round(partials.savedMs),
  }
}
