import { useEffect, useState } from 'preact/hooks'
import { ask } from '../live/api.ts'
import type { LogEntry } from '../live/entry.ts'
import { followEntries, type LinkState } from '../live/follow.ts'
import { ENTRIES_SHOWN, withEntries } from './entries.ts'

export interface Entries {
  list: readonly LogEntry[]
  /** position from which on entries came while one looked */
  firstNews: number
  link: LinkState
}

const RETRY_MS = 2000

/** The newest entries of the control log, as they come. `onType`: told each type that comes. */
export function useControlEntries(onType: (type: string) => void): Entries {
  const [entries, setEntries] = useState<Entries>({ list: [], firstNews: Number.POSITIVE_INFINITY, link: 'lost' })
  useEffect(() => {
    let stop = (): void => {}
    let isOver = false
    let held: LogEntry[] = []
    let timer: ReturnType<typeof setTimeout> | null = null
    // Entries come in bursts: drawn once a frame.
    const take = (entry: LogEntry): void => {
      held.push(entry)
      onType(entry.type)
      timer ??= setTimeout(() => {
        const come = held
        held = []
        timer = null
        setEntries((before) => ({ ...before, list: withEntries(before.list, come) }))
      }, 50)
    }
    const begin = async (): Promise<void> => {
      while (!isOver) {
        try {
          const { data } = await ask<{ tail: number; entries: LogEntry[] }>('delos.log.ls', { log: 'control', limit: ENTRIES_SHOWN })
          if (isOver) return
          setEntries((before) => ({ ...before, list: withEntries([], data.entries), firstNews: data.tail }))
          stop = followEntries(data.tail, take, (link) => setEntries((before) => (before.link === link ? before : { ...before, link })))
          return
        } catch {
          // The chain, asked beside this, says what is wrong.
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
        }
      }
    }
    void begin()
    return () => {
      isOver = true
      stop()
      if (timer !== null) clearTimeout(timer)
    }
  }, [onType])
  return entries
}
