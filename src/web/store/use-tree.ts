import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ask, ApiError } from '../live/api.ts'
import { EMPTY_TREE, idOf, toggled, touchedBy, withLevel, withMore, type Child, type Level, type Tree } from './key-tree.ts'

const PART = 200
/** What a level has at most when it is loaded again. */
const LEVEL_MAX = 1000
const CHANGED_MS = 200

export interface KeyTree {
  tree: Tree
  error: ApiError | null
  toggle: (prefix: Child) => void
  more: (level: string) => void
  /** something was put or deleted under this key: levels in which it would be seen are loaded again */
  changed: (key: string) => void
}

/** The tree from a prefix on; its levels are loaded when they are opened. */
export function useTree(root: string): KeyTree {
  const [tree, setTree] = useState<Tree>(EMPTY_TREE)
  const [error, setError] = useState<ApiError | null>(null)
  const now = useRef(tree)
  now.current = tree
  const load = useCallback(async (prefix: string, limit: number, after: Child | null) => {
    try {
      const { data } = await ask<Level>('delos.kv.level', { ...keyInput(prefix), limit, ...afterInput(after) })
      setTree((before) => (after === null ? withLevel(before, prefix, data) : withMore(before, prefix, data)))
      setError(null)
    } catch (failed) {
      setError(failed instanceof ApiError ? failed : new ApiError('INTERNAL', String(failed), ''))
    }
  }, [])
  useEffect(() => {
    setTree(EMPTY_TREE)
    void load(root, PART, null)
  }, [root, load])

  const touched = useRef<{ levels: Set<string>; timer: ReturnType<typeof setTimeout> | null }>({ levels: new Set(), timer: null })
  const changed = useCallback(
    (key: string) => {
      for (const level of touchedBy(now.current, key)) touched.current.levels.add(level)
      // Changes come in bursts; a level is asked for once for all of them.
      touched.current.timer ??= setTimeout(() => {
        const levels = [...touched.current.levels]
        touched.current = { levels: new Set(), timer: null }
        for (const level of levels) {
          const loaded = now.current.levels.get(level)?.children.length ?? 0
          void load(level, Math.min(LEVEL_MAX, Math.max(PART, loaded + 1)), null)
        }
      }, CHANGED_MS)
    },
    [load],
  )
  const toggle = useCallback(
    (child: Child) => {
      const prefix = idOf(child)
      setTree((before) => toggled(before, prefix))
      if (!now.current.open.has(prefix)) void load(prefix, PART, null)
    },
    [load],
  )
  const more = useCallback(
    (level: string) => {
      const last = now.current.levels.get(level)?.children.at(-1)
      if (last !== undefined) void load(level, PART, last)
    },
    [load],
  )
  return { tree, error, toggle, more, changed }
}

function keyInput(id: string): object {
  return id.startsWith('base64:') ? { key: id.slice('base64:'.length), isKeyBase64: true } : { key: id }
}

function afterInput(after: Child | null): object {
  if (after === null) return {}
  return after.isKeyBase64 === true ? { after: after.key, isAfterBase64: true } : { after: after.key }
}
