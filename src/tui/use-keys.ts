import { useInput, type Key } from 'ink'
import { useEffect, useReducer, useRef } from 'react'

/**
 * Presses each key. Keys that come at once, as when one is held down, are pressed one after the other: each sees what the one before did.
 * @param isText what is typed goes into a text, and what is pasted with it as a whole
 */
export function useKeys(press: (input: string, key: Partial<Key>) => void, isText = false): void {
  const [, tick] = useReducer((n: number) => n + 1, 0)
  const typed = useRef<string[]>([])
  useInput((input, key) => {
    if (input.length <= 1 || isText) return press(input, key)
    typed.current.push(...input)
    tick()
  })
  useEffect(() => {
    const next = typed.current.shift()
    if (next === undefined) return
    press(next, { return: next === '\r', tab: next === '\t' })
    tick()
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- each key is pressed on the state of the render it follows
  }, [press])
}
