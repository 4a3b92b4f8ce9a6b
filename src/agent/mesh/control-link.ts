import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { refuse } from '../../core/kernel/errors.ts'
import { readLines, type ControlAnswer, type ControlRequest } from './control.ts'

const POLL_MS = 25

/** One connection to a control socket. */
export class ControlLink {
  onClose: (() => void) | null = null
  isOpen = true
  readonly #socket: Socket
  #waiting: { resolve: (answer: ControlAnswer) => void; reject: (error: Error) => void }[] = []

  readonly #answerTimeoutMs: number

  private constructor(socket: Socket, answerTimeoutMs: number) {
    this.#socket = socket
    this.#answerTimeoutMs = answerTimeoutMs
    readLines(socket, (line) => this.#waiting.shift()?.resolve(JSON.parse(line) as ControlAnswer))
    socket.on('close', () => {
      this.isOpen = false
      for (const { reject } of this.#waiting) reject(new Error('the mesh proxy has gone'))
      this.#waiting = []
      this.onClose?.()
    })
  }

  /** Null when nobody listens there. */
  static open(path: string, answerTimeoutMs: number): Promise<ControlLink | null> {
    return new Promise((resolve) => {
      const socket = connect(path)
      socket.on('error', () => resolve(null))
      socket.on('connect', () => resolve(new ControlLink(socket, answerTimeoutMs)))
    })
  }

  static async openWithin(path: string, timeoutMs: number, answerTimeoutMs: number): Promise<ControlLink | null> {
    const untilMs = Date.now() + timeoutMs
    for (;;) {
      const link = await ControlLink.open(path, answerTimeoutMs)
      if (link !== null || Date.now() > untilMs) return link
      await sleep(POLL_MS)
    }
  }

  ask(request: ControlRequest): Promise<ControlAnswer> {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) {
        reject(new Error('the mesh proxy has gone'))
        return
      }
      const timer = setTimeout(() => {
        reject(refuse('TIMEOUT', 'the mesh proxy does not answer'))
        this.#socket.destroy()
      }, this.#answerTimeoutMs)
      const settled =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer)
          then(value)
        }
      this.#waiting.push({ resolve: settled(resolve), reject: settled(reject) })
      this.#socket.write(`${JSON.stringify(request)}\n`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}
