import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ApiError } from './api.ts'

export interface Polled<T> {
  data: T | null
  error: ApiError | null
  /** asks now */
  refresh: () => void
}

/**
 * What `load` gives, asked again every so often while the page is seen, and never twice at once. Another `key` is another question: an answer to
 * the one before is dropped.
 */
export function usePoll<T>(key: string, load: () => Promise<T>, everyMs: number): Polled<T> {
  const [state, setState] = useState<{ key: string; data: T | null; error: ApiError | null }>({ key, data: null, error: null })
  const loading = useRef(load)
  loading.current = load
  const again = useRef<() => void>(() => {})
  useEffect(() => {
    let isOver = false
    let isAsking = false
    let isWanted = false
    const run = async (): Promise<void> => {
      if (isAsking) {
        isWanted = true
        return
      }
      isAsking = true
      try {
        const data = await loading.current()
        if (!isOver) setState({ key, data, error: null })
      } catch (error) {
        const told = error instanceof ApiError ? error : new ApiError('INTERNAL', String(error), '')
        if (!isOver) setState((before) => ({ key, data: before.key === key ? before.data : null, error: told }))
      } finally {
        isAsking = false
      }
      if (isWanted && !isOver) {
        isWanted = false
        void run()
      }
    }
    const whenSeen = (): void => {
      if (!document.hidden) void run()
    }
    again.current = () => void run()
    void run()
    const timer = setInterval(whenSeen, everyMs)
    document.addEventListener('visibilitychange', whenSeen)
    return () => {
      isOver = true
      clearInterval(timer)
      document.removeEventListener('visibilitychange', whenSeen)
    }
  }, [key, everyMs])
  const refresh = useCallback(() => again.current(), [])
  return { data: state.key === key ? state.data : null, error: state.error, refresh }
}
