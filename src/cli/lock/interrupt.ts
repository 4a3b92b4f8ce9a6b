export interface Interrupt {
  signal: AbortSignal
  reason: () => NodeJS.Signals | null
  exitCode: () => number
  stop: () => void
}

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const

/** Ctrl-C and the like: noted, not obeyed at once, for what is held has to be given back first. */
export function listenForSignals(): Interrupt {
  const controller = new AbortController()
  let reason: keyof typeof SIGNALS | null = null
  const listeners = Object.keys(SIGNALS).map((name) => {
    const signal = name as keyof typeof SIGNALS
    const listener = (): void => {
      reason ??= signal
      controller.abort()
    }
    process.on(signal, listener)
    return () => process.off(signal, listener)
  })
  return {
    signal: controller.signal,
    reason: () => reason,
    exitCode: () => 128 + (reason === null ? 15 : SIGNALS[reason]),
    stop: () => listeners.forEach((off) => off()),
  }
}
