import { useEffect, useState } from 'preact/hooks'

/** Colours of the style sheet, as a canvas needs them. */
export interface Colours {
  /** other colours have another key */
  key: string
  /** how many lines have colours of their own; then dashes begin */
  count: number
  line: (index: number) => string
  shade: (shade: number) => string
  text: string
  quiet: string
  grid: string
  accent: string
  mark: string
  bad: string
  font: string
}

const LINES = 10

function read(): Colours {
  const style = getComputedStyle(document.documentElement)
  const of = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  // Read once: a style that is asked for while the page changes is computed anew each time.
  const lines = Array.from({ length: LINES }, (_, i) => of(`line-${i}`))
  return {
    key: of('ground'),
    count: LINES,
    line: (index) => lines[index % LINES] ?? '',
    shade: (shade) => of(`heat-${shade}`),
    text: of('text'),
    quiet: of('quiet'),
    grid: of('grid'),
    accent: of('accent'),
    mark: of('mark'),
    bad: of('bad'),
    font: '11px system-ui, sans-serif',
  }
}

/** The colours of now: another when the person goes from light to dark. */
export function useColours(): Colours {
  const [colours, setColours] = useState(read)
  useEffect(() => {
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    const look = (): void => setColours(read())
    scheme.addEventListener('change', look)
    return () => scheme.removeEventListener('change', look)
  }, [])
  return colours
}
