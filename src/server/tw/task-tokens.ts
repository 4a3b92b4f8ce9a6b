import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Caller } from '../api/roles.ts'

/** What a task may ask, with its own token: what is planned for its group, and to answer. */
const ALLOWED = new Set(['/v1/tw/op/pending', '/v1/tw/op/answer'])

/**
 * Tokens of tasks whose application pulls its ops. Made from the task's id and the key of the fleet's authority, which every server has, so
 * none is kept anywhere and any server knows one when it sees it.
 */
export interface TaskTokens {
  /** of a task; null: the key is not there yet, which `onReady` tells */
  of: (task: number) => string | null
  onReady: (listener: () => void) => void
  /** whose it is; null: it is none of ours */
  find: (token: string) => Caller | null
}

/** @param key of the authority, PEM; made when there is none */
export function createTaskTokens(key: () => Promise<string>): TaskTokens {
  let secret: string | null = null
  const listeners: (() => void)[] = []
  let isAsked = false
  const ask = (): void => {
    if (isAsked) return
    isAsked = true
    key().then(
      (pem) => {
        secret = pem
        for (const listener of listeners) listener()
      },
      () => {
        // Asked again with the next task.
        isAsked = false
      },
    )
  }
  const tokenOf = (task: string, of: string): string =>
    `task_${task}_${createHmac('sha256', of).update(`task ${task}`).digest('base64url')}`
  return {
    of: (task) => {
      if (secret === null) ask()
      return secret === null ? null : tokenOf(String(task), secret)
    },
    onReady: (listener) => listeners.push(listener),
    find: (token) => {
      const [, task] = /^task_(\d{1,15})_/.exec(token) ?? []
      if (task === undefined) return null
      if (secret === null) {
        ask()
        return null
      }
      const [given, right] = [Buffer.from(token), Buffer.from(tokenOf(task, secret))]
      return given.length === right.length && timingSafeEqual(given, right) ? { actor: `task:${task}`, role: 'operator' } : null
    },
  }
}

/** Whether a caller may ask this: a task only what is its own. */
export function mayAskAs({ actor }: Caller, path: string): boolean {
  return !actor.startsWith('task:') || ALLOWED.has(path)
}
