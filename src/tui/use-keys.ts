import { useInput, usePaste, type Key } from 'ink'
import { useEffect, useReducer, useRef } from 'react'

/**
 * Presses each key. Keys that come at once, as when one is held down or the machine is busy, are pressed one after the other: each sees what the one
 * before did. What is pasted is no keys: it goes into a text as a whole, and where there is none it does nothing.
 * @param isText what is typed goes into a text
 */
export function useKeys(press: (input: string, key: Partial<Key>) => void, isText = false): void {
  const [, tick] = useReducer((n: number) => n + 1, 0)
  const typed = useRef<string[]>([])
  useInput((input, key) => {
    if (input.length <= 1) return press(input, key)
    // Lines that come in one piece were pasted in a terminal that does not say so; with Enter at their end alone they were typed.
    const isTyped = /^[^\r\n]*\r$/.test(input)
    if (isText && !isTyped) return press(input, key)
    typed.current.push(...(isText ? [input.slice(0, -1), '\r'] : input))
    tick()
  })
  usePaste((text) => {
    if (isText) press(text, {})
  })
  useEffect(() => {
    const next = typed.current.shift()
    if (next === undefined) return
    press(next, { return: next === '\r', tab: next === '\t' })
    tick()
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- each key is pressed on the state of the render it follows
  }, [press])
}
