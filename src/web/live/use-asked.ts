import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ApiError } from './api.ts'

export interface Asked<T> {
  /** the newest answer, also while another question is asked: what is seen does not jump */
  data: T | null
  error: ApiError | null
  isLoading: boolean
  /** asks now */
  refresh: () => void
}

/**
 * What `load` gives. Another `key` is another question: the one before is cancelled, its answer stays until the new one is there. Asked again every so
 * often while the page is seen, never twice at once; `everyMs` null: once. A `key` of null asks nothing.
 */
export function useAsked<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>, everyMs: number | null): Asked<T> {
  const [state, setState] = useState<{ data: T | null; error: ApiError | null; isLoading: boolean }>({
    data: null,
    error: null,
    isLoading: false,
  })
  const loading = useRef(load)
  loading.current = load
  const again = useRef<() => void>(() => {})
  useEffect(() => {
    if (key === null) {
      setState({ data: null, error: null, isLoading: false })
      return
    }
    const stop = new AbortController()
    let timer: ReturnType<typeof setTimeout> | null = null
    let isAsking = false
    const run = async (): Promise<void> => {
      if (isAsking) return
      isAsking = true
      if (timer !== null) clearTimeout(timer)
      try {
        const data = await loading.current(stop.signal)
        if (!stop.signal.aborted) setState({ data, error: null, isLoading: false })
      } catch (error) {
        if (stop.signal.aborted) return
        const told = error instanceof ApiError ? error : new ApiError('INTERNAL', String(error), '')
        setState((before) => ({ ...before, error: told, isLoading: false }))
      } finally {
        isAsking = false
        if (everyMs !== null && !stop.signal.aborted) timer = setTimeout(whenSeen, everyMs)
      }
    }
    const whenSeen = (): void => {
      if (!document.hidden) void run()
      else timer = setTimeout(whenSeen, everyMs ?? 1000)
    }
    const onSeen = (): void => {
      if (!document.hidden && everyMs !== null) void run()
    }
    again.current = () => void run()
    setState((before) => ({ ...before, isLoading: true }))
    void run()
    document.addEventListener('visibilitychange', onSeen)
    return () => {
      stop.abort()
      if (timer !== null) clearTimeout(timer)
      document.removeEventListener('visibilitychange', onSeen)
    }
  }, [key, everyMs])
  const refresh = useCallback(() => again.current(), [])
  return { ...state, refresh }
}
