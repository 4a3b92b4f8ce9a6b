import { useEffect, useRef, useState } from 'preact/hooks'
import type { Kv } from '../../core/delos/schema.ts'
import { follow, type LinkState } from '../live/follow.ts'
import type { Version } from './versions.ts'

type WatchLine =
  | { kind: 'created' | 'progress'; revision: number }
  | { kind: 'event'; revision: number; type: 'put' | 'delete'; kv: Kv; isLast: boolean }
  | { kind: 'error'; error: { message: string } }

export const CHANGES_SHOWN = 30

/** What is put and deleted below a prefix from now on, the newest first. `onChange`: told each. */
export function useChanges(prefix: string, onChange: (version: Version) => void): { changes: readonly Version[]; link: LinkState } {
  const [state, setState] = useState<{ changes: readonly Version[]; link: LinkState }>({ changes: [], link: 'lost' })
  const telling = useRef(onChange)
  telling.current = onChange
  useEffect(() => {
    let next: number | null = null
    let held: Version[] = []
    let timer: ReturnType<typeof setTimeout> | null = null
    const take = (version: Version): void => {
      held.push(version)
      telling.current(version)
      timer ??= setTimeout(() => {
        const come = held.slice(-CHANGES_SHOWN).toReversed()
        held = []
        timer = null
        setState((before) => ({ ...before, changes: [...come, ...before.changes].slice(0, CHANGES_SHOWN) }))
      }, 100)
    }
    setState({ changes: [], link: 'lost' })
    const stop = follow({
      path: () => {
        const query = new URLSearchParams({ key: prefix, isPrefix: 'true' })
        if (next !== null) query.set('from', String(next))
        return `/v1/delos/kv/watch?${query.toString()}`
      },
      onLine: (text) => {
        const line = JSON.parse(text) as WatchLine
        if (line.kind === 'event') {
          take({ type: line.type, revision: line.revision, kv: line.kv })
          if (line.isLast) next = line.revision + 1
        } else if (line.kind === 'created') next ??= line.revision + 1
        else if (line.kind === 'progress') next = Math.max(next ?? 0, line.revision + 1)
        // What was to come next is compacted: from now on again.
        else next = null
      },
      onState: (link) => setState((before) => (before.link === link ? before : { ...before, link })),
    })
    return () => {
      stop()
      if (timer !== null) clearTimeout(timer)
    }
  }, [prefix])
  return state
}
