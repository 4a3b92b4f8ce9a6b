import { useEffect, useState } from 'preact/hooks'

/** The reader's clock, ms, looked at every so often: how old a thing is grows while it is shown. */
export function useNow(everyMs = 2000): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}
