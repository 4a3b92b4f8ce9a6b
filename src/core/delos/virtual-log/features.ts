import type { RegisterValue } from './value.ts'

/** What a server does otherwise from a position of the log on: it ships dormant, and is enabled once every server knows it (delos, 3.6). */
export interface Feature {
  name: string
  /** what changes, for people */
  what: string
}

/** Those that this program knows. One that was released stays here for ever: a log may have it enabled. */
export const FEATURES: readonly Feature[] = []

/** Those that are enabled and not among `known`: with one of them nothing may be applied. */
export function unknownFeatures(
  { features }: Pick<RegisterValue, 'features'>,
  known: readonly Feature[],
): { name: string; since: number }[] {
  return features.filter(({ name }) => !known.some((each) => each.name === name))
}
