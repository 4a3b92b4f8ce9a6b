import type { LogEntry } from '../live/entry.ts'

export const ENTRIES_SHOWN = 50

/** Newest first, each once, no more than are shown. */
export function withEntries(shown: readonly LogEntry[], come: readonly LogEntry[]): LogEntry[] {
  const known = new Map([...come, ...shown].map((entry) => [entry.position, entry]))
  return [...known.values()].toSorted((a, b) => b.position - a.position).slice(0, ENTRIES_SHOWN)
}

const TEXT_MAX = 160

/** One line of what an entry says: its own words where it has some, else its body. */
export function entryText({ notable, body }: Pick<LogEntry, 'notable' | 'body'>): string {
  if (notable !== undefined) return notable.text
  const text = JSON.stringify(body) ?? ''
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text
}
